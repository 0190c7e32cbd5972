// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Interrupt vectors, segment selectors and fixed addresses, for C and assembly alike.
#ifndef ARCH_VECTORS_H
#define ARCH_VECTORS_H

// The selectors have the values that Linux programs see in their signal frames.
#define SELECTOR_KERNEL_CODE 0x10
#define SELECTOR_KERNEL_DATA 0x18
#define SELECTOR_USER_CODE32 0x23 // only the base that SYSRET adds 16 to
#define SELECTOR_USER_DATA   0x2b
#define SELECTOR_USER_CODE   0x33
#define SELECTOR_TSS         0x40
#define SELECTOR_CPU_NUMBER  0x7b // its limit is the processor number: LSL in user mode

#define VECTOR_DEBUG         1
#define VECTOR_NMI           2
#define VECTOR_DOUBLE_FAULT  8
#define VECTOR_PAGE_FAULT    14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_PIC_FIRST     0x20 // the masked legacy controllers point here: anything that arrives is spurious
#define VECTOR_DEVICE_FIRST  0x30
#define VECTOR_DEVICE_LAST   0xdf
// The contract's names for them (kernel/irq).
#define ARCH_IRQ_VECTOR_FIRST VECTOR_DEVICE_FIRST
#define ARCH_IRQ_VECTOR_COUNT (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)
#define VECTOR_TIMER          0xf0
#define VECTOR_RESCHEDULE     0xf1
#define VECTOR_CALL           0xf2
#define VECTOR_SPURIOUS       0xff

// Page below 1 MiB that other processors start in (real mode): kept out of the page allocator.
#define TRAMPOLINE_ADDRESS 0x8000

// struct arch_cpu, through GS (static-asserted in offsets.c).
#define CPU_SELF      0
#define CPU_CURRENT   8
#define CPU_PREEMPT   16
#define CPU_RESCHED   20
#define CPU_KERNEL_SP 24
#define CPU_USER_SP   32
#define CPU_SCRATCH   40
#define CPU_IRQ_DEPTH 56
#define CPU_IRQ_STACK 80

// Native system calls with a fast path (kernel/syscall.h, abi: invar/ipc.h): entry.S
#define SYSCALL_NATIVE        0x1000
#define SYSCALL_REPLY_RECEIVE 0x1001

#endif
