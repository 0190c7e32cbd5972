// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A queue of bytes that grows while nobody reads it, up to a limit, and shrinks when it has been emptied (byte_ring.c). Used by pseudo-terminals, under the
// terminal's lock; the memory is charged to a job.
#ifndef TTY_BYTE_RING_H
#define TTY_BYTE_RING_H

#include <kernel/job.h>

#define BYTE_RING_FIRST 1024u
#define BYTE_RING_MAX   65536u

struct byte_ring {
    uint8_t *bytes;
    uint32_t size; // a power of two
    uint64_t head, tail;
    struct job *job; // charged; the owner counts it
};

must_check inv_status_t byte_ring_init(struct byte_ring *r, struct job *job); // NO_MEMORY
void byte_ring_destroy(struct byte_ring *r);
static inline size_t byte_ring_used(const struct byte_ring *r) {
    return (size_t)(r->head - r->tail);
}
// Bytes that put will take now. Grows the ring if there are fewer than wanted, as far as limit and memory go.
size_t byte_ring_room(struct byte_ring *r, size_t wanted);
// Appends at most n bytes, no more than room said; returns how many.
size_t byte_ring_put(struct byte_ring *r, const uint8_t *from, size_t n);
// Copies at most n of the oldest bytes; they stay until byte_ring_drop.
size_t byte_ring_peek(const struct byte_ring *r, uint8_t *to, size_t n);
void byte_ring_drop(struct byte_ring *r, size_t n);
void byte_ring_truncate(struct byte_ring *r, size_t keep); // the newest bytes go, until keep are left
// Gives memory back once the ring is empty.
void byte_ring_trim(struct byte_ring *r);

#endif
