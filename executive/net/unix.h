// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// AF_UNIX inside executive/net.
//
//   unix.c            sockets: life, states, ends
//   unix_name.c       paths and abstract names
//   unix_connect.c    listen, connect, accept, socketpair of connections
//   unix_message.c    messages: memory, accounts, queues
//   unix_stream.c     sending and receiving bytes
//   unix_datagram.c   sending and receiving datagrams and sequenced packets
//   unix_flight.c     files in messages: who has how many under way; unreachable cycles of sockets are found and taken apart
//   unix_show.c       /proc/net/unix
//
// References: a socket is counted by its file (or, until it is accepted, by its listener's backlog), by each socket whose peer it is, and by each message
// that it sent. What its file's end does is unix_release; its memory goes with the last reference.
//
// Invariants:
// U1. A stream's or sequenced socket's peer is set once, before the socket is CONNECTED, and stays until its own release: a caller that holds the file
//     may use it without a count. A datagram socket's peer changes under its lock.
// U2. dead is set under lock; nothing is queued on a dead socket.
// U3. name is set once, under the lock of names, and stays until the memory goes.
// U4. A message on a queue belongs to it; only the holder of receive_lock takes one off, or the release, when nobody else is there any more.
// Locking: receive_lock (SOCKET_RECEIVE) over a whole receive; flight (SOCKET_FLIGHT, unix_flight.c); names (SOCKET_NAMES); base.lock (SOCKET) for what
// stands under it: two at once only in connect, the listener's first; the list of all and the relay's lists (SOCKET_LIST).
#ifndef NET_UNIX_H
#define NET_UNIX_H

#include <kernel/slab.h>
#include <kernel/string.h>

#include "net.h"

#define UNIX_PATH_OFFSET 2u // of sun_path
#define UNIX_NAME_MAX    110u

enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED };

// An address as it was given (a path with its terminator). Counted: a listener's is also that of the sockets accepted from it.
struct unix_name {
    _Atomic uint32_t count;
    uint32_t length;
    uint8_t bytes[];
};

struct unix_socket;

struct unix_message {
    struct list_node node;      // receiver's lock
    struct unix_socket *sender; // counted
    struct socket_rights *rights;
    struct socket_credentials credentials;
    bool has_credentials, peeked;
    uint32_t length;   // bytes in all
    uint32_t consumed; // receiver's receive_lock
    uint32_t charge;
    uint32_t pages; // 0: the bytes stand behind the header
    struct page *page[];
};

struct unix_socket {
    struct socket base;
    _Atomic uint32_t count;
    /* base.lock (read without where a moment's truth is enough): */
    _Atomic(enum unix_state) state;
    _Atomic uint32_t shutdown; // SHUTDOWN_*
    atomic_bool dead;
    struct unix_socket *_Atomic peer; // counted; U1
    struct list_node queue;           // struct unix_message
    _Atomic uint32_t queue_length;
    _Atomic uint32_t arrivals;              // messages ever queued
    struct unix_message *_Atomic urgent;    // the last out-of-band byte, on the queue
    struct list_node backlog, backlog_node; // a listener's: sockets to be accepted
    _Atomic uint32_t queue_limit;           // a listener's backlog; a datagram socket's queue
    uint32_t rights_queued;                 // messages on the queue that carry files
    /* atomic: */
    _Atomic uint32_t charged; // bytes sent and not received
    atomic_bool starved;      // somebody found no room although its buffer has some: all sockets together hold too much
    struct unix_name *_Atomic name;
    /* names: */
    struct list_node name_node; // of the table, while it can be found
    uint64_t name_key;
    struct path path; // counted; where it was bound, mount NULL: nowhere
    /* list of all: */
    struct list_node all_node;
    /* relay: */
    struct unix_socket *relay_of;
    struct list_node relay_node, relays;
    /* flight (unix_flight.c): */
    struct list_node flight_node;
    uint32_t flights; // how many times under way
    uint32_t unexplained;
    bool reachable, candidate;
    struct list_node work_node;

