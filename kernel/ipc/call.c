// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The caller's side of a call: queued or served at once, waited for, left. docs/ipc.md has the states and the races; their steps bear the same names here.
//
// Invariants:
//   C1  A call word is changed from SERVED by compare-exchange alone: by call_reply (the server's side) or call_abandon (the caller's). The number in it
//       makes a late reply fail, whatever call the thread is in by then.
//   C2  Between REPLYING and REPLIED the replier alone writes to the caller's frame and parcel; before and after, the caller.
//   C3  A QUEUED caller is on its endpoint's list; who takes it off, under the endpoint's lock, changes the word.
#include "ipc_internal.h"

#include <arch/usercopy.h>
#include <kernel/assert.h>
#include <kernel/native_calls.h>
#include <kernel/time.h>
#include <kernel/trace.h>

static uint64_t call_word(const struct thread *t) {
    return atomic_load_explicit(&t->ipc.call, memory_order_acquire);
}

static void call_set(struct thread *t, enum call_state state) {
    uint64_t number = atomic_load_explicit(&t->ipc.call, memory_order_relaxed) >> CALL_STATE_BITS;
    atomic_store_explicit(&t->ipc.call, number << CALL_STATE_BITS | state, memory_order_release);
}

// --- steps of others on a call ---

void call_serve(struct endpoint *e, struct thread *caller, struct thread *server, struct reply *r) {
    struct arch_frame *to = frame_of(server), *from = frame_of(caller);
    uint64_t tag = caller->ipc.tag;

    DEBUG_ASSERT(spin_is_held(&e->lock) && server->ipc.parcel == NULL);
    server->ipc.parcel = caller->ipc.parcel;
    caller->ipc.parcel = NULL;
    arch_ipc_words_copy(to, from, words_length(tag));
    arch_ipc_result(to, INV_OK, caller->ipc.badge, tag);
    atomic_store_explicit(&caller->ipc.reply, r, memory_order_relaxed);
    uint64_t number = atomic_load_explicit(&caller->ipc.call, memory_order_relaxed) >> CALL_STATE_BITS;
    r->call = number << CALL_STATE_BITS | CALL_SERVED;
    atomic_store_explicit(&r->caller, caller, memory_order_relaxed);
    atomic_store_explicit(&r->state, REPLY_BOUND, memory_order_release);
    call_set(caller, CALL_SERVED);
}

void call_refuse(struct thread *t, inv_status_t status) {
    arch_ipc_result(frame_of(t), status, 0, 0);
    arch_ipc_words_set(frame_of(t), 0, 0);
    call_set(t, CALL_REPLIED);
}

