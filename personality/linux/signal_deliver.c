// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Delivery: what a thread does with its signals before it goes back to user mode. The core calls linux_user_return whenever THREAD_WORK_PERSONALITY is
// set; it handles one signal (a frame on the user's stack), a stop, a default action, or the restart of an interrupted call.
//
//   running --stop signal--> stop requested: each thread parks --the last one--> stopped: parent told
//      ^                                                                           |
//      +------------------------ SIGCONT: parent told ----------------------------+      SIGKILL leaves from anywhere
//
// Restarts. A call that a signal interrupted left one of four numbers in the result (process.h of Linux's ABI):
//   ERESTARTSYS            again, if no handler runs or it has SA_RESTART; else EINTR
//   ERESTARTNOINTR         again, always
//   ERESTARTNOHAND         again, if no handler runs; else EINTR
//   ERESTART_RESTARTBLOCK  if no handler runs: restart_syscall, which goes on with what is left; else EINTR
#include "core_file.h"

#include <arch/usercopy.h>
#include <kernel/trace.h>

#define CALL_RESTART_SYSCALL 219

void signal_set_blocked(linux_sigset_t set) {
    struct linux_thread *t = linux_current();
    struct linux_process *p = t->process;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    struct linux_thread *other;

    // What this thread had been chosen for and now blocks goes to another.
    linux_sigset_t newly = p->pending.set & set & ~t->blocked;
    t->blocked = set & ~SIGNAL_SET_KERNEL;
    if (newly != 0) {
        list_for_each(other, &p->threads, node) {
            if (other != t)
                signal_recalculate(other, false);
        }
    }
    signal_recalculate(t, true);
    spin_unlock_irq(&p->lock, flags);
}

// --- restarts ---

// a: the handler about to run, or NULL.
static void restart_resolve(struct arch_frame *f, const struct linux_sigaction *a) {
    int64_t result;

    if (!linux_arch_call_result(f, &result) || result > -LINUX_ERESTARTSYS || result < -LINUX_ERESTART_RESTARTBLOCK)
        return;
    if (result == -LINUX_ERESTART_RESTARTBLOCK && a == NULL)
        arch_syscall_rewind(f, CALL_RESTART_SYSCALL);
    else if (result == -LINUX_ERESTARTNOINTR || (result != -LINUX_ERESTART_RESTARTBLOCK && a == NULL) ||
             (result == -LINUX_ERESTARTSYS && (a->flags & LINUX_SA_RESTART)))
        arch_syscall_rewind(f, arch_syscall_number(f));
    else
        arch_syscall_set_result(f, -LINUX_EINTR);
    linux_arch_call_resolved(f); // a second signal sees an ordinary frame
}

int64_t linux_set_restart(const struct linux_restart *r) {
    linux_current()->restart = *r;
    return -LINUX_ERESTART_RESTARTBLOCK;
}

int64_t linux_restart_syscall(struct arch_frame *f) {
    struct linux_restart r = linux_current()->restart;

    linux_current()->restart.fn = NULL;
    return r.fn != NULL ? r.fn(&r) : -LINUX_EINTR;
}

// --- stops ---

// Asks every thread to park. lp->lock held.
static void stop_begin(struct linux_process *p, int signal) {
    struct linux_thread *t;

    if (p->stop_requested)
        return;
    p->stop_requested = true;
    p->stopped = false;
    p->stop_signal = signal;
    list_for_each(t, &p->threads, node)
        thread_set_work(t->thread, THREAD_WORK_PERSONALITY);
}

// Parks until SIGCONT or a kill. lp->lock is released on the way and held again at the end.
static void stop_join(struct linux_thread *t, irq_flags_t *flags) {
    struct linux_process *p = t->process;
    struct linux_thread *other;
    bool last = true;
    inv_status_t s;

    t->parked = true;
    list_for_each(other, &p->threads, node)
        last = last && other->parked;
    int signal = p->stop_signal;
    if (last && !p->stopped) {
        p->stopped = true;
        p->wait_notice = LINUX_NOTICE_STOPPED;
        p->wait_code = signal;
    } else {
        last = false;
    }
    spin_unlock_irq(&p->lock, *flags);
    if (last)
        linux_notify_parent_of_stop(p, LINUX_NOTICE_STOPPED, signal);
    WAIT_EVENT(&p->stop_wait, !*(volatile bool *)&p->stop_requested, WAIT_KILLABLE, NSTIME_NEVER, s);
    (void)s;
    *flags = spin_lock_irq(&p->lock);
    t->parked = false;
}

