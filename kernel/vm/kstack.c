// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Kernel stacks: kspace areas with guards that are kept mapped in a cache of the processor, so that making a thread
// maps nothing. kstack_alloc is called in thread context; kstack_free in any context in which spin locks of rank SLAB
// may be taken (the scheduler frees the stack of a thread that has ended).
//
// A cached stack is charged to nobody. What runs over from the processors' caches goes on a common list, which is cut
// to SPARE_MAX by the reaper and by kstack_alloc, and to nothing when memory runs out (oom.c).
//
// Invariants:
//  I1. A stack in use is charged to the job that its header names (or to none); the header lies at its lowest bytes,
//      where only an overflow that is about to hit the guard page could reach it, and the magic number tells.
// Locking: a processor's cache: interrupts off. spare_lock (rank SLAB, interrupts off).

#include "kspace.h"

#include <arch/context.h>
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/job.h>
#include <kernel/lock.h>

#define PER_CPU_MAX 8
#define SPARE_MAX   16
#define MAGIC_USED  0x4b53544b55534544ull
#define MAGIC_FREE  0x4b53544b46524545ull

struct stack_header {
    uint64_t magic;
    struct job *job; // charged, counted by the thread's process; or NULL
    struct stack_header *next;
};
static struct {
    struct stack_header *head;
    unsigned count;
} per_cpu[CONFIG_MAX_CPUS];
static struct spinlock spare_lock = SPINLOCK_INIT(LOCK_RANK_SLAB);
static struct stack_header *spare; // spare_lock
static _Atomic unsigned spare_count;

static struct stack_header *cached_take(void) {
    irq_flags_t irq = arch_irq_save();
    unsigned cpu = arch_cpu_id();
    struct stack_header *s = per_cpu[cpu].head;

    if (s) {
        per_cpu[cpu].head = s->next;
        per_cpu[cpu].count--;
    }
    arch_irq_restore(irq);
    return s;
}

static struct stack_header *spare_take(void) {
    if (atomic_load_explicit(&spare_count, memory_order_relaxed) == 0)
        return NULL;
    irq_flags_t irq = spin_lock_irq(&spare_lock);
    struct stack_header *s = spare;
    if (s) {
        spare = s->next;
        atomic_fetch_sub_explicit(&spare_count, 1, memory_order_relaxed);
    }
    spin_unlock_irq(&spare_lock, irq);
    return s;
}

void kstack_trim(unsigned keep) {
    while (atomic_load_explicit(&spare_count, memory_order_relaxed) > keep) {
        struct stack_header *s = spare_take();
        if (!s)
            break;
        kspace_free(s);
    }
}

void kstack_cache_trim(void) {
    kstack_trim(SPARE_MAX);
}

void *kstack_alloc(struct job *job) {
    if (job && job_charge(job, JOB_MEMORY, KERNEL_STACK_SIZE) != INV_OK)
        return NULL;
    struct stack_header *s = cached_take();
    if (!s)
        s = spare_take();
    if (s) {
        ASSERT(s->magic == MAGIC_FREE);
    } else {
        kstack_trim(SPARE_MAX);
        s = kspace_alloc(KERNEL_STACK_SIZE, PAGE_STACK, NULL);
    }
    if (!s) {
        if (job)
            job_uncharge(job, JOB_MEMORY, KERNEL_STACK_SIZE);
        return NULL;
    }
    *s = (struct stack_header){.magic = MAGIC_USED, .job = job};
    return s;
}

void kstack_free(void *stack) {
    struct stack_header *s = stack;

    if (!s)
        return;
    ASSERT(s->magic == MAGIC_USED); // else it overflowed, or is freed twice
    if (s->job)
        job_uncharge(s->job, JOB_MEMORY, KERNEL_STACK_SIZE);
    s->magic = MAGIC_FREE;
    irq_flags_t irq = arch_irq_save();
    unsigned cpu = arch_cpu_id();
    if (per_cpu[cpu].count < PER_CPU_MAX) {
        s->next = per_cpu[cpu].head;
        per_cpu[cpu].head = s;
        per_cpu[cpu].count++;
    } else {
        irq_flags_t inner = spin_lock_irq(&spare_lock);
        s->next = spare;
        spare = s;
        atomic_fetch_add_explicit(&spare_count, 1, memory_order_relaxed);
        spin_unlock_irq(&spare_lock, inner);
    }
    arch_irq_restore(irq);
}
