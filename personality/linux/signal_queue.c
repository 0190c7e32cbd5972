// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Pending signals: a set and a queue of what came with them. A standard signal is queued once, a real-time signal each time it is sent, in order.
// Locking: lp->lock held in every function; any context.
//
// Invariants:
//   I1 a signal is in pending->set if and only if it is pending; its queue entry may be missing (memory was out), and then it carries no information.
//   I2 an entry is charged to the real user of the thread that it was made for (a process's first thread), from when it is made to when it is freed:
//      whoever that thread becomes meanwhile. RLIMIT_SIGPENDING is compared with what that user has in all his processes.
#include "posix_timer.h"

#include <kernel/assert.h>
#include <kernel/slab.h>

void signal_pending_init(struct linux_pending *p) {
    p->set = 0;
    list_init(&p->queue);
}

// Out of its queue; a timer's is kept for the next time.
static void entry_free(struct linux_sigqueue *q) {
    list_remove(&q->node);
    if (q->timer != NULL)
        return;
    linux_user_signal_uncharge(q->user);
    kfree(q);
}

// An entry of t's user, not yet in a queue. NULL: there is no user any more, he is at the limit, or memory is out.
static struct linux_sigqueue *entry_create(const struct linux_thread *t, uint64_t limit) {
    struct linux_user *user = t != NULL ? t->pid->user : NULL;

    if (user == NULL || !linux_user_signal_charge(user, limit))
        return NULL;
    struct linux_sigqueue *q = kmalloc(sizeof(*q));
    if (q == NULL) {
        linux_user_signal_uncharge(user);
        return NULL;
    }
    list_init(&q->node);
    q->timer = NULL;
    q->user = user;
    return q;
}

struct linux_sigqueue *signal_entry_create_locked(void) {
    return entry_create(linux_current(), linux_current_process()->limits[LINUX_RLIMIT_SIGPENDING].current);
}

void signal_entry_leave_locked(struct linux_sigqueue *entry) {
    bool queued = !list_empty(&entry->node);

    entry->timer = NULL;
    if (!queued)
        entry_free(entry);
}

void signal_pending_discard(struct linux_pending *p, linux_sigset_t set) {
    struct linux_sigqueue *q, *next;

    if ((p->set & set) == 0)
        return;
    p->set &= ~set;
    list_for_each_safe(q, next, &p->queue, node) {
        if (signal_set_has(set, q->info.signo))
            entry_free(q);
    }
}

// Takes the first entry of the signal out; the signal stays pending if there is another.
static void pending_take(struct linux_pending *p, int signal, struct linux_siginfo *out) {
    struct linux_sigqueue *q, *next, *found = NULL;
    bool more = false;

    list_for_each_safe(q, next, &p->queue, node) {
        if (q->info.signo != signal)
            continue;
        if (found != NULL) {
            more = true;
            break;
        }
        found = q;
    }
    if (!more)
        p->set &= ~SIGNAL_BIT(signal);
    if (found != NULL) {
        *out = found->info;
        if (found->timer != NULL)
            linux_posix_timer_taken_locked(found->timer, out);
        entry_free(found);
    } else {
        *out = (struct linux_siginfo){.signo = signal};
    }
}

enum siginfo_kind siginfo_kind(int signal, int code) {
    static const struct {
        uint8_t codes, kind;
    } own[LINUX_SIGSYS + 1] = {
        [LINUX_SIGILL] = {11, SIGINFO_FAULT},  [LINUX_SIGFPE] = {15, SIGINFO_FAULT},
        [LINUX_SIGSEGV] = {10, SIGINFO_FAULT}, [LINUX_SIGBUS] = {5, SIGINFO_FAULT},
        [LINUX_SIGTRAP] = {6, SIGINFO_FAULT},  [LINUX_SIGCHLD] = {6, SIGINFO_CHILD},
        [LINUX_SIGIO] = {6, SIGINFO_POLL},     [LINUX_SIGSYS] = {2, SIGINFO_CALL},
    };
    if (code > LINUX_SI_USER && code < LINUX_SI_KERNEL) {
        if (signal <= LINUX_SIGSYS && code <= own[signal].codes)
            return own[signal].kind;
        return code <= own[LINUX_SIGIO].codes ? SIGINFO_POLL : SIGINFO_SENDER;
    }
    if (code == LINUX_SI_TIMER)
        return SIGINFO_TIMER;
    if (code == LINUX_SI_SIGIO)
        return SIGINFO_POLL;
    return code < 0 && code != LINUX_SI_TKILL ? SIGINFO_QUEUE : SIGINFO_SENDER;
}

int signal_dequeue(struct linux_thread *t, linux_sigset_t blocked, struct linux_siginfo *out) {
    struct linux_process *lp = t->process;
    struct linux_pending *from = &t->pending;
    int signal = signal_set_next(from->set, blocked);

    if (signal == 0) {
        from = &lp->pending;
        signal = signal_set_next(from->set, blocked);
    }
    if (signal != 0)
        pending_take(from, signal, out);
    return signal;
}

// The limit does not bind standard signals that the kernel or kill sends: their information is not lost but for want of memory.
static uint64_t limit_of(const struct linux_process *lp, const struct linux_siginfo *info) {
    bool exempt = info->signo < LINUX_SIGRTMIN && info->code >= LINUX_SI_USER;

    return exempt ? UINT64_MAX : lp->limits[LINUX_RLIMIT_SIGPENDING].current;
}

bool signal_enqueue(struct linux_process *lp, struct linux_thread *t, const struct linux_siginfo *info,
                    bool must_queue) {
    struct linux_pending *p = t != NULL ? &t->pending : &lp->pending;
    struct linux_sigqueue *q = NULL;

    if (info->signo < LINUX_SIGRTMIN && signal_set_has(p->set, info->signo))
        return true;                  // pending already: one is enough
    if (info->signo != LINUX_SIGKILL) // nobody will see what came with that
        q = entry_create(t != NULL ? t : linux_process_thread_locked(lp), limit_of(lp, info));
    if (q == NULL && must_queue)
        return false;
    if (q != NULL) {
        q->info = *info;
        list_push_back(&p->queue, &q->node);
    }
    p->set |= SIGNAL_BIT(info->signo);
    return true;
}

void signal_recalculate(struct linux_thread *t, bool own) {
    struct linux_process *lp = t->process;
    bool work = ((t->pending.set | lp->pending.set) & ~t->blocked) != 0 || lp->stop_requested ||
                lp->notice != LINUX_NOTICE_NONE;

    if (work)
        thread_set_work(t->thread, THREAD_WORK_PERSONALITY);
    else if (own)
        atomic_fetch_and(&t->thread->user_work, ~THREAD_WORK_PERSONALITY);
}
