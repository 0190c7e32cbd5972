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

// What a page is used for, and so whose it is (kernel/memory.h): given to page_alloc, counted until the page is freed.
enum page_state {
    PAGE_RESERVED,  // not the allocator's, or in a cache of it
    PAGE_FREE,      // first page of a free block
    PAGE_UNTOUCHED, // first page of a free block whose struct pages were never written
    PAGE_KERNEL,    // whatever has no owner of its own below
    PAGE_SLAB,
    PAGE_TABLE,        // page tables of address spaces
    PAGE_TABLE_KERNEL, // page tables of kspace
    PAGE_STACK,        // kernel stacks, the free ones too
    PAGE_PROCESSOR,    // what each processor needs
    PAGE_ANONYMOUS,    // memory of programs
    PAGE_FILE,         // data of files in memory
    PAGE_PIPE,         // data in pipes
    PAGE_LOG,          // log ring
    PAGE_TRACE,        // trace rings
    PAGE_STATE_COUNT
};

struct page {
    _Atomic uint32_t
        count; // references: slots of VMOs, and temporary holders; page table entries hold none (see fault.c)
    _Atomic uint32_t pins; // for DMA
    uint8_t state;         // enum page_state
    uint8_t order;       // of a free block or multi-page allocation, at its first page; of a slab, at each of its pages
    uint16_t slab_fresh; // PAGE_SLAB: objects never handed out yet
    uint32_t slab_used;  // PAGE_SLAB: objects out of the slab
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
        _Atomic uint64_t
            unmap_flush; // debug audit: the flush that the last unmap needs, 0: none (kernel/vm/shootdown.c)
        void *slab_free; // PAGE_SLAB: first free object
    };
};

#define PAGE_ZERO   (1u << 0) // contents zeroed
#define PAGE_ATOMIC (1u << 1) // may use the emergency reserve; never waits
#define PAGE_USER   (1u << 2) // leaves the kernel's reserve alone (user memory fails first)

void page_init(void); // boot: from boot_info; may be called once
// NULL if there is none, or if job (may be NULL: the kernel's) has no quota left. Any context but under locks of rank >= PAGE_ALLOCATOR. The count is 1.
struct page *page_alloc(unsigned order, unsigned flags, enum page_state state, struct job *job);
void page_get(struct page *p);
void page_put(struct page *p); // frees and uncharges at zero
// The same for a single page whose last reference is the caller's and whose contents are zeros: it may serve the next PAGE_ZERO as it is.
void page_put_zeroed(struct page *p);
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
// Frees the pages of the boot archive that lie below end (of a page that the archive ends in, the whole). Boot thread; never goes back.
void page_free_archive(paddr_t end);
// Frees pages of the kernel's image that only boot needed. Boot thread.
void page_free_image(paddr_t start, paddr_t end);

struct page_stats {
    uint64_t total;                    // what the allocator has, and will have when the boot archive is freed
    uint64_t free;                     // also what lies in processors' caches
    uint64_t reserve;                  // kept from user memory
    uint64_t in_use[PAGE_STATE_COUNT]; // by enum page_state, from PAGE_KERNEL on
};
void page_get_stats(struct page_stats *out); // all in pages

// RAM that the allocator never had, in bytes. Immutable after page_init but for archive.
struct page_boot_use {
    uint64_t ram;     // all that the firmware calls usable
    uint64_t low;     // below 1 MiB: left to firmware and to the start of processors
    uint64_t ignored; // too far from the rest, or an archive that cannot be freed
    uint64_t image, array, tables;
    uint64_t archive; // not freed yet
};
void page_get_boot_use(struct page_boot_use *out);
// Debug hook: makes the n-th allocation from now fail (0: off), for exhaustion tests.
// Counts page and slab allocations of the calling thread alone. Debug builds only; otherwise nothing happens.
void page_inject_failure(uint64_t nth);

#endif
