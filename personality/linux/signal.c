// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The calls on signals: masks, waiting for them, sending them. Context: system call. Actions stand in signal_action.c, delivery in signal_deliver.c.
#include "process.h"

#include <arch/usercopy.h>

static int64_t set_get(uint64_t user, uint64_t size, linux_sigset_t *out) {
    if (size != sizeof(*out))
        return -LINUX_EINVAL;
    return arch_user_load64((const uint64_t user_ptr *)user, out) == INV_OK ? 0 : -LINUX_EFAULT;
}

int64_t linux_rt_sigprocmask(struct arch_frame *f) {
    uint64_t in = LINUX_ARG(f, 1), out = LINUX_ARG(f, 2);
    linux_sigset_t old = linux_current()->blocked, set;

    if (LINUX_ARG(f, 3) != sizeof(linux_sigset_t))
        return -LINUX_EINVAL;
    if (in != 0) {
        int64_t result = set_get(in, sizeof(set), &set);
        if (result != 0)
            return result;
        set &= ~SIGNAL_SET_KERNEL;
        switch ((int)LINUX_ARG(f, 0)) {
        case 0: set |= old; break;       // SIG_BLOCK
        case 1: set = old & ~set; break; // SIG_UNBLOCK
        case 2: break;                   // SIG_SETMASK
        default: return -LINUX_EINVAL;
        }
        if (set != old)
            signal_set_blocked(set);
    }
    if (out != 0 && arch_copy_to_user((void user_ptr *)out, &old, sizeof(old)) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}

int64_t linux_rt_sigpending(struct arch_frame *f) {
    struct linux_thread *t = linux_current();
    uint64_t size = LINUX_ARG(f, 1);

    if (size > sizeof(linux_sigset_t))
        return -LINUX_EINVAL;
    irq_flags_t flags = spin_lock_irq(&t->process->lock);
    linux_sigset_t set = (t->pending.set | t->process->pending.set) & t->blocked;
    spin_unlock_irq(&t->process->lock, flags);
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 0), &set, size) == INV_OK ? 0 : -LINUX_EFAULT;
}

// --- temporary masks ---

static void mask_exchange(linux_sigset_t set) {
    struct linux_thread *t = linux_current();

    t->saved_blocked = t->blocked;
    t->restore_blocked = true;
    signal_set_blocked(set);
}

int64_t linux_sigmask_begin(uint64_t user_set, uint64_t size) {
    linux_sigset_t set;

    if (user_set == 0)
        return 0;
    int64_t result = set_get(user_set, size, &set);
    if (result == 0)
        mask_exchange(set);
    return result;
}

void linux_sigmask_end(bool interrupted) {
    struct linux_thread *t = linux_current();

    if (!t->restore_blocked)
        return;
    if (interrupted) {
        thread_set_work(t->thread,
                        THREAD_WORK_PERSONALITY); // the way back restores it, behind a handler's frame if one runs
        return;
    }
    t->restore_blocked = false;
    signal_set_blocked(t->saved_blocked);
}

static void wait_for_signal(void) {
    while (!linux_signal_pending())
        (void)!thread_sleep_until(NSTIME_NEVER, WAIT_INTERRUPTIBLE);
}

int64_t linux_rt_sigsuspend(struct arch_frame *f) {
    linux_sigset_t set;
    int64_t result = set_get(LINUX_ARG(f, 0), LINUX_ARG(f, 1), &set);

    if (result != 0)
        return result;
    mask_exchange(set);
    wait_for_signal();
    return -LINUX_ERESTARTNOHAND;
}

int64_t linux_pause(struct arch_frame *f) {
    wait_for_signal();
    return -LINUX_ERESTARTNOHAND;
}

// --- synchronous waiting ---

