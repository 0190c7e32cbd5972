// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Handle tables: one a process. A handle names an object with a set of rights; the generation in it makes a handle that was closed stay invalid until its slot has been used
// 4,096 times more. Thread context.
//
// Invariants:
// I1. A slot in use holds one pointer and one handle count of its object; a free one is on the free list once.
// I2. The rights of a duplicate are a subset of those it was made from.
// Locking: the table's spin lock (rank HANDLE_TABLE), for a few loads; closing runs after it was dropped.
#include <kernel/assert.h>
#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#define HANDLES_FIRST   16u
#define HANDLES_MAX     (1u << 17)
#define NO_SLOT         UINT32_MAX
#define GENERATION_MASK 0xfffu

static inv_handle_t handle_make(uint32_t slot, uint16_t generation) {
    return (inv_handle_t)(generation & GENERATION_MASK) << HANDLE_SLOT_BITS | (slot + 1);
}

static uint64_t entries_bytes(uint32_t n) {
    return (uint64_t)n * sizeof(struct handle_entry);
}

inv_status_t handle_table_init(struct handle_table *t, struct job *job) {
    memset(t, 0, sizeof(*t));
    spin_lock_init(&t->lock, LOCK_RANK_HANDLE_TABLE);
    t->first_free = NO_SLOT;
    t->job = job;
    return INV_OK; // entries come with the first handle
}

// Doubles the table if it still has no free slot. No lock held; the caller tries again.
static inv_status_t table_grow(struct handle_table *t, uint32_t seen_size) {
    uint32_t size = seen_size == 0 ? HANDLES_FIRST : seen_size * 2;
    if (size > HANDLES_MAX)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = job_charge(t->job, JOB_MEMORY, entries_bytes(size));
    if (status != INV_OK)
        return status;
    struct handle_entry *fresh = kzalloc(entries_bytes(size)), *unused = fresh;
    uint64_t uncharge = entries_bytes(size);

    if (fresh != NULL) {
        spin_lock(&t->lock);
        if (t->size == seen_size) { // nobody was faster
            if (t->entries != NULL)
                memcpy(fresh, t->entries, entries_bytes(t->size));
            for (uint32_t slot = size; slot-- > t->size;) {
                fresh[slot].next_free = t->first_free;
                t->first_free = slot;
            }
            unused = t->entries;
            uncharge = entries_bytes(t->size);
            t->entries = fresh;
            t->size = size;
        }
        spin_unlock(&t->lock);
    }
    kfree(unused);
    job_uncharge(t->job, JOB_MEMORY, uncharge);
    return fresh != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

inv_status_t handle_add(struct handle_table *t, struct object *o, inv_rights_t rights, inv_handle_t *out) {
    inv_status_t status = job_charge(t->job, JOB_HANDLES, 1);
    if (status != INV_OK)
        return status;
    for (;;) {
        spin_lock(&t->lock);
        uint32_t slot = t->first_free, size = t->size;
        if (slot != NO_SLOT) {
            struct handle_entry *e = &t->entries[slot];
            t->first_free = e->next_free;
            t->used++;
            e->object = o;
            e->rights = rights & INV_RIGHTS_ALL;
            atomic_fetch_add_explicit(&o->handles, 1, memory_order_relaxed);
            *out = handle_make(slot, e->generation);
            spin_unlock(&t->lock);
            return INV_OK;
        }
        spin_unlock(&t->lock);
        status = table_grow(t, size);
        if (status != INV_OK) {
            job_uncharge(t->job, JOB_HANDLES, 1);
            return status;
        }
    }
}

// The entry that h names, or NULL. Lock held.
static struct handle_entry *entry_locked(struct handle_table *t, inv_handle_t h) {
    uint32_t slot = (h & ((1u << HANDLE_SLOT_BITS) - 1)) - 1; // 0 wraps to a slot that no table has
    if (slot >= t->size)
        return NULL;
    struct handle_entry *e = &t->entries[slot];
    return e->object != NULL && (e->generation & GENERATION_MASK) == h >> HANDLE_SLOT_BITS ? e : NULL;
}

inv_status_t handle_lookup(struct handle_table *t, inv_handle_t h, const struct object_type *type, inv_rights_t needed,
                           struct object **out) {
    inv_status_t status = INV_OK;

    spin_lock(&t->lock);
    struct handle_entry *e = entry_locked(t, h);
    if (e == NULL) {
        status = INV_ERR_BAD_HANDLE;
    } else if (type != NULL && e->object->type != type) {
        status = INV_ERR_WRONG_TYPE;
    } else if ((e->rights & needed) != needed) {
        status = INV_ERR_ACCESS;
    } else {
        object_get(e->object);
        *out = e->object;
    }
    spin_unlock(&t->lock);
    return status;
}

inv_status_t handle_duplicate(struct handle_table *t, inv_handle_t h, inv_rights_t rights, inv_handle_t *out) {
    struct object *o = NULL;
    inv_rights_t had = 0;

    spin_lock(&t->lock);
    struct handle_entry *e = entry_locked(t, h);
    if (e != NULL) {
        o = e->object;
        had = e->rights;
        object_get(o);
    }
    spin_unlock(&t->lock);
    if (o == NULL)
        return INV_ERR_BAD_HANDLE;
    inv_status_t status = INV_ERR_ACCESS;
    if (had & INV_RIGHT_DUPLICATE)
        status = (rights & ~had) == 0 ? handle_add(t, o, rights, out) : INV_ERR_ACCESS; // I2
    if (status != INV_OK)
        object_put(o);
    return status;
}

// Takes the object out of the entry. Lock held.
static struct object *entry_clear_locked(struct handle_table *t, struct handle_entry *e) {
    struct object *o = e->object;
    e->object = NULL;
    e->rights = 0;
    e->generation++;
    e->next_free = t->first_free;
    t->first_free = (uint32_t)(e - t->entries);
    t->used--;
    return o;
}

static void object_close_handle(struct handle_table *t, struct object *o) {
    job_uncharge(t->job, JOB_HANDLES, 1);
    if (atomic_fetch_sub_explicit(&o->handles, 1, memory_order_acq_rel) == 1 && o->type->close != NULL)
        o->type->close(o);
    object_put(o);
}

inv_status_t handle_close(struct handle_table *t, inv_handle_t h) {
    spin_lock(&t->lock);
    struct handle_entry *e = entry_locked(t, h);
    struct object *o = e != NULL ? entry_clear_locked(t, e) : NULL;
    spin_unlock(&t->lock);
    if (o == NULL)
        return INV_ERR_BAD_HANDLE;
    object_close_handle(t, o);
    return INV_OK;
}

void handle_table_close_all(struct handle_table *t) {
    for (uint32_t slot = 0; t->used != 0 && slot < t->size; slot++) {
        spin_lock(&t->lock);
        struct object *o = t->entries[slot].object != NULL ? entry_clear_locked(t, &t->entries[slot]) : NULL;
        spin_unlock(&t->lock);
        if (o != NULL)
            object_close_handle(t, o);
    }
    job_uncharge(t->job, JOB_MEMORY, entries_bytes(t->size));
    kfree(t->entries);
    t->entries = NULL;
    t->size = 0;
    t->first_free = NO_SLOT;
}
