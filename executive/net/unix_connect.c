// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Connections of AF_UNIX: listen, connect, accept, socketpair. Thread context.
//
// connect makes the socket that accept will give, connects both, and puts the new one on the listener's backlog; so a client may send before it is accepted.
// What it needs is made before anything is changed.

#include <kernel/assert.h>
#include <kernel/process.h>

#include "unix.h"

inv_status_t unix_listen(struct socket *s, unsigned backlog) {
    struct unix_socket *u = unix_of(s);
    if (u->name == NULL)
        return INV_ERR_INVALID;
    spin_lock(&s->lock);
    bool fits = u->state != UNIX_CONNECTED;
    if (fits) {
        u->queue_limit = backlog;
        u->state = UNIX_LISTENING;
    }
    spin_unlock(&s->lock);
    if (!fits)
        return INV_ERR_INVALID;
    socket_peer_set(s);
    waitq_wake(&u->peer_wait, UINT32_MAX, 0); // there may be more room
    return INV_OK;
}

// Both locks held, and everything checked.
static void join_locked(struct unix_socket *u, struct unix_socket *listener, struct unix_socket *made) {
    unix_get(u);
    made->peer = u;
    made->state = UNIX_CONNECTED;
    unix_name_inherit(made, listener);
    unix_get(made);
    u->peer = made;
    u->state = UNIX_CONNECTED;
    list_push_back(&listener->backlog, &made->backlog_node);
    listener->queue_length++;
    listener->arrivals++;
}

static bool connect_may_go_on(struct unix_socket *listener) {
    return listener->dead || listener->state != UNIX_LISTENING || (listener->shutdown & SHUTDOWN_RECEIVE) != 0 ||
           !unix_queue_full(listener);
}

enum attempt { ATTEMPT_DONE, ATTEMPT_FAILED, ATTEMPT_FULL, ATTEMPT_AGAIN };

static enum attempt attempt(struct unix_socket *u, struct unix_socket *listener, struct unix_socket *made,
                            inv_status_t *out) {
    enum attempt result = ATTEMPT_FAILED;
    spin_lock(&listener->base.lock);
    if (listener->dead)
        result = ATTEMPT_AGAIN; // its name is free, or another's
    else if (listener->state != UNIX_LISTENING || (listener->shutdown & SHUTDOWN_RECEIVE) != 0)
        *out = INV_ERR_CONNECTION_REFUSED;
    else if (unix_queue_full(listener))
        result = ATTEMPT_FULL;
    else if (u->state == UNIX_CONNECTED)
        *out = INV_ERR_CONNECTED;
    else if (u->state != UNIX_CLOSED)
        *out = INV_ERR_INVALID; // a listener: its lock is not taken, so that two of them may try each other
    else {
        spin_lock(&u->base.lock);
        if (u->state == UNIX_CLOSED) {
            join_locked(u, listener, made);
            result = ATTEMPT_DONE;
        } else {
            result = ATTEMPT_AGAIN;
        }
        spin_unlock(&u->base.lock);
    }
    spin_unlock(&listener->base.lock);
    return result;
}

// made is ready and not connected yet. What is done to the peers' credentials comes before anybody can see them.
static inv_status_t connect_to(struct unix_socket *u, const struct vfs_caller *c, const uint8_t *name, unsigned length,
                               struct unix_socket *made, nstime_t deadline) {
    struct unix_socket *listener;
    for (;;) {
        inv_status_t s = unix_find(c, name, length, u->base.type, &listener);
        if (s != INV_OK)
            return s;
        enum attempt a = attempt(u, listener, made, &s);
        if (a == ATTEMPT_FULL) {
            s = INV_ERR_SHOULD_WAIT;
            if (deadline != 0) {
                WAIT_EVENT(&listener->peer_wait, connect_may_go_on(listener), WAIT_INTERRUPTIBLE, deadline, s);
                if (s == INV_OK)
                    a = ATTEMPT_AGAIN;
                else
                    s = socket_wait_status(s, deadline);
            }
        } else if (a == ATTEMPT_DONE) {
            socket_peer_copy(&u->base, &listener->base);
            unix_wake_reader(listener);
            s = INV_OK;
        }
        unix_put(listener);
        if (a != ATTEMPT_AGAIN)
            return s;
    }
}

inv_status_t unix_connect(struct socket *s, const struct vfs_caller *c, const uint8_t *name, unsigned length,
                          bool nonblocking) {
    struct unix_socket *u = unix_of(s), *made;
    inv_status_t status = unix_name_check(name, length);
    if (status == INV_OK && socket_has(s, SOCKET_PASS_CREDENTIALS))
        status = unix_autobind(u);
    if (status == INV_OK)
        status = unix_alloc(s->job, s->type, &made);
    if (status != INV_OK)
        return status;
    socket_peer_set(&made->base);
    status = connect_to(u, c, name, length, made, nonblocking ? 0 : socket_deadline(s->send_time));
    if (status != INV_OK)
        unix_release_socket(made, true);
    return status;
}

// --- accept -----------------------------------------------------------------------------------------------------------

static struct unix_socket *backlog_take(struct unix_socket *u) {
    struct unix_socket *e = NULL;
    spin_lock(&u->base.lock);
    if (!list_empty(&u->backlog)) {
        e = list_first(&u->backlog, struct unix_socket, backlog_node);
        list_remove(&e->backlog_node);
        u->queue_length--;
    }
    spin_unlock(&u->base.lock);
    return e;
}

static bool accept_may_go_on(struct unix_socket *u) {
    return u->queue_length != 0 || (u->shutdown & SHUTDOWN_RECEIVE) != 0 || u->base.error != INV_OK;
}

inv_status_t unix_accept(struct socket *s, bool nonblocking, struct socket **out) {
    struct unix_socket *u = unix_of(s), *e;
    nstime_t deadline = 0;
    bool waited = false;
    inv_status_t status;
    if (u->state != UNIX_LISTENING)
        return INV_ERR_INVALID;
    for (;;) {
        status = socket_take_error(s);
        if (status != INV_OK)
            return status;
        e = backlog_take(u);
        if (e != NULL)
            break;
        if (nonblocking)
            return INV_ERR_SHOULD_WAIT;
        if ((u->shutdown & SHUTDOWN_RECEIVE) != 0)
            return INV_ERR_INVALID;
        if (deadline == 0)
            deadline = socket_deadline(s->receive_time);
        WAIT_EVENT(&u->read_wait, accept_may_go_on(u), WAIT_INTERRUPTIBLE, deadline, status);
        if (status != INV_OK)
            return socket_wait_status(status, deadline);
        waited = true;
    }
    waitq_wake(&u->peer_wait, 1, 0);
    if (waited && u->queue_length != 0)
        unix_pass_on(u);
    atomic_fetch_or(&e->base.bits, s->bits & (SOCKET_PASS_CREDENTIALS | SOCKET_PASS_SECURITY));
    *out = &e->base;
    return INV_OK;
}

// --- socketpair -------------------------------------------------------------------------------------------------------

// Neither can be reached by anybody else yet.
inv_status_t unix_pair(struct socket *a, struct socket *b) {
    struct unix_socket *ua = unix_of(a), *ub = unix_of(b);
    unix_get(ua);
    unix_get(ub);
    ua->peer = ub;
    ub->peer = ua;
    socket_peer_set(a);
    socket_peer_set(b);
    ua->state = ub->state = UNIX_CONNECTED;
    return INV_OK;
}
