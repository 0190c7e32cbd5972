// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The server's side: receive, reply, both in one. docs/ipc.md has the states.
//
// Invariants:
//   R1  A reply leaves FREE by compare-exchange (reply_arm) alone: of two threads that name it at once, one is refused. It becomes BOUND under the endpoint's
//       lock, and FREE again by who took the caller out of it.
//   R2  caller is taken by exchange. Who takes it looks at the caller's call word, whose number tells whether it is still this call.
#include "ipc_internal.h"

#include <kernel/assert.h>
#include <kernel/native_calls.h>
#include <kernel/time.h>

// FREE to ARMED at e; *out_old: an endpoint to be put. False: it stands for a call, or another thread waits with it.
static bool reply_arm(struct reply *r, struct endpoint *e, struct endpoint **out_old) {
    uint32_t expected = REPLY_FREE;

    if (!atomic_compare_exchange_strong_explicit(&r->state, &expected, REPLY_ARMED, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return false;
    if (unlikely(r->endpoint != e)) {
        *out_old = r->endpoint;
        object_get(&e->obj);
        r->endpoint = e;
    }
    return true;
}

static void reply_disarm(struct reply *r) {
    atomic_store_explicit(&r->state, REPLY_FREE, memory_order_release);
}

// --- reply ---

// Ends the call that r stands for with what f holds and *p, which is used up. BAD_STATE: there is no call. CANCELLED: the caller has left it. Interrupts off:
// *out_caller is there until they are on.
static inv_status_t reply_send(struct arch_frame *f, struct reply *r, struct ipc_parcel **p,
                               struct thread **out_caller) {
    uint64_t tag = arch_ipc_tag(f) & ~INV_TAG_FLAGS;

    if (atomic_load_explicit(&r->state, memory_order_acquire) != REPLY_BOUND)
        return INV_ERR_BAD_STATE;
    struct thread *caller = atomic_exchange_explicit(&r->caller, NULL, memory_order_acq_rel);
    if (caller == NULL)
        return INV_ERR_BAD_STATE; // another thread is at it
    if (caller == CALLER_LEFT || !call_reply(r, caller)) {
        reply_disarm(r);
        return INV_ERR_CANCELLED;
    }
    struct arch_frame *to = frame_of(caller);
    arch_ipc_words_copy(to, f, words_length(tag));
    arch_ipc_result(to, INV_OK, 0, tag);
    caller->ipc.parcel = *p;
    *p = NULL;
    reply_disarm(r);
    call_replied(caller);
    *out_caller = caller;
    return INV_OK;
}

static inv_status_t find(inv_handle_t h, struct object_type *type, struct object **out) {
    return handle_lookup(&current_process()->handles, h, type, INV_RIGHT_RECEIVE, out);
}

// What the answer in f takes along besides words. Leases are the caller's to give.
static inv_status_t answer_make(struct arch_frame *f, struct ipc_parcel **out) {
    uint64_t tag = arch_ipc_tag(f);

    if (INV_TAG_LEASES(tag) != 0)
        return INV_ERR_INVALID;
    return parcel_make(tag, arch_ipc_block(f), out);
}

void sys_reply(struct arch_frame *f) {
    struct thread *caller = NULL;
    struct ipc_parcel *p = NULL;
    struct object *r;

    inv_status_t status = find((inv_handle_t)(arch_ipc_handles(f) >> 32), &reply_type, &r);
    if (status == INV_OK) {
        if ((arch_ipc_tag(f) & INV_TAG_FLAGS) != 0)
            status = INV_ERR_INVALID;
        else
            status = answer_make(f, &p);
        if (status == INV_OK) {
            irq_flags_t flags = arch_irq_save();
            status = reply_send(f, container_of(r, struct reply, obj), &p, &caller);
            if (caller != NULL) {
                sched_give_back(caller);
                sched_wake(caller);
            }
            arch_irq_restore(flags);
            if (unlikely(this_cpu()->arch.resched_pending))
                sched_preempt();
        }
        object_put(r);
    }
    parcel_return(p);
    arch_ipc_result(f, status, 0, 0);
    arch_ipc_words_set(f, 0, 0);
}

// --- receive ---

// Takes the current thread off the receivers. False: it was given something.
static bool receive_cancel(struct thread *me) {
    struct endpoint *e = me->ipc.home;
    irq_flags_t flags = spin_lock_irq(&e->lock);
    bool waits = me->ipc.receiving;
    if (waits) {
        receiver_take(me, e);
        reply_disarm(atomic_load_explicit(&me->ipc.reply, memory_order_relaxed));
    }
    spin_unlock_irq(&e->lock, flags);
    return waits;
}

inv_status_t receive_wait(struct thread *me, nstime_t deadline) {
    for (;;) {
        thread_sleep_prepare(WAIT_INTERRUPTIBLE);
        if (!atomic_load_explicit(&me->ipc.receiving, memory_order_acquire)) {
            thread_sleep_finish();
            return INV_OK;
        }
        me->sched.parked = deadline == NSTIME_NEVER;
        inv_status_t status = thread_sleep(deadline);
        me->sched.parked = false;
        if (status != INV_OK && receive_cancel(me))
            return status;
    }
}

// What comes after the wait, also of a thread that was resumed without its stack.
void receive_return(struct arch_frame *f, struct thread *me) {
    struct ipc_parcel *p = me->ipc.parcel;

    if (unlikely(p != NULL)) {
        me->ipc.parcel = NULL;
        arch_ipc_set_tag(f, parcel_unpack(p, arch_ipc_tag(f), arch_ipc_block(f)));
    }
    if (unlikely(me->sched.lent[LENDER_CALL] != 0))
        endpoint_inherit(me->ipc.home);
}

// e->lock is held, r is ARMED: takes what waits, or joins the receivers (*out_wait).
static inv_status_t receive_locked(struct endpoint *e, struct reply *r, struct thread **out_caller,
                                   struct object **out_owner, bool *out_wait) {
    struct thread *me = current_thread();

    if (atomic_load_explicit(&r->obj.handles, memory_order_relaxed) == 0) { // closed meanwhile: R3
        reply_disarm(r);
        return INV_ERR_BAD_HANDLE;
    }
    if (packet_receive(e, out_owner)) {
        reply_disarm(r);
    } else if (e->first_caller != NULL) {
        *out_caller = e->first_caller;
        caller_remove(e, *out_caller);
        call_serve(e, *out_caller, me, r);
    } else if (e->dead) {
        reply_disarm(r);
        return INV_ERR_PEER_GONE;
    } else {
        atomic_store_explicit(&me->ipc.reply, r, memory_order_relaxed);
        r->receiver = me;
        atomic_store_explicit(&me->ipc.receiving, true, memory_order_relaxed);
        list_push_front(&e->receivers, &me->ipc.node);
        *out_wait = true;
    }
    return INV_OK;
}

// answer: the call that r stands for is answered first, with what f and *answer hold. Gives the processor to that caller if there is nothing to receive.
static inv_status_t receive(struct arch_frame *f, struct endpoint *e, struct reply *r, struct ipc_parcel **answer,
                            nstime_t deadline, bool *out_wait) {
    struct thread *to = NULL, *caller = NULL;
    struct object *owner = NULL;
    struct endpoint *old = NULL;
    inv_status_t status = INV_ERR_BAD_STATE;
    bool handed = false;

    thread_sleep_prepare(WAIT_INTERRUPTIBLE);
    irq_flags_t flags = arch_irq_save(); // to and caller stay until they are on again
    if (answer != NULL)
        (void)reply_send(f, r, answer, &to); // nothing to answer, or nobody: as good as done
    if (reply_arm(r, e, &old)) {
        spin_lock(&e->lock);
        status = receive_locked(e, r, &caller, &owner, out_wait);
        spin_unlock(&e->lock);
    }
    if (to != NULL && *out_wait)
        handed = sched_hand_over(to, SCHED_GIVE_BACK, deadline);
    if (!*out_wait)
        thread_sleep_finish();
    if (to != NULL && !handed) {
        sched_give_back(to);
        sched_wake(to);
    }
    if (!handed)
        sched_drop_borrowed(); // of a call that is left unanswered for now: its caller gets it when he wakes
    if (caller != NULL)
        sched_borrow(caller);
    arch_irq_restore(flags);
    if (unlikely(this_cpu()->arch.resched_pending))
        sched_preempt();
    if (owner != NULL)
        object_put(owner);
    if (old != NULL)
        object_put(&old->obj);
    return status;
}

static void receive_call(struct arch_frame *f, bool with_answer) {
    uint64_t handles = arch_ipc_handles(f), tag = arch_ipc_tag(f);
    uint64_t allowed = with_answer ? ~INV_TAG_FLAGS | INV_TAG_DEADLINE : INV_TAG_DEADLINE;
    struct thread *me = current_thread();
    struct object *e = NULL, *r = NULL;
    struct ipc_parcel *p = NULL;
    nstime_t deadline = NSTIME_NEVER;
    bool wait = false;

    inv_status_t status = find((inv_handle_t)handles, &endpoint_type, &e);
    if (status == INV_OK)
        status = find((inv_handle_t)(handles >> 32), &reply_type, &r);
    if (status == INV_OK && (tag & ~allowed) != 0)
        status = INV_ERR_INVALID;
    if (status == INV_OK)
        status = deadline_of(tag, arch_ipc_block(f), &deadline);
    if (status == INV_OK && with_answer)
        status = answer_make(f, &p);
    if (status == INV_OK) {
        endpoint_join(container_of(e, struct endpoint, obj));
        status = receive(f, container_of(e, struct endpoint, obj), container_of(r, struct reply, obj),
                         with_answer ? &p : NULL, deadline, &wait);
    }
    parcel_return(p);
    // Who sleeps counts nothing, as he may be resumed without his stack: his home keeps the endpoint, the reply's end takes him off it.
    if (r != NULL)
        object_put(r);
    if (e != NULL)
        object_put(e);
    if (wait)
        status = receive_wait(me, deadline);
    if (status == INV_OK) {
        receive_return(f, me);
        return;
    }
    arch_ipc_result(f, status, 0, 0);
    arch_ipc_words_set(f, 0, 0);
}

void sys_receive(struct arch_frame *f) {
    receive_call(f, false);
}

void sys_reply_receive(struct arch_frame *f) {
    receive_call(f, true);
}
