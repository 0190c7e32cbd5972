// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Futexes: wait, wake, requeue, wake-op, bit sets; private and shared. docs/futexes.md gives the theory. Context: system call. Priority inheritance stands in
// futex_pi.c, several words at once in futex_waitv.c, robust lists in futex_robust.c.
//
// Invariants:
//   I1 the word is compared with the expected value under its bucket's lock, and a waker changes the word before it takes that lock (but see I4): no wake-up is lost.
//   I2 a waiter is on the list of waiter->bucket, or has been woken; it leaves only under that bucket's lock, so its thread cannot go while a waker looks.
//   I3 of two buckets the one at the lower address is locked first.
//   I4 a waiter is in bucket->expected before it compares its word, and until it leaves: a waker that finds 0 there after it has changed the word has
//      nobody to wake, and takes no lock.
// Locking: bucket->lock (FUTEX_BUCKET). User memory is read under it by the form that does not fault in; a page that is not there is touched outside.
#include "futex.h"

#include <arch/usercopy.h>
#include <kernel/boot.h>
#include <kernel/time.h>

#define BUCKETS 256

static struct futex_bucket buckets[BUCKETS];

static inv_status_t futex_init(void) {
    for (unsigned i = 0; i < BUCKETS; i++) {
        spin_lock_init(&buckets[i].lock, LOCK_RANK_FUTEX_BUCKET);
        list_init(&buckets[i].waiters);
    }
    return INV_OK;
}
BOOT_CALL("linux futexes", BOOT_STAGE_EXECUTIVE, futex_init);

// --- keys ---

int64_t futex_key_get_shared(uint64_t address, struct futex_key *out, bool *out_counted) {
    inv_status_t s = aspace_futex_key(current_process()->aspace, address, true, &out->object, &out->offset);
    *out_counted = s == INV_OK;
    return linux_result(s);
}

struct futex_bucket *futex_bucket_of(const struct futex_key *k) {
    uint64_t h = ((uint64_t)k->object >> 4) * 0x9e3779b97f4a7c15ull ^ (k->offset >> 2) * 0xc2b2ae3d27d4eb4full;
    return &buckets[(h >> 32) % BUCKETS];
}

int64_t futex_lock_if(struct futex_bucket *b, uint64_t address, uint32_t expected) {
    const uint32_t user_ptr *p = (const uint32_t user_ptr *)address;
    uint32_t value;

    for (;;) {
        spin_lock(&b->lock);
        if (arch_user_load32_nofault(p, &value) == INV_OK) {
            if (value == expected)
                return 0;
            spin_unlock(&b->lock);
            return -LINUX_EAGAIN;
        }
        spin_unlock(&b->lock);
        if (arch_user_load32(p, &value) != INV_OK)
            return -LINUX_EFAULT;
        if (thread_killed(current_thread()))
            return -LINUX_EINTR;
    }
}

// --- waiting ---

void futex_leave(struct futex_waiter *w) {
    for (;;) {
        struct futex_bucket *b = atomic_load(&w->bucket);
        spin_lock(&b->lock);
        if (b == atomic_load(&w->bucket)) {
            if (!w->woken)
                list_remove(&w->node);
            atomic_fetch_sub_explicit(&b->expected, 1, memory_order_relaxed);
            spin_unlock(&b->lock);
            return;
        }
        spin_unlock(&b->lock); // requeued in between
    }
}

static inv_status_t waiter_sleep(struct futex_waiter *w, nstime_t deadline) {
    inv_status_t s = INV_OK;

    for (;;) {
        thread_sleep_prepare(WAIT_INTERRUPTIBLE);
        if (*(volatile bool *)&w->woken || s != INV_OK)
            break;
        s = thread_sleep(deadline);
    }
    thread_sleep_finish();
    futex_leave(w);
    return w->woken ? INV_OK : s;
}

// First come, first served; but who is above the fair class stands before those less urgent.
void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w) {
    struct list_node *after = b->waiters.prev;

    w->priority = MAX(atomic_load_explicit(&w->thread->sched.priority, memory_order_relaxed), (uint8_t)PRIORITY_FAIR);
    if (unlikely(w->priority > PRIORITY_FAIR))
        while (after != &b->waiters && list_entry(after, struct futex_waiter, node)->priority < w->priority)
            after = after->prev;
    atomic_store(&w->bucket, b);
    list_insert_between(&w->node, after, after->next);
}

