// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Endpoints: who waits for a message, and what waits for a receiver; connections to them; packets. Thread context, but for endpoint_post and _unpost.
//
// Invariants:
//   E1  receivers and (callers or packets) are never both non-empty while the lock is free: what comes finds the receiver, who comes finds the message.
//   E2  a thread on receivers is SLEEPING or about to be, has receiving set, and its reply is ARMED; one on callers is QUEUED. Each is on one list.
//   E3  a dead endpoint has empty lists for ever, members apart.
//   E4  a packet that waits counts its owner.
// Locking: the endpoint's lock, interrupts off. Threads found on a list are woken after it was dropped, in the same epoch.
#include "ipc_internal.h"

#include <kernel/assert.h>
#include <kernel/slab.h>

static struct slab_cache endpoint_cache, connection_cache;

void unlock_and_wake(struct endpoint *e, struct thread *t, irq_flags_t flags) {
    preempt_disable();
    spin_unlock(&e->lock);
    if (t != NULL)
        sched_wake(t);
    arch_irq_restore(flags);
    preempt_enable();
}

// --- receivers ---

void receiver_take(struct thread *t, struct endpoint *e) {
    DEBUG_ASSERT(spin_is_held(&e->lock) && t->ipc.receiving);
    struct reply *r = atomic_load_explicit(&t->ipc.reply, memory_order_relaxed);

    list_remove(&t->ipc.node);
    r->receiver = NULL;
    atomic_store_explicit(&t->ipc.receiving, false, memory_order_release);
}

void receiver_refuse(struct endpoint *e, struct thread *t, inv_status_t status) {
    struct reply *r = atomic_load_explicit(&t->ipc.reply, memory_order_relaxed);

    atomic_store_explicit(&r->state, REPLY_FREE, memory_order_release);
    arch_ipc_result(frame_of(t), status, 0, 0);
    arch_ipc_words_set(frame_of(t), 0, 0);
    receiver_take(t, e); // last: it may look from now on
}

void endpoint_join(struct endpoint *e) {
    struct thread *me = current_thread();
    struct endpoint *old = me->ipc.home;

    if (likely(old == e))
        return;
    if (old != NULL) {
        irq_flags_t flags = spin_lock_irq(&old->lock);
        list_remove(&me->ipc.home_node);
        spin_unlock_irq(&old->lock, flags);
    }
    if (e != NULL) {
        object_get(&e->obj);
        irq_flags_t flags = spin_lock_irq(&e->lock);
        list_push_back(&e->members, &me->ipc.home_node);
        spin_unlock_irq(&e->lock, flags);
    }
    me->ipc.home = e;
    if (old != NULL)
        object_put(&old->obj);
}

// --- callers ---

static struct thread *caller_of(struct rb_node *n) {
    return n != NULL ? rb_entry(n, struct thread, ipc.caller) : NULL;
}

void caller_add(struct endpoint *e, struct thread *t, struct connection *c) {
    struct rb_node *parent = NULL, **link = &e->callers.root;
    bool first = true;

    DEBUG_ASSERT(spin_is_held(&e->lock) && list_empty(&e->receivers));
    t->ipc.queued_priority = atomic_load_explicit(&t->sched.priority, memory_order_relaxed);
    while (*link != NULL) {
        parent = *link;
        bool before = t->ipc.queued_priority > caller_of(parent)->ipc.queued_priority;
        first = first && before;
        link = before ? &parent->left : &parent->right;
    }
    rb_insert(&e->callers, &t->ipc.caller, parent, link);
    if (first)
        e->first_caller = t;
    if (!c->deleted)
        list_push_back(&c->callers, &t->ipc.through_node);
    e->pending++;
}

void caller_remove(struct endpoint *e, struct thread *t) {
    DEBUG_ASSERT(spin_is_held(&e->lock));
    if (e->first_caller == t)
        e->first_caller = caller_of(rb_next(&t->ipc.caller));
    rb_remove(&e->callers, &t->ipc.caller);
    list_remove(&t->ipc.through_node);
    e->pending--;
}

// --- urgency ---

static uint8_t callers_priority(const struct endpoint *e) {
    return e->first_caller != NULL ? e->first_caller->ipc.queued_priority : 0;
}

