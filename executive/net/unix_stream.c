// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// AF_UNIX streams: bytes in and out. Thread context.
//
// Writes are cut into messages as Linux cuts them, because a reader sees where files and credentials stand among the bytes. A reader takes messages
// under receive_lock; one that it will read to its end leaves the queue in the same hold of the lock that found it, and comes back if the program's memory
// faults. Bytes of writers with different credentials are never given in one piece to who asked for them; files end a piece.
//
// Urgent data (MSG_OOB) is one byte on the queue that base.urgent of the receiver points to: reads stop before it, and jump over it when they begin there.

#include <kernel/assert.h>
#include <kernel/process.h>

#include <arch/usercopy.h>

#include "unix.h"

#define HEAD_BYTES  (4096u - NET_SHARED_BYTES) // that Linux puts before the pages of a message
#define PAGES_BYTES 32768u

// --- sending ----------------------------------------------------------------------------------------------------------

static inv_status_t broken(const struct socket_message *m, size_t sent) {
    if (sent == 0 && (m->flags & MESSAGE_NO_SIGNAL) == 0)
        vfs_broken_pipe();
    return INV_ERR_PIPE;
}

// How much of left goes into the next message.
static uint32_t piece_of(const struct unix_socket *u, size_t left, uint32_t *out_in_pages) {
    size_t half = (size_t)(u->base.send_size / 2 - 64), n = MIN(MIN(left, half), (size_t)(HEAD_BYTES + PAGES_BYTES));
    size_t pages = n > HEAD_BYTES ? ALIGN_UP(n - HEAD_BYTES, PAGE_SIZE) : 0;
    *out_in_pages = (uint32_t)MIN(pages, n);
    return (uint32_t)n;
}

// Onto the peer's queue. PIPE: it takes nothing any more.
static inv_status_t deliver(struct unix_socket *u, struct unix_socket *peer, struct unix_message *msg, bool urgent) {
    spin_lock(&peer->base.lock);
    if (unlikely(peer->dead || (peer->shutdown & SHUTDOWN_RECEIVE) != 0)) {
        spin_unlock(&peer->base.lock);
        unix_message_drop(msg);
        return INV_ERR_PIPE;
    }
    unix_message_sign(msg, u, peer);
    if (unlikely(urgent))
        peer->urgent = msg;
    unix_enqueue_locked(peer, msg);
    spin_unlock(&peer->base.lock);
    unix_wake_reader(peer);
    return INV_OK;
}

static inv_status_t send_piece(struct unix_socket *u, struct unix_socket *peer, struct socket_message *m, size_t n,
                               bool urgent, size_t *inout_done) {
    struct unix_message *msg;
    uint32_t in_pages, length = piece_of(u, n, &in_pages);
    inv_status_t s = unix_message_make(u, m, length, in_pages, &msg);
    if (s != INV_OK)
        return s;
    s = urgent ? INV_OK : unix_message_attach(msg, m);
    if (s != INV_OK) {
        unix_message_free(msg);
        return s;
    }
    s = deliver(u, peer, msg, urgent);
    if (s != INV_OK)
        return broken(m, *inout_done);
    *inout_done += length;
    return INV_OK;
}

inv_status_t unix_stream_send(struct socket *s, struct socket_message *m, size_t *out_done) {
    struct unix_socket *u = unix_of(s), *peer = u->peer;
    size_t length = m->io->left;
    bool urgent = (m->flags & MESSAGE_OUT_OF_BAND) != 0;
    inv_status_t status = INV_OK;
    *out_done = 0;
    if (urgent && length-- == 0)
        return INV_ERR_OP_NOT_SUPPORTED;
    if (m->name_length != 0)
        return u->state == UNIX_CONNECTED ? INV_ERR_CONNECTED : INV_ERR_OP_NOT_SUPPORTED;
    if (peer == NULL)
        return INV_ERR_NOT_CONNECTED;
    if ((u->shutdown & SHUTDOWN_SEND) != 0)
        return broken(m, 0);
    while (*out_done < length && status == INV_OK)
        status = send_piece(u, peer, m, length - *out_done, false, out_done);
    if (urgent && status == INV_OK) {
        status = send_piece(u, peer, m, 1, true, out_done);
        if (status == INV_OK)
            socket_urgent(&peer->base);
    }
    return *out_done != 0 ? INV_OK : status;
}

