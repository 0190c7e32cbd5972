// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Condition variables over locks with priority inheritance: WAIT_REQUEUE_PI, CMP_REQUEUE_PI. A wait for a wake-up that is made a wait for a lock while the
// waiter sleeps. Called by futex.c in system calls. The rules, the invariants and the lock order stand at the head of futex_pi.c; both buckets' locks are
// taken in the order of their addresses.
#include "futex_pi.h"

#include <arch/usercopy.h>
#include <kernel/slab.h>

// Woken neither by an owner nor by a requeue: why. Bucket lock was taken: it is off the list.
static int64_t early_end(inv_status_t s) {
    return s == INV_ERR_TIMED_OUT ? -LINUX_ETIMEDOUT : s != INV_OK ? -LINUX_ERESTARTNOINTR : -LINUX_EAGAIN;
}

// Sleeps until it is requeued, woken, or the wait ends early: then it leaves the list. True: it is a waiter of a lock now, or its owner.
static bool requeue_sleep(struct futex_pi_waiter *w, nstime_t deadline, inv_status_t *out) {
    inv_status_t s = INV_OK;
    bool joined;

    for (;;) {
        thread_sleep_prepare(WAIT_INTERRUPTIBLE);
        if (*(struct futex_pi *volatile *)&w->futex.pi != NULL || *(volatile bool *)&w->futex.woken || s != INV_OK)
            break;
        s = thread_sleep(deadline);
    }
    thread_sleep_finish();
    for (;;) {
        struct futex_bucket *b = atomic_load(&w->futex.bucket);
        spin_lock(&b->lock);
        if (b == atomic_load(&w->futex.bucket)) {
            joined = w->futex.pi != NULL;
            if (!joined) {
                if (!w->futex.woken)
                    list_remove(&w->futex.node);
                atomic_fetch_sub_explicit(&b->expected, 1, memory_order_relaxed);
            }
            spin_unlock(&b->lock);
            break;
        }
        spin_unlock(&b->lock); // requeued in between
    }
    *out = w->futex.woken ? INV_OK : s;
    return joined;
}

int64_t futex_pi_wait_requeue(const struct futex_requeue *q, nstime_t deadline) {
    struct futex_pi_waiter w = {
        .futex.thread = current_thread(), .futex.bits = FUTEX_MATCH_ANY, .thread = linux_current()};
    struct futex_key key1, key2;
    bool counted1, counted2;
    inv_status_t s;

    if (q->from == q->to)
        return -LINUX_EINVAL;
    int64_t result = futex_key_get(q->to, q->shared, &key2, &counted2);
    if (result != 0)
        return result;
    result = futex_key_get(q->from, q->shared, &key1, &counted1);
    if (result == 0) {
        w.futex.key = key1;
        w.futex.requeue_key = &key2;
        result = futex_enter(&w.futex, q->from, q->wake);
        if (result == 0 && futex_key_equal(&key1, &key2)) {
            futex_leave(&w.futex);
            result = -LINUX_EINVAL;
        }
        if (result == 0) {
            // A signal after the requeue cannot begin anew: the word has changed.
            result = requeue_sleep(&w, deadline, &s) ? pi_sleep(&w, q->to, deadline) : early_end(s);
            result = result == -LINUX_EINTR ? -LINUX_EAGAIN : result;
        }
        futex_key_put(&key1, counted1);
    }
    futex_key_put(&key2, counted2);
    return result;
}

struct pi_requeue {
    const struct futex_requeue *q;
    struct futex_key from, to;
    struct futex_bucket *b1, *b2;
    struct pi_take take;
    int64_t moved; // how many: out
};

// Both locks held. w goes from the first list to the second as a user of p.
static void waiter_move(struct pi_requeue *r, struct futex_pi_waiter *w, struct futex_pi *p) {
    list_remove(&w->futex.node);
    w->futex.key = r->to;
    w->futex.requeue_key = NULL;
    atomic_fetch_add_explicit(&r->b2->expected, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&r->b1->expected, 1, memory_order_relaxed);
    futex_enqueue(r->b2, &w->futex);
    p->users++;
    w->pi = p;
    *(struct futex_pi *volatile *)&w->futex.pi = p; // it waits for the lock from here on
}

