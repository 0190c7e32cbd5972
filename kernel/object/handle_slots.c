// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The slots of a handle table: free ones, closed ones that wait for an epoch, growth. Thread context.
//
// A slot:   never used -> open -> closed -> waiting -> fresh -> open ...
//             (untouched)          |  the table's retirement  |
//                                  +- is begun    passes ----+
// A retirement is a node that is deferred to the end of an epoch: when it comes, all that was closed before it began may be used again, and
// the next one begins if there is anything closed. So a table has one node under way at most, however many handles are closed.
//
// Growth: into an array of twice the size, which is filled in steps while the table is in use: every change of a slot below `copied` is made in both. Then the
// new one is published, and the old one is freed through an epoch.
//
// A table whose closed slots wait in great number does not grow, but waits for the epoch itself: what a table takes is bounded by its handles, and not by how fast
// they are opened and closed.
//
// Invariants:
// I1. A slot from HANDLE_SLOT_FIRST to size is open, or on one of the three lists once, or >= untouched.
// I2. The handle field of a slot that is not open is the number of another slot, or 0: no number that leads to the slot equals it.
// I3. word and object of a slot change only while it is fresh or untouched: no reader looks at them then, as an epoch has passed since the handle was open.
// I4. reserved <= fresh.count + size - untouched.
// Locking: handle.h; retire_lock (before the table's lock) keeps a table alive while its retirement comes in.
#include "handle_slots.h"

#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/kspace.h>
#include <kernel/slab.h>

#define COPY_STEP      256u    // slots copied in one go, with preemption off
#define CLOSED_MAX     4096u   // closed slots, above the number of open ones, that are no reason to grow
#define CONTIGUOUS_MAX KIB(32) // bytes of an array that kmalloc is asked for

struct handle_retirement {
    struct epoch_node node;
    struct handle_table *table; // retire_lock: NULL: the table is gone
    bool under_way;             // table lock
};
static struct spinlock retire_lock = SPINLOCK_INIT(LOCK_RANK_HANDLE_RETIRE);

// What tables without a handle share: a header, and a slot that is never open.
static union handle_array empty_array[2] = {{.header = {.mask = 1u << HANDLE_SLOT_SHIFT}}};

// The node that an array is freed with: its own first entry is looked at until then.
struct handle_array_memory {
    struct epoch_node reclaim;
    union handle_array *array;
};

void handle_table_init(struct handle_table *t, struct job *job) {
    *t = (struct handle_table){.job = job};
    atomic_init(&t->array, empty_array);
    spin_lock_init(&t->lock, LOCK_RANK_HANDLE_TABLE);
    mutex_init(&t->grow_lock, LOCK_RANK_HANDLE_GROW);
}

// --- arrays ---

static uint64_t array_bytes(uint32_t size) {
    return (uint64_t)size * sizeof(struct handle_entry);
}
static uint32_t array_size(const union handle_array *a) {
    return (a->header.mask >> HANDLE_SLOT_SHIFT) + 1;
}

static void array_free(union handle_array *a) {
    kfree(a->header.memory);
    if (array_bytes(array_size(a)) <= CONTIGUOUS_MAX)
        kfree(a);
    else
        kspace_free(a);
}

static union handle_array *array_alloc(uint32_t size) {
    uint64_t bytes = array_bytes(size);
    union handle_array *a = bytes <= CONTIGUOUS_MAX ? kzalloc(bytes) : kspace_alloc(bytes, PAGE_KERNEL, NULL);
    if (a == NULL)
        return NULL;
    a->header.mask = handle_mask(size);
    a->header.memory = kzalloc(sizeof(*a->header.memory));
    if (a->header.memory == NULL) {
        array_free(a);
        return NULL;
    }
    a->header.memory->array = a;
    return a;
}

static void array_reclaim(struct epoch_node *n) {
    array_free(container_of(n, struct handle_array_memory, reclaim)->array);
}

// a has been replaced: nobody new finds it.
static void array_retire(struct handle_table *t, union handle_array *a) {
    if (a == empty_array)
        return;
    job_uncharge(t->job, JOB_MEMORY, array_bytes(array_size(a)));
    epoch_defer(&a->header.memory->reclaim, array_reclaim);
}

// The array for writers. Lock held.
static union handle_array *array_locked(const struct handle_table *t) {
    return atomic_load_explicit(&t->array, memory_order_relaxed);
}

