// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Messages between AF_UNIX sockets: their memory, who answers for it, when there is room for more. Thread context.
//
// A message's bytes stand behind its header if they are few, else in pages. It is counted against the sender's send buffer until it is received, by the size
// that Linux would count (programs see when a buffer is full), which is never less than what it takes; the same size is charged to the sender's job. No
// process answers for queued bytes when memory ends, so what all sockets hold together is bounded too: beyond a part of memory each may have one small
// message under way.
//
// Writers that found no room are woken when three quarters of the buffer are free again, one at a time; who leaves room behind wakes the next.

#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/process.h>

#include "unix.h"

#define INLINE_MAX      1792u
#define LEAST_BUCKET    512u
#define LINE            64u
#define TOTAL_PART      8u // of memory
#define SMALL_MESSAGE   KIB(32)
#define POLL_ROOM       (POLL_OUT | POLL_WRNORM | POLL_WRBAND)
#define OVERFLOW_NUMBER 65534u // uid and gid of a message that has none

static _Atomic uint64_t total; // bytes charged by all

static uint64_t total_limit(void) {
    static _Atomic uint64_t limit;
    uint64_t l = atomic_load_explicit(&limit, memory_order_relaxed);
    if (unlikely(l == 0)) {
        struct page_stats stats;
        page_get_stats(&stats);
        l = stats.total / TOTAL_PART * PAGE_SIZE;
        atomic_store_explicit(&limit, l, memory_order_relaxed);
    }
    return l;
}

static bool much_held(void) {
    return unlikely(atomic_load_explicit(&total, memory_order_relaxed) >= total_limit());
}

// What Linux's allocator takes for the first part of a message: a power of two from 512 up.
static uint32_t charge_of(uint32_t length, uint32_t in_pages) {
    uint32_t linear = length > in_pages ? ALIGN_UP(length - in_pages, LINE) : 0, bucket = LEAST_BUCKET;
    linear += NET_SHARED_BYTES;
    if (linear > LEAST_BUCKET)
        bucket = 1u << (32 - __builtin_clz(linear - 1));
    return NET_HEADER_BYTES + bucket + ALIGN_UP(in_pages, (uint32_t)PAGE_SIZE);
}

// --- room -------------------------------------------------------------------------------------------------------------

static bool has_room(struct unix_socket *u) {
    uint32_t charged = atomic_load_explicit(&u->charged, memory_order_relaxed);
    if (likely(charged == 0 || !much_held()))
        return charged < (uint32_t)u->base.send_size;
    atomic_store(&u->starved, true); // before the second look: whoever takes the last message sees it
    return atomic_load(&u->charged) == 0;
}

bool unix_writable(struct unix_socket *u) {
    return u->state != UNIX_LISTENING && u->charged <= (uint32_t)u->base.send_size / 4 && has_room(u);
}

static bool may_go_on(struct unix_socket *u) {
    return has_room(u) || (u->shutdown & SHUTDOWN_SEND) != 0 || u->base.error != INV_OK;
}

static void wake_writer(struct unix_socket *u) {
    if (waitq_active(&u->write_wait))
        waitq_wake(&u->write_wait, 1, POLL_ROOM);
}

static inv_status_t room_wait(struct unix_socket *u, const struct socket_message *m) {
    nstime_t deadline = 0;
    for (;;) {
        inv_status_t s = socket_take_error(&u->base);
        if (s != INV_OK)
            return s;
        if ((u->shutdown & SHUTDOWN_SEND) != 0)
            return INV_ERR_PIPE;
        if (has_room(u))
            return INV_OK;
        if ((m->flags & MESSAGE_DONT_WAIT) != 0)
            return INV_ERR_SHOULD_WAIT;
        if (deadline == 0)
            deadline = socket_deadline(u->base.send_time);
        WAIT_EVENT(&u->write_wait, may_go_on(u), WAIT_INTERRUPTIBLE, deadline, s);
        if (s != INV_OK)
            return socket_wait_status(s, deadline);
        if (has_room(u) && u->charged <= (uint32_t)u->base.send_size / 4)
            wake_writer(u); // one message does not fill it
    }
}

// --- memory -----------------------------------------------------------------------------------------------------------

static inv_status_t account(struct unix_socket *u, uint32_t charge) {
    if (job_charge(u->base.job, JOB_MEMORY, charge) != INV_OK)
        return INV_ERR_NO_BUFFERS;
    atomic_fetch_add_explicit(&total, charge, memory_order_relaxed);
    atomic_fetch_add_explicit(&u->charged, charge, memory_order_relaxed);
    return INV_OK;
}

static void unaccount(struct unix_socket *u, uint32_t charge) {
    job_uncharge(u->base.job, JOB_MEMORY, charge);
    atomic_fetch_sub_explicit(&total, charge, memory_order_relaxed);
    uint32_t before = atomic_fetch_sub(&u->charged, charge), mark = (uint32_t)u->base.send_size / 4;
    if (before > mark && before - charge <= mark)
        wake_writer(u);
    else if (unlikely(u->starved) && before == charge && atomic_exchange(&u->starved, false))
        wake_writer(u);
    if (before - charge <= mark)
        async_notify(&u->base.async, ASYNC_OUT);
}

static void pages_free(struct unix_message *msg) {
    for (uint32_t i = 0; i < msg->pages; i++)
        if (msg->page[i] != NULL)
            page_put(msg->page[i]);
}

