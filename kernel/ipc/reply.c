// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Reply objects: their life. What is done with them stands in receive.c and call.c.
//
// Invariants:
//   R3  The last handle closed: the call that it stood for has ended with PEER_GONE, and no receiver waits with it. So the pointer to it from a SERVED or a
//       receiving thread is good, and in an epoch in which it was either, its memory is.
#include "ipc_internal.h"

#include <kernel/assert.h>
#include <kernel/signals.h>
#include <kernel/slab.h>

static struct slab_cache reply_cache;

// A thread waits with r, or did a moment ago.
static void reply_dismiss(struct reply *r) {
    struct endpoint *e = r->endpoint;
    struct thread *t = NULL;
    irq_flags_t flags = spin_lock_irq(&e->lock);

    if (atomic_load_explicit(&r->state, memory_order_acquire) == REPLY_ARMED && r->receiver != NULL &&
        atomic_load_explicit(&r->receiver->ipc.receiving, memory_order_relaxed) &&
        atomic_load_explicit(&r->receiver->ipc.reply, memory_order_relaxed) == r) {
        t = r->receiver;
        receiver_refuse(e, t, INV_ERR_BAD_HANDLE);
    }
    unlock_and_wake(e, t, flags);
}

// The call that r stands for, if any, will not be answered.
static void reply_drop(struct reply *r) {
    irq_flags_t flags = arch_irq_save();
    struct thread *caller = atomic_exchange_explicit(&r->caller, NULL, memory_order_acq_rel);

    if (caller != NULL && caller != CALLER_LEFT && call_reply(r, caller)) {
        call_refuse(caller, INV_ERR_PEER_GONE);
        preempt_disable();
        sched_wake(caller);
        arch_irq_restore(flags);
        preempt_enable();
        return;
    }
    arch_irq_restore(flags);
}

static void reply_close(struct object *o) {
    struct reply *r = container_of(o, struct reply, obj);

    if (r->endpoint != NULL)
        reply_dismiss(r);
    reply_drop(r);
}

static void reply_free(struct epoch_node *n) {
    slab_free(&reply_cache, container_of(n, struct reply, obj.reclaim));
}

static void reply_delete(struct object *o) {
    struct reply *r = container_of(o, struct reply, obj);
    struct endpoint *e = r->endpoint;

    object_fini(o);
    epoch_defer(&o->reclaim, reply_free);
    if (e != NULL)
        object_put(&e->obj);
}

struct object_type reply_type = {
    .name = "reply",
    .number = INV_OBJECT_REPLY,
    .default_rights = INV_RIGHT_RECEIVE | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct reply),
    .close = reply_close,
    .delete = reply_delete,
};

inv_status_t reply_create(struct job *job, uint64_t key, struct reply **out) {
    struct reply *r = slab_zalloc(&reply_cache);
    if (r == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&r->obj, &reply_type, job);
    if (status != INV_OK) {
        slab_free(&reply_cache, r);
        return status;
    }
    packet_init(&r->unblock, INV_PACKET_UNBLOCK, key, &r->obj);
    *out = r;
    return INV_OK;
}

// --- a thread's part ---

// The registers of its call are in the frame as they were; what it waits for tells which call it is.
void ipc_resume(struct arch_frame *f) {
    struct thread *me = current_thread();
    bool calls = arch_syscall_number(f) == INV_SYS_CALL;

    me->sched.parked = false;
    inv_status_t status = calls ? call_wait(me, NSTIME_NEVER) : receive_wait(me, NSTIME_NEVER);
    if (status != INV_OK) {
        arch_ipc_result(f, status, 0, 0);
        arch_ipc_words_set(f, 0, 0);
    } else if (calls) {
        call_return(f, me);
    } else {
        receive_return(f, me);
    }
}

void ipc_thread_init(struct thread *t) {
    list_init(&t->ipc.node);
    list_init(&t->ipc.through_node);
    list_init(&t->ipc.home_node);
}

void ipc_thread_exit(struct thread *t) {
    sched_drop_borrowed();
    endpoint_join(NULL);
    leases_free(t);
    parcel_drop(t->ipc.parcel);
    t->ipc.parcel = NULL;
}

void ipc_init_boot(void) {
    slab_cache_init(&reply_cache, "reply", sizeof(struct reply), 0);
    object_type_register(&reply_type);
    endpoint_init_boot();
    waitable_init_boot();
}
