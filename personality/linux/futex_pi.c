// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Futexes with priority inheritance: LOCK_PI, TRYLOCK_PI, UNLOCK_PI; what threads wait for and own. futex_pi_requeue.c has condition variables.
// docs/futexes.md gives the theory. Context: system call.
//
// The word holds its owner's number, so a lock without waiters is user memory alone. While threads wait for it there is a struct futex_pi: its owner, and the
// waiters by priority. The owner inherits the priority of the most urgent waiter of all that it owns (mutex_lend), and passes it on to the owner of what it
// waits for itself. An unlock makes the most urgent waiter the owner, in the word and here, before that thread runs.
//
// Invariants:
//   I1 a futex_pi is there while a waiter of its word is on the bucket's list: users counts them. The new owner of a lock stays there until it has run.
//   I2 p is on p->owner->locks.held exactly while it has an owner; t->locks.blocked == w exactly while w is on its lock's waiters.
//   I3 what an owner has been lent is the greatest priority among the first waiters of all on its held list, and owners are never in a circle.
//   I4 a thread that has closed its locks owns none, and is given none.
// Locking: bucket lock → pi_owners_lock (FUTEX_OWNER: all of the above but the list in the bucket) → scheduler. One lock for all, so that a chain is looked at, and
// changed, as a whole; a lock that nobody waits for never comes here.
#include "futex_pi.h"

#include <arch/usercopy.h>
#include <kernel/mutex.h>
#include <kernel/slab.h>
#include <kernel/time.h>

#define CHAIN_MAX   1024 // owners looked at: a longer chain counts as a circle
#define OWNER_PAUSE (200 * NSEC_PER_USEC)

struct spinlock pi_owners_lock = SPINLOCK_INIT(LOCK_RANK_FUTEX_OWNER);

// --- owners and waiters: pi_owners_lock held ---

static uint8_t priority_of(const struct linux_thread *t) {
    return atomic_load_explicit(&t->thread->sched.priority, memory_order_relaxed);
}

static struct futex_pi_waiter *first_waiter(const struct futex_pi *p) {
    return list_empty(&p->waiters) ? NULL : list_first(&p->waiters, struct futex_pi_waiter, node);
}

static void waiter_insert(struct futex_pi *p, struct futex_pi_waiter *w) {
    struct list_node *after = p->waiters.prev;

    w->priority = priority_of(w->thread);
    while (after != &p->waiters && list_entry(after, struct futex_pi_waiter, node)->priority < w->priority)
        after = after->prev;
    list_insert_between(&w->node, after, after->next);
}

static void lend(struct linux_thread *owner) {
    const struct futex_pi *p;
    uint8_t most = 0;

    list_for_each(p, &owner->locks.held, held)
        most = MAX(most, first_waiter(p) != NULL ? first_waiter(p)->priority : 0);
    mutex_lend(owner->thread, LENDER_FUTEX, most);
}

// The waiters of p, or their priorities, have changed: what its owner inherits, and along the chain of owners (I3).
static void settle(struct futex_pi *p) {
    for (unsigned depth = 0; p != NULL && p->owner != NULL && depth < CHAIN_MAX; depth++) {
        struct linux_thread *owner = p->owner;
        struct futex_pi_waiter *w = owner->locks.blocked;
        uint8_t before = priority_of(owner);

        lend(owner);
        if (w == NULL || priority_of(owner) == before)
            return;
        list_remove(&w->node);
        waiter_insert(w->pi, w);
        p = w->pi;
    }
}

static void owner_set(struct futex_pi *p, struct linux_thread *owner) {
    struct linux_thread *old = p->owner;

    if (old != NULL) {
        list_remove(&p->held);
        lend(old);
    }
    p->owner = owner;
    if (owner != NULL) {
        list_push_back(&owner->locks.held, &p->held);
        lend(owner);
    }
}

