// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Physical pages: one struct page each, a buddy allocator, per-processor caches of single pages (kernel/vm/page.c). Pages are counted; the count falls to
// zero in page_put alone. Each page that belongs to a job is charged to it until it is freed.
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <arch/mmu.h>
#include <kernel/boot.h>
#include <kernel/list.h>
#include <kernel/types.h>

struct job;

#define PAGE_MAX_ORDER 10 // largest block: 4 MiB

enum page_state { PAGE_RESERVED, PAGE_FREE, PAGE_UNTOUCHED, PAGE_KERNEL, PAGE_SLAB, PAGE_TABLE, PAGE_ANONYMOUS };

struct page {
    _Atomic uint32_t
        count; // references: slots of VMOs, and temporary holders; page table entries hold none (see fault.c)
    _Atomic uint32_t pins; // for DMA
    uint8_t state;         // enum page_state
    uint8_t order;       // of a free block or multi-page allocation, at its first page; of a slab, at each of its pages
    uint16_t slab_fresh; // PAGE_SLAB: objects never handed out yet
    union {
        uint32_t unmap_aspace; // debug audit: id of the address space of the last unmap, 0: none
        uint32_t slab_used;    // PAGE_SLAB: objects out of the slab
    };
    union {
        struct job *job;          // charged; kept alive by what holds the page (a VMO, an address space)
        struct slab_cache *cache; // PAGE_SLAB
    };
    union {
        struct list_node node;    // free blocks, slabs of a cache
        struct page *next_cached; // per-processor cache
        uint64_t table_occupancy; // PAGE_TABLE: bit n: one of its entries 8n to 8n+7 is in use (arch/mmu.h)
    };
    union {
        uint64_t unmap_seq; // debug audit: flush sequence of that address space which the last unmap needs
        void *slab_free;    // PAGE_SLAB: first free object
    };
};

#define PAGE_ZERO   (1u << 0) // contents zeroed
#define PAGE_ATOMIC (1u << 1) // may use the emergency reserve; never waits
#define PAGE_USER   (1u << 2) // leaves the kernel's reserve alone (user memory fails first)

void page_init(void); // boot: from boot_info; may be called once
// NULL if there is none, or if job (may be NULL: the kernel's) has no quota left. Any context but under locks of rank >= PAGE_ALLOCATOR. The count is 1.
struct page *page_alloc(unsigned order, unsigned flags, enum page_state state, struct job *job);
void page_get(struct page *p);
void page_put(struct page *p);           // frees and uncharges at zero
struct page *page_from_phys(paddr_t pa); // NULL if pa is not RAM
// The array of all struct page: entry 0 is frame page_array_base. Immutable after page_init.
extern struct page *page_array;
extern uint64_t page_array_base, page_array_length;
static inline struct page *page_at(paddr_t pa) {
    return &page_array[(pa >> PAGE_SHIFT) - page_array_base];
} // pa is known to be RAM
static inline paddr_t page_to_phys(const struct page *p) {
    return (page_array_base + (uint64_t)(p - page_array)) << PAGE_SHIFT;
}
static inline void *page_to_virt(const struct page *p) {
    return phys_to_virt(page_to_phys(p));
}
extern struct page *page_zero; // the one page of zeros: mapped read-only, never counted down to zero
// Gives RAM that held boot data back (whole pages inside).
void page_free_boot_range(paddr_t start, paddr_t end);

struct page_stats {
    uint64_t total, free, kernel, slab, tables, anonymous, reserve;
};
void page_get_stats(struct page_stats *out);
// Debug hook: makes the n-th allocation from now fail (0: off), for exhaustion tests.
// Counts page and slab allocations of the calling thread alone. Debug builds only; otherwise nothing happens.
void page_inject_failure(uint64_t nth);

#endif
