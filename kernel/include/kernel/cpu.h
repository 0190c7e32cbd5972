// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Per-processor state. Each subsystem's part is a structure of its own, embedded here and declared in its own header; fields belong to the processor and
// are touched with preemption (or interrupts, where said) disabled.
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <arch/cpu.h>
#include <kernel/counters.h>
#include <kernel/types.h>

#ifndef CONFIG_MAX_CPUS
#define CONFIG_MAX_CPUS 16
#endif

// A set of processors.
typedef struct {
    _Atomic uint64_t bits[(CONFIG_MAX_CPUS + 63) / 64];
} cpuset_t;

struct run_queue;
struct aspace;

struct cpu {
    struct arch_cpu arch; // first: assembly knows its offsets
    struct run_queue *run_queue;
    struct thread *idle;
    struct aspace *aspace;     // whose table is loaded (NULL: the kernel's); this processor, interrupts off
    bool aspace_lazy;          // the table is kept though a kernel thread runs; this processor, interrupts off
    uint64_t tlb_flush_seq;    // flushes of aspace up to this sequence were done here; the same
    _Atomic uint64_t tlb_done; // debug audit: both of these, read anywhere (kernel/vm/shootdown.c)
    struct page_cache_cpu *page_cache;
    struct slab_magazine *slab_magazines; // kernel/vm/slab.c
    struct timer_queue *timers;
    struct epoch_cpu *epoch;
    struct cpu_call_queue *calls;
    struct lock_debug_cpu *lock_debug; // ranks held, in debug builds
    atomic_bool online;
    _Atomic uint64_t idle_ns;
    struct counters counters;
} aligned_to(ARCH_CACHE_LINE);

extern struct cpu cpus[CONFIG_MAX_CPUS];
extern unsigned cpu_count; // immutable after boot; processors 0 to cpu_count - 1, each online or not
static inline struct cpu *this_cpu(void) {
    return arch_this_cpu();
}
#define current_thread() arch_current()

// kernel/sched: switches if resched_pending. sched_preempt: called when preempt_count has fallen to 0; does nothing while interrupts are off (who turned
// them off holds on to this processor; the next unlock or interrupt makes up for it). sched_preempt_interrupt: the last step of an interrupt that came
// in over preemptible code, on the interrupted thread's own stack, interrupts off on entry and on return.
void sched_preempt(void);
void sched_preempt_interrupt(void);

static inline void preempt_disable(void) {
    arch_preempt_inc();
}
static inline void preempt_enable(void) {
    if (__builtin_expect(arch_preempt_dec(), 0))
        sched_preempt();
}
static inline bool preempt_enabled(void) {
    return arch_preempt_count() == 0;
}

// Runs fn(arg) on the processors of mask (not this one; NULL: all other online ones) in interrupt context and waits until all have. Interrupts on, no spin lock held
// that fn or an interrupt handler takes. Preemption is disabled by the callee.
void cpu_call(const cpuset_t *mask, void (*fn)(void *), void *arg);
void cpu_call_interrupt(void); // from the IPI_CALL vector

#endif
