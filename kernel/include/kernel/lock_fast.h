// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Spin locks without a call, for paths whose instructions are counted. Interrupts are off all the while, which is all the protection from preemption there
// is: nothing that may switch threads, or counts preemption, may happen between. Debug builds take the ordinary way, so that ranks are checked.
#ifndef KERNEL_LOCK_FAST_H
#define KERNEL_LOCK_FAST_H

#include <kernel/lock.h>

#ifdef CONFIG_DEBUG
static inline must_check bool spin_try_fast(struct spinlock *l) {
    return spin_try_lock(l);
}
static inline void spin_unlock_fast(struct spinlock *l) {
    spin_unlock(l);
}
#else
// False: somebody has it, or waits for it. A free lock's halves are equal (kernel/sync/spinlock.c): who finds the word otherwise than made of its low half
// finds it taken.
static always_inline must_check bool spin_try_fast(struct spinlock *l) {
    uint32_t free = arch_both_halves(atomic_load_explicit((_Atomic uint16_t *)&l->ticket, memory_order_relaxed));
    return likely(atomic_compare_exchange_strong_explicit(&l->ticket, &free, free + (1u << 16), memory_order_acquire,
                                                          memory_order_relaxed));
}
static always_inline void spin_unlock_fast(struct spinlock *l) {
    arch_add16_release((_Atomic uint16_t *)&l->ticket, 1);
}
#endif

#endif
