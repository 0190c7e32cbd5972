// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The mappings of an address space: tree, gaps, splitting and merging (kernel/vm/mapping.c, mapping_gap.c), and what
// the files of the address space share. Private to kernel/vm. as->lock is held for everything here, unless said
// otherwise.
#ifndef VM_MAPPING_H
#define VM_MAPPING_H

#include "shootdown.h"

#include <kernel/aspace.h>

#define STACK_GUARD_GAP ((uint64_t)256 * PAGE_SIZE) // kept free below a growing stack

void mapping_init_boot(void);
// Allocates a mapping for as, zeroed, on no tree or list, and charged to as's job; no lock needed. NULL: no memory, no
// quota. mapping_free is for one that was never inserted.
struct mapping *mapping_alloc(struct aspace *as);
void mapping_free(struct mapping *m);

// The mapping that contains va, or NULL.
struct mapping *mapping_find(struct aspace *as, vaddr_t va);
// The lowest mapping that ends above va, or NULL; and the next one up.
struct mapping *mapping_from(struct aspace *as, vaddr_t va);
struct mapping *mapping_next(const struct mapping *m);
struct mapping *mapping_prev(const struct mapping *m);
// Puts m, filled in, into the tree, its gap into the gaps, and itself on its object's list.
void mapping_insert(struct aspace *as, struct mapping *m);
// Takes m out of all three. Its references stay with it.
void mapping_remove(struct aspace *as, struct mapping *m);
// Changes the bounds of a mapping in the tree, within the free space around it.
void mapping_set_bounds(struct mapping *m, vaddr_t start, vaddr_t end);
// Cuts m at va: m keeps the lower part, upper (from mapping_alloc) becomes the upper one.
void mapping_split(struct mapping *m, vaddr_t va, struct mapping *upper);
// Merges the mappings that touch [start, end] where nothing tells them apart. Those that are used up go to *doomed (see
// mapping_doom).
void mapping_merge(struct aspace *as, vaddr_t start, vaddr_t end, struct list_node *doomed);
// True if m's private layer, if it has one, is m's alone, has slots for [start, end) and nothing in them: then m may
// grow there.
bool mapping_anon_empty(const struct mapping *m, vaddr_t start, vaddr_t end);
// A mapping out of the tree, whose references are dropped later, without the lock, by mapping_bury.
void mapping_doom(struct mapping *m, struct list_node *doomed);
void mapping_bury(struct list_node *doomed);

// Slot in m->anon of the page at va.
static inline uint64_t mapping_anon_index(const struct mapping *m, vaddr_t va) {
    return (m->flags & MAPPING_GROWSDOWN ? m->anon_anchor - 1 - va : va - m->anon_anchor) >> PAGE_SHIFT;
}
// Page of the object at va.
static inline uint64_t mapping_object_index(const struct mapping *m, vaddr_t va) {
    return (m->object_offset + (va - m->start)) >> PAGE_SHIFT;
}
static inline bool mapping_private(const struct mapping *m) {
    return (m->flags & MAPPING_SHARED) == 0;
}

// Removes the entries of [start, end) into batch; the caller flushes before it drops what they led to.
void mapping_unmap_pages(struct aspace *as, vaddr_t start, vaddr_t end, struct tlb_batch *batch);
// Empties the private layer of m over [start, end), after a flush.
must_check inv_status_t mapping_discard_anon(struct mapping *m, vaddr_t start, vaddr_t end);

// Gaps (mapping_gap.c). mapping_gap_update sets the gap below m anew; m may be new to the tree.
void mapping_gap_update(struct aspace *as, struct mapping *m, bool queued);
void mapping_gap_remove(struct aspace *as, struct mapping *m);
// Address for length bytes below as->mmap_top, or 0.
vaddr_t mapping_gap_find(struct aspace *as, uint64_t length);
// True if [start, end) is free; mapping_room: and leaves a stack above it its guard gap.
bool mapping_range_free(struct aspace *as, vaddr_t start, vaddr_t end);
bool mapping_room(struct aspace *as, vaddr_t start, vaddr_t end);

// aspace.c: unmaps [start, end): cuts mappings at the ends with up to two of spares (taken ones are set to NULL),
// removes entries, flushes, empties private layers, dooms mappings.
must_check inv_status_t aspace_unmap_locked(struct aspace *as, vaddr_t start, vaddr_t end, struct mapping *spares[2],
                                            struct list_node *doomed);
void aspace_init_boot(void);
// A private layer's charge and the tables': charges tables made since the last call. QUOTA.
must_check inv_status_t aspace_charge_tables(struct aspace *as);
bool aspace_any_dying(void);                  // memory is on its way back; no lock needed
void aspace_wait_visitors(struct aspace *as); // vmo_unmap.c

// fault.c: makes the page at va of m present, for a write if write. Lock held; dropped and taken again never. RANGE:
// behind the end of the object.
must_check inv_status_t mapping_fault(struct aspace *as, struct mapping *m, vaddr_t va, bool write);
// The mapping for an access at va, growing a stack if that is what it needs.
struct mapping *mapping_for_fault(struct aspace *as, vaddr_t va);

#endif
