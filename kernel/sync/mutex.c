// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sleeping locks with priority inheritance. Thread context, may sleep. Uncontended lock and unlock are one compare-and-exchange each.
//
//     owner: 0              free, nobody waits
//            thread         held, nobody waits: the owner may leave by compare-and-exchange alone
//            thread | 1     held, waiters queue (or are about to): every change of owner goes through m->lock
//            1              free, waiters queue, the first has been woken: who comes first under m->lock has it
//
// A thread that finds the mutex held first spins a little while the owner is running, and then queues by priority and sleeps. To a waiter above the fair
// class the owner hands the mutex over, so that nobody overtakes it. In the fair class it sets the mutex free and wakes the first waiter: a thread that is
// running may be faster (else every turn of a contended lock would cost a switch), but only PASSED_MAX times for each waiter; then that one is handed
// the mutex too. An owner of the fair class that others wait for is queued in front of its class (sched_wanted): preempted among hundreds, it would make
// all who come by wait for its turn, and a lock that is passed on in order does not get rid of such a queue again.
//
// Priority inheritance. An owner's effective priority is the greatest of its own and of the first waiters of all contended mutexes that it holds
// (thread->sched.contended, mutex->top_priority: both under the owner's thread lock). When a waiter comes, leaves or changes priority, mutex_reprioritise goes
// along the chain: mutex, owner, mutex that the owner waits for, its owner ... and stops where nothing changes.
//
// Invariants:
//   I1  bit 0 set: the owner cannot change without m->lock, so under m->lock it is alive and stays owner;
//   I2  bit 0 is set while waiters is not empty; it is cleared, or the mutex handed on, under m->lock;
//   I3  t->sched.blocked_on == w exactly while w is in the waiters of w->mutex; both change together under w->mutex->lock and t->lock;
//   I4  m is on owner->sched.contended exactly while it has an owner and waiters (outside m->lock), with the first waiter's priority as top_priority;
//   I5  after the store that sets the mutex free or makes another thread its owner while waiters queue, the previous owner touches the mutex only under
//       m->lock, and who had to wait takes and leaves m->lock before it returns: so a mutex may be freed by whoever unlocks it last.
//
// Locking: m->lock (MUTEX_INTERNAL), then thread->lock (THREAD), then run queues. Along the chain the order would turn round (a thread's lock, then the lock
// of the mutex it waits for): there the inner one is only tried, and on failure all is dropped and begun again. Threads are freed through epochs, and all
// of this runs with preemption disabled, so a thread found through a mutex stays in memory although nobody counts it.
#include <kernel/assert.h>
#include <kernel/epoch.h>
#include <kernel/mutex.h>
#include <kernel/process.h>
#include <kernel/trace.h>
#include <kernel/wait.h>

#include "lock_check.h"

#define WAITERS    1ul
#define CHAIN_MAX  64  // owners along a chain of inheritance; deep directories can make longer ones
#define PASSED_MAX 2   // times that a waiter of the fair class was woken and found another owner
#define SPIN_MAX   128 // looks at a mutex whose owner is running, before sleeping

struct mutex_waiter {
    struct rb_node node; // mutex->lock
    struct thread *thread;
    struct mutex *mutex;
    uint8_t priority; // mutex->lock: its place in the tree
    uint8_t passed;   // mutex->lock
};

static inline struct thread *owner_of(uintptr_t owner) {
    return (struct thread *)(owner & ~WAITERS);
}
static inline struct thread *mutex_owner(const struct mutex *m) {
    return owner_of(atomic_load_explicit(&m->owner, memory_order_acquire));
}

void mutex_init(struct mutex *m, enum lock_rank rank) {
    *m = (struct mutex){.rank = (uint8_t)rank};
    spin_lock_init(&m->lock, LOCK_RANK_MUTEX_INTERNAL);
    list_init(&m->held);
}

static inline bool take_free(struct mutex *m) {
    uintptr_t expected = 0;
    return atomic_compare_exchange_strong_explicit(&m->owner, &expected, (uintptr_t)current_thread(),
                                                   memory_order_acquire, memory_order_relaxed);
}