void endpoint_inherit(struct endpoint *e) {
    struct thread *me = current_thread();
    uint8_t wanted = callers_priority(e); // a hint: who queues after this look urges again

    if (unlikely(me->sched.lent[LENDER_CALL] != wanted))
        mutex_lend(me, LENDER_CALL, wanted);
}

// A member that serves and is less urgent than priority, counted; NULL: there is none.
static struct thread *member_behind(struct endpoint *e, uint8_t *out_priority) {
    struct thread *t, *found = NULL;
    irq_flags_t flags = spin_lock_irq(&e->lock);
    uint8_t priority = *out_priority = callers_priority(e);

    list_for_each(t, &e->members, ipc.home_node) {
        if (!t->ipc.receiving && t->sched.lent[LENDER_CALL] < priority && object_try_get(&t->obj)) {
            found = t;
            break;
        }
    }
    spin_unlock_irq(&e->lock, flags);
    return found;
}

void endpoint_urge(struct endpoint *e) {
    struct thread *t;
    uint8_t priority;

    while ((t = member_behind(e, &priority)) != NULL) {
        mutex_lend(t, LENDER_CALL, priority);
        object_put(&t->obj);
    }
}

// --- packets ---

// A receiver gets p, which is on no list.
static void packet_give(struct packet *p, uint32_t count, struct thread *t) {
    arch_ipc_result(frame_of(t), INV_OK, p->key, INV_TAG(p->type, 16) | INV_TAG_PACKET);
    arch_ipc_words_set(frame_of(t), count, p->word);
}

void endpoint_post_word(struct endpoint *e, struct packet *p, uint64_t word) {
    struct thread *t = NULL;
    irq_flags_t flags = spin_lock_irq(&e->lock);

    p->word = p->count > 0 ? p->word | word : word;
    if (e->dead) {
        // nobody will ever receive it
    } else if (p->count > 0) {
        p->count++;
    } else if (!list_empty(&e->receivers)) {
        t = list_first(&e->receivers, struct thread, ipc.node);
        packet_give(p, 1, t);
        atomic_store_explicit(&atomic_load_explicit(&t->ipc.reply, memory_order_relaxed)->state, REPLY_FREE,
                              memory_order_release);
        receiver_take(t, e);
    } else {
        p->count = 1;
        object_get(p->owner);
        list_push_back(&e->packets, &p->node);
        e->pending++;
    }
    unlock_and_wake(e, t, flags);
}

void endpoint_unpost(struct endpoint *e, struct packet *p) {
    irq_flags_t flags = spin_lock_irq(&e->lock);
    bool waited = p->count > 0;
    p->count = 0;
    list_remove(&p->node);
    e->pending -= waited;
    spin_unlock_irq(&e->lock, flags);
    if (waited)
        object_put(p->owner);
}

void packet_init(struct packet *p, enum inv_packet type, uint64_t key, struct object *owner) {
    *p = (struct packet){.type = type, .key = key, .owner = owner};
    list_init(&p->node);
}

bool packet_receive(struct endpoint *e, struct object **out_owner) {
    if (list_empty(&e->packets))
        return false;
    struct packet *p = list_first(&e->packets, struct packet, node);
    list_remove(&p->node);
    e->pending--;
    packet_give(p, p->count, current_thread());
    p->count = 0;
    *out_owner = p->owner;
    return true;
}

// --- life ---

// The first of each list, taken off; with what has to be done without the lock. False: all are empty.
static bool endpoint_flush_one(struct endpoint *e) {
    struct thread *t = NULL;
    struct object *owner = NULL;
    irq_flags_t flags = spin_lock_irq(&e->lock);

    e->pending += !e->dead;
    e->dead = true;
    if (!list_empty(&e->receivers)) {
        t = list_first(&e->receivers, struct thread, ipc.node);
        receiver_refuse(e, t, INV_ERR_PEER_GONE);
    } else if (e->first_caller != NULL) {
        t = e->first_caller;
        caller_remove(e, t);
        call_refuse(t, INV_ERR_PEER_GONE);
    } else if (!list_empty(&e->packets)) {
        struct packet *p = list_first(&e->packets, struct packet, node);
        list_remove(&p->node);
        e->pending--;
        p->count = 0;
        owner = p->owner;
    }
    unlock_and_wake(e, t, flags);
    if (owner != NULL)
        object_put(owner);
    return t != NULL || owner != NULL;
}

