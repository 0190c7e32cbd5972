// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Virtio 1.1 as far as this driver needs it: a split queue and the operations of a transport. Section numbers are of "Virtual I/O Device (VIRTIO) 1.1".
#ifndef VIRTIO_SERIAL_VIRTIO_H
#define VIRTIO_SERIAL_VIRTIO_H

#include <kernel/assert.h>
#include <kernel/irq.h>
#include <kernel/types.h>

#define VIRTIO_ID_CONSOLE 3

// Device status (2.1).
#define VIRTIO_ACKNOWLEDGE 1u
#define VIRTIO_DRIVER      2u
#define VIRTIO_DRIVER_OK   4u
#define VIRTIO_FEATURES_OK 8u
#define VIRTIO_FAILED      128u

#define VIRTIO_F_VERSION_1 (1ull << 32)

// --- split queue (2.6) ---

#define VIRTQ_MAX_SIZE 16u
#define VIRTQ_BYTES    512u // memory of one queue, aligned to its size: descriptors, available ring, used ring

struct virtq_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
struct virtq_available {
    uint16_t flags;
    _Atomic uint16_t index;
    uint16_t ring[VIRTQ_MAX_SIZE];
};
struct virtq_used {
    _Atomic uint16_t flags;
    _Atomic uint16_t index;
    struct virtq_used_element {
        uint32_t id, length;
    } ring[VIRTQ_MAX_SIZE];
};
STATIC_ASSERT(sizeof(struct virtq_descriptor) == 16, "layout of 2.6.5");
STATIC_ASSERT(offsetof(struct virtq_used, ring) == 4, "layout of 2.6.8");

struct virtq {
    volatile struct virtq_descriptor *descriptors;
    volatile struct virtq_available *available;
    volatile struct virtq_used *used; // written by the device: never trusted, read once
    paddr_t physical;
    unsigned index, size;
    /* the user's lock: */
    uint16_t next_available;
    bool broken;
    bool owned[VIRTQ_MAX_SIZE]; // the device has the buffer
    uint32_t lengths[VIRTQ_MAX_SIZE];
    /* atomic: */
    _Atomic uint16_t next_used;
};
enum virtq_taken { VIRTQ_NOTHING, VIRTQ_TAKEN, VIRTQ_BROKEN };

// memory: VIRTQ_BYTES zeroed bytes at physical. size: a power of two up to VIRTQ_MAX_SIZE.
void virtq_init(struct virtq *q, unsigned index, unsigned size, void *memory, paddr_t physical);
static inline paddr_t virtq_available_address(const struct virtq *q) {
    return q->physical + q->size * 16;
}
static inline paddr_t virtq_used_address(const struct virtq *q) {
    return q->physical + VIRTQ_BYTES / 2 + 64;
}
// Gives buffer id (< size, not the device's already) to the device. Returns true if the device wants to be notified.
must_check bool virtq_post(struct virtq *q, unsigned id, paddr_t address, uint32_t length, bool device_writes);
// Takes back the next buffer that the device has finished with. BROKEN, now and ever after, when it reports what cannot be.
must_check enum virtq_taken virtq_take(struct virtq *q, unsigned *out_id, uint32_t *out_length);
// True if the device has finished with something that was not taken yet. Any context, no lock: a hint.
bool virtq_pending(const struct virtq *q);
// Whether the device is to interrupt when it has finished with a buffer: a wish, not a promise.
void virtq_want_interrupts(struct virtq *q, bool wanted);

// --- transports (4.1, 4.2) ---

struct virtio_transport;
struct virtio_transport_ops {
    const char *name;
    uint8_t (*get_status)(struct virtio_transport *t);
    void (*set_status)(struct virtio_transport *t, uint8_t status); // 0: reset, waits until it is done
    uint64_t (*get_features)(struct virtio_transport *t);
    void (*set_features)(struct virtio_transport *t, uint64_t features);
    unsigned (*queue_max)(struct virtio_transport *t, unsigned index); // 0: no such queue
    inv_status_t (*queue_enable)(struct virtio_transport *t, const struct virtq *q);
    void (*notify)(struct virtio_transport *t, const struct virtq *q);
    uint32_t (*config_read32)(struct virtio_transport *t, unsigned offset);
    inv_status_t (*connect)(struct virtio_transport *t, struct irq_handler *h); // before queues are enabled
    bool (*interrupt_claim)(struct virtio_transport *t);                        // interrupt context: was it the device?
};
struct virtio_transport {
    const struct virtio_transport_ops *ops;
    volatile uint8_t *common, *config, *notify_base; // memory-mapped: common alone
    uint32_t notify_multiplier, notify_length;
    uint32_t notify_offsets[64];
    volatile uint8_t *vectors; // MSI-X table
    uint16_t pci_address;      // bus, device, function
    uint8_t msix;              // capability's place
    unsigned gsi;
    bool level, active_low;
};

// Find the index-th device of a type, map its registers. NOT_FOUND: there are not that many. Other errors: this one cannot be used (logged).
must_check inv_status_t virtio_pci_find(unsigned type, unsigned index, struct virtio_transport *out);
must_check inv_status_t virtio_mmio_find(unsigned type, unsigned index, struct virtio_transport *out);

#endif
