// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The kernel's page tables, built once on the boot processor from a bump allocator and shared by every address space: direct map of RAM, image, a window
// for registers and firmware tables, and the (still empty) tables of kspace, so that every top-level entry of the kernel half exists from now on.
//
// Invariants:
//   I1 no page is writable and executable, by any of its mappings: text and rodata are read-only in the direct map as well.
//   I2 the direct map holds RAM and nothing else; its edges are mapped by 4 KiB pages.
//   I3 top-level entries of the kernel half do not change after boot_map_build.
// Locking: none; boot only (the window is filled before other processors run).
#include "arch_private.h"
#include "page_table.h"

#include <arch/boot_map.h>
#include <arch/x86.h>
#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/string.h>

#define WINDOW_BASE 0xffffffffc0000000ull // last GiB
#define WINDOW_SIZE MIB(4)

static struct { paddr_t next, end, start; } bump;
static paddr_t root;
static vaddr_t window_next = WINDOW_BASE;

// The early tables map the low 4 GiB at the direct map too, and the allocator's memory lies there.
static paddr_t bump_page(void) {
    ASSERT(bump.next < bump.end);
    paddr_t pa = bump.next;
    bump.next += PAGE_SIZE;
    memset(phys_to_virt(pa), 0, PAGE_SIZE);
    return pa;
}

// The entry for va at level, with the tables above it made.
static _Atomic(pte_t) *boot_entry(vaddr_t va, unsigned level) {
    _Atomic(pte_t) *table = phys_to_virt(root);

    for (unsigned l = TABLE_LEVELS - 1; l > level; l--) {
        _Atomic(pte_t) *e = &table[table_index(va, l)];
        if (!(atomic_load_explicit(e, memory_order_relaxed) & PTE_PRESENT))
            atomic_store_explicit(e, bump_page() | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED, memory_order_relaxed);
        table = table_of(atomic_load_explicit(e, memory_order_relaxed));
    }
    return &table[table_index(va, level)];
}

static void map_page(vaddr_t va, paddr_t pa, unsigned flags) {
    ASSERT((flags & (MMU_WRITE | MMU_EXECUTE)) != (MMU_WRITE | MMU_EXECUTE));
    atomic_store_explicit(boot_entry(va, 0), pa | pte_flags(flags | MMU_GLOBAL), memory_order_relaxed);
}

static void map_large(vaddr_t va, paddr_t pa) {
    atomic_store_explicit(boot_entry(va, 1), pa | pte_flags(MMU_READ | MMU_WRITE | MMU_GLOBAL) | PTE_LARGE,
                          memory_order_relaxed);
}

static void direct_map_range(paddr_t start, paddr_t end) {
    paddr_t read_only_start = image_to_phys(kernel_image_start), read_only_end = image_to_phys(kernel_data_start);

    for (paddr_t pa = start; pa < end;) {
        bool whole = IS_ALIGNED(pa, LARGE_PAGE_SIZE) && end - pa >= LARGE_PAGE_SIZE;
        bool clear = pa + LARGE_PAGE_SIZE <= read_only_start || pa >= read_only_end;
        if (whole && clear) {
            map_large(ARCH_DIRECT_MAP + pa, pa);
            pa += LARGE_PAGE_SIZE;
        } else {
            bool writable = pa < read_only_start || pa >= read_only_end;
            map_page(ARCH_DIRECT_MAP + pa, pa, MMU_READ | (writable ? MMU_WRITE : 0));
            pa += PAGE_SIZE;
        }
    }
}

static void image_map(const char *start, const char *end, unsigned flags) {
    for (const char *p = start; p < end; p += PAGE_SIZE)
        if (p != (char *)boot_stack_guard && p != (char *)boot_irq_stack_guard)
            map_page((vaddr_t)p, image_to_phys(p), flags);
}

// Tables needed at most: a page table for each edge of a range, a directory for each GiB, and the fixed ones.
static size_t tables_bound(void) {
    size_t pages = 8 + (ARCH_KSPACE_END - ARCH_KSPACE_BASE) / GIB(512) + WINDOW_SIZE / LARGE_PAGE_SIZE +
                   2 * ((size_t)(kernel_image_end - kernel_image_start) / LARGE_PAGE_SIZE + 2);

    for (unsigned i = 0; i < boot_info.range_count; i++)
        pages += 4 + (boot_info.ranges[i].end - boot_info.ranges[i].start) / GIB(1) + 2 +
                 (boot_info.ranges[i].end - boot_info.ranges[i].start) / GIB(512);
    return pages * PAGE_SIZE;
}

void boot_map_build(void) {
    size_t bound = tables_bound();

    bump.start = bump.next = boot_range_find(bound, GIB(4));
    ASSERT(bump.start != 0);
    bump.end = bump.start + bound;
    root = bump_page();

    for (unsigned i = 0; i < boot_info.range_count; i++)
        if (boot_info.ranges[i].usable)
            direct_map_range(boot_info.ranges[i].start, boot_info.ranges[i].end);
    image_map(kernel_image_start, kernel_rodata_start, MMU_READ | MMU_EXECUTE);
    image_map(kernel_rodata_start, kernel_data_start, MMU_READ);
    image_map(kernel_data_start, kernel_image_end, MMU_READ | MMU_WRITE);
    for (vaddr_t va = ARCH_KSPACE_BASE; va < ARCH_KSPACE_END; va += GIB(512))
        boot_entry(va, 2);
    for (vaddr_t va = WINDOW_BASE; va < WINDOW_BASE + WINDOW_SIZE; va += LARGE_PAGE_SIZE)
        boot_entry(va, 0);
    boot_info.tables_bytes = bump.next - bump.start;
    boot_range_reserve(bump.start, bump.next);
}

paddr_t boot_map_root(void) {
    return root;
}

void boot_map_load(void) {
    cr3_write(root);
}

static void *window_map(paddr_t pa, size_t size, unsigned flags) {
    paddr_t first = ALIGN_DOWN(pa, PAGE_SIZE);
    size_t length = ALIGN_UP(pa + size, PAGE_SIZE) - first;

    if (pa + size < pa || length > WINDOW_BASE + WINDOW_SIZE - window_next)
        return NULL;
    vaddr_t va = window_next;
    for (size_t offset = 0; offset < length; offset += PAGE_SIZE)
        map_page(va + offset, first + offset, flags);
    window_next += length;
    return (void *)(va + (pa - first));
}

volatile void *boot_map_registers(paddr_t pa, size_t size) {
    return window_map(pa, size, MMU_READ | MMU_WRITE | MMU_UNCACHED);
}

const void *boot_map_firmware(paddr_t pa, size_t size) {
    return window_map(pa, size, MMU_READ);
}
