// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Virtual memory objects: creation, size, pages, copy-on-write clones. Called in thread context by address spaces, file
// systems in memory and the personality.
//
// An anonymous VMO is a size and a table of slots (vmo_slots.c). As a *private layer* of a mapping it has no limit,
// belongs to one address space, is guarded by that as->lock and is never on anyone's mappings list. As an *object* of
// mappings it is guarded by its own lock.
//
// How pages go, when an object shrinks or gets a hole, without its lock being held over an address space's (whose rank
// is lower):
//  (1) under the lock: the old table is kept by sharing it, the slots are cleared (and the size is set);
//  (2) without it: vmo_unmap_range removes the entries from every address space and flushes;
//  (3) the old table is released, and the nodes and pages with it. A node that stayed in the table, shared with the old
//      one, may have been replaced by a copy since (1), and would go here under a fault that looks through it: peeks are
//      inside an epoch, and one passes first, with the lock held, so that nothing is replaced meanwhile.
// A fault on a page that is there looks at size and slots without the object's lock, under its as->lock, which it holds
// until the entry is written. If it looked before (1), the pass of (2) has yet to come to its address space, waits for
// as->lock, and removes the entry; until then (3) keeps what it found. If the pass has been there, or its mapping is
// newer than the pass, it finds the slots as (1) left them.
// A thread that grows the object or writes into the hole between (1) and (3) meets empty slots and makes new pages.
//
// Invariants:
//  I1. Slots behind the last page of size are empty, and bytes behind size in the last page are zero, unless
//      tail_dirty.
//  I2. A slot's page is put only after no page table entry leads to it: entries hold no reference.
//  I3. While an object has mappings (or is about to: was_mapped) it shares no page (may_share is false), so its pages
//      are always written in place and never replaced under a mapping. A clone of a mapped object is copied at once; a
//      clone that is mapped gets its own pages first.
//  I4. All pages and nodes of a VMO are charged to its own job, which it counts: a clone for another job is copied at
//      once. So no charge outlives its job.
// Locking: vmo->lock (rank VMO) guards slots and size; size and resident may be read without it, and so may the slots of a
// mapped object under an as->lock of one of its mappings (above). vmo->mappings_lock (spin) guards the list of mappings.

#include "mapping.h"
#include "vmo_pages.h"
#include "vmo_slots.h"

#include <kernel/assert.h>
#include <kernel/aspace.h>
#include <kernel/cpu.h>
#include <kernel/epoch.h>
#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/string.h>

static struct slab_cache vmo_cache;

static inv_status_t vmo_new(struct job *job, enum vmo_kind kind, uint64_t size, struct vmo **out) {
    if (size > VMO_MAX_SIZE)
        return INV_ERR_RANGE;
    struct vmo *v = slab_zalloc(&vmo_cache);
    if (!v)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&v->obj, &vmo_type, job);
    if (status != INV_OK) {
        slab_free(&vmo_cache, v);
        return status;
    }
    v->kind = (uint8_t)kind;
    v->page_state = PAGE_ANONYMOUS;
    mutex_init(&v->lock, LOCK_RANK_VMO);
    spin_lock_init(&v->mappings_lock, LOCK_RANK_VMO_MAPPINGS);
    list_init(&v->mappings);
    atomic_init(&v->size, size);
    *out = v;
    return INV_OK;
}

inv_status_t vmo_create(struct job *job, uint64_t size, struct vmo **out) {
    return vmo_new(job, VMO_ANONYMOUS, size, out);
}

inv_status_t vmo_create_physical(struct job *job, paddr_t start, uint64_t size, unsigned mmu_flags, struct vmo **out) {
    if (!IS_ALIGNED(start, PAGE_SIZE) || start + size < start)
        return INV_ERR_RANGE;
    inv_status_t status = vmo_new(job, VMO_PHYSICAL, size, out);
    if (status == INV_OK) {
        (*out)->physical = start;
        (*out)->physical_flags = mmu_flags;
    }
    return status;
}

