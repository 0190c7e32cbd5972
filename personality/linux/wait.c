// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// wait4 and waitid. A wait looks at all children under the tree lock; a child's change of state wakes the parent's queue and it looks again.
#include "pidfd.h"
#include "process.h"

#include <arch/usercopy.h>

#define WNOHANG    0x00000001u
#define WUNTRACED  0x00000002u // WSTOPPED
#define WEXITED    0x00000004u
#define WCONTINUED 0x00000008u
#define WNOWAIT    0x01000000u
#define WNOTHREAD  0x20000000u // this thread's children alone
#define WALL       0x40000000u
#define WCLONE     0x80000000u

enum wait_kind_of_id { WAIT_ALL, WAIT_PID, WAIT_GROUP, WAIT_DESCRIPTOR };

struct wait_request {
    enum wait_kind_of_id kind;
    int id;
    unsigned options;
    struct linux_process *process; // WAIT_DESCRIPTOR: counted
    bool nonblocking;              // by the descriptor: EAGAIN instead of a wait
    /* out: */
    int pid, status, code; // status as wait4 has it; code: CLD_*
    uint32_t uid;
    struct linux_usage usage;
    struct linux_process *reaped; // to be put
    struct linux_group_waste waste;
};

static bool child_eligible(const struct wait_request *r, const struct linux_process *c) {
    if (r->kind == WAIT_PID && c->number != r->id)
        return false;
    if (r->kind == WAIT_DESCRIPTOR && c != r->process)
        return false;
    if ((r->options & WNOTHREAD) && c->parent_thread != linux_current())
        return false;
    if (r->kind == WAIT_GROUP && c->group->pid->number != r->id)
        return false;
    return (r->options & WALL) || (c->exit_signal != LINUX_SIGCHLD) == ((r->options & WCLONE) != 0);
}

static void result_set(struct wait_request *r, struct linux_process *c, int status, int code) {
    r->pid = c->number;
    r->uid = c->token->uid;
    r->status = status;
    r->code = code;
}

static bool take_zombie(struct wait_request *r, struct linux_process *parent, struct linux_process *c) {
    if (c->state != LINUX_PROCESS_ZOMBIE || !(r->options & WEXITED))
        return false;
    int status = c->exit_status;
    result_set(r, c, status, !(status & 0x7f) ? LINUX_CLD_EXITED : status & 0x80 ? LINUX_CLD_DUMPED : LINUX_CLD_KILLED);
    r->usage = c->usage;
    linux_usage_add(&r->usage, &c->children_usage);
    if (!(r->options & WNOWAIT)) {
        linux_usage_add(&parent->children_usage, &r->usage);
        linux_process_release_locked(c, &r->waste);
        r->reaped = c;
    }
    return true;
}

// A stop or a continuation that no wait has taken yet.
static bool take_notice(struct wait_request *r, struct linux_process *c) {
    bool taken = false;
    irq_flags_t flags = spin_lock_irq(&c->lock);

    if (c->wait_notice == LINUX_NOTICE_STOPPED && (r->options & WUNTRACED)) {
        result_set(r, c, c->wait_code << 8 | 0x7f, LINUX_CLD_STOPPED);
        taken = true;
    } else if (c->wait_notice == LINUX_NOTICE_CONTINUED && (r->options & WCONTINUED)) {
        result_set(r, c, 0xffff, LINUX_CLD_CONTINUED);
        taken = true;
    }
    if (taken) {
        linux_process_usage_locked(c, &r->usage);
        if (!(r->options & WNOWAIT))
            c->wait_notice = LINUX_NOTICE_NONE;
    }
    spin_unlock_irq(&c->lock, flags);
    return taken;
}

// 1: taken; 0: some child may yet come; -ECHILD: none can.
static int64_t wait_look(struct wait_request *r) {
    struct linux_process *me = linux_current_process(), *c, *next;
    int64_t result = -LINUX_ECHILD;

    spin_lock(&linux_tree_lock);
    list_for_each_safe(c, next, &me->children, sibling) {
        if (!child_eligible(r, c))
            continue;
        if (c->state == LINUX_PROCESS_ZOMBIE && !(r->options & WEXITED))
            continue; // it will do nothing more that is waited for
        result = 0;
        if (take_zombie(r, me, c) || (c->state == LINUX_PROCESS_LIVE && take_notice(r, c))) {
            result = 1;
            break;
        }
    }
    spin_unlock(&linux_tree_lock);
    return result;
}

