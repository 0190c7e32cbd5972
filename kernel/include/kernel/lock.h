// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Spin locks: ticket locks that disable preemption. A lock that is also taken in interrupt context is taken with the _irq forms everywhere. Under a spin lock: no
// wait, no user copy, no last reference dropped, no call upward. All ranks of all locks, spinning and sleeping, stand in lock_rank.h; a debug build checks
// that ranks only rise on each thread.
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <arch/cpu.h>
#include <kernel/lock_rank.h>
#include <kernel/types.h>

struct spinlock {
    _Atomic uint32_t ticket; // next free ticket << 16 | now serving... private to kernel/sync/spinlock.c
    uint8_t rank;            // enum lock_rank
#ifdef CONFIG_DEBUG
    uint32_t owner_cpu;
    const void *taken_at;
#endif
};
#define SPINLOCK_INIT(rank_) \
    { .ticket = 0, .rank = (rank_) }

void spin_init_boot(void); // chooses the order in which waiters are served: see kernel/sync/spinlock.c
void spin_lock_init(struct spinlock *l, enum lock_rank rank);
void spin_lock(struct spinlock *l);
must_check bool spin_try_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
must_check irq_flags_t spin_lock_irq(struct spinlock *l);
void spin_unlock_irq(struct spinlock *l, irq_flags_t flags);
bool spin_is_held(const struct spinlock *l); // by this processor: for assertions; always true without CONFIG_DEBUG

#endif