inv_status_t vmo_create_layer(struct job *job, struct vmo **out) {
    return vmo_new(job, VMO_ANONYMOUS, VMO_MAX_SIZE, out);
}

static void vmo_delete(struct object *o) {
    struct vmo *v = container_of(o, struct vmo, obj);

    ASSERT(list_empty(&v->mappings));
    slots_release(&v->slots);
    object_free(&v->obj);
}

static size_t vmo_describe(struct object *o, char *out, size_t size) {
    struct vmo *v = container_of(o, struct vmo, obj);
    return (size_t)snprintf(out, size, "size: %lu\n", (unsigned long)atomic_load(&v->size));
}

struct object_type vmo_type = {
    .name = "vmo",
    .number = INV_OBJECT_VMO,
    .default_rights = INV_RIGHTS_ALL,
    .size = sizeof(struct vmo),
    .cache = &vmo_cache,
    .describe = vmo_describe,
    .delete = vmo_delete,
};

// --- pages -----------------------------------------------------------------------------------------------------------

static struct page *page_copy(const struct page *from, enum page_state state, struct job *job) {
    struct page *p = page_alloc(0, PAGE_USER | (from ? 0 : PAGE_ZERO), state, job);

    if (p && from) {
        memcpy(page_to_virt(p), page_to_virt(from), PAGE_SIZE);
        counter_add(bytes_copied, PAGE_SIZE);
    }
    return p;
}

struct page *page_copy_of(const struct page *from, struct job *job) {
    return page_copy(from, PAGE_ANONYMOUS, job);
}

inv_status_t vmo_page_locked(struct vmo *v, uint64_t index, bool write, struct page **out) {
    bool exclusive;

    if (index >= pages_in(atomic_load_explicit(&v->size, memory_order_relaxed)))
        return INV_ERR_RANGE;
    struct page *p = slots_lookup(&v->slots, index, &exclusive);
    *out = p;
    if (!write || (p && (!v->may_share || (exclusive && atomic_load_explicit(&p->count, memory_order_acquire) == 1))))
        return INV_OK;
    struct slot_place place;
    if (!slots_prepare(&v->slots, index, v->obj.job, &place))
        return INV_ERR_NO_MEMORY;
    struct page *fresh = page_copy(p, v->page_state, v->obj.job);
    if (!fresh)
        return INV_ERR_NO_MEMORY;
    struct page *old = slots_store(&place, fresh);
    if (old)
        page_put(old); // no entry leads to it: a VMO that may share is not mapped (I3)
    else
        atomic_fetch_add_explicit(&v->resident, 1, memory_order_relaxed);
    *out = fresh;
    return INV_OK;
}

inv_status_t vmo_get_page(struct vmo *v, uint64_t index, bool write, struct page **out) {
    if (v->kind == VMO_PHYSICAL) {
        if (index >= pages_in(v->size))
            return INV_ERR_RANGE;
        *out = page_from_phys(v->physical + (index << PAGE_SHIFT));
        if (!*out || atomic_load(&(*out)->count) == 0)
            return INV_ERR_NOT_SUPPORTED; // device registers are not copied
        page_get(*out);
        return INV_OK;
    }
    mutex_lock(&v->lock);
    inv_status_t status = vmo_page_locked(v, index, write, out);
    if (status == INV_OK && *out)
        page_get(*out);
    mutex_unlock(&v->lock);
    return status;
}

bool vmo_next_resident(struct vmo *v, uint64_t index, uint64_t *out_index) {
    mutex_lock(&v->lock);
    bool found = slots_next(&v->slots, index, UINT64_MAX, out_index) != NULL;
    mutex_unlock(&v->lock);
    return found;
}

// --- clones ----------------------------------------------------------------------------------------------------------