static must_check inv_status_t lock_slow(struct mutex *m, enum wait_kind kind, nstime_t deadline);

void mutex_lock(struct mutex *m) {
    might_sleep();
    lock_debug_acquire(m, m->rank, __builtin_return_address(0), false);
    if (likely(take_free(m)))
        return;
    inv_status_t status = lock_slow(m, WAIT_UNINTERRUPTIBLE, NSTIME_NEVER);
    DEBUG_ASSERT(status == INV_OK);
    (void)status;
}

inv_status_t mutex_lock_killable(struct mutex *m, nstime_t deadline) {
    might_sleep();
    lock_debug_acquire(m, m->rank, __builtin_return_address(0), false);
    if (likely(take_free(m)))
        return INV_OK;
    inv_status_t status = lock_slow(m, WAIT_KILLABLE, deadline);
    if (status != INV_OK)
        lock_debug_release(m, m->rank);
    return status;
}

bool mutex_try_lock(struct mutex *m) {
    if (!take_free(m))
        return false;
    lock_debug_acquire_try(m, m->rank, __builtin_return_address(0), false);
    return true;
}

bool mutex_is_held(const struct mutex *m) {
    return mutex_owner(m) == current_thread();
}

// --- waiters and the owner's debt to them ---

static struct mutex_waiter *first_waiter(const struct mutex *m) {
    struct rb_node *n = rb_first(&m->waiters);
    return n ? rb_entry(n, struct mutex_waiter, node) : NULL;
}

static inline uint8_t priority_now(const struct thread *t) {
    return atomic_load_explicit(&t->sched.priority, memory_order_relaxed);
}

// m->lock is held.
static void tree_insert(struct mutex *m, struct mutex_waiter *w) {
    struct rb_node **link = &m->waiters.root, *parent = NULL;
    while (*link) {
        parent = *link;
        link = w->priority > rb_entry(parent, struct mutex_waiter, node)->priority ? &parent->left : &parent->right;
    }
    rb_insert(&m->waiters, &w->node, parent, link);
}

// t->lock is held. Brings t's inherited priority in line with the mutexes that it holds. True if its effective priority changed.
static bool inherit(struct thread *t) {
    uint8_t most = MAX(t->sched.lent[LENDER_FUTEX], t->sched.lent[LENDER_CALL]);
    struct mutex *m;
    list_for_each(m, &t->sched.contended, held)
        most = MAX(most, m->top_priority);
    sched_wanted(t, most != 0);
    return sched_boost(t, most);
}

// m->lock is held; owner or first waiter of m may have changed: re-establishes I4. True if the owner's effective priority changed. No owner: nothing to do.
static bool owner_settle(struct mutex *m, struct thread *owner) {
    struct mutex_waiter *first = first_waiter(m);
    if (!owner)
        return false;
    spin_lock(&owner->lock);
    list_remove(&m->held);
    if (first) {
        m->top_priority = first->priority;
        list_push_back(&owner->sched.contended, &m->held);
    }
    bool changed = inherit(owner);
    spin_unlock(&owner->lock);
    return changed;
}

// Locks the mutex that t waits for, with t in its waiters. NULL if it waits for none. Preemption is disabled.
static struct mutex *lock_blocking_mutex(struct thread *t) {
    for (;;) {
        spin_lock(&t->lock);
        struct mutex_waiter *w = t->sched.blocked_on;
        struct mutex *m = w ? w->mutex : NULL;
        bool got = !m || spin_try_lock(&m->lock);
        spin_unlock(&t->lock); // I3: with m->lock held, t stays among the waiters
        if (got)
            return m;
        arch_pause();
    }
}

// t's effective priority changed: passes it on along the chain of owners. No lock is held.
void mutex_reprioritise(struct thread *t) {
    epoch_enter();
    for (unsigned depth = 0;; depth++) {
        struct mutex *m = lock_blocking_mutex(t);
        if (!m)
            break;
        struct mutex_waiter *w = t->sched.blocked_on;
        uint8_t priority = atomic_load_explicit(&t->sched.priority, memory_order_relaxed);
        bool changed = false;
        struct thread *owner = mutex_owner(m);
        if (w->priority != priority) {
            rb_remove(&m->waiters, &w->node);
            w->priority = priority;
            tree_insert(m, w);
            changed = owner_settle(m, owner);
        }
        spin_unlock(&m->lock);
        if (!changed || depth >= CHAIN_MAX)
            break;
        t = owner;
    }
    epoch_exit();
}

