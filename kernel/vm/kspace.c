// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The kernel's mappings made at run time: memory with guard pages, device registers. Thread context (the boot thread
// before there are others, too).
//
// The range is cut into regions of 64 GiB, one for each size class; class k hands out slots of 2^k pages, of which the
// first is never mapped:
//
//     |guard| up to 2^k - 1 pages |guard| up to 2^k - 1 pages |guard ...
//
// So an area finds its size and a guard on both sides by arithmetic, and address space is plentiful. A slot is used
// again only after every processor has flushed its translations: freed areas gather on a dirty list, with their pages,
// until DIRTY_PAGES_MAX are there, and one flush serves all of them.
//
// Invariants:
//  I1. A slot is in use, dirty, clean (on its class's list), or was never used (index >= next).
//  I2. The pages of a dirty area are freed after the flush that follows its unmap.
// Locking: kspace_lock (spinning, rank SLAB: page_alloc may be called under it) guards the lists and the kernel's
// shared tables.

#include "kspace.h"
#include "page_buddy.h"
#include "shootdown.h"

#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/lock.h>
#include <kernel/page.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#define REGION_SIZE     GIB(64)
#define CLASS_FIRST     1 // 2 pages: a guard and one page
#define CLASS_LAST      18
#define DIRTY_PAGES_MAX 128
#define UNMAP_STEP      32 // pages unmapped with preemption off

// One slot; kept when it is free, so that freeing an area allocates nothing.
struct area {
    vaddr_t base; // of the slot: the guard page
    uint16_t class;
    bool physical;
    size_t pages;
    struct job *job;      // charged for pages, outlives the area; or NULL
    struct area *next;    // clean and dirty lists; hash chain while in use
    struct page *backing; // own pages, linked through next_cached
};
static struct spinlock kspace_lock = SPINLOCK_INIT(LOCK_RANK_SLAB);
/* kspace_lock: */
static struct {
    uint64_t next; // slots never used start here
    struct area *clean;
} classes[CLASS_LAST + 1];
static struct area *dirty;
static size_t dirty_pages;
#define HASH_SIZE 256
STATIC_ASSERT(ARCH_KSPACE_BASE + (CLASS_LAST + 1) * REGION_SIZE <= ARCH_KSPACE_END, "every class has a region");
static struct area *in_use[HASH_SIZE];

static struct area **hash_head(vaddr_t base) {
    return &in_use[((base >> PAGE_SHIFT) ^ (base >> 20) ^ (base >> 39)) % HASH_SIZE];
}

static unsigned class_for(size_t pages) {
    unsigned class = CLASS_FIRST;

    while (((size_t)1 << class) < pages + 1)
        class ++;
    return class;
}

static vaddr_t region_base(unsigned class) {
    return ARCH_KSPACE_BASE + class * REGION_SIZE;
}

// A slot that nothing has a translation to, or NULL.
static struct area *slot_take(unsigned class) {
    struct area *fresh = kzalloc(sizeof(*fresh));

    spin_lock(&kspace_lock);
    struct area *a = classes[class].clean;
    if (a) {
        classes[class].clean = a->next;
    } else if (fresh && (classes[class].next + 1) << (class + PAGE_SHIFT) <= REGION_SIZE) {
        a = fresh;
        fresh = NULL;
        a->class = (uint16_t) class;
        a->base = region_base(class) + (classes[class].next++ << (class + PAGE_SHIFT));
    }
    spin_unlock(&kspace_lock);
    kfree(fresh);
    return a;
}

static void area_publish(struct area *a) {
    struct area **head = hash_head(a->base);

    spin_lock(&kspace_lock);
    a->next = *head;
    *head = a;
    spin_unlock(&kspace_lock);
}

static struct area *area_withdraw(vaddr_t base) {
    spin_lock(&kspace_lock);
    struct area **link = hash_head(base);
    while (*link && (*link)->base != base)
        link = &(*link)->next;
    struct area *a = *link;
    if (a)
        *link = a->next;
    spin_unlock(&kspace_lock);
    ASSERT(a); // freed twice, or never made here
    return a;
}

static inv_status_t map_one(vaddr_t va, paddr_t pa, unsigned flags) {
    spin_lock(&kspace_lock);
    inv_status_t status = arch_kernel_map(va, pa, flags);
    spin_unlock(&kspace_lock);
    return status;
}

