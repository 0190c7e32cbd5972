// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mappings of physical addresses that are not RAM, for boards: they live as long as the machine, in a window of the kernel's own. Boot, or thread context
// before other processors run; not for drivers, which use kspace_map_physical.
#ifndef ARCH_BOOT_MAP_H
#define ARCH_BOOT_MAP_H

#include <kernel/types.h>

// Registers: uncached, writable. NULL: the window (4 MiB) is used up.
volatile void *boot_map_registers(paddr_t pa, size_t size);
// Firmware tables: cached, read-only. NULL: the window is used up.
const void *boot_map_firmware(paddr_t pa, size_t size);

#endif
