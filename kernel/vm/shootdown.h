// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// TLB shootdown (kernel/vm/shootdown.c): batches of changed entries, flushed on every processor that has the address
// space loaded. Private to kernel/vm.
//
//     struct tlb_batch batch;
//     tlb_begin(&batch, as);                 // as->lock held
//     ... change entries, tlb_add(&batch, va) for each, tlb_add_page() too when it is unmapped ...
//     tlb_flush(&batch);                     // may wait for other processors
//     ... now, and not before, put the pages ...
#ifndef VM_SHOOTDOWN_H
#define VM_SHOOTDOWN_H

#include <kernel/aspace.h>

struct tlb_batch {
    struct aspace *as;
    vaddr_t start, end; // hull of the entries changed; start >= end: none
    size_t entries;
};
static inline void tlb_begin(struct tlb_batch *b, struct aspace *as) {
    *b = (struct tlb_batch){.as = as, .start = UINT64_MAX};
}
static inline void tlb_add(struct tlb_batch *b, vaddr_t va) {
    b->start = MIN(b->start, va);
    b->end = MAX(b->end, va + PAGE_SIZE);
    b->entries++;
}
void tlb_flush(struct tlb_batch *b);

// All kernel translations on all processors (kspace).
void tlb_flush_kernel(void);
// Takes a dying address space off every processor that still has it loaded lazily.
void tlb_drop_aspace(struct aspace *as);

#ifdef CONFIG_DEBUG
// p's translation at some address of as was removed and must be flushed before p is used again; checked when it is
// handed out.
void tlb_audit_unmap(struct aspace *as, paddr_t pa);
void tlb_audit_reuse(const struct page *p);
#else
static inline void tlb_audit_unmap(struct aspace *as, paddr_t pa) {}
static inline void tlb_audit_reuse(const struct page *p) {}
#endif

#endif
