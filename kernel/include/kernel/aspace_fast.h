// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Going to another user thread's address space without a call, on a path whose instructions are counted. kernel/vm/shootdown.c has the proof.
#ifndef KERNEL_ASPACE_FAST_H
#define KERNEL_ASPACE_FAST_H

#include <kernel/aspace.h>
#include <kernel/cpu.h>
#include <kernel/sched.h>

// All flushes of the address space that is loaded here were done, up to this number (its low half in the word for the audit). Interrupts off.
static always_inline void tlb_publish(struct cpu *c, uint64_t sequence) {
    c->tlb_flush_seq = sequence;
#ifdef CONFIG_DEBUG
    uint64_t word = c->aspace ? (uint64_t)c->aspace->id << 32 | (uint32_t)sequence : 0;
    atomic_store_explicit(&c->tlb_done, word, memory_order_release);
#endif
}

// (B) to (D): this processor has its bit in to->active.
static always_inline void aspace_load(struct cpu *c, struct aspace *to) {
    uint64_t sequence = atomic_load_explicit(&to->flush_seq, memory_order_acquire);

    arch_mmu_load_user(&to->arch);
    counter_add(aspace_switches, 1);
    c->aspace = to;
    tlb_publish(c, sequence);
}

// As aspace_switch, from one user thread, whose address space is loaded, to another. Interrupts off.
static always_inline void aspace_switch_fast(struct cpu *c, struct aspace *to) {
    if (c->aspace == to)
        return;
    if (likely(cpuset_has(&to->active, c->arch.id)))
        aspace_load(c, to);
    else
        aspace_switch(NULL, to);
}

#endif
