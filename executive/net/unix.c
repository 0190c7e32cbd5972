// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// AF_UNIX sockets: making, ending, shutdown, what poll tells of all types. See unix.h for references and locks.

#include <arch/usercopy.h>
#include <kernel/boot.h>
#include <kernel/process.h>

#include "unix.h"

#define FIONREAD_   0x541bu
#define TIOCOUTQ_   0x5411u
#define SIOCATMARK_ 0x8905u

static struct slab_cache socket_cache;
static struct spinlock all_lock = SPINLOCK_INIT(LOCK_RANK_SOCKET_LIST);
static struct list_node all_sockets = LIST_INIT(all_sockets); // all_lock: from create to the last reference

// --- life -------------------------------------------------------------------------------------------------------------

static const struct socket_ops *ops_of(int type) {
    return type == SOCKET_STREAM     ? &unix_stream_ops
           : type == SOCKET_DATAGRAM ? &unix_datagram_ops
                                     : &unix_sequenced_ops;
}

inv_status_t unix_alloc(struct job *job, int type, struct unix_socket **out) {
    struct unix_socket *u = slab_zalloc(&socket_cache);
    if (u == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t s = socket_init(&u->base, ops_of(type), SOCKET_FAMILY_UNIX, type, job, sizeof(*u));
    if (s != INV_OK) {
        slab_free(&socket_cache, u);
        return s;
    }
    u->count = 1;
    u->queue_limit = socket_limits.datagram_queue;
    list_init(&u->queue);
    list_init(&u->backlog);
    list_init(&u->backlog_node);
    list_init(&u->name_node);
    list_init(&u->relay_node);
    list_init(&u->relays);
    list_init(&u->flight_node);
    list_init(&u->work_node);
    mutex_init(&u->receive_lock, LOCK_RANK_SOCKET_RECEIVE);
    waitq_init(&u->read_wait);
    waitq_init(&u->write_wait);
    waitq_init(&u->peer_wait);
    spin_lock(&all_lock);
    list_push_back(&all_sockets, &u->all_node);
    spin_unlock(&all_lock);
    *out = u;
    return INV_OK;
}

void unix_put(struct unix_socket *u) {
    if (atomic_fetch_sub_explicit(&u->count, 1, memory_order_release) != 1)
        return;
    atomic_thread_fence(memory_order_acquire);
    spin_lock(&all_lock);
    list_remove(&u->all_node);
    spin_unlock(&all_lock);
    unix_name_put(u->name);
    socket_fini(&u->base, sizeof(*u));
    slab_free(&socket_cache, u);
}

static bool try_get(struct unix_socket *u) {
    uint32_t n = atomic_load_explicit(&u->count, memory_order_relaxed);
    while (n != 0)
        if (atomic_compare_exchange_weak_explicit(&u->count, &n, n + 1, memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

struct unix_socket *unix_next(struct unix_socket *from) {
    struct unix_socket *found = NULL;
    spin_lock(&all_lock);
    struct list_node *n = from != NULL ? from->all_node.next : all_sockets.next;
    for (; n != &all_sockets && found == NULL; n = n->next) {
        struct unix_socket *u = list_entry(n, struct unix_socket, all_node);
        if (try_get(u))
            found = u;
    }
    spin_unlock(&all_lock);
    if (from != NULL)
        unix_put(from);
    return found;
}

static inv_status_t unix_create(struct job *job, int type, int protocol, struct socket **out) {
    struct unix_socket *u;
    if (protocol != 0 && protocol != SOCKET_FAMILY_UNIX)
        return INV_ERR_NO_PROTOCOL;
    if (type == SOCKET_RAW)
        type = SOCKET_DATAGRAM;
    if (type != SOCKET_STREAM && type != SOCKET_DATAGRAM && type != SOCKET_SEQPACKET)
        return INV_ERR_NO_SOCKET_TYPE;
    inv_status_t s = unix_alloc(job, type, &u);
    if (s == INV_OK)
        *out = &u->base;
    return s;
}

struct unix_socket *unix_peer_get(struct unix_socket *u) {
    spin_lock(&u->base.lock);
    struct unix_socket *peer = u->peer;
    if (peer != NULL)
        unix_get(peer);
    spin_unlock(&u->base.lock);
    return peer;
}

void unix_changed(struct unix_socket *u) {
    waitq_wake(&u->read_wait, UINT32_MAX, 0);
    waitq_wake(&u->write_wait, UINT32_MAX, 0);
}

// --- the end ----------------------------------------------------------------------------------------------------------

// The other end of a connection sees the end, and an error if something was left unread.
static void peer_hang_up(struct unix_socket *peer, bool unread) {
    spin_lock(&peer->base.lock);
    atomic_fetch_or(&peer->shutdown, SHUTDOWN_BOTH);
    if (unread)
        peer->base.error = INV_ERR_CONNECTION_RESET;
    spin_unlock(&peer->base.lock);
    unix_changed(peer);
    async_notify(&peer->base.async, ASYNC_HANGUP);
}

// Nobody can reach the queue any more: a socket that waits to be accepted, or a message.
static void throw_out(struct unix_socket *u) {
    struct list_node waste, embryos;
    list_init(&waste);
    list_init(&embryos);
    spin_lock(&u->base.lock);
    list_splice_back(&waste, &u->queue);
    list_splice_back(&embryos, &u->backlog);
    u->queue_length = 0;
    u->rights_queued = 0;
    u->urgent = NULL;
    spin_unlock(&u->base.lock);
    while (!list_empty(&embryos)) {
        struct unix_socket *e = list_first(&embryos, struct unix_socket, backlog_node);
        list_remove(&e->backlog_node);
        unix_release_socket(e, true);
    }
    while (!list_empty(&waste)) {
        struct unix_message *m = list_first(&waste, struct unix_message, node);
        list_remove(&m->node);
        unix_message_drop(m);
    }
}

// Drops the reference of the file or of the backlog.
void unix_release_socket(struct unix_socket *u, bool embryo) {
    struct path path = {NULL, NULL};
    unix_name_remove(u);
    spin_lock(&u->base.lock);
    u->dead = true;
    u->shutdown = SHUTDOWN_BOTH;
    u->state = UNIX_CLOSED;
    struct unix_socket *peer = u->peer;
    u->peer = NULL;
    bool unread = !list_empty(&u->queue) || embryo;
    path = u->path;
    u->path = (struct path){NULL, NULL};
    spin_unlock(&u->base.lock);
    waitq_wake(&u->peer_wait, UINT32_MAX, 0);
    unix_relay_remove(u);
    unix_relay_wake(u);
    if (peer != NULL) {
        if (unix_connection_based(u))
            peer_hang_up(peer, unread);
        unix_put(peer);
    }
    throw_out(u);
    if (path.mount != NULL)
        path_put(&path);
    unix_put(u);
}

static void unix_release(struct socket *s) {
    unix_release_socket(unix_of(s), false);
    unix_collect();
}

static inv_status_t unix_shutdown(struct socket *s, unsigned how) {
    struct unix_socket *u = unix_of(s);
    spin_lock(&s->lock);
    atomic_fetch_or(&u->shutdown, how);
    struct unix_socket *peer = u->peer;
    if (peer != NULL)
        unix_get(peer);
    spin_unlock(&s->lock);
    unix_changed(u);
    waitq_wake(&u->peer_wait, UINT32_MAX, 0);
    if (peer == NULL)
        return INV_OK;
    if (unix_connection_based(u)) {
        unsigned of_peer = ((how & SHUTDOWN_RECEIVE) != 0 ? SHUTDOWN_SEND : 0) |
                           ((how & SHUTDOWN_SEND) != 0 ? SHUTDOWN_RECEIVE : 0);
        spin_lock(&peer->base.lock);
        atomic_fetch_or(&peer->shutdown, of_peer);
        spin_unlock(&peer->base.lock);
        unix_changed(peer);
        if (of_peer == SHUTDOWN_BOTH)
            async_notify(&peer->base.async, ASYNC_HANGUP);
        else if (of_peer == SHUTDOWN_RECEIVE)
            async_notify(&peer->base.async, ASYNC_IN);
    }
    unix_put(peer);
    return INV_OK;
}

// --- telling ----------------------------------------------------------------------------------------------------------

// What stream and datagram sockets have in common: input and ends.
unsigned unix_poll_common(struct unix_socket *u, struct poll_set *set) {
    unsigned mask = 0, shutdown;
    poll_add(set, &u->read_wait);
    poll_add(set, &u->write_wait);
    shutdown = u->shutdown;
    if (u->base.error != INV_OK)
        mask |= POLL_ERR;
    if (shutdown == SHUTDOWN_BOTH)
        mask |= POLL_HUP;
    if ((shutdown & SHUTDOWN_RECEIVE) != 0)
        mask |= POLL_RDHUP | POLL_IN | POLL_RDNORM;
    if (u->queue_length != 0)
        mask |= POLL_IN | POLL_RDNORM;
    if (unix_connection_based(u) && u->state == UNIX_CLOSED)
        mask |= POLL_HUP;
    return mask;
}

// FIONREAD: of a stream all that is there, of others the first message.
static inv_status_t bytes_in(struct unix_socket *u, uint64_t argument) {
    struct unix_message *m;
    uint32_t sum = 0;
    if (u->state == UNIX_LISTENING)
        return INV_ERR_INVALID;
    spin_lock(&u->base.lock);
    list_for_each(m, &u->queue, node) {
        sum += unix_message_left(m);
        if (!unix_connection_based(u))
            break;
    }
    spin_unlock(&u->base.lock);
    return arch_user_store32((uint32_t user_ptr *)(uintptr_t)argument, sum);
}

static inv_status_t unix_ioctl(struct socket *s, unsigned command, uint64_t argument, int64_t *out_result) {
    struct unix_socket *u = unix_of(s);
    switch (command) {
    case FIONREAD_: return bytes_in(u, argument);
    case TIOCOUTQ_: return arch_user_store32((uint32_t user_ptr *)(uintptr_t)argument, u->charged);
    case SIOCATMARK_: return unix_at_mark(u, argument);
    default: return INV_ERR_NOT_TTY;
    }
}

static inv_status_t unix_peek_offset(struct socket *s, int offset) {
    struct unix_socket *u = unix_of(s);
    inv_status_t status = mutex_lock_killable(&u->receive_lock, NSTIME_NEVER);
    if (status != INV_OK)
        return INV_ERR_INTERRUPTED;
    s->peek_at = offset;
    mutex_unlock(&u->receive_lock);
    return INV_OK;
}

static void unix_room_changed(struct socket *s) {
    waitq_wake(&unix_of(s)->write_wait, UINT32_MAX, POLL_OUT | POLL_WRNORM | POLL_WRBAND);
}

static bool unix_listening(struct socket *s) {
    return unix_of(s)->state == UNIX_LISTENING;
}

static uint32_t unix_queued_out(struct socket *s) {
    return unix_of(s)->charged;
}

static void unix_show(struct socket *s, struct text_sink *sink) {
    text_sink_print(sink, "scm_fds: %u\n", unix_of(s)->rights_queued);
}

const struct socket_ops unix_stream_ops = {
    .release = unix_release,
    .bind = unix_bind,
    .connect = unix_connect,
    .pair = unix_pair,
    .listen = unix_listen,
    .accept = unix_accept,
    .name = unix_name_of,
    .send = unix_stream_send,
    .receive = unix_stream_receive,
    .shutdown = unix_shutdown,
    .poll = unix_stream_poll,
    .ioctl = unix_ioctl,
    .peek_offset = unix_peek_offset,
    .room_changed = unix_room_changed,
    .listening = unix_listening,
    .queued_out = unix_queued_out,
    .show = unix_show,
};

const struct socket_ops unix_sequenced_ops = {
    .release = unix_release,
    .bind = unix_bind,
    .connect = unix_connect,
    .pair = unix_pair,
    .listen = unix_listen,
    .accept = unix_accept,
    .name = unix_name_of,
    .send = unix_sequenced_send,
    .receive = unix_sequenced_receive,
    .shutdown = unix_shutdown,
    .poll = unix_datagram_poll,
    .ioctl = unix_ioctl,
    .peek_offset = unix_peek_offset,
    .room_changed = unix_room_changed,
    .listening = unix_listening,
    .queued_out = unix_queued_out,
    .show = unix_show,
};

const struct socket_ops unix_datagram_ops = {
    .release = unix_release,
    .bind = unix_bind,
    .connect = unix_datagram_connect,
    .pair = unix_datagram_pair,
    .name = unix_name_of,
    .send = unix_datagram_send,
    .receive = unix_datagram_receive,
    .shutdown = unix_shutdown,
    .poll = unix_datagram_poll,
    .ioctl = unix_ioctl,
    .peek_offset = unix_peek_offset,
    .room_changed = unix_room_changed,
    .listening = unix_listening,
    .queued_out = unix_queued_out,
    .show = unix_show,
};

static inv_status_t unix_start(void) {
    static const struct socket_family family = {.number = SOCKET_FAMILY_UNIX, .create = unix_create};
    slab_cache_init(&socket_cache, "unix_socket", sizeof(struct unix_socket), 0);
    unix_names_init();
    unix_flight_init();
    socket_family_register(&family);
    return INV_OK;
}
BOOT_CALL("AF_UNIX sockets", BOOT_STAGE_EXECUTIVE, unix_start);