    struct mutex receive_lock;
    struct waitq read_wait, write_wait; // own readers and writers
    struct waitq peer_wait;             // others that wait for room in this one's queue
};

static inline struct unix_socket *unix_of(struct socket *s) {
    return container_of(s, struct unix_socket, base);
}
static inline bool unix_connection_based(const struct unix_socket *u) {
    return u->base.type != SOCKET_DATAGRAM;
}
// No more fits, for one that is not its peer.
static inline bool unix_queue_full(const struct unix_socket *u) {
    return atomic_load_explicit(&u->queue_length, memory_order_relaxed) >
           atomic_load_explicit(&u->queue_limit, memory_order_relaxed);
}

// --- unix.c ---
extern const struct socket_ops unix_stream_ops, unix_datagram_ops, unix_sequenced_ops;
must_check inv_status_t unix_alloc(struct job *job, int type, struct unix_socket **out); // one reference
static inline void unix_get(struct unix_socket *u) {
    atomic_fetch_add_explicit(&u->count, 1, memory_order_relaxed);
}
void unix_put(struct unix_socket *u);
struct unix_socket *unix_peer_get(struct unix_socket *u); // counted, or NULL
void unix_release_socket(struct unix_socket *u, bool embryo);
void unix_changed(struct unix_socket *u); // state or shutdown did: all its waiters look again
unsigned unix_poll_common(struct unix_socket *u, struct poll_set *set);
// The next socket of all, counted; from (its count is dropped) NULL: the first. NULL: no more.
struct unix_socket *unix_next(struct unix_socket *from);

// --- unix_name.c ---
void unix_names_init(void);
inv_status_t unix_bind(struct socket *s, const struct vfs_caller *c, const uint8_t *name, unsigned length);
must_check inv_status_t unix_autobind(struct unix_socket *u); // OK too if it has a name
inv_status_t unix_name_of(struct socket *s, bool peer, uint8_t *out, unsigned *out_length);
// INVALID; NOT_FOUND and the like; CONNECTION_REFUSED; PROTOTYPE. *out is counted.
must_check inv_status_t unix_find(const struct vfs_caller *c, const uint8_t *name, unsigned length, int type,
                                  struct unix_socket **out);
must_check inv_status_t unix_name_check(const uint8_t *name, unsigned length);
void unix_name_remove(struct unix_socket *u); // nobody finds it any more
void unix_name_put(struct unix_name *n);      // NULL is fine
void unix_name_inherit(struct unix_socket *u, struct unix_socket *listener);
void unix_name_tell(const struct unix_socket *u, struct socket_message *m); // u is whom m is from

// --- unix_connect.c ---
inv_status_t unix_listen(struct socket *s, unsigned backlog);
inv_status_t unix_connect(struct socket *s, const struct vfs_caller *c, const uint8_t *name, unsigned length,
                          bool nonblocking);
inv_status_t unix_accept(struct socket *s, bool nonblocking, struct socket **out);
inv_status_t unix_pair(struct socket *a, struct socket *b);

// --- unix_message.c ---
// Waits until u may send: the sizes of all that it sent and that was not received stay below its buffer's. The rest of a message of length bytes, of
// which in_pages count as whole pages, as Linux would lay it out. *out is filled from io. PIPE, SHOULD_WAIT, INTERRUPTED, RESTART, NO_BUFFERS, FAULT, the
// pending error.
must_check inv_status_t unix_message_make(struct unix_socket *u, struct socket_message *m, uint32_t length,
                                          uint32_t in_pages, struct unix_message **out);
