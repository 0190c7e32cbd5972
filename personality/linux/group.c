// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Process groups and sessions: setpgid, getpgid, setsid, getsid, orphaned groups, and the table through which terminals see them (job control).
// Locking: linux_tree_lock for all of it; terminals are called with no lock held.
#include "process.h"

#include <executive/tty.h>
#include <kernel/boot.h>
#include <kernel/slab.h>

int linux_group_number(struct linux_process *p) {
    spin_lock(&linux_tree_lock);
    int n = p->group->pid->number;
    spin_unlock(&linux_tree_lock);
    return n;
}

void linux_group_join_locked(struct linux_process *p, struct linux_group *g) {
    p->group = g;
    list_push_back(&g->members, &p->group_node);
}

void linux_group_leave_locked(struct linux_process *p, struct linux_group_waste *waste) {
    struct linux_group *g = p->group;
    struct linux_session *s;

    list_remove(&p->group_node);
    p->group = NULL;
    if (g == NULL || !list_empty(&g->members))
        return;
    s = g->session;
    g->pid->group = NULL;
    linux_pid_put_locked(g->pid);
    waste->group = g;
    if (--s->groups > 0)
        return;
    s->pid->session = NULL;
    linux_pid_put_locked(s->pid);
    waste->session = s;
}

void linux_group_waste_free(struct linux_group_waste *waste) {
    if (waste->session != NULL && waste->session->terminal != NULL)
        tty_put(waste->session->terminal);
    kfree(waste->group);
    kfree(waste->session);
    *waste = (struct linux_group_waste){0};
}

static void group_place_locked(struct linux_group *g, struct linux_pid *pid, struct linux_session *s) {
    list_init(&g->members);
    g->pid = pid;
    linux_pid_get_locked(pid);
    pid->group = g;
    g->session = s;
    s->groups++;
}

// p becomes the leader of a new session and a new group, both with its number.
static void session_place_locked(struct linux_process *p, struct linux_session *s, struct linux_group *g,
                                 struct linux_group_waste *waste) {
    if (p->group != NULL)
        linux_group_leave_locked(p, waste);
    s->pid = p->pid;
    linux_pid_get_locked(p->pid);
    p->pid->session = s;
    s->leader = p;
    p->terminal_turn = 0;
    group_place_locked(g, p->pid, s);
    linux_group_join_locked(p, g);
}

int64_t linux_group_create_first(struct linux_process *p) {
    struct linux_session *s = kzalloc(sizeof(*s));
    struct linux_group *g = kzalloc(sizeof(*g));
    struct linux_group_waste waste = {0};

    if (s == NULL || g == NULL) {
        kfree(s);
        kfree(g);
        return -LINUX_ENOMEM;
    }
    spin_lock(&linux_tree_lock);
    session_place_locked(p, s, g, &waste);
    spin_unlock(&linux_tree_lock);
    return 0;
}

// --- calls ---

int64_t linux_setsid(struct arch_frame *f) {
    struct linux_process *me = linux_current_process();
    struct linux_session *s = kzalloc(sizeof(*s));
    struct linux_group *g = kzalloc(sizeof(*g));
    struct linux_group_waste waste = {0};
    int64_t result = -LINUX_ENOMEM;

    if (s == NULL || g == NULL) {
        kfree(s);
        kfree(g);
        return result;
    }
    spin_lock(&linux_tree_lock);
    if (me->pid->group != NULL || me->pid->session != NULL) {
        waste = (struct linux_group_waste){g, s};
        result = -LINUX_EPERM; // leads a group, or its number is still a group's
    } else {
        session_place_locked(me, s, g, &waste);
        result = me->number;
    }
    spin_unlock(&linux_tree_lock);
    linux_group_waste_free(&waste);
    return result;
}

// The rules of setpgid, in Linux's order. *out_group: the group to join, or NULL for a new one.
static int64_t setpgid_check_locked(int pid, int number, struct linux_process **out_process,
                                    struct linux_group **out_group) {
    struct linux_process *me = linux_current_process();
    struct linux_process *p = linux_process_find_locked(pid);

    if (p == NULL || p->state == LINUX_PROCESS_NEW)
        return -LINUX_ESRCH;
    if (p->parent == me) {
        if (p->group->session != me->group->session)
            return -LINUX_EPERM;
        if (p->has_executed)
            return -LINUX_EACCES;
    } else if (p != me) {
        return -LINUX_ESRCH;
    }
    if (p->group->session->leader == p)
        return -LINUX_EPERM;
    *out_process = p;
    *out_group = NULL;
    if (number != pid) {
        struct linux_pid *n = linux_pid_find_locked(number);
        if (n == NULL || n->group == NULL || n->group->session != me->group->session)
            return -LINUX_EPERM;
        *out_group = n->group;
    } else {
        *out_group = p->pid->group;
    }
    return 0;
}