// Both locks held: makes the waiters wait for p, which the first of them may own. EINVAL, EDEADLK after some.
static int64_t waiters_move(struct pi_requeue *r, struct futex_pi *p, bool first_owns) {
    struct futex_waiter *w, *next;

    r->moved = 0;
    list_for_each_safe(w, next, &r->b1->waiters, node) {
        if (r->moved - 1 >= (int64_t)r->q->move)
            break;
        if (!futex_key_equal(&w->key, &r->from))
            continue;
        if (w->requeue_key == NULL || w->pi != NULL || !futex_key_equal(w->requeue_key, &r->to))
            return -LINUX_EINVAL;
        struct futex_pi_waiter *pw = container_of(w, struct futex_pi_waiter, futex);
        if (first_owns && r->moved == 0) {
            waiter_move(r, pw, p);
            *(volatile bool *)&pw->granted = true;
            sched_wake(pw->thread->thread);
        } else {
            spin_lock(&pi_owners_lock);
            int64_t result = pi_block(p, pw);
            spin_unlock(&pi_owners_lock);
            if (result != 0)
                return result;
            waiter_move(r, pw, p);
        }
        r->moved++;
    }
    return 0;
}

// Both locks held. 0, an error, or TAKE_AGAIN and on.
static int64_t pi_requeue_locked(struct pi_requeue *r) {
    struct futex_waiter *top;
    struct futex_pi *p;
    uint32_t value;

    if (arch_user_load32_nofault((const uint32_t user_ptr *)r->q->from, &value) != INV_OK)
        return TAKE_TOUCH;
    if (value != r->q->expected)
        return -LINUX_EAGAIN;
    top = pi_waiter_find(r->b1, &r->from);
    if (top == NULL)
        return 0;
    if (top->requeue_key == NULL || top->pi != NULL || !futex_key_equal(top->requeue_key, &r->to))
        return -LINUX_EINVAL;
    r->take.thread = container_of(top, struct futex_pi_waiter, futex)->thread;
    r->take.proxy = true;
    r->take.waiters = r->q->move > 0;
    spin_lock(&pi_owners_lock);
    int64_t result = pi_take_locked(&r->take, &p);
    spin_unlock(&pi_owners_lock);
    if (result < 0 || pi_take_again(result))
        return result;
    result = waiters_move(r, p, result == TAKE_OWNED);
    pi_state_unused(p, &r->take);
    return result;
}

static int64_t pi_requeue_try(struct pi_requeue *r) {
    struct futex_bucket *low = r->b1 < r->b2 ? r->b1 : r->b2, *high = r->b1 < r->b2 ? r->b2 : r->b1;

    int64_t result = pi_take_prepare(&r->take);
    if (result != 0)
        return result;
    spin_lock(&low->lock);
    if (high != low)
        spin_lock(&high->lock);
    result = pi_requeue_locked(r);
    if (high != low)
        spin_unlock(&high->lock);
    spin_unlock(&low->lock);
    return result;
}

// Touches both words: it is not known which was missing.
static int64_t pi_requeue_repeat(struct pi_requeue *r, int64_t why) {
    uint32_t value;

    if (why == TAKE_TOUCH && arch_user_load32((const uint32_t user_ptr *)r->q->from, &value) != INV_OK)
        return -LINUX_EFAULT;
    return pi_take_repeat(&r->take, why);
}

int64_t futex_pi_requeue(const struct futex_requeue *q) {
    struct pi_requeue r = {.q = q};
    bool counted1, counted2;

    if ((int32_t)q->wake < 0 || (int32_t)q->move < 0 || q->from == q->to || q->wake != 1)
        return -LINUX_EINVAL;
    int64_t result = futex_key_get(q->from, q->shared, &r.from, &counted1);
    if (result != 0)
        return result;
    result = futex_key_get(q->to, q->shared, &r.to, &counted2);
    if (result == 0) {
        r.b1 = futex_bucket_of(&r.from);
        r.b2 = futex_bucket_of(&r.to);
        r.take = (struct pi_take){.address = q->to, .key = &r.to, .bucket = r.b2};
        result = futex_key_equal(&r.from, &r.to) ? -LINUX_EINVAL : TAKE_AGAIN;
        while (pi_take_again(result)) {
            result = pi_requeue_try(&r);
            pi_take_finish(&r.take);
            if (pi_take_again(result))
                result = pi_requeue_repeat(&r, result);
        }
        kfree(r.take.spare);
        futex_key_put(&r.to, counted2);
    }
    futex_key_put(&r.from, counted1);
    return result == 0 ? r.moved : result;
}
