// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The virtio console device with many ports (section 5.3): set-up, and the control queue, over which the host adds, names, opens, closes and removes ports.
// One device is served. The control queue belongs to one worker thread; whoever opens a port sends through it under a lock.
//
// What the host sends is checked: message lengths, port numbers against the configuration, names. A port that is added twice, or named before it was added,
// is ignored with a log line.
//
// Locking: control_lock (a sleeping lock, rank PIPE) guards the sending side of the control queue. The receiving side is the worker's.

#include "port.h"

#include <executive/random.h>

#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define F_MULTIPORT      (1ull << 1)
#define CONFIG_MAX_PORTS 4 // offset of max_nr_ports
#define MAX_PORTS        16u
#define CONTROL_RECEIVE  2u
#define CONTROL_SEND     3u
#define CONTROL_BUFFERS  8u
#define CONTROL_SIZE     256u // longest message that is looked at
#define QUEUES_PER_PAGE  (PAGE_SIZE / VIRTQ_BYTES)
#define NAMES_TIME       (200 * NSEC_PER_MSEC)
#define SEND_TIME        NSEC_PER_SEC

enum control_event { DEVICE_READY, PORT_ADD, PORT_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME_IS };
struct control_message {
    uint32_t id;
    uint16_t event, value;
};
STATIC_ASSERT(sizeof(struct control_message) == 8, "layout of 5.3.6.2");

static struct console {
    struct virtio_transport transport;
    struct irq_handler handler;
    unsigned port_count;
    struct port *ports;
    struct page *queue_page; // being cut into queues
    unsigned queues_in_page;
    /* the worker's: */
    struct virtq control_receive;
    char *control_receive_buffers;
    struct mutex control_lock;
    /* control_lock: */
    struct virtq control_send;
    char *control_send_buffers;
    struct waitq control_waiters, ready_waiters;
    _Atomic uint32_t ports_added, ports_known; // known: named, or known to have no name
} console;

static void notify(struct console *c, struct virtq *q) {
    c->transport.ops->notify(&c->transport, q);
}

// --- sending over the control queue ---

// [control_lock] A free buffer; waits, bounded, while all are the device's. -1: it does not answer.
static int control_buffer(struct console *c) {
    nstime_t deadline = deadline_after(SEND_TIME);
    inv_status_t status = INV_OK;

    for (;;) {
        unsigned id;
        uint32_t length;

        while (virtq_take(&c->control_send, &id, &length) == VIRTQ_TAKEN)
            continue;
        for (id = 0; id < CONTROL_BUFFERS; id++) {
            if (!c->control_send.owned[id])
                return (int)id;
        }
        if (c->control_send.broken || status != INV_OK)
            return -1;
        WAIT_EVENT(&c->control_waiters, virtq_pending(&c->control_send), WAIT_UNINTERRUPTIBLE, deadline, status);
    }
}

static void control_send(struct console *c, uint32_t id, enum control_event event, uint16_t value) {
    mutex_lock(&c->control_lock);
    int buffer = control_buffer(c);
    if (buffer >= 0) {
        struct control_message *m = (struct control_message *)(c->control_send_buffers +
                                                               (unsigned)buffer * CONTROL_SIZE);
        *m = (struct control_message){.id = id, .event = (uint16_t)event, .value = value};
        if (virtq_post(&c->control_send, (unsigned)buffer, virt_to_phys(m), sizeof(*m), false))
            notify(c, &c->control_send);
    } else {
        log_limited(LOG_ERROR, "virtio-serial", NSEC_PER_SEC, "the device does not take control messages");
    }
    mutex_unlock(&c->control_lock);
}

static void port_send_open(struct port *p, bool open) {
    control_send(&console, p->id, PORT_OPEN, open);
}

// --- messages from the host ---

static void port_known(struct console *c) {
    atomic_fetch_add_explicit(&c->ports_known, 1, memory_order_release);
    waitq_wake(&c->ready_waiters, UINT32_MAX, 0);
}

static void host_adds_port(struct console *c, struct port *p) {
    if (p->added) {
        log_warning("virtio-serial", "port %u was added twice", p->id);
        return;
    }
    inv_status_t status = port_add(p);
    if (status == INV_OK)
        atomic_fetch_add_explicit(&c->ports_added, 1, memory_order_release);
    else
        log_error("virtio-serial", "no memory for port %u", p->id);
    control_send(c, p->id, PORT_READY, status == INV_OK);
}

static void host_names_port(struct console *c, struct port *p, const char *name, size_t n) {
    if (!p->added || p->named) {
        log_warning("virtio-serial", "port %u was named out of turn", p->id);
        return;
    }
    inv_status_t status = port_set_name(p, name, strnlen(name, n));
    if (status != INV_OK)
        log_warning("virtio-serial", "port %u has no usable name", p->id);
    port_known(c);
}

