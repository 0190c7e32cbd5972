// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What a debug build adds to a spin lock: owner and place, checked and set by kernel/sync/spinlock.c. Empty in release builds.
#ifndef SYNC_LOCK_CHECK_H
#define SYNC_LOCK_CHECK_H

#include <kernel/lock.h>

#ifdef CONFIG_DEBUG
// As lock_debug_acquire, for a lock that was had without waiting for it: no order can be wrong.
void lock_debug_acquire_try(const void *lock, enum lock_rank rank, const void *at, bool spinning);

static inline void spinlock_check_taken(struct spinlock *l, const void *at) {
    l->owner_cpu = arch_cpu_id() + 1;
    l->taken_at = at;
}
static inline void spinlock_check_released(struct spinlock *l) {
    l->owner_cpu = 0;
}
static inline bool spinlock_check_held(const struct spinlock *l) {
    return l->owner_cpu == arch_cpu_id() + 1;
}
#else
#define lock_debug_acquire_try(lock, rank, at, spinning) ((void)0)
static inline void spinlock_check_taken(struct spinlock *l, const void *at) {}
static inline void spinlock_check_released(struct spinlock *l) {}
static inline bool spinlock_check_held(const struct spinlock *l) {
    return true;
}
#endif

#endif
