// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Instructions of the processor that C has no words for: ports, model-specific registers, CPUID, control registers. For kernel/arch/x86_64 and the boards
// that stand on it (kernel/platform/pc); core code never includes this.
#ifndef ARCH_X86_H
#define ARCH_X86_H

#include <kernel/cpu.h>

#define MSR_APIC_BASE      0x1b
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SYSCALL_MASK   0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define EFER_SCE (1u << 0)
#define EFER_NXE (1u << 11)

#define CR0_MP (1ul << 1)
#define CR0_EM (1ul << 2)
#define CR0_TS (1ul << 3)
#define CR0_NE (1ul << 5)
#define CR0_WP (1ul << 16)
#define CR0_AM (1ul << 18)

#define CR4_DE         (1ul << 3)
#define CR4_PGE        (1ul << 7)
#define CR4_OSFXSR     (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_UMIP       (1ul << 11)
#define CR4_OSXSAVE    (1ul << 18)
#define CR4_SMEP       (1ul << 20)
#define CR4_SMAP       (1ul << 21)

#define RFLAGS_CF    (1ul << 0)
#define RFLAGS_FIXED (1ul << 1)
#define RFLAGS_TF    (1ul << 8)
#define RFLAGS_IF    (1ul << 9)
#define RFLAGS_DF    (1ul << 10)
#define RFLAGS_IOPL  (3ul << 12)
#define RFLAGS_NT    (1ul << 14)
#define RFLAGS_RF    (1ul << 16)
#define RFLAGS_VM    (1ul << 17)
#define RFLAGS_AC    (1ul << 18)
#define RFLAGS_ID    (1ul << 21)
// What a user may set in its flags: CF PF AF ZF SF TF DF OF AC ID, and nothing that changes privilege.
#define RFLAGS_USER (0xcd5ul | RFLAGS_TF | RFLAGS_AC | RFLAGS_ID)

// Each is counted as an exit (kernel/counters.h).
static inline void port_write8(uint16_t port, uint8_t v) {
    counter_add(exits, 1);
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline void port_write16(uint16_t port, uint16_t v) {
    counter_add(exits, 1);
    __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline void port_write32(uint16_t port, uint32_t v) {
    counter_add(exits, 1);
    __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline uint8_t port_read8(uint16_t port) {
    uint8_t v;
    counter_add(exits, 1);
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline uint16_t port_read16(uint16_t port) {
    uint16_t v;
    counter_add(exits, 1);
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline uint32_t port_read32(uint16_t port) {
    uint32_t v;
    counter_add(exits, 1);
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint64_t msr_read(uint32_t msr) {
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}
static inline void msr_write(uint32_t msr, uint64_t v) {
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf) {
    struct cpuid_result r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}
// All zero when the processor has no such leaf.
static inline struct cpuid_result cpuid_if_present(uint32_t leaf, uint32_t subleaf) {
    struct cpuid_result none = {0, 0, 0, 0};
    return cpuid(leaf & 0xc0000000u, 0).eax >= leaf ? cpuid(leaf, subleaf) : none;
}

static inline uint64_t cr0_read(void) {
    uint64_t v;
    __asm__ volatile("movq %%cr0, %0" : "=r"(v));
    return v;
}
static inline void cr0_write(uint64_t v) {
    __asm__ volatile("movq %0, %%cr0" ::"r"(v) : "memory");
}
static inline uint64_t cr2_read(void) {
    uint64_t v;
    __asm__ volatile("movq %%cr2, %0" : "=r"(v));
    return v;
}
static inline uint64_t cr3_read(void) {
    uint64_t v;
    __asm__ volatile("movq %%cr3, %0" : "=r"(v)::"memory");
    return v;
}
static inline void cr3_write(uint64_t v) {
    __asm__ volatile("movq %0, %%cr3" ::"r"(v) : "memory");
}
static inline uint64_t cr4_read(void) {
    uint64_t v;
    __asm__ volatile("movq %%cr4, %0" : "=r"(v));
    return v;
}
static inline void cr4_write(uint64_t v) {
    __asm__ volatile("movq %0, %%cr4" ::"r"(v) : "memory");
}

#endif
