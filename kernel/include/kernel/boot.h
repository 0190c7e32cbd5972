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
    uint64_t ram_bytes, low_bytes; // usable in all, and below 1 MiB of it, before anything was reserved in ranges
    uint64_t tables_bytes;         // the kernel's page tables that boot made, which are not in ranges any more
    paddr_t image_start, image_end;
    uint64_t text_bytes, rodata_bytes, data_bytes; // of the image, from its start; the rest is cleared memory
    paddr_t archive_start,
        archive_end;   // boot archive (cpio), 0 if none; freed with page_free_archive() as it is unpacked
    paddr_t acpi_rsdp; // 0: search
    char cmdline[BOOT_MAX_CMDLINE];
    const char *protocol;  // "PVH" or "Multiboot2"
    uint64_t entry_cycles; // the processor's counter at the first instruction of the kernel
};
extern struct boot_info boot_info;

// Looks "key" or "key=value" up on the command line. False if it is absent; value may be NULL or is cut to size and terminated ("" for a bare key).
bool boot_option(const char *key, char *value, size_t size);

// The order of boot is one readable list in kernel/boot/main.c: kernel_main() is entered by arch code on the boot processor with the direct map, GS and an
// early IDT in place, interrupts off; cpu_main() by each other processor.
noreturn_fn void kernel_main(void);
noreturn_fn void cpu_main(void);

// The ends of the stages of boot, in the order in which they are reached (kernel/boot/timeline.c).
#define BOOT_MARK_LIST(X)                                                               \
    X(FIRMWARE, "firmware")       /* firmware and loader: the kernel's entry */         \
    X(EARLY, "early")             /* long mode, boot information, page tables */        \
    X(MEMORY, "memory")           /* pages, slabs */                                    \
    X(OBJECTS, "objects")         /* types, jobs, address spaces, processes */          \
    X(PLATFORM, "platform")       /* ACPI tables, interrupt controllers, calibration */ \
    X(THREADS, "threads")         /* scheduler, timers; the boot thread runs */         \
    X(EXECUTIVE, "executive")     /* boot calls of that stage: files, terminals, ... */ \
    X(ARCHIVE, "archive")         /* boot archive unpacked and freed */                 \
    X(DEVICES, "devices")         /* drivers */                                         \
    X(PROCESSORS, "processors")   /* the other processors run */                        \
    X(PERSONALITY, "personality") /* boot calls of that stage, up to process 1 */       \
    X(EXEC, "exec")               /* process 1 made and its program loaded */           \
    X(FIRST_USER_INSTRUCTION, "first_user_instruction")
enum boot_mark {
#define BOOT_MARK_ID(id, name) BOOT_MARK_##id,
    BOOT_MARK_LIST(BOOT_MARK_ID)
#undef BOOT_MARK_ID
        BOOT_MARK_COUNT
};
// The stage ends now; at that count of the processor's counter. Any context.
void boot_mark(enum boot_mark mark);
void boot_mark_at(enum boot_mark mark, uint64_t cycles);
// False: not reached yet (*out_cycles is 0).
bool boot_mark_get(enum boot_mark mark, const char **out_name, uint64_t *out_cycles);
// A user thread is about to run its first instruction: the first one ends the boot.
extern atomic_bool boot_is_over;
cold_fn void boot_end(void);
static inline void boot_user_begins(void) {
    if (unlikely(!atomic_load_explicit(&boot_is_over, memory_order_relaxed)))
        boot_end();
}

// The executive and the personality register what runs once threads work (the core calls upward only through tables): stages run in order in the boot thread.
enum boot_stage {
    BOOT_STAGE_EXECUTIVE,
    BOOT_STAGE_ARCHIVE,
    BOOT_STAGE_DEVICE,
    BOOT_STAGE_PERSONALITY,
    BOOT_STAGE_LAST
};
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
