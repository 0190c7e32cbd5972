// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Handle tables (kernel/object/handle.c): a handle is a 32-bit index with a generation in the process's own table, with rights that only shrink.
//
// To look a handle up for a moment, call handle_peek in an epoch (or with interrupts off): no lock, no count, 12 instructions. To keep the
// object, call handle_lookup. To put n handles into a table where nothing may fail afterwards, call handle_reserve, then handle_install n times.
#ifndef KERNEL_HANDLE_H
#define KERNEL_HANDLE_H

#include <kernel/handle_number.h>
#include <kernel/lock.h>
#include <kernel/mutex.h>
#include <kernel/object.h>

struct handle_entry {
    _Atomic uint32_t
        handle; // open: its own number, so that one comparison tells index, generation and openness; else a link of generation 0
    uint32_t word;         // rights and generation; immutable from opening until an epoch after closing
    struct object *object; // the same
};

// A power of two of entries. The first is the header and never a handle's: a number that leads there has zeros where mask has ones.
union handle_array {
    struct {
        uint32_t mask, unused; // handle_mask
        struct handle_array_memory *memory;
    } header;
    struct handle_entry entries[0];
};
#define HANDLE_SLOT_FIRST 1u
_Static_assert(sizeof(struct handle_entry) == 1 << HANDLE_SLOT_SHIFT, "a masked handle is an offset");
_Static_assert(sizeof(union handle_array) == sizeof(struct handle_entry), "the header fills one slot");

// Closed and free slots, oldest first, linked through handle_entry.handle.
struct handle_slots {
    uint32_t first, last, count;
};

struct handle_table {
    _Atomic(union handle_array *) array; // atomic; read in an epoch. Never NULL
    struct spinlock lock;                // rank HANDLE_TABLE
    /* lock: */
    uint32_t size;               // slots of array, the header's too; 0: the empty one, which all tables share
    uint32_t untouched;          // slots from here on were never used
    uint32_t used;               // handles open
    uint32_t reserved;           // free slots promised
    struct handle_slots fresh;   // may be used
    struct handle_slots closed;  // since the retirement under way began
    struct handle_slots waiting; // for it
    bool dead;                   // the process has ended: nothing is opened any more
    /* grow_lock, and lock to change: */
    union handle_array *next; // what the table grows into
    uint32_t copied;          // slots below this stand in next too
    struct handle_retirement *retirement;
    struct mutex grow_lock; // rank HANDLE_GROW
    struct job *job;        // immutable: charged for entries and handles
};

// A handle under way from one table to another. Carries a pointer and a handle count of the object: its close procedure does not run meanwhile.
struct handle_transfer {
    struct object *object;
    inv_rights_t rights;
};
struct handle_info {
    inv_handle_t handle;
    inv_rights_t rights;
    struct object *object; // counted
};

// Cannot fail: memory comes with the first handle. The job is kept alive by the caller.
void handle_table_init(struct handle_table *t, struct job *job);
// Closes all handles; the table stays (exec). May sleep.
void handle_table_clear(struct handle_table *t);
// At process end: closes all handles; whoever adds one later gets BAD_STATE. May sleep. A second call does nothing.
void handle_table_close_all(struct handle_table *t);