static void handle_message(struct console *c, const struct control_message *m, const char *rest, size_t rest_length) {
    if (m->id >= c->port_count) {
        log_limited(LOG_WARNING, "virtio-serial", NSEC_PER_SEC, "message for port %u of %u", m->id, c->port_count);
        return;
    }
    struct port *p = &c->ports[m->id];
    switch (m->event) {
    case PORT_ADD: host_adds_port(c, p); break;
    case PORT_REMOVE: port_remove(p); break;
    case PORT_NAME_IS: host_names_port(c, p, rest, rest_length); break;
    case PORT_OPEN: port_set_host_open(p, m->value != 0); break;
    case CONSOLE_PORT:
        if (p->added && !p->named)
            port_known(c);
        break;
    default: break;
    }
}

// One message; its copy is private, so that the host cannot change it while it is looked at. False: there was none.
static bool control_step(struct console *c) {
    char copy[CONTROL_SIZE];
    struct control_message m;
    unsigned id;
    uint32_t length;
    enum virtq_taken taken = virtq_take(&c->control_receive, &id, &length);

    if (taken != VIRTQ_TAKEN)
        return false;
    memcpy(copy, c->control_receive_buffers + id * CONTROL_SIZE, length);
    if (virtq_post(&c->control_receive, id, virt_to_phys(c->control_receive_buffers + id * CONTROL_SIZE), CONTROL_SIZE,
                   true))
        notify(c, &c->control_receive);
    if (length >= sizeof(m)) {
        memcpy(&m, copy, sizeof(m));
        handle_message(c, &m, copy + sizeof(m), length - sizeof(m));
    }
    return true;
}

static void control_worker(void *arg) {
    struct console *c = arg;

    for (;;) {
        inv_status_t status;

        while (control_step(c))
            continue;
        if (c->control_receive.broken) {
            log_error("virtio-serial", "the device broke the protocol: no more control messages");
            thread_exit();
        }
        WAIT_EVENT(&c->control_waiters, virtq_pending(&c->control_receive), WAIT_UNINTERRUPTIBLE, NSTIME_NEVER, status);
        (void)status;
    }
}

static bool console_interrupt(void *arg) {
    struct console *c = arg;

    if (!c->transport.ops->interrupt_claim(&c->transport))
        return false;
    random_event(VIRTIO_ID_CONSOLE);
    if (virtq_pending(&c->control_receive) || virtq_pending(&c->control_send))
        waitq_wake(&c->control_waiters, UINT32_MAX, 0);
    for (unsigned i = 0; i < c->port_count; i++)
        port_interrupt(&c->ports[i]);
    return true;
}

// --- set-up ---

// A page holds several queues; pages are never given back, as the device is not.
static inv_status_t queue_create(struct console *c, struct virtq *q, unsigned index, unsigned buffers) {
    unsigned size = MIN(c->transport.ops->queue_max(&c->transport, index), VIRTQ_MAX_SIZE);

    while ((size & (size - 1)) != 0)
        size &= size - 1;
    if (size < buffers)
        return INV_ERR_NOT_SUPPORTED;
    if (c->queue_page == NULL || c->queues_in_page == QUEUES_PER_PAGE) {
        c->queue_page = page_alloc(0, PAGE_ZERO, PAGE_KERNEL, NULL);
        c->queues_in_page = 0;
        if (c->queue_page == NULL)
            return INV_ERR_NO_MEMORY;
    }
    size_t at = c->queues_in_page++ * VIRTQ_BYTES;
    virtq_init(q, index, size, (char *)page_to_virt(c->queue_page) + at, page_to_phys(c->queue_page) + at);
    return c->transport.ops->queue_enable(&c->transport, q);
}

static char *control_buffers(void) {
    struct page *page = page_alloc(0, PAGE_ZERO, PAGE_KERNEL, NULL);

    STATIC_ASSERT(CONTROL_BUFFERS * CONTROL_SIZE <= PAGE_SIZE, "the buffers of one direction fit into a page");
    return page != NULL ? page_to_virt(page) : NULL;
}

static inv_status_t queues_create(struct console *c) {
    inv_status_t status = queue_create(c, &c->control_receive, CONTROL_RECEIVE, CONTROL_BUFFERS);

    if (status == INV_OK)
        status = queue_create(c, &c->control_send, CONTROL_SEND, CONTROL_BUFFERS);
    for (unsigned i = 0; i < c->port_count && status == INV_OK; i++) {
        struct port *p = &c->ports[i];
        unsigned first = i == 0 ? 0 : 2 * (i + 1);

        port_init(p, i, &c->transport, port_send_open);
        status = queue_create(c, &p->receive, first, PORT_BUFFERS);
        if (status == INV_OK)
            status = queue_create(c, &p->send, first + 1, PORT_BUFFERS);
    }
    return status;
}