static inline int64_t enter(struct futex_waiter *w, uint64_t address, uint32_t expected) {
    struct futex_bucket *b = futex_bucket_of(&w->key);

    atomic_fetch_add_explicit(&b->expected, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); // I4: the counterpart is in futex_wake
    int64_t result = futex_lock_if(b, address, expected);
    if (result != 0) {
        atomic_fetch_sub_explicit(&b->expected, 1, memory_order_relaxed);
        return result;
    }
    futex_enqueue(b, w);
    spin_unlock(&b->lock);
    return 0;
}

int64_t futex_enter(struct futex_waiter *w, uint64_t address, uint32_t expected) {
    return enter(w, address, expected);
}

static int64_t wait_restart(struct linux_restart *r);

// deadline: on the monotonic clock, or NSTIME_NEVER.
static int64_t futex_wait(uint64_t address, bool shared, uint32_t expected, uint32_t bits, nstime_t deadline) {
    struct futex_waiter w = {.thread = current_thread(), .bits = bits};
    bool counted;

    if (bits == 0)
        return -LINUX_EINVAL;
    int64_t result = futex_key_get(address, shared, &w.key, &counted);
    if (result != 0)
        return result;
    struct futex_key key = w.key; // requeue changes the waiter's, and then owes nothing to this one
    result = enter(&w, address, expected);
    if (result == 0) {
        inv_status_t s = waiter_sleep(&w, deadline);
        if (s == INV_ERR_TIMED_OUT)
            result = -LINUX_ETIMEDOUT;
        else if (s != INV_OK && deadline == NSTIME_NEVER)
            result = -LINUX_ERESTARTSYS;
        else if (s != INV_OK) {
            struct linux_restart r = {wait_restart, {address, shared, expected, bits, deadline}};
            result = linux_set_restart(&r);
        }
    }
    futex_key_put(&key, counted);
    return result;
}

static int64_t wait_restart(struct linux_restart *r) {
    return futex_wait(r->args[0], r->args[1] != 0, (uint32_t)r->args[2], (uint32_t)r->args[3], r->args[4]);
}

// --- waking ---

// Bucket lock held: the waiter's thread is alive until it has taken that lock.
void futex_wake_waiter(struct futex_waiter *w) {
    list_remove(&w->node);
    *(volatile bool *)&w->woken = true;
    sched_wake(w->thread);
}

static int64_t wake_locked(struct futex_bucket *b, const struct futex_key *k, uint32_t count, uint32_t bits) {
    struct futex_waiter *w, *next;
    int64_t woken = 0;

    list_for_each_safe(w, next, &b->waiters, node) {
        if (woken >= count)
            break;
        if (!futex_key_equal(&w->key, k))
            continue;
        if (unlikely(w->pi != NULL || w->requeue_key != NULL))
            return -LINUX_EINVAL; // they wait for an owner, not for a wake-up
        if (w->bits & bits) {
            futex_wake_waiter(w);
            woken++;
        }
    }
    return woken;
}

static int64_t futex_wake(uint64_t address, bool shared, uint32_t count, uint32_t bits) {
    struct futex_key key;
    bool counted;

    if (bits == 0)
        return -LINUX_EINVAL;
    int64_t result = futex_key_get(address, shared, &key, &counted);
    if (result != 0)
        return result;
    struct futex_bucket *b = futex_bucket_of(&key);
    // The word was changed before. The list is no substitute: a waiter has compared the old value some time before it stands there.
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&b->expected, memory_order_relaxed) != 0) {
        spin_lock(&b->lock);
        result = wake_locked(b, &key, count, bits);
        spin_unlock(&b->lock);
    }
    futex_key_put(&key, counted);
    return result;
}

void linux_futex_wake_address(uint64_t address, unsigned count) {
    (void)futex_wake(address, true, count, FUTEX_MATCH_ANY);
    (void)futex_wake(address, false, count, FUTEX_MATCH_ANY);
}

// --- requeue ---

// Moves up to count waiters of one key to another. Both locks held.
static int64_t requeue_locked(struct futex_bucket *from, const struct futex_key *k, struct futex_bucket *to,
                              const struct futex_key *new_key, uint32_t count) {
    struct futex_waiter *w, *next;
    struct list_node moved = LIST_INIT(moved);
    bool failed = false;
    int64_t n = 0;

    list_for_each_safe(w, next, &from->waiters, node) {
        if (n >= count)
            break;
        if (!futex_key_equal(&w->key, k))
            continue;
        if (w->pi != NULL || w->requeue_key != NULL) {
            failed = true;
            break;
        }
        list_remove(&w->node);
        w->key = *new_key;
        list_push_back(&moved, &w->node);
        n++;
    }
    while (!list_empty(&moved)) {
        w = list_first(&moved, struct futex_waiter, node);
        list_remove(&w->node);
        futex_enqueue(to, w);
    }
    atomic_fetch_add_explicit(&to->expected, (uint32_t)n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&from->expected, (uint32_t)n, memory_order_relaxed);
    return failed ? -LINUX_EINVAL : n;
}

