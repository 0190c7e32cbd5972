// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// One port of a virtio-serial device as a character device. See README.md for its rules. Thread context, but for port_interrupt.
//
// Invariants:
// I1  A receive buffer is the device's (receive.owned), or in filled[], or being posted under receive_lock: no byte is lost or seen twice.
// I2  Before a thread sleeps it has looked at the queue with interrupts wanted, or at a change counter: no wake-up is lost.

#include "port.h"

#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/string.h>

#define MAJOR_PORTS 240u // of Linux's local and experimental numbers

static void port_changed(struct port *p) {
    atomic_fetch_add_explicit(&p->changes, 1, memory_order_release);
    waitq_wake(&p->readers, UINT32_MAX, 0);
    waitq_wake(&p->writers, UINT32_MAX, 0);
}

void port_interrupt(struct port *p) {
    if (virtq_pending(&p->receive))
        waitq_wake(&p->readers, UINT32_MAX, POLL_IN | POLL_RDNORM);
    if (virtq_pending(&p->send))
        waitq_wake(&p->writers, UINT32_MAX, POLL_OUT | POLL_WRNORM);
}

// --- receiving ---

// [receive_lock] Gives the buffer to the device.
static void receive_post(struct port *p, unsigned id) {
    if (virtq_post(&p->receive, id, page_to_phys(p->receive_pages[id]), PAGE_SIZE, true))
        p->transport->ops->notify(p->transport, &p->receive);
}

// [receive_lock] Takes what the device has filled. False: the device is broken.
static bool receive_collect(struct port *p) {
    unsigned id;
    uint32_t length;
    enum virtq_taken taken;

    while ((taken = virtq_take(&p->receive, &id, &length)) == VIRTQ_TAKEN) {
        if (length == 0) {
            receive_post(p, id);
            continue;
        }
        unsigned at = (p->filled_first + p->filled_count++) % PORT_BUFFERS;
        p->filled[at] = id;
        p->filled_length[at] = length;
    }
    return taken != VIRTQ_BROKEN;
}

// [receive_lock] Copies from the oldest filled buffer; an empty one goes back to the device.
static inv_status_t receive_copy(struct port *p, struct io *io, size_t *out_done) {
    unsigned at = p->filled_first, id = p->filled[at];
    const char *bytes = page_to_virt(p->receive_pages[id]);
    size_t n = MIN(io->left, (size_t)(p->filled_length[at] - p->filled_offset)), done = 0;
    inv_status_t status = io_to(io, bytes + p->filled_offset, n, &done);

    *out_done += done;
    p->filled_offset += (uint32_t)done;
    if (p->filled_offset == p->filled_length[at]) {
        p->filled_offset = 0;
        p->filled_first = (at + 1) % PORT_BUFFERS;
        p->filled_count--;
        receive_post(p, id);
    }
    return status;
}

// What can be read without waiting. SHOULD_WAIT: nothing yet; OK with 0: the end.
static inv_status_t receive_now(struct port *p, struct io *io, size_t *out_done) {
    inv_status_t status = INV_OK;

    // In this order: bytes that came before the host closed are in the queue when the closing is seen.
    bool open = atomic_load_explicit(&p->host_open, memory_order_acquire) &&
                !atomic_load_explicit(&p->gone, memory_order_acquire);
    mutex_lock(&p->receive_lock);
    bool working = receive_collect(p);
    bool some = p->filled_count > 0;
    while (status == INV_OK && io->left > 0 && p->filled_count > 0) {
        status = receive_copy(p, io, out_done);
        if (io->left > 0 && p->filled_count == 0)
            working = receive_collect(p);
    }
    mutex_unlock(&p->receive_lock);
    if (some)
        return *out_done > 0 ? INV_OK : status;
    if (!working)
        return INV_ERR_IO;
    return open ? INV_ERR_SHOULD_WAIT : INV_OK;
}

static inv_status_t port_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct port *p = file->data;
    inv_status_t status;

    (void)position;
    *out_done = 0;
    if (io->left == 0)
        return INV_OK;
    for (;;) {
        uint32_t seen = atomic_load_explicit(&p->changes, memory_order_acquire);

        status = receive_now(p, io, out_done);
        if (status != INV_ERR_SHOULD_WAIT || file_nonblocking(file))
            return status;
        WAIT_EVENT(&p->readers,
                   virtq_pending(&p->receive) || atomic_load_explicit(&p->filled_count, memory_order_acquire) > 0 ||
                       atomic_load_explicit(&p->changes, memory_order_acquire) != seen,
                   WAIT_INTERRUPTIBLE, NSTIME_NEVER, status);
        if (status != INV_OK)
            return status == INV_ERR_INTERRUPTED ? INV_ERR_RESTART : status;
    }
}