static struct unix_message *memory_make(uint32_t length) {
    uint32_t pages = length > INLINE_MAX ? (uint32_t)(((size_t)length + PAGE_SIZE - 1) / PAGE_SIZE) : 0;
    struct unix_message *msg = kmalloc(sizeof(*msg) + (pages != 0 ? pages * sizeof(struct page *) : length));
    if (msg == NULL)
        return NULL;
    msg->rights = NULL;
    msg->has_credentials = msg->peeked = false;
    msg->length = length;
    msg->consumed = 0;
    msg->pages = pages;
    for (uint32_t i = 0; i < pages; i++) {
        msg->page[i] = page_alloc(0, PAGE_USER, PAGE_PIPE, NULL);
        if (msg->page[i] == NULL) {
            msg->pages = i;
            pages_free(msg);
            kfree(msg);
            return NULL;
        }
    }
    return msg;
}

static inv_status_t fill(struct unix_message *msg, struct io *io) {
    size_t done;
    inv_status_t s = INV_OK;
    if (msg->pages == 0)
        return msg->length != 0 ? io_from(io, msg->page, msg->length, &done) : INV_OK;
    for (uint32_t i = 0, left = msg->length; left != 0 && s == INV_OK; i++) {
        uint32_t n = MIN(left, (uint32_t)PAGE_SIZE);
        s = io_from(io, page_to_virt(msg->page[i]), n, &done);
        left -= n;
    }
    return s;
}

inv_status_t unix_message_make(struct unix_socket *u, struct socket_message *m, uint32_t length, uint32_t in_pages,
                               struct unix_message **out) {
    inv_status_t s = room_wait(u, m);
    if (s != INV_OK)
        return s;
    if (length > SMALL_MESSAGE && much_held())
        return INV_ERR_NO_BUFFERS;
    uint32_t charge = charge_of(length, in_pages);
    s = account(u, charge);
    if (s != INV_OK)
        return s;
    struct unix_message *msg = memory_make(length);
    if (msg == NULL) {
        unaccount(u, charge);
        return INV_ERR_NO_BUFFERS;
    }
    msg->charge = charge;
    msg->sender = u;
    unix_get(u);
    s = fill(msg, m->io);
    if (s != INV_OK) {
        unix_message_free(msg);
        return s;
    }
    *out = msg;
    return INV_OK;
}

void unix_message_free(struct unix_message *msg) {
    struct unix_socket *sender = msg->sender;
    uint32_t charge = msg->charge;
    if (msg->pages != 0)
        pages_free(msg);
    kfree(msg);
    unaccount(sender, charge);
    unix_put(sender);
}

void unix_message_drop(struct unix_message *msg) {
    struct socket_rights *r = msg->rights;
    msg->rights = NULL;
    unix_message_free(msg);
    if (r != NULL) {
        unix_rights_landed(r);
        socket_rights_free(r);
    }
}

inv_status_t unix_message_copy(const struct unix_message *msg, uint32_t offset, uint32_t n, struct io *io,
                               size_t *out_done) {
    *out_done = 0;
    if (msg->pages == 0)
        return io_to(io, (const char *)msg->page + offset, n, out_done);
    while (n != 0) {
        uint32_t at = offset % PAGE_SIZE, step = MIN(n, (uint32_t)PAGE_SIZE - at);
        size_t done;
        inv_status_t s = io_to(io, (const char *)page_to_virt(msg->page[offset / PAGE_SIZE]) + at, step, &done);
        *out_done += done;
        if (s != INV_OK)
            return s;
        offset += step;
        n -= step;
    }
    return INV_OK;
}

// --- what goes along --------------------------------------------------------------------------------------------------

inv_status_t unix_message_attach(struct unix_message *msg, struct socket_message *m) {
    if (m->has_credentials) {
        msg->credentials = m->credentials;
        msg->has_credentials = true;
    }
    if (m->rights == NULL)
        return INV_OK;
    inv_status_t s = unix_rights_send(m->rights, m->rights_limit);
    if (s != INV_OK)
        return s;
    msg->rights = m->rights;
    m->rights = NULL;
    return INV_OK;
}

void unix_message_sign(struct unix_message *msg, const struct unix_socket *from, const struct unix_socket *to) {
    if (msg->has_credentials ||
        likely(((from->base.bits | to->base.bits) & SOCKET_PASS_CREDENTIALS) == 0 && to->base.ino != 0))
        return;
    socket_credentials_now(&msg->credentials);
    msg->has_credentials = true;
}

void unix_message_tell(const struct unix_message *msg, struct socket_message *m) {
    static const struct socket_credentials nobody = {0, OVERFLOW_NUMBER, OVERFLOW_NUMBER};
    m->has_credentials = msg->has_credentials;
    m->credentials = msg->has_credentials ? msg->credentials : nobody;
}

bool unix_message_same(const struct unix_message *msg, const struct socket_message *m) {
    if (msg->has_credentials != m->has_credentials)
        return false;
    return !msg->has_credentials ||
           (msg->credentials.pid == m->credentials.pid && msg->credentials.uid == m->credentials.uid &&
            msg->credentials.gid == m->credentials.gid);
}

// --- queues -----------------------------------------------------------------------------------------------------------

void unix_requeue_locked(struct unix_socket *u, struct unix_message *msg) {
    list_push_front(&u->queue, &msg->node);
    atomic_store_explicit(&u->queue_length, u->queue_length + 1, memory_order_relaxed);
    u->rights_queued += msg->rights != NULL;
}

void unix_wake_reader(struct unix_socket *u) {
    if (waitq_active(&u->read_wait))
        waitq_wake(&u->read_wait, 1, POLL_IN | POLL_PRI | POLL_RDNORM | POLL_RDBAND);
    async_notify(&u->base.async, ASYNC_IN);
}

void unix_pass_on(struct unix_socket *u) {
    if (waitq_active(&u->read_wait))
        waitq_wake(&u->read_wait, 1, POLL_IN | POLL_RDNORM);
}
