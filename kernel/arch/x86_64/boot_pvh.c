// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The PVH boot protocol (Xen's public/arch-x86/hvm/start_info.h, as QEMU and Firecracker implement it): memory map, command line, boot archive as the
// first module, address of the ACPI root. Boot processor, early tables (low 4 GiB in the direct map).
#include "arch_private.h"

#include <arch/mmu.h>
#include <kernel/boot.h>
#include <kernel/string.h>

#define PVH_MAGIC      0x336ec578u
#define PVH_MEMORY_RAM 1

struct pvh_start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t module_list, cmdline, rsdp;
    uint64_t memory_map; // from version 1 on
    uint32_t memory_map_entries, reserved;
};
struct pvh_module {
    uint64_t address, size, cmdline, reserved;
};
struct pvh_memory {
    uint64_t address, size;
    uint32_t type, reserved;
};

static bool low(uint64_t address, uint64_t size) {
    return address != 0 && address < GIB(4) && size <= GIB(4) - address;
}

bool boot_pvh_parse(paddr_t start_info) {
    const struct pvh_start_info *info = phys_to_virt(start_info);

    if (!low(start_info, sizeof(*info)) || info->magic != PVH_MAGIC || info->version < 1)
        return false;
    if (!low(info->memory_map, info->memory_map_entries * sizeof(struct pvh_memory)))
        return false;
    const struct pvh_memory *map = phys_to_virt(info->memory_map);
    for (uint32_t i = 0; i < info->memory_map_entries; i++)
        if (map[i].address + map[i].size >= map[i].address)
            boot_range_add(map[i].address, map[i].address + map[i].size, map[i].type == PVH_MEMORY_RAM);

    if (info->module_count > 0 && low(info->module_list, sizeof(struct pvh_module))) {
        const struct pvh_module *m = phys_to_virt(info->module_list);
        boot_info.archive_start = m->address;
        boot_info.archive_end = m->address + m->size;
    }
    if (low(info->cmdline, 1))
        boot_copy_cmdline(phys_to_virt(info->cmdline), GIB(4) - info->cmdline);
    boot_info.acpi_rsdp = info->rsdp;
    boot_info.protocol = "PVH";
    return true;
}