int64_t linux_setpgid(struct arch_frame *f) {
    int pid = (int)LINUX_ARG(f, 0), number = (int)LINUX_ARG(f, 1);
    struct linux_group_waste waste = {0};
    struct linux_process *p;
    struct linux_group *g, *fresh;

    if (pid == 0)
        pid = linux_current_process()->number;
    if (number == 0)
        number = pid;
    if (number < 0)
        return -LINUX_EINVAL;
    fresh = kzalloc(sizeof(*fresh));
    if (fresh == NULL)
        return -LINUX_ENOMEM;
    spin_lock(&linux_tree_lock);
    int64_t result = setpgid_check_locked(pid, number, &p, &g);
    if (result == 0 && (g == NULL || g != p->group)) {
        if (g == NULL) {
            g = fresh;
            group_place_locked(g, p->pid, p->group->session);
            fresh = NULL;
        }
        linux_group_leave_locked(p, &waste);
        linux_group_join_locked(p, g);
    }
    spin_unlock(&linux_tree_lock);
    kfree(fresh);
    linux_group_waste_free(&waste);
    return result;
}

static int64_t number_of(int pid, bool session) {
    struct linux_process *p;
    int64_t result = -LINUX_ESRCH;

    spin_lock(&linux_tree_lock);
    p = pid == 0 ? linux_current_process() : linux_process_find_locked(pid);
    if (p == NULL && linux_thread_find_locked(pid) != NULL)
        p = linux_thread_find_locked(pid)->process;
    if (p != NULL && p->group != NULL)
        result = session ? p->group->session->pid->number : p->group->pid->number;
    spin_unlock(&linux_tree_lock);
    return result;
}

int64_t linux_getpgid(struct arch_frame *f) {
    return number_of((int)LINUX_ARG(f, 0), false);
}

int64_t linux_getpgrp(struct arch_frame *f) {
    return number_of(0, false);
}

int64_t linux_getsid(struct arch_frame *f) {
    return number_of((int)LINUX_ARG(f, 0), true);
}

// --- orphaned groups ---

bool linux_group_orphaned_locked(struct linux_group *g, const struct linux_process *leaving) {
    struct linux_process *p;

    list_for_each(p, &g->members, group_node) {
        if (p == leaving || p->state == LINUX_PROCESS_ZOMBIE || p->parent == NULL || p->parent == linux_init)
            continue;
        if (p->parent->group != g && p->parent->group->session == g->session)
            return false;
    }
    return true;
}

static bool group_has_stopped_locked(struct linux_group *g) {
    struct linux_process *p;

    list_for_each(p, &g->members, group_node) {
        if (p->stopped)
            return true;
    }
    return false;
}

void linux_group_check_orphan_locked(struct linux_process *p, struct linux_process *parent,
                                     const struct linux_process *leaving) {
    struct linux_group *g = p->group;
    struct linux_siginfo info;

    // Only a parent in another group of the same session has held the group up so far.
    if (parent == NULL || parent->group == NULL || parent->group == g || parent->group->session != g->session)
        return;
    if (!linux_group_orphaned_locked(g, leaving) || !group_has_stopped_locked(g))
        return;
    siginfo_from_kernel(&info, LINUX_SIGHUP);
    signal_send_group_locked(g, &info);
    siginfo_from_kernel(&info, LINUX_SIGCONT);
    signal_send_group_locked(g, &info);
}

struct tty *linux_terminal_locked(const struct linux_process *p) {
    const struct linux_session *s = p->group != NULL ? p->group->session : NULL;

    return s != NULL && p->terminal_turn != 0 && p->terminal_turn == s->terminal_turn ? s->terminal : NULL;
}

static void signal_group_number(int group, int session, int signal);

// What the terminal does at its end is its own affair; a group that was in the foreground when it hung up before is told again.
void linux_session_leader_exit(struct linux_process *p) {
    spin_lock(&linux_tree_lock);
    struct linux_session *s = p->group->session;
    bool leads = s->leader == p;
    struct tty *terminal = leads ? s->terminal : NULL;
    int number = s->pid->number, hung_up = leads ? s->foreground_hung_up : 0;
    if (terminal != NULL)
        tty_get(terminal);
    spin_unlock(&linux_tree_lock);
    if (!leads)
        return;
    if (terminal != NULL) {
        tty_session_leader_exit(terminal);
        tty_put(terminal);
    } else if (hung_up != 0) {
        signal_group_number(hung_up, number, LINUX_SIGHUP);
        signal_group_number(hung_up, number, LINUX_SIGCONT);
    }
    spin_lock(&linux_tree_lock);
    s->leader = NULL;
    spin_unlock(&linux_tree_lock);
}

// --- what terminals see ---

// Terminals call these on behalf of user threads and from kernel threads, which belong to no group.
static struct linux_process *job_process(void) {
    return current_process()->ops == &linux_ops ? linux_current_process() : NULL;
}

static bool job_standing(const struct tty *t, struct tty_standing *out) {
    struct linux_process *p = job_process();

    if (p == NULL)
        return false;
    spin_lock(&linux_tree_lock);
    const struct tty *own = linux_terminal_locked(p);
    *out = (struct tty_standing){.group = p->group->pid->number,
                                 .session = p->group->session->pid->number,
                                 .leader = p->group->session->leader == p,
                                 .controlled = own != NULL,
                                 .by_this = own != NULL && own == t};
    spin_unlock(&linux_tree_lock);
    return true;
}

