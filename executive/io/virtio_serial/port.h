// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Between the device (console.c) and its ports (port.c).
#ifndef VIRTIO_SERIAL_PORT_H
#define VIRTIO_SERIAL_PORT_H

#include "virtio.h"

#include <executive/device.h>
#include <kernel/mutex.h>
#include <kernel/wait.h>

#define PORT_BUFFERS 4u // each way, one page each
#define PORT_NAME    64
#define PORT_PREFIX  "virtio-ports/"

struct port {
    /* immutable once added: */
    struct virtio_transport *transport;
    uint32_t id;
    void (*set_open)(struct port *p, bool open); // tells the host. Thread context
    char name[PORT_NAME], path[sizeof(PORT_PREFIX) + PORT_NAME];
    struct character_device device;
    struct page *receive_pages[PORT_BUFFERS], *send_pages[PORT_BUFFERS];
    /* the worker's: */
    bool added, named;
    struct mutex receive_lock; // rank PIPE: users' memory is touched under it
    /* receive_lock: */
    struct virtq receive;
    unsigned filled[PORT_BUFFERS]; // buffers with bytes to be read, oldest first
    uint32_t filled_length[PORT_BUFFERS], filled_offset;
    unsigned filled_first;
    _Atomic unsigned filled_count; // read without the lock by who waits
    struct mutex send_lock;        // rank PIPE; never together with receive_lock
    /* send_lock: */
    struct virtq send;
    /* atomic: */
    atomic_bool host_open, gone;
    _Atomic uint32_t opens, changes; // changes: of host_open and gone
    _Atomic uint32_t taken_back;     // send buffers, by whichever writer
    struct waitq readers, writers;
};

// Sets the locks and queues up; memory for buffers comes with port_add.
void port_init(struct port *p, uint32_t id, struct virtio_transport *t, void (*set_open)(struct port *p, bool open));
// Allocates the buffers and gives those for receiving to the device. NO_MEMORY.
must_check inv_status_t port_add(struct port *p);
// Makes the node. The name comes from the device: BAD_MESSAGE if it cannot be a file's.
must_check inv_status_t port_set_name(struct port *p, const char *name, size_t n);
void port_set_host_open(struct port *p, bool open);
void port_remove(struct port *p);
// Interrupt context: wakes whoever waits for what the device has done.
void port_interrupt(struct port *p);

#endif