// Sets the handle field of a slot, in both arrays of a growing table. Lock held.
static void slot_set_locked(struct handle_table *t, uint32_t slot, uint32_t handle) {
    atomic_store_explicit(&array_locked(t)->entries[slot].handle, handle, memory_order_release);
    if (t->next != NULL && slot < t->copied)
        atomic_store_explicit(&t->next->entries[slot].handle, handle, memory_order_relaxed);
}

// --- lists of slots ---

static void slots_push_locked(struct handle_table *t, struct handle_slots *l, uint32_t slot) {
    slot_set_locked(t, slot, 0); // I2
    if (l->count++ == 0)
        l->first = slot;
    else
        slot_set_locked(t, l->last, handle_number(slot, 0));
    l->last = slot;
}

static uint32_t slots_pop_locked(struct handle_table *t, struct handle_slots *l) {
    uint32_t slot = l->first;
    l->first = handle_slot(atomic_load_explicit(&array_locked(t)->entries[slot].handle, memory_order_relaxed));
    l->count--;
    return slot;
}

static void slots_append_locked(struct handle_table *t, struct handle_slots *to, struct handle_slots *from) {
    if (from->count == 0)
        return;
    if (to->count == 0) {
        *to = *from;
    } else {
        slot_set_locked(t, to->last, handle_number(from->first, 0));
        to->last = from->last;
        to->count += from->count;
    }
    from->count = 0;
}

inv_handle_t handle_slot_open_locked(struct handle_table *t, struct object *o, inv_rights_t rights) {
    uint32_t slot = t->fresh.count != 0 ? slots_pop_locked(t, &t->fresh) : t->untouched++;
    struct handle_entry e = {.object = o};

    DEBUG_ASSERT(slot >= HANDLE_SLOT_FIRST && slot < t->size); // I4
    uint32_t generation = handle_generation_after(handle_word_generation(array_locked(t)->entries[slot].word));
    e.word = handle_word(rights, generation);
    union handle_array *arrays[2] = {array_locked(t), t->next != NULL && slot < t->copied ? t->next : NULL};
    for (unsigned i = 0; i < 2 && arrays[i] != NULL; i++) {
        arrays[i]->entries[slot].word = e.word;
        arrays[i]->entries[slot].object = o;
    }
    t->used++;
    slot_set_locked(t, slot, handle_number(slot, generation));
    return handle_number(slot, generation);
}

// --- closed slots wait for an epoch ---

static void retirement_passed(struct epoch_node *n);

static void retirement_begin_locked(struct handle_table *t) {
    if (t->retirement->under_way || t->closed.count == 0)
        return;
    slots_append_locked(t, &t->waiting, &t->closed);
    t->retirement->under_way = true;
    epoch_defer(&t->retirement->node, retirement_passed);
}

static void retirement_passed(struct epoch_node *n) {
    struct handle_retirement *r = container_of(n, struct handle_retirement, node);

    spin_lock(&retire_lock);
    struct handle_table *t = r->table;
    if (t != NULL) {
        spin_lock(&t->lock);
        slots_append_locked(t, &t->fresh, &t->waiting);
        r->under_way = false;
        retirement_begin_locked(t);
        spin_unlock(&t->lock);
    }
    spin_unlock(&retire_lock);
    if (t == NULL)
        kfree(r);
}

void handle_slot_close_locked(struct handle_table *t, inv_handle_t h) {
    t->used--;
    slots_push_locked(t, &t->closed, handle_slot(h));
    retirement_begin_locked(t);
}

// Waits for the epoch here and now. grow_lock held; some slot is closed or waiting.
static void closed_wait(struct handle_table *t) {
    struct handle_slots mine = {0};

    spin_lock(&t->lock);
    slots_append_locked(t, &mine, &t->waiting); // a retirement under way finds nothing, then
    slots_append_locked(t, &mine, &t->closed);
    spin_unlock(&t->lock);
    epoch_synchronize();
    spin_lock(&t->lock);
    slots_append_locked(t, &t->fresh, &mine);
    spin_unlock(&t->lock);
}

// --- growth; grow_lock held ---

static void entry_copy(struct handle_entry *to, const struct handle_entry *from) {
    to->word = from->word;
    to->object = from->object;
    atomic_store_explicit(&to->handle, atomic_load_explicit(&from->handle, memory_order_relaxed), memory_order_relaxed);
}

// Copies up to COPY_STEP slots; true when all that were ever used stand in next. Lock held.
static bool copy_step_locked(struct handle_table *t) {
    const struct handle_entry *from = array_locked(t)->entries;
    uint32_t end = MIN(t->copied + COPY_STEP, MAX(t->untouched, HANDLE_SLOT_FIRST));

    for (; t->copied < end; t->copied++)
        entry_copy(&t->next->entries[t->copied], &from[t->copied]);
    return t->copied >= t->untouched;
}

