// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// First instructions of every processor but the boot one: copied to TRAMPOLINE_ADDRESS, entered in real mode by a startup
// interrupt, on through protected mode to long mode on the early tables (boot_root), then to arch_start_other() in the
// high half. smp.c starts one processor at a time and fills in trampoline_cpu, _stack and _root before each.

#include <arch/vectors.h>

#define AT(x) (TRAMPOLINE_ADDRESS + (x) - trampoline_start)
#define VIRTUAL_OFFSET 0xffffffff80000000

    .section .rodata.trampoline, "a"
    .balign 16
    .globl trampoline_start, trampoline_end, trampoline_cpu, trampoline_stack, trampoline_root
    .code16
trampoline_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl AT(.Lgdt_pointer)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $8, $AT(.Lprotected)

    .code32
.Lprotected:
    movl $SELECTOR_KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %cr4, %eax
    orl $(1 << 5), %eax                         // PAE
    movl %eax, %cr4
    movl $boot_root - VIRTUAL_OFFSET, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $(1 << 8 | 1 << 11 | 1), %eax           // LME, NXE, SCE
    wrmsr
    movl $(1 << 31 | 1 << 16 | 1), %eax         // PG, WP, PE; caches on
    movl %eax, %cr0
    ljmpl $SELECTOR_KERNEL_CODE, $AT(.Llong)

    .code64
.Llong:
    movq AT(trampoline_stack), %rdx
    movq AT(trampoline_root), %rcx
    movq AT(trampoline_cpu), %rdi
    movq $trampoline_high, %rax
    jmp *%rax

    .balign 8
.Lgdt:
    .quad 0
    .quad 0x00cf9b000000ffff                    // 8: code, 32-bit
    .quad 0x00af9b000000ffff                    // 0x10: code, 64-bit
    .quad 0x00cf93000000ffff                    // 0x18: data
.Lgdt_pointer:
    .word . - .Lgdt - 1
    .long AT(.Lgdt)
    .balign 8
trampoline_cpu:
    .quad 0
trampoline_stack:
    .quad 0
trampoline_root:
    .quad 0
trampoline_end:

// In the image, which both tables map; the stack is in the kernel's own table alone.
    .text
trampoline_high:
    movq %rcx, %cr3
    movq %rdx, %rsp
    xorl %ebp, %ebp
    call arch_start_other
    ud2

    .section .note.GNU-stack, "", @progbits
