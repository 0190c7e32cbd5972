// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Handle tables: one a process. A handle names an object with a set of rights; the generation in it makes a handle that was closed stay invalid until its slot has
// been used 4,095 times more. Thread context; lookups in any context but interrupt. The slots themselves: handle_slots.c.
//
// Invariants:
// I1. A slot in use holds one pointer and one handle count of its object; so does a transfer.
// I2. The rights of a duplicate, and of a replacement, are a subset of those it was made from.
// I3. A handle is open from the store of its number into its entry until the number is replaced there, both under the lock: every lookup, which takes none, is
//     before or after.
// I4. A job is charged one handle for each slot in use or promised.
// Locking: the table's spin lock (rank HANDLE_TABLE), for a few loads and stores; objects are closed after it was dropped.
#include "handle_slots.h"

#include <kernel/assert.h>
#include <kernel/job.h>

#define NEXT_STEP 256u // slots looked at in one epoch

// --- lookup ---

inv_status_t handle_lookup_rights(struct handle_table *t, inv_handle_t h, const struct object_type *type,
                                  inv_rights_t needed, struct object **out, inv_rights_t *out_rights) {
    inv_status_t status = INV_OK;

    epoch_enter();
    const struct handle_entry *e = handle_find(t, h);
    if (e == NULL)
        status = INV_ERR_BAD_HANDLE;
    else if (type != NULL && e->object->type != type)
        status = INV_ERR_WRONG_TYPE;
    else if (!rights_include(e->word, needed))
        status = INV_ERR_ACCESS;
    else if (!object_try_get(e->object))
        status = INV_ERR_BAD_HANDLE; // closed since
    if (status == INV_OK) {
        *out = e->object;
        *out_rights = handle_word_rights(e->word);
    }
    epoch_exit();
    return status;
}

inv_status_t handle_lookup(struct handle_table *t, inv_handle_t h, const struct object_type *type, inv_rights_t needed,
                           struct object **out) {
    struct object *o;

    epoch_enter();
    inv_status_t status = handle_peek(t, h, type, needed, &o);
    if (status == INV_OK && !object_try_get(o))
        status = INV_ERR_BAD_HANDLE; // closed since
    epoch_exit();
    if (status == INV_OK)
        *out = o;
    return status;
}

bool handle_table_next(struct handle_table *t, uint32_t *cursor, struct handle_info *out) {
    bool found = false, end = false;

    while (!found && !end) {
        epoch_enter();
        const union handle_array *a = atomic_load_explicit(&t->array, memory_order_acquire);
        for (unsigned n = 0; n < NEXT_STEP && !found && !end; n++) {
            uint32_t slot = *cursor = MAX(*cursor, HANDLE_SLOT_FIRST);
            end = slot > a->header.mask >> HANDLE_SLOT_SHIFT;
            if (end)
                break;
            const struct handle_entry *e = &a->entries[slot];
            inv_handle_t h = atomic_load_explicit(&e->handle, memory_order_acquire);
            ++*cursor;
            if (handle_generation(h) == 0 || !object_try_get(e->object))
                continue;
            *out = (struct handle_info){.handle = h, .rights = handle_word_rights(e->word), .object = e->object};
            found = true;
        }
        epoch_exit();
    }
    return found;
}

// --- opening ---

inv_status_t handle_reserve(struct handle_table *t, uint32_t n) {
    inv_status_t status = job_charge(t->job, JOB_HANDLES, n);
    if (status != INV_OK)
        return status;
    status = handle_slots_reserve(t, n);
    if (status != INV_OK)
        job_uncharge(t->job, JOB_HANDLES, n);
    return status;
}

static void slots_unreserve(struct handle_table *t, uint32_t n) {
    spin_lock(&t->lock);
    DEBUG_ASSERT(t->reserved >= n);
    t->reserved -= n;
    spin_unlock(&t->lock);
}

void handle_unreserve(struct handle_table *t, uint32_t n) {
    slots_unreserve(t, n);
    job_uncharge(t->job, JOB_HANDLES, n);
}

inv_handle_t handle_install(struct handle_table *t, struct object *o, inv_rights_t rights) {
    inv_handle_t h = INV_HANDLE_INVALID;

    spin_lock(&t->lock);
    DEBUG_ASSERT(t->reserved > 0);
    t->reserved--;
    if (!t->dead)
        h = handle_slot_open_locked(t, o, rights);
    spin_unlock(&t->lock);
    if (h == INV_HANDLE_INVALID) {
        job_uncharge(t->job, JOB_HANDLES, 1);
        object_handle_put(o);
    }
    return h;
}

inv_status_t handle_add(struct handle_table *t, struct object *o, inv_rights_t rights, inv_handle_t *out) {
    inv_status_t status = handle_reserve(t, 1);
    if (status != INV_OK)
        return status;
    object_get(o); // for the case that the process ends right now
    object_handle_get(o);
    inv_handle_t h = handle_install(t, o, rights);
    if (h == INV_HANDLE_INVALID)
        return INV_ERR_BAD_STATE; // with the count just taken; the caller keeps its own
    object_put(o);                // the table's and the caller's are one now
    *out = h;
    return INV_OK;
}

