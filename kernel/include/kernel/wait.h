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
//         if (condition) break;
//         status = thread_sleep(deadline);              // returns at once if a wake came since prepare
//         if (status != INV_OK) break;                  // TIMED_OUT, INTERRUPTED
//     }
//     thread_sleep_finish();                            // state RUNNING
//     waitq_remove(&q, &w);
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
    _Atomic bool woken; // set by the default wake
};

// What may end a wait early, with INTERRUPTED.
enum wait_kind {
    WAIT_UNINTERRUPTIBLE, // nothing: only for waits that the kernel itself bounds
    WAIT_KILLABLE,        // a fatal end of the thread or process
    WAIT_INTERRUPTIBLE,   // also any work for the user-mode return (signals)
};

#define WAITQ_INIT(name) {.lock = SPINLOCK_INIT(LOCK_RANK_WAITQ), .waiters = LIST_INIT((name).waiters)}
void waitq_init(struct waitq *q);
void waiter_init(struct waiter *w);              // for the current thread, exclusive
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waitq *q, struct waiter *w); // harmless if it was taken off by a wake
// Wakes at most n exclusive waiters (UINT_MAX: all) and all others whose key matches (key 0 matches all). Any context. Returns the number woken.
// Default wakes take the waiter off the queue only if it is exclusive and autoremove is implied by its being woken.
unsigned waitq_wake(struct waitq *q, unsigned n, uint32_t key);
static inline bool waitq_active(struct waitq *q) {
    atomic_thread_fence(memory_order_seq_cst);
    return !list_empty(&q->waiters);
}

void thread_sleep_prepare(enum wait_kind kind);
must_check inv_status_t thread_sleep(nstime_t deadline);
void thread_sleep_finish(void);

// Waits on *q until condition holds. status: OK, TIMED_OUT or INTERRUPTED. condition is evaluated without locks and may run several times.
#define WAIT_EVENT(q, condition, kind, deadline, status)                 \
    do {                                                                 \
        struct waiter wait_event_w;                                      \
        (status) = INV_OK;                                               \
        if (condition)                                                   \
            break;                                                       \
        waiter_init(&wait_event_w);                                      \
        waitq_add((q), &wait_event_w);                                   \
        for (;;) {                                                       \
            thread_sleep_prepare(kind);                                  \
            if (condition) {                                             \
                (status) = INV_OK;                                       \
                break;                                                   \
            }                                                            \
            if ((status) != INV_OK)                                      \
                break;                                                   \
            (status) = thread_sleep(deadline);                           \
            if (list_empty(&wait_event_w.node))                          \
                waitq_add((q), &wait_event_w);                           \
        }                                                                \
        thread_sleep_finish();                                           \
        waitq_remove((q), &wait_event_w);                                \
    } while (0)

#endif
