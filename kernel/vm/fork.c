// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Copies of whole address spaces, for fork. Thread context.
//
// Nothing is copied but the mappings: each private layer is cloned by sharing the root of its slot table, and the child
// starts with empty page tables and takes a fault (with fault-around) for what it touches. The parent's writable
// entries over private layers become read-only first, so that the next write on either side finds the page shared and
// copies it.
//
// Invariants:
//  I1. Mappings that share a layer in the parent share one in the child when they are neighbours; else each has a
//      clone, of which it uses its own part.
//  I2. When aspace_fork returns, also with an error, no processor can write to a page of a layer that is shared.

#include "mapping.h"
#include "vmo_pages.h"

#include <kernel/assert.h>

// The layer cloned last: neighbours that were split share it.
struct cloned {
    struct vmo *from, *to;
};

static inv_status_t layer_clone(struct mapping *to, const struct mapping *from, struct job *job, struct cloned *last) {
    if (last->from == from->anon) {
        to->anon = last->to;
        vmo_get(to->anon);
        return INV_OK;
    }
    inv_status_t status = vmo_clone_layer(from->anon, job, &to->anon);
    if (status == INV_OK)
        *last = (struct cloned){.from = from->anon, .to = to->anon};
    return status;
}

static void write_protect(struct mapping *m, struct tlb_batch *batch) {
    if (!(m->prot & MMU_WRITE))
        return;
    size_t n = arch_mmu_protect(&m->aspace->arch, m->start, m->end, MMU_USER | MMU_READ | (m->prot & MMU_EXECUTE));
    if (n == 0)
        return;
    tlb_add(batch, m->start);
    tlb_add(batch, m->end - PAGE_SIZE);
}

static inv_status_t mapping_copy(struct aspace *to, struct mapping *m, struct tlb_batch *batch, struct cloned *last) {
    struct mapping *copy = mapping_alloc(to);
    inv_status_t status = INV_OK;

    if (!copy)
        return INV_ERR_NO_MEMORY;
    *copy = *m;
    copy->aspace = to;
    list_init(&copy->vmo_node);
    copy->flags &= ~(MAPPING_LOCKED | MAPPING_LOCK_ONFAULT);
    copy->anon = NULL;
    if (m->anon && !(m->flags & MAPPING_WIPEONFORK)) {
        status = layer_clone(copy, m, to->obj.job, last);
        if (status != INV_OK) {
            mapping_free(copy);
            return status;
        }
        write_protect(m, batch);
    }
    if (copy->object)
        vmo_get(copy->object);
    if (copy->owner)
        copy->owner->ops->get(copy->owner);
    mapping_insert(to, copy);
    return INV_OK;
}

static void layout_copy(struct aspace *to, const struct aspace *from) {
    to->mmap_top = from->mmap_top;
    to->brk_start = from->brk_start;
    to->brk = from->brk;
    to->stack_limit = from->stack_limit;
    to->address_limit = from->address_limit;
    to->layout = from->layout;
}

inv_status_t aspace_fork(struct aspace *from, struct job *job, struct aspace **out) {
    struct cloned last = {0};
    struct tlb_batch batch;
    struct aspace *as;
    inv_status_t status = aspace_create(job, &as);

    if (status != INV_OK)
        return status;
    mutex_lock(&from->lock);
    tlb_begin(&batch, from);
    layout_copy(as, from);
    for (struct rb_node *n = rb_first(&from->mappings); n && status == INV_OK; n = rb_next(n)) {
        struct mapping *m = rb_entry(n, struct mapping, node);
        if (!(m->flags & MAPPING_DONTFORK))
            status = mapping_copy(as, m, &batch, &last);
    }
    tlb_flush(&batch);
    mutex_unlock(&from->lock);
    if (status != INV_OK) {
        aspace_put(as);
        return status;
    }
    *out = as;
    return INV_OK;
}
