// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Thread contexts: preparation, switch, user frames. The switch is called by the scheduler with interrupts off (see arch/context.h). The user's FS and GS
// bases are known to the kernel, because users cannot write them (CR4.FSGSBASE clear); they are loaded at a switch to a user thread even if they are the same
// as the last one's, since a user can still change the hardware's base by loading a selector.
#include "arch_private.h"

#include <arch/call_fast.h>
#include <arch/context.h>
#include <arch/vectors.h>
#include <arch/x86.h>
#include <kernel/assert.h>
#include <kernel/process.h>
#include <kernel/string.h>

// What context_switch_stacks pops, in order.
struct switch_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp, return_address;
};

void arch_thread_init(struct arch_thread *t, void (*entry)(void *), void *arg) {
    // After the last pop the stack pointer is the user frame's address: a multiple of 16, as a call expects it.
    struct switch_frame *f = (struct switch_frame *)((uint64_t)arch_thread_frame(t) - sizeof(*f));

    memset(f, 0, sizeof(*f));
    f->r12 = (uint64_t)entry;
    f->rbx = (uint64_t)arg;
    f->return_address = (uint64_t)context_first_run;
    t->sp = (uint64_t)f;
    t->fault_depth = 0;
}

// Hardly any program uses GS. A selector that a user loads can only make its base 0: so where 0 was written last and is wanted, 0 is there.
static void user_gs_load(struct cpu *cpu, uint64_t base) {
    if (base == 0 && cpu->arch.user_gs == 0)
        return;
    cpu->arch.user_gs = base;
    msr_write(MSR_KERNEL_GS_BASE, base);
}

struct thread *arch_context_switch(struct thread *prev, struct thread *next) {
    struct cpu *cpu = this_cpu();

    DEBUG_ASSERT(!arch_irq_enabled());
    arch_fpu_switch(&prev->arch, &next->arch);
    if (next->arch.fpu) {
        msr_write(MSR_FS_BASE, next->arch.fs_base);
        user_gs_load(cpu, next->arch.gs_base);
    }
    descriptors_set_kernel_stack(cpu, next->arch.stack_top);
    cpu->arch.current = next;
    return context_switch_stacks(&prev->arch.sp, next->arch.sp, prev);
}

void arch_set_fs_base(vaddr_t base) {
    DEBUG_ASSERT(base < ARCH_USER_END);
    preempt_disable();
    current_thread()->arch.fs_base = base;
    msr_write(MSR_FS_BASE, base);
    preempt_enable();
}

void arch_set_gs_base(vaddr_t base) {
    DEBUG_ASSERT(base < ARCH_USER_END);
    preempt_disable();
    current_thread()->arch.gs_base = base;
    user_gs_load(this_cpu(), base);
    preempt_enable();
}

void arch_frame_init_user(struct arch_frame *f, vaddr_t pc, vaddr_t sp) {
    memset(f, 0, sizeof(*f));
    f->rip = pc;
    f->rsp = sp;
    f->cs = SELECTOR_USER_CODE;
    f->ss = SELECTOR_USER_DATA;
    f->rflags = RFLAGS_FIXED | RFLAGS_IF;
    f->vector = ARCH_VECTOR_SYSCALL;
    arch_frame_sanitize(f); // pc may come from a program's file
}

void arch_frame_sanitize(struct arch_frame *f) {
    f->cs = SELECTOR_USER_CODE;
    f->ss = SELECTOR_USER_DATA;
    f->rflags = (f->rflags & RFLAGS_USER) | RFLAGS_FIXED | RFLAGS_IF;
    // IRET to an address that is not canonical would fault in the kernel. One above user space faults in user mode, at the jump.
    if (f->rip >> 47)
        f->rip = ARCH_USER_END;
}