// Would w's thread wait for itself?
static bool circle(const struct futex_pi *p, const struct linux_thread *t) {
    for (unsigned depth = 0; depth < CHAIN_MAX; depth++) {
        const struct linux_thread *owner = p->owner;
        if (owner == t)
            return true;
        if (owner == NULL || owner->locks.blocked == NULL)
            return false;
        p = owner->locks.blocked->pi;
    }
    return true;
}

// EDEADLK, or w waits.
int64_t pi_block(struct futex_pi *p, struct futex_pi_waiter *w) {
    if (circle(p, w->thread))
        return -LINUX_EDEADLK;
    w->pi = p;
    w->thread->locks.blocked = w;
    waiter_insert(p, w);
    settle(p);
    return 0;
}

static void unblock(struct futex_pi_waiter *w) {
    list_remove(&w->node);
    w->thread->locks.blocked = NULL;
}

// Makes the first waiter the owner and wakes it. died: the word has to be told by the new owner.
static void grant(struct futex_pi *p, bool died) {
    struct futex_pi_waiter *w = first_waiter(p);

    unblock(w);
    owner_set(p, w->thread);
    w->died = died;
    *(volatile bool *)&w->granted = true;
    sched_wake(w->thread->thread);
}

void linux_futex_pi_exit(struct linux_thread *t) {
    spin_lock(&pi_owners_lock);
    t->locks.closed = true;
    while (!list_empty(&t->locks.held)) {
        struct futex_pi *p = list_first(&t->locks.held, struct futex_pi, held);
        if (first_waiter(p) != NULL)
            grant(p, true);
        else
            owner_set(p, NULL);
    }
    spin_unlock(&pi_owners_lock);
}

void linux_futex_pi_begin(struct linux_thread *t) {
    spin_lock(&pi_owners_lock);
    t->locks.closed = false;
    spin_unlock(&pi_owners_lock);
}

void linux_futex_pi_reprioritise(struct linux_thread *t) {
    spin_lock(&pi_owners_lock);
    struct futex_pi_waiter *w = t->locks.blocked;
    if (w != NULL) {
        list_remove(&w->node);
        waiter_insert(w->pi, w);
        settle(w->pi);
    }
    spin_unlock(&pi_owners_lock);
}

// --- the word ---

// With a bucket's lock held. FAULT: the page has to be touched without it.
static bool word_change(uint64_t address, uint32_t *expected, uint32_t desired, inv_status_t *out_status) {
    uint32_t seen = *expected;

    *out_status = arch_user_cmpxchg32_nofault((uint32_t user_ptr *)address, expected, desired);
    return *out_status == INV_OK && *expected == seen;
}

// Brings the page in for writing, without a lock. EFAULT, EINTR.
static int64_t word_touch(uint64_t address) {
    uint32_t value = 0;

    if (arch_user_cmpxchg32((uint32_t user_ptr *)address, &value, value) != INV_OK)
        return -LINUX_EFAULT;
    return thread_killed(current_thread()) ? -LINUX_EINTR : 0;
}

// The live thread that a word names. Its core thread is counted, which keeps it.
static struct linux_thread *owner_find(uint32_t tid) {
    spin_lock(&linux_tree_lock);
    struct linux_thread *t = linux_thread_find_locked((int)tid);
    if (t != NULL)
        object_get(&t->thread->obj);
    spin_unlock(&linux_tree_lock);
    return t;
}

struct futex_waiter *pi_waiter_find(struct futex_bucket *b, const struct futex_key *key) {
    struct futex_waiter *w;

    list_for_each(w, &b->waiters, node)
        if (futex_key_equal(&w->key, key))
            return w;
    return NULL;
}

// --- taking a lock for a thread: the caller, or one that is requeued (struct pi_take) ---

static struct futex_pi *state_begin(struct pi_take *k, struct linux_thread *owner) {
    struct futex_pi *p = k->spare;

