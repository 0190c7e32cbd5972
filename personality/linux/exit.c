// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The end of threads and processes: exit, exit_group, the death by a signal; handing children on; the zombie and the message to the parent.
// linux_thread_exit and linux_process_exit are called by the core on the thread that leaves.
//
//   LIVE --last thread leaves--> ZOMBIE --wait, or the parent does not care--> REAPED
#include "core_file.h"
#include "posix_timer.h"

#include <arch/usercopy.h>
#include <executive/tty.h>
#include <executive/vfs.h>
#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/platform.h>

void linux_process_end_locked(struct linux_process *p, int status) {
    struct linux_thread *t;

    if (p->group_exit)
        return;
    p->group_exit = true;
    p->exit_status = status;
    p->stop_requested = false;
    p->notice = p->wait_notice = LINUX_NOTICE_NONE; // what there is to tell now is the end
    if (p->process != NULL)
        atomic_store(&p->process->exiting, true);
    list_for_each(t, &p->threads, node)
        thread_set_work(t->thread, THREAD_WORK_KILL | THREAD_WORK_PERSONALITY);
}

noreturn_fn void linux_exit_group_status(int status) {
    struct linux_process *p = linux_current_process();
    irq_flags_t flags = spin_lock_irq(&p->lock);

    linux_process_end_locked(p, status);
    spin_unlock_irq(&p->lock, flags);
    thread_exit();
}

int64_t linux_exit(struct arch_frame *f) {
    linux_current()->exit_status = (int)((LINUX_ARG(f, 0) & 0xff) << 8);
    thread_exit();
}

int64_t linux_exit_group(struct arch_frame *f) {
    linux_exit_group_status((int)((LINUX_ARG(f, 0) & 0xff) << 8));
}

void linux_vfork_done(struct linux_process *p) {
    if (!atomic_load_explicit(&p->vfork_pending, memory_order_relaxed))
        return;
    atomic_store(&p->vfork_pending, false);
    waitq_wake(&p->vfork_wait, UINT32_MAX, 0);
}

// --- a thread leaves ---

static void thread_children_pass_locked(struct linux_thread *t);

// The word that pthread_join waits for; only if somebody else has this memory.
static void clear_child_tid(struct linux_thread *t) {
    struct linux_process *p = t->process;
    bool shared = p->thread_count > 1 ||
                  atomic_load_explicit(&current_process()->aspace->obj.pointers, memory_order_relaxed) > 1;

    if (t->clear_child_tid == 0 || !shared)
        return;
    if (arch_user_store32((uint32_t user_ptr *)t->clear_child_tid, 0) == INV_OK)
        linux_futex_wake_address(t->clear_child_tid, 1);
}

// Signals to the process that this thread was woken for go to another; a stop that waited for this thread alone is complete.
static void thread_detach(struct linux_thread *t) {
    struct linux_process *p = t->process;
    struct linux_usage usage;
    struct linux_thread *other;
    bool all_parked = true, stopped = false;
    irq_flags_t flags = spin_lock_irq(&p->lock);

    linux_usage_of_thread(t, &usage);
    linux_usage_add(&p->usage, &usage);
    if (t->pid == p->pid && !p->group_exit)
        p->exit_status = t->exit_status;
    if (t->pid == p->pid)
        string_copy(p->last_name, t->thread->name, sizeof(p->last_name));
    list_remove(&t->node);
    signal_pending_discard(&t->pending, ~0ull); // nobody sends it any more
    p->thread_count--;
    list_for_each(other, &p->threads, node) {
        all_parked = all_parked && other->parked;
        if (p->pending.set != 0)
            signal_recalculate(other, false);
    }
    if (p->stop_requested && !p->stopped && all_parked && p->thread_count > 0) {
        p->stopped = stopped = true;
        p->wait_notice = LINUX_NOTICE_STOPPED;
        p->wait_code = p->stop_signal;
    }
    spin_unlock_irq(&p->lock, flags);
    if (stopped)
        linux_notify_parent_of_stop(p, LINUX_NOTICE_STOPPED, p->stop_signal);
}

