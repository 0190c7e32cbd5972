// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// VMOs as the rest of kernel/vm sees them. Private to kernel/vm.
#ifndef VM_VMO_PAGES_H
#define VM_VMO_PAGES_H

#include <kernel/vmo.h>

static inline uint64_t pages_in(uint64_t bytes) {
    return ALIGN_UP(bytes, (uint64_t)PAGE_SIZE) >> PAGE_SHIFT;
}

// The page at index of an anonymous VMO, not counted; lock held. write: one that may be written in place, made if need
// be; else NULL where the slot is empty. RANGE past the end; NO_MEMORY.
must_check inv_status_t vmo_page_locked(struct vmo *v, uint64_t index, bool write, struct page **out);
// A private layer: an anonymous VMO without a limit, whose slots as->lock guards.
must_check inv_status_t vmo_create_layer(struct job *job, struct vmo **out);
// fork: a layer that shares all pages of from, whose owner's as->lock is held. Both sides copy what they write from now
// on.
must_check inv_status_t vmo_clone_layer(struct vmo *from, struct job *job, struct vmo **out);
// A page with the contents of from (NULL: zeros), charged to job. NULL: no memory.
struct page *page_copy_of(const struct page *from, struct job *job);
// Gives v pages of its own wherever it shares them, before it is mapped as an object. Lock held.
must_check inv_status_t vmo_make_exclusive(struct vmo *v);
// Unmaps pages [first, last] of v from all mappings and flushes; see vmo_unmap.c. No lock of rank VMO_UNMAP or above is
// held.
void vmo_unmap_range(struct vmo *v, uint64_t first, uint64_t last);
void vmo_unmap_init_boot(void);

#endif