    k->spare = NULL;
    p->key = *k->key;
    p->users = 0;
    p->owner = NULL;
    list_init(&p->held);
    list_init(&p->waiters);
    owner_set(p, owner);
    return p;
}

// Does the word agree with the state that is there?
static int64_t state_check(const struct futex_pi *p, uint32_t word) {
    uint32_t tid = word & FUTEX_TID_MASK;

    if ((word & FUTEX_OWNER_DIED) && tid == 0)
        return 0;
    if (p->owner == NULL || p->owner->pid == NULL || (uint32_t)p->owner->pid->number != tid) {
        // A new owner that has not run yet after its predecessor's end.
        const struct futex_waiter *w;
        struct futex_bucket *b = futex_bucket_of(&p->key);
        list_for_each(w, &b->waiters, node)
            if (w->pi == p && container_of(w, struct futex_pi_waiter, futex)->died)
                return 0;
        return -LINUX_EINVAL;
    }
    return 0;
}

// Bucket lock held. TAKE_OWNED: the thread owns it now, *out is its state if that is wanted. TAKE_WAIT: *out is what it has to wait for. Else an error, or what
// to do first.
int64_t pi_take_locked(struct pi_take *k, struct futex_pi **out) {
    uint32_t word, tid = (uint32_t)k->thread->pid->number;
    inv_status_t s;

    *out = NULL;
    if (arch_user_load32_nofault((const uint32_t user_ptr *)k->address, &word) != INV_OK)
        return TAKE_TOUCH;
    if ((word & FUTEX_TID_MASK) == tid)
        return -LINUX_EDEADLK;
    struct futex_waiter *top = pi_waiter_find(k->bucket, k->key);
    if (top != NULL) {
        if (top->pi == NULL)
            return -LINUX_EINVAL;
        int64_t result = state_check(top->pi, word);
        *out = top->pi;
        return result != 0 ? result : TAKE_WAIT;
    }
    uint32_t fresh = word & FUTEX_TID_MASK ? word | FUTEX_WAITERS
                                           : (word & FUTEX_OWNER_DIED) | tid | (k->waiters ? FUTEX_WAITERS : 0);
    if ((word & FUTEX_TID_MASK) != k->owner_tid)
        return TAKE_AGAIN; // somebody else to be looked up
    if (!word_change(k->address, &word, fresh, &s))
        return s != INV_OK ? TAKE_TOUCH : TAKE_AGAIN;
    if (k->owner_tid == 0) {
        if (k->proxy)
            *out = state_begin(k, k->thread);
        return TAKE_OWNED;
    }
    if (k->owner == NULL)
        return -LINUX_ESRCH;
    if (k->owner->locks.closed)
        return TAKE_PAUSE; // it is about to leave, and will say so in the word
    *out = state_begin(k, k->owner);
    return TAKE_WAIT;
}

// Looks the owner up that the word names. EFAULT.
int64_t pi_take_prepare(struct pi_take *k) {
    uint32_t word;

    if (arch_user_load32((const uint32_t user_ptr *)k->address, &word) != INV_OK)
        return -LINUX_EFAULT;
    k->owner_tid = word & FUTEX_TID_MASK;
    k->owner = k->owner_tid != 0 ? owner_find(k->owner_tid) : NULL;
    if (k->spare == NULL)
        k->spare = kmalloc(sizeof(*k->spare));
    return k->spare != NULL ? 0 : -LINUX_ENOMEM;
}

void pi_take_finish(struct pi_take *k) {
    if (k->owner != NULL)
        object_put(&k->owner->thread->obj);
    k->owner = NULL;
}

// After a try that begins anew: TAKE_AGAIN, or why not.
int64_t pi_take_repeat(struct pi_take *k, int64_t why) {
    int64_t result = why == TAKE_TOUCH ? word_touch(k->address) : 0;

    if (why == TAKE_PAUSE)
        (void)!thread_sleep_until(deadline_after(OWNER_PAUSE), WAIT_KILLABLE);
    return result != 0 ? result : thread_killed(current_thread()) ? -LINUX_EINTR : TAKE_AGAIN;
}

