// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Futexes: wait, wake, requeue, wake-op, bit sets; private and shared; robust lists. docs/futexes.md gives the theory. Context: system call.
//
// Invariants:
//   I1 the word is compared with the expected value under its bucket's lock, and a waker changes the word before it takes that lock (but see I4): no wake-up is lost.
//   I2 a waiter is on the list of waiter->bucket, or has been woken; it leaves only under that bucket's lock, so its thread cannot go while a waker looks.
//   I3 of two buckets the one at the lower address is locked first.
//   I4 a waiter is in bucket->expected before it compares its word, and until it leaves: a waker that finds 0 there after it has changed the word has
//      nobody to wake, and takes no lock.
// Locking: bucket->lock (FUTEX_BUCKET). User memory is read under it by the form that does not fault in; a page that is not there is touched outside.
// Priority-inheriting operations are not there: ENOSYS.
#include "process.h"

#include <arch/usercopy.h>
#include <kernel/boot.h>
#include <kernel/time.h>

enum {
    FUTEX_WAIT,
    FUTEX_WAKE,
    FUTEX_FD,
    FUTEX_REQUEUE,
    FUTEX_CMP_REQUEUE,
    FUTEX_WAKE_OP,
    FUTEX_LOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_TRYLOCK_PI,
    FUTEX_WAIT_BITSET,
    FUTEX_WAKE_BITSET
};
#define FUTEX_PRIVATE        128u
#define FUTEX_CLOCK_REALTIME 256u
#define FUTEX_MATCH_ANY      UINT32_MAX
#define FUTEX_WAITERS        0x80000000u
#define FUTEX_OWNER_DIED     0x40000000u
#define FUTEX_TID_MASK       0x3fffffffu
#define ROBUST_LIMIT         2048

#define BUCKETS 256

struct futex_key {
    struct object *object; // VMO, or the address space of a private futex
    uint64_t offset;
};
struct bucket {
    struct spinlock lock;
    struct list_node waiters;  // lock: futex_waiter.node
    _Atomic uint32_t expected; // threads on the list, and those that are about to compare their word (I4)
} aligned_to(ARCH_CACHE_LINE);
struct futex_waiter {
    struct list_node node;
    struct futex_key key;          // bucket lock
    struct bucket *_Atomic bucket; // changes under both buckets' locks (requeue)
    struct thread *thread;
    uint32_t bits;
    bool woken; // bucket lock
};

static struct bucket buckets[BUCKETS];

static inv_status_t futex_init(void) {
    for (unsigned i = 0; i < BUCKETS; i++) {
        spin_lock_init(&buckets[i].lock, LOCK_RANK_FUTEX_BUCKET);
        list_init(&buckets[i].waiters);
    }
    return INV_OK;
}
BOOT_CALL("linux futexes", BOOT_STAGE_EXECUTIVE, futex_init);

// --- keys ---

// The key's object is counted only if it is shared (a VMO may go while somebody waits on it); key_put in any case.
static int64_t key_get(uint64_t address, bool shared, struct futex_key *out, bool *out_counted) {
    *out_counted = false;
    if (address & 3)
        return -LINUX_EINVAL;
    if (address >= ARCH_USER_END)
        return -LINUX_EFAULT;
    if (!shared) {
        *out = (struct futex_key){&current_process()->aspace->obj, address};
        return 0;
    }
    inv_status_t s = aspace_futex_key(current_process()->aspace, address, true, &out->object, &out->offset);
    *out_counted = s == INV_OK;
    return linux_result(s);
}

static void key_put(struct futex_key *k, bool counted) {
    if (counted)
        object_put(k->object);
}

static struct bucket *bucket_of(const struct futex_key *k) {
    uint64_t h = ((uint64_t)k->object >> 4) * 0x9e3779b97f4a7c15ull ^ (k->offset >> 2) * 0xc2b2ae3d27d4eb4full;
    return &buckets[(h >> 32) % BUCKETS];
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b) {
    return a->object == b->object && a->offset == b->offset;
}