// I3. The word is compared with the first bucket's lock held when that is the lower one, else again after both are.
static int64_t requeue_both(const struct futex_requeue *q, struct futex_key *k1, struct futex_key *k2) {
    struct futex_bucket *b1 = futex_bucket_of(k1), *b2 = futex_bucket_of(k2), *low = b1 < b2 ? b1 : b2,
                        *high = b1 < b2 ? b2 : b1;
    const uint32_t user_ptr *p = (const uint32_t user_ptr *)q->from;
    int64_t result;

    for (;;) {
        uint32_t value = q->expected;
        spin_lock(&low->lock);
        if (high != low)
            spin_lock(&high->lock);
        inv_status_t s = q->compare ? arch_user_load32_nofault(p, &value) : INV_OK;
        result = s == INV_OK && value != q->expected ? -LINUX_EAGAIN : 0;
        if (s == INV_OK && result == 0) {
            result = wake_locked(b1, k1, q->wake, FUTEX_MATCH_ANY);
            int64_t moved = result < 0 || futex_key_equal(k1, k2) ? 0 : requeue_locked(b1, k1, b2, k2, q->move);
            result = moved < 0 ? moved : result + moved;
        }
        if (high != low)
            spin_unlock(&high->lock);
        spin_unlock(&low->lock);
        if (s == INV_OK)
            return result;
        if (arch_user_load32(p, &value) != INV_OK)
            return -LINUX_EFAULT;
        if (thread_killed(current_thread()))
            return -LINUX_EINTR;
    }
}

static int64_t futex_requeue(const struct futex_requeue *q) {
    struct futex_key k1, k2;
    bool counted1, counted2;

    if ((int32_t)q->wake < 0 || (int32_t)q->move < 0)
        return -LINUX_EINVAL;
    int64_t result = futex_key_get(q->from, q->shared, &k1, &counted1);
    if (result != 0)
        return result;
    result = futex_key_get(q->to, q->shared, &k2, &counted2);
    if (result == 0) {
        result = requeue_both(q, &k1, &k2);
        futex_key_put(&k2, counted2);
    }
    futex_key_put(&k1, counted1);
    return result;
}

// --- wake-op: changes the second word, wakes on the first, and on the second if its old value compares ---

static uint32_t wake_op_apply(uint32_t code, uint32_t old) {
    uint32_t argument = (uint32_t)((int32_t)(code << 8) >> 20);

    if (code >> 28 & 8)
        argument = 1u << (argument & 31);
    switch (code >> 28 & 7) {
    case 0: return argument;
    case 1: return old + argument;
    case 2: return old | argument;
    case 3: return old & ~argument;
    default: return old ^ argument;
    }
}

static int wake_op_compare(uint32_t code, int32_t old) {
    int32_t with = (int32_t)(code << 20) >> 20;

    switch (code >> 24 & 15) {
    case 0: return old == with;
    case 1: return old != with;
    case 2: return old < with;
    case 3: return old <= with;
    case 4: return old > with;
    case 5: return old >= with;
    default: return -1;
    }
}

static int64_t futex_wake_op(uint64_t a1, uint64_t a2, uint32_t n1, uint32_t n2, uint32_t code, bool shared) {
    uint32_t user_ptr *p = (uint32_t user_ptr *)a2;
    uint32_t old, seen;

    if ((a1 | a2) & 3)
        return -LINUX_EINVAL;
    if (arch_user_load32(p, &old) != INV_OK)
        return -LINUX_EFAULT;
    if ((code >> 28 & 7) > 4 || wake_op_compare(code, 0) < 0)
        return -LINUX_ENOSYS;
    do {
        seen = old;
        if (arch_user_cmpxchg32(p, &old, wake_op_apply(code, seen)) != INV_OK)
            return -LINUX_EFAULT;
    } while (old != seen);
    int64_t result = futex_wake(a1, shared, n1, FUTEX_MATCH_ANY);
    if (result >= 0 && wake_op_compare(code, (int32_t)old) > 0) {
        int64_t more = futex_wake(a2, shared, n2, FUTEX_MATCH_ANY);
        result = more < 0 ? more : result + more;
    }
    return result;
}