// Puts page p, by another reference or by a copy, into slot index of to.
static inv_status_t clone_page(struct vmo *to, uint64_t index, struct page *p, bool copy) {
    struct slot_place place;

    if (!slots_prepare(&to->slots, index, to->obj.job, &place))
        return INV_ERR_NO_MEMORY;
    if (copy) {
        p = page_copy(p, to->page_state, to->obj.job);
        if (!p)
            return INV_ERR_NO_MEMORY;
    } else {
        page_get(p);
    }
    (void)slots_store(&place, p);
    atomic_fetch_add_explicit(&to->resident, 1, memory_order_relaxed);
    return INV_OK;
}

static inv_status_t clone_range(struct vmo *from, uint64_t first, uint64_t count, struct vmo *to, bool copy) {
    uint64_t last = first + count - 1;
    struct page *p;

    for (uint64_t index = first; count > 0 && (p = slots_next(&from->slots, index, last, &index)); index++) {
        inv_status_t status = clone_page(to, index - first, p, copy);
        if (status != INV_OK)
            return status;
    }
    return INV_OK;
}

inv_status_t vmo_clone_layer(struct vmo *from, struct job *job, struct vmo **out) {
    inv_status_t status = vmo_create_layer(job, out);

    if (status != INV_OK)
        return status;
    if (from->obj.job != job) {
        status = clone_range(from, 0, SLOT_INDEX_MAX, *out, true);
        if (status != INV_OK)
            vmo_put(*out);
        return status;
    }
    slots_share(&from->slots, &(*out)->slots);
    from->may_share = (*out)->may_share = true;
    atomic_store_explicit(&(*out)->resident, atomic_load_explicit(&from->resident, memory_order_relaxed),
                          memory_order_relaxed);
    return INV_OK;
}

inv_status_t vmo_clone(struct vmo *from, uint64_t offset, uint64_t size, struct job *job, struct vmo **out) {
    if (from->kind != VMO_ANONYMOUS || !IS_ALIGNED(offset, PAGE_SIZE) || offset + size < offset)
        return INV_ERR_INVALID;
    struct vmo *v;
    inv_status_t status = vmo_create(job, size, &v);
    if (status != INV_OK)
        return status;
    mutex_lock(&from->lock);
    bool copy = from->was_mapped || from->obj.job != job; // I3, I4
    if (offset == 0 && pages_in(size) >= pages_in(from->size) && !copy)
        slots_share(&from->slots, &v->slots);
    else
        status = clone_range(from, offset >> PAGE_SHIFT, pages_in(size), v, copy);
    if (!copy)
        from->may_share = v->may_share = true;
    if (v->slots.depth > 0 && atomic_load_explicit(&v->slots.root, memory_order_relaxed) ==
                                  atomic_load_explicit(&from->slots.root, memory_order_relaxed))
        atomic_store_explicit(&v->resident, from->resident, memory_order_relaxed);
    mutex_unlock(&from->lock);
    if (status != INV_OK) {
        vmo_put(v);
        return status;
    }
    *out = v;
    return INV_OK;
}

inv_status_t vmo_make_exclusive(struct vmo *v) {
    uint64_t index = 0;
    struct page *p;

    for (; v->may_share && slots_next(&v->slots, index, UINT64_MAX, &index); index++) {
        inv_status_t status = vmo_page_locked(v, index, true, &p);
        if (status != INV_OK)
            return status;
    }
    v->may_share = false;
    return INV_OK;
}

// --- size ------------------------------------------------------------------------------------------------------------

// Zeroes bytes [from, to) of one page, if it is there, after making it one that may be written; lock held.
static inv_status_t zero_part(struct vmo *v, uint64_t from, uint64_t to) {
    bool exclusive;
    struct page *p;

    if (!slots_lookup(&v->slots, from >> PAGE_SHIFT, &exclusive))
        return INV_OK;
    inv_status_t status = vmo_page_locked(v, from >> PAGE_SHIFT, true, &p);
    if (status == INV_OK)
        memset((char *)page_to_virt(p) + (from & ~PAGE_MASK), 0, to - from);
    return status;
}