// --- sending ---

// [send_lock] Takes back what the device has sent. False: it is broken. Other writers wait for the same buffers, and the queue does not show them any
// more what was taken here.
static bool send_collect(struct port *p) {
    unsigned id, count = 0;
    uint32_t length;
    enum virtq_taken taken;

    while ((taken = virtq_take(&p->send, &id, &length)) == VIRTQ_TAKEN)
        count++;
    if (count > 0) {
        atomic_fetch_add_explicit(&p->taken_back, count, memory_order_release);
        waitq_wake(&p->writers, UINT32_MAX, 0);
    }
    return taken != VIRTQ_BROKEN;
}

// [send_lock] A buffer that is ours, or -1.
static int send_buffer(struct port *p) {
    for (unsigned i = 0; i < PORT_BUFFERS; i++) {
        if (!p->send.owned[i])
            return (int)i;
    }
    return -1;
}

static bool send_all_done(struct port *p) {
    for (unsigned i = 0; i < PORT_BUFFERS; i++) {
        if (p->send.owned[i])
            return false;
    }
    return true;
}

static inv_status_t send_state(struct port *p) {
    if (atomic_load_explicit(&p->gone, memory_order_acquire))
        return INV_ERR_NO_DEVICE;
    return atomic_load_explicit(&p->host_open, memory_order_acquire) ? INV_OK : INV_ERR_PIPE;
}

// Fills the buffers that are free. *out_all: nothing of this port is on its way any more; else *out_taken_back is what to wait for a change of.
static inv_status_t send_now(struct port *p, struct io *io, size_t *out_done, bool *out_all, uint32_t *out_taken_back) {
    inv_status_t status = send_state(p);
    int id;

    mutex_lock(&p->send_lock);
    if (!send_collect(p))
        status = INV_ERR_IO;
    while (status == INV_OK && io->left > 0 && (id = send_buffer(p)) >= 0) {
        struct page *page = p->send_pages[id];
        size_t n = 0;

        status = io_from(io, page_to_virt(page), MIN(io->left, PAGE_SIZE), &n);
        if (n > 0 && virtq_post(&p->send, (unsigned)id, page_to_phys(page), (uint32_t)n, false))
            p->transport->ops->notify(p->transport, &p->send);
        *out_done += n;
        if (!send_collect(p))
            status = INV_ERR_IO;
    }
    *out_all = send_all_done(p);
    *out_taken_back = atomic_load_explicit(&p->taken_back, memory_order_relaxed);
    virtq_want_interrupts(&p->send, !*out_all);
    mutex_unlock(&p->send_lock);
    return status;
}

static inv_status_t send_wait(struct port *p, uint32_t seen, uint32_t taken_back) {
    inv_status_t status;

    WAIT_EVENT(&p->writers,
               virtq_pending(&p->send) || atomic_load_explicit(&p->changes, memory_order_acquire) != seen ||
                   atomic_load_explicit(&p->taken_back, memory_order_acquire) != taken_back,
               WAIT_INTERRUPTIBLE, NSTIME_NEVER, status);
    return status == INV_ERR_INTERRUPTED ? INV_ERR_RESTART : status;
}

// Ends when the device has taken all bytes; bytes that it already has count as written whatever ends the wait.
static inv_status_t port_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct port *p = file->data;
    inv_status_t status;

    (void)position;
    *out_done = 0;
    for (;;) {
        uint32_t seen = atomic_load_explicit(&p->changes, memory_order_acquire), taken_back;
        bool all;

        status = send_now(p, io, out_done, &all, &taken_back);
        if (status != INV_OK || (io->left == 0 && all))
            break;
        if (file_nonblocking(file)) {
            status = INV_ERR_SHOULD_WAIT;
            break;
        }
        status = send_wait(p, seen, taken_back);
        if (status != INV_OK)
            break;
    }
    return *out_done > 0 ? INV_OK : status;
}

