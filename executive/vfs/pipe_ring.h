// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The slots of a pipe: a ring of pages, each partly filled. Pure arithmetic: who calls holds the pipe's lock; tested on the host.
//
// head counts slots filled and tail slots emptied, for ever, modulo 2^32; the number of slots is a power of two.
//
// Invariants: I1. head - tail <= slots. I2. A slot between tail and head has a page and a length > 0 (a packet of length 0 is never stored).
#ifndef VFS_PIPE_RING_H
#define VFS_PIPE_RING_H

#include <kernel/types.h>

struct page;
struct pipe_slot {
    struct page *page;
    uint16_t offset, length; // length up to a page
    bool packet;             // one write, read at once; nothing is added to it
    bool lent; // the page is a file's or in another pipe too: never written; counts the job it is charged to
};
struct pipe_ring {
    _Atomic uint32_t head, tail; // written under the lock; conditions of waits read them without
    uint32_t slots;
    struct pipe_slot *slot;
};

static inline uint32_t pipe_ring_used(const struct pipe_ring *r) {
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    return atomic_load_explicit(&r->head, memory_order_acquire) - tail;
}
static inline bool pipe_ring_empty(const struct pipe_ring *r) {
    return pipe_ring_used(r) == 0;
}
static inline bool pipe_ring_full(const struct pipe_ring *r) {
    return pipe_ring_used(r) >= r->slots;
}
static inline struct pipe_slot *pipe_ring_first(const struct pipe_ring *r) {
    return &r->slot[r->tail & (r->slots - 1)];
}
static inline struct pipe_slot *pipe_ring_last(const struct pipe_ring *r) {
    return &r->slot[(r->head - 1) & (r->slots - 1)];
}
static inline struct pipe_slot *pipe_ring_next(const struct pipe_ring *r) {
    return &r->slot[r->head & (r->slots - 1)];
}
static inline void pipe_ring_pushed(struct pipe_ring *r) {
    atomic_store_explicit(&r->head, r->head + 1, memory_order_release);
}
static inline void pipe_ring_popped(struct pipe_ring *r) {
    atomic_store_explicit(&r->tail, r->tail + 1, memory_order_release);
}
// Where n more bytes fit behind the newest slot's contents, or NULL: then they begin a slot of their own.
static inline struct pipe_slot *pipe_ring_mergeable(const struct pipe_ring *r, size_t n) {
    if (n == 0 || pipe_ring_empty(r))
        return NULL;
    struct pipe_slot *s = pipe_ring_last(r);
    return !s->packet && !s->lent && (size_t)s->offset + s->length + n <= PAGE_SIZE ? s : NULL;
}
// Moves the filled slots into a ring of another size, which is large enough.
static inline void pipe_ring_move(struct pipe_ring *r, struct pipe_slot *to, uint32_t slots) {
    uint32_t used = pipe_ring_used(r);
    for (uint32_t i = 0; i < used; i++)
        to[i] = r->slot[(r->tail + i) & (r->slots - 1)];
    r->slot = to;
    r->slots = slots;
    atomic_store_explicit(&r->tail, 0, memory_order_relaxed);
    atomic_store_explicit(&r->head, used, memory_order_release);
}
// Slots for a size in bytes, as F_SETPIPE_SZ rounds it; 0: too large.
static inline uint32_t pipe_ring_slots_for(uint64_t bytes) {
    if (bytes > 1ull << 31)
        return 0;
    uint32_t slots = 1;
    while ((uint64_t)slots * PAGE_SIZE < bytes)
        slots *= 2;
    return slots;
}

#endif
