// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Bindings: when signals of an object become set, an endpoint gets a packet. Thread context, but for binding_notify.
//
// Invariants:
//   B1  The packet is part of the binding: nothing is allocated when a signal comes, and at most one packet of a binding waits.
//   B2  From its beginning to its last handle's close a binding is (or, ONCE, was) on the object's list of observers. It is off it before the last pointer
//       goes, as a handle is a pointer too.
//   B3  It counts object and endpoint; neither counts it, except that an endpoint with its packet does (E4).
// Locking: closed belongs to the signals' lock; packets to the endpoint's, which comes after it.
#include "ipc_internal.h"

#include <kernel/assert.h>
#include <kernel/native_calls.h>
#include <kernel/signals.h>
#include <kernel/slab.h>

struct binding {
    struct object obj;
    struct observer observer;
    /* immutable: */
    struct object *object;     // counted
    struct signals *signals;   // of object
    struct endpoint *endpoint; // counted
    struct packet packet;      // the endpoint's lock
    bool closed;               // the signals' lock
};

static void binding_notify(struct observer *o, inv_signals_t set) {
    struct binding *b = container_of(o, struct binding, observer);

    endpoint_post_word(b->endpoint, &b->packet, set);
}

static void binding_close(struct object *o) {
    struct binding *b = container_of(o, struct binding, obj);
    irq_flags_t flags = spin_lock_irq(&b->signals->lock);

    b->closed = true;
    list_remove(&b->observer.node);
    spin_unlock_irq(&b->signals->lock, flags);
    endpoint_unpost(b->endpoint, &b->packet);
}

static void binding_delete(struct object *o) {
    struct binding *b = container_of(o, struct binding, obj);

    DEBUG_ASSERT(list_empty(&b->observer.node) && b->packet.count == 0);
    object_put(b->object);
    object_put(&b->endpoint->obj);
    object_free(o);
}

struct object_type binding_type = {
    .name = "binding",
    .number = INV_OBJECT_BINDING,
    .default_rights = INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct binding),
    .close = binding_close,
    .delete = binding_delete,
};

// Takes over the count of object on success.
static inv_status_t binding_create(struct job *job, struct endpoint *e, struct object *object, struct signals *signals,
                                   struct binding **out) {
    struct binding *b = kzalloc(sizeof(*b));
    if (b == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&b->obj, &binding_type, job);
    if (status != INV_OK) {
        kfree(b);
        return status;
    }
    object_get(&e->obj);
    b->endpoint = e;
    b->object = object;
    b->signals = signals;
    list_init(&b->observer.node);
    *out = b;
    return INV_OK;
}

// It observes from now on, unless its handle, whose number could be guessed, was closed already.
static void binding_begin(struct binding *b) {
    irq_flags_t flags = spin_lock_irq(&b->signals->lock);
    if (!b->closed)
        signals_observe_locked(b->signals, &b->observer);
    spin_unlock_irq(&b->signals->lock, flags);
}

inv_status_t sys_endpoint_bind(struct endpoint *endpoint, struct job *job, inv_handle_t object, uint32_t signals,
                               uint64_t key, uint32_t mode, inv_handle_t *out_binding) {
    struct handle_table *handles = &current_process()->handles;
    struct signals *s = NULL;
    struct object *o = NULL;
    struct binding *b = NULL;

    inv_status_t status = signals_lookup(object, &o, &s);
    if (status != INV_OK)
        return status;
    if (!signals_valid(signals) || !inv_binding_mode_is_valid(mode))
        status = INV_ERR_INVALID;
    if (status == INV_OK)
        status = handle_reserve(handles, 1); // so that nothing fails once the endpoint may have a packet
    if (status != INV_OK)
        goto fail_object;
    status = binding_create(job, endpoint, o, s, &b);
    if (status != INV_OK)
        goto fail_reserved;
    b->observer.wanted = signals | INV_SIGNAL_CLOSED;
    b->observer.once = mode == INV_BINDING_MODE_ONCE;
    b->observer.notify = binding_notify;
    packet_init(&b->packet, INV_PACKET_SIGNAL, key, &b->obj);
    object_get(&b->obj); // the handle's
    object_handle_get(&b->obj);
    *out_binding = handle_install(handles, &b->obj, binding_type.default_rights);
    binding_begin(b);
    object_put(&b->obj);
    return INV_OK; // or the process has ended, and nobody is told

fail_reserved:
    handle_unreserve(handles, 1);
fail_object:
    object_put(o);
    return status;
}
