// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A queue of bytes that grows: see byte_ring.h. Invariants: I1. tail <= head <= tail + size; byte n lies at n modulo size.

#include "byte_ring.h"

#include <kernel/slab.h>
#include <kernel/string.h>

inv_status_t byte_ring_init(struct byte_ring *r, struct job *job) {
    *r = (struct byte_ring){.job = job};
    if (job_charge(job, JOB_MEMORY, BYTE_RING_FIRST) != INV_OK)
        return INV_ERR_NO_MEMORY;
    r->bytes = kmalloc(BYTE_RING_FIRST);
    if (r->bytes == NULL) {
        job_uncharge(job, JOB_MEMORY, BYTE_RING_FIRST);
        return INV_ERR_NO_MEMORY;
    }
    r->size = BYTE_RING_FIRST;
    return INV_OK;
}

void byte_ring_destroy(struct byte_ring *r) {
    if (r->bytes == NULL)
        return;
    kfree(r->bytes);
    job_uncharge(r->job, JOB_MEMORY, r->size);
    r->bytes = NULL;
}

// Moves what there is, which fits, into a ring of another size. False: no memory, and nothing has changed.
static bool resize(struct byte_ring *r, uint32_t size) {
    if (job_charge(r->job, JOB_MEMORY, size) != INV_OK)
        return false;
    uint8_t *bytes = kmalloc(size);
    if (bytes == NULL) {
        job_uncharge(r->job, JOB_MEMORY, size);
        return false;
    }
    size_t used = byte_ring_peek(r, bytes, size);
    kfree(r->bytes);
    job_uncharge(r->job, JOB_MEMORY, r->size);
    r->bytes = bytes;
    r->size = size;
    r->tail = 0;
    r->head = used;
    return true;
}

size_t byte_ring_room(struct byte_ring *r, size_t wanted) {
    while (r->size - byte_ring_used(r) < wanted && r->size < BYTE_RING_MAX && resize(r, r->size * 2))
        continue;
    return r->size - byte_ring_used(r);
}

size_t byte_ring_put(struct byte_ring *r, const uint8_t *from, size_t n) {
    n = MIN(n, (size_t)r->size - byte_ring_used(r));
    size_t at = r->head & (r->size - 1), first = MIN(n, r->size - at);
    memcpy(r->bytes + at, from, first);
    memcpy(r->bytes, from + first, n - first);
    r->head += n;
    return n;
}

size_t byte_ring_peek(const struct byte_ring *r, uint8_t *to, size_t n) {
    n = MIN(n, byte_ring_used(r));
    size_t at = r->tail & (r->size - 1), first = MIN(n, r->size - at);
    memcpy(to, r->bytes + at, first);
    memcpy(to + first, r->bytes, n - first);
    return n;
}

void byte_ring_drop(struct byte_ring *r, size_t n) {
    r->tail += MIN(n, byte_ring_used(r));
}

void byte_ring_truncate(struct byte_ring *r, size_t keep) {
    if (byte_ring_used(r) > keep)
        r->head = r->tail + keep;
}

void byte_ring_trim(struct byte_ring *r) {
    if (r->head == r->tail && r->size > 8 * BYTE_RING_FIRST)
        (void)resize(r, BYTE_RING_FIRST);
}
