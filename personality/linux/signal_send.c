// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sending signals: to a thread, a process, a group, and faults to oneself. Any context: interval timers send from interrupt context.
//
// A sent signal is thrown away if its action ignores it and nobody blocks it; else it becomes pending, and a thread that does not block it gets
// THREAD_WORK_PERSONALITY, which also ends its interruptible sleep. A signal that will end the process for certain makes all threads leave at once, so
// that waits that only a kill may end see it too.
//
// Locking: lp->lock, taken here; the tree lock may be held.
#include "core_file.h"
#include "posix_timer.h"

#include <kernel/trace.h>

void siginfo_from_user(struct linux_siginfo *out, int signal, int code) {
    *out = (struct linux_siginfo){.signo = signal, .code = code};
    out->sender.pid = linux_current_process()->number;
    out->sender.uid = linux_token()->uid;
}

void siginfo_from_kernel(struct linux_siginfo *out, int signal) {
    *out = (struct linux_siginfo){.signo = signal, .code = LINUX_SI_KERNEL};
}

bool signal_ignored_locked(struct linux_process *p, int signal) {
    uint64_t handler = signal_handler(p->sighand, signal);

    if (handler == LINUX_SIG_IGN)
        return !signal_set_has(SIGNAL_SET_KERNEL, signal);
    if (handler != LINUX_SIG_DFL)
        return false;
    // Process 1 is sent nothing that it does not handle.
    return p->unkillable || signal_default_action(signal) == SIGNAL_DEFAULT_IGNORE;
}

// Stop signals and SIGCONT cancel each other, also those not yet delivered; SIGCONT wakes whatever handler it has.
static void stop_and_continue_locked(struct linux_process *p, int signal) {
    struct linux_thread *t;
    linux_sigset_t cancelled = signal == LINUX_SIGCONT ? SIGNAL_SET_STOP : SIGNAL_BIT(LINUX_SIGCONT);

    if (signal != LINUX_SIGCONT && !signal_set_has(SIGNAL_SET_STOP, signal))
        return;
    signal_pending_discard(&p->pending, cancelled);
    list_for_each(t, &p->threads, node)
        signal_pending_discard(&t->pending, cancelled);
    if (signal != LINUX_SIGCONT || !p->stop_requested)
        return;
    p->stop_requested = false;
    // A stop that was complete is now continued. One that was not is told to the parent as one, of no signal; waits see both continued.
    p->notice = p->stopped ? LINUX_NOTICE_CONTINUED : LINUX_NOTICE_STOPPED;
    p->wait_notice = LINUX_NOTICE_CONTINUED;
    if (!p->stopped)
        p->stop_signal = 0;
    p->stopped = false;
    list_for_each(t, &p->threads, node)
        thread_set_work(t->thread, THREAD_WORK_PERSONALITY);
    waitq_wake(&p->stop_wait, UINT32_MAX, 0);
}

static bool thread_wants(const struct linux_thread *t, int signal) {
    if (signal_set_has(t->blocked, signal) && !signal_set_has(t->waiting, signal))
        return false;
    return signal == LINUX_SIGKILL || !t->parked;
}

// Who shall handle it: the thread it was sent to, the first thread, any other. NULL: all block it.
static struct linux_thread *thread_choose(struct linux_process *p, struct linux_thread *wanted, int signal) {
    struct linux_thread *t;

    if (wanted != NULL)
        return thread_wants(wanted, signal) ? wanted : NULL;
    t = linux_process_thread_locked(p);
    if (t != NULL && thread_wants(t, signal))
        return t;
    list_for_each(t, &p->threads, node) {
        if (thread_wants(t, signal))
            return t;
    }
    return NULL;
}

static bool signal_fatal_locked(struct linux_process *p, const struct linux_thread *t, int signal) {
    if (signal == LINUX_SIGKILL)
        return !p->unkillable;
    return signal_handler(p->sighand, signal) == LINUX_SIG_DFL &&
           signal_default_action(signal) == SIGNAL_DEFAULT_TERMINATE && !p->unkillable &&
           !signal_set_has(t->blocked | t->waiting, signal);
}

static bool blocked_by_receiver(struct linux_process *p, struct linux_thread *t, int signal) {
    if (t == NULL)
        t = linux_process_thread_locked(p);
    return t != NULL && signal_set_has(t->blocked | t->waiting, signal);
}

// A signal has become pending: who shall take it learns of it.
static void notify_locked(struct linux_process *p, struct linux_thread *wanted, int signal) {
    struct linux_thread *t;

    waitq_wake(&p->sighand->signalfd_wait, UINT32_MAX, POLL_IN);
    t = thread_choose(p, wanted, signal);
    if (t == NULL)
        return;
    if (signal_fatal_locked(p, t, signal))
        linux_process_end_locked(p, signal);
    else
        thread_set_work(t->thread, THREAD_WORK_PERSONALITY);
}

