// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Wait queues: the one way in which a thread waits for a condition. Waiters are queued by priority, FIFO among equals. The pattern, free of lost wake-ups:
//
//     struct waiter w;
//     waiter_init(&w);
//     waitq_add(&q, &w);
//     for (;;) {
//         thread_sleep_prepare(WAIT_INTERRUPTIBLE);     // state becomes SLEEPING before the condition is looked at
//         waitq_rearm(&q, &w);                          // back on the queue, if a wake took it off and another thread was faster
//         if (condition) break;
//         status = thread_sleep(deadline);              // returns at once if a wake came since prepare
//         if (status != INV_OK) break;                  // TIMED_OUT, INTERRUPTED
//     }
//     thread_sleep_finish();                            // state RUNNING
//     waitq_leave(&q, &w, condition_holds);             // passes a wake-up on that it will not use
//
// or, shorter, the WAIT_EVENT macro. poll() adds one waiter per file with a callback that marks its poll set.
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/types.h>

struct thread;
struct waitq {
    struct spinlock lock;     // rank WAITQ, taken with interrupts off
    struct list_node waiters; // lock: by priority, then FIFO
};
struct waiter {
    struct list_node node;
    struct thread *thread;
    // Called under the queue's lock, interrupts off, instead of waking thread. Returns true if it used up one wake-up. NULL: wake thread.
    bool (*wake)(struct waiter *w, uint32_t key);
    void *arg;
    uint32_t key;       // interest mask: 0 = every wake
    bool exclusive;     // counts against n of waitq_wake
    _Atomic bool woken; // set by the default wake, as its last touch, when it took the waiter off the queue
};

// What may end a wait early, with INTERRUPTED.
enum wait_kind {
    WAIT_UNINTERRUPTIBLE, // nothing: only for waits that the kernel itself bounds
    WAIT_KILLABLE,        // a fatal end of the thread or process
    WAIT_INTERRUPTIBLE,   // also any work for the user-mode return (signals)
};

#define WAITQ_INIT(name) \
    { .lock = SPINLOCK_INIT(LOCK_RANK_WAITQ), .waiters = LIST_INIT((name).waiters) }
void waitq_init(struct waitq *q);
void waiter_init(struct waiter *w); // for the current thread, exclusive
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waitq *q, struct waiter *w); // harmless if it was taken off by a wake
// Between prepare and the look at the condition: puts w back if a wake took it off since.
void waitq_rearm(struct waitq *q, struct waiter *w);
// waitq_remove; a wake-up that was spent on w although it leaves without the event (used false) goes to the next waiter.
void waitq_leave(struct waitq *q, struct waiter *w, bool used);
// Wakes at most n exclusive waiters (UINT_MAX: all) and all others whose key matches (key 0 matches all). Any context. Returns the number woken.
// Default wakes take the waiter off the queue only if it is exclusive and autoremove is implied by its being woken.
unsigned waitq_wake(struct waitq *q, unsigned n, uint32_t key);
static inline bool waitq_active(struct waitq *q) {
    atomic_thread_fence(memory_order_seq_cst);
    return !list_empty(&q->waiters);
}

// Thread context. thread_sleep returns TIMED_OUT or INTERRUPTED only if it finds so on entry, without sleeping; a sleep that was ended by the deadline or
// by an interruption returns OK, and the next turn of the caller's loop, after its look at the condition, says why: no wake-up is lost to a status.
void thread_sleep_prepare(enum wait_kind kind);
must_check inv_status_t thread_sleep(nstime_t deadline);
void thread_sleep_finish(void);
// Sleeps until deadline. OK (it has passed) or INTERRUPTED.
must_check inv_status_t thread_sleep_until(nstime_t deadline, enum wait_kind kind);

// Waits on *q until condition holds. status: OK, TIMED_OUT or INTERRUPTED. condition is evaluated without locks and may run several times; when it holds
// the status is OK, whatever else happened.
#define WAIT_EVENT(q, condition, kind, deadline, status) WAIT_EVENT_KEYED(q, 0, condition, kind, deadline, status)
// The same for a queue with several kinds of waiters: only wakes whose key meets this one, or that have none, are for this waiter.
#define WAIT_EVENT_KEYED(q, wanted, condition, kind, deadline, status) \
    do {                                                               \
        struct waiter wait_event_w;                                    \
        struct waitq *const wait_event_q = (q);                        \
        (status) = INV_OK;                                             \
        if (condition)                                                 \
            break;                                                     \
        const nstime_t wait_event_deadline = (deadline);               \
        waiter_init(&wait_event_w);                                    \
        wait_event_w.key = (wanted);                                   \
        waitq_add(wait_event_q, &wait_event_w);                        \
        for (;;) {                                                     \
            thread_sleep_prepare(kind);                                \
            waitq_rearm(wait_event_q, &wait_event_w);                  \
            if (condition) {                                           \
                (status) = INV_OK;                                     \
                break;                                                 \
            }                                                          \
            if ((status) != INV_OK)                                    \
                break;                                                 \
            (status) = thread_sleep(wait_event_deadline);              \
            if (condition) {                                           \
                (status) = INV_OK;                                     \
                break;                                                 \
            }                                                          \
        }                                                              \
        thread_sleep_finish();                                         \
        waitq_leave(wait_event_q, &wait_event_w, (status) == INV_OK);  \
    } while (0)

#endif
