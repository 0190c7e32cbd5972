// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Switches on, at each processor's start, what the kernel uses of the processor: write protection, global pages, SMEP, SMAP, UMIP, the system call
// instruction. CR4.FSGSBASE stays clear: entry.S relies on users being unable to put a kernel address into GS.
//
// Places kept for later: PCID, x2APIC, side-channel mitigations as a table by processor model.
#include "arch_private.h"

#include <arch/vectors.h>
#include <arch/x86.h>
#include <kernel/string.h>

static bool smap_patched;

// Without SMAP, STAC and CLAC are not instructions: the boot processor turns each site into a 3-byte no-op while the text can still be written.
static void smap_patch_out(void) {
    static const uint8_t nop3[3] = {0x0f, 0x1f, 0x00};

    if (smap_patched)
        return;
    smap_patched = true;
    for (char *const *site = smap_sites_start; site < smap_sites_end; site++)
        memcpy(*site, nop3, sizeof(nop3));
}

static uint64_t cr4_features(struct cpu *cpu) {
    struct cpuid_result leaf7 = cpuid_if_present(7, 0);
    uint64_t bits = CR4_PGE | CR4_DE;

    if (leaf7.ebx & 1u << 7)
        bits |= CR4_SMEP;
    if (leaf7.ecx & 1u << 2)
        bits |= CR4_UMIP;
    if (leaf7.ebx & 1u << 20) {
        bits |= CR4_SMAP;
        cpu->arch.arch_flags |= CPU_FEATURE_SMAP;
    } else {
        smap_patch_out();
    }
    return bits;
}

void features_enable(struct cpu *cpu) {
    cr0_write((cr0_read() | CR0_WP | CR0_NE | CR0_MP) & ~(CR0_EM | CR0_TS | CR0_AM));
    cr4_write(cr4_read() | cr4_features(cpu));
    __asm__ volatile("pushfq; andq $~0x40000, (%%rsp); popfq" ::: "memory", "cc"); // AC clear: user memory is closed

    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | EFER_NXE);
    msr_write(MSR_STAR, (uint64_t)SELECTOR_USER_CODE32 << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
    msr_write(MSR_LSTAR, (uint64_t)entry_syscall);
    msr_write(MSR_CSTAR, (uint64_t)entry_syscall_compat);
    msr_write(MSR_SYSCALL_MASK,
              RFLAGS_TF | RFLAGS_DF | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID);
    fpu_enable(cpu);
}
