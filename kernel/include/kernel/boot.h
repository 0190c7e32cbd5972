// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the boot loader told us, in one form whatever the protocol (PVH or Multiboot2). Filled by kernel/arch early code, immutable afterwards; pointers
// are direct-map addresses.
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <kernel/types.h>

#define BOOT_MAX_RANGES  128
#define BOOT_MAX_CMDLINE 4096

struct boot_range {
    paddr_t start, end;
    bool usable; // RAM free for use (what the kernel image, modules and boot data occupy is subtracted by page_init)
};
struct boot_info {
    struct boot_range ranges[BOOT_MAX_RANGES]; // sorted, not overlapping, page aligned inwards
    unsigned range_count;
    paddr_t image_start, image_end;
    paddr_t archive_start,
        archive_end;   // boot archive (cpio), 0 if none; freed with page_free_boot_range() when unpacked
    paddr_t acpi_rsdp; // 0: search
    char cmdline[BOOT_MAX_CMDLINE];
    const char *protocol; // "PVH" or "Multiboot2"
};
extern struct boot_info boot_info;

// Looks "key" or "key=value" up on the command line. False if it is absent; value may be NULL or is cut to size and terminated ("" for a bare key).
bool boot_option(const char *key, char *value, size_t size);

// The order of boot is one readable list in kernel/boot/main.c: kernel_main() is entered by arch code on the boot processor with the direct map, GS and an
// early IDT in place, interrupts off; cpu_main() by each other processor.
noreturn_fn void kernel_main(void);
noreturn_fn void cpu_main(void);

// The executive and the personality register what runs once threads work (the core calls upward only through tables): stages run in order in the boot thread.
enum boot_stage { BOOT_STAGE_EXECUTIVE, BOOT_STAGE_DEVICE, BOOT_STAGE_PERSONALITY, BOOT_STAGE_LAST };
struct boot_call {
    const char *name;
    enum boot_stage stage;
    inv_status_t (*fn)(void); // a failure is logged with the name; boot goes on
};
// Places an entry into the linker set .boot_calls (within a stage: link order).
#define BOOT_CALL(boot_name, boot_stage_, boot_fn)                                 \
    static const struct boot_call boot_call_##boot_fn section_named(".boot_calls") \
        aligned_to(8) = {.name = boot_name, .stage = boot_stage_, .fn = boot_fn}

#endif
