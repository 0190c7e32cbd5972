// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Epoch-based reclamation: lock-free readers between epoch_enter and epoch_exit (preemption disabled, so no sleep inside) may follow pointers to objects that were
// unlinked meanwhile; epoch_defer frees an object when every processor has passed a quiescent point since.
#ifndef KERNEL_EPOCH_H
#define KERNEL_EPOCH_H

#include <kernel/cpu.h>
#include <kernel/types.h>

struct epoch_node {
    struct epoch_node *next;
    void (*fn)(struct epoch_node *n);
};
static inline void epoch_enter(void) {
    preempt_disable();
}
static inline void epoch_exit(void) {
    preempt_enable();
}
// fn(n) runs later in thread context (the reclaim thread), may sleep only briefly on sleeping locks. Any context but interrupt.
void epoch_defer(struct epoch_node *n, void (*fn)(struct epoch_node *));
// Waits until every reader that was inside at the call has left. May sleep.
void epoch_synchronize(void);
void epoch_init(void);          // boot, before the first defer
void epoch_start_threads(void); // boot, once threads run
void epoch_quiescent(void);     // from the scheduler: context switch, idle entry and user return tick on this processor

#endif
