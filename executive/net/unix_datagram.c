// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// AF_UNIX datagrams and sequenced packets. Thread context.
//
// A datagram socket takes few messages from those that are not its peer (/proc/sys/net/unix/max_dgram_qlen): others wait on its peer_wait. A poll for room
// cannot wait there, because the two sockets' lives have nothing to do with each other; so it leaves its socket on the other's list of relays, and room wakes
// the writers' queue of each socket on it.
//
// Locking: relay_lock (SOCKET_LIST) for relay_of and the lists of relays; queues of waiters come after it.

#include <kernel/process.h>

#include "unix.h"

#define NAME_LEAST  2u // of a family alone
#define FAMILY_NONE 0  // AF_UNSPEC
#define SEND_MARGIN 32u
#define HEAD_MAX    (16384u - NET_SHARED_BYTES) // that Linux puts before the pages of a message
#define PAGES_MAX   (17u * 4096u)
#define POLL_ROOM   (POLL_OUT | POLL_WRNORM | POLL_WRBAND)

static struct spinlock relay_lock = SPINLOCK_INIT(LOCK_RANK_SOCKET_LIST);

// --- room -------------------------------------------------------------------------------------------------------------

void unix_relay_remove(struct unix_socket *u) {
    if (u->relay_of == NULL)
        return;
    spin_lock(&relay_lock);
    list_remove(&u->relay_node);
    u->relay_of = NULL;
    spin_unlock(&relay_lock);
}

void unix_relay_wake(struct unix_socket *u) {
    spin_lock(&relay_lock);
    while (!list_empty(&u->relays)) {
        struct unix_socket *r = list_first(&u->relays, struct unix_socket, relay_node);
        list_remove(&r->relay_node);
        r->relay_of = NULL;
        waitq_wake(&r->write_wait, UINT32_MAX, POLL_ROOM);
    }
    spin_unlock(&relay_lock);
}

// u hears of room at other. False: other has some already, or is gone.
static bool relay_add(struct unix_socket *u, struct unix_socket *other) {
    spin_lock(&relay_lock);
    if (u->relay_of != other && !other->dead) {
        list_remove(&u->relay_node);
        u->relay_of = other;
        list_push_back(&other->relays, &u->relay_node);
    }
    spin_unlock(&relay_lock);
    atomic_thread_fence(memory_order_seq_cst);
    return unix_queue_full(other) && !other->dead;
}

static bool full_for(const struct unix_socket *u, const struct unix_socket *other) {
    return other != u && other->peer != u && unix_queue_full(other);
}

static bool may_send(const struct unix_socket *u, const struct unix_socket *other) {
    return other->peer == NULL || other->peer == u;
}

static void room_made(struct unix_socket *u) {
    waitq_wake(&u->peer_wait, 1, POLL_ROOM); // with a full barrier before its look at the queue
    if (unlikely(!list_empty(&u->relays)))
        unix_relay_wake(u);
}

// --- connect ----------------------------------------------------------------------------------------------------------

// What the old peer sent is void; it hears of it if it was connected in turn.
static void disconnected(struct unix_socket *u, struct unix_socket *old) {
    struct list_node waste;
    list_init(&waste);
    spin_lock(&u->base.lock);
    list_splice_back(&waste, &u->queue);
    u->queue_length = 0;
    u->rights_queued = 0;
    spin_unlock(&u->base.lock);
    if (list_empty(&waste))
        return;
    while (!list_empty(&waste)) {
        struct unix_message *m = list_first(&waste, struct unix_message, node);
        list_remove(&m->node);
        unix_message_drop(m);
    }
    waitq_wake(&u->peer_wait, UINT32_MAX, 0);
    spin_lock(&old->base.lock);
    bool tell = !old->dead && old->peer == u;
    if (tell)
        old->base.error = INV_ERR_CONNECTION_RESET;
    spin_unlock(&old->base.lock);
    if (tell) {
        unix_changed(old);
        async_notify(&old->base.async, ASYNC_ERROR);
    }
}

// Takes over peer's count; NULL: none any more.
static void peer_change(struct unix_socket *u, struct unix_socket *peer) {
    mutex_lock(&u->receive_lock); // nobody reads what is thrown away
    spin_lock(&u->base.lock);
    struct unix_socket *old = u->peer;
    u->peer = peer;
    u->state = peer != NULL ? UNIX_CONNECTED : UNIX_CLOSED;
    spin_unlock(&u->base.lock);
    mutex_unlock(&u->receive_lock);
    if (old == NULL)
        return;
    unix_relay_remove(u);
    waitq_wake(&u->write_wait, UINT32_MAX, POLL_ROOM);
    if (old != peer)
        disconnected(u, old);
    unix_put(old);
}