// --- waiting for a lock ---

// One user less; the last frees the state. Bucket lock held; what is to be freed is returned.
static struct futex_pi *state_leave(struct futex_pi *p) {
    if (--p->users > 0)
        return NULL;
    spin_lock(&pi_owners_lock);
    owner_set(p, NULL);
    spin_unlock(&pi_owners_lock);
    return p;
}

// The thread has become the owner by its predecessor's end: the word is made to say so. EFAULT.
static int64_t word_inherit(uint64_t address) {
    uint32_t user_ptr *p = (uint32_t user_ptr *)address;
    uint32_t tid = (uint32_t)linux_current()->pid->number, old, seen;

    if (arch_user_load32(p, &old) != INV_OK)
        return -LINUX_EFAULT;
    do {
        seen = old;
        if (arch_user_cmpxchg32(p, &old, tid | FUTEX_WAITERS | FUTEX_OWNER_DIED) != INV_OK)
            return -LINUX_EFAULT;
    } while (old != seen);
    return 0;
}

// The word cannot be written, so the lock is not taken: it goes to the next.
static void pass_on(struct futex_pi *p) {
    spin_lock(&pi_owners_lock);
    if (first_waiter(p) != NULL)
        grant(p, true);
    else
        owner_set(p, NULL);
    spin_unlock(&pi_owners_lock);
}

// w is on the bucket's list and, unless it is granted already, among the waiters. Leaves both. 0: it owns the lock; ETIMEDOUT, EINTR, EFAULT.
int64_t pi_sleep(struct futex_pi_waiter *w, uint64_t address, nstime_t deadline) {
    inv_status_t s = INV_OK;
    int64_t result = 0;

    for (;;) {
        thread_sleep_prepare(WAIT_INTERRUPTIBLE);
        if (*(volatile bool *)&w->granted || s != INV_OK)
            break;
        s = thread_sleep(deadline);
    }
    thread_sleep_finish();
    spin_lock(&pi_owners_lock);
    if (!w->granted) {
        unblock(w);
        settle(w->pi);
        result = s == INV_ERR_TIMED_OUT ? -LINUX_ETIMEDOUT : -LINUX_EINTR;
    }
    spin_unlock(&pi_owners_lock);
    if (w->died)
        result = word_inherit(address);
    if (w->died && result != 0)
        pass_on(w->pi);
    struct futex_bucket *b = atomic_load(&w->futex.bucket);
    spin_lock(&b->lock);
    list_remove(&w->futex.node);
    atomic_fetch_sub_explicit(&b->expected, 1, memory_order_relaxed);
    struct futex_pi *gone = state_leave(w->pi);
    spin_unlock(&b->lock);
    kfree(gone);
    return result;
}

// Bucket lock held: w joins the list as a user of p, and waits. EDEADLK.
static int64_t pi_join(struct futex_bucket *b, struct futex_pi *p, struct futex_pi_waiter *w) {
    spin_lock(&pi_owners_lock);
    int64_t result = pi_block(p, w);
    spin_unlock(&pi_owners_lock);
    if (result == 0) {
        p->users++;
        w->futex.pi = p;
        atomic_fetch_add_explicit(&b->expected, 1, memory_order_relaxed);
        futex_enqueue(b, &w->futex);
    }
    return result;
}

// A state that was made and that nobody has joined. Bucket lock held.
void pi_state_unused(struct futex_pi *p, struct pi_take *k) {
    if (p == NULL || p->users != 0)
        return;
    spin_lock(&pi_owners_lock);
    owner_set(p, NULL);
    spin_unlock(&pi_owners_lock);
    k->spare = p;
}