// Unmaps the first mapped pages of a, some at a time, and queues it for the flush.
static void area_retire(struct area *a, size_t mapped) {
    spin_lock(&kspace_lock);
    for (size_t i = 0; i < mapped; i++) {
        if (i % UNMAP_STEP == UNMAP_STEP - 1) {
            spin_unlock(&kspace_lock);
            spin_lock(&kspace_lock);
        }
        arch_kernel_unmap(a->base + PAGE_SIZE + i * PAGE_SIZE);
    }
    a->next = dirty;
    dirty = a;
    dirty_pages += MAX(a->pages, (size_t)1);
    bool many = dirty_pages >= DIRTY_PAGES_MAX;
    spin_unlock(&kspace_lock);
    if (many)
        (void)kspace_flush();
}

static size_t backing_free(struct area *a) {
    size_t n = 0;

    for (struct page *p = a->backing; p; n++) {
        struct page *next = p->next_cached;
        page_put(p);
        p = next;
    }
    a->backing = NULL;
    return n;
}

size_t kspace_flush(void) {
    size_t freed = 0;

    spin_lock(&kspace_lock);
    struct area *list = dirty;
    dirty = NULL;
    dirty_pages = 0;
    spin_unlock(&kspace_lock);
    if (!list)
        return 0;
    tlb_flush_kernel();
    while (list) {
        struct area *a = list;
        list = a->next;
        freed += backing_free(a);
        spin_lock(&kspace_lock);
        a->next = classes[a->class].clean;
        classes[a->class].clean = a;
        spin_unlock(&kspace_lock);
    }
    return freed;
}

static struct area *area_create(size_t pages, bool physical) {
    if (pages == 0 || pages >= (size_t)1 << CLASS_LAST)
        return NULL;
    struct area *a = slot_take(class_for(pages));
    if (!a)
        return NULL;
    a->pages = pages;
    a->physical = physical;
    a->job = NULL;
    a->backing = NULL;
    return a;
}

// Puts a fresh page at position i of a.
static bool area_back(struct area *a, size_t i, enum page_state state) {
    struct page *p = page_alloc(0, PAGE_ZERO, state, NULL);

    if (!p)
        return false;
    p->next_cached = a->backing;
    a->backing = p;
    return map_one(a->base + PAGE_SIZE + i * PAGE_SIZE, page_to_phys(p), MMU_READ | MMU_WRITE) == INV_OK;
}

static void area_uncharge(struct area *a) {
    if (!a->job)
        return;
    job_uncharge(a->job, JOB_MEMORY, a->pages * PAGE_SIZE);
    a->job = NULL;
}

void *kspace_alloc(size_t size, enum page_state state, struct job *job) {
    size_t pages = ALIGN_UP(size, PAGE_SIZE) >> PAGE_SHIFT;

    if (job && job_charge(job, JOB_MEMORY, pages * PAGE_SIZE) != INV_OK)
        return NULL;
    struct area *a = area_create(pages, false);
    if (!a)
        goto no_area;
    for (size_t i = 0; i < pages; i++)
        if (!area_back(a, i, state)) {
            area_retire(a, i);
            goto no_area;
        }
    a->job = job;
    area_publish(a);
    return (void *)(a->base + PAGE_SIZE);
no_area:
    if (job)
        job_uncharge(job, JOB_MEMORY, pages * PAGE_SIZE);
    return NULL;
}

void kspace_free(void *p) {
    if (!p)
        return;
    struct area *a = area_withdraw((vaddr_t)p - PAGE_SIZE);
    area_uncharge(a);
    area_retire(a, a->pages);
}

void *kspace_map_physical(paddr_t pa, size_t size, unsigned flags) {
    paddr_t first = ALIGN_DOWN(pa, PAGE_SIZE);

    if (size == 0 || pa + size < pa)
        return NULL;
    struct area *a = area_create((ALIGN_UP(pa + size, PAGE_SIZE) - first) >> PAGE_SHIFT, true);
    if (!a)
        return NULL;
    for (size_t i = 0; i < a->pages; i++)
        if (map_one(a->base + PAGE_SIZE + i * PAGE_SIZE, first + i * PAGE_SIZE, flags) != INV_OK) {
            area_retire(a, i);
            return NULL;
        }
    area_publish(a);
    return (void *)(a->base + PAGE_SIZE + (pa - first));
}

void kspace_unmap_physical(void *p) {
    if (!p)
        return;
    struct area *a = area_withdraw(ALIGN_DOWN((vaddr_t)p, PAGE_SIZE) - PAGE_SIZE);
    ASSERT(a->physical);
    area_retire(a, a->pages);
}

bool kspace_is_guard(vaddr_t va) {
    if (va < region_base(CLASS_FIRST) || va >= region_base(CLASS_LAST + 1))
        return false;
    unsigned class = (unsigned)((va - ARCH_KSPACE_BASE) / REGION_SIZE);
    return (va & (((vaddr_t)1 << (class + PAGE_SHIFT)) - 1)) < PAGE_SIZE;
}
