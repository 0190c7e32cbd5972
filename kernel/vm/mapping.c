// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The mappings of an address space: a red-black tree by address, with the last one found remembered; splitting,
// merging, and dropping. Used by the files of the address space under as->lock.
//
// Mappings that leave the tree are dropped in two steps, because the owner's put may sleep and take locks that rank
// below as->lock: mapping_doom under the lock, mapping_bury without it.
//
// Invariants:
//  I1. Mappings are not empty, page aligned and do not overlap; each has its gap in the tree of gaps (mapping_gap.c).
//  I2. A mapping with an object is on the object's list as long as it is in the tree.
//  I3. A mapping is charged to the job of its aspace from mapping_alloc to mapping_free.
//  I4. Mappings that share a private layer (after a split) have the same anchor, so that no two pages of them have one
//      slot.

#include "mapping.h"
#include "vmo_slots.h"

#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/slab.h>

static struct slab_cache mapping_cache;

void mapping_init_boot(void) {
    slab_cache_init(&mapping_cache, "mapping", sizeof(struct mapping), 0);
}

struct mapping *mapping_alloc(struct aspace *as) {
    struct job *job = as->obj.job;

    if (job && job_charge(job, JOB_MEMORY, sizeof(struct mapping)) != INV_OK)
        return NULL;
    struct mapping *m = slab_zalloc(&mapping_cache);
    if (m) {
        m->aspace = as;
        list_init(&m->vmo_node);
    } else if (job) {
        job_uncharge(job, JOB_MEMORY, sizeof(struct mapping));
    }
    return m;
}

void mapping_free(struct mapping *m) {
    if (!m)
        return;
    if (m->aspace->obj.job)
        job_uncharge(m->aspace->obj.job, JOB_MEMORY, sizeof(struct mapping));
    slab_free(&mapping_cache, m);
}

static inline struct mapping *of_node(struct rb_node *n) {
    return n ? rb_entry(n, struct mapping, node) : NULL;
}

struct mapping *mapping_next(const struct mapping *m) {
    return of_node(rb_next(&m->node));
}
struct mapping *mapping_prev(const struct mapping *m) {
    return of_node(rb_prev(&m->node));
}

struct mapping *mapping_from(struct aspace *as, vaddr_t va) {
    struct mapping *best = as->last_found;
    struct rb_node *n = as->mappings.root;