// --- receiving --------------------------------------------------------------------------------------------------------

struct reader {
    struct unix_socket *u;
    struct socket_message *m;
    size_t copied, target;
    uint32_t skip, first_skip; // MSG_PEEK: bytes of the queue that are passed over, and were at first
    nstime_t deadline;         // 0: not known yet
    bool peek, waited, signed_by, named;
    struct list_node *last; // MSG_PEEK: the message that was looked at before, or the queue itself
};

enum step { STEP_AGAIN, STEP_END };

// What comes next on the queue; what was read to its end long ago (an urgent byte) is freed on the way. u's lock held.
static struct unix_message *next_locked(struct reader *r, struct list_node *spent) {
    struct unix_socket *u = r->u;
    struct list_node *n = r->peek ? r->last->next : u->queue.next;
    while (n != &u->queue) {
        struct unix_message *msg = list_entry(n, struct unix_message, node);
        n = n->next;
        if (unix_message_left(msg) == 0 && msg->length != 0) {
            if (r->peek || r->copied != 0) {
                r->last = r->peek ? &msg->node : r->last;
                continue;
            }
            unix_dequeue_locked(u, msg);
            list_push_back(spent, &msg->node);
            continue;
        }
        return msg;
    }
    return NULL;
}

// The urgent byte stands at msg: reads stop there, or jump over it. NULL: stop.
static struct unix_message *urgent_passed_locked(struct reader *r, struct unix_message *msg, struct list_node *spent) {
    struct unix_socket *u = r->u;
    if (r->copied != 0)
        return NULL;
    if (socket_has(&u->base, SOCKET_URGENT_INLINE)) {
        if (!r->peek)
            u->urgent = NULL;
        return msg;
    }
    if (r->peek) {
        r->last = &msg->node;
        return next_locked(r, spent);
    }
    u->urgent = NULL;
    unix_dequeue_locked(u, msg);
    list_push_back(spent, &msg->node);
    return next_locked(r, spent);
}

static void spent_free(struct list_node *spent) {
    while (unlikely(!list_empty(spent))) {
        struct unix_message *msg = list_first(spent, struct unix_message, node);
        list_remove(&msg->node);
        unix_message_drop(msg);
    }
}

static bool something_new(struct unix_socket *u, uint32_t seen) {
    return atomic_load_explicit(&u->arrivals, memory_order_acquire) != seen || (u->shutdown & SHUTDOWN_RECEIVE) != 0 ||
           u->base.error != INV_OK || u->dead;
}

// The queue has no more. receive_lock is released over the wait. arrivals: as they were when the queue was looked at.
static enum step nothing_there(struct reader *r, uint32_t arrivals, inv_status_t *out) {
    struct unix_socket *u = r->u;
    if (r->copied >= r->target)
        return STEP_END;
    *out = socket_take_error(&u->base);
    if (*out != INV_OK || (u->shutdown & SHUTDOWN_RECEIVE) != 0)
        return STEP_END;
    *out = INV_ERR_SHOULD_WAIT;
    if ((r->m->flags & MESSAGE_DONT_WAIT) != 0)
        return STEP_END;
    if (r->deadline == 0)
        r->deadline = socket_deadline(u->base.receive_time);
    mutex_unlock(&u->receive_lock);
    WAIT_EVENT(&u->read_wait, something_new(u, arrivals), WAIT_INTERRUPTIBLE, r->deadline, *out);
    mutex_lock(&u->receive_lock);
    r->waited = true;
    r->last = &u->queue; // a peek begins anew, past what it has
    r->skip = r->peek ? r->first_skip + (uint32_t)r->copied : 0;
    if (*out == INV_ERR_TIMED_OUT)
        r->m->flags |= MESSAGE_DONT_WAIT; // one more look, and then no wait
    else if (*out != INV_OK) {
        *out = socket_wait_status(*out, r->deadline);
        return STEP_END;
    }
    *out = INV_OK;
    return STEP_AGAIN;
}