// Moves the table into a, with r as its retirement. BAD_STATE if the table died: both are the caller's then.
static inv_status_t array_move(struct handle_table *t, union handle_array *a, struct handle_retirement *r) {
    spin_lock(&t->lock);
    t->next = a;
    t->copied = HANDLE_SLOT_FIRST;
    while (!t->dead && !copy_step_locked(t)) {
        spin_unlock(&t->lock); // whoever waits for the lock, or for the processor, comes now
        spin_lock(&t->lock);
    }
    union handle_array *old = array_locked(t);
    t->next = NULL;
    if (!t->dead) {
        atomic_store_explicit(&t->array, a, memory_order_release);
        t->untouched = MAX(t->untouched, HANDLE_SLOT_FIRST);
        t->size = array_size(a);
        t->retirement = r;
    }
    bool dead = t->dead;
    spin_unlock(&t->lock);
    if (dead)
        return INV_ERR_BAD_STATE;
    array_retire(t, old);
    return INV_OK;
}

static inv_status_t table_grow(struct handle_table *t, uint32_t size) {
    uint64_t bytes = array_bytes(size);

    if (size > HANDLE_SLOTS_MAX)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = job_charge(t->job, JOB_MEMORY, bytes);
    if (status != INV_OK)
        return status;
    struct handle_retirement *old = t->retirement, *r = old != NULL ? old : kzalloc(sizeof(*r));
    union handle_array *a = array_alloc(size);
    status = INV_ERR_NO_MEMORY;
    if (a != NULL && r != NULL) {
        if (r != old)
            r->table = t;
        status = array_move(t, a, r);
    }
    if (status == INV_OK)
        return INV_OK;
    job_uncharge(t->job, JOB_MEMORY, bytes);
    if (a != NULL)
        array_free(a);
    if (r != old)
        kfree(r);
    return status;
}

static bool slots_try_reserve_locked(struct handle_table *t, uint32_t n) {
    uint32_t available = t->fresh.count + (t->size - t->untouched) - t->reserved;
    if (t->dead || available < n)
        return false;
    t->reserved += n;
    return true;
}

// Makes room for some more, and keeps the promise at once.
static inv_status_t table_make_room(struct handle_table *t, uint32_t n) {
    for (;;) {
        spin_lock(&t->lock);
        bool dead = t->dead, done = slots_try_reserve_locked(t, n);
        uint32_t size = t->size, closed = t->closed.count + t->waiting.count;
        bool may_grow = closed <= t->used + CLOSED_MAX;
        spin_unlock(&t->lock);
        if (done)
            return INV_OK;
        if (dead)
            return INV_ERR_BAD_STATE;
        inv_status_t status = may_grow ? table_grow(t, handle_table_next_size(size)) : INV_ERR_NO_MEMORY;
        if (status == INV_OK)
            continue;
        if (status == INV_ERR_BAD_STATE || closed == 0)
            return status;
        closed_wait(t);
    }
}

inv_status_t handle_slots_reserve(struct handle_table *t, uint32_t n) {
    spin_lock(&t->lock);
    bool done = slots_try_reserve_locked(t, n);
    spin_unlock(&t->lock);
    if (done)
        return INV_OK;
    mutex_lock(&t->grow_lock);
    inv_status_t status = table_make_room(t, n);
    mutex_unlock(&t->grow_lock);
    return status;
}

void handle_slots_free(struct handle_table *t) {
    mutex_lock(&t->grow_lock); // who grows gives up, as the table is dead
    spin_lock(&retire_lock);
    spin_lock(&t->lock);
    union handle_array *old = array_locked(t);
    struct handle_retirement *r = t->retirement;
    DEBUG_ASSERT(t->dead && t->used == 0);
    atomic_store_explicit(&t->array, empty_array, memory_order_release);
    t->size = t->untouched = 0;
    t->fresh.count = t->closed.count = t->waiting.count = 0;
    t->retirement = NULL;
    bool under_way = r != NULL && r->under_way;
    if (r != NULL)
        r->table = NULL;
    spin_unlock(&t->lock);
    spin_unlock(&retire_lock);
    mutex_unlock(&t->grow_lock);
    array_retire(t, old);
    if (!under_way) // else it frees itself when it comes
        kfree(r);
}
