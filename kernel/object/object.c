// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The object manager: headers, counts and types of all kernel objects. Thread context, but for object_get and object_try_get, which any context may call.
//
// Invariants:
// I1. pointers >= 1 while anybody may reach the object; it falls to 0 once, and delete runs then, once.
// I2. Every handle is also a pointer: pointers >= handles.
// I3. An object that ever had a handle stays in memory, with its type, until an epoch after its delete procedure.
// I4. From object_init to object_fini the object's job is counted and charged type->size.
// Locking: counts are atomic. Names belong to the directory (directory.c), descriptors to security.c.
#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/namespace.h>
#include <kernel/object.h>
#include <kernel/security.h>
#include <kernel/slab.h>
#include <kernel/string.h>

static size_t type_describe(struct object *o, char *out, size_t size) {
    const struct object_counters *c = &container_of(o, struct object_type, obj)->counters;
    return (size_t)snprintf(out, size, "live: %lu\nmost: %lu\ncreated: %lu\n", (unsigned long)atomic_load(&c->live),
                            (unsigned long)atomic_load(&c->high_water), (unsigned long)atomic_load(&c->created));
}

struct object_type type_type = {.name = "type",
                                .default_rights = INV_RIGHT_GET_INFO,
                                .size = sizeof(struct object_type),
                                .describe = type_describe};

static _Atomic uint64_t next_id = 1; // at a billion a second, for 584 years

static void counters_created(struct object_counters *c) {
    uint64_t live = atomic_fetch_add_explicit(&c->live, 1, memory_order_relaxed) + 1;
    uint64_t high = atomic_load_explicit(&c->high_water, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->created, 1, memory_order_relaxed);
    while (live > high && !atomic_compare_exchange_weak_explicit(&c->high_water, &high, live, memory_order_relaxed,
                                                                 memory_order_relaxed))
        ;
}

inv_status_t object_init(struct object *o, struct object_type *type, struct job *job) {
    if (job != NULL) {
        inv_status_t status = job_charge(job, JOB_MEMORY, type->size);
        if (status != INV_OK)
            return status;
        object_get(&job->obj);
    }
    o->type = type;
    atomic_init(&o->pointers, 1);
    atomic_init(&o->handles, 0);
    atomic_init(&o->had_handle, false);
    o->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    o->job = job;
    atomic_init(&o->entry, NULL);
    atomic_init(&o->security, NULL);
    counters_created(&type->counters);
    return INV_OK;
}

void object_fini(struct object *o) {
    struct job *job = o->job;

    DEBUG_ASSERT(atomic_load_explicit(&o->pointers, memory_order_relaxed) == 0);
    DEBUG_ASSERT(atomic_load_explicit(&o->entry, memory_order_relaxed) == NULL); // it would hold a pointer
    if (atomic_load_explicit(&o->security, memory_order_relaxed) != NULL)
        object_set_security(o, NULL);
    atomic_fetch_sub_explicit(&o->type->counters.live, 1, memory_order_relaxed);
    if (job != NULL) {
        o->job = NULL;
        job_uncharge(job, JOB_MEMORY, o->type->size);
        object_put(&job->obj);
    }
}

static void object_reclaim(struct epoch_node *n) {
    struct object *o = container_of(n, struct object, reclaim);
    if (o->type->cache != NULL)
        slab_free(o->type->cache, o);
    else
        kfree(o);
}

void object_free(struct object *o) {
    object_fini(o);
    if (atomic_load_explicit(&o->had_handle, memory_order_relaxed))
        epoch_defer(&o->reclaim, object_reclaim); // handle_peek may be looking
    else
        object_reclaim(&o->reclaim);
}

void object_handle_put(struct object *o) {
    if (atomic_fetch_sub_explicit(&o->handles, 1, memory_order_acq_rel) == 1) {
        if (o->type->close != NULL)
            o->type->close(o);
        if (atomic_load_explicit(&o->entry, memory_order_relaxed) != NULL)
            directory_remove_temporary(o);
    }
    object_put(o);
}

bool object_try_get(struct object *o) {
    uint32_t n = atomic_load_explicit(&o->pointers, memory_order_relaxed);
    while (n != 0) {
        if (atomic_compare_exchange_weak_explicit(&o->pointers, &n, n + 1, memory_order_acquire, memory_order_relaxed))
            return true;
    }
    return false;
}

bool object_drop(struct object *o) {
    uint32_t before = atomic_fetch_sub_explicit(&o->pointers, 1, memory_order_release);
    ASSERT(before != 0); // I1
    if (before != 1)
        return false;
    (void)atomic_load_explicit(&o->pointers, memory_order_acquire);             // what all others did before their put
    DEBUG_ASSERT(atomic_load_explicit(&o->handles, memory_order_relaxed) == 0); // I2
    return true;
}

void object_put(struct object *o) {
    if (object_drop(o) && o->type->delete != NULL)
        o->type->delete (o);
}

void object_type_register(struct object_type *type) {
    // The kernel's own: no job, so object_init cannot fail.
    ASSERT(object_init(&type->obj, &type_type, NULL) == INV_OK);
    if (type != &type_type)
        object_type_name(type);
}
