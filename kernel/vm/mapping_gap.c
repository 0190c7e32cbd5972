// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Free space of an address space. Each mapping knows the gap below it; a second tree holds the mappings by the size of
// that gap, so that room is found without walking over the mappings. Under as->lock.
//
// Where a new mapping goes: in the smallest gap that is large enough, at its upper end, so that mappings grow downwards
// from as->mmap_top and holes are filled again. Only the part of a gap inside the *window*, the highest 16 TiB of user
// space, counts: what lies below, around program and heap, is left to addresses that are asked for, and to requests for
// which the window has no room.
//
// Invariants:
//  I1. m->gap is the part of the free space below m that lies in the window; m is in as->gaps by it.

#include "mapping.h"

#include <kernel/assert.h>

#define WINDOW_BASE (ARCH_USER_END - ((uint64_t)16 << 40))

static inline struct mapping *of_gap(struct rb_node *n) {
    return rb_entry(n, struct mapping, gap_node);
}

static vaddr_t gap_bottom(const struct mapping *m) {
    const struct mapping *prev = mapping_prev(m);

    return prev ? prev->end : ARCH_USER_BASE;
}

static void gap_insert(struct aspace *as, struct mapping *m) {
    struct rb_node **link = &as->gaps.root, *parent = NULL;

    while (*link) {
        parent = *link;
        link = m->gap < of_gap(parent)->gap ? &parent->left : &parent->right;
    }
    rb_insert(&as->gaps, &m->gap_node, parent, link);
}

void mapping_gap_update(struct aspace *as, struct mapping *m, bool queued) {
    vaddr_t bottom = MAX(gap_bottom(m), (vaddr_t)WINDOW_BASE);
    uint64_t gap = m->start > bottom ? m->start - bottom : 0;

    if (queued) {
        if (gap == m->gap)
            return;
        rb_remove(&as->gaps, &m->gap_node);
    }
    m->gap = gap;
    gap_insert(as, m);
}

void mapping_gap_remove(struct aspace *as, struct mapping *m) {
    rb_remove(&as->gaps, &m->gap_node);
}

// Upper end of what may be used of the gap below m.
static vaddr_t gap_top(const struct aspace *as, const struct mapping *m) {
    vaddr_t guard = m->flags & MAPPING_GROWSDOWN ? STACK_GUARD_GAP : 0;

    return m->start > guard ? MIN(m->start - guard, as->mmap_top) : 0;
}

// The smallest gap of at least length, or NULL.
static struct rb_node *gap_at_least(struct aspace *as, uint64_t length) {
    struct rb_node *n = as->gaps.root, *best = NULL;

    while (n) {
        if (of_gap(n)->gap >= length) {
            best = n;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

// Outside the window: from the top down.
static vaddr_t find_anywhere(struct aspace *as, uint64_t length) {
    struct rb_node *n = rb_last(&as->mappings);
    vaddr_t top = as->mmap_top;

    for (; n; n = rb_prev(n)) {
        struct mapping *m = rb_entry(n, struct mapping, node);
        if (top > m->end && top - m->end >= length)
            return top - length;
        top = MIN(top, gap_top(as, m));
    }
    return top > ARCH_USER_BASE && top - ARCH_USER_BASE >= length ? top - length : 0;
}

vaddr_t mapping_gap_find(struct aspace *as, uint64_t length) {
    struct rb_node *last = rb_last(&as->mappings);
    vaddr_t above = last ? rb_entry(last, struct mapping, node)->end : ARCH_USER_BASE;

    above = MAX(above, (vaddr_t)WINDOW_BASE);
    for (struct rb_node *n = gap_at_least(as, length); n; n = rb_next(n)) {
        struct mapping *m = of_gap(n);
        vaddr_t bottom = m->start - m->gap, top = gap_top(as, m);
        if (top > bottom && top - bottom >= length)
            return top - length;
    }
    if (as->mmap_top > above && as->mmap_top - above >= length) // above all mappings
        return as->mmap_top - length;
    return find_anywhere(as, length);
}

bool mapping_range_free(struct aspace *as, vaddr_t start, vaddr_t end) {
    struct mapping *m = mapping_from(as, start);

    return !m || m->start >= end;
}

bool mapping_room(struct aspace *as, vaddr_t start, vaddr_t end) {
    struct mapping *m = mapping_from(as, start);

    return !m || (m->start >= end && m->start - end >= (m->flags & MAPPING_GROWSDOWN ? STACK_GUARD_GAP : 0));
}
