// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files of this folder share among themselves. Nothing outside includes it.
#ifndef ARCH_PRIVATE_H
#define ARCH_PRIVATE_H

#include <arch/context.h>
#include <arch/frame.h>
#include <kernel/cpu.h>
#include <kernel/types.h>

// Bits of arch_cpu.arch_flags: features in use on this processor.
#define CPU_FEATURE_SMAP     (1u << 0)
#define CPU_FEATURE_XSAVE    (1u << 1)
#define CPU_FEATURE_XSAVEOPT (1u << 2)

// descriptors.c: GDT, TSS, IDT.
struct cpu_tables;
size_t descriptors_size(void);                                     // bytes of a struct cpu_tables, page multiple
void descriptors_load(struct cpu *cpu, struct cpu_tables *tables); // this processor: GDT, TSS, IST stacks, IDT, GS
struct cpu_tables *descriptors_boot_tables(void);
void descriptors_set_kernel_stack(struct cpu *cpu, uint64_t top);

// features.c: control registers and system call registers of this processor.
void features_enable(struct cpu *cpu);

// fpu.c
void fpu_enable(struct cpu *cpu);

// boot_map.c: the final kernel tables, made once.
void boot_map_build(void);
void boot_map_load(void); // this processor
paddr_t boot_map_root(void);

// boot_pvh.c, boot_multiboot2.c: fill boot_info. False if the structure makes no sense.
bool boot_pvh_parse(paddr_t start_info);
bool boot_multiboot2_parse(paddr_t info);
// boot_ranges.c: the memory map while it is being collected.
void boot_range_add(paddr_t start, paddr_t end, bool usable);
void boot_ranges_finish(void);                       // sorts, resolves overlaps (not usable wins), aligns inwards
void boot_range_reserve(paddr_t start, paddr_t end); // takes [start, end) out of the usable ranges
paddr_t boot_range_find(size_t size,
                        paddr_t below); // free space for boot structures, clear of image and archive; 0: none
void boot_copy_cmdline(const char *text, size_t max);

// exceptions.c
void exception_entry(struct arch_frame *frame);
void exception_paranoid(struct arch_frame *frame);
void entry_exit_work(struct arch_frame *frame);
// exception_table.c: the address to go on at after a fault at pc, or 0. Pure.
struct exception_fixup {
    uint64_t pc, fixup;
};
uint64_t exception_table_search(const struct exception_fixup *table, size_t count, uint64_t pc);

// interrupts.c
void interrupt_entry(struct arch_frame *frame);

// start.c, smp.c
noreturn_fn void arch_start(uint32_t magic, paddr_t info);
noreturn_fn void arch_start_other(struct cpu *cpu);

// entry.S, head.S
void entry_syscall(void);
void entry_syscall_compat(void);
extern const char entry_stubs[];
extern uint64_t boot_root[512];
extern uint8_t boot_stack_guard[], boot_irq_stack_guard[], boot_irq_stack[];
extern const uint64_t boot_entry_cycles; // head.S: the counter at the first instruction
struct thread *context_switch_stacks(uint64_t *save_sp, uint64_t load_sp, struct thread *prev);
void context_first_run(void);
void context_unpark(void);

// kernel.ld
extern char kernel_image_start[], kernel_image_end[], kernel_text_start[], kernel_text_end[], kernel_rodata_start[],
    kernel_data_start[];
extern char kernel_bss_start[], kernel_bss_end[];
extern char kernel_early_start[], kernel_early_end[]; // early page tables, inside bss
extern const struct exception_fixup exception_table_start[], exception_table_end[];
extern char *const smap_sites_start[], *const smap_sites_end[];

static inline paddr_t image_to_phys(const void *p) {
    return (paddr_t)p - 0xffffffff80000000ull;
}

#endif
