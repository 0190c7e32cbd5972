// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The slot table: a radix tree of 64-slot nodes from page index to page, as deep as the largest index needs. Used by
// the VMOs and by the page fault path.
//
// Tables share subtrees: each node is counted like the pages at the bottom are, so that copying a table is one more
// reference to its root. Who wants to change a slot first walks down and replaces each shared node on the path by a
// copy of its own (bumping the counts of what the copy refers to); all else stays shared. Small nodes keep both the
// tables of small objects and that copying cheap.
//
// Invariants:
//  I1. A node whose count is above 1 is never written to. (It may fall to 1 at any time, when the others let go; then
//      the one that is left may write.)
//  I2. A node refers to each non-NULL slot with one reference of that node or page.
//  I3. A page may be written in place only if every node on its path has count 1 and the page too: slots_lookup and
//      page->count tell.
//  I4. Slots that hold nothing are NULL and used counts the others; a node may be empty (a place was prepared and then
//      not used).
// Locking: the table's owner's; a peek goes without, over slots that are stored with release. Tables that share nodes need no common lock: shared nodes are only read, counts are
// atomic. A count seen to be 1 was left by a release of the other holder after its last read, and is read here with
// acquire.

#include "page_check.h"
#include "vmo_slots.h"

#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/string.h>

static struct slab_cache node_cache;

void slots_init_boot(void) {
    slab_cache_init(&node_cache, "slot_node", sizeof(struct slot_node), 0);
}

static inline unsigned slot_of(uint64_t index, unsigned level) {
    return (index >> (SLOT_BITS * level)) & (SLOT_COUNT - 1);
}

// Highest index of a table of this depth.
static inline uint64_t depth_last(unsigned depth) {
    return depth == 0 ? 0 : SLOT_BITS * depth >= 64 ? UINT64_MAX : ((uint64_t)1 << (SLOT_BITS * depth)) - 1;
}

static struct slot_node *node_at(const _Atomic(void *) *link) {
    return atomic_load_explicit(link, memory_order_relaxed);
}
static struct slot_node *root_of(const struct slot_table *t) {
    return node_at(&t->root);
}

static struct slot_node *node_create(struct job *job, unsigned level) {
    if (job && job_charge(job, JOB_MEMORY, sizeof(struct slot_node)) != INV_OK)
        return NULL;
    struct slot_node *n = slab_alloc(&node_cache);
    if (!n) {
        if (job)
            job_uncharge(job, JOB_MEMORY, sizeof(struct slot_node));
        return NULL;
    }
    atomic_store_explicit(&n->count, 1, memory_order_relaxed);
    n->used = 0;
    n->level = (uint16_t)level;
    n->job = job;
    return n;
}

static void node_free(struct slot_node *n) {
    if (n->job)
        job_uncharge(n->job, JOB_MEMORY, sizeof(struct slot_node));
    slab_free(&node_cache, n);
}