// --- the file ---

static inv_status_t port_open(struct inode *inode, struct file *file) {
    struct port *p = file->data;

    (void)inode;
    if (atomic_load_explicit(&p->gone, memory_order_acquire))
        return INV_ERR_NO_ADDRESS;
    if (atomic_fetch_add(&p->opens, 1) == 0)
        p->set_open(p, true);
    return INV_OK;
}

static void port_release(struct file *file) {
    struct port *p = file->data;

    if (atomic_fetch_sub(&p->opens, 1) == 1 && !atomic_load_explicit(&p->gone, memory_order_acquire))
        p->set_open(p, false);
}

static unsigned port_poll(struct file *file, struct poll_set *set) {
    struct port *p = file->data;
    unsigned mask = 0;

    poll_add(set, &p->readers);
    poll_add(set, &p->writers);
    if (send_state(p) != INV_OK)
        mask |= POLL_IN | POLL_RDNORM | POLL_HUP;
    mutex_lock(&p->receive_lock);
    if (!receive_collect(p))
        mask |= POLL_ERR;
    if (p->filled_count > 0)
        mask |= POLL_IN | POLL_RDNORM;
    mutex_unlock(&p->receive_lock);
    mutex_lock(&p->send_lock);
    virtq_want_interrupts(&p->send, true);
    if (!send_collect(p))
        mask |= POLL_ERR;
    if (send_buffer(p) >= 0 && !(mask & POLL_HUP))
        mask |= POLL_OUT | POLL_WRNORM;
    mutex_unlock(&p->send_lock);
    return mask;
}

static const struct file_ops port_ops = {
    .open = port_open, .release = port_release, .read = port_read, .write = port_write, .poll = port_poll};

// --- the device's side ---

void port_init(struct port *p, uint32_t id, struct virtio_transport *t, void (*set_open)(struct port *p, bool open)) {
    p->id = id;
    p->transport = t;
    p->set_open = set_open;
    mutex_init(&p->receive_lock, LOCK_RANK_PIPE);
    mutex_init(&p->send_lock, LOCK_RANK_PIPE);
    waitq_init(&p->readers);
    waitq_init(&p->writers);
}

static void pages_free(struct page *pages[PORT_BUFFERS]) {
    for (unsigned i = 0; i < PORT_BUFFERS; i++) {
        if (pages[i] != NULL)
            page_put(pages[i]);
        pages[i] = NULL;
    }
}

static bool pages_allocate(struct page *pages[PORT_BUFFERS]) {
    for (unsigned i = 0; i < PORT_BUFFERS; i++) {
        pages[i] = page_alloc(0, 0, PAGE_KERNEL, NULL);
        if (pages[i] == NULL)
            return false;
    }
    return true;
}

inv_status_t port_add(struct port *p) {
    if (!pages_allocate(p->receive_pages) || !pages_allocate(p->send_pages)) {
        pages_free(p->receive_pages);
        pages_free(p->send_pages);
        return INV_ERR_NO_MEMORY;
    }
    mutex_lock(&p->receive_lock);
    for (unsigned i = 0; i < PORT_BUFFERS; i++)
        receive_post(p, i);
    mutex_unlock(&p->receive_lock);
    p->added = true;
    return INV_OK;
}

static bool name_ok(const char *name, size_t n) {
    if (n == 0 || n >= PORT_NAME || name[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name[i] <= ' ' || name[i] >= 127 || name[i] == '/')
            return false;
    }
    return true;
}

inv_status_t port_set_name(struct port *p, const char *name, size_t n) {
    if (!name_ok(name, n))
        return INV_ERR_BAD_MESSAGE;
    memcpy(p->name, name, n);
    p->name[n] = '\0';
    snprintf(p->path, sizeof(p->path), "%s%s", PORT_PREFIX, p->name);
    p->device = (struct character_device){
        .number = DEVNO(MAJOR_PORTS, p->id), .name = p->path, .mode = 0600, .ops = &port_ops, .data = p};
    p->named = true;
    return character_device_register(&p->device);
}

void port_set_host_open(struct port *p, bool open) {
    atomic_store_explicit(&p->host_open, open, memory_order_release);
    port_changed(p);
}

void port_remove(struct port *p) {
    atomic_store_explicit(&p->gone, true, memory_order_release);
    port_changed(p);
}