static struct tty *job_session_terminal(void) {
    struct linux_process *p = job_process();
    struct tty *t = NULL;

    if (p != NULL) {
        spin_lock(&linux_tree_lock);
        t = linux_terminal_locked(p);
        if (t != NULL)
            tty_get(t);
        spin_unlock(&linux_tree_lock);
    }
    return t;
}

static void job_take_terminal(struct tty *t) {
    struct linux_process *p = job_process();

    spin_lock(&linux_tree_lock);
    struct linux_session *s = p->group->session;
    struct tty *old = s->terminal;
    s->terminal = t;
    if (++s->terminal_turn == 0)
        s->terminal_turn = 1;
    s->foreground_hung_up = 0;
    p->terminal_turn = s->terminal_turn;
    spin_unlock(&linux_tree_lock);
    if (old != NULL)
        tty_put(old);
}

static void job_leave_terminal(void) {
    struct linux_process *p = job_process();

    spin_lock(&linux_tree_lock);
    p->terminal_turn = 0;
    spin_unlock(&linux_tree_lock);
}

static void job_clear_session_terminal(int session, int old_foreground) {
    struct tty *old = NULL;

    spin_lock(&linux_tree_lock);
    struct linux_pid *n = linux_pid_find_locked(session);
    if (n != NULL && n->session != NULL) {
        old = n->session->terminal;
        n->session->terminal = NULL;
        n->session->foreground_hung_up = old_foreground;
    }
    spin_unlock(&linux_tree_lock);
    if (old != NULL)
        tty_put(old);
}

static bool job_current_ignores_or_blocks(int signal) {
    struct linux_process *p = job_process();

    if (p == NULL)
        return false;
    return signal_set_has(linux_current()->blocked, signal) || signal_handler(p->sighand, signal) == LINUX_SIG_IGN;
}

static bool job_group_is_orphaned(int group) {
    bool orphaned = true;

    spin_lock(&linux_tree_lock);
    struct linux_pid *n = linux_pid_find_locked(group);
    if (n != NULL && n->group != NULL)
        orphaned = linux_group_orphaned_locked(n->group, NULL);
    spin_unlock(&linux_tree_lock);
    return orphaned;
}

// As Linux has it, the number of a process that leads no group will do.
static inv_status_t job_group_in_session(int group, int session) {
    inv_status_t status = INV_ERR_NO_PROCESS;

    spin_lock(&linux_tree_lock);
    struct linux_pid *n = linux_pid_find_locked(group);
    if (n != NULL) {
        const struct linux_group *g = n->group;
        if (g == NULL && n->process != NULL)
            g = n->process->group;
        if (g == NULL && n->thread != NULL)
            g = n->thread->process->group;
        status = g != NULL && g->session->pid->number == session ? INV_OK : INV_ERR_NOT_PERMITTED;
    }
    spin_unlock(&linux_tree_lock);
    return status;
}

static void signal_group_number(int group, int session, int signal) {
    struct linux_siginfo info;

    siginfo_from_kernel(&info, signal);
    spin_lock(&linux_tree_lock);
    struct linux_pid *n = linux_pid_find_locked(group);
    if (n != NULL && n->group != NULL && n->group->session->pid->number == session)
        signal_send_group_locked(n->group, &info);
    spin_unlock(&linux_tree_lock);
}

static void job_signal_session_leader(int session, int signal) {
    struct linux_siginfo info;

    siginfo_from_kernel(&info, signal);
    spin_lock(&linux_tree_lock);
    struct linux_pid *n = linux_pid_find_locked(session);
    if (n != NULL && n->session != NULL && n->session->leader != NULL)
        (void)signal_send_process(n->session->leader, &info);
    spin_unlock(&linux_tree_lock);
}

static bool job_current_capable(unsigned capability) {
    return token_capable(linux_token(), capability);
}

static const struct tty_job_ops job_ops = {
    .standing = job_standing,
    .session_terminal = job_session_terminal,
    .take_terminal = job_take_terminal,
    .leave_terminal = job_leave_terminal,
    .clear_session_terminal = job_clear_session_terminal,
    .current_ignores_or_blocks = job_current_ignores_or_blocks,
    .group_is_orphaned = job_group_is_orphaned,
    .group_in_session = job_group_in_session,
    .signal_group = signal_group_number,
    .signal_session_leader = job_signal_session_leader,
    .current_capable = job_current_capable,
};

int64_t linux_vhangup(struct arch_frame *f) {
    (void)f;
    if (!token_capable(linux_token(), CAP_SYS_TTY_CONFIG))
        return -LINUX_EPERM;
    tty_hangup_self();
    return 0;
}

static inv_status_t group_init(void) {
    tty_register_job_ops(&job_ops);
    return INV_OK;
}
BOOT_CALL("linux job control", BOOT_STAGE_EXECUTIVE, group_init);
