// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Locks with priority inheritance, between futex_pi.c (locks, owners, chains) and futex_pi_requeue.c (waits that become waits for a lock).
#ifndef LINUX_FUTEX_PI_H
#define LINUX_FUTEX_PI_H

#include "futex.h"

struct futex_pi {
    struct futex_key key;
    unsigned users; // bucket lock
    /* pi_owners_lock: */
    struct linux_thread *owner; // NULL: it has ended and nobody waited
    struct list_node held;
    struct list_node waiters; // futex_pi_waiter.node: the most urgent first
};
struct futex_pi_waiter {
    struct futex_waiter futex;
    struct linux_thread *thread;
    /* pi_owners_lock: */
    struct list_node node;
    struct futex_pi *pi;
    uint8_t priority;
    bool granted; // it is the owner
    bool died;    // ... of a lock whose owner ended: the word does not say so yet
};

struct pi_take {
    uint64_t address; // of the word, in the caller's memory
    const struct futex_key *key;
    struct futex_bucket *bucket;
    struct linux_thread *thread; // who is to own it
    struct linux_thread *owner;  // whom the word was seen to name; NULL: nobody. Counted
    uint32_t owner_tid;
    struct futex_pi *spare; // memory for the lock's state, taken if it is needed
    bool proxy;             // thread is not the caller: its lock's state is wanted in any case
    bool waiters;           // others are going to wait behind it: the word says so
};
// What a try comes to, beside an error: with the last three it begins anew, after the word's page was brought in, or a pause.
enum { TAKE_WAIT, TAKE_OWNED, TAKE_AGAIN, TAKE_TOUCH, TAKE_PAUSE };

// Locking: bucket lock → pi_owners_lock (FUTEX_OWNER) → scheduler.
extern struct spinlock pi_owners_lock;

static inline bool pi_take_again(int64_t result) {
    return result >= TAKE_AGAIN;
}
// The first waiter of that key, or NULL. Bucket lock held.
struct futex_waiter *pi_waiter_find(struct futex_bucket *b, const struct futex_key *key);
// pi_owners_lock held. w waits for p. EDEADLK.
int64_t pi_block(struct futex_pi *p, struct futex_pi_waiter *w);
// Looks up the owner that the word names, and has memory ready; pi_take_finish gives the owner back (the memory is the caller's to free: spare). No lock
// held. EFAULT, ENOMEM.
int64_t pi_take_prepare(struct pi_take *k);
void pi_take_finish(struct pi_take *k);
// Both locks held. TAKE_OWNED: the thread owns it now, *out is its state if that is wanted. TAKE_WAIT: *out is what it has to wait for. Else an error, or
// what to do first (pi_take_again, pi_take_repeat).
int64_t pi_take_locked(struct pi_take *k, struct futex_pi **out);
// After a try that begins anew: TAKE_AGAIN, or why not. No lock held; may sleep. EFAULT, EINTR.
int64_t pi_take_repeat(struct pi_take *k, int64_t why);
// A state that was made and that nobody has joined becomes k's spare memory. Bucket lock held.
void pi_state_unused(struct futex_pi *p, struct pi_take *k);
// Sleeps as a waiter that is on the bucket's list, and leaves it. 0: it owns the lock; ETIMEDOUT, EINTR, EFAULT.
int64_t pi_sleep(struct futex_pi_waiter *w, uint64_t address, nstime_t deadline);

#endif