// The entry that h leads to, open or not.
static always_inline const union handle_array *handle_array_of(const struct handle_table *t) {
    return atomic_load_explicit(&t->array, memory_order_acquire);
}
static always_inline const struct handle_entry *handle_entry_in(const union handle_array *a, inv_handle_t h) {
    return (const struct handle_entry *)((const char *)a + (h & a->header.mask));
}
static always_inline const struct handle_entry *handle_entry_of(const struct handle_table *t, inv_handle_t h) {
    return handle_entry_in(handle_array_of(t), h);
}
static always_inline bool handle_entry_is(const struct handle_entry *e, inv_handle_t h) {
    return atomic_load_explicit(&e->handle, memory_order_acquire) == h;
}
// The entry of an open handle, or NULL. In an epoch, or interrupts off: until the end of which word and object stay as they are, and the object's memory
// stays. The object itself may be closed, and even deleted, at any time: its own lock tells.
static always_inline const struct handle_entry *handle_find(const struct handle_table *t, inv_handle_t h) {
    const struct handle_entry *e = handle_entry_of(t, h);
    return likely(handle_entry_is(e, h)) ? e : NULL;
}
// As handle_lookup, without a count: *out is valid as handle_find says.
static always_inline must_check inv_status_t handle_peek(const struct handle_table *t, inv_handle_t h,
                                                         const struct object_type *type, inv_rights_t needed,
                                                         struct object **out) {
    const struct handle_entry *e = handle_entry_of(t, h);
    if (unlikely(!handle_entry_is(e, h)))
        return INV_ERR_BAD_HANDLE;
    struct object *o = e->object;
    if (unlikely(type != NULL && o->type != type))
        return INV_ERR_WRONG_TYPE;
    if (unlikely(!rights_include(e->word, needed)))
        return INV_ERR_ACCESS;
    *out = o;
    return INV_OK;
}
// *out is counted. Order: BAD_HANDLE, WRONG_TYPE (type NULL: any), ACCESS (a right is missing). Any context but interrupt.
must_check inv_status_t handle_lookup(struct handle_table *t, inv_handle_t h, const struct object_type *type,
                                      inv_rights_t needed, struct object **out);
// The same, with the rights that the handle has.
must_check inv_status_t handle_lookup_rights(struct handle_table *t, inv_handle_t h, const struct object_type *type,
                                             inv_rights_t needed, struct object **out, inv_rights_t *out_rights);

// The table takes over one pointer of o on success. BAD_STATE (the process has ended), QUOTA, NO_MEMORY (also: the table is full). May sleep.
must_check inv_status_t handle_add(struct handle_table *t, struct object *o, inv_rights_t rights, inv_handle_t *out);
// Another handle; rights INV_RIGHTS_SAME: all that h has. BAD_HANDLE, ACCESS (no right to duplicate, or more rights wanted than h has); as handle_add.
must_check inv_status_t handle_duplicate(struct handle_table *t, inv_handle_t h, inv_rights_t rights,
                                         inv_handle_t *out);
// h is closed and *out open in one step: nobody sees both, or none. BAD_HANDLE, ACCESS (more rights wanted than h has), BAD_STATE, NO_MEMORY.
must_check inv_status_t handle_replace(struct handle_table *t, inv_handle_t h, inv_rights_t rights, inv_handle_t *out);
// BAD_HANDLE. May sleep (the object's procedures).
must_check inv_status_t handle_close(struct handle_table *t, inv_handle_t h);

// Promises n slots (at least one) and charges n handles. BAD_STATE, QUOTA, NO_MEMORY. May sleep.
must_check inv_status_t handle_reserve(struct handle_table *t, uint32_t n);
void handle_unreserve(struct handle_table *t, uint32_t n);
// Uses up one promise, and takes over a pointer and a handle count of o: those of a transfer, or object_handle_get's. Returns
// INV_HANDLE_INVALID, and has closed o, if the process has ended meanwhile. May sleep then; else takes one spin lock.
inv_handle_t handle_install(struct handle_table *t, struct object *o, inv_rights_t rights);
// Takes all n handles (at most HANDLE_TRANSFER_MAX) out of the table, or none. BAD_HANDLE (also: one is named twice), ACCESS (one lacks a needed right).
#define HANDLE_TRANSFER_MAX 8
must_check inv_status_t handle_take(struct handle_table *t, const inv_handle_t *h, unsigned n, inv_rights_t needed,
                                    struct handle_transfer *out);
// Closes handles that never arrived. May sleep.
void handle_transfer_drop(struct handle_transfer *transfer, unsigned n);

// The open handle at or behind slot *cursor (begin with 0), which is advanced; false: there are no more. For inspection: others may open and close meanwhile.
must_check bool handle_table_next(struct handle_table *t, uint32_t *cursor, struct handle_info *out);

#endif
