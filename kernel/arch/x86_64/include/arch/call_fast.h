// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the fast path of calls (kernel/sched/call_fast.c) needs of the processor, without a call, as its instructions are counted: from one user thread to
// another, neither of which has anything on its kernel stack but its user frame. Interrupts off. Every architecture supplies the same names.
#ifndef ARCH_CALL_FAST_H
#define ARCH_CALL_FAST_H

#include <arch/ipc.h>
#include <arch/x86.h>
#include <kernel/process.h>

struct run_queue;

#define ARCH_TABLES_RSP0 132 // of TSS.rsp0 in arch_cpu.tables (descriptors.c)

extern uint32_t arch_fpu_quick; // components that XSAVEOPT saves; 0: another instruction does
void arch_fpu_switch(struct arch_thread *prev, struct arch_thread *next);
extern const uint64_t context_parked[];

// Nothing on t's kernel stack is needed any more but its user frame: the next switch to it calls ipc_resume(frame), interrupts on, and returns to user mode.
static always_inline void arch_call_park(struct arch_thread *t) {
    t->sp = (uint64_t)context_parked;
}

// As arch_context_switch, but for the stack.
static always_inline void arch_call_switch(struct cpu *cpu, struct thread *prev, struct thread *next) {
    uint32_t components = arch_fpu_quick;

    if (likely(components != 0)) // edx, components that do not exist, may be anything
        __asm__ volatile("xsaveopt64 (%0)\n\txrstor64 (%1)" ::"r"(prev->arch.fpu), "r"(next->arch.fpu), "a"(components)
                         : "memory");
    else
        arch_fpu_switch(&prev->arch, &next->arch);
    __asm__ volatile("wrmsr" ::"c"(MSR_FS_BASE), "a"(((const uint32_t *)&next->arch.fs_base)[0]),
                     "d"(((const uint32_t *)&next->arch.fs_base)[1])
                     : "memory");
    if (unlikely((next->arch.gs_base | cpu->arch.user_gs) != 0)) { // context.c
        uint64_t base = *(volatile uint64_t *)&next->arch.gs_base; // looked at anew: no register is kept for it above
        cpu->arch.user_gs = base;
        msr_write(MSR_KERNEL_GS_BASE, base);
    }
    uint64_t top = next->arch.stack_top;
    cpu->arch.kernel_sp = top;
    __builtin_memcpy((char *)cpu->arch.tables + ARCH_TABLES_RSP0, &top, sizeof(top));
    cpu->arch.current = next;
}

// A message in words is for the thread whose frame this is; its words are to be set unless tag's length is 0.
static always_inline void arch_call_result(struct arch_frame *f, uint64_t badge, uint64_t tag) {
    f->rdi = badge;
    f->rsi = tag;
}

// To user mode through the frame of to, which is current and was parked, with status OK, by context_leave_fast (entry.S). Between, on to's stack, left and q
// are released, as ipc_fast_finish does it, before the last look at to's work. It uses no memory of this function's.
static always_inline noreturn_fn void arch_call_leave(struct thread *left, struct run_queue *q, struct thread *to) {
#ifdef CONFIG_DEBUG
    __asm__ volatile("movq %%gs:%c[sp], %%rsp\n\t"
                     "leaq -%c[frame](%%rsp), %%rsp\n\t"
                     "call ipc_fast_finish\n\t"
                     "leaq %c[frame](%%rsp), %%rsp\n\t"
                     "movl %c[work](%[to]), %%ecx\n\t"
                     "jmp context_leave_fast" ::"D"(left),
                     "S"(q), [to] "b"(to), [work] "i"(offsetof(struct thread, user_work)),
                     [sp] "i"(offsetof(struct arch_cpu, kernel_sp)), [frame] "i"(sizeof(struct arch_frame))
                     : "memory");
#else
    __asm__ volatile("movq %%gs:%c[sp], %%rsp\n\t"
                     "movb $0, %c[on_cpu](%[left])\n\t"
                     "addw $1, (%[q])\n\t"
                     "movl %c[work](%[to]), %%ecx\n\t"
                     "jmp context_leave_fast" ::[left] "r"(left),
                     [q] "r"(q), [to] "r"(to), [work] "i"(offsetof(struct thread, user_work)),
                     [on_cpu] "i"(offsetof(struct thread, sched.on_cpu)), [sp] "i"(offsetof(struct arch_cpu, kernel_sp))
                     : "memory");
#endif
    __builtin_unreachable();
}

#endif