void linux_thread_exit(struct thread *core) {
    struct linux_thread *t = linux_thread(core);
    struct fd_table *files = t->files;
    struct fs_context *fs = t->fs;
    irq_flags_t flags;

    linux_core_thread_leaves(t);
    if (t->robust_list != 0)
        linux_robust_list_exit(t);
    linux_futex_pi_exit(t);
    clear_child_tid(t);
    linux_sem_exit(t);
    // Others may be looking at these (/proc): taken away under the lock, dropped after it.
    flags = spin_lock_irq(&t->process->lock);
    t->files = NULL;
    t->fs = NULL;
    spin_unlock_irq(&t->process->lock, flags);
    fd_table_put(files);
    linux_fs_drop(fs);
    thread_detach(t);
    spin_lock(&linux_tree_lock);
    if (t->children > 0)
        thread_children_pass_locked(t);
    t->pid->thread = NULL;
    if (t->pid->process == NULL) {
        linux_user_put_locked(t->pid->user);
        t->pid->user = NULL;
    }
    linux_pid_put_locked(t->pid);
    t->pid = NULL;
    spin_unlock(&linux_tree_lock);
}

// --- the process ends ---

// The machine lives as long as process 1.
static noreturn_fn cold_fn void machine_end(struct linux_process *p) {
    char policy[16];
    int status = p->exit_status;

    if (status & 0x7f)
        log_write(LOG_CRITICAL, "linux", "process 1 was killed by signal %d: the machine stops", status & 0x7f);
    else
        log_write(LOG_CRITICAL, "linux", "process 1 has ended with status %d: the machine stops", status >> 8 & 0xff);
    if (boot_option("panic", policy, sizeof(policy)) && strcmp(policy, "halt") == 0)
        arch_halt();
    if (boot_option("panic", policy, sizeof(policy)) && strcmp(policy, "reset") == 0)
        platform_reset();
    platform_power_off();
}

// The parent's view of how p ended.
static void siginfo_of_exit(struct linux_siginfo *out, struct linux_process *p, int signal) {
    int status = p->exit_status;

    *out = (struct linux_siginfo){.signo = signal};
    out->code = !(status & 0x7f) ? LINUX_CLD_EXITED : status & 0x80 ? LINUX_CLD_DUMPED : LINUX_CLD_KILLED;
    out->sender.pid = p->number;
    out->sender.uid = p->token->uid;
    out->sender.child.status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
    out->sender.child.utime = (int64_t)(p->usage.times.user / LINUX_TICK);
    out->sender.child.stime = (int64_t)(p->usage.times.system / LINUX_TICK);
}

// SIGCHLD, or what clone chose; wakes waits. True: the parent does not want to wait for it.
static bool notify_parent_of_exit_locked(struct linux_process *p) {
    struct linux_process *parent = p->parent;
    int signal = p->exit_signal;
    bool unwanted = false;

    if (signal == LINUX_SIGCHLD) {
        irq_flags_t flags = spin_lock_irq(&parent->lock);
        uint64_t handler = signal_handler(parent->sighand, signal);
        unwanted = handler == LINUX_SIG_IGN || (parent->sighand->actions[signal - 1].flags & LINUX_SA_NOCLDWAIT);
        spin_unlock_irq(&parent->lock, flags);
        if (handler == LINUX_SIG_IGN)
            signal = 0;
    }
    if (signal != 0) {
        struct linux_siginfo info;
        siginfo_of_exit(&info, p, signal);
        (void)signal_send_process(parent, &info);
    }
    waitq_wake(&parent->child_wait, UINT32_MAX, 0);
    waitq_wake(&p->end_wait, UINT32_MAX, POLL_IN | POLL_RDNORM);
    return unwanted;
}

