// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The register frame that every entry from user mode (system call, exception, interrupt) leaves at the top of the thread's kernel stack, and that
// kernel-mode exceptions and interrupts leave on the current stack. One layout for all of them. The accessors are the contract; the fields belong to
// the architecture (the personality's signal frames for x86-64 live in personality/linux/arch_x86_64.c and use them).
#ifndef ARCH_FRAME_H
#define ARCH_FRAME_H

#include <kernel/types.h>

struct arch_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector; // system call: ARCH_VECTOR_SYSCALL
    uint64_t error;  // exception error code; system call: the number (rax at entry), kept for restarts
    uint64_t rip, cs, rflags, rsp, ss;
};
#define ARCH_VECTOR_SYSCALL 0x100

static inline bool arch_frame_is_user(const struct arch_frame *f) {
    return (f->cs & 3) == 3;
}
static inline vaddr_t arch_frame_pc(const struct arch_frame *f) {
    return f->rip;
}
static inline vaddr_t arch_frame_sp(const struct arch_frame *f) {
    return f->rsp;
}

// System calls: number, arguments 0 to 5, result.
static inline uint64_t arch_syscall_number(const struct arch_frame *f) {
    return f->error;
}
static inline uint64_t arch_syscall_arg(const struct arch_frame *f, unsigned n) {
    switch (n) {
    case 0: return f->rdi;
    case 1: return f->rsi;
    case 2: return f->rdx;
    case 3: return f->r10;
    case 4: return f->r8;
    default: return f->r9;
    }
}
static inline void arch_syscall_set_result(struct arch_frame *f, int64_t value) {
    f->rax = (uint64_t)value;
}
// Native calls: the values that come back beside the status.
#define ARCH_SYSCALL_VALUES 3
static inline void arch_syscall_set_values(struct arch_frame *f, const uint64_t values[ARCH_SYSCALL_VALUES]) {
    f->rdx = values[0];
    f->r10 = values[1];
    f->r8 = values[2];
}
static inline int64_t arch_syscall_result(const struct arch_frame *f) {
    return (int64_t)f->rax;
}
// Makes the return to user mode execute the system call instruction again, with the number given.
static inline void arch_syscall_rewind(struct arch_frame *f, uint64_t number) {
    f->rax = number;
    f->rip -= 2;
}
// A fresh user frame: entry point and stack pointer, all other registers zero, interrupts on.
void arch_frame_init_user(struct arch_frame *f, vaddr_t pc, vaddr_t sp);
// Makes f safe to return to user mode with, whatever its contents (canonical pc, user selectors, allowed flags). For frames read from user memory.
void arch_frame_sanitize(struct arch_frame *f);
// The frame pointer at the interrupted instruction (kernel frames: the start of its chain for backtraces).
static inline uintptr_t arch_frame_fp(const struct arch_frame *f) {
    return f->rbp;
}
// Line number `line` of a printable picture of the registers, without a newline. False: there is no such line. Any context.
bool arch_frame_describe(const struct arch_frame *f, unsigned line, char *buffer, size_t size);

#endif