// The terminal's stop signals do not stop a group that nobody could continue.
static bool stop_allowed(struct linux_process *p, int signal, irq_flags_t *flags) {
    if (signal == LINUX_SIGSTOP)
        return true;
    spin_unlock_irq(&p->lock, *flags);
    spin_lock(&linux_tree_lock);
    bool orphaned = linux_group_orphaned_locked(p->group, NULL);
    spin_unlock(&linux_tree_lock);
    *flags = spin_lock_irq(&p->lock);
    return !orphaned;
}

// --- delivery ---

// Takes the next signal that needs a handler; carries default actions out on the way. 0: none is left. lp->lock held.
static int signal_next(struct linux_thread *t, struct linux_sigaction *action, struct linux_siginfo *info,
                       irq_flags_t *flags) {
    struct linux_process *p = t->process;

    for (;;) {
        if (p->group_exit) {
            spin_unlock_irq(&p->lock, *flags);
            thread_exit();
        }
        if (p->notice != LINUX_NOTICE_NONE) {
            enum linux_stop_notice notice = p->notice;
            int stop_signal = p->stop_signal;
            p->notice = LINUX_NOTICE_NONE;
            spin_unlock_irq(&p->lock, *flags);
            linux_notify_parent_of_stop(p, notice, stop_signal);
            *flags = spin_lock_irq(&p->lock);
            continue;
        }
        if (p->stop_requested) {
            stop_join(t, flags);
            continue;
        }
        int signal = signal_dequeue(t, t->blocked, info);
        if (signal == 0)
            return 0;
        spin_lock(&p->sighand->lock);
        *action = p->sighand->actions[signal - 1];
        if (action->handler > LINUX_SIG_IGN && (action->flags & LINUX_SA_RESETHAND))
            p->sighand->actions[signal - 1].handler = LINUX_SIG_DFL;
        spin_unlock(&p->sighand->lock);
        if (action->handler > LINUX_SIG_IGN)
            return signal;
        enum signal_default what = signal_default_action(signal);
        if (action->handler == LINUX_SIG_IGN || what == SIGNAL_DEFAULT_IGNORE || p->unkillable)
            continue;
        if (what == SIGNAL_DEFAULT_STOP) {
            // A SIGCONT in between cancels the stop.
            if (stop_allowed(p, signal, flags) && !p->group_exit &&
                !signal_set_has(p->pending.set | t->pending.set, LINUX_SIGCONT))
                stop_begin(p, signal);
            continue;
        }
        if (what == SIGNAL_DEFAULT_CORE)
            linux_core_dump(p, info, flags);
        else
            linux_process_end_locked(p, signal);
    }
}

static void handler_enter(struct arch_frame *f, struct linux_thread *t, const struct linux_sigaction *a,
                          const struct linux_siginfo *info) {
    linux_sigset_t mask = t->restore_blocked ? t->saved_blocked : t->blocked;

    trace(signal_deliver, info->signo, 0, 0);
    restart_resolve(f, a);
    if (!linux_arch_signal_frame(f, a, info, mask)) {
        if (info->signo == LINUX_SIGSEGV) { // its own handler cannot be reached: the default it is
            struct linux_process *p = t->process;
            irq_flags_t flags = spin_lock_irq(&p->lock);
            spin_lock(&p->sighand->lock); // another process may share the table
            p->sighand->actions[LINUX_SIGSEGV - 1].handler = LINUX_SIG_DFL;
            spin_unlock(&p->sighand->lock);
            spin_unlock_irq(&p->lock, flags);
        }
        signal_force_segv();
        return;
    }
    t->restore_blocked = false;
    linux_sigset_t blocked = t->blocked | a->mask;
    if (!(a->flags & LINUX_SA_NODEFER))
        blocked |= SIGNAL_BIT(info->signo);
    signal_set_blocked(blocked);
}

void linux_user_return(struct arch_frame *f) {
    struct linux_thread *t = linux_current();
    struct linux_process *p = t->process;
    struct linux_sigaction action;
    struct linux_siginfo info;

    if (unlikely(t->set_child_tid != 0)) { // the first return of a new thread
        (void)!arch_user_store32((uint32_t user_ptr *)t->set_child_tid, (uint32_t)t->pid->number);
        t->set_child_tid = 0;
    }
    irq_flags_t flags = spin_lock_irq(&p->lock);
    int signal = signal_next(t, &action, &info, &flags);
    signal_recalculate(t, true);
    spin_unlock_irq(&p->lock, flags);
    if (signal != 0) {
        handler_enter(f, t, &action, &info);
        return;
    }
    restart_resolve(f, NULL);
    if (t->restore_blocked) {
        t->restore_blocked = false;
        signal_set_blocked(t->saved_blocked);
    }
}