// What goes along with the data: files (rights is NULL in m then) and credentials. TOO_MANY_REFERENCES.
must_check inv_status_t unix_message_attach(struct unix_message *msg, struct socket_message *m);
// Credentials of the current thread unless it has some, if either end wants them. to's lock held, or it is not shared yet.
void unix_message_sign(struct unix_message *msg, const struct unix_socket *from, const struct unix_socket *to);
void unix_message_free(struct unix_message *msg); // its rights must have been taken or never been there
void unix_message_drop(struct unix_message *msg); // with its rights; no lock held
// to's lock held.
static inline void unix_enqueue_locked(struct unix_socket *to, struct unix_message *msg) {
    list_push_back(&to->queue, &msg->node);
    atomic_store_explicit(&to->queue_length, to->queue_length + 1, memory_order_relaxed);
    atomic_store_explicit(&to->arrivals, to->arrivals + 1, memory_order_release);
    to->rights_queued += msg->rights != NULL;
}
static inline void unix_dequeue_locked(struct unix_socket *u, struct unix_message *msg) {
    list_remove(&msg->node);
    atomic_store_explicit(&u->queue_length, u->queue_length - 1, memory_order_relaxed);
    u->rights_queued -= msg->rights != NULL;
}
bool unix_writable(struct unix_socket *u); // for poll: a quarter of its buffer is taken at most
void unix_requeue_locked(struct unix_socket *u, struct unix_message *msg); // back to the front
void unix_wake_reader(struct unix_socket *u);                              // something has come
void unix_pass_on(struct unix_socket *u); // a reader that was woken leaves something for the next
// Copies n bytes from offset on to io. FAULT, with what was copied in *out_done.
must_check inv_status_t unix_message_copy(const struct unix_message *msg, uint32_t offset, uint32_t n, struct io *io,
                                          size_t *out_done);
// The message's credentials as those of what m receives; whether one carries the same as another (or none).
void unix_message_tell(const struct unix_message *msg, struct socket_message *m);
bool unix_message_same(const struct unix_message *msg, const struct socket_message *m);
static inline uint32_t unix_message_left(const struct unix_message *msg) {
    return msg->length - msg->consumed;
}

// --- unix_stream.c ---
inv_status_t unix_stream_send(struct socket *s, struct socket_message *m, size_t *out_done);
inv_status_t unix_stream_receive(struct socket *s, struct socket_message *m, size_t *out_done);
unsigned unix_stream_poll(struct socket *s, struct poll_set *set);
inv_status_t unix_at_mark(struct unix_socket *u, uint64_t argument);

// --- unix_datagram.c ---
inv_status_t unix_datagram_connect(struct socket *s, const struct vfs_caller *c, const uint8_t *name, unsigned length,
                                   bool nonblocking);
inv_status_t unix_datagram_pair(struct socket *a, struct socket *b);
inv_status_t unix_datagram_send(struct socket *s, struct socket_message *m, size_t *out_done);
inv_status_t unix_datagram_receive(struct socket *s, struct socket_message *m, size_t *out_done);
inv_status_t unix_sequenced_send(struct socket *s, struct socket_message *m, size_t *out_done);
inv_status_t unix_sequenced_receive(struct socket *s, struct socket_message *m, size_t *out_done);
unsigned unix_datagram_poll(struct socket *s, struct poll_set *set);
void unix_relay_remove(struct unix_socket *u); // u asks nobody for room any more
void unix_relay_wake(struct unix_socket *u);   // u has room, or is gone: those that asked look again

// --- unix_flight.c ---
void unix_flight_init(void);
must_check inv_status_t unix_rights_send(struct socket_rights *r,
                                         uint64_t limit); // they go under way. TOO_MANY_REFERENCES
void unix_rights_landed(struct socket_rights *r);         // they are no more
// A copy for MSG_PEEK: of the same files. receive_lock held. NO_MEMORY.
must_check inv_status_t unix_rights_copy(const struct socket_rights *r, struct socket_rights **out);
void unix_collect(
    void); // after a socket has gone: if sockets are under way, those that nobody can reach any more go too
// For the self-test.
unsigned unix_flying(void);

#endif
