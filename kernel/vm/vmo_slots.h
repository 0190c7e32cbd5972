// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The slot table of a VMO: page index → counted page, in a radix tree whose nodes are counted and can be shared between
// tables (kernel/vm/vmo_slots.c). Private to kernel/vm. The caller holds the table's lock (vmo->lock, or as->lock for a
// private layer), except for slots_peek and slots_peek_window.
#ifndef VM_VMO_SLOTS_H
#define VM_VMO_SLOTS_H

#include <kernel/vmo.h>

#define SLOT_BITS      6
#define SLOT_COUNT     (1u << SLOT_BITS) // slots of a node
#define SLOT_INDEX_MAX ((VMO_MAX_SIZE >> PAGE_SHIFT) - 1)

struct slot_node {
    _Atomic uint32_t count;           // tables and nodes that refer to it
    uint16_t used;                    // slots that are not NULL
    uint16_t level;                   // 0: the lowest; immutable
    struct job *job;                  // charged for the node, counted by the VMO; or NULL
    _Atomic(void *) slot[SLOT_COUNT]; // at level 0 struct page, above struct slot_node; written under the lock
};
static inline void *slot_get(const struct slot_node *n, unsigned i) {
    return atomic_load_explicit(&n->slot[i], memory_order_relaxed);
}
// What is stored is complete: a peek may follow it at once.
static inline void slot_set(struct slot_node *n, unsigned i, void *to) {
    atomic_store_explicit(&n->slot[i], to, memory_order_release);
}

void slots_init_boot(void);
// The page at index, or NULL. *out_exclusive: no node on the path is shared, so that the slot may be changed in place.
struct page *slots_lookup(const struct slot_table *t, uint64_t index, bool *out_exclusive);
// Makes *out the place for the page at index, in nodes that this table does not share. False: no memory or no quota.
// The caller stores a counted page there with slots_store, or leaves it as it is; the place is good until the table
// changes.
struct slot_place {
    struct slot_node *node;
    unsigned slot;
};
must_check bool slots_prepare(struct slot_table *t, uint64_t index, struct job *job, struct slot_place *out);
static inline struct page *slots_at(const struct slot_place *place) {
    return slot_get(place->node, place->slot);
}
// Puts a page into the place, whose reference the table takes over; returns what was there (its reference is the
// caller's now), or NULL.
static inline struct page *slots_store(const struct slot_place *place, struct page *p) {
    struct page *old = slots_at(place);
    slot_set(place->node, place->slot, p);
    place->node->used += !old;
    return old;
}
// Puts the pages of [first, last] and frees the nodes that held no others. *out_removed: pages put. Fails, with nothing
// changed, if a shared node that lies partly inside cannot be copied.
must_check inv_status_t slots_remove(struct slot_table *t, uint64_t first, uint64_t last, struct job *job,
                                     uint64_t *out_removed);
// Makes to, which is empty, share all of from.
void slots_share(struct slot_table *from, struct slot_table *to);
// Gives up everything. The table is empty afterwards.
void slots_release(struct slot_table *t);
// What the n slots from first on hold.
void slots_window(const struct slot_table *t, uint64_t first, size_t n, struct page **out);
// The same without the table's lock, while others store, remove and add nodes: what is found was there at some moment of the call. The caller sees to it
// that nodes and pages which leave the table meanwhile are not freed before it is done with them (vmo.c: the address space's lock does).
struct page *slots_peek(const struct slot_table *t, uint64_t index);
void slots_peek_window(const struct slot_table *t, uint64_t first, size_t n, struct page **out);
// First page at or after index, and no later than last.
struct page *slots_next(const struct slot_table *t, uint64_t index, uint64_t last, uint64_t *out_index);

#endif