bool call_reply(struct reply *r, struct thread *caller) {
    uint64_t expected = r->call;
    uint64_t replying = (expected & ~(uint64_t)(CALL_SERVED)) | CALL_REPLYING;
    return atomic_compare_exchange_strong_explicit(&caller->ipc.call, &expected, replying, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

void call_replied(struct thread *caller) {
    call_set(caller, CALL_REPLIED);
}

// --- the caller's own steps ---

// Behind its equals. e->lock held.
static void call_queue(struct endpoint *e, struct thread *me, struct connection *c) {
    caller_add(e, me, c);
    call_set(me, CALL_QUEUED);
}

// Takes the call back while it is queued. False: it is not any more.
static bool call_cancel(struct thread *me) {
    struct endpoint *e = atomic_load_explicit(&me->ipc.endpoint, memory_order_relaxed);

    epoch_enter();
    if (CALL_STATE(call_word(me)) != CALL_QUEUED) {
        epoch_exit();
        return false;
    }
    // It was queued in this epoch, so the endpoint, whose end takes it off first, has not been freed.
    irq_flags_t flags = spin_lock_irq(&e->lock);
    bool queued = CALL_STATE(call_word(me)) == CALL_QUEUED;
    if (queued) {
        caller_remove(e, me);
        call_set(me, CALL_IDLE);
    }
    spin_unlock_irq(&e->lock, flags);
    epoch_exit();
    return queued;
}

// Leaves a call that is being served. False: it is being replied to.
static bool call_abandon(struct thread *me) {
    uint64_t word = call_word(me), idle = word & ~(uint64_t)((1u << CALL_STATE_BITS) - 1);
    if (CALL_STATE(word) != CALL_SERVED)
        return false;
    epoch_enter(); // a reply that is closed finds the call gone; its memory stays until we have looked at it
    bool mine = atomic_compare_exchange_strong_explicit(&me->ipc.call, &word, idle, memory_order_acq_rel,
                                                        memory_order_relaxed);
    if (mine) {
        struct reply *r = atomic_load_explicit(&me->ipc.reply, memory_order_relaxed);
        struct thread *self = me;
        atomic_compare_exchange_strong_explicit(&r->caller, &self, CALLER_LEFT, memory_order_acq_rel,
                                                memory_order_relaxed);
    }
    epoch_exit();
    return mine;
}

// Tells the server that the caller wants to leave. Returns how long it waits still.
static nstime_t call_unblock(struct thread *me) {
    nstime_t grace = 0;

    epoch_enter();
    // While the call is SERVED the reply lives, since its end ends the call.
    struct reply *r = atomic_load_explicit(&me->ipc.reply, memory_order_relaxed);
    bool served = CALL_STATE(call_word(me)) == CALL_SERVED && object_try_get(&r->obj);
    epoch_exit();
    if (served) {
        grace = r->endpoint->grace;
        endpoint_post(r->endpoint, &r->unblock);
        object_put(&r->obj);
    }
    return grace;
}

// Until the call is REPLIED, or left: then the status says why.
inv_status_t call_wait(struct thread *me, nstime_t deadline) {
    enum wait_kind kind = WAIT_INTERRUPTIBLE;
    inv_status_t why = INV_OK;

    for (;;) {
        thread_sleep_prepare(kind);
        if (CALL_STATE(call_word(me)) == CALL_REPLIED) {
            thread_sleep_finish();
            return INV_OK;
        }
        me->sched.parked = deadline == NSTIME_NEVER && !me->ipc.leased;
        inv_status_t status = thread_sleep(deadline);
        me->sched.parked = false;
        if (status != INV_OK && CALL_STATE(call_word(me)) != CALL_REPLIED) {
            if (why != INV_OK ? call_abandon(me) : call_cancel(me))
                return why != INV_OK ? why : status;
            if (why == INV_OK) {
                why = status;
                deadline = deadline_after(call_unblock(me));
                kind = WAIT_KILLABLE; // who is killed does not wait for the server
            } else {
                deadline = NSTIME_NEVER; // the replier is between two stores
                kind = WAIT_UNINTERRUPTIBLE;
            }
        }
    }
}

// What comes after the wait, also of a thread that was resumed without its stack.
void call_return(struct arch_frame *f, struct thread *me) {
    struct ipc_parcel *p = me->ipc.parcel;

    call_set(me, CALL_IDLE);
    if (unlikely(p != NULL)) {
        me->ipc.parcel = NULL;
        arch_ipc_set_tag(f, parcel_unpack(p, arch_ipc_tag(f), arch_ipc_block(f)));
    }
}

// Queues or serves, under the endpoint's lock. *out_server: who serves it and is to be switched to.
static inv_status_t call_begin(struct thread *me, struct connection *c, struct thread **out_server) {
    struct endpoint *e = c->endpoint;
    inv_status_t status = INV_OK;

    *out_server = NULL;
    if (atomic_load(&c->revoked) || e->dead) {
        status = INV_ERR_PEER_GONE;
    } else if (!list_empty(&e->receivers)) {
        struct thread *server = list_first(&e->receivers, struct thread, ipc.node);
        call_serve(e, me, server, atomic_load_explicit(&server->ipc.reply, memory_order_relaxed));
        receiver_take(server, e);
        *out_server = server;
    } else {
        call_queue(e, me, c);
    }
    return status;
}

// Looks the connection up and begins the call. The thread is prepared to sleep if this is OK. Returns with the endpoint counted if it is queued there.
static inv_status_t call_send(struct thread *me, inv_handle_t h, uint64_t tag, nstime_t deadline,
                              struct endpoint **out_urge) {
    struct object *o;
    struct thread *server;

    *out_urge = NULL;
    epoch_enter();
    inv_status_t status = handle_peek(&me->process->handles, h, &connection_type, INV_RIGHT_CALL, &o);
    if (status != INV_OK) {
        epoch_exit();
        return status;
    }
    struct connection *c = container_of(o, struct connection, obj);
    struct endpoint *e = c->endpoint;
    uint64_t number = (call_word(me) >> CALL_STATE_BITS) + 1;
    atomic_store_explicit(&me->ipc.call, number << CALL_STATE_BITS | CALL_IDLE, memory_order_relaxed);
    atomic_store_explicit(&me->ipc.endpoint, e, memory_order_relaxed);
    me->ipc.connection = c;
    me->ipc.badge = c->badge;
    me->ipc.tag = tag & ~INV_TAG_FLAGS;
    thread_sleep_prepare(WAIT_INTERRUPTIBLE);
    irq_flags_t flags = spin_lock_irq(&e->lock);
    status = call_begin(me, c, &server);
    if (status == INV_OK && server == NULL && object_try_get(&e->obj))
        *out_urge = e;
    spin_unlock(&e->lock);
    epoch_exit(); // interrupts are off still, which is as good
    if (server != NULL && !sched_hand_over(server, SCHED_LEND, deadline)) {
        preempt_disable();
        sched_wake(server);
        arch_irq_restore(flags);
        preempt_enable();
    } else {
        arch_irq_restore(flags);
    }
    if (status != INV_OK)
        thread_sleep_finish();
    return status;
}

inv_status_t deadline_of(uint64_t tag, vaddr_t block, nstime_t *out) {
    *out = NSTIME_NEVER;
    if ((tag & INV_TAG_DEADLINE) == 0)
        return INV_OK;
    return block != 0 ? arch_user_load64((const uint64_t user_ptr *)block, out) : INV_ERR_INVALID;
}

void sys_call(struct arch_frame *f) {
    struct thread *me = current_thread();
    uint64_t tag = arch_ipc_tag(f);
    struct endpoint *urge = NULL;
    struct object *o;
    inv_status_t status;
    nstime_t deadline = NSTIME_NEVER;

    // The handle comes first in the order of errors, and is looked up again when all is packed: it may be closed meanwhile.
    epoch_enter();
    status = handle_peek(&me->process->handles, (inv_handle_t)arch_ipc_handles(f), &connection_type, INV_RIGHT_CALL,
                         &o);
    epoch_exit();
    if (status == INV_OK && (tag & INV_TAG_FLAGS & ~INV_TAG_DEADLINE))
        status = INV_ERR_INVALID;
    if (status == INV_OK)
        status = deadline_of(tag, arch_ipc_block(f), &deadline);
    if (status == INV_OK)
        status = leases_make(tag, arch_ipc_block(f));
    if (status == INV_OK)
        status = parcel_make(tag, arch_ipc_block(f), &me->ipc.parcel);
    if (status == INV_OK)
        status = call_send(me, (inv_handle_t)arch_ipc_handles(f), tag, deadline, &urge);
    if (status == INV_OK) {
        if (urge != NULL) {
            thread_sleep_finish();
            endpoint_urge(urge);
            object_put(&urge->obj);
        }
        status = call_wait(me, deadline);
    }
    leases_end(me);
    if (status == INV_OK) {
        call_return(f, me);
        return;
    }
    parcel_return(me->ipc.parcel);
    me->ipc.parcel = NULL;
    arch_ipc_result(f, status, 0, 0);
    arch_ipc_words_set(f, 0, 0);
}