void linux_notify_parent_of_stop(struct linux_process *p, enum linux_stop_notice notice, int signal) {
    struct linux_siginfo info = {.signo = LINUX_SIGCHLD};
    irq_flags_t own = spin_lock_irq(&p->lock); // the first thread may be changing the identity

    struct linux_thread *first = linux_process_thread_locked(p);
    struct linux_usage usage = p->usage;

    info.sender.uid = p->token->uid;
    if (first != NULL)
        linux_usage_of_thread(first, &usage);
    spin_unlock_irq(&p->lock, own);
    info.code = notice == LINUX_NOTICE_STOPPED ? LINUX_CLD_STOPPED : LINUX_CLD_CONTINUED;
    info.sender.pid = p->number;
    info.sender.child.status = notice == LINUX_NOTICE_STOPPED ? signal : LINUX_SIGCONT;
    info.sender.child.utime = (int64_t)(usage.times.user / LINUX_TICK);
    info.sender.child.stime = (int64_t)(usage.times.system / LINUX_TICK);
    spin_lock(&linux_tree_lock);
    struct linux_process *parent = p->parent;
    if (parent != NULL && p->state == LINUX_PROCESS_LIVE) {
        irq_flags_t flags = spin_lock_irq(&parent->lock);
        const struct linux_sigaction *a = &parent->sighand->actions[LINUX_SIGCHLD - 1];
        bool wanted = a->handler != LINUX_SIG_IGN && !(a->flags & LINUX_SA_NOCLDSTOP);
        spin_unlock_irq(&parent->lock, flags);
        if (wanted)
            (void)signal_send_process(parent, &info);
        waitq_wake(&parent->child_wait, UINT32_MAX, 0);
    }
    spin_unlock(&linux_tree_lock);
}

// Whose child p is among its parent's threads, from now on. NULL: nobody's.
static void parent_thread_set_locked(struct linux_process *p, struct linux_thread *t) {
    if (p->parent_thread != NULL)
        p->parent_thread->children--;
    p->parent_thread = t;
    if (t != NULL)
        t->children++;
}

void linux_process_release_locked(struct linux_process *p, struct linux_group_waste *waste) {
    struct linux_sighand *sighand;
    irq_flags_t flags = spin_lock_irq(&p->lock);

    sighand = p->sighand; // others that share it see at once that p does no more
    p->sighand = NULL;
    signal_pending_discard(&p->pending, ~0ull); // its user is no longer charged
    spin_unlock_irq(&p->lock, flags);
    sighand_put(sighand);
    p->state = LINUX_PROCESS_REAPED;
    parent_thread_set_locked(p, NULL);
    list_remove(&p->sibling);
    list_remove(&p->all_node);
    linux_group_leave_locked(p, waste);
    p->pid->process = NULL;
    linux_user_put_locked(p->pid->user);
    p->pid->user = NULL;
    linux_pid_put_locked(p->pid);
    p->pid = NULL;
}

// The nearest living ancestor that asked to be a reaper, else process 1.
static struct linux_process *reaper_of_locked(struct linux_process *p) {
    for (struct linux_process *a = p->parent; a != NULL && a != linux_init; a = a->parent)
        if (a->child_subreaper && !a->group_exit)
            return a;
    return linux_init;
}

struct reaped {
    struct linux_process *process;
    struct linux_group_waste waste;
};

// Every thread of the child that asked is told.
static void parent_death_tell_locked(struct linux_process *child) {
    struct linux_thread *t;
    int signals[2 * LINUX_SIGNALS], n = 0;
    irq_flags_t flags = spin_lock_irq(&child->lock);

    // Sent as by the thread that leaves, with its permission.
    bool allowed = linux_may_signal(linux_token(), child->token);
    list_for_each(t, &child->threads, node)
        if (allowed && t->parent_death_signal != 0 && n < (int)ARRAY_SIZE(signals))
            signals[n++] = t->parent_death_signal;
    spin_unlock_irq(&child->lock, flags);
    for (int i = 0; i < n; i++) {
        struct linux_siginfo info;
        siginfo_from_user(&info, signals[i], LINUX_SI_USER);
        (void)signal_send_process(child, &info);
    }
}