static int take_waited(struct linux_thread *t, linux_sigset_t set, bool wait, struct linux_siginfo *out) {
    irq_flags_t flags = spin_lock_irq(&t->process->lock);
    int signal = signal_dequeue(t, ~set, out);

    t->waiting = signal == 0 && wait ? set : 0;
    // From here on the work bit says whether something came; what was pending before and is not waited for stays for the way back.
    signal_recalculate(t, true);
    spin_unlock_irq(&t->process->lock, flags);
    return signal;
}

int64_t linux_rt_sigtimedwait(struct arch_frame *f) {
    struct linux_thread *t = linux_current();
    nstime_t duration = NSTIME_NEVER;
    struct linux_siginfo info;
    linux_sigset_t set;
    int64_t result = set_get(LINUX_ARG(f, 0), LINUX_ARG(f, 3), &set);

    if (result == 0 && LINUX_ARG(f, 2) != 0)
        result = linux_timespec_get(LINUX_ARG(f, 2), &duration);
    if (result != 0)
        return result;
    set &= ~SIGNAL_SET_KERNEL;
    int signal = take_waited(t, set, duration != 0, &info);
    if (signal == 0 && duration != 0) {
        inv_status_t s = thread_sleep_until(deadline_after(duration), WAIT_INTERRUPTIBLE);
        signal = take_waited(t, set, false, &info);
        if (signal == 0)
            return s == INV_OK ? -LINUX_EAGAIN : -LINUX_EINTR;
    }
    if (signal == 0)
        return -LINUX_EAGAIN;
    if (LINUX_ARG(f, 1) != 0 && arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &info, sizeof(info)) != INV_OK)
        return -LINUX_EFAULT;
    return signal;
}

// --- sending ---

// May the current thread send the signal to p? Tree lock held.
static int64_t permission_locked(struct linux_process *p, int signal) {
    struct linux_process *me = linux_current_process();
    bool allowed;

    if (signal < 0 || signal > LINUX_SIGRTMAX)
        return -LINUX_EINVAL;
    if (p == me)
        return 0;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    allowed = linux_may_signal(linux_token(), p->token);
    spin_unlock_irq(&p->lock, flags);
    if (!allowed && signal == LINUX_SIGCONT && p->group != NULL)
        allowed = p->group->session == me->group->session;
    return allowed ? 0 : -LINUX_EPERM;
}

int64_t linux_signal_process_locked(struct linux_process *p, const struct linux_siginfo *info) {
    int64_t result = permission_locked(p, info->signo);

    if (result == 0 && info->signo != 0 && p->state == LINUX_PROCESS_LIVE)
        result = signal_send_process(p, info);
    return result;
}

static int64_t kill_group_locked(struct linux_group *g, const struct linux_siginfo *info) {
    int64_t result = -LINUX_ESRCH;
    bool success = false;
    struct linux_process *p;

    list_for_each(p, &g->members, group_node) {
        result = linux_signal_process_locked(p, info);
        success = success || result == 0;
    }
    return success ? 0 : result;
}

// Everybody but process 1 and the caller.
static int64_t kill_all_locked(const struct linux_siginfo *info) {
    int64_t result = -LINUX_ESRCH;
    struct linux_process *p;

    list_for_each(p, &linux_processes, all_node) {
        if (p == linux_init || p == linux_current_process())
            continue;
        int64_t one = linux_signal_process_locked(p, info);
        if (one != -LINUX_EPERM || result == -LINUX_ESRCH)
            result = one;
    }
    return result;
}

static int64_t kill_locked(int pid, const struct linux_siginfo *info) {
    struct linux_process *p;
    struct linux_thread *t;

    if (pid == -1)
        return kill_all_locked(info);
    if (pid <= 0) {
        struct linux_pid *n = pid == 0 ? linux_current_process()->group->pid : linux_pid_find_locked(-pid);
        return n != NULL && n->group != NULL ? kill_group_locked(n->group, info) : -LINUX_ESRCH;
    }
    p = linux_process_find_locked(pid);
    t = p == NULL ? linux_thread_find_locked(pid) : NULL; // a thread's number means its process
    if (t != NULL)
        p = t->process;
    return p != NULL ? linux_signal_process_locked(p, info) : -LINUX_ESRCH;
}

