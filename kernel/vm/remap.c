// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Growing, shrinking and moving a mapping (mremap). Thread context. A move takes the mapping out of the tree, flushes
// its entries, and puts it back at its new place with the anchor of its private layer moved along: no page is touched,
// and the pages come back by faults.

#include "mapping.h"
#include "vmo_pages.h"
#include "vmo_slots.h"

#include <kernel/assert.h>

struct remap {
    struct aspace *as;
    vaddr_t old, new_address;
    uint64_t old_length, new_length; // rounded
    bool may_move, fixed, keep;
    struct mapping *spares[4]; // two ends at the old place, two at the new one
    struct mapping *extension; // a mapping for what the layer cannot take
    struct list_node doomed;
};

static bool user_range(vaddr_t start, uint64_t length) {
    return start >= ARCH_USER_BASE && length <= ARCH_USER_END - ARCH_USER_BASE && start <= ARCH_USER_END - length;
}

static inv_status_t arguments_check(struct remap *r) {
    if (!IS_ALIGNED(r->old, PAGE_SIZE) || r->new_length == 0 || r->new_length > ARCH_USER_END)
        return INV_ERR_INVALID;
    if (r->fixed) {
        if (!r->may_move || !IS_ALIGNED(r->new_address, PAGE_SIZE) || !user_range(r->new_address, r->new_length))
            return INV_ERR_INVALID;
        uint64_t source = MAX(r->old_length, PAGE_SIZE); // length 0 is a mapping too
        if (r->new_address < r->old + source && r->old < r->new_address + r->new_length)
            return INV_ERR_INVALID;
    }
    return user_range(r->old, r->old_length) ? INV_OK : INV_ERR_FAULT;
}

// Gives m, whose layer other mappings use too (after a cut), a layer of its own with just its part, so that it can move
// and grow. A failure leaves everything as it is.
static inv_status_t layer_separate(struct mapping *m) {
    struct vmo *own;
    uint64_t removed;

    if (!m->anon || atomic_load_explicit(&m->anon->obj.pointers, memory_order_relaxed) == 1)
        return INV_OK;
    inv_status_t status = vmo_clone_layer(m->anon, m->aspace->obj.job, &own);
    if (status != INV_OK)
        return status;
    uint64_t a = mapping_anon_index(m, m->start), b = mapping_anon_index(m, m->end - 1);
    uint64_t first = MIN(a, b), last = MAX(a, b);
    status = slots_remove(&own->slots, last + 1, SLOT_INDEX_MAX, own->obj.job, &removed);
    if (status == INV_OK && first > 0)
        status = slots_remove(&own->slots, 0, first - 1, own->obj.job, &removed);
    if (status == INV_OK)
        status = mapping_discard_anon(m, m->start, m->end); // from the old layer; the new one holds the pages
    if (status != INV_OK) {
        vmo_put(own);
        return status;
    }
    vmo_put(m->anon);
    m->anon = own;
    return INV_OK;
}

// Makes m reach to end, by itself or by a mapping like it behind it.
static void extend(struct remap *r, struct mapping *m, vaddr_t end) {
    (void)!layer_separate(m); // if not, there will be two mappings
    if (mapping_anon_empty(m, m->end, end)) {
        mapping_set_bounds(m, m->start, end);
        return;
    }
    struct mapping *more = r->extension;
    r->extension = NULL;
    *more = *m;
    list_init(&more->vmo_node);
    more->anon = NULL;
    more->object_offset = m->object_offset + (m->end - m->start);
    more->start = m->end;
    more->end = end;
    if (more->object)
        vmo_get(more->object);
    if (more->owner)
        more->owner->ops->get(more->owner);
    mapping_insert(r->as, more);
}

// The mapping cut to exactly [start, start + length).
static struct mapping *cut_out(struct aspace *as, vaddr_t start, uint64_t length, struct mapping **spares) {
    struct mapping *m = mapping_find(as, start);

    if (m->start < start) {
        mapping_split(m, start, spares[0]);
        spares[0] = NULL;
        m = mapping_find(as, start);
    }
    if (m->end > start + length) {
        mapping_split(m, start + length, spares[1]);
        spares[1] = NULL;
    }
    return m;
}

static inv_status_t move_to(struct remap *r, struct mapping *m, vaddr_t to) {
    struct tlb_batch batch;
    uint64_t length = m->end - m->start;
    inv_status_t status = layer_separate(m);

    if (status != INV_OK)
        return status;
    tlb_begin(&batch, r->as);
    mapping_unmap_pages(r->as, m->start, m->end, &batch);
    tlb_flush(&batch);
    mapping_remove(r->as, m);
    m->anon_anchor += to - m->start;
    m->start = to;
    m->end = to + length;
    mapping_insert(r->as, m);
    if (r->new_length > length)
        extend(r, m, to + r->new_length);
    return INV_OK;
}

// Length 0 of a shared mapping: a second mapping of the same pages.
static inv_status_t duplicate(struct remap *r, struct mapping *m, vaddr_t to) {
    struct mapping *copy = r->extension;

    if (mapping_private(m) || !m->object)
        return INV_ERR_INVALID;
    r->extension = NULL;
    *copy = *m;
    list_init(&copy->vmo_node);
    copy->object_offset = m->object_offset + (r->old - m->start);
    copy->start = to;
    copy->end = to + r->new_length;
    vmo_get(copy->object);
    if (copy->owner)
        copy->owner->ops->get(copy->owner);
    mapping_insert(r->as, copy);
    return INV_OK;
}