// Depth of the tree bounds the recursion: 6 levels for the largest object.
static void node_put(struct slot_node *n, unsigned level) {
    if (atomic_load_explicit(&n->count, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&n->count, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; n->used > 0; i++) {
        void *below = slot_get(n, i);
        if (!below)
            continue;
        n->used--;
        if (level == 0)
            page_put(below);
        else
            node_put(below, level - 1);
    }
    node_free(n);
}

static bool node_shared(const struct slot_node *n) {
    return atomic_load_explicit(&n->count, memory_order_acquire) != 1;
}

// Replaces the shared node at *link by a copy of its own. False: no memory.
static bool node_unshare(_Atomic(void *) *link, unsigned level, struct job *job) {
    struct slot_node *old = node_at(link), *copy = node_create(job, level);

    if (!copy)
        return false;
    memcpy((void *)copy->slot, (const void *)old->slot, sizeof(copy->slot));
    copy->used = old->used;
    for (unsigned i = 0, left = copy->used; left > 0; i++) {
        void *below = slot_get(copy, i);
        if (!below)
            continue;
        left--;
        if (level == 0)
            page_get(below);
        else
            atomic_fetch_add_explicit(&((struct slot_node *)below)->count, 1, memory_order_relaxed);
    }
    atomic_store_explicit(link, copy, memory_order_release);
    node_put(old, level);
    return true;
}

struct page *slots_lookup(const struct slot_table *t, uint64_t index, bool *out_exclusive) {
    bool exclusive = true;

    if (t->depth == 0 || index > depth_last(t->depth)) {
        *out_exclusive = false;
        return NULL;
    }
    const struct slot_node *n = root_of(t);
    for (unsigned level = t->depth - 1;; level--) {
        exclusive &= !node_shared(n);
        void *next = slot_get(n, slot_of(index, level));
        if (level == 0 || !next) {
            *out_exclusive = exclusive;
            return next;
        }
        n = next;
    }
}

static struct slot_node *node_create_empty(struct job *job, unsigned level) {
    struct slot_node *n = node_create(job, level);

    if (n)
        memset((void *)n->slot, 0, sizeof(n->slot));
    return n;
}

// Adds levels at the top until index fits. The old root becomes slot 0; a new root is this table's own.
static bool table_deepen(struct slot_table *t, uint64_t index, struct job *job) {
    while (t->depth == 0 || index > depth_last(t->depth)) {
        struct slot_node *n = node_create_empty(job, t->depth);
        if (!n)
            return false;
        if (t->depth > 0) {
            slot_set(n, 0, root_of(t));
            n->used = 1;
        }
        atomic_store_explicit(&t->root, n, memory_order_release);
        t->depth++;
    }
    return true;
}

bool slots_prepare(struct slot_table *t, uint64_t index, struct job *job, struct slot_place *out) {
    DEBUG_ASSERT(index <= SLOT_INDEX_MAX);
    if (unlikely(t->depth == 0 || index > depth_last(t->depth)) && !table_deepen(t, index, job))
        return false;
    _Atomic(void *) *link = &t->root;
    for (unsigned level = t->depth - 1;; level--) {
        if (unlikely(node_shared(node_at(link))) && !node_unshare(link, level, job))
            return false;
        struct slot_node *n = node_at(link);
        unsigned i = slot_of(index, level);
        if (level == 0) {
            *out = (struct slot_place){.node = n, .slot = i};
            return true;
        }
        if (!slot_get(n, i)) {
            struct slot_node *below = node_create_empty(job, level - 1);
            if (!below)
                return false;
            slot_set(n, i, below);
            n->used++;
        }
        link = &n->slot[i];
    }
}

// --- ranges ----------------------------------------------------------------------------------------------------------

// The part of [first, last], relative to a node of this level, that falls into its slot i, relative to that slot's
// subtree.
struct part {
    uint64_t first, last;
    bool whole;
};
static struct part part_of(uint64_t first, uint64_t last, unsigned level, unsigned i) {
    uint64_t below = ((uint64_t)1 << (SLOT_BITS * level)) - 1;
    struct part p = {
        .first = i == first >> (SLOT_BITS * level) ? first & below : 0,
        .last = i == last >> (SLOT_BITS * level) ? last & below : below,
    };
    p.whole = p.first == 0 && p.last == below;
    return p;
}

// Makes the nodes that lie partly in [first, last] this table's own.
static bool unshare_edges(_Atomic(void *) *link, unsigned level, uint64_t first, uint64_t last, struct job *job) {
    if (node_shared(node_at(link)) && !node_unshare(link, level, job))
        return false;
    if (level == 0)
        return true;
    unsigned edges[2] = {(unsigned)(first >> (SLOT_BITS * level)), (unsigned)(last >> (SLOT_BITS * level))};
    for (unsigned e = 0; e < 2; e++) {
        _Atomic(void *) *child = &node_at(link)->slot[edges[e]];
        struct part p = part_of(first, last, level, edges[e]);
        if (node_at(child) && !p.whole && !unshare_edges(child, level - 1, p.first, p.last, job))
            return false;
    }
    return true;
}

static uint64_t node_pages(const struct slot_node *n, unsigned level) {
    uint64_t pages = 0;

    if (level == 0)
        return n->used;
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        if (slot_get(n, i))
            pages += node_pages(slot_get(n, i), level - 1);
    return pages;
}

// Clears [first, last] in a node that is not shared, and whose partly covered children are not. Returns the pages
// removed.
static uint64_t node_clear(struct slot_node *n, unsigned level, uint64_t first, uint64_t last) {
    uint64_t removed = 0;
    unsigned end = (unsigned)(last >> (SLOT_BITS * level));

    for (unsigned i = (unsigned)(first >> (SLOT_BITS * level)); i <= end; i++) {
        void *child = slot_get(n, i);
        if (!child)
            continue;
        struct part p = part_of(first, last, level, i);
        if (level == 0) {
            removed++;
            page_put(child);
        } else if (p.whole) {
            removed += node_pages(child, level - 1);
            node_put(child, level - 1);
        } else {
            removed += node_clear(child, level - 1, p.first, p.last);
            if (((struct slot_node *)child)->used > 0)
                continue;
            node_put(child, level - 1);
        }
        slot_set(n, i, NULL);
        n->used--;
    }
    return removed;
}

inv_status_t slots_remove(struct slot_table *t, uint64_t first, uint64_t last, struct job *job, uint64_t *out_removed) {
    *out_removed = 0;
    if (t->depth == 0 || first > depth_last(t->depth) || first > last)
        return INV_OK;
    last = MIN(last, depth_last(t->depth));
    if (first == 0 && last == depth_last(t->depth)) {
        *out_removed = node_pages(root_of(t), t->depth - 1);
        slots_release(t);
        return INV_OK;
    }
    if (!unshare_edges(&t->root, t->depth - 1, first, last, job))
        return INV_ERR_NO_MEMORY;
    *out_removed = node_clear(root_of(t), t->depth - 1, first, last);
    return INV_OK;
}

// --- whole tables ----------------------------------------------------------------------------------------------------

void slots_share(struct slot_table *from, struct slot_table *to) {
    DEBUG_ASSERT(to->depth == 0);
    if (from->depth > 0)
        atomic_fetch_add_explicit(&root_of(from)->count, 1, memory_order_relaxed);
    atomic_store_explicit(&to->root, root_of(from), memory_order_release);
    to->depth = from->depth;
}

void slots_release(struct slot_table *t) {
    struct slot_node *root = root_of(t);
    unsigned depth = t->depth;

    atomic_store_explicit(&t->root, NULL, memory_order_relaxed);
    t->depth = 0;
    if (depth > 0)
        node_put(root, depth - 1);
}

void slots_window(const struct slot_table *t, uint64_t first, size_t n, struct page **out) {
    for (size_t i = 0; i < n;) {
        uint64_t index = first + i;
        size_t run = MIN(n - i, (size_t)(SLOT_COUNT - slot_of(index, 0)));
        const struct slot_node *node = t->depth > 0 && index <= depth_last(t->depth) ? root_of(t) : NULL;
        for (unsigned level = t->depth - 1; node && level > 0; level--)
            node = slot_get(node, slot_of(index, level));
        for (size_t end = i + run; i < end; i++)
            out[i] = node ? slot_get(node, slot_of(first + i, 0)) : NULL;
    }
}

// The node of level 0 that index belongs to, or NULL. A root tells its level itself: root and depth of a table that grows are not seen together.
static const struct slot_node *peek_leaf(const struct slot_table *t, uint64_t index) {
    const struct slot_node *n = atomic_load_explicit(&t->root, memory_order_acquire);

    if (!n || index > depth_last(n->level + 1u))
        return NULL;
    for (unsigned level = n->level; n && level > 0; level--)
        n = atomic_load_explicit(&n->slot[slot_of(index, level)], memory_order_acquire);
    return n;
}

struct page *slots_peek(const struct slot_table *t, uint64_t index) {
    const struct slot_node *n = peek_leaf(t, index);

    return n ? atomic_load_explicit(&n->slot[slot_of(index, 0)], memory_order_acquire) : NULL;
}

void slots_peek_window(const struct slot_table *t, uint64_t first, size_t n, struct page **out) {
    const struct slot_node *node = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned slot = slot_of(first + i, 0);
        if (i == 0 || slot == 0)
            node = peek_leaf(t, first + i);
        out[i] = node ? atomic_load_explicit(&node->slot[slot], memory_order_acquire) : NULL;
    }
}

static struct page *node_next(const struct slot_node *n, unsigned level, uint64_t index, uint64_t *out_index) {
    for (unsigned i = slot_of(index, level); i < SLOT_COUNT; i++) {
        void *below = slot_get(n, i);
        if (below) {
            struct page *p = level == 0 ? below : node_next(below, level - 1, index, out_index);
            if (p && level == 0)
                *out_index = index;
            if (p)
                return p;
        }
        index = ((index >> (SLOT_BITS * level)) + 1) << (SLOT_BITS * level);
    }
    return NULL;
}

struct page *slots_next(const struct slot_table *t, uint64_t index, uint64_t last, uint64_t *out_index) {
    if (t->depth == 0 || index > depth_last(t->depth))
        return NULL;
    struct page *p = node_next(root_of(t), t->depth - 1, index, out_index);
    return p && *out_index <= last ? p : NULL;
}