int64_t linux_kill(struct arch_frame *f) {
    int pid = (int)LINUX_ARG(f, 0);
    struct linux_siginfo info;

    if (pid == INT32_MIN)
        return -LINUX_ESRCH;
    siginfo_from_user(&info, (int)LINUX_ARG(f, 1), LINUX_SI_USER);
    spin_lock(&linux_tree_lock);
    int64_t result = kill_locked(pid, &info);
    spin_unlock(&linux_tree_lock);
    return result;
}

// tgid 0: any.
static int64_t thread_kill(int tgid, int tid, const struct linux_siginfo *info) {
    int64_t result = -LINUX_ESRCH;
    struct linux_thread *t;

    spin_lock(&linux_tree_lock);
    t = linux_thread_find_locked(tid);
    if (t != NULL && (tgid == 0 || t->process->number == tgid)) {
        result = permission_locked(t->process, info->signo);
        if (result == 0 && info->signo != 0)
            result = signal_send_thread(t, info);
    } else {
        struct linux_process *p = linux_process_find_locked(tid); // a zombie: permission is all there is to check
        if (p != NULL && (tgid == 0 || p->number == tgid))
            result = permission_locked(p, info->signo);
    }
    spin_unlock(&linux_tree_lock);
    return result;
}

int64_t linux_tgkill(struct arch_frame *f) {
    int tgid = (int)LINUX_ARG(f, 0), tid = (int)LINUX_ARG(f, 1);
    struct linux_siginfo info;

    if (tgid <= 0 || tid <= 0)
        return -LINUX_EINVAL;
    siginfo_from_user(&info, (int)LINUX_ARG(f, 2), LINUX_SI_TKILL);
    return thread_kill(tgid, tid, &info);
}

int64_t linux_tkill(struct arch_frame *f) {
    int tid = (int)LINUX_ARG(f, 0);
    struct linux_siginfo info;

    if (tid <= 0)
        return -LINUX_EINVAL;
    siginfo_from_user(&info, (int)LINUX_ARG(f, 1), LINUX_SI_TKILL);
    return thread_kill(0, tid, &info);
}

static int64_t queueinfo_get(uint64_t user, int signal, int target, struct linux_siginfo *out) {
    if (arch_copy_from_user(out, (const void user_ptr *)user, sizeof(*out)) != INV_OK)
        return -LINUX_EFAULT;
    out->signo = signal;
    // Nobody may pass for the kernel, or for kill and tkill, but to itself.
    if ((out->code >= 0 || out->code == LINUX_SI_TKILL) && target != linux_current_process()->number)
        return -LINUX_EPERM;
    return 0;
}

int64_t linux_rt_sigqueueinfo(struct arch_frame *f) {
    int pid = (int)LINUX_ARG(f, 0);
    struct linux_siginfo info;
    int64_t result = queueinfo_get(LINUX_ARG(f, 2), (int)LINUX_ARG(f, 1), pid, &info);

    if (result != 0)
        return result;
    spin_lock(&linux_tree_lock);
    result = pid > 0 ? kill_locked(pid, &info) : -LINUX_ESRCH;
    spin_unlock(&linux_tree_lock);
    return result;
}

int64_t linux_rt_tgsigqueueinfo(struct arch_frame *f) {
    int tgid = (int)LINUX_ARG(f, 0), tid = (int)LINUX_ARG(f, 1);
    struct linux_siginfo info;
    int64_t result;

    if (tgid <= 0 || tid <= 0)
        return -LINUX_EINVAL;
    result = queueinfo_get(LINUX_ARG(f, 3), (int)LINUX_ARG(f, 2),
                           tid == linux_current()->pid->number ? linux_current_process()->number : tid, &info);
    return result != 0 ? result : thread_kill(tgid, tid, &info);
}
