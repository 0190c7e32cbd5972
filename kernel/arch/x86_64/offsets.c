// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What assembly knows of C structures: offsets that vectors.h repeats are checked here, others become absolute symbols (offset_*), resolved by the linker.
#include <arch/cpu.h>
#include <arch/frame.h>
#include <arch/mmu.h>
#include <arch/vectors.h>
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

STATIC_ASSERT(offsetof(struct cpu, arch) == 0, "GS points to both");
STATIC_ASSERT(offsetof(struct arch_cpu, self) == CPU_SELF, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, current) == CPU_CURRENT, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, preempt_count) == CPU_PREEMPT, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, resched_pending) == CPU_RESCHED, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, kernel_sp) == CPU_KERNEL_SP, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, user_sp) == CPU_USER_SP, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, scratch) == CPU_SCRATCH, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, id) == 48, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, irq_depth) == CPU_IRQ_DEPTH, "cpu offsets");
STATIC_ASSERT(offsetof(struct arch_cpu, irq_stack) == CPU_IRQ_STACK, "cpu offsets");
// entry.S spells these out as FRAME_*.
STATIC_ASSERT(sizeof(struct arch_frame) == 176, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, r15) == 0, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, r14) == 8, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, r13) == 16, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, r12) == 24, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rbp) == 32, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rbx) == 40, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, r11) == 48, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, r10) == 56, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, r9) == 64, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, r8) == 72, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rax) == 80, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rcx) == 88, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rdx) == 96, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rsi) == 104, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rdi) == 112, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, vector) == 120, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, error) == 128, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rip) == 136, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, cs) == 144, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rflags) == 152, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, rsp) == 160, "frame layout");
STATIC_ASSERT(offsetof(struct arch_frame, ss) == 168, "frame layout");
STATIC_ASSERT(SYSCALL_NATIVE == SYSCALL_NATIVE_BASE && SYSCALL_NATIVE == INV_SYS_CALL, "entry.S tells native calls");
STATIC_ASSERT(SYSCALL_REPLY_RECEIVE == INV_SYS_REPLY_RECEIVE, "entry.S knows the fast ones");
STATIC_ASSERT(ARCH_USER_END < 1ull << 47, "SYSRET to behind any user instruction is to a canonical address");
STATIC_ASSERT(ARCH_VECTOR_SYSCALL == 0x100, "entry.S pushes it");
STATIC_ASSERT(KERNEL_STACK_SIZE == 16384, "head.S reserves it");

#define OFFSET(name, type, field) __asm__ volatile(".globl " name "\n.set " name ", %c0" ::"i"(offsetof(type, field)))

void arch_offsets_emit(void); // never called: only what the assembler sees of it counts

void arch_offsets_emit(void) {
    OFFSET("offset_thread_user_work", struct thread, user_work);
}