// Step (1) of the head: clears the slots [first, last]; what they held is in *old, to be released after the unmap.
static inv_status_t cut_slots(struct vmo *v, uint64_t first, uint64_t last, struct slot_table *old) {
    uint64_t removed;

    if (first > last)
        return INV_OK;
    if (v->was_mapped)
        slots_share(&v->slots, old);
    inv_status_t status = slots_remove(&v->slots, first, last, v->obj.job, &removed);
    if (status == INV_OK)
        atomic_fetch_sub_explicit(&v->resident, removed, memory_order_relaxed);
    return status;
}

// Steps (2) and (3), without the lock.
static void cut_finish(struct vmo *v, uint64_t first, uint64_t last, bool mapped, struct slot_table *old) {
    if (!mapped) {
        slots_release(old);
        return;
    }
    vmo_unmap_range(v, first, last);
    mutex_lock(&v->lock);
    spin_lock(&v->mappings_lock);
    bool seen = !list_empty(&v->mappings);
    spin_unlock(&v->mappings_lock);
    if (seen)
        epoch_synchronize();
    slots_release(old);
    mutex_unlock(&v->lock);
}

static inv_status_t vmo_grow_locked(struct vmo *v, uint64_t size) {
    uint64_t old_size = v->size;
    inv_status_t status = INV_OK;

    if (v->tail_dirty)
        status = zero_part(v, old_size, MIN(ALIGN_UP(old_size, (uint64_t)PAGE_SIZE), size));
    if (status == INV_OK)
        atomic_store_explicit(&v->size, size, memory_order_release);
    return status;
}

inv_status_t vmo_resize(struct vmo *v, uint64_t size) {
    struct slot_table old = {.depth = 0};

    if (size > VMO_MAX_SIZE || v->kind != VMO_ANONYMOUS)
        return INV_ERR_RANGE;
    mutex_lock(&v->lock);
    if (size >= v->size) {
        inv_status_t status = vmo_grow_locked(v, size);
        mutex_unlock(&v->lock);
        return status;
    }
    uint64_t first = pages_in(size);
    inv_status_t status = INV_OK;
    if (!IS_ALIGNED(size, PAGE_SIZE))
        status = zero_part(v, size, size); // makes the last page our own, so that nothing fails after the cut
    if (status == INV_OK)
        status = cut_slots(v, first, SLOT_INDEX_MAX, &old);
    bool mapped = status == INV_OK && v->was_mapped;
    if (status == INV_OK) {
        status = zero_part(v, size, first << PAGE_SHIFT);
        atomic_store_explicit(&v->size, size, memory_order_release);
    }
    mutex_unlock(&v->lock);
    cut_finish(v, first, SLOT_INDEX_MAX, mapped, &old);
    return status;
}

inv_status_t vmo_zero_range(struct vmo *v, uint64_t offset, uint64_t length) {
    struct slot_table old = {.depth = 0};

    if (v->kind != VMO_ANONYMOUS || offset + length < offset)
        return INV_ERR_RANGE;
    mutex_lock(&v->lock);
    uint64_t end = MIN(offset + length, ALIGN_UP((uint64_t)v->size, (uint64_t)PAGE_SIZE));
    if (offset >= end) {
        mutex_unlock(&v->lock);
        return INV_OK;
    }
    uint64_t first = pages_in(offset), limit = end >> PAGE_SHIFT; // whole pages [first, limit)
    inv_status_t status = zero_part(v, offset, MIN(first << PAGE_SHIFT, end));
    if (status == INV_OK && limit >= first)
        status = zero_part(v, limit << PAGE_SHIFT, end);
    if (status == INV_OK && limit > first)
        status = cut_slots(v, first, limit - 1, &old);
    bool mapped = status == INV_OK && limit > first && v->was_mapped;
    mutex_unlock(&v->lock);
    cut_finish(v, first, limit - 1, mapped, &old);
    return status;
}

void vm_init_boot(void) {
    slab_cache_init(&vmo_cache, "vmo", sizeof(struct vmo), 0);
    slots_init_boot();
    vmo_unmap_init_boot();
    object_type_register(&vmo_type);
    aspace_init_boot();
}
