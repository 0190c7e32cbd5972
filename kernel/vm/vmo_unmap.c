// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Unmapping a range of an object from every address space that maps it: the second step when an object shrinks or gets
// a hole (vmo.c). Thread context.
//
// The order of locks is address space, then object; the pass starts from the object. So it looks for a mapping that it
// has not been at under the lock of the object's list, keeps its address space from going away by as->visitors, lets the
// list go, and takes as->lock. There it does all mappings of the object in that address space, which as->lock keeps on
// the list. A mapping is marked with the number of the pass; numbers rise, and one pass runs at a time.
//
// Invariants:
//  I1. A mapping on vmo->mappings belongs to an address space whose delete procedure has not yet taken it off; that
//      procedure takes all mappings off their objects, under as->lock as everybody does, and then waits until visitors
//      is 0, before anything of the address space is freed.
//  I2. An entry for [first, last] that was there when the pass began is gone, and flushed, when it ends. New ones
//      cannot come: their slots are empty.
// Locking: unmap_lock (rank VMO_UNMAP), then as->lock, then vmo->mappings_lock, which guards the marks too.

#include "mapping.h"
#include "shootdown.h"
#include "vmo_pages.h"

#include <kernel/aspace.h>
#include <kernel/wait.h>

static struct mutex unmap_lock;
static uint64_t pass_number; // unmap_lock
static struct waitq visitors_gone = WAITQ_INIT(visitors_gone);

void vmo_unmap_init_boot(void) {
    mutex_init(&unmap_lock, LOCK_RANK_VMO_UNMAP);
}

// An address space with a mapping that this pass has not been at, visited; or NULL.
static struct aspace *next_aspace(struct vmo *v) {
    struct aspace *as = NULL;
    struct mapping *m;

    spin_lock(&v->mappings_lock);
    list_for_each(m, &v->mappings, vmo_node) {
        if (m->unmap_pass < pass_number) {
            as = m->aspace;
            atomic_fetch_add_explicit(&as->visitors, 1, memory_order_relaxed);
            break;
        }
    }
    spin_unlock(&v->mappings_lock);
    return as;
}

// The mapping of v by as after m on the list (NULL: the first), marked as done; or NULL. as->lock is held.
static struct mapping *next_mapping(struct vmo *v, const struct aspace *as, const struct mapping *m) {
    struct mapping *found = NULL;

    spin_lock(&v->mappings_lock);
    for (struct list_node *n = m ? m->vmo_node.next : v->mappings.next; n != &v->mappings && !found; n = n->next) {
        struct mapping *candidate = list_entry(n, struct mapping, vmo_node);
        if (candidate->aspace == as)
            found = candidate;
    }
    if (found)
        found->unmap_pass = pass_number;
    spin_unlock(&v->mappings_lock);
    return found;
}

// Removes the entries of pages [first, last] of the object from m.
static void unmap_part(struct mapping *m, uint64_t first, uint64_t last, struct tlb_batch *batch) {
    uint64_t offset = m->object_offset >> PAGE_SHIFT, length = (m->end - m->start) >> PAGE_SHIFT;

    if (last < offset || first >= offset + length)
        return;
    uint64_t from = first > offset ? first - offset : 0, to = MIN(last - offset + 1, length);
    mapping_unmap_pages(m->aspace, m->start + (from << PAGE_SHIFT), m->start + (to << PAGE_SHIFT), batch);
}

static void unmap_from(struct aspace *as, struct vmo *v, uint64_t first, uint64_t last) {
    struct tlb_batch batch;

    mutex_lock(&as->lock);
    tlb_begin(&batch, as);
    for (struct mapping *m = NULL; (m = next_mapping(v, as, m));)
        unmap_part(m, first, last, &batch);
    tlb_flush(&batch);
    mutex_unlock(&as->lock);
}

void vmo_unmap_range(struct vmo *v, uint64_t first, uint64_t last) {
    struct aspace *as;

    mutex_lock(&unmap_lock);
    pass_number++;
    while ((as = next_aspace(v))) {
        unmap_from(as, v, first, last);
        if (atomic_fetch_sub_explicit(&as->visitors, 1, memory_order_release) == 1)
            (void)waitq_wake(&visitors_gone, UINT32_MAX, 0);
    }
    mutex_unlock(&unmap_lock);
}

void aspace_wait_visitors(struct aspace *as) {
    inv_status_t status = INV_OK;

    if (atomic_load_explicit(&as->visitors, memory_order_acquire) == 0)
        return;
    WAIT_EVENT(&visitors_gone, atomic_load_explicit(&as->visitors, memory_order_acquire) == 0, WAIT_UNINTERRUPTIBLE,
               NSTIME_NEVER, status);
    (void)status;
}