static int64_t take_under_lock(struct pi_take *k, struct futex_pi_waiter *w, bool try) {
    struct futex_pi *p;

    spin_lock(&k->bucket->lock);
    spin_lock(&pi_owners_lock);
    int64_t result = pi_take_locked(k, &p);
    spin_unlock(&pi_owners_lock);
    if (result == TAKE_WAIT) {
        result = try ? -LINUX_EAGAIN : pi_join(k->bucket, p, w);
        pi_state_unused(p, k);
    }
    spin_unlock(&k->bucket->lock);
    return result;
}

int64_t futex_pi_lock(uint64_t address, bool shared, nstime_t deadline, bool try) {
    struct futex_pi_waiter w = {
        .futex.thread = current_thread(), .futex.bits = FUTEX_MATCH_ANY, .thread = linux_current()};
    struct pi_take k = {.address = address, .thread = linux_current()};
    struct futex_key key;
    bool counted;
    int64_t result = futex_key_get(address, shared, &key, &counted);

    if (result != 0)
        return result;
    w.futex.key = key;
    k.key = &key;
    k.bucket = futex_bucket_of(&key);
    do {
        result = pi_take_prepare(&k);
        if (result == 0)
            result = take_under_lock(&k, &w, try);
        pi_take_finish(&k);
        if (pi_take_again(result))
            result = pi_take_repeat(&k, result);
    } while (pi_take_again(result));
    kfree(k.spare);
    if (result == TAKE_OWNED)
        result = 0;
    else if (result == TAKE_WAIT)
        result = pi_sleep(&w, address, deadline);
    futex_key_put(&key, counted);
    return result == -LINUX_EINTR ? -LINUX_ERESTARTNOINTR : result;
}

// --- unlock ---

// Bucket lock held. TAKE_AGAIN, TAKE_TOUCH, EINVAL.
static int64_t unlock_locked(struct futex_bucket *b, const struct futex_key *key, uint64_t address, uint32_t word) {
    struct futex_waiter *top = pi_waiter_find(b, key);
    uint32_t seen = word, fresh = 0;
    inv_status_t s;

    if (top != NULL) {
        if (top->pi == NULL || top->pi->owner != linux_current())
            return -LINUX_EINVAL;
        if (first_waiter(top->pi) != NULL)
            fresh = (uint32_t)first_waiter(top->pi)->thread->pid->number | FUTEX_WAITERS;
    }
    if (!word_change(address, &seen, fresh, &s))
        return s != INV_OK                       ? TAKE_TOUCH
               : top == NULL                     ? TAKE_AGAIN
               : (seen & FUTEX_TID_MASK) == word ? TAKE_AGAIN // a waiter has marked it meanwhile
                                                 : -LINUX_EINVAL;
    if (fresh != 0)
        grant(top->pi, false);
    else if (top != NULL)
        owner_set(top->pi, NULL);
    return 0;
}

int64_t futex_pi_unlock(uint64_t address, bool shared) {
    struct futex_key key;
    uint32_t word;
    bool counted;

    for (;;) {
        if (arch_user_load32((const uint32_t user_ptr *)address, &word) != INV_OK)
            return -LINUX_EFAULT;
        if ((word & FUTEX_TID_MASK) != (uint32_t)linux_current()->pid->number)
            return -LINUX_EPERM;
        int64_t result = futex_key_get(address, shared, &key, &counted);
        if (result != 0)
            return result;
        struct futex_bucket *b = futex_bucket_of(&key);
        spin_lock(&b->lock);
        spin_lock(&pi_owners_lock);
        result = unlock_locked(b, &key, address, word);
        spin_unlock(&pi_owners_lock);
        spin_unlock(&b->lock);
        futex_key_put(&key, counted);
        if (!pi_take_again(result))
            return result;
        if (result == TAKE_TOUCH && (result = word_touch(address)) != 0)
            return result;
        if (thread_killed(current_thread()))
            return -LINUX_EINTR;
    }
}