// Files of a message that is read go along with its first bytes.
static inv_status_t rights_take(struct reader *r, struct unix_message *msg) {
    struct unix_socket *u = r->u;
    if (r->peek)
        return unix_rights_copy(msg->rights, &r->m->rights);
    spin_lock(&u->base.lock);
    if (msg->rights != NULL && !list_empty(&msg->node))
        u->rights_queued--;
    r->m->rights = msg->rights;
    msg->rights = NULL;
    spin_unlock(&u->base.lock);
    return INV_OK;
}

// Copies from msg, which has left the queue if whole. STEP_AGAIN: the next one may follow.
static enum step consume(struct reader *r, struct unix_message *msg, bool whole, inv_status_t *out) {
    struct unix_socket *u = r->u;
    struct socket_message *m = r->m;
    uint32_t skip = r->skip, n = (uint32_t)MIN((size_t)(unix_message_left(msg) - skip), m->io->left);
    size_t done;
    r->skip = 0;
    if (!r->named) {
        unix_name_tell(msg->sender, m);
        r->named = true;
    }
    *out = unix_message_copy(msg, msg->consumed + skip, n, m->io, &done);
    if (unlikely(*out != INV_OK)) { // a message is taken whole or not at all, as far as the program's memory goes
        if (whole) {
            spin_lock(&u->base.lock);
            unix_requeue_locked(u, msg);
            spin_unlock(&u->base.lock);
        }
        return STEP_END;
    }
    r->copied += n;
    bool files = msg->rights != NULL;
    if (files) {
        *out = rights_take(r, msg);
        if (*out != INV_OK)
            return STEP_END;
    }
    if (r->peek) {
        if (u->base.peek_at >= 0)
            u->base.peek_at += (int32_t)n;
        r->last = &msg->node;
        return files || m->io->left == 0 ? STEP_END : STEP_AGAIN;
    }
    if (u->base.peek_at > 0)
        u->base.peek_at = MAX(u->base.peek_at - (int32_t)n, 0);
    msg->consumed += n;
    if (!whole)
        return STEP_END;
    unix_message_free(msg);
    return files || m->io->left == 0 ? STEP_END : STEP_AGAIN;
}

// One message, or a wait for one.
static enum step read_step(struct reader *r, inv_status_t *out) {
    struct unix_socket *u = r->u;
    struct list_node spent;
    list_init(&spent);
    spin_lock(&u->base.lock);
    uint32_t arrivals = u->arrivals;
    struct unix_message *msg = next_locked(r, &spent);
    while (msg != NULL && unlikely(msg == u->urgent)) {
        bool stops = r->copied != 0;
        msg = urgent_passed_locked(r, msg, &spent);
        if (stops || msg == NULL || socket_has(&u->base, SOCKET_URGENT_INLINE)) {
            if (stops)
                r->target = 0; // the mark ends a read
            break;
        }
    }
    while (msg != NULL && r->skip != 0 && r->skip >= unix_message_left(msg)) {
        r->skip -= unix_message_left(msg);
        r->last = &msg->node;
        msg = next_locked(r, &spent);
    }
    bool differs = msg != NULL && r->signed_by && !unix_message_same(msg, r->m);
    bool whole = msg != NULL && !differs && !r->peek && unix_message_left(msg) <= r->m->io->left;
    if (whole)
        unix_dequeue_locked(u, msg);
    spin_unlock(&u->base.lock);
    spent_free(&spent);
    if (msg == NULL)
        return nothing_there(r, arrivals, out);
    if (differs)
        return STEP_END;
    if (!r->signed_by && socket_has(&u->base, SOCKET_PASS_CREDENTIALS)) {
        unix_message_tell(msg, r->m);
        r->signed_by = true;
    }
    return consume(r, msg, whole, out);
}

