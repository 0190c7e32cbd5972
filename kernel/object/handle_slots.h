// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The slots of a handle table: which are free, and where the memory comes from (handle_slots.c). Private to kernel/object.
#ifndef OBJECT_HANDLE_SLOTS_H
#define OBJECT_HANDLE_SLOTS_H

#include <kernel/handle.h>

// Promises n free slots. BAD_STATE (the table is dead), QUOTA, NO_MEMORY. May sleep.
must_check inv_status_t handle_slots_reserve(struct handle_table *t, uint32_t n);
// With the table's lock held. Opens one of the promised slots; the caller keeps the promises' count. Returns the handle.
inv_handle_t handle_slot_open_locked(struct handle_table *t, struct object *o, inv_rights_t rights);
// The handle is open. Its slot may be used again when an epoch has passed.
void handle_slot_close_locked(struct handle_table *t, inv_handle_t h);
// Gives all memory back, when the table is dead and no handle is open. May sleep.
void handle_slots_free(struct handle_table *t);

#endif
