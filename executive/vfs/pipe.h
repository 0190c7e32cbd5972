// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A pipe, between pipe.c (files, reading, writing) and splice.c (pages that go from one place to another).
#ifndef VFS_PIPE_H
#define VFS_PIPE_H

#include <executive/user_account.h>
#include <kernel/job.h>

#include "file.h"
#include "pipe_ring.h"

#define PIPE_SLOTS  16u
#define PIPE_SPARES 2

struct pipe {
    struct mutex lock;
    struct waitq read_wait, write_wait, partner_wait;
    struct async_list async;
    struct pipe_ring ring;
    atomic_bool
        draining; // lock: a splice moves the oldest slots elsewhere, the lock dropped meanwhile: other readers wait
    _Atomic uint32_t readers, writers;
    _Atomic uint32_t reader_opens, writer_opens; // how many there ever were
    uint32_t files;
    _Atomic bool
        polled; // ever: edge-triggered watchers want to hear of each write, also into a pipe that was not empty
    struct page *spare[PIPE_SPARES];
    struct job *job;           // charged; counted
    struct user_account *user; // who made it: the slots are charged to it; counted
    struct pipe_slot first_slots[PIPE_SLOTS];
};

static inline struct pipe *pipe_of(const struct file *f) {
    return f->data;
}
// A reader finds something now.
static inline bool pipe_has_data(struct pipe *p) {
    return !pipe_ring_empty(&p->ring) && !atomic_load_explicit(&p->draining, memory_order_relaxed);
}
// An empty page for data, charged to the pipe's job; and what was a slot's back. lock.
struct page *pipe_page_take(struct pipe *p);
void pipe_slot_release(struct pipe *p, struct pipe_slot *slot);
void pipe_wake_readers(struct pipe *p);
void pipe_wake_writers(struct pipe *p);
// SIGPIPE, and PIPE.
must_check inv_status_t pipe_no_readers(void);

#endif