static inv_status_t urgent_receive(struct unix_socket *u, struct socket_message *m, size_t *out_done);

inv_status_t unix_stream_receive(struct socket *s, struct socket_message *m, size_t *out_done) {
    struct unix_socket *u = unix_of(s);
    struct reader r = {.u = u, .m = m, .peek = (m->flags & MESSAGE_PEEK) != 0, .last = &u->queue};
    inv_status_t status = INV_OK;
    *out_done = 0;
    if (u->state != UNIX_CONNECTED)
        return INV_ERR_INVALID;
    if ((m->flags & MESSAGE_OUT_OF_BAND) != 0)
        return urgent_receive(u, m, out_done);
    size_t least = (m->flags & MESSAGE_WAIT_ALL) != 0 ? m->io->left : MIN((size_t)s->receive_least, m->io->left);
    r.target = MAX(least, (size_t)1);
    mutex_lock(&u->receive_lock);
    if (r.peek && s->peek_at > 0)
        r.skip = r.first_skip = (uint32_t)s->peek_at;
    while (read_step(&r, &status) == STEP_AGAIN)
        ;
    bool pass_on = r.waited && u->queue_length != 0;
    mutex_unlock(&u->receive_lock);
    if (pass_on)
        unix_pass_on(u);
    if (m->rights != NULL && !r.peek)
        unix_rights_landed(m->rights);
    *out_done = r.copied;
    return r.copied != 0 ? INV_OK : status;
}

// --- urgent data ------------------------------------------------------------------------------------------------------

static inv_status_t urgent_receive(struct unix_socket *u, struct socket_message *m, size_t *out_done) {
    size_t done;
    mutex_lock(&u->receive_lock);
    spin_lock(&u->base.lock);
    struct unix_message *msg = u->urgent;
    if (msg != NULL && socket_has(&u->base, SOCKET_URGENT_INLINE))
        msg = NULL;
    if (msg != NULL && (m->flags & MESSAGE_PEEK) == 0)
        u->urgent = NULL;
    spin_unlock(&u->base.lock);
    if (msg == NULL) {
        mutex_unlock(&u->receive_lock);
        return INV_ERR_INVALID;
    }
    inv_status_t s = unix_message_copy(msg, 0, (uint32_t)MIN(m->io->left, (size_t)1), m->io, &done);
    if ((m->flags & MESSAGE_PEEK) == 0)
        msg->consumed = msg->length; // it stays as the mark, until a read passes it
    mutex_unlock(&u->receive_lock);
    if (s != INV_OK)
        return s;
    m->out_flags |= MESSAGE_OUT_OF_BAND;
    *out_done = 1;
    return INV_OK;
}

inv_status_t unix_at_mark(struct unix_socket *u, uint64_t argument) {
    spin_lock(&u->base.lock);
    bool at = false;
    if (!list_empty(&u->queue)) {
        struct unix_message *first = list_first(&u->queue, struct unix_message, node);
        at = first == u->urgent || (first->length != 0 && unix_message_left(first) == 0);
    }
    spin_unlock(&u->base.lock);
    return arch_user_store32((uint32_t user_ptr *)(uintptr_t)argument, at);
}

unsigned unix_stream_poll(struct socket *s, struct poll_set *set) {
    struct unix_socket *u = unix_of(s);
    unsigned mask = unix_poll_common(u, set);
    if (u->urgent != NULL)
        mask |= POLL_PRI;
    if (unix_writable(u))
        mask |= POLL_OUT | POLL_WRNORM | POLL_WRBAND;
    return mask;
}