static void endpoint_close(struct object *o) {
    struct endpoint *e = container_of(o, struct endpoint, obj);

    while (endpoint_flush_one(e))
        ;
}

static void endpoint_free(struct epoch_node *n) {
    slab_free(&endpoint_cache, container_of(n, struct endpoint, obj.reclaim));
}

static void endpoint_delete(struct object *o) {
    struct endpoint *e = container_of(o, struct endpoint, obj);

    DEBUG_ASSERT(list_empty(&e->receivers) && e->first_caller == NULL && list_empty(&e->members));
    object_fini(o);
    epoch_defer(&o->reclaim, endpoint_free);
}

struct object_type endpoint_type = {
    .name = "endpoint",
    .number = INV_OBJECT_ENDPOINT,
    .default_rights = INV_RIGHT_RECEIVE | INV_RIGHT_MANAGE | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE |
                      INV_RIGHT_TRANSFER,
    .size = sizeof(struct endpoint),
    .close = endpoint_close,
    .delete = endpoint_delete,
};

inv_status_t endpoint_create(struct job *job, nstime_t grace, struct endpoint **out) {
    struct endpoint *e = slab_zalloc(&endpoint_cache);
    if (e == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&e->obj, &endpoint_type, job);
    if (status != INV_OK) {
        slab_free(&endpoint_cache, e);
        return status;
    }
    spin_lock_init(&e->lock, LOCK_RANK_ENDPOINT);
    list_init(&e->receivers);
    list_init(&e->packets);
    list_init(&e->members);
    e->grace = grace;
    *out = e;
    return INV_OK;
}

// --- connections ---

static void connection_close(struct object *o) {
    struct connection *c = container_of(o, struct connection, obj);
    endpoint_post(c->endpoint, &c->closed);
}

static void connection_free(struct epoch_node *n) {
    slab_free(&connection_cache, container_of(n, struct connection, obj.reclaim));
}

static void connection_delete(struct object *o) {
    struct connection *c = container_of(o, struct connection, obj);
    struct endpoint *e = c->endpoint;
    irq_flags_t flags = spin_lock_irq(&e->lock);

    list_remove(&c->callers); // who is queued through it stays queued
    c->deleted = true;
    spin_unlock_irq(&e->lock, flags);
    object_fini(o);
    epoch_defer(&o->reclaim, connection_free);
    object_put(&e->obj);
}

struct object_type connection_type = {
    .name = "connection",
    .number = INV_OBJECT_CONNECTION,
    .default_rights = INV_RIGHT_CALL | INV_RIGHT_MANAGE | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct connection),
    .close = connection_close,
    .delete = connection_delete,
};

inv_status_t connection_create(struct job *job, struct endpoint *e, uint64_t badge, struct connection **out) {
    struct connection *c = slab_zalloc(&connection_cache);
    if (c == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&c->obj, &connection_type, job);
    if (status != INV_OK) {
        slab_free(&connection_cache, c);
        return status;
    }
    object_get(&e->obj);
    c->endpoint = e;
    c->badge = badge;
    list_init(&c->callers);
    packet_init(&c->closed, INV_PACKET_CLOSED, badge, &c->obj);
    *out = c;
    return INV_OK;
}

void connection_revoke(struct connection *c) {
    struct endpoint *e = c->endpoint;
    struct thread *t;

    atomic_store(&c->revoked, true);
    // Who is queued through it is told one by one, so that the lock is never held for long.
    do {
        irq_flags_t flags = spin_lock_irq(&e->lock);
        t = list_empty(&c->callers) ? NULL : list_first(&c->callers, struct thread, ipc.through_node);
        if (t != NULL) {
            caller_remove(e, t);
            call_refuse(t, INV_ERR_PEER_GONE);
        }
        unlock_and_wake(e, t, flags);
    } while (t != NULL);
}

void endpoint_init_boot(void) {
    slab_cache_init(&endpoint_cache, "endpoint", sizeof(struct endpoint), 0);
    slab_cache_init(&connection_cache, "connection", sizeof(struct connection), 0);
    object_type_register(&endpoint_type);
    object_type_register(&connection_type);
}