// The entry of h, if a handle with the rights wanted may be made from it. In an epoch or with the lock held.
static inv_status_t derive_check(const struct handle_table *t, inv_handle_t h, inv_rights_t needed, inv_rights_t wanted,
                                 const struct handle_entry **out) {
    const struct handle_entry *e = handle_find(t, h);
    if (e == NULL)
        return INV_ERR_BAD_HANDLE;
    if (!rights_include(e->word, needed))
        return INV_ERR_ACCESS;
    if (wanted != INV_RIGHTS_SAME && !rights_include(handle_word_rights(e->word), wanted))
        return INV_ERR_ACCESS; // I2
    *out = e;
    return INV_OK;
}

// The same before anything is taken, so that a bad handle is reported before a want of memory.
static inv_status_t derive_precheck(const struct handle_table *t, inv_handle_t h, inv_rights_t needed,
                                    inv_rights_t wanted) {
    const struct handle_entry *e;

    epoch_enter();
    inv_status_t status = derive_check(t, h, needed, wanted, &e);
    epoch_exit();
    return status;
}

inv_status_t handle_duplicate(struct handle_table *t, inv_handle_t h, inv_rights_t rights, inv_handle_t *out) {
    const struct handle_entry *e;
    inv_status_t status = derive_precheck(t, h, INV_RIGHT_DUPLICATE, rights);
    if (status != INV_OK)
        return status;
    status = handle_reserve(t, 1);
    if (status != INV_OK)
        return status;
    spin_lock(&t->lock);
    status = t->dead ? INV_ERR_BAD_STATE : derive_check(t, h, INV_RIGHT_DUPLICATE, rights, &e);
    if (status == INV_OK) {
        t->reserved--;
        object_get(e->object);
        object_handle_get(e->object);
        *out = handle_slot_open_locked(t, e->object, rights_wanted(handle_word_rights(e->word), rights));
    }
    spin_unlock(&t->lock);
    if (status != INV_OK)
        handle_unreserve(t, 1);
    return status;
}

inv_status_t handle_replace(struct handle_table *t, inv_handle_t h, inv_rights_t rights, inv_handle_t *out) {
    const struct handle_entry *e;
    inv_status_t status = derive_precheck(t, h, 0, rights);
    if (status != INV_OK)
        return status;
    status = handle_slots_reserve(t, 1); // no charge: the number of handles stays
    if (status != INV_OK)
        return status;
    spin_lock(&t->lock);
    status = t->dead ? INV_ERR_BAD_STATE : derive_check(t, h, 0, rights, &e);
    if (status == INV_OK) {
        t->reserved--;
        *out = handle_slot_open_locked(t, e->object, rights_wanted(handle_word_rights(e->word), rights));
        handle_slot_close_locked(t, h);
    }
    spin_unlock(&t->lock);
    if (status != INV_OK)
        slots_unreserve(t, 1);
    return status;
}

// --- moving ---

static bool named_before(const inv_handle_t *h, unsigned i) {
    for (unsigned k = 0; k < i; k++)
        if (h[k] == h[i])
            return true;
    return false;
}

// Lock held.
static inv_status_t take_check(const struct handle_table *t, const inv_handle_t *h, unsigned n, inv_rights_t needed) {
    for (unsigned i = 0; i < n; i++) {
        const struct handle_entry *e = handle_find(t, h[i]);
        if (e == NULL || named_before(h, i)) // by then it would be gone
            return INV_ERR_BAD_HANDLE;
        if (!rights_include(e->word, needed))
            return INV_ERR_ACCESS;
    }
    return INV_OK;
}

inv_status_t handle_take(struct handle_table *t, const inv_handle_t *h, unsigned n, inv_rights_t needed,
                         struct handle_transfer *out) {
    DEBUG_ASSERT(n <= HANDLE_TRANSFER_MAX);
    spin_lock(&t->lock);
    inv_status_t status = take_check(t, h, n, needed);
    for (unsigned i = 0; status == INV_OK && i < n; i++) {
        const struct handle_entry *e = handle_find(t, h[i]);
        out[i] = (struct handle_transfer){.object = e->object, .rights = handle_word_rights(e->word)};
        handle_slot_close_locked(t, h[i]);
    }
    spin_unlock(&t->lock);
    if (status == INV_OK && n > 0)
        job_uncharge(t->job, JOB_HANDLES, n);
    return status;
}

void handle_transfer_drop(struct handle_transfer *transfer, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        object_handle_put(transfer[i].object);
}

// --- closing ---

inv_status_t handle_close(struct handle_table *t, inv_handle_t h) {
    struct handle_transfer closed;

    if (handle_take(t, &h, 1, 0, &closed) != INV_OK)
        return INV_ERR_BAD_HANDLE;
    object_handle_put(closed.object);
    return INV_OK;
}

void handle_table_clear(struct handle_table *t) {
    struct handle_info info;
    uint32_t cursor = 0;

    while (handle_table_next(t, &cursor, &info)) {
        inv_status_t status = handle_close(t, info.handle);
        (void)status; // BAD_HANDLE: another thread was faster
        object_put(info.object);
    }
}

void handle_table_close_all(struct handle_table *t) {
    spin_lock(&t->lock);
    bool empty = t->size == 0;
    t->dead = true; // what is in the table now is all that will ever be
    spin_unlock(&t->lock);
    if (empty) // and stays so: a thread that makes it grow gives up
        return;
    handle_table_clear(t);
    handle_slots_free(t);
}
