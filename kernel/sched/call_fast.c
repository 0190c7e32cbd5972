// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The fast path of call and reply_receive: a message in words, to a thread that waits for it on this processor, which gets processor and scheduling
// context at once. Called by the entry code (entry.S) with interrupts off, before anything else; they stay off. A flat list of guards, each with its reason
// and one way out (the ordinary way does everything, this one included); then a commit that cannot fail. Nobody is woken, queued or counted.
//
// Both threads have nothing on their kernel stacks: the one that waits said so when it went to sleep (sched.parked), or came here itself and left no stack
// (arch_call_park: if the scheduler runs it, it begins in ipc_resume). So there is nothing to switch but registers, and the way out to user mode is the
// end of the switch: arch_call_leave leaves through the other's frame, after what ipc_fast_finish does, on the other's stack.
//
// Locking: the endpoint's, then this processor's run queue's, both tried only: who finds one taken goes the ordinary way. What handles lead to is not
// counted: interrupts are off, which is an epoch. debug: the run queue's lock is held across the change of stacks, as in every switch.
#include "hand_fast.h"

#include <arch/call_fast.h>
#include <kernel/aspace_fast.h>
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/handle.h>
#include <kernel/ipc.h>
#include <kernel/trace.h>

// Words alone: no handles, leases, flags, and no more than the words hold.
static always_inline bool tag_is_fast(uint64_t tag) {
    return (uint32_t)tag <= INV_MESSAGE_WORDS_BYTES;
}

// The object that h leads to, if the call may go on with it; what is wrong is told by the ordinary way.
static always_inline bool peek(const union handle_array *a, uint32_t h, const struct object_type *type,
                               inv_rights_t right, struct object **out) {
    const struct handle_entry *entry = handle_entry_in(a, h);

    if (unlikely(!handle_entry_is(entry, h)))
        return false;
    *out = entry->object;
    return likely((*out)->type == type) && likely(rights_include(entry->word, right));
}

static always_inline struct arch_frame *frame_of(struct thread *t) {
    return arch_thread_frame(&t->arch);
}

// An empty message's words are made zero on the way out.
static always_inline void message_pass(struct thread *to, struct thread *from, uint64_t badge, uint64_t tag) {
    unsigned length = (uint32_t)tag;

    arch_call_result(frame_of(to), badge, tag);
    if (likely(length == 0))
        return;
    if (likely(length == INV_MESSAGE_WORDS_BYTES))
        arch_ipc_words_copy(frame_of(to), frame_of(from), INV_MESSAGE_WORDS_BYTES);
    else
        arch_ipc_words_copy(frame_of(to), frame_of(from), length);
}

// With no way back: nothing on this stack is needed any more.
static always_inline noreturn_fn void switch_to(struct cpu *cpu, struct run_queue *q, struct thread *me,
                                                struct thread *to) {
    hand_fast_commit(q, me, to);
    arch_call_park(&me->arch);
    aspace_switch_fast(cpu, to->process->aspace);
    arch_call_switch(cpu, me, to);
    arch_call_leave(me, q, to);
}

void ipc_fast_call(uint64_t handles, uint64_t tag) {
    struct thread *me = current_thread();
    const union handle_array *a = handle_array_of(&me->process->handles);
    struct object *o;

    if (unlikely(!tag_is_fast(tag)))
        return;
    if (unlikely(!peek(a, (uint32_t)handles, &connection_type, INV_RIGHT_CALL, &o)))
        return;
    struct connection *c = container_of(o, struct connection, obj);
    struct endpoint *e = c->endpoint;
    if (unlikely(!spin_try_fast(&e->lock)))
        return;
    struct thread *server = list_first(&e->receivers, struct thread, ipc.node);
    if (unlikely(list_empty(&e->receivers))) // nobody waits: the call is queued
        goto slow_endpoint;
    if (unlikely(atomic_load_explicit(&c->revoked, memory_order_relaxed)))
        goto slow_endpoint;
    struct cpu *cpu = this_cpu();
    struct run_queue *q = cpu->run_queue;
    if (unlikely(!spin_try_fast(&q->lock)))
        goto slow_endpoint;
    if (unlikely(!hand_fast_may(q, me, server, me, false))) // a stack to return to; more urgent work; or not here
        goto slow_queue;

    // commit
    struct reply *r = atomic_load_explicit(&server->ipc.reply, memory_order_relaxed);
    uint64_t word = (atomic_load_explicit(&me->ipc.call, memory_order_relaxed) & ~7ull) + (1u << CALL_STATE_BITS) +
                    CALL_SERVED;
    message_pass(server, me, c->badge, tag);
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
    switch_to(cpu, q, me, server);

slow_queue:
    spin_unlock_fast(&q->lock);
slow_endpoint:
    spin_unlock_fast(&e->lock);
}