inv_status_t unix_datagram_connect(struct socket *s, const struct vfs_caller *c, const uint8_t *name, unsigned length,
                                   bool nonblocking) {
    struct unix_socket *u = unix_of(s), *other = NULL;
    uint16_t family;
    if (length < NAME_LEAST)
        return INV_ERR_INVALID;
    memcpy(&family, name, sizeof(family));
    if (family == FAMILY_NONE) {
        peer_change(u, NULL);
        return INV_OK;
    }
    inv_status_t status = unix_name_check(name, length);
    if (status == INV_OK && socket_has(s, SOCKET_PASS_CREDENTIALS))
        status = unix_autobind(u);
    while (status == INV_OK) {
        status = unix_find(c, name, length, s->type, &other);
        if (status != INV_OK)
            return status;
        spin_lock(&other->base.lock);
        bool dead = other->dead;
        if (!dead && !may_send(u, other))
            status = INV_ERR_NOT_PERMITTED;
        spin_unlock(&other->base.lock);
        if (!dead && status == INV_OK) {
            peer_change(u, other);
            return INV_OK;
        }
        unix_put(other);
    }
    return status;
}

inv_status_t unix_datagram_pair(struct socket *a, struct socket *b) {
    return unix_pair(a, b);
}

// --- sending ----------------------------------------------------------------------------------------------------------

// The peer has died: the connection ends with it. u's peer, which other is, may have changed meanwhile.
static inv_status_t peer_died(struct unix_socket *u, struct unix_socket *other) {
    if (u->base.type == SOCKET_SEQPACKET)
        return INV_ERR_PIPE;
    spin_lock(&u->base.lock);
    bool was = u->peer == other;
    if (was) {
        u->peer = NULL;
        u->state = UNIX_CLOSED;
    }
    spin_unlock(&u->base.lock);
    if (!was)
        return INV_OK; // by name: it may have an heir
    unix_relay_remove(u);
    waitq_wake(&u->write_wait, UINT32_MAX, POLL_ROOM);
    mutex_lock(&u->receive_lock);
    mutex_unlock(&u->receive_lock);
    disconnected(u, other);
    unix_put(other);
    return INV_ERR_CONNECTION_REFUSED;
}

enum delivery { DELIVERED, DELIVERY_FAILED, DELIVERY_FULL, DELIVERY_DEAD };

static enum delivery deliver(struct unix_socket *u, struct unix_socket *other, struct unix_message *msg,
                             inv_status_t *out) {
    enum delivery result = DELIVERY_FAILED;
    spin_lock(&other->base.lock);
    if (!may_send(u, other)) {
        *out = INV_ERR_NOT_PERMITTED;
    } else if (other->dead) {
        result = DELIVERY_DEAD;
    } else if ((other->shutdown & SHUTDOWN_RECEIVE) != 0) {
        *out = INV_ERR_PIPE;
    } else if (full_for(u, other)) {
        result = DELIVERY_FULL;
    } else {
        unix_message_sign(msg, u, other);
        unix_enqueue_locked(other, msg);
        result = DELIVERED;
    }
    spin_unlock(&other->base.lock);
    return result;
}

static bool other_may_go_on(const struct unix_socket *u, struct unix_socket *other) {
    return other->dead || (other->shutdown & SHUTDOWN_RECEIVE) != 0 || !full_for(u, other);
}

static inv_status_t wait_for_room(struct unix_socket *u, struct unix_socket *other, const struct socket_message *m,
                                  nstime_t *deadline) {
    inv_status_t s;
    if ((m->flags & MESSAGE_DONT_WAIT) != 0) {
        if (u->peer == other)
            (void)relay_add(u, other); // a poll that comes now is told
        return INV_ERR_SHOULD_WAIT;
    }
    if (*deadline == 0)
        *deadline = socket_deadline(u->base.send_time);
    WAIT_EVENT(&other->peer_wait, other_may_go_on(u, other), WAIT_INTERRUPTIBLE, *deadline, s);
    return s == INV_OK ? INV_OK : socket_wait_status(s, *deadline);
}

