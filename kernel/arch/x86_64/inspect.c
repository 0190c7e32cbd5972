// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the debugger and panic want to know of the processor: registers in print, the frame pointer of a sleeping thread, whether an address can be read.
// Any context, no lock, no fault.
#include <arch/context.h>
#include <arch/mmu.h>
#include <arch/x86.h>
#include <kernel/string.h>

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_LARGE   (1ull << 7)
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define TABLE_ENTRIES 512u
#define SAVED_RBP     5 // its place among the words that context_switch_stacks pushes

bool arch_kernel_readable(vaddr_t va) {
    paddr_t table = cr3_read() & ENTRY_ADDRESS;

    if (va < ARCH_DIRECT_MAP) // user half, or not canonical
        return false;
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t entry = ((const volatile uint64_t *)phys_to_virt(table))[(va >> shift) & (TABLE_ENTRIES - 1)];

        if (!(entry & ENTRY_PRESENT))
            return false;
        if (shift == PAGE_SHIFT || (shift < 39 && (entry & ENTRY_LARGE)))
            return true;
        table = entry & ENTRY_ADDRESS;
    }
}

uintptr_t arch_thread_saved_fp(const struct arch_thread *t) {
    uintptr_t at = t->sp + SAVED_RBP * sizeof(uint64_t);

    return arch_kernel_readable(at) ? *(const uintptr_t *)at : 0;
}

bool arch_frame_describe(const struct arch_frame *f, unsigned line, char *buffer, size_t size) {
    switch (line) {
    case 0:
        snprintf(buffer, size, "rip %04lx:%016lx  rsp %04lx:%016lx  flags %08lx", f->cs, f->rip, f->ss, f->rsp,
                 f->rflags);
        return true;
    case 1:
        snprintf(buffer, size, "rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
        return true;
    case 2:
        snprintf(buffer, size, "rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
        return true;
    case 3:
        snprintf(buffer, size, "r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx", f->r9, f->r10, f->r11, f->r12);
        return true;
    case 4: snprintf(buffer, size, "r13 %016lx  r14 %016lx  r15 %016lx", f->r13, f->r14, f->r15); return true;
    case 5:
        snprintf(buffer, size, "cr2 %016lx  cr3 %016lx  vector %lx  error %lx", cr2_read(), cr3_read(), f->vector,
                 f->error);
        return true;
    default: return false;
    }
}