static struct linux_thread *some_thread(struct linux_process *p) {
    irq_flags_t flags = spin_lock_irq(&p->lock);
    struct linux_thread *t = linux_process_thread_locked(p);

    spin_unlock_irq(&p->lock, flags);
    return t;
}

// A thread leaves: its children become another's. When it is the last, they are handed on with the process's.
static void thread_children_pass_locked(struct linux_thread *t) {
    struct linux_process *child;
    struct linux_thread *to = some_thread(t->process);

    list_for_each(child, &t->process->children, sibling) {
        if (child->parent_thread != t)
            continue;
        parent_thread_set_locked(child, to);
        if (to != NULL)
            parent_death_tell_locked(child);
    }
}

// Hands one child on. Returns true, with *out, if the new parent does not want to wait for the zombie.
static bool child_hand_on_locked(struct linux_process *child, struct linux_process *to, struct linux_process *leaving,
                                 struct reaped *out) {
    list_remove(&child->sibling);
    child->parent = to;
    parent_thread_set_locked(child, some_thread(to));
    atomic_store_explicit(&child->parent_id, to->number, memory_order_relaxed);
    list_push_back(&to->children, &child->sibling);
    child->exit_signal = LINUX_SIGCHLD;
    parent_death_tell_locked(child);
    if (child->state == LINUX_PROCESS_ZOMBIE && notify_parent_of_exit_locked(child)) {
        linux_process_release_locked(child, &out->waste);
        out->process = child;
        return true;
    }
    linux_group_check_orphan_locked(child, leaving, NULL);
    return false;
}

// In steps of one: what is reaped on the way is freed outside the lock.
static void children_hand_on(struct linux_process *p) {
    for (;;) {
        struct reaped r = {0};
        bool more;

        spin_lock(&linux_tree_lock);
        more = !list_empty(&p->children);
        if (more)
            (void)child_hand_on_locked(list_first(&p->children, struct linux_process, sibling), reaper_of_locked(p), p,
                                       &r);
        spin_unlock(&linux_tree_lock);
        linux_group_waste_free(&r.waste);
        if (r.process != NULL)
            linux_process_put(r.process);
        if (!more)
            return;
    }
}

void linux_memory_account(struct linux_process *p, struct aspace *as) {
    irq_flags_t flags = spin_lock_irq(&p->lock);

    p->usage.faults_minor += atomic_load_explicit(&as->faults_minor, memory_order_relaxed);
    p->usage.faults_major += atomic_load_explicit(&as->faults_major, memory_order_relaxed);
    p->usage.resident_peak = MAX(p->usage.resident_peak,
                                 atomic_load_explicit(&as->resident_peak, memory_order_relaxed));
    spin_unlock_irq(&p->lock, flags);
}

void linux_process_exit(struct process *core) {
    struct linux_process *p = linux_process(core);
    struct linux_group_waste waste = {0};
    struct process *counted;
    bool unwanted;

    if (p == linux_init)
        machine_end(p);
    linux_itimers_stop(p);
    linux_posix_timers_end(p);
    linux_memory_account(p, core->aspace);
    linux_vfork_done(p);
    irq_flags_t flags = spin_lock_irq(&p->lock);
    counted = p->process;
    p->process = NULL;
    struct file *exe = p->exe;
    p->exe = NULL;
    spin_unlock_irq(&p->lock, flags);
    if (exe != NULL)
        file_put(exe);
    // The parent may count on it: what it has waited for holds no memory, and its program's file can be written.
    process_set_aspace(core, NULL);
    linux_session_leader_exit(p);
    children_hand_on(p);

    spin_lock(&linux_tree_lock);
    linux_group_check_orphan_locked(p, p->parent, p);
    p->state = LINUX_PROCESS_ZOMBIE;
    unwanted = notify_parent_of_exit_locked(p);
    if (unwanted)
        linux_process_release_locked(p, &waste);
    spin_unlock(&linux_tree_lock);
    linux_group_waste_free(&waste);
    if (unwanted)
        linux_process_put(p);
    object_put(&counted->obj);
}
