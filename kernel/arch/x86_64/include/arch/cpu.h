// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Processor contract: the current processor and thread, interrupt masking, pauses, barriers of idleness. Every architecture supplies the same names.
// struct arch_cpu is the first member of struct cpu (kernel/cpu.h); its offsets are used by assembly and static-asserted in kernel/arch/x86_64/offsets.c.
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <kernel/types.h>

struct cpu;
struct thread;

#define ARCH_CACHE_LINE 64

// Through GS in the kernel. Fields at fixed offsets; the architecture may append (GDT, TSS, IST stacks, APIC id, ...).
struct arch_cpu {
    struct cpu *self;       // 0
    struct thread *current; // 8
    uint32_t preempt_count; // 16: 0 means that this processor may switch threads; interrupts count too
    uint32_t
        resched_pending; // 20: set by this processor or by a reschedule interrupt: switch when preempt_count falls to 0
    uint64_t kernel_sp;  // 24: top of the current thread's kernel stack, loaded at system call entry
    uint64_t user_sp;    // 32: scratch of system call entry
    uint64_t scratch;    // 40
    uint32_t id;         // 48: 0 to cpu_count - 1
    uint32_t apic_id;    // 52
    uint32_t irq_depth;  // 56: nesting of interrupt handlers
    uint32_t arch_flags; // 60
    void *tables;        // 64: GDT, TSS and interrupt stacks (private to the architecture)
    uint64_t user_gs;    // 72: what MSR_KERNEL_GS_BASE was last written with
    uint64_t irq_stack;  // 80: top of the interrupt stack
};

static inline struct cpu *arch_this_cpu(void) {
    struct cpu *c;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(c));
    return c;
}
// The running thread: one instruction, so valid whether or not the caller can be preempted.
static inline struct thread *arch_current(void) {
    struct thread *t;
    __asm__ volatile("movq %%gs:8, %0" : "=r"(t));
    return t;
}
static inline uint32_t arch_preempt_count(void) {
    uint32_t n;
    __asm__ volatile("movl %%gs:16, %0" : "=r"(n));
    return n;
}
static inline void arch_preempt_inc(void) {
    __asm__ volatile("incl %%gs:16" ::: "memory", "cc");
}
// Adds n to the 64-bit word at offset (a constant) of this processor's struct cpu: one instruction, so whole whatever interrupts it.
static always_inline void arch_cpu_add64(const size_t offset, uint64_t n) {
    __asm__ volatile("addq %1, %%gs:%c0" ::"i"(offset), "er"(n) : "memory", "cc");
}
// Adds n to a word that nobody else changes meanwhile, after all that came before: one instruction, not a locked one.
static always_inline void arch_add16_release(_Atomic uint16_t *p, const uint16_t n) {
    __asm__ volatile("addw %1, %0" : "+m"(*p) : "i"(n) : "memory", "cc");
}
// n in both halves: one instruction.
static always_inline uint32_t arch_both_halves(uint32_t n) {
    uint32_t both;
    __asm__("imull $0x10001, %1, %0" : "=r"(both) : "r"(n) : "cc");
    return both;
}
// Returns true if the count fell to zero and a reschedule is pending.
static inline bool arch_preempt_dec(void) {
    bool zero;
    __asm__ volatile("decl %%gs:16" : "=@ccz"(zero)::"memory");
    if (__builtin_expect(!zero, 1))
        return false;
    uint32_t pending;
    __asm__ volatile("movl %%gs:20, %0" : "=r"(pending)::"memory");
    return pending != 0;
}
static inline uint32_t arch_cpu_id(void) {
    uint32_t n;
    __asm__ volatile("movl %%gs:48, %0" : "=r"(n));
    return n;
}
static inline bool arch_in_interrupt(void) {
    uint32_t n;
    __asm__ volatile("movl %%gs:56, %0" : "=r"(n));
    return n != 0;
}

typedef uint64_t irq_flags_t; // saved interrupt state
static inline irq_flags_t arch_irq_save(void) {
    irq_flags_t f;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(f)::"memory");
    return f;
}
static inline void arch_irq_restore(irq_flags_t f) {
    if (f & 0x200)
        __asm__ volatile("sti" ::: "memory");
}
static inline void arch_irq_enable(void) {
    __asm__ volatile("sti" ::: "memory");
}
static inline void arch_irq_disable(void) {
    __asm__ volatile("cli" ::: "memory");
}
static inline bool arch_irq_enabled(void) {
    uint64_t f;
    __asm__ volatile("pushfq; popq %0" : "=r"(f));
    return (f & 0x200) != 0;
}
// In every spin loop: under deterministic time a loop without it starves the other processors.
static inline void arch_pause(void) {
    __asm__ volatile("pause" ::: "memory");
}
// Called with interrupts disabled: enables them and waits for one, without losing one that arrives in between. Returns with interrupts enabled.
static inline void arch_wait_for_interrupt(void) {
    __asm__ volatile("sti; hlt" ::: "memory");
}
// True on a virtual machine: a host may stop any processor at any moment, also one that holds a spin lock or is next in turn for it.
bool arch_is_virtual(void);
// Stops this processor for ever.
__attribute__((noreturn)) void arch_halt(void);
// Cycle-like counter, monotonic on one processor; units are the platform's (time.h converts).
static inline uint64_t arch_cycles(void) {
    uint64_t lo, hi; // the instruction clears their upper halves
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return hi << 32 | lo;
}
// The caller's frame pointer chain (debug/backtrace.c): each frame is { next frame, return address }.
static inline uintptr_t arch_frame_pointer(void) {
    return (uintptr_t)__builtin_frame_address(0);
}

#endif
