// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The boot processor's way from head.S to kernel_main(): per-processor block, descriptors, boot information, the final page tables. Interrupts off, on the
// boot stack, early tables loaded. What goes wrong here is told on the early console, for there is nothing else.
#include "arch_private.h"

#include <arch/mmu.h>
#include <arch/vectors.h>
#include <arch/x86.h>
#include <kernel/boot.h>
#include <kernel/platform.h>
#include <kernel/string.h>

#define PVH_MAGIC        0x336ec578u
#define MULTIBOOT2_MAGIC 0x36d76289u

static noreturn_fn void give_up(const char *why) {
    platform_console_write("invar: ", 7);
    platform_console_write(why, strlen(why));
    platform_console_write("\n", 1);
    arch_halt();
}

static bool parse(uint32_t magic, paddr_t info) {
    switch (magic) {
    case PVH_MAGIC: return boot_pvh_parse(info);
    case MULTIBOOT2_MAGIC: return boot_multiboot2_parse(info);
    default: return false;
    }
}

static void memory_map(uint32_t magic, paddr_t info) {
    boot_info.image_start = image_to_phys(kernel_image_start);
    boot_info.image_end = ALIGN_UP(image_to_phys(kernel_image_end), PAGE_SIZE);
    if (!parse(magic, info))
        give_up("the boot loader's information makes no sense");
    boot_ranges_finish();
    boot_info.text_bytes = (uint64_t)(kernel_rodata_start - kernel_image_start);
    boot_info.rodata_bytes = (uint64_t)(kernel_data_start - kernel_rodata_start);
    boot_info.data_bytes = (uint64_t)(kernel_bss_start - kernel_data_start);
}

noreturn_fn void arch_start(uint32_t magic, paddr_t info) {
    struct cpu *cpu = &cpus[0];

    cpu->arch.id = 0;
    cpu->arch.irq_stack = (uint64_t)boot_irq_stack + KIB(16);
    descriptors_load(cpu, descriptors_boot_tables());
    descriptors_set_kernel_stack(cpu, (uint64_t)boot_stack + KIB(16));
    features_enable(cpu);
    boot_info.entry_cycles = boot_entry_cycles;
    memory_map(magic, info);
    boot_map_build();
    // Mapped, but nobody's: the first page (real-mode vectors, null pointers of firmware) and the start page of other
    // processors.
    boot_range_reserve(0, PAGE_SIZE);
    boot_range_reserve(TRAMPOLINE_ADDRESS, TRAMPOLINE_ADDRESS + PAGE_SIZE);
    boot_map_load();
    kernel_main();
}

noreturn_fn void arch_halt(void) {
    for (;;)
        __asm__ volatile("cli; hlt");
}
