// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Segment descriptors, task state and interrupt descriptors. Each processor has a GDT, a TSS and interrupt stacks of its own; the IDT is shared and
// immutable after the boot processor filled it. Called at each processor's start, interrupts off (AMD64 manual volume 2, 4.8 and 8.9).
#include "arch_private.h"

#include <arch/call_fast.h>
#include <arch/vectors.h>
#include <arch/x86.h>
#include <kernel/assert.h>

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} packed_struct;
STATIC_ASSERT(sizeof(struct tss) == 104, "TSS layout");

enum ist { IST_NMI = 1, IST_DOUBLE_FAULT, IST_MACHINE_CHECK, IST_DEBUG, IST_COUNT = IST_DEBUG };
#define IST_STACK_SIZE 4096

#define GDT_ENTRIES 16
struct cpu_tables {
    uint64_t gdt[GDT_ENTRIES];
    struct tss tss aligned_to(16);
    uint8_t pad[PAGE_SIZE - GDT_ENTRIES * 8 - sizeof(struct tss) - 8];
    uint8_t ist_stacks[IST_COUNT][IST_STACK_SIZE] aligned_to(16);
} aligned_to(4096);

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
STATIC_ASSERT(offsetof(struct cpu_tables, tss) + offsetof(struct tss, rsp) == ARCH_TABLES_RSP0, "arch/call_fast.h");
STATIC_ASSERT(sizeof(struct gate) == 16, "gate layout");

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} packed_struct;

static struct cpu_tables boot_tables;
static struct gate idt[256] aligned_to(4096);

size_t descriptors_size(void) {
    return sizeof(struct cpu_tables);
}

struct cpu_tables *descriptors_boot_tables(void) {
    return &boot_tables;
}

static void gdt_fill(struct cpu_tables *t, unsigned cpu_number) {
    uint64_t tss = (uint64_t)&t->tss;

    t->gdt[SELECTOR_KERNEL_CODE / 8] = 0x00af9b000000ffffull;
    t->gdt[SELECTOR_KERNEL_DATA / 8] = 0x00cf93000000ffffull;
    t->gdt[SELECTOR_USER_CODE32 / 8] = 0x00cffb000000ffffull;
    t->gdt[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffffull;
    t->gdt[SELECTOR_USER_CODE / 8] = 0x00affb000000ffffull;
    t->gdt[SELECTOR_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
                               (tss >> 24 & 0xff) << 56;
    t->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
    // read-only data, user, byte limit: LSL gives the processor number to the vDSO
    t->gdt[SELECTOR_CPU_NUMBER / 8] = 0x0040f10000000000ull | cpu_number;
}

static void tss_fill(struct cpu_tables *t) {
    for (unsigned i = 0; i < IST_COUNT; i++)
        t->tss.ist[i] = (uint64_t)(t->ist_stacks[i] + IST_STACK_SIZE);
    t->tss.io_map = sizeof(struct tss); // no port is the user's
}

static void idt_fill(void) {
    for (unsigned v = 0; v < 256; v++) {
        uint64_t stub = (uint64_t)entry_stubs + v * 16;
        bool user = v == 3 || v == 4; // breakpoint, overflow: by instruction
        idt[v] = (struct gate){.offset_low = (uint16_t)stub,
                               .selector = SELECTOR_KERNEL_CODE,
                               .type = user ? 0xee : 0x8e,
                               .offset_middle = (uint16_t)(stub >> 16),
                               .offset_high = (uint32_t)(stub >> 32)};
    }
    idt[VECTOR_NMI].ist = IST_NMI;
    idt[VECTOR_DOUBLE_FAULT].ist = IST_DOUBLE_FAULT;
    idt[VECTOR_MACHINE_CHECK].ist = IST_MACHINE_CHECK;
    idt[VECTOR_DEBUG].ist = IST_DEBUG;
}

void descriptors_load(struct cpu *cpu, struct cpu_tables *t) {
    gdt_fill(t, cpu->arch.id);
    tss_fill(t);
    if (t == &boot_tables)
        idt_fill();
    cpu->arch.tables = t;

    struct table_pointer gdt = {sizeof(t->gdt) - 1, (uint64_t)t->gdt};
    struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %2, %%ss\n\t"
                     "movl %3, %%ds\n\t"
                     "movl %3, %%es\n\t"
                     "movl %3, %%fs\n\t"
                     "movl %3, %%gs\n\t"
                     "lidt %4\n\t"
                     "ltr %w5" ::"m"(gdt),
                     "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA), "r"(0), "m"(idt_pointer), "r"(SELECTOR_TSS)
                     : "rax", "memory");
    // Loading a null selector into GS may clear its base: set it last.
    cpu->arch.self = cpu;
    msr_write(MSR_GS_BASE, (uint64_t)cpu);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_FS_BASE, 0);
}

void descriptors_set_kernel_stack(struct cpu *cpu, uint64_t top) {
    struct cpu_tables *t = cpu->arch.tables;

    cpu->arch.kernel_sp = top;
    t->tss.rsp[0] = top;
}
