// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Pending signals: a set and a queue of what came with them. A standard signal is queued once, a real-time signal each time it is sent, in order.
// Locking: lp->lock held in every function; any context.
//
// Invariants:
//   I1 a signal is in pending->set if and only if it is pending; its queue entry may be missing (memory was out), and then it carries no information.
//   I2 lp->queued counts the entries in all queues of the process.
#include "posix_timer.h"

#include <kernel/assert.h>
#include <kernel/slab.h>

void signal_pending_init(struct linux_pending *p) {
    p->set = 0;
    list_init(&p->queue);
}

// Out of its queue; a timer's is kept for the next time.
static void entry_free(struct linux_process *lp, struct linux_sigqueue *q) {
    list_remove(&q->node);
    if (q->timer != NULL)
        return;
    lp->queued--;
    kfree(q);
}

struct linux_sigqueue *signal_entry_create_locked(struct linux_process *p) {
    struct linux_sigqueue *q = NULL;

    if (p->queued < p->limits[LINUX_RLIMIT_SIGPENDING].current)
        q = kzalloc(sizeof(*q));
    if (q == NULL)
        return NULL;
    list_init(&q->node);
    p->queued++;
    return q;
}

void signal_entry_leave_locked(struct linux_process *p, struct linux_sigqueue *entry) {
    bool queued = !list_empty(&entry->node);

    entry->timer = NULL;
    if (!queued)
        entry_free(p, entry);
}

void signal_pending_discard(struct linux_process *lp, struct linux_pending *p, linux_sigset_t set) {
    struct linux_sigqueue *q, *next;

    if ((p->set & set) == 0)
        return;
    p->set &= ~set;
    list_for_each_safe(q, next, &p->queue, node) {
        if (signal_set_has(set, q->info.signo))
            entry_free(lp, q);
    }
}

// Takes the first entry of the signal out; the signal stays pending if there is another.
static void pending_take(struct linux_process *lp, struct linux_pending *p, int signal, struct linux_siginfo *out) {
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
        entry_free(lp, found);
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
        pending_take(lp, from, signal, out);
    return signal;
}

bool signal_enqueue(struct linux_process *lp, struct linux_pending *p, const struct linux_siginfo *info,
                    bool must_queue) {
    struct linux_sigqueue *q = NULL;

    if (info->signo < LINUX_SIGRTMIN && signal_set_has(p->set, info->signo))
        return true; // pending already: one is enough
    if (info->signo < LINUX_SIGRTMIN || lp->queued < lp->limits[LINUX_RLIMIT_SIGPENDING].current)
        q = kmalloc(sizeof(*q));
    if (q == NULL && must_queue)
        return false;
    if (q != NULL) {
        q->info = *info;
        q->timer = NULL;
        list_push_back(&p->queue, &q->node);
        lp->queued++;
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
