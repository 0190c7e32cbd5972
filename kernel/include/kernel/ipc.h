// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls between threads (kernel/ipc): endpoints, which are ports too, connections, reply objects, and what a thread keeps for its own call. The theory, with
// the states and who may change them, is docs/ipc.md.
//
//   endpoint     where servers receive calls and packets. Its last handle closed: it is dead, and all who wait at it are told PEER_GONE.
//   connection   through which clients call one endpoint; carries a badge that the server recognises. It may be revoked.
//   reply        made by a server, named at receive; stands for the one call that was received with it, until it is answered or dropped.
#ifndef KERNEL_IPC_H
#define KERNEL_IPC_H

#include <invar/ipc.h>
#include <kernel/epoch.h>
#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/object.h>
#include <kernel/rbtree.h>

struct arch_frame;
struct thread;
struct endpoint;
struct reply;
struct ipc_parcel;

// The call word of a thread: which call, and where it is. SERVED is left by a compare-exchange: who wins it decides how the call ends.
//
//   IDLE ──call_queue──▶ QUEUED ──call_serve──▶ SERVED ──call_reply──▶ REPLYING ──▶ REPLIED ──call_return──▶ IDLE
//     └──────────────call_serve (a server waits)──▲ │
//                         QUEUED ──call_cancel──▶ IDLE   └──call_abandon──▶ IDLE
enum call_state { CALL_IDLE, CALL_QUEUED, CALL_SERVED, CALL_REPLYING, CALL_REPLIED };
#define CALL_STATE_BITS 3
#define CALL_STATE(w)   ((enum call_state)((w) & ((1u << CALL_STATE_BITS) - 1)))

struct thread_ipc {
    /* atomic: */
    _Atomic uint64_t call; // number of the call << CALL_STATE_BITS | enum call_state
    /* lock of the endpoint at which it waits: */
    struct list_node node;         // receivers
    _Atomic bool receiving;        // is on receivers
    uint8_t queued_priority;       // as it was when the call was queued
    struct rb_node caller;         // callers
    struct list_node through_node; // callers of its connection
    /* written before it waits, stable while it does: */
    _Atomic(struct endpoint *) endpoint; // QUEUED: where
    _Atomic(struct reply *) reply;       // receiving: what it named; SERVED: what stands for the call
    struct connection *connection;       // that it calls through; compared only
    uint64_t badge;                      // the connection's
    uint64_t tag;                        // what it sends
    struct ipc_parcel *parcel;           // or NULL: what it sends, then what arrived for it
    struct ipc_leases *leases;           // or NULL: what it lends for the time of a call, kept for the next one
    bool leased;                         // this call lends something
    /* lock of home: */
    struct endpoint *home; // counted, or NULL: where it received last; on its list of members
    struct list_node home_node;
};

// A packet that waits at an endpoint for a receiver; embedded in what it speaks for. Signals that come while it waits are counted.
struct packet {
    /* the endpoint's lock: */
    struct list_node node; // the endpoint's packets, or alone
    uint32_t count;
    uint64_t word; // while it waits: all that was posted, ored
    /* immutable while it may be posted: */
    uint32_t type; // enum inv_packet
    uint64_t key;
    struct object *owner; // counted while it waits
};

struct endpoint {
    struct object obj;
    struct spinlock lock; // rank ENDPOINT, interrupts off
    /* lock: */
    struct list_node receivers;  // threads, last come first
    struct rb_tree callers;      // threads by priority when they were queued, first come first among equals
    struct thread *first_caller; // of callers, or NULL
    struct list_node packets;    // first come first
    struct list_node members;    // threads that received here last
    uint32_t pending;            // callers, packets, and one if it is dead: 0: who receives waits
    bool dead;
    /* immutable: */
    nstime_t grace; // how long a caller that wants to leave waits for the reply
};

struct connection {
    struct object obj;
    uint64_t badge;            // immutable
    struct endpoint *endpoint; // immutable, counted
    _Atomic bool revoked;
    struct packet closed;
    /* the endpoint's lock: */
    struct list_node callers; // threads that are queued through it
    bool deleted;             // callers is nobody's any more
};

struct reply {
    struct object obj;
    _Atomic uint32_t state;          // enum reply_state
    _Atomic(struct thread *) caller; // BOUND: whose call, CALLER_LEFT, or NULL: taken by exchange by who ends the call
    uint64_t call;                   // BOUND: the caller's call word while it is SERVED
    struct endpoint *endpoint;       // where it was named last, counted, or NULL; changed by who has just made it ARMED
    struct thread *receiver;         // ARMED: who named it; under the endpoint's lock
    uint64_t key;                    // immutable: of its unblock packets
    struct packet unblock;
};
#define CALLER_LEFT ((struct thread *)1) // in caller: who called has left
enum reply_state { REPLY_FREE, REPLY_ARMED, REPLY_BOUND };

extern struct object_type endpoint_type, connection_type, reply_type;

// One pointer each. NO_MEMORY, QUOTA. grace in ns.
must_check inv_status_t endpoint_create(struct job *job, nstime_t grace, struct endpoint **out);
must_check inv_status_t connection_create(struct job *job, struct endpoint *e, uint64_t badge, struct connection **out);
must_check inv_status_t reply_create(struct job *job, uint64_t key, struct reply **out);
// Nobody can call through c any more; calls that have not been received end with PEER_GONE, those that are being served go on.
void connection_revoke(struct connection *c);

void packet_init(struct packet *p, enum inv_packet type, uint64_t key, struct object *owner);
// Posts p, whose type and key are set, at e: a receiver is woken, or it waits. Any context. Nothing happens at a dead endpoint.
void endpoint_post_word(struct endpoint *e, struct packet *p, uint64_t word);
static inline void endpoint_post(struct endpoint *e, struct packet *p) {
    endpoint_post_word(e, p, 0);
}
// Takes p back if it waits. Any context.
void endpoint_unpost(struct endpoint *e, struct packet *p);

// The fast path, from the entry code, interrupts off, with the first two registers of a message. They leave the kernel through another thread's frame, on
// whose stack ipc_fast_finish has run; or they return, and nothing was done: the ordinary way is to be taken.
void ipc_fast_call(uint64_t handles, uint64_t tag);
void ipc_fast_reply_receive(uint64_t handles, uint64_t tag);
struct run_queue;
void ipc_fast_finish(struct thread *left, struct run_queue *q);
// A thread that was parked by the fast path runs again without an answer, or with one: goes on waiting, or finishes its call. From arch code, as a thread's
// first step, interrupts on.
void ipc_resume(struct arch_frame *f);

// A thread's beginning and end.
void ipc_thread_init(struct thread *t);
void ipc_thread_exit(struct thread *t); // the current thread, before it leaves its process
void ipc_thread_fini(struct thread *t);
void ipc_init_boot(void);

#endif
