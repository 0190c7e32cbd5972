// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Channels: two ends, each with a bounded queue of messages from the other. What each call does and which errors it has, in order: abi/idl/core.idl. Thread
// context.
//
// Invariants:
//   C1  An end is READABLE exactly while messages wait at it; WRITABLE exactly while its peer is open and has room; PEER_CLOSED exactly if its peer is closed.
//       All three change under the pair's lock, with the queue.
//   C2  pair->ends[side] is NULL from that end's close on: who finds an end there, with the lock held, finds it alive.
//   C3  A message is paid for by the job of who wrote it, and carries a pointer and a handle count of each object that travels in it.
// Locking: the pair's lock (rank CHANNEL), under which signals change and handles leave the writer's table; memory is copied and freed without it.
#include <arch/usercopy.h>
#include <kernel/assert.h>
#include <kernel/native_calls.h>
#include <kernel/process.h>
#include <kernel/signals.h>
#include <kernel/slab.h>

struct channel_message {
    struct list_node node;
    struct job *job; // counted: charged
    uint32_t size, handle_count;
    struct handle_transfer handles[INV_CHANNEL_HANDLES];
    uint8_t data[];
};

struct channel_pair {
    struct spinlock lock;
    struct channel *ends[2]; // lock
    _Atomic unsigned count;  // ends that are not deleted
};

// --- messages ---

static void message_free(struct channel_message *m) {
    struct job *job = m->job;

    job_uncharge(job, JOB_MEMORY, sizeof(*m) + m->size);
    kfree(m);
    object_put(&job->obj);
}

static inv_status_t message_create(const void user_ptr *data, size_t size, struct channel_message **out) {
    struct job *job = current_process()->obj.job;

    inv_status_t status = job_charge(job, JOB_MEMORY, sizeof(struct channel_message) + size);
    if (status != INV_OK)
        return status;
    struct channel_message *m = kmalloc(sizeof(*m) + size);
    if (m == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(*m) + size);
        return INV_ERR_NO_MEMORY;
    }
    object_get(&job->obj);
    *m = (struct channel_message){.job = job, .size = (uint32_t)size};
    list_init(&m->node);
    status = arch_copy_from_user(m->data, data, size);
    if (status != INV_OK) {
        message_free(m);
        return status;
    }
    *out = m;
    return INV_OK;
}

// Of a message that nobody will read. May sleep.
static void message_drop(struct channel_message *m) {
    handle_transfer_drop(m->handles, m->handle_count);
    message_free(m);
}

// --- life ---

static struct channel *end_of(struct object *o) {
    return container_of(o, struct channel, obj);
}

static struct signals *channel_signals(struct object *o) {
    return &end_of(o)->signals;
}

static void channel_close(struct object *o) {
    struct channel *c = end_of(o), *peer;
    struct list_node unread = LIST_INIT(unread);

    spin_lock(&c->pair->lock);
    c->pair->ends[c->side] = NULL;
    peer = c->pair->ends[!c->side];
    if (peer != NULL)
        signals_change(&peer->signals, INV_SIGNAL_WRITABLE, INV_SIGNAL_PEER_CLOSED);
    list_splice_back(&unread, &c->messages);
    c->count = 0;
    signals_change(&c->signals, INV_SIGNAL_READABLE | INV_SIGNAL_WRITABLE, INV_SIGNAL_CLOSED);
    spin_unlock(&c->pair->lock);
    while (!list_empty(&unread)) {
        struct channel_message *m = list_first(&unread, struct channel_message, node);
        list_remove(&m->node);
        message_drop(m);
    }
}

static void channel_delete(struct object *o) {
    struct channel *c = end_of(o);

    DEBUG_ASSERT(list_empty(&c->messages));
    if (atomic_fetch_sub(&c->pair->count, 1) == 1)
        kfree(c->pair);
    object_free(o);
}

struct object_type channel_type = {
    .name = "channel",
    .number = INV_OBJECT_CHANNEL,
    .default_rights = INV_RIGHT_READ | INV_RIGHT_WRITE | INV_RIGHT_WAIT | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE |
                      INV_RIGHT_TRANSFER,
    .size = sizeof(struct channel) + sizeof(struct channel_pair) / 2,
    .close = channel_close,
    .delete = channel_delete,
    .signals = channel_signals,
};

