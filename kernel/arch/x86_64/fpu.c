// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Floating point and vector state: x87, SSE and AVX, saved and loaded at every switch between user threads (eagerly: no device-not-available fault ever
// happens). The kernel itself uses none of these registers. Areas are XSAVE areas in the standard format (Intel manual volume 1, 13.4), or FXSAVE ones
// on processors without XSAVE. AVX-512 and later components stay off.
//
// Invariants:
//   I1 a user thread's area is valid for XRSTOR at any time: only arch_fpu_switch, arch_fpu_init and checked loads write it.
//   I2 every thread's state is loaded from its own area before it runs, so XSAVEOPT's memory of the last area is always right.
#include "arch_private.h"

#include <arch/call_fast.h>
#include <arch/context.h>
#include <arch/x86.h>
#include <kernel/assert.h>
#include <kernel/process.h>
#include <kernel/string.h>

#define XSTATE_X87  1u
#define XSTATE_SSE  2u
#define XSTATE_AVX  4u
#define LEGACY_SIZE 512
#define HEADER_SIZE 64

// The start of the area as far as it is looked at here.
struct fpu_area {
    uint16_t control, status;
    uint8_t tag, reserved0;
    uint16_t opcode;
    uint64_t ip, dp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[LEGACY_SIZE - 32];
    // XSAVE header
    uint64_t components, compacted;
    uint8_t reserved1[HEADER_SIZE - 16];
};
STATIC_ASSERT(offsetof(struct fpu_area, components) == LEGACY_SIZE, "XSAVE header follows the legacy area");

/* immutable after the boot processor's start: */
static size_t area_size = LEGACY_SIZE;
static uint64_t enabled_components; // 0: FXSAVE
static bool has_xsaveopt;
uint32_t arch_fpu_quick;
static uint32_t mxcsr_mask = 0xffbf;

static inline void area_save(void *area, bool optimized) {
    uint32_t lo = (uint32_t)enabled_components, hi = 0;

    if (!enabled_components)
        __asm__ volatile("fxsaveq (%0)" ::"r"(area) : "memory");
    else if (optimized && has_xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
    else
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
}

static inline void area_load(const void *area) {
    uint32_t lo = (uint32_t)enabled_components, hi = 0;

    if (!enabled_components)
        __asm__ volatile("fxrstorq (%0)" ::"r"(area) : "memory");
    else
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
}

// Which bits of MXCSR exist: FXSAVE tells.
static void mxcsr_probe(void) {
    static struct fpu_area probe aligned_to(64);

    __asm__ volatile("fninit");
    __asm__ volatile("fxsaveq (%0)" ::"r"(&probe) : "memory");
    if (probe.mxcsr_mask)
        mxcsr_mask = probe.mxcsr_mask;
}

// The boot processor decides; the others follow it.
void fpu_enable(struct cpu *cpu) {
    struct cpuid_result leaf1 = cpuid(1, 0);
    bool boot_processor = cpu->arch.id == 0;

    cr4_write(cr4_read() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    if (leaf1.ecx & 1u << 26) {
        cr4_write(cr4_read() | CR4_OSXSAVE);
        if (boot_processor) {
            enabled_components = XSTATE_X87 | XSTATE_SSE | (leaf1.ecx & 1u << 28 ? XSTATE_AVX : 0);
            enabled_components &= cpuid(0xd, 0).eax;
            has_xsaveopt = (cpuid(0xd, 1).eax & 1) != 0;
            arch_fpu_quick = has_xsaveopt ? (uint32_t)enabled_components : 0;
        }
        __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)enabled_components), "d"(0));
        if (boot_processor)
            area_size = cpuid(0xd, 0).ebx;
        cpu->arch.arch_flags |= CPU_FEATURE_XSAVE | (has_xsaveopt ? CPU_FEATURE_XSAVEOPT : 0);
    }
    if (boot_processor)
        mxcsr_probe();
}

void arch_fpu_switch(struct arch_thread *prev, struct arch_thread *next) {
    if (prev->fpu)
        area_save(prev->fpu, true);
    if (next->fpu)
        area_load(next->fpu);
}

size_t arch_fpu_size(void) {
    return ALIGN_UP(area_size, 64);
}

void arch_fpu_init(void *area) {
    struct fpu_area *a = area;

    memset(a, 0, arch_fpu_size());
    a->control = 0x37f;
    a->mxcsr = 0x1f80;
}

void arch_fpu_save_current(void *area) {
    DEBUG_ASSERT(IS_ALIGNED((uintptr_t)area, 64));
    if (enabled_components)
        memset((char *)area + LEGACY_SIZE, 0, HEADER_SIZE);
    area_save(area, false);
}

static bool area_valid(const struct fpu_area *a) {
    if (a->mxcsr & ~mxcsr_mask)
        return false;
    if (!enabled_components)
        return true;
    if (a->components & ~enabled_components || a->compacted)
        return false;
    const uint64_t *reserved = (const uint64_t *)a->reserved1;
    uint64_t set = 0;
    for (size_t i = 0; i < sizeof(a->reserved1) / sizeof(*reserved); i++)
        set |= reserved[i];
    return set == 0;
}

inv_status_t arch_fpu_load_current(const void *area) {
    struct arch_thread *t = &current_thread()->arch;

    if (!t->fpu || !area_valid(area))
        return INV_ERR_INVALID;
    // A switch in between would save the old registers over the copy.
    preempt_disable();
    memcpy(t->fpu, area, area_size);
    area_load(t->fpu);
    preempt_enable();
    return INV_OK;
}