void ipc_fast_reply_receive(uint64_t handles, uint64_t tag) {
    struct thread *me = current_thread();
    const union handle_array *a = handle_array_of(&me->process->handles);
    struct object *o;

    if (unlikely(!tag_is_fast(tag)))
        return;
    struct endpoint *e = me->ipc.home;
    if (unlikely(!peek(a, (uint32_t)handles, &endpoint_type, INV_RIGHT_RECEIVE, &o)))
        return;
    if (unlikely(container_of(o, struct endpoint, obj) != e)) // first time here: it joins
        return;
    if (unlikely(!peek(a, (uint32_t)(handles >> 32), &reply_type, INV_RIGHT_RECEIVE, &o)))
        return;
    struct reply *r = container_of(o, struct reply, obj);
    if (unlikely(r->endpoint != e))
        return;
    struct thread *caller = atomic_load_explicit(&r->caller, memory_order_relaxed);
    if (unlikely(caller == NULL || caller != me->sched.lender)) // no call, its caller has left, or not with its context
        return;
    if (unlikely(!spin_try_fast(&e->lock)))
        return;
    if (unlikely(e->pending != 0)) // there is something to receive, or will never be
        goto slow_endpoint;
    if (unlikely(atomic_load_explicit(&r->obj.handles, memory_order_relaxed) == 0)) // closed meanwhile: R3
        goto slow_endpoint;
    struct cpu *cpu = this_cpu();
    struct run_queue *q = cpu->run_queue;
    if (unlikely(!spin_try_fast(&q->lock)))
        goto slow_endpoint;
    // Asleep here and away with what this thread holds: with the queue locked it can neither wake nor leave.
    if (unlikely(!hand_fast_may(q, me, caller, caller, true)))
        goto slow_queue;
    if (unlikely(atomic_load_explicit(&caller->ipc.call, memory_order_relaxed) != r->call))
        goto slow_queue;
    struct thread *seen = caller;
    if (unlikely(!atomic_compare_exchange_strong_explicit(&r->caller, &seen, NULL, memory_order_acq_rel,
                                                          memory_order_relaxed)))
        goto slow_queue; // another thread ends it

    DEBUG_ASSERT(caller->sched.context == me->sched.context); // away, and the call that it lent for is served still

    // commit
    message_pass(caller, me, 0, tag); // before this thread is among the receivers, where others write to its frame
    atomic_store_explicit(&caller->ipc.call, r->call & ~7ull, memory_order_relaxed);
    r->receiver = me;
    atomic_store_explicit(&r->state, REPLY_ARMED, memory_order_relaxed);
    atomic_store_explicit(&me->ipc.reply, r, memory_order_relaxed);
    atomic_store_explicit(&me->ipc.receiving, true, memory_order_relaxed);
    list_push_front(&e->receivers, &me->ipc.node);
    spin_unlock_fast(&e->lock);
    hand_fast_give_back(me, caller);
    switch_to(cpu, q, me, caller);

slow_queue:
    spin_unlock_fast(&q->lock);
slow_endpoint:
    spin_unlock_fast(&e->lock);
}

void ipc_fast_finish(struct thread *left, struct run_queue *q) {
    hand_fast_finish(q, left);
}
