// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The split queue: see virtio.h. Called with the lock of the queue's user held, but for virtq_pending. Also built for host tests.
//
// Invariants:
// I1  Descriptor i belongs to buffer i: id alone tells everything about a used element, and owned[] whether it may be reported.
// I2  What the device writes (used ring) is read once into a local, checked, and then used.

#include "virtio.h"

#define DESCRIPTOR_WRITE 2
#define AVAILABLE_QUIET  1 // VIRTQ_AVAIL_F_NO_INTERRUPT
#define USED_QUIET       1 // VIRTQ_USED_F_NO_NOTIFY

STATIC_ASSERT(VIRTQ_MAX_SIZE * sizeof(struct virtq_descriptor) + sizeof(struct virtq_available) <=
                      VIRTQ_BYTES / 2 + 64 &&
                  VIRTQ_BYTES / 2 + 64 + sizeof(struct virtq_used) <= VIRTQ_BYTES,
              "the three parts fit into a queue's memory");

void virtq_init(struct virtq *q, unsigned index, unsigned size, void *memory, paddr_t physical) {
    *q = (struct virtq){.physical = physical, .index = index, .size = size};
    q->descriptors = memory;
    q->available = (void *)((char *)memory + (virtq_available_address(q) - physical));
    q->used = (void *)((char *)memory + (virtq_used_address(q) - physical));
}

bool virtq_post(struct virtq *q, unsigned id, paddr_t address, uint32_t length, bool device_writes) {
    volatile struct virtq_descriptor *d = &q->descriptors[id];

    DEBUG_ASSERT(id < q->size && !q->owned[id]);
    d->address = address;
    d->length = length;
    d->flags = device_writes ? DESCRIPTOR_WRITE : 0;
    d->next = 0;
    q->owned[id] = true;
    q->lengths[id] = length;
    q->available->ring[q->next_available % q->size] = (uint16_t)id;
    q->next_available++;
    atomic_store_explicit(&q->available->index, q->next_available, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst); // the index is seen before the flag is read (2.6.13.4.1)
    return (atomic_load_explicit(&q->used->flags, memory_order_relaxed) & USED_QUIET) == 0;
}

bool virtq_pending(const struct virtq *q) {
    if (q->used == NULL) // an interrupt before the queue was set up
        return false;
    return atomic_load_explicit(&q->used->index, memory_order_acquire) !=
           atomic_load_explicit(&q->next_used, memory_order_relaxed);
}

enum virtq_taken virtq_take(struct virtq *q, unsigned *out_id, uint32_t *out_length) {
    uint16_t next = atomic_load_explicit(&q->next_used, memory_order_relaxed);

    if (q->broken)
        return VIRTQ_BROKEN;
    uint16_t ready = (uint16_t)(atomic_load_explicit(&q->used->index, memory_order_acquire) - next);
    if (ready == 0)
        return VIRTQ_NOTHING;
    uint32_t id = q->used->ring[next % q->size].id, length = q->used->ring[next % q->size].length;
    if (ready > q->size || id >= q->size || !q->owned[id] || length > q->lengths[id]) {
        q->broken = true;
        return VIRTQ_BROKEN;
    }
    q->owned[id] = false;
    atomic_store_explicit(&q->next_used, (uint16_t)(next + 1), memory_order_relaxed);
    *out_id = id;
    *out_length = length;
    return VIRTQ_TAKEN;
}

void virtq_want_interrupts(struct virtq *q, bool wanted) {
    q->available->flags = wanted ? 0 : AVAILABLE_QUIET;
    atomic_thread_fence(memory_order_seq_cst); // the caller looks at the queue again after it
}
