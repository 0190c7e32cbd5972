// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The kernel's side of the vDSO: makes the two objects that the personality maps at exec, and keeps the data page (see kernel/vdso.h, vdso_data.h).
// vdso_init: boot thread. vdso_update_clock: any context but interrupt, one caller at a time (kernel/time holds its lock).
#include "../arch_private.h"
#include "vdso_data.h"

#include <arch/mmu.h>
#include <kernel/assert.h>
#include <kernel/platform.h>
#include <kernel/string.h>
#include <kernel/time.h>
#include <kernel/vdso.h>
#include <kernel/vmo.h>

#define ELF_ENTRY_OFFSET 24

extern const uint8_t vdso_image_start[], vdso_image_end[];

struct vmo *vdso_data_vmo, *vdso_image_vmo;
size_t vdso_image_size;

static union {
    struct vdso_data data;
    uint8_t page[4096];
} data_page aligned_to(4096);

void vdso_update_clock(uint64_t wall_offset_ns) {
    struct vdso_data *d = &data_page.data;
    uint64_t base_cycles, mult;
    nstime_t base_ns;
    unsigned shift;
    bool usable = platform_clock_params(&base_cycles, &base_ns, &mult, &shift);
    uint32_t sequence = atomic_load_explicit(&d->sequence, memory_order_relaxed);

    DEBUG_ASSERT(shift == VDSO_SHIFT);
    sequence |= 1;
    atomic_store_explicit(&d->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&d->mult, mult, memory_order_relaxed);
    atomic_store_explicit(&d->base_cycles, base_cycles, memory_order_relaxed);
    atomic_store_explicit(&d->offset[VDSO_MONOTONIC], base_ns, memory_order_relaxed);
    atomic_store_explicit(&d->offset[VDSO_WALL], base_ns + wall_offset_ns, memory_order_relaxed);
    if (usable)
        atomic_store_explicit(&d->sequence, sequence + 1, memory_order_release);
}

void vdso_init(void) {
    vdso_image_size = (size_t)(vdso_image_end - vdso_image_start);
    if (vmo_create_physical(NULL, image_to_phys(&data_page), sizeof(data_page), 0, &vdso_data_vmo) != INV_OK ||
        vmo_create_physical(NULL, image_to_phys(vdso_image_start), vdso_image_size, 0, &vdso_image_vmo) != INV_OK)
        panic("no memory for the vDSO");
    clock_wall_set(clock_wall()); // fills the page
}

uint64_t vdso_sigreturn_offset(void) {
    uint64_t offset;

    memcpy(&offset, vdso_image_start + ELF_ENTRY_OFFSET, sizeof(offset));
    return offset;
}