// Locks the bucket with the word still at its expected value. EAGAIN: it is not; EFAULT. On success the lock is held.
static int64_t bucket_lock_if(struct bucket *b, uint64_t address, uint32_t expected) {
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

static void waiter_leave(struct futex_waiter *w) {
    for (;;) {
        struct bucket *b = atomic_load(&w->bucket);
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
    waiter_leave(w);
    return w->woken ? INV_OK : s;
}

static int64_t wait_restart(struct linux_restart *r);

// deadline: on the monotonic clock, or NSTIME_NEVER.
static int64_t futex_wait(uint64_t address, bool shared, uint32_t expected, uint32_t bits, nstime_t deadline) {
    struct futex_waiter w = {.thread = current_thread(), .bits = bits};
    bool counted;

    if (bits == 0)
        return -LINUX_EINVAL;
    int64_t result = key_get(address, shared, &w.key, &counted);
    if (result != 0)
        return result;
    struct futex_key key = w.key; // requeue changes the waiter's, and then owes nothing to this one
    struct bucket *b = bucket_of(&key);
    atomic_fetch_add_explicit(&b->expected, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); // I4: the counterpart is in futex_wake
    result = bucket_lock_if(b, address, expected);
    if (result != 0) {
        atomic_fetch_sub_explicit(&b->expected, 1, memory_order_relaxed);
    } else {
        atomic_store(&w.bucket, b);
        list_push_back(&b->waiters, &w.node);
        spin_unlock(&b->lock);
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
    key_put(&key, counted);
    return result;
}

static int64_t wait_restart(struct linux_restart *r) {
    return futex_wait(r->args[0], r->args[1] != 0, (uint32_t)r->args[2], (uint32_t)r->args[3], r->args[4]);
}

// --- waking ---

// Bucket lock held: the waiter's thread is alive until it has taken that lock.
static void waiter_wake(struct futex_waiter *w) {
    list_remove(&w->node);
    *(volatile bool *)&w->woken = true;
    sched_wake(w->thread);
}

static int64_t wake_locked(struct bucket *b, const struct futex_key *k, uint32_t count, uint32_t bits) {
    struct futex_waiter *w, *next;
    int64_t woken = 0;

    list_for_each_safe(w, next, &b->waiters, node) {
        if (woken >= count)
            break;
        if (key_equal(&w->key, k) && (w->bits & bits)) {
            waiter_wake(w);
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
    int64_t result = key_get(address, shared, &key, &counted);
    if (result != 0)
        return result;
    struct bucket *b = bucket_of(&key);
    // The word was changed before. The list is no substitute: a waiter has compared the old value some time before it stands there.
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&b->expected, memory_order_relaxed) != 0) {
        spin_lock(&b->lock);
        result = wake_locked(b, &key, count, bits);
        spin_unlock(&b->lock);
    }
    key_put(&key, counted);
    return result;
}

void linux_futex_wake_address(uint64_t address, unsigned count) {
    (void)futex_wake(address, true, count, FUTEX_MATCH_ANY);
    (void)futex_wake(address, false, count, FUTEX_MATCH_ANY);
}

// --- requeue ---

// Moves up to count waiters of one key to another. Both locks held.
static int64_t requeue_locked(struct bucket *from, const struct futex_key *k, struct bucket *to,
                              const struct futex_key *new_key, uint32_t count) {
    struct futex_waiter *w, *next;
    struct list_node moved = LIST_INIT(moved);
    int64_t n = 0;

    list_for_each_safe(w, next, &from->waiters, node) {
        if (n >= count)
            break;
        if (!key_equal(&w->key, k))
            continue;
        list_remove(&w->node);
        w->key = *new_key;
        atomic_store(&w->bucket, to);
        list_push_back(&moved, &w->node);
        n++;
    }
    list_splice_back(&to->waiters, &moved);
    atomic_fetch_add_explicit(&to->expected, (uint32_t)n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&from->expected, (uint32_t)n, memory_order_relaxed);
    return n;
}

struct requeue {
    uint64_t from, to;
    uint32_t wake, move, expected;
    bool compare, shared;
};

// I3. The word is compared with the first bucket's lock held when that is the lower one, else again after both are.
static int64_t requeue_both(const struct requeue *q, struct futex_key *k1, struct futex_key *k2) {
    struct bucket *b1 = bucket_of(k1), *b2 = bucket_of(k2), *low = b1 < b2 ? b1 : b2, *high = b1 < b2 ? b2 : b1;
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
            int64_t moved = key_equal(k1, k2) ? 0 : requeue_locked(b1, k1, b2, k2, q->move);
            result += moved;
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

static int64_t futex_requeue(const struct requeue *q) {
    struct futex_key k1, k2;
    bool counted1, counted2;

    if ((int32_t)q->wake < 0 || (int32_t)q->move < 0)
        return -LINUX_EINVAL;
    int64_t result = key_get(q->from, q->shared, &k1, &counted1);
    if (result != 0)
        return result;
    result = key_get(q->to, q->shared, &k2, &counted2);
    if (result == 0) {
        result = requeue_both(q, &k1, &k2);
        key_put(&k2, counted2);
    }
    key_put(&k1, counted1);
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

// The wait's deadline on the monotonic clock: FUTEX_WAIT has a duration, FUTEX_WAIT_BITSET a point in time.
static int64_t deadline_get(uint64_t user, unsigned op, bool realtime, nstime_t *out) {
    nstime_t t;

    *out = NSTIME_NEVER;
    if (user == 0)
        return 0;
    int64_t result = linux_timespec_get(user, &t);
    if (result != 0 || t == NSTIME_NEVER)
        return result;
    if (op == FUTEX_WAIT) {
        *out = deadline_after(t);
    } else if (realtime) {
        nstime_t now = clock_wall();
        *out = t > now ? deadline_after(t - now) : 0;
    } else {
        *out = t;
    }
    return 0;
}

int64_t linux_futex(struct arch_frame *f) {
    uint64_t address = LINUX_ARG(f, 0), fourth = LINUX_ARG(f, 3), address2 = LINUX_ARG(f, 4);
    unsigned op = (unsigned)LINUX_ARG(f, 1) & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
    uint32_t value = (uint32_t)LINUX_ARG(f, 2), value3 = (uint32_t)LINUX_ARG(f, 5);
    bool shared = !(LINUX_ARG(f, 1) & FUTEX_PRIVATE), realtime = (LINUX_ARG(f, 1) & FUTEX_CLOCK_REALTIME) != 0;
    struct requeue q = {address, address2, value, (uint32_t)fourth, value3, op == FUTEX_CMP_REQUEUE, shared};
    nstime_t deadline;
    int64_t result;

    if (op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET) {
        result = deadline_get(fourth, op, realtime, &deadline);
        if (result != 0)
            return result;
        return futex_wait(address, shared, value, op == FUTEX_WAIT ? FUTEX_MATCH_ANY : value3, deadline);
    }
    if (realtime)
        return -LINUX_ENOSYS;
    switch (op) {
    case FUTEX_WAKE: return futex_wake(address, shared, MAX(value, 1u), FUTEX_MATCH_ANY);
    case FUTEX_WAKE_BITSET: return futex_wake(address, shared, MAX(value, 1u), value3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE: return futex_requeue(&q);
    case FUTEX_WAKE_OP: return futex_wake_op(address, address2, value, (uint32_t)fourth, value3, shared);
    default: return -LINUX_ENOSYS;
    }
}

// --- robust lists: locks that their owner leaves behind ---

struct robust_head {
    uint64_t next, offset, pending;
};

int64_t linux_set_robust_list(struct arch_frame *f) {
    if (LINUX_ARG(f, 1) != sizeof(struct robust_head))
        return -LINUX_EINVAL;
    linux_current()->robust_list = LINUX_ARG(f, 0);
    return 0;
}

int64_t linux_get_robust_list(struct arch_frame *f) {
    int tid = (int)LINUX_ARG(f, 0);
    uint64_t head = linux_current()->robust_list, size = sizeof(struct robust_head);

    if (tid != 0) {
        struct linux_process *p = linux_process_of_tid(tid);
        if (p == NULL)
            return -LINUX_ESRCH;
        bool allowed = linux_may_inspect(p);
        linux_process_put(p);
        if (!allowed)
            return -LINUX_EPERM;
        spin_lock(&linux_tree_lock);
        struct linux_thread *t = linux_thread_find_locked(tid);
        head = t != NULL ? t->robust_list : 0;
        spin_unlock(&linux_tree_lock);
    }
    if (arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 2), &size, sizeof(size)) != INV_OK ||
        arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &head, sizeof(head)) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}

// One lock of a dead owner: marked, and a waiter woken. pending: the owner may have died between taking it and enlisting it.
static void robust_release(uint64_t address, uint32_t tid, bool pending) {
    uint32_t user_ptr *p = (uint32_t user_ptr *)address;
    uint32_t old, seen;

    if ((address & 3) || arch_user_load32(p, &old) != INV_OK)
        return;
    if (pending && old == 0) {
        linux_futex_wake_address(address, 1);
        return;
    }
    do {
        if ((old & FUTEX_TID_MASK) != tid)
            return;
        seen = old;
        if (arch_user_cmpxchg32(p, &old, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED) != INV_OK)
            return;
    } while (old != seen);
    if (old & FUTEX_WAITERS)
        linux_futex_wake_address(address, 1);
}

// The list is the user's: every word may be wrong, and it may have no end.
void linux_robust_list_exit(struct linux_thread *t) {
    uint64_t head = t->robust_list, entry;
    struct robust_head h;

    t->robust_list = 0;
    if (arch_copy_from_user(&h, (const void user_ptr *)head, sizeof(h)) != INV_OK)
        return;
    entry = h.next;
    for (unsigned i = 0; i < ROBUST_LIMIT && (entry & ~1ull) != head; i++) {
        uint64_t next;
        bool good = arch_user_load64((const uint64_t user_ptr *)(entry & ~1ull), &next) == INV_OK;
        if ((entry & ~1ull) != (h.pending & ~1ull))
            robust_release((entry & ~1ull) + h.offset, (uint32_t)t->pid->number, false);
        if (!good)
            return;
        entry = next;
    }
    if ((h.pending & ~1ull) != 0)
        robust_release((h.pending & ~1ull) + h.offset, (uint32_t)t->pid->number, true);
}