static inv_status_t features_agree(struct console *c) {
    const struct virtio_transport_ops *ops = c->transport.ops;
    uint64_t wanted = VIRTIO_F_VERSION_1 | F_MULTIPORT;

    ops->set_status(&c->transport, 0);
    ops->set_status(&c->transport, VIRTIO_ACKNOWLEDGE);
    ops->set_status(&c->transport, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    if ((ops->get_features(&c->transport) & wanted) != wanted)
        return INV_ERR_NOT_SUPPORTED;
    ops->set_features(&c->transport, wanted);
    ops->set_status(&c->transport, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    return ops->get_status(&c->transport) & VIRTIO_FEATURES_OK ? INV_OK : INV_ERR_NOT_SUPPORTED;
}

static inv_status_t memory_allocate(struct console *c) {
    c->port_count = c->transport.ops->config_read32(&c->transport, CONFIG_MAX_PORTS);
    if (c->port_count == 0)
        return INV_ERR_BAD_MESSAGE;
    c->port_count = MIN(c->port_count, MAX_PORTS);
    c->ports = kzalloc(c->port_count * sizeof(*c->ports));
    c->control_receive_buffers = control_buffers();
    c->control_send_buffers = control_buffers();
    if (c->ports == NULL || c->control_receive_buffers == NULL || c->control_send_buffers == NULL)
        return INV_ERR_NO_MEMORY;
    mutex_init(&c->control_lock, LOCK_RANK_PIPE);
    waitq_init(&c->control_waiters);
    waitq_init(&c->ready_waiters);
    return INV_OK;
}

static inv_status_t device_begin(struct console *c) {
    inv_status_t status = features_agree(c);

    if (status == INV_OK)
        status = memory_allocate(c);
    if (status == INV_OK) {
        c->handler = (struct irq_handler){.fn = console_interrupt, .arg = c, .name = "virtio-serial"};
        status = c->transport.ops->connect(&c->transport, &c->handler);
    }
    if (status == INV_OK)
        status = queues_create(c);
    return status;
}

static inv_status_t worker_start(struct console *c) {
    struct thread *t;
    inv_status_t status = thread_create_kernel(control_worker, c, "virtio-serial", PRIORITY_KERNEL, &t);

    if (status == INV_OK)
        thread_start(t);
    return status;
}

static bool all_known(struct console *c) {
    uint32_t added = atomic_load_explicit(&c->ports_added, memory_order_acquire);

    return added > 0 && atomic_load_explicit(&c->ports_known, memory_order_acquire) >= added;
}

// The first program finds its ports: the host names them when it is told that the driver is ready, which takes it a moment.
static void await_names(struct console *c) {
    inv_status_t status;

    WAIT_EVENT(&c->ready_waiters, all_known(c), WAIT_UNINTERRUPTIBLE, deadline_after(NAMES_TIME), status);
    if (status != INV_OK)
        log_warning("virtio-serial", "%u of %u ports have a name after %lu ms", c->ports_known, c->ports_added,
                    (unsigned long)(NAMES_TIME / NSEC_PER_MSEC));
}

static inv_status_t virtio_serial_start(void) {
    struct console *c = &console;
    inv_status_t status = virtio_pci_find(VIRTIO_ID_CONSOLE, 0, &c->transport);

    if (status == INV_ERR_NOT_FOUND)
        status = virtio_mmio_find(VIRTIO_ID_CONSOLE, 0, &c->transport);
    if (status == INV_ERR_NOT_FOUND)
        return INV_OK;
    if (status != INV_OK)
        return status;
    status = device_begin(c);
    if (status == INV_OK)
        status = worker_start(c);
    if (status != INV_OK) {
        c->transport.ops->set_status(&c->transport, VIRTIO_FAILED);
        return status;
    }
    c->transport.ops->set_status(&c->transport,
                                 VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    for (unsigned i = 0; i < CONTROL_BUFFERS; i++) {
        if (virtq_post(&c->control_receive, i, virt_to_phys(c->control_receive_buffers + i * CONTROL_SIZE),
                       CONTROL_SIZE, true))
            notify(c, &c->control_receive);
    }
    control_send(c, 0, DEVICE_READY, 1);
    await_names(c);
    log_info("virtio-serial", "%u ports over %s", c->ports_known, c->transport.ops->name);
    return INV_OK;
}
BOOT_CALL("virtio-serial", BOOT_STAGE_DEVICE, virtio_serial_start);