// --- the call ---

// The wait's deadline on the monotonic clock: FUTEX_WAIT has a duration, the others a point in time.
static int64_t deadline_get(uint64_t user, unsigned op, bool realtime, nstime_t *out) {
    nstime_t t;

    *out = NSTIME_NEVER;
    if (user == 0)
        return 0;
    int64_t result = linux_timespec_get(user, &t);
    if (result == 0 && t != NSTIME_NEVER)
        *out = op == FUTEX_WAIT ? deadline_after(t) : futex_deadline(t, realtime);
    return result;
}

nstime_t futex_deadline(nstime_t t, bool realtime) {
    nstime_t now = clock_wall();

    if (!realtime)
        return t;
    return t > now ? deadline_after(t - now) : 0;
}

static bool has_deadline(unsigned op) {
    return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET || op == FUTEX_LOCK_PI || op == FUTEX_LOCK_PI2 ||
           op == FUTEX_WAIT_REQUEUE_PI;
}

// What is not an ordinary wait or wake-up. realtime was checked.
static cold_fn int64_t futex_other(struct arch_frame *f, unsigned op, bool shared, nstime_t deadline) {
    uint64_t address = LINUX_ARG(f, 0), fourth = LINUX_ARG(f, 3), address2 = LINUX_ARG(f, 4);
    uint32_t value = (uint32_t)LINUX_ARG(f, 2), value3 = (uint32_t)LINUX_ARG(f, 5);
    struct futex_requeue q = {address, address2, value, (uint32_t)fourth, value3, op == FUTEX_CMP_REQUEUE, shared};

    switch (op) {
    case FUTEX_WAIT_BITSET: return futex_wait(address, shared, value, value3, deadline);
    case FUTEX_WAKE_BITSET: return futex_wake(address, shared, MAX(value, 1u), value3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE: return futex_requeue(&q);
    case FUTEX_WAKE_OP: return futex_wake_op(address, address2, value, (uint32_t)fourth, value3, shared);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: return futex_pi_lock(address, shared, deadline, false);
    case FUTEX_TRYLOCK_PI: return futex_pi_lock(address, shared, NSTIME_NEVER, true);
    case FUTEX_UNLOCK_PI: return futex_pi_unlock(address, shared);
    case FUTEX_WAIT_REQUEUE_PI: return futex_pi_wait_requeue(&q, deadline);
    case FUTEX_CMP_REQUEUE_PI: return futex_pi_requeue(&q);
    default: return -LINUX_ENOSYS;
    }
}

static __attribute__((noinline)) int64_t futex_general(struct arch_frame *f) {
    unsigned op = (unsigned)LINUX_ARG(f, 1) & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
    bool shared = !(LINUX_ARG(f, 1) & FUTEX_PRIVATE), realtime = (LINUX_ARG(f, 1) & FUTEX_CLOCK_REALTIME) != 0;
    uint32_t value = (uint32_t)LINUX_ARG(f, 2);
    nstime_t deadline = NSTIME_NEVER;

    if (LINUX_ARG(f, 3) != 0 && has_deadline(op)) {
        int64_t result = deadline_get(LINUX_ARG(f, 3), op, realtime || op == FUTEX_LOCK_PI, &deadline);
        if (result != 0)
            return result;
    }
    if (realtime && op != FUTEX_WAIT_BITSET && op != FUTEX_LOCK_PI2 && op != FUTEX_WAIT_REQUEUE_PI)
        return -LINUX_ENOSYS;
    if (op == FUTEX_WAIT)
        return futex_wait(LINUX_ARG(f, 0), shared, value, FUTEX_MATCH_ANY, deadline);
    return futex_other(f, op, shared, deadline);
}

// Wake-ups, and waits without a time, need none of the rest.
int64_t linux_futex(struct arch_frame *f) {
    unsigned op = (unsigned)LINUX_ARG(f, 1) & ~FUTEX_PRIVATE;
    bool shared = !(LINUX_ARG(f, 1) & FUTEX_PRIVATE);
    uint32_t value = (uint32_t)LINUX_ARG(f, 2);

    if (op == FUTEX_WAKE)
        return futex_wake(LINUX_ARG(f, 0), shared, MAX(value, 1u), FUTEX_MATCH_ANY);
    if (op == FUTEX_WAIT && LINUX_ARG(f, 3) == 0)
        return futex_wait(LINUX_ARG(f, 0), shared, value, FUTEX_MATCH_ANY, NSTIME_NEVER);
    return futex_general(f);
}
