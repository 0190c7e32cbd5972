// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The Multiboot2 boot information (Multiboot2 specification 2.0, 3.6): command line, first module as boot archive, memory map, ACPI root pointers. A copy
// of the root pointer in the information itself is kept, as the original may be out of reach under UEFI. Boot processor, early tables.
#include "arch_private.h"

#include <arch/mmu.h>
#include <kernel/boot.h>
#include <kernel/string.h>

enum { TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3, TAG_MEMORY_MAP = 6, TAG_ACPI_OLD = 14, TAG_ACPI_NEW = 15 };
#define MEMORY_AVAILABLE 1

struct tag {
    uint32_t type, size;
};
struct tag_module {
    struct tag tag;
    uint32_t start, end;
    char cmdline[];
};
struct tag_memory_map {
    struct tag tag;
    uint32_t entry_size, entry_version;
    uint8_t entries[];
};
struct memory_entry {
    uint64_t address, size;
    uint32_t type, reserved;
};

static uint8_t rsdp_copy[64] aligned_to(16);

static void memory_map(const struct tag_memory_map *t) {
    size_t n = t->tag.size - sizeof(*t);

    if (t->entry_size < sizeof(struct memory_entry))
        return;
    for (size_t at = 0; at + t->entry_size <= n; at += t->entry_size) {
        struct memory_entry e;
        memcpy(&e, t->entries + at, sizeof(e));
        if (e.address + e.size >= e.address)
            boot_range_add(e.address, e.address + e.size, e.type == MEMORY_AVAILABLE);
    }
}

static void root_pointer(const struct tag *t) {
    size_t n = MIN(t->size - sizeof(*t), sizeof(rsdp_copy));

    if (t->type == TAG_ACPI_OLD && boot_info.acpi_rsdp)
        return; // the new one came first
    memcpy(rsdp_copy, t + 1, n);
    boot_info.acpi_rsdp = image_to_phys(rsdp_copy);
}

static void parse_tag(const struct tag *t) {
    switch (t->type) {
    case TAG_CMDLINE: boot_copy_cmdline((const char *)(t + 1), t->size - sizeof(*t)); break;
    case TAG_MODULE: {
        const struct tag_module *m = (const struct tag_module *)t;
        if (t->size >= sizeof(*m) && !boot_info.archive_end && m->start < m->end) {
            boot_info.archive_start = m->start;
            boot_info.archive_end = m->end;
        }
        break;
    }
    case TAG_MEMORY_MAP:
        if (t->size >= sizeof(struct tag_memory_map))
            memory_map((const struct tag_memory_map *)t);
        break;
    case TAG_ACPI_OLD:
    case TAG_ACPI_NEW: root_pointer(t); break;
    default: break;
    }
}

bool boot_multiboot2_parse(paddr_t info) {
    const uint32_t *head = phys_to_virt(info);
    size_t total = head[0], at = 8;

    if (info == 0 || !IS_ALIGNED(info, 8) || total < 16 || total > MIB(1))
        return false;
    while (at + sizeof(struct tag) <= total) {
        const struct tag *t = (const struct tag *)((const char *)head + at);
        if (t->type == TAG_END)
            break;
        if (t->size < sizeof(*t) || t->size > total - at)
            return false;
        parse_tag(t);
        at += ALIGN_UP((size_t)t->size, 8);
    }
    boot_info.protocol = "Multiboot2";
    return boot_info.range_count > 0;
}
