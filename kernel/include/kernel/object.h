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
struct directory;
struct slab_cache;
struct signals;

struct object {
    struct object_type *type; // immutable after create
    _Atomic uint32_t pointers;
    _Atomic uint32_t handles;
    atomic_bool had_handle;      // ever: then lookups may see it without a count, and its memory goes through an epoch
    struct job *job;             // owner and charge; immutable after create (NULL: the kernel's own)
    struct directory *directory; // DIRECTORY: where it is named, or NULL
    char *name;                  // DIRECTORY: owned, or NULL
    struct list_node directory_node;
    struct epoch_node reclaim;
    _Atomic uint64_t identity; // given when it is first asked for (object_identity); 0: not yet
};

struct object_type {
    struct object obj; // type: type_type; named in /types
    const char *name;
    inv_rights_t default_rights; // of a first handle
    size_t size;                 // what creation charges to the job
    struct slab_cache *cache;    // where the memory of its objects comes from; NULL: kmalloc
    uint32_t number;             // INV_OBJECT_*; 0: programs do not tell it from others
    // Procedures; NULL where there is nothing to do. Context: thread, may sleep, no spin lock held.
    inv_status_t (*open)(struct object *o, struct token *who, inv_rights_t wanted);
    void (*close)(struct object *o);  // last handle closed
    void (*delete)(struct object *o); // last pointer dropped: undo all, then object_free
    // Hands the rest of a path to the object; *out_object is counted. NOT_FOUND, NOT_DIR, ACCESS ...
    inv_status_t (*parse)(struct object *o, const char *rest, struct token *who, struct object **out_object);
    struct signals *(*signals)(struct object *o); // its part of o; NULL: objects of the type cannot be waited for
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
// Ends the header's own life (uncharges, uncounts the job, forgets the name): for delete procedures that free the memory in a way of their own, which
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
uint64_t object_identity(struct object *o);

// The namespace: directories and links; paths are "/" separated.
struct directory {
    struct object obj;
    struct list_node entries; // namespace lock: object->directory_node
};
extern struct directory *namespace_root;
extern struct object_type type_type; // the type of types
must_check inv_status_t directory_create(struct job *job, struct directory **out);
must_check inv_status_t directory_insert(struct directory *d, const char *name, struct object *o);
void directory_remove(struct object *o);
must_check inv_status_t namespace_lookup(const char *path, struct token *who, struct object **out);
// A link: a walk that reaches it goes on at target, an absolute path. INVALID, NAME_TOO_LONG, NO_MEMORY, QUOTA. *out has one pointer.
must_check inv_status_t link_create(struct job *job, const char *target, struct object **out);
void object_type_name(struct object_type *type); // object manager's own: names the type in /types
void object_init_boot(void);                     // after slab_init

#endif