void mutex_lend(struct thread *t, enum lender who, uint8_t priority) {
    spin_lock(&t->lock);
    t->sched.lent[who] = priority;
    bool changed = inherit(t);
    spin_unlock(&t->lock);
    if (changed)
        mutex_reprioritise(t);
}

// --- contended lock ---

// Spins while the owner is running on another processor. True if the mutex was taken.
static bool spin_for(struct mutex *m) {
    bool taken = false;
    epoch_enter();
    for (unsigned i = 0; i < SPIN_MAX && !taken; i++) {
        uintptr_t seen = atomic_load_explicit(&m->owner, memory_order_acquire);
        const struct thread *owner = owner_of(seen);
        if (seen == WAITERS || (owner && !atomic_load_explicit(&owner->sched.on_cpu, memory_order_relaxed)))
            break;
        taken = !seen && take_free(m);
        arch_pause();
    }
    epoch_exit();
    return taken;
}

// m->lock is held, the mutex is free with waiters: makes the current thread, which is not among them, the owner if it may be.
static bool overtake(struct mutex *m) {
    struct mutex_waiter *first = first_waiter(m);
    struct thread *self = current_thread();
    if (first->passed >= PASSED_MAX && priority_now(self) <= first->priority)
        return false;
    atomic_store_explicit(&m->owner, (uintptr_t)self | WAITERS, memory_order_relaxed);
    owner_settle(m, self);
    return true;
}

// m->lock is held. Takes the mutex if it has become free (true), or makes sure that its owner will find m->lock in its way (I1).
static bool take_or_mark(struct mutex *m) {
    uintptr_t seen = atomic_load_explicit(&m->owner, memory_order_relaxed);
    for (;;) {
        if (seen == WAITERS)
            return overtake(m);
        uintptr_t wanted = seen ? seen | WAITERS : (uintptr_t)current_thread();
        if (atomic_compare_exchange_weak_explicit(&m->owner, &seen, wanted, memory_order_acquire, memory_order_relaxed))
            return seen == 0;
    }
}

static void set_blocked_on(struct thread *t, struct mutex_waiter *w) {
    spin_lock(&t->lock);
    t->sched.blocked_on = w;
    if (w)
        w->priority = atomic_load_explicit(&t->sched.priority, memory_order_relaxed);
    spin_unlock(&t->lock);
}

// m->lock is held; releases it.
static void enqueue(struct mutex *m, struct mutex_waiter *w) {
    struct thread *owner = mutex_owner(m);
    set_blocked_on(w->thread, w);
    tree_insert(m, w);
    bool changed = owner_settle(m, owner);
    epoch_enter();
    spin_unlock(&m->lock);
    if (changed)
        mutex_reprioritise(owner);
    epoch_exit();
}

// After a sleep: OK if the mutex was handed over or is free and taken now; SHOULD_WAIT if another thread has it; or slept, the reason to give up, and w is
// a waiter no more.
static inv_status_t wait_settle(struct mutex *m, struct mutex_waiter *w, inv_status_t slept) {
    spin_lock(&m->lock); // also I5: the previous owner has left m->lock
    struct thread *owner = mutex_owner(m);
    if (owner == w->thread) {
        spin_unlock(&m->lock);
        return INV_OK;
    }
    if (owner && slept == INV_OK) {
        w->passed += w->passed < PASSED_MAX;
        spin_unlock(&m->lock);
        return INV_ERR_SHOULD_WAIT;
    }
    rb_remove(&m->waiters, &w->node);
    set_blocked_on(w->thread, NULL);
    struct thread *then = owner ? owner : w->thread;
    atomic_store_explicit(&m->owner, (uintptr_t)then | (m->waiters.root ? WAITERS : 0), memory_order_relaxed);
    bool changed = owner_settle(m, then);
    epoch_enter();
    spin_unlock(&m->lock);
    if (changed && owner)
        mutex_reprioritise(owner);
    epoch_exit();
    return owner ? slept : INV_OK;
}

