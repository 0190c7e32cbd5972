// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The object manager (kernel/object): every kernel object begins with struct object. A type is itself an object, with procedures and a default rights
// mask. Two counts: pointers (kernel references) and handles (user references, each of which is a pointer too); when the last handle goes the type's
// close procedure runs, when the last pointer goes its delete procedure.
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include <invar/base.h>
#include <kernel/epoch.h>
#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/types.h>

struct object;
struct object_type;
struct job;
struct token;
struct directory_entry;
struct security;
struct slab_cache;
struct signals;

struct object {
    struct object_type *type; // immutable after create
    _Atomic uint32_t pointers;
    _Atomic uint32_t handles;
    atomic_bool had_handle; // ever: then lookups may see it without a count, and its memory goes through an epoch
    uint64_t id;            // never used again; immutable
    struct job *job;        // owner and charge; immutable after create (NULL: the kernel's own)
    _Atomic(struct directory_entry *) entry; // its name, or NULL: directory.c
    _Atomic(struct security *) security;     // who may open it by name; NULL: the default: security.c
    struct epoch_node reclaim;
};

struct object_type {
    struct object obj; // type: type_type; named in /types
    const char *name;
    inv_rights_t default_rights; // of a first handle
    size_t size;                 // what creation charges to the job
    struct slab_cache *cache;    // where the memory of its objects comes from; NULL: kmalloc
    uint32_t number;             // INV_OBJECT_*; 0: programs do not tell it from others
    // Procedures; NULL where there is nothing to do. Context: thread, may sleep, no spin lock held.
    // Opened by name: *out is what the handle will name, counted: o itself, or another object made for this caller.
    inv_status_t (*open)(struct object *o, struct token *who, inv_rights_t rights, struct object **out);
    void (*close)(struct object *o);  // last handle closed
    void (*delete)(struct object *o); // last pointer dropped: undo all, then object_free
    // Hands the rest of a path (it has no '/' in front) to the object; *out_object is counted. NOT_FOUND, NOT_DIR, ACCESS ...
    inv_status_t (*parse)(struct object *o, const char *rest, struct token *who, struct object **out_object);
    struct signals *(*signals)(struct object *o); // its part of o; NULL: objects of the type cannot be waited for
    // What who may get by name, granted being what the descriptor and root's privilege give: more, or less. Takes no sleeping lock.
    inv_rights_t (*security)(struct object *o, const struct token *who, inv_rights_t granted);
    // Text about the object's own state for those who look: lines "key: value\n", cut to size. Returns the length.
    size_t (*describe)(struct object *o, char *out, size_t size);
    struct object_counters {
        _Atomic uint64_t created, live, high_water;
    } counters;
};

// A type object statically defined by its module, registered by object_type_register at boot.
void object_type_register(struct object_type *type);
// Initialises the header of a fresh object with one pointer, charges type->size to job. QUOTA. The job is counted.
must_check inv_status_t object_init(struct object *o, struct object_type *type, struct job *job);
static inline void object_get(struct object *o) {
    atomic_fetch_add_explicit(&o->pointers, 1, memory_order_relaxed);
}
// For lock-free lookups: false when the last pointer has gone already.
must_check bool object_try_get(struct object *o);
// Drops a pointer; the last one runs delete (so: may sleep, no spin lock held).
void object_put(struct object *o);
// The same, but the last one only says so: the caller runs the delete procedure, or does its work.
must_check bool object_drop(struct object *o);
// Ends the header's own life (uncharges, uncounts the job): for delete procedures that free the memory in a way of their own, which
// must be through an epoch if the type can have handles.
void object_fini(struct object *o);
// The last act of a delete procedure: object_fini, and the memory goes back where it came from, through an epoch if o ever had a handle. The header stands at
// its beginning.
void object_free(struct object *o);
// One more handle count; the caller has a pointer. Then handle_install, or object_handle_put.
static inline void object_handle_get(struct object *o) {
    if (!atomic_load_explicit(&o->had_handle, memory_order_relaxed))
        atomic_store_explicit(&o->had_handle, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&o->handles, 1, memory_order_relaxed);
}
// Drops a handle count and a pointer; the last count runs the type's close procedure. May sleep.
void object_handle_put(struct object *o);

// A number that no other object has or had since boot. Any context.
static inline uint64_t object_identity(const struct object *o) {
    return o->id;
}

// The object in words: lines "key: value", terminated, cut to size. Returns the length. Thread context.
size_t object_describe(struct object *o, char *out, size_t size);
extern struct object_type type_type; // the type of types

#endif