static inv_status_t end_create(struct job *job, struct channel_pair *pair, unsigned side, struct channel **out) {
    struct channel *c = kzalloc(sizeof(*c));
    if (c == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&c->obj, &channel_type, job);
    if (status != INV_OK) {
        kfree(c);
        return status;
    }
    signals_init(&c->signals);
    list_init(&c->messages);
    c->pair = pair;
    c->side = side;
    atomic_fetch_add(&pair->count, 1);
    *out = c;
    return INV_OK;
}

// Both ends, each with one pointer. On an error there is neither.
static inv_status_t pair_create(struct job *job, struct channel *out[2]) {
    struct channel_pair *pair = kzalloc(sizeof(*pair));
    if (pair == NULL)
        return INV_ERR_NO_MEMORY;
    spin_lock_init(&pair->lock, LOCK_RANK_CHANNEL);
    inv_status_t status = end_create(job, pair, 0, &out[0]);
    if (status != INV_OK) {
        kfree(pair);
        return status;
    }
    status = end_create(job, pair, 1, &out[1]);
    if (status != INV_OK) {
        object_put(&out[0]->obj); // and the pair with it
        return status;
    }
    for (unsigned side = 0; side < 2; side++) {
        pair->ends[side] = out[side];
        signals_change(&out[side]->signals, 0, INV_SIGNAL_WRITABLE);
    }
    return INV_OK;
}

inv_status_t sys_channel_create(struct job *job, inv_handle_t *out_first, inv_handle_t *out_second) {
    struct handle_table *t = &current_process()->handles;
    struct channel *ends[2];

    inv_status_t status = handle_reserve(t, 2);
    if (status != INV_OK)
        return status;
    status = pair_create(job, ends);
    if (status != INV_OK) {
        handle_unreserve(t, 2);
        return status;
    }
    object_handle_get(&ends[0]->obj);
    object_handle_get(&ends[1]->obj);
    *out_first = handle_install(t, &ends[0]->obj, channel_type.default_rights);
    *out_second = handle_install(t, &ends[1]->obj, channel_type.default_rights);
    return INV_OK;
}

// --- writing ---

// A message with an end of its own channel could keep itself: nobody could ever read it. The lock is held.
static bool holds_end(const struct channel *c, const inv_handle_t *handles, uint32_t n) {
    bool found = false;

    epoch_enter();
    for (uint32_t i = 0; i < n && !found; i++) {
        const struct handle_entry *e = handle_find(&current_process()->handles, handles[i]);
        found = e != NULL && e->object->type == &channel_type && end_of(e->object)->pair == c->pair;
    }
    epoch_exit();
    return found;
}

// The message joins the peer's queue, or nothing happens. The lock is held.
static inv_status_t write_locked(struct channel *c, struct channel_message *m, const inv_handle_t *handles,
                                 uint32_t n) {
    struct channel *peer = c->pair->ends[!c->side];

    if (peer == NULL)
        return INV_ERR_PEER_GONE;
    if (peer->count == INV_CHANNEL_MESSAGES)
        return INV_ERR_SHOULD_WAIT;
    inv_status_t status = handle_take(&current_process()->handles, handles, n, INV_RIGHT_TRANSFER, m->handles);
    if (status != INV_OK)
        return status;
    m->handle_count = n;
    list_push_back(&peer->messages, &m->node);
    if (++peer->count == INV_CHANNEL_MESSAGES)
        signals_change(&c->signals, INV_SIGNAL_WRITABLE, 0);
    // Each message is an edge, for those who count them.
    signals_change(&peer->signals, INV_SIGNAL_READABLE, INV_SIGNAL_READABLE);
    return INV_OK;
}