static bool may_have(const struct mutex *m, const struct thread *t) {
    const struct thread *owner = mutex_owner(m);
    return !owner || owner == t;
}

static cold_fn inv_status_t lock_slow(struct mutex *m, enum wait_kind kind, nstime_t deadline) {
    struct thread *self = current_thread();
    struct mutex_waiter w = {.thread = self, .mutex = m};
    inv_status_t status;

    DEBUG_ASSERT(mutex_owner(m) != self);
    if (spin_for(m))
        return INV_OK;
    spin_lock(&m->lock);
    if (take_or_mark(m)) {
        spin_unlock(&m->lock);
        return INV_OK;
    }
    trace(mutex_wait, m, mutex_owner(m), 0);
    enqueue(m, &w);
    do {
        inv_status_t slept = INV_OK;
        thread_sleep_prepare(kind);
        if (!may_have(m, self))
            slept = thread_sleep(deadline);
        thread_sleep_finish();
        status = wait_settle(m, &w, slept);
    } while (status == INV_ERR_SHOULD_WAIT);
    trace(mutex_acquired, m, status, 0);
    return status;
}

// --- unlock ---

// m->lock is held: self is not the owner any more as far as inheritance goes.
static void disown(struct mutex *m, struct thread *self) {
    spin_lock(&self->lock);
    list_remove(&m->held);
    inherit(self);
    spin_unlock(&self->lock);
}

// m->lock is held: sets the mutex free and returns the first waiter, to be woken.
static struct thread *set_free(struct mutex *m) {
    struct thread *next = first_waiter(m)->thread;
    atomic_store_explicit(&m->owner, WAITERS, memory_order_release);
    return next;
}

// m->lock is held: makes the first waiter the owner and returns it.
static struct thread *hand_over(struct mutex *m) {
    struct mutex_waiter *w = first_waiter(m);
    struct thread *next = w->thread;

    rb_remove(&m->waiters, &w->node);
    struct mutex_waiter *first = first_waiter(m);
    spin_lock(&next->lock);
    next->sched.blocked_on = NULL;
    if (first) { // not more urgent than next: nothing is inherited now, but next may be lowered later
        m->top_priority = first->priority;
        list_push_back(&next->sched.contended, &m->held);
        inherit(next);
    }
    spin_unlock(&next->lock);
    // From here on next may find itself the owner (I5).
    atomic_store_explicit(&m->owner, (uintptr_t)next | (first ? WAITERS : 0), memory_order_release);
    return next;
}

static cold_fn void unlock_slow(struct mutex *m) {
    struct thread *self = current_thread();

    for (;;) {
        spin_lock(&m->lock);
        if (m->waiters.root) {
            const struct mutex_waiter *first = first_waiter(m);
            bool hand = first->priority > PRIORITY_FAIR || first->passed >= PASSED_MAX;
            disown(m, self);
            struct thread *next = hand ? hand_over(m) : set_free(m);
            epoch_enter(); // next may run and exit as soon as m->lock is free
            spin_unlock(&m->lock);
            sched_wake(next);
            epoch_exit();
            return;
        }
        // The waiters gave up (or have not queued yet, and will find the mutex free): leave by the front door.
        atomic_store_explicit(&m->owner, (uintptr_t)self, memory_order_relaxed);
        spin_unlock(&m->lock);
        uintptr_t expected = (uintptr_t)self;
        if (atomic_compare_exchange_strong_explicit(&m->owner, &expected, 0, memory_order_release,
                                                    memory_order_relaxed))
            return;
    }
}

void mutex_unlock(struct mutex *m) {
    uintptr_t expected = (uintptr_t)current_thread();

    DEBUG_ASSERT(mutex_is_held(m));
    lock_debug_release(m, m->rank);
    if (likely(atomic_compare_exchange_strong_explicit(&m->owner, &expected, 0, memory_order_release,
                                                       memory_order_relaxed)))
        return;
    unlock_slow(m);
}
