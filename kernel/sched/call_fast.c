// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The fast path of call and reply_receive: a message in words, to a thread that waits for it on this processor, which gets processor and scheduling
// context at once. Called by the entry code (entry.S) with interrupts off, before anything else; they stay off. A flat list of guards, each with its reason
// and one way out (the ordinary way does everything, this one included); then a commit that cannot fail. Nobody is woken, queued or counted.
//
// Both threads have nothing on their kernel stacks: the one that waits said so when it went to sleep (ipc.parked), or came here itself and left no stack
// (arch_thread_park: if the scheduler runs it, it begins in ipc_resume). So there is nothing to switch but registers, and the way out to user mode is the
// end of the switch: the entry code leaves with the frame that is returned here, after ipc_fast_finish on that frame's stack.
//
// Locking: the endpoint's, then this processor's run queue's, both tried only: who finds one taken goes the ordinary way. What handles lead to is not
// counted: interrupts are off, which is an epoch. debug: the run queue's lock is held across the change of stacks, as in every switch.
#include "hand_fast.h"

#include <arch/context.h>
#include <kernel/aspace.h>
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/handle.h>
#include <kernel/ipc.h>
#include <arch/ipc.h>
#include <kernel/trace.h>

#define NOT_FAST ((struct ipc_fast_exit){NULL, NULL})

// Words alone: no handles, leases, flags, and no more than the words hold.
static always_inline bool tag_is_fast(uint64_t tag) {
    return (uint32_t)tag <= INV_MESSAGE_WORDS_BYTES;
}

static always_inline struct object *peek(struct thread *me, uint32_t h, const struct object_type *type,
                                         inv_rights_t right) {
    struct object *o;
    return likely(handle_peek(&me->process->handles, h, type, right, &o) == INV_OK) ? o : NULL;
}

static always_inline struct arch_frame *frame_of(struct thread *t) {
    return arch_thread_frame(&t->arch);
}

static always_inline void park(struct thread *me) {
    me->ipc.parked = true;
    arch_thread_park(&me->arch);
}

static always_inline void words_pass(struct arch_frame *to, const struct arch_frame *from, uint64_t tag) {
    if (likely((uint32_t)tag == 0))
        arch_ipc_words_set(to, 0, 0);
    else
        arch_ipc_words_copy(to, from, (unsigned)tag & 0xff);
}

static always_inline struct ipc_fast_exit switch_to(struct run_queue *q, struct thread *me, struct thread *to) {
    park(me);
    hand_fast_commit(q, me, to);
    to->ipc.parked = false;
    if (likely(to->process != me->process))
        aspace_switch(me->process->aspace, to->process->aspace);
    arch_context_switch_user(me, to);
    return (struct ipc_fast_exit){.frame = frame_of(to), .left = me};
}

struct ipc_fast_exit ipc_fast_call(struct arch_frame *f) {
    struct thread *me = current_thread();
    uint64_t tag = arch_ipc_tag(f);

    if (unlikely(!tag_is_fast(tag)))
        return NOT_FAST;
    struct object *o = peek(me, (uint32_t)arch_ipc_handles(f), &connection_type, INV_RIGHT_CALL);
    if (unlikely(o == NULL)) // the error is told by the ordinary way
        return NOT_FAST;
    struct connection *c = container_of(o, struct connection, obj);
    struct endpoint *e = c->endpoint;
    if (unlikely(!spin_try_fast(&e->lock)))
        return NOT_FAST;
    struct thread *server = list_first(&e->receivers, struct thread, ipc.node);
    if (unlikely(list_empty(&e->receivers))) // nobody waits: the call is queued
        goto slow_endpoint;
    if (unlikely(!server->ipc.parked || server->sched.inherited != 0 ||
                 me->sched.inherited != 0)) // a stack to return to; accounts of urgency
        goto slow_endpoint;
    if (unlikely(atomic_load_explicit(&c->revoked, memory_order_relaxed)))
        goto slow_endpoint;
    struct run_queue *q = this_cpu()->run_queue;
    if (unlikely(!spin_try_fast(&q->lock)))
        goto slow_endpoint;
    if (unlikely(!hand_fast_may(q, me, server, priority_of(me))))
        goto slow_queue;