// The number of what was found, 0 with WNOHANG, or an error.
static int64_t wait_do(struct wait_request *r) {
    struct linux_process *me = linux_current_process();
    int64_t result = 0;
    inv_status_t s = INV_OK;

    if (r->options & WNOHANG)
        result = wait_look(r);
    else
        WAIT_EVENT(&me->child_wait, (result = wait_look(r)) != 0, WAIT_INTERRUPTIBLE, NSTIME_NEVER, s);
    linux_group_waste_free(&r->waste);
    if (r->reaped != NULL)
        linux_process_put(r->reaped);
    if (s != INV_OK)
        return -LINUX_ERESTARTSYS;
    return result == 1 ? r->pid : result;
}

static bool rusage_store(uint64_t user, const struct linux_usage *u) {
    struct linux_rusage out;

    if (user == 0)
        return true;
    linux_rusage_fill(&out, u);
    return arch_copy_to_user((void user_ptr *)user, &out, sizeof(out)) == INV_OK;
}

int64_t linux_wait4(struct arch_frame *f) {
    int pid = (int)LINUX_ARG(f, 0);
    unsigned options = (unsigned)LINUX_ARG(f, 2);
    struct wait_request r = {.options = options | WEXITED};

    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL))
        return -LINUX_EINVAL;
    if (pid == INT32_MIN)
        return -LINUX_ESRCH;
    r.kind = pid == -1 ? WAIT_ALL : pid > 0 ? WAIT_PID : WAIT_GROUP;
    r.id = pid > 0 ? pid : pid < -1 ? -pid : linux_group_number(linux_current_process());
    int64_t result = wait_do(&r);
    if (result <= 0)
        return result;
    if (LINUX_ARG(f, 1) != 0 && arch_user_store32((uint32_t user_ptr *)LINUX_ARG(f, 1), (uint32_t)r.status) != INV_OK)
        return -LINUX_EFAULT;
    return rusage_store(LINUX_ARG(f, 3), &r.usage) ? result : -LINUX_EFAULT;
}

static int64_t waitid_decode(struct wait_request *r, unsigned which, int id, unsigned options) {
    if (options & ~(WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL))
        return -LINUX_EINVAL;
    if (!(options & (WEXITED | WUNTRACED | WCONTINUED)))
        return -LINUX_EINVAL;
    r->options = options;
    r->id = id;
    switch (which) {
    case 0: r->kind = WAIT_ALL; return 0;
    case 1: r->kind = WAIT_PID; return id > 0 ? 0 : -LINUX_EINVAL;
    case 2:
        r->kind = WAIT_GROUP;
        if (id == 0)
            r->id = linux_group_number(linux_current_process());
        return id >= 0 ? 0 : -LINUX_EINVAL;
    case 3:
        r->kind = WAIT_DESCRIPTOR;
        return id < 0 ? -LINUX_EINVAL : linux_pidfd_get(id, &r->nonblocking, &r->process);
    default: return -LINUX_EINVAL;
    }
}

// WNOHANG, or a descriptor that does not block, look once.
static int64_t waitid_do(struct wait_request *r) {
    unsigned options = r->options;

    if (r->nonblocking)
        r->options |= WNOHANG;
    int64_t result = wait_do(r);
    if (r->process != NULL)
        linux_process_put(r->process);
    return result == 0 && r->nonblocking && !(options & WNOHANG) ? -LINUX_EAGAIN : result;
}

// Only the fields that waitid defines are written: signo, errno, code, pid, uid, status.
static bool info_store(uint64_t user, const struct wait_request *r, bool found) {
    struct linux_siginfo info = {0};

    if (user == 0)
        return true;
    if (found) {
        info.signo = LINUX_SIGCHLD;
        info.code = r->code;
        info.sender.pid = r->pid;
        info.sender.uid = r->uid;
        info.sender.child.status = r->code == LINUX_CLD_EXITED      ? r->status >> 8 & 0xff
                                   : r->code == LINUX_CLD_STOPPED   ? r->status >> 8
                                   : r->code == LINUX_CLD_CONTINUED ? LINUX_SIGCONT
                                                                    : r->status & 0x7f;
    }
    return arch_copy_to_user((void user_ptr *)user, &info, 12) == INV_OK &&
           arch_copy_to_user((void user_ptr *)(user + 16), &info.sender, 12) == INV_OK;
}

// An error is told with fields of zeros, too.
int64_t linux_waitid(struct arch_frame *f) {
    struct wait_request r = {0};
    int64_t result = waitid_decode(&r, (unsigned)LINUX_ARG(f, 0), (int)LINUX_ARG(f, 1), (unsigned)LINUX_ARG(f, 3));

    if (result == 0)
        result = waitid_do(&r);
    bool found = result > 0;
    if (found && !rusage_store(LINUX_ARG(f, 4), &r.usage))
        return -LINUX_EFAULT;
    if (!info_store(LINUX_ARG(f, 2), &r, found))
        return -LINUX_EFAULT;
    return found ? 0 : result;
}
