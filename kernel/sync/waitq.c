// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Wait queues: who waits for what. The sleeping itself is the scheduler's (kernel/sched/sleep.c). waitq_wake is called in any context; adding and removing
// in thread context.
//
// Why no wake-up is lost. A sleeper stores SLEEPING (thread_sleep_prepare, with a full barrier), puts itself back on the queue if it is not there
// (waitq_rearm), and only then looks at its condition. A waker changes the condition, and only then looks at queue and state (sched_wake begins with a full
// barrier). So either the sleeper sees the changed condition, or the waker finds it on the queue and SLEEPING.
//
// Invariants:
//   I1  waiters that are not exclusive stand in front; the exclusive ones follow by descending priority as it was when they came, first come first
//       among equals: a wake ends at the first exclusive waiter that it has no wake-up left for;
//   I2  a waiter's memory is touched under the queue's lock only, and waitq_remove takes that lock always: after it the waiter may vanish;
//   I3  woken is true exactly if a default wake took the waiter off the queue since it was last put on it.
#include <kernel/assert.h>
#include <kernel/process.h>
#include <kernel/wait.h>

void waitq_init(struct waitq *q) {
    spin_lock_init(&q->lock, LOCK_RANK_WAITQ);
    list_init(&q->waiters);
}

void waiter_init(struct waiter *w) {
    *w = (struct waiter){.thread = current_thread(), .exclusive = true};
    list_init(&w->node);
}

static uint8_t waiter_priority(const struct waiter *w) {
    return w->thread ? atomic_load_explicit(&w->thread->sched.priority, memory_order_relaxed) : 0;
}

static void insert_sorted(struct waitq *q, struct waiter *w) {
    uint8_t priority = waiter_priority(w);
    struct list_node *after = w->exclusive ? q->waiters.prev : &q->waiters;
    for (; after != &q->waiters; after = after->prev) {
        const struct waiter *other = list_entry(after, struct waiter, node);
        if (!other->exclusive || waiter_priority(other) >= priority)
            break;
    }
    list_insert_between(&w->node, after, after->next);
}

void waitq_add(struct waitq *q, struct waiter *w) {
    irq_flags_t flags = spin_lock_irq(&q->lock);
    DEBUG_ASSERT(list_empty(&w->node));
    atomic_store_explicit(&w->woken, false, memory_order_relaxed);
    insert_sorted(q, w);
    spin_unlock_irq(&q->lock, flags);
}

void waitq_remove(struct waitq *q, struct waiter *w) {
    irq_flags_t flags = spin_lock_irq(&q->lock);
    list_remove(&w->node);
    spin_unlock_irq(&q->lock, flags);
}

void waitq_rearm(struct waitq *q, struct waiter *w) {
    if (unlikely(atomic_load_explicit(&w->woken, memory_order_acquire)))
        waitq_add(q, w);
}

void waitq_leave(struct waitq *q, struct waiter *w, bool used) {
    waitq_remove(q, w);
    if (!used && atomic_load_explicit(&w->woken, memory_order_relaxed))
        waitq_wake(q, 1, w->key);
}

// The queue's lock is held. True if one of the n wake-ups was used.
static bool wake_one(struct waiter *w, uint32_t key) {
    if (w->wake)
        return w->wake(w, key) && w->exclusive;
    struct thread *t = w->thread;
    if (!w->exclusive) {
        sched_wake(t);
        return false;
    }
    list_remove(&w->node);
    atomic_store_explicit(&w->woken, true, memory_order_release);
    sched_wake(t);
    return true;
}

unsigned waitq_wake(struct waitq *q, unsigned n, uint32_t key) {
    if (!waitq_active(q))
        return 0;
    unsigned woken = 0;
    irq_flags_t flags = spin_lock_irq(&q->lock);
    struct waiter *w, *next;
    list_for_each_safe(w, next, &q->waiters, node) {
        if (w->exclusive && n == 0)
            break;
        if (key && w->key && !(key & w->key))
            continue;
        bool exclusive = w->exclusive, used = wake_one(w, key); // which may have let go of w
        woken += used || !exclusive;
        if (used && n != UINT32_MAX)
            n--;
    }
    spin_unlock_irq(&q->lock, flags);
    return woken;
}