// msg goes to other, a counted socket whose count is dropped, or (when that has died) to who has its name now. On failure msg is the caller's.
static inv_status_t send_message(struct unix_socket *u, struct unix_socket *other, struct unix_message *msg,
                                 struct socket_message *m) {
    nstime_t deadline = 0;
    inv_status_t s = INV_OK;
    for (;;) {
        if (other == NULL) {
            if (m->name_length == 0)
                return INV_ERR_CONNECTION_RESET;
            s = unix_find(m->caller, m->name, m->name_length, u->base.type, &other);
            if (s != INV_OK)
                return s;
        }
        enum delivery d = deliver(u, other, msg, &s);
        if (d == DELIVERED)
            unix_wake_reader(other);
        else if (d == DELIVERY_DEAD)
            s = peer_died(u, other);
        else if (d == DELIVERY_FULL)
            s = wait_for_room(u, other, m, &deadline);
        if (d == DELIVERED || s != INV_OK) {
            unix_put(other);
            return s;
        }
        if (d == DELIVERY_DEAD || m->name_length != 0) { // as it may have changed hands over the wait
            unix_put(other);
            other = NULL;
        }
    }
}

inv_status_t unix_datagram_send(struct socket *s, struct socket_message *m, size_t *out_done) {
    struct unix_socket *u = unix_of(s), *other = NULL;
    struct unix_message *msg;
    size_t length = m->io->left;
    inv_status_t status = INV_OK;
    *out_done = 0;
    if ((m->flags & MESSAGE_OUT_OF_BAND) != 0)
        return INV_ERR_OP_NOT_SUPPORTED;
    if (m->name_length != 0) {
        status = unix_name_check(m->name, m->name_length);
    } else {
        other = unix_peer_get(u);
        if (other == NULL)
            return INV_ERR_NOT_CONNECTED;
    }
    if (status == INV_OK && socket_has(s, SOCKET_PASS_CREDENTIALS))
        status = unix_autobind(u);
    if (status == INV_OK && length > (size_t)s->send_size - SEND_MARGIN)
        status = INV_ERR_MESSAGE_SIZE;
    if (status == INV_OK) {
        uint32_t in_pages = length > HEAD_MAX ? (uint32_t)MIN(length - HEAD_MAX, (size_t)PAGES_MAX) : 0;
        status = unix_message_make(u, m, (uint32_t)length, ALIGN_UP(in_pages, (uint32_t)PAGE_SIZE), &msg);
    }
    if (status != INV_OK) {
        if (other != NULL)
            unix_put(other);
        return status;
    }
    status = unix_message_attach(msg, m);
    if (status == INV_OK)
        status = send_message(u, other, msg, m);
    else if (other != NULL)
        unix_put(other);
    if (status != INV_OK)
        unix_message_drop(msg);
    else
        *out_done = length;
    return status;
}

inv_status_t unix_sequenced_send(struct socket *s, struct socket_message *m, size_t *out_done) {
    inv_status_t status = socket_take_error(s);
    *out_done = 0;
    if (status != INV_OK)
        return status;
    if (unix_of(s)->state != UNIX_CONNECTED)
        return INV_ERR_NOT_CONNECTED;
    m->name_length = 0;
    return unix_datagram_send(s, m, out_done);
}

// --- receiving --------------------------------------------------------------------------------------------------------

// The message that is due; one that is to be taken has left the queue. A peek passes over *inout_skip bytes of earlier ones. receive_lock held.
static struct unix_message *message_take(struct unix_socket *u, bool peek, uint32_t *inout_skip) {
    struct unix_message *msg, *found = NULL;
    uint32_t skip = *inout_skip;
    bool by_offset = peek && u->base.peek_at >= 0;
    spin_lock(&u->base.lock);
    list_for_each(msg, &u->queue, node) {
        if (by_offset && skip >= msg->length && (skip != 0 || msg->peeked)) {
            skip -= msg->length;
            continue;
        }
        found = msg;
        break;
    }
    if (found != NULL && peek)
        found->peeked = true;
    else if (found != NULL)
        unix_dequeue_locked(u, found);
    spin_unlock(&u->base.lock);
    *inout_skip = skip;
    return found;
}

static bool may_go_on(struct unix_socket *u, uint32_t seen) {
    return atomic_load_explicit(&u->arrivals, memory_order_acquire) != seen || (u->shutdown & SHUTDOWN_RECEIVE) != 0 ||
           u->base.error != INV_OK;
}

struct reader {
    nstime_t deadline;
    bool waited, over; // over: time is up
};

