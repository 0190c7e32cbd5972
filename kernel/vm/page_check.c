// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The page allocator's checks in debug builds; called from page.c with the page in the caller's hands and no lock
// needed.

#include "page_buddy.h"
#include "page_check.h"
#include "shootdown.h"

#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/string.h>

#define POISON 0xdeadf4eedeadf4eeull

// Set by one test thread and counted down by it alone.
static _Atomic(struct thread *) inject_thread;
static uint64_t inject_countdown;

void page_inject_failure(uint64_t nth) {
    inject_countdown = nth;
    atomic_store_explicit(&inject_thread, nth ? current_thread() : NULL, memory_order_relaxed);
}

bool page_check_inject(void) {
    if (likely(atomic_load_explicit(&inject_thread, memory_order_relaxed) != current_thread()) || !current_thread() ||
        arch_in_interrupt())
        return false;
    if (inject_countdown == 0 || --inject_countdown != 0)
        return false;
    atomic_store_explicit(&inject_thread, NULL, memory_order_relaxed);
    return true;
}

// slab_fresh is free for use in a free page: POISONED says that it was freed here and not merely never used since boot.
#define POISONED 0xf4ee
// And this that it was zeros when it was freed.
#define ZEROED 0x2e20

static void contents_check(const struct page *p, uint64_t expected, const char *what) {
    const uint64_t *word = page_to_virt(p);

    for (size_t i = 0; i < PAGE_SIZE / sizeof(*word); i++)
        if (unlikely(word[i] != expected))
            panic("page %lx %s: word %zu is %lx", page_to_phys(p), what, i, word[i]);
}

void page_check_free(struct page *p, unsigned order, bool zeroed) {
    if (p->state == PAGE_FREE || p->state == PAGE_RESERVED)
        panic("page %lx freed while its state is %u", page_to_phys(p), p->state);
    for (size_t i = 0; p->state == PAGE_SLAB && i < (size_t)1 << order; i++)
        atomic_store_explicit(&p[i].unmap_flush, 0, memory_order_relaxed); // slab_free was there
    if (zeroed) {
        contents_check(p, 0, "was given back as zeros");
        p->slab_fresh = ZEROED;
        return;
    }
    uint64_t *word = page_to_virt(p);
    for (size_t i = 0; i < (PAGE_SIZE << order) / sizeof(*word); i++)
        word[i] = POISON;
    for (size_t i = 0; i < (size_t)1 << order; i++)
        p[i].slab_fresh = POISONED;
}

void page_check_unzero(struct page *p) {
    p->slab_fresh = 0;
}

void page_check_alloc(struct page *p, unsigned order) {
    for (size_t i = 0; i < (size_t)1 << order; i++) {
        if (p[i].slab_fresh == POISONED)
            contents_check(&p[i], POISON, "was written after it was freed");
        else if (p[i].slab_fresh == ZEROED)
            contents_check(&p[i], 0, "was written after it was freed");
        p[i].slab_fresh = 0;
        tlb_audit_reuse(&p[i]);
        atomic_store_explicit(&p[i].unmap_flush, 0, memory_order_relaxed);
    }
}
