// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Handle tables (kernel/object/handle.c): a handle is a 32-bit index with a generation in the process's own table, with rights that only shrink.
#ifndef KERNEL_HANDLE_H
#define KERNEL_HANDLE_H

#include <kernel/lock.h>
#include <kernel/object.h>

//  31           20 19            0
// +---------------+---------------+
// |  generation   |   slot + 1    |      0 is never a handle
// +---------------+---------------+
#define HANDLE_SLOT_BITS 20

struct handle_entry {
    struct object *object; // NULL: free
    inv_rights_t rights;
    uint16_t generation;
    uint32_t next_free;
};
struct handle_table {
    struct spinlock lock; // rank HANDLE_TABLE
    /* lock: */
    struct handle_entry *entries;
    uint32_t size, used, first_free;
    struct job *job; // immutable: charged for entries
};
must_check inv_status_t handle_table_init(struct handle_table *t, struct job *job);
void handle_table_close_all(struct handle_table *t); // at process end; may sleep
// The table takes over one pointer of o on success. NO_MEMORY, QUOTA.
must_check inv_status_t handle_add(struct handle_table *t, struct object *o, inv_rights_t rights, inv_handle_t *out);
// *out is counted. Order: BAD_HANDLE, WRONG_TYPE (type NULL: any), ACCESS (a right is missing).
must_check inv_status_t handle_lookup(struct handle_table *t, inv_handle_t h, const struct object_type *type,
                                      inv_rights_t needed, struct object **out);
must_check inv_status_t handle_duplicate(struct handle_table *t, inv_handle_t h, inv_rights_t rights,
                                         inv_handle_t *out);
must_check inv_status_t handle_close(struct handle_table *t, inv_handle_t h);

#endif