    // commit
    struct reply *r = atomic_load_explicit(&server->ipc.reply, memory_order_relaxed);
    uint64_t word = (atomic_load_explicit(&me->ipc.call, memory_order_relaxed) & ~7ull) + (1u << CALL_STATE_BITS) +
                    CALL_SERVED;
    struct arch_frame *to = frame_of(server);
    arch_ipc_result(to, INV_OK, c->badge, tag);
    words_pass(to, f, tag);
    list_take_first(&e->receivers, &server->ipc.node);
    atomic_store_explicit(&server->ipc.receiving, false, memory_order_relaxed);
    atomic_store_explicit(&me->ipc.reply, r, memory_order_relaxed);
    atomic_store_explicit(&me->ipc.call, word, memory_order_relaxed);
    r->call = word;
    r->receiver = NULL;
    atomic_store_explicit(&r->caller, me, memory_order_relaxed);
    atomic_store_explicit(&r->state, REPLY_BOUND, memory_order_release);
    spin_unlock_fast(&e->lock);
    hand_fast_lend(me, server);
    return switch_to(q, me, server);

slow_queue:
    spin_unlock_fast(&q->lock);
slow_endpoint:
    spin_unlock_fast(&e->lock);
    return NOT_FAST;
}

struct ipc_fast_exit ipc_fast_reply_receive(struct arch_frame *f) {
    struct thread *me = current_thread();
    uint64_t tag = arch_ipc_tag(f);

    if (unlikely(!tag_is_fast(tag)))
        return NOT_FAST;
    struct endpoint *e = me->ipc.home;
    struct object *o = peek(me, (uint32_t)arch_ipc_handles(f), &endpoint_type, INV_RIGHT_RECEIVE);
    if (unlikely(o == NULL || container_of(o, struct endpoint, obj) != e)) // first time here: it joins
        return NOT_FAST;
    o = peek(me, (uint32_t)(arch_ipc_handles(f) >> 32), &reply_type, INV_RIGHT_RECEIVE);
    if (unlikely(o == NULL))
        return NOT_FAST;
    struct reply *r = container_of(o, struct reply, obj);
    if (unlikely(r->endpoint != e || me->sched.inherited != 0))
        return NOT_FAST;
    if (unlikely(!spin_try_fast(&e->lock)))
        return NOT_FAST;
    if (unlikely(!list_empty(&e->callers) || !list_empty(&e->packets) || e->dead)) // there is something to receive
        goto slow_endpoint;
    if (unlikely(atomic_load_explicit(&r->obj.handles, memory_order_relaxed) == 0)) // closed meanwhile: R3
        goto slow_endpoint;
    struct thread *caller = atomic_load_explicit(&r->caller, memory_order_relaxed);
    if (unlikely(caller == NULL || caller == CALLER_LEFT ||
                 caller != me->sched.lender)) // no call, or not with its context
        goto slow_endpoint;
    struct run_queue *q = this_cpu()->run_queue;
    if (unlikely(!spin_try_fast(&q->lock)))
        goto slow_endpoint;
    // Asleep here and away with what this thread holds: with the queue locked it can neither wake nor leave.
    if (unlikely(!caller->ipc.parked || !caller->sched.away || caller->sched.context != me->sched.context ||
                 !hand_fast_may(q, me, caller, priority_of(caller))))
        goto slow_queue;
    if (unlikely(atomic_load_explicit(&caller->ipc.call, memory_order_relaxed) != r->call))
        goto slow_queue;
    if (unlikely(!atomic_compare_exchange_strong_explicit(&r->caller, &caller, NULL, memory_order_acq_rel,
                                                          memory_order_relaxed)))
        goto slow_queue; // another thread ends it

    // commit
    struct arch_frame *to = frame_of(caller);
    arch_ipc_result(to, INV_OK, 0, tag);
    words_pass(to, f, tag); // before this thread is among the receivers, where others write to its frame
    atomic_store_explicit(&caller->ipc.call, r->call & ~7ull, memory_order_relaxed);
    r->receiver = me;
    atomic_store_explicit(&r->state, REPLY_ARMED, memory_order_relaxed);
    atomic_store_explicit(&me->ipc.reply, r, memory_order_relaxed);
    atomic_store_explicit(&me->ipc.receiving, true, memory_order_relaxed);
    list_push_front(&e->receivers, &me->ipc.node);
    spin_unlock_fast(&e->lock);
    hand_fast_give_back(me, caller);
    return switch_to(q, me, caller);

slow_queue:
    spin_unlock_fast(&q->lock);
slow_endpoint:
    spin_unlock_fast(&e->lock);
    return NOT_FAST;
}

void ipc_fast_finish(struct thread *left) {
    hand_fast_finish(this_cpu()->run_queue, left);
}
