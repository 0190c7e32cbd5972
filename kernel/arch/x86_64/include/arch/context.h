// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Thread contexts: kernel stack switch, user register state beside the frame (TLS base, FPU), first entry.
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include <arch/frame.h>
#include <kernel/types.h>

struct thread;

#define KERNEL_STACK_SIZE KIB(16)
extern uint8_t boot_stack[]; // the stack that kernel_main() runs on: KERNEL_STACK_SIZE bytes, an unmapped page below

struct arch_thread {
    uint64_t sp;          // saved kernel stack pointer while not running
    uint64_t stack_top;   // top of the kernel stack; the user frame lies just below it
    uint64_t fs_base;     // user TLS base
    uint64_t gs_base;     // user GS base
    void *fpu;            // XSAVE area (arch_fpu_size() bytes, 64-byte aligned), NULL for kernel threads
    uint32_t fault_depth; // private
};

// The frame of the user registers of a thread that entered from user mode (or never ran yet): at the top of its kernel stack.
static inline struct arch_frame *arch_thread_frame(const struct arch_thread *t) {
    return (struct arch_frame *)(t->stack_top - sizeof(struct arch_frame));
}
// Prepares t (stack_top set) so that the first switch to it calls entry(arg) on its kernel stack with interrupts on and preempt_count balanced by
// sched_first_run(). entry never returns.
void arch_thread_init(struct arch_thread *t, void (*entry)(void *), void *arg);
// Switches stacks, FPU, TLS bases, TSS and kernel_sp from prev to next; returns, on prev's stack, when prev is switched to again; the value returned is
// the thread that ran just before. Interrupts off, run queue lock held by protocol of the scheduler. The address space is switched by the caller.
struct thread *arch_context_switch(struct thread *prev, struct thread *next);
// The frame pointer that a thread which is not running was switched away with: the start of its chain for backtraces.
uintptr_t arch_thread_saved_fp(const struct arch_thread *t);
// Leaves the kernel through the frame at the top of the current thread's stack, after the work of thread_return_to_user(). Never returns. Interrupts any.
__attribute__((noreturn)) void arch_return_to_user(void);
// Size in bytes of an FPU area, for slab caches; initial contents for a fresh user thread; copy of the current thread's live state into area.
size_t arch_fpu_size(void);
void arch_fpu_init(void *area);
void arch_fpu_save_current(void *area);
// Loads area, which may hold anything a user wrote, into the current thread; INVALID if the processor would refuse it (checked, never a fault).
must_check inv_status_t arch_fpu_load_current(const void *area);
// Sets the TLS base of the running thread now.
void arch_set_fs_base(vaddr_t base);
void arch_set_gs_base(vaddr_t base);

#endif
