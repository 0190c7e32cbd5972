// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Access to registers of devices in memory: one access of exactly this width, in program order with other accesses to registers, counted as an exit (kernel/counters.h).
// base is a mapping made by boot_map_registers() or kspace_map_physical(); any context.
#ifndef KERNEL_MMIO_H
#define KERNEL_MMIO_H

#include <kernel/cpu.h>

#define MMIO_ACCESSORS(width)                                                                         \
    static inline uint##width##_t mmio_read##width(const volatile void *base, size_t offset) {        \
        counter_add(exits, 1);                                                                        \
        return *(const volatile uint##width##_t *)((const volatile char *)base + offset);             \
    }                                                                                                 \
    static inline void mmio_write##width(volatile void *base, size_t offset, uint##width##_t value) { \
        counter_add(exits, 1);                                                                        \
        *(volatile uint##width##_t *)((volatile char *)base + offset) = value;                        \
    }
MMIO_ACCESSORS(8)
MMIO_ACCESSORS(16)
MMIO_ACCESSORS(32)
MMIO_ACCESSORS(64)
#undef MMIO_ACCESSORS

#endif