    if (best && va >= best->start && va < best->end)
        return best;
    best = NULL;
    while (n) {
        struct mapping *m = of_node(n);
        if (va < m->end) {
            best = m;
            if (va >= m->start) {
                as->last_found = m;
                break;
            }
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

struct mapping *mapping_find(struct aspace *as, vaddr_t va) {
    struct mapping *m = mapping_from(as, va);

    return m && va >= m->start ? m : NULL;
}

static void tree_insert(struct aspace *as, struct mapping *m) {
    struct rb_node **link = &as->mappings.root, *parent = NULL;

    while (*link) {
        parent = *link;
        DEBUG_ASSERT(m->end <= of_node(parent)->start || m->start >= of_node(parent)->end);
        link = m->start < of_node(parent)->start ? &parent->left : &parent->right;
    }
    rb_insert(&as->mappings, &m->node, parent, link);
}

// more may be less than nothing.
static void bytes_add(struct aspace *as, const struct mapping *m, uint64_t more) {
    as->mapped_bytes += more;
    if (m->flags & MAPPING_LOCKED)
        as->locked_bytes += more;
    if (as->mapped_bytes > atomic_load_explicit(&as->mapped_peak, memory_order_relaxed))
        atomic_store_explicit(&as->mapped_peak, as->mapped_bytes, memory_order_relaxed);
}

void mapping_insert(struct aspace *as, struct mapping *m) {
    DEBUG_ASSERT(m->start < m->end && IS_ALIGNED(m->start | m->end, PAGE_SIZE));
    DEBUG_ASSERT(m->aspace == as);
    tree_insert(as, m);
    mapping_gap_update(as, m, false);
    struct mapping *next = mapping_next(m);
    if (next)
        mapping_gap_update(as, next, true);
    as->mapping_count++;
    bytes_add(as, m, m->end - m->start);
    if (m->object) {
        spin_lock(&m->object->mappings_lock);
        list_push_back(&m->object->mappings, &m->vmo_node);
        spin_unlock(&m->object->mappings_lock);
    }
}

static void object_leave(struct mapping *m) {
    if (!m->object)
        return;
    spin_lock(&m->object->mappings_lock);
    list_remove(&m->vmo_node);
    spin_unlock(&m->object->mappings_lock);
}

void mapping_remove(struct aspace *as, struct mapping *m) {
    struct mapping *next = mapping_next(m);

    if (as->last_found == m)
        as->last_found = NULL;
    mapping_gap_remove(as, m);
    rb_remove(&as->mappings, &m->node);
    if (next)
        mapping_gap_update(as, next, true);
    as->mapping_count--;
    bytes_add(as, m, -(m->end - m->start));
    object_leave(m);
}

void mapping_set_bounds(struct mapping *m, vaddr_t start, vaddr_t end) {
    struct aspace *as = m->aspace;
    struct mapping *next = mapping_next(m);

    bytes_add(as, m, (end - start) - (m->end - m->start));
    // The bounds and the offset are read by passes over the object under as->lock, which is ours.
    m->object_offset += start - m->start;
    m->start = start;
    m->end = end;
    mapping_gap_update(as, m, true);
    if (next)
        mapping_gap_update(as, next, true);
}

static void references_copy(const struct mapping *m) {
    if (m->object)
        vmo_get(m->object);
    if (m->anon)
        vmo_get(m->anon);
    if (m->owner)
        m->owner->ops->get(m->owner);
}

void mapping_split(struct mapping *m, vaddr_t va, struct mapping *upper) {
    DEBUG_ASSERT(va > m->start && va < m->end);
    *upper = *m;
    list_init(&upper->vmo_node);
    references_copy(upper);
    upper->object_offset = m->object_offset + (va - m->start);
    upper->start = va;
    mapping_set_bounds(m, m->start, va);
    mapping_insert(m->aspace, upper);
}

bool mapping_anon_empty(const struct mapping *m, vaddr_t start, vaddr_t end) {
    uint64_t found;

    if (!m->anon)
        return true;
    if (atomic_load_explicit(&m->anon->obj.pointers, memory_order_relaxed) != 1)
        return false; // another mapping may come to use these slots
    if (m->flags & MAPPING_GROWSDOWN ? end > m->anon_anchor : start < m->anon_anchor)
        return false; // there are no slots on that side of the anchor
    uint64_t first = mapping_anon_index(m, start), last = mapping_anon_index(m, end - 1);
    return !slots_next(&m->anon->slots, MIN(first, last), MAX(first, last), &found);
}

// The private layers of neighbours can become one: both none, both the same, or the upper has none and its slots are
// free in the lower's.
static bool anon_joins(const struct mapping *low, const struct mapping *high) {
    if (high->anon)
        return low->anon == high->anon && low->anon_anchor == high->anon_anchor;
    return mapping_anon_empty(low, high->start, high->end);
}

static bool joins(const struct mapping *low, const struct mapping *high) {
    return low->end == high->start && low->prot == high->prot && low->max_prot == high->max_prot &&
           low->flags == high->flags && low->object == high->object && low->owner == high->owner &&
           low->label == high->label && !(low->flags & MAPPING_FIXED_KERNEL) &&
           (!low->object || low->object_offset + (low->end - low->start) == high->object_offset) &&
           anon_joins(low, high);
}

// Adds high, which joins, to low.
static void absorb(struct mapping *low, struct mapping *high, struct list_node *doomed) {
    vaddr_t end = high->end;

    mapping_remove(low->aspace, high);
    mapping_set_bounds(low, low->start, end);
    mapping_doom(high, doomed);
}

void mapping_merge(struct aspace *as, vaddr_t start, vaddr_t end, struct list_node *doomed) {
    struct mapping *m = mapping_from(as, start > 0 ? start - 1 : 0);

    while (m && m->start <= end) {
        struct mapping *next = mapping_next(m);
        if (next && joins(m, next))
            absorb(m, next, doomed);
        else
            m = next;
    }
}

void mapping_doom(struct mapping *m, struct list_node *doomed) {
    list_push_back(doomed, &m->vmo_node);
}

void mapping_bury(struct list_node *doomed) {
    struct mapping *m, *tmp;

    list_for_each_safe(m, tmp, doomed, vmo_node) {
        list_remove(&m->vmo_node);
        if (m->anon)
            vmo_put(m->anon);
        if (m->object)
            vmo_put(m->object);
        if (m->owner)
            m->owner->ops->put(m->owner);
        mapping_free(m);
    }
}

// --- pages -----------------------------------------------------------------------------------------------------------

static enum mmu_visit unmap_entry(void *arg, vaddr_t va, paddr_t pa, unsigned flags) {
    struct tlb_batch *batch = arg;

    (void)flags;
    tlb_add(batch, va);
    tlb_audit_unmap(batch->as, pa);
    return MMU_VISIT_UNMAP;
}

void mapping_unmap_pages(struct aspace *as, vaddr_t start, vaddr_t end, struct tlb_batch *batch) {
    if (start >= end)
        return;
    size_t n = arch_mmu_visit(&as->arch, start, end, unmap_entry, batch);
    atomic_fetch_sub_explicit(&as->resident, n, memory_order_relaxed);
}

inv_status_t mapping_discard_anon(struct mapping *m, vaddr_t start, vaddr_t end) {
    uint64_t removed;

    if (!m->anon)
        return INV_OK;
    uint64_t first = mapping_anon_index(m, start), last = mapping_anon_index(m, end - 1);
    inv_status_t status = slots_remove(&m->anon->slots, MIN(first, last), MAX(first, last), m->anon->obj.job, &removed);
    if (status == INV_OK)
        atomic_fetch_sub_explicit(&m->anon->resident, removed, memory_order_relaxed);
    return status;
}

static enum mmu_visit count_entry(void *arg, vaddr_t va, paddr_t pa, unsigned flags) {
    (void)va;
    (void)pa;
    (void)flags;
    ++*(uint64_t *)arg;
    return MMU_VISIT_KEEP;
}

uint64_t mapping_resident(const struct mapping *m) {
    uint64_t n = 0;

    (void)arch_mmu_visit(&m->aspace->arch, m->start, m->end, count_entry, &n);
    return n;
}