// No message. OK: look again. receive_lock is not held.
static inv_status_t wait_for_message(struct unix_socket *u, const struct socket_message *m, uint32_t seen,
                                     struct reader *r, bool *out_end) {
    inv_status_t s;
    if ((m->flags & MESSAGE_DONT_WAIT) != 0 || r->over) {
        *out_end = u->base.type == SOCKET_SEQPACKET && (u->shutdown & SHUTDOWN_RECEIVE) != 0;
        return *out_end ? INV_OK : INV_ERR_SHOULD_WAIT;
    }
    if ((u->shutdown & SHUTDOWN_RECEIVE) != 0) {
        *out_end = true;
        return INV_OK;
    }
    if (r->deadline == 0)
        r->deadline = socket_deadline(u->base.receive_time);
    WAIT_EVENT(&u->read_wait, may_go_on(u, seen), WAIT_INTERRUPTIBLE, r->deadline, s);
    r->waited = true;
    if (s == INV_ERR_TIMED_OUT) {
        r->over = true;
        return INV_OK;
    }
    return s == INV_OK ? INV_OK : socket_wait_status(s, r->deadline);
}

// msg is not on the queue any more, or is being peeked at under receive_lock.
static inv_status_t message_read(struct unix_socket *u, struct unix_message *msg, uint32_t skip, bool peek,
                                 struct socket_message *m, size_t *out_done) {
    uint32_t left = msg->length - skip, n = (uint32_t)MIN(m->io->left, (size_t)left);
    size_t done;
    if (n < left)
        m->out_flags |= MESSAGE_TRUNCATED;
    unix_name_tell(msg->sender, m);
    inv_status_t s = unix_message_copy(msg, skip, n, m->io, &done);
    if (s != INV_OK)
        return s;
    unix_message_tell(msg, m);
    if (peek) {
        if (u->base.peek_at >= 0)
            u->base.peek_at += (int32_t)n;
        if (msg->rights != NULL)
            s = unix_rights_copy(msg->rights, &m->rights);
    } else {
        if (u->base.peek_at > 0)
            u->base.peek_at = MAX(u->base.peek_at - (int32_t)msg->length, 0);
        m->rights = msg->rights;
        msg->rights = NULL;
    }
    *out_done = (m->flags & MESSAGE_TRUNCATED) != 0 ? left : n;
    return s;
}

inv_status_t unix_datagram_receive(struct socket *s, struct socket_message *m, size_t *out_done) {
    struct unix_socket *u = unix_of(s);
    struct unix_message *msg;
    struct reader r = {.deadline = 0};
    bool peek = (m->flags & MESSAGE_PEEK) != 0, end = false;
    uint32_t skip;
    inv_status_t status;
    *out_done = 0;
    if ((m->flags & MESSAGE_OUT_OF_BAND) != 0)
        return INV_ERR_OP_NOT_SUPPORTED;
    for (;;) {
        status = socket_take_error(s);
        if (status != INV_OK)
            return status;
        mutex_lock(&u->receive_lock);
        skip = peek && s->peek_at > 0 ? (uint32_t)s->peek_at : 0;
        uint32_t seen = u->arrivals;
        msg = message_take(u, peek, &skip);
        if (msg != NULL)
            break;
        mutex_unlock(&u->receive_lock);
        status = wait_for_message(u, m, seen, &r, &end);
        if (status != INV_OK || end)
            return status;
    }
    status = message_read(u, msg, skip, peek, m, out_done);
    bool pass_on = r.waited && u->queue_length != 0;
    mutex_unlock(&u->receive_lock);
    if (!peek) {
        if (m->rights != NULL)
            unix_rights_landed(m->rights);
        unix_message_drop(msg); // with what a fault left in it
        room_made(u);
    }
    if (pass_on)
        unix_pass_on(u);
    return status;
}

inv_status_t unix_sequenced_receive(struct socket *s, struct socket_message *m, size_t *out_done) {
    *out_done = 0;
    return unix_of(s)->state == UNIX_CONNECTED ? unix_datagram_receive(s, m, out_done) : INV_ERR_NOT_CONNECTED;
}

// --- poll -------------------------------------------------------------------------------------------------------------

unsigned unix_datagram_poll(struct socket *s, struct poll_set *set) {
    struct unix_socket *u = unix_of(s);
    unsigned mask = unix_poll_common(u, set);
    if (!unix_writable(u))
        return mask;
    struct unix_socket *other = u->peer != NULL ? unix_peer_get(u) : NULL;
    bool room = other == NULL || !full_for(u, other) || !relay_add(u, other);
    if (other != NULL)
        unix_put(other);
    return room ? mask | POLL_ROOM : mask;
}