static int64_t send_locked(struct linux_process *p, struct linux_thread *wanted, const struct linux_siginfo *info) {
    int signal = info->signo;
    // Who sent it learns if it cannot be queued: programs, and files (whose codes are positive).
    bool queued_by_user = signal >= LINUX_SIGRTMIN && info->code != LINUX_SI_USER && info->code != LINUX_SI_KERNEL;

    trace(signal_send, signal, p->number, 0);
    if (p->group_exit && signal == LINUX_SIGKILL)
        linux_core_kill_locked(p);
    if (p->group_exit || p->sighand == NULL)
        return 0;
    stop_and_continue_locked(p, signal);
    if (p->unkillable && signal_set_has(SIGNAL_SET_KERNEL, signal))
        return 0;
    if (!blocked_by_receiver(p, wanted, signal) && signal_ignored_locked(p, signal))
        return 0;
    if (!signal_enqueue(p, wanted, info, queued_by_user))
        return -LINUX_EAGAIN;
    notify_locked(p, wanted, signal);
    return 0;
}

enum signal_sent signal_send_entry_locked(struct linux_process *p, struct linux_thread *wanted,
                                          struct linux_sigqueue *entry) {
    struct linux_pending *to = wanted != NULL ? &wanted->pending : &p->pending;
    int signal = entry->info.signo;

    if (p->group_exit || p->sighand == NULL)
        return SIGNAL_SENT;
    stop_and_continue_locked(p, signal);
    if (!list_empty(&entry->node)) {
        entry->info.timer.overrun++;
        return SIGNAL_PENDING_ALREADY;
    }
    if ((p->unkillable && signal_set_has(SIGNAL_SET_KERNEL, signal)) ||
        (!blocked_by_receiver(p, wanted, signal) && signal_ignored_locked(p, signal)))
        return SIGNAL_IGNORED;
    entry->info.timer.overrun = 0;
    list_push_back(&to->queue, &entry->node);
    to->set |= SIGNAL_BIT(signal);
    notify_locked(p, wanted, signal);
    return SIGNAL_SENT;
}

int64_t signal_send_process(struct linux_process *p, const struct linux_siginfo *info) {
    irq_flags_t flags = spin_lock_irq(&p->lock);
    int64_t result = send_locked(p, NULL, info);

    spin_unlock_irq(&p->lock, flags);
    return result;
}

int64_t signal_send_thread(struct linux_thread *t, const struct linux_siginfo *info) {
    irq_flags_t flags = spin_lock_irq(&t->process->lock);
    int64_t result = list_empty(&t->node) ? 0 : send_locked(t->process, t, info);

    spin_unlock_irq(&t->process->lock, flags);
    return result;
}

unsigned signal_send_group_locked(struct linux_group *g, const struct linux_siginfo *info) {
    struct linux_process *p;
    unsigned n = 0;

    list_for_each(p, &g->members, group_node) {
        (void)signal_send_process(p, info);
        n++;
    }
    return n;
}

void signal_force(const struct linux_siginfo *info) {
    struct linux_thread *t = linux_current();
    struct linux_process *p = t->process;
    irq_flags_t flags = spin_lock_irq(&p->lock);

    spin_lock(&p->sighand->lock);
    struct linux_sigaction *a = &p->sighand->actions[info->signo - 1];
    bool blocked = signal_set_has(t->blocked, info->signo);
    if (blocked || a->handler == LINUX_SIG_IGN) {
        a->handler = LINUX_SIG_DFL;
        t->blocked &= ~SIGNAL_BIT(info->signo);
    }
    bool deadly = a->handler == LINUX_SIG_DFL;
    spin_unlock(&p->sighand->lock);
    if (deadly)
        p->unkillable = false; // a fault of process 1 ends it, and the machine
    signal_pending_discard(&t->pending, SIGNAL_BIT(info->signo));
    (void)!signal_enqueue(p, t, info, false);
    thread_set_work(t->thread, THREAD_WORK_PERSONALITY);
    spin_unlock_irq(&p->lock, flags);
}

void signal_force_segv(void) {
    struct linux_siginfo info;

    siginfo_from_kernel(&info, LINUX_SIGSEGV);
    signal_force(&info);
}

void linux_raise(int signal) {
    struct linux_siginfo info;

    siginfo_from_user(&info, signal, LINUX_SI_USER);
    (void)signal_send_thread(linux_current(), &info);
}

bool linux_signal_pending(void) {
    return atomic_load_explicit(&current_thread()->user_work, memory_order_relaxed) != 0;
}
