// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The processor contract (kernel/arch/*/include/arch/cpu.h) for unit tests on the host: every thread of the test is a processor of its own, which runs one
// kernel thread. Interrupts are a flag. The test defines host_cpu.
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <kernel/types.h>

struct cpu;
struct thread;

#define ARCH_CACHE_LINE 64

struct arch_cpu {
    struct cpu *self;
    struct thread *current;
    uint32_t preempt_count, resched_pending;
    uint64_t kernel_sp, user_sp, scratch;
    uint32_t id, apic_id, irq_depth, arch_flags;
    void *tables, *fpu_owner;
    uint64_t irq_stack;
    bool irq_off; // the host's alone
};

extern __thread struct arch_cpu *host_cpu;
void host_yield(void); // the test's: lets another thread of the host run

static inline struct cpu *arch_this_cpu(void) {
    return (struct cpu *)host_cpu;
}
static inline struct thread *arch_current(void) {
    return host_cpu->current;
}
static inline uint32_t arch_preempt_count(void) {
    return host_cpu->preempt_count;
}
static inline void arch_preempt_inc(void) {
    host_cpu->preempt_count++;
}
static inline bool arch_preempt_dec(void) {
    return --host_cpu->preempt_count == 0 && host_cpu->resched_pending;
}
static inline uint32_t arch_cpu_id(void) {
    return host_cpu->id;
}
static inline bool arch_in_interrupt(void) {
    return host_cpu->irq_depth != 0;
}

typedef uint64_t irq_flags_t;
static inline irq_flags_t arch_irq_save(void) {
    irq_flags_t was_off = host_cpu->irq_off;
    host_cpu->irq_off = true;
    return was_off;
}
static inline void arch_irq_restore(irq_flags_t was_off) {
    host_cpu->irq_off = was_off != 0;
}
static inline void arch_irq_enable(void) {
    host_cpu->irq_off = false;
}
static inline void arch_irq_disable(void) {
    host_cpu->irq_off = true;
}
static inline bool arch_irq_enabled(void) {
    return !host_cpu->irq_off;
}
static inline void arch_pause(void) {
    host_yield();
}
static inline void arch_wait_for_interrupt(void) {
    host_yield();
}
bool arch_is_virtual(void);
__attribute__((noreturn)) void arch_halt(void);
static inline uint64_t arch_cycles(void) {
    return 0;
}
static inline uintptr_t arch_frame_pointer(void) {
    return (uintptr_t)__builtin_frame_address(0);
}

#endif
