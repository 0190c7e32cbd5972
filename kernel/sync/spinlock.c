// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Spin locks: ticket locks, first come first served. Any context; a lock that an interrupt handler takes is taken with the _irq forms everywhere.
//
//      31            16 15             0
//     +----------------+----------------+
//     |  next ticket   |  now serving   |     free: both are equal
//     +----------------+----------------+
// On a virtual machine the turn is given up: whoever finds the lock free takes it, as the next in turn may be a processor that its host has stopped, and
// all others would wait for the host. Both ways work on the same word (a ticket is then drawn only in the moment in which it is the one served), so
// the choice is made at boot without regard to who holds what.
//
// Invariants:
//   I1  the holder alone changes "now serving", so that it may be stored without an atomic read-modify-write;
//   I2  preemption is disabled from before the ticket is drawn until after the lock is given back: at most one ticket a processor is outstanding for
//       each context (thread, interrupt), so 16 bits never wrap onto a waiter;
//   I3  the unlocking store is the last touch of the lock's memory.
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/lock.h>

#include "lock_check.h"

#define TICKET_SHIFT 16
#define TICKET_ONE   (1u << TICKET_SHIFT)

static inline uint16_t serving_of(uint32_t ticket) {
    return (uint16_t)ticket;
}
// The low half as an object of its own (all our architectures are little endian).
static inline _Atomic uint16_t *serving_half(struct spinlock *l) {
    return (_Atomic uint16_t *)&l->ticket;
}

static bool in_turn = true; // written once at boot

void spin_init_boot(void) {
    in_turn = !arch_is_virtual();
}

void spin_lock_init(struct spinlock *l, enum lock_rank rank) {
    *l = (struct spinlock)SPINLOCK_INIT((uint8_t)rank);
}

// Takes the lock if it is free.
static always_inline bool spin_take(struct spinlock *l) {
    uint32_t seen = atomic_load_explicit(&l->ticket, memory_order_relaxed);
    return serving_of(seen) == (uint16_t)(seen >> TICKET_SHIFT) &&
           atomic_compare_exchange_strong_explicit(&l->ticket, &seen, seen + TICKET_ONE, memory_order_acquire,
                                                   memory_order_relaxed);
}

static cold_fn __attribute__((noinline)) void acquire_contended(struct spinlock *l) {
    if (!in_turn) {
        do
            arch_pause();
        while (!spin_take(l));
        return;
    }
    uint32_t drawn = atomic_fetch_add_explicit(&l->ticket, TICKET_ONE, memory_order_acquire);
    uint16_t mine = (uint16_t)(drawn >> TICKET_SHIFT);
    while (serving_of(atomic_load_explicit(&l->ticket, memory_order_acquire)) != mine)
        arch_pause();
}

static always_inline void acquire(struct spinlock *l, const void *at) {
    lock_debug_acquire(l, l->rank, at, true);
    if (unlikely(!spin_take(l)))
        acquire_contended(l);
    spinlock_check_taken(l, at);
}

static always_inline void release(struct spinlock *l) {
    DEBUG_ASSERT(spinlock_check_held(l));
    lock_debug_release(l, l->rank);
    spinlock_check_released(l);
    uint16_t serving = serving_of(atomic_load_explicit(&l->ticket, memory_order_relaxed));
    atomic_store_explicit(serving_half(l), (uint16_t)(serving + 1), memory_order_release);
}

void spin_lock(struct spinlock *l) {
    delay_point();
    preempt_disable();
    acquire(l, __builtin_return_address(0));
}

bool spin_try_lock(struct spinlock *l) {
    preempt_disable();
    if (spin_take(l)) {
        lock_debug_acquire_try(l, l->rank, __builtin_return_address(0), true);
        spinlock_check_taken(l, __builtin_return_address(0));
        return true;
    }
    preempt_enable();
    return false;
}

void spin_unlock(struct spinlock *l) {
    release(l);
    preempt_enable();
}

irq_flags_t spin_lock_irq(struct spinlock *l) {
    delay_point();
    irq_flags_t flags = arch_irq_save();
    preempt_disable();
    acquire(l, __builtin_return_address(0));
    return flags;
}

void spin_unlock_irq(struct spinlock *l, irq_flags_t flags) {
    release(l);
    arch_irq_restore(flags);
    preempt_enable();
}

bool spin_is_held(const struct spinlock *l) {
    return spinlock_check_held(l);
}
