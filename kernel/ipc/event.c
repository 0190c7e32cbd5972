// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Events: objects that are nothing but signals, which their users set and clear. What each call does and which errors it has: abi/idl/core.idl.
#include <kernel/native_calls.h>
#include <kernel/signals.h>
#include <kernel/slab.h>

static struct slab_cache event_cache;

static struct signals *event_signals(struct object *o) {
    return &container_of(o, struct event, obj)->signals;
}

static void event_close(struct object *o) {
    signals_change(event_signals(o), 0, INV_SIGNAL_CLOSED);
}

struct object_type event_type = {
    .name = "event",
    .number = INV_OBJECT_EVENT,
    .default_rights = INV_RIGHT_WAIT | INV_RIGHT_SIGNAL | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct event),
    .cache = &event_cache,
    .close = event_close,
    .delete = object_free,
    .signals = event_signals,
};

inv_status_t sys_event_create(struct job *job, struct event **out_event) {
    struct event *e = slab_zalloc(&event_cache);
    if (e == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&e->obj, &event_type, job);
    if (status != INV_OK) {
        slab_free(&event_cache, e);
        return status;
    }
    signals_init(&e->signals);
    *out_event = e;
    return INV_OK;
}

inv_status_t sys_event_signal(struct event *event, uint32_t clear, uint32_t set) {
    if (((clear | set) & ~INV_SIGNALS_USER) != 0)
        return INV_ERR_INVALID;
    signals_change(&event->signals, clear, set);
    return INV_OK;
}

void waitable_init_boot(void) {
    slab_cache_init(&event_cache, "event", sizeof(struct event), 0);
    object_type_register(&event_type);
    object_type_register(&timer_type);
    object_type_register(&binding_type);
    object_type_register(&channel_type);
}