// What handle_take will ask of each, asked before anything else fails.
static inv_status_t handles_check(const struct channel *c, const inv_handle_t *handles, uint32_t n) {
    struct object *o;
    inv_status_t status = INV_OK;

    epoch_enter();
    for (uint32_t i = 0; i < n && status == INV_OK; i++)
        status = handle_peek(&current_process()->handles, handles[i], NULL, INV_RIGHT_TRANSFER, &o);
    epoch_exit();
    return status == INV_OK && holds_end(c, handles, n) ? INV_ERR_INVALID : status;
}

inv_status_t sys_channel_write(struct channel *channel, const void user_ptr *data, size_t data_size,
                               const void user_ptr *user_handles, size_t handles_size) {
    inv_handle_t handles[INV_CHANNEL_HANDLES];
    uint32_t n = (uint32_t)(handles_size / sizeof(handles[0]));
    struct channel_message *m;

    if (handles_size % sizeof(handles[0]) != 0)
        return INV_ERR_INVALID;
    inv_status_t status = arch_copy_from_user(handles, user_handles, handles_size);
    if (status == INV_OK)
        status = handles_check(channel, handles, n);
    if (status == INV_OK)
        status = message_create(data, data_size, &m);
    if (status != INV_OK)
        return status;
    spin_lock(&channel->pair->lock);
    status = write_locked(channel, m, handles, n);
    spin_unlock(&channel->pair->lock);
    if (status != INV_OK)
        message_free(m);
    return status;
}

// --- reading ---

// Takes the first message if it fits. The lock is held.
static inv_status_t read_locked(struct channel *c, size_t room, uint32_t handles_room, struct channel_message **out) {
    struct channel *peer = c->pair->ends[!c->side];

    if (list_empty(&c->messages))
        return peer != NULL ? INV_ERR_SHOULD_WAIT : INV_ERR_PEER_GONE;
    struct channel_message *m = list_first(&c->messages, struct channel_message, node);
    if (m->size > room || m->handle_count > handles_room)
        return INV_ERR_RANGE;
    list_remove(&m->node);
    if (--c->count == 0)
        signals_change(&c->signals, INV_SIGNAL_READABLE, 0);
    if (c->count == INV_CHANNEL_MESSAGES - 1 && peer != NULL)
        signals_change(&peer->signals, 0, INV_SIGNAL_WRITABLE);
    *out = m;
    return INV_OK;
}

// The handles of m, for which there is room, to the current process; their numbers to its memory, else they are closed.
static inv_status_t handles_deliver(struct channel_message *m, void user_ptr *to) {
    struct handle_table *t = &current_process()->handles;
    inv_handle_t numbers[INV_CHANNEL_HANDLES];
    uint32_t n = m->handle_count;

    for (uint32_t i = 0; i < n; i++)
        numbers[i] = handle_install(t, m->handles[i].object, m->handles[i].rights);
    m->handle_count = 0;
    inv_status_t status = arch_copy_to_user(to, numbers, n * sizeof(numbers[0]));
    for (uint32_t i = 0; status != INV_OK && i < n; i++)
        (void)!handle_close(t, numbers[i]);
    return status;
}

inv_status_t sys_channel_read(struct channel *channel, void user_ptr *data, size_t data_size, void user_ptr *handles,
                              size_t handles_size, uint32_t *out_size, uint32_t *out_handle_count) {
    struct handle_table *t = &current_process()->handles;
    uint32_t room = (uint32_t)(handles_size / sizeof(inv_handle_t));
    struct channel_message *m;

    if (handles_size % sizeof(inv_handle_t) != 0)
        return INV_ERR_INVALID;
    inv_status_t status = room > 0 ? handle_reserve(t, room) : INV_OK;
    if (status != INV_OK)
        return status;
    spin_lock(&channel->pair->lock);
    status = read_locked(channel, data_size, room, &m);
    spin_unlock(&channel->pair->lock);
    if (status != INV_OK) {
        if (room > 0)
            handle_unreserve(t, room);
        return status;
    }
    *out_size = m->size;
    *out_handle_count = m->handle_count;
    status = arch_copy_to_user(data, m->data, m->size);
    uint32_t used = status == INV_OK ? m->handle_count : 0;
    if (used > 0)
        status = handles_deliver(m, handles);
    if (room > used)
        handle_unreserve(t, room - used);
    message_drop(m);
    return status;
}