static inv_status_t limits_check(struct remap *r, const struct mapping *m) {
    uint64_t more = r->keep ? r->new_length : r->new_length > r->old_length ? r->new_length - r->old_length : 0;
    uint64_t end = m->object_offset + (r->old - m->start) + r->new_length;

    if (r->keep && m->object && m->object->kind == VMO_PHYSICAL)
        return INV_ERR_INVALID;
    if (m->object && (end < r->new_length || end > VMO_MAX_SIZE))
        return INV_ERR_INVALID;
    if (r->as->mapped_bytes + more > r->as->address_limit || r->as->mapping_count + 4 > ASPACE_MAX_MAPPINGS)
        return INV_ERR_NO_MEMORY;
    return INV_OK;
}

// After a move with REMAP_KEEP: nothing yet, where the pages were. It is locked no more.
static void leave_behind(struct remap *r, const struct mapping *moved) {
    struct mapping *empty = r->extension;

    ASSERT(empty); // prepared with the rest
    r->extension = NULL;
    *empty = *moved;
    list_init(&empty->vmo_node);
    empty->anon = NULL;
    empty->flags &= ~(MAPPING_LOCKED | MAPPING_LOCK_ONFAULT);
    empty->start = r->old;
    empty->end = r->old + r->old_length;
    if (empty->object)
        vmo_get(empty->object);
    if (empty->owner)
        empty->owner->ops->get(empty->owner);
    mapping_insert(r->as, empty);
}

static inv_status_t place_and_move(struct remap *r, struct mapping *m, vaddr_t *out) {
    inv_status_t status;
    vaddr_t to = r->new_address;

    if (r->fixed) {
        status = aspace_unmap_locked(r->as, to, to + r->new_length, &r->spares[2], &r->doomed);
        if (status != INV_OK)
            return status;
    } else if (!(to = mapping_gap_find(r->as, r->new_length))) {
        return INV_ERR_NO_MEMORY;
    }
    m = mapping_find(r->as, r->old);
    if (r->old_length == 0)
        status = duplicate(r, m, to);
    else
        status = move_to(r, m = cut_out(r->as, r->old, r->old_length, r->spares), to);
    if (status == INV_OK && r->keep)
        leave_behind(r, m);
    *out = to;
    return status;
}

static inv_status_t remap_locked(struct remap *r, vaddr_t *out) {
    struct aspace *as = r->as;
    struct mapping *m = mapping_find(as, r->old);

    if (!m)
        return INV_ERR_FAULT;
    if (r->old_length == 0 && mapping_private(m))
        return INV_ERR_INVALID;
    if (r->old + r->old_length > m->end)
        return INV_ERR_FAULT;
    inv_status_t status = limits_check(r, m);
    if (status != INV_OK)
        return status;
    if (r->new_length < r->old_length) {
        status = aspace_unmap_locked(as, r->old + r->new_length, r->old + r->old_length, r->spares, &r->doomed);
        if (status != INV_OK)
            return status;
        r->spares[1] = r->spares[1] ? r->spares[1] : mapping_alloc(as); // the cut may have used them
        r->spares[0] = r->spares[0] ? r->spares[0] : mapping_alloc(as);
        if (r->fixed && (!r->spares[0] || !r->spares[1]))
            return INV_ERR_NO_MEMORY;
        r->old_length = r->new_length;
        m = mapping_find(as, r->old);
    }
    *out = r->old;
    if (!r->fixed && !r->keep && r->old_length != 0) {
        vaddr_t old_end = r->old + r->old_length, new_end = r->old + r->new_length;
        if (new_end == old_end)
            return INV_OK;
        if (old_end == m->end && user_range(r->old, r->new_length) && mapping_room(as, old_end, new_end)) {
            extend(r, m, new_end);
            return INV_OK;
        }
    }
    return r->may_move ? place_and_move(r, m, out) : INV_ERR_NO_MEMORY;
}

inv_status_t aspace_remap(struct aspace *as, vaddr_t old, uint64_t old_length, uint64_t new_length, unsigned how,
                          vaddr_t new_address, vaddr_t *out_address) {
    struct remap r = {
        .as = as,
        .old = old,
        .new_address = new_address,
        .old_length = ALIGN_UP(old_length, (uint64_t)PAGE_SIZE),
        .new_length = ALIGN_UP(new_length, (uint64_t)PAGE_SIZE),
        .may_move = how & REMAP_MAY_MOVE,
        .fixed = how & REMAP_FIXED,
        .keep = how & REMAP_KEEP,
        .doomed = LIST_INIT(r.doomed),
    };
    bool have_all = (r.extension = mapping_alloc(as)) != NULL;

    if (r.old_length < old_length || r.new_length < new_length)
        r.new_length = 0; // overflow: INVALID below
    for (unsigned i = 0; i < ARRAY_SIZE(r.spares); i++)
        have_all &= (r.spares[i] = mapping_alloc(as)) != NULL;
    inv_status_t status = arguments_check(&r);
    if (status == INV_OK && !have_all)
        status = INV_ERR_NO_MEMORY;
    if (status == INV_OK) {
        mutex_lock(&as->lock);
        status = remap_locked(&r, out_address);
        if (status == INV_OK)
            mapping_merge(as, *out_address, *out_address + r.new_length, &r.doomed);
        mutex_unlock(&as->lock);
        mapping_bury(&r.doomed);
    }
    mapping_free(r.extension);
    for (unsigned i = 0; i < ARRAY_SIZE(r.spares); i++)
        mapping_free(r.spares[i]);
    return status;
}
