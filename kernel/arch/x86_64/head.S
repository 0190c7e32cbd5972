// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Boot entry: from a PVH loader or a Multiboot2 loader, both in 32-bit protected mode without paging, to arch_start() in
// the high half on the boot stack. Runs once, on the boot processor, interrupts off. Other processors: trampoline.S.
//
// The tables made here map the low 4 GiB three times, writable and executable: at 0 (to survive the jump), at the direct
// map, and the first GiB at the image's address. boot_map.c replaces them.

#include <arch/vectors.h>

#define VIRTUAL_OFFSET 0xffffffff80000000
#define PHYSICAL(x) ((x) - VIRTUAL_OFFSET)

    .section .head, "ax"

// --- Multiboot2 header (Multiboot2 specification 3.1): 8-aligned, within the first 32 KiB of the file ---
    .balign 8
multiboot2_header:
    .long 0xe85250d6
    .long 0                                     // i386 protected mode
    .long multiboot2_header_end - multiboot2_header
    .long -(0xe85250d6 + 0 + (multiboot2_header_end - multiboot2_header))
    // information request: memory map (6); ACPI old (14) and new (15), optional
    .balign 8
    .word 1, 0
    .long 12
    .long 6
    .balign 8
    .word 1, 1
    .long 16
    .long 14, 15
    // entry address
    .balign 8
    .word 3, 0
    .long 12
    .long PHYSICAL(boot_entry_multiboot)
    // modules on page boundaries
    .balign 8
    .word 6, 0
    .long 8
    .balign 8
    .word 0, 0
    .long 8
multiboot2_header_end:

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18                              // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad PHYSICAL(boot_entry_pvh)
    .balign 4

    .section .head, "ax"
    .code32
    .globl boot_entry_multiboot, boot_entry_pvh
boot_entry_pvh:
    movl $0x336ec578, %eax                      // the magic number of struct hvm_start_info
boot_entry_multiboot:
    cli
    cld
    movl %eax, %ebp                             // magic
    movl %ebx, %esi                             // information
    rdtsc
    movl %eax, PHYSICAL(boot_entry_cycles)
    movl %edx, PHYSICAL(boot_entry_cycles) + 4
    movl $PHYSICAL(boot_stack + 16384), %esp

    // bss, before anything is kept there
    movl %esi, %edx
    movl $PHYSICAL(kernel_bss_start), %edi
    movl $PHYSICAL(kernel_bss_end), %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl
    movl %edx, %esi

    // long mode and NX
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb .Lold_processor
    movl $0x80000001, %eax
    cpuid
    andl $(1 << 29 | 1 << 20), %edx
    cmpl $(1 << 29 | 1 << 20), %edx
    jne .Lold_processor

    // top table: 0 and the direct map share one; the image's has entry 510
    movl $PHYSICAL(boot_low) + 3, %eax
    movl %eax, PHYSICAL(boot_root)
    movl %eax, PHYSICAL(boot_root) + 256 * 8
    movl $PHYSICAL(boot_high) + 3, PHYSICAL(boot_root) + 511 * 8
    movl $PHYSICAL(boot_2mib) + 3, PHYSICAL(boot_high) + 510 * 8
    movl $PHYSICAL(boot_2mib) + 3, %eax
    movl $PHYSICAL(boot_low), %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 1b
    movl $0x83, %eax                            // present, writable, 2 MiB
    movl $PHYSICAL(boot_2mib), %edi
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b

    movl $PHYSICAL(boot_root), %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $(1 << 5), %eax                         // PAE
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $(1 << 8 | 1 << 11 | 1), %eax           // LME, NXE, SCE
    wrmsr
    movl %cr0, %eax
    orl $(1 << 31 | 1 << 16 | 1), %eax          // PG, WP, PE
    movl %eax, %cr0
    lgdt PHYSICAL(boot_gdt_pointer)
    ljmp $SELECTOR_KERNEL_CODE, $PHYSICAL(.Llong_mode)

.Lold_processor:
    movl $PHYSICAL(.Lold_message), %esi
    movw $0x3f8, %dx
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  hlt
    jmp 2b
.Lold_message:
    .asciz "invar: this processor has no 64-bit mode or no NX\r\n"

    .code64
.Llong_mode:
    movl $SELECTOR_KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $boot_stack + 16384, %rsp
    movl %ebp, %edi                             // magic
    movl %esi, %esi                             // information, zero-extended
    xorl %ebp, %ebp
    movq $arch_start, %rax
    call *%rax                                  // never returns
    ud2

    .balign 8
    .globl boot_gdt
boot_gdt:
    .quad 0, 0
    .quad 0x00af9b000000ffff                    // kernel code, 64-bit
    .quad 0x00cf93000000ffff                    // kernel data
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .quad PHYSICAL(boot_gdt)

    .data
    .balign 8
    .globl boot_entry_cycles
boot_entry_cycles:                              // the counter at the first instruction; not in .bss, which is cleared after it
    .quad 0

    // Given back when all processors run (smp.c).
    .section .early, "aw", @nobits
    .balign 4096
    .globl boot_root
boot_root:
    .skip 4096
boot_low:
    .skip 4096
boot_high:
    .skip 4096
boot_2mib:
    .skip 4 * 4096

// A stack with an unmapped page below it. boot_map.c leaves boot_guard_pages[] out.
    .section .guarded, "aw", @nobits
    .balign 4096
    .globl boot_stack_guard, boot_stack, boot_irq_stack_guard, boot_irq_stack
boot_stack_guard:
    .skip 4096
boot_stack:
    .skip 16384
boot_irq_stack_guard:
    .skip 4096
boot_irq_stack:
    .skip 16384

    .section .note.GNU-stack, "", @progbits
