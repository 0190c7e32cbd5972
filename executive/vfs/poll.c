// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Poll sets: one thread waits on the queues of several files. Called by poll and select of the personality (create, file_poll on each file, wait, destroy) and by
// file_ops->poll (poll_add). Thread context; the wake callback runs under the queue's lock in any context.
//
// Invariants: I1. A queue with an entry of the set outlives it: the caller counts the file until poll_set_destroy.

#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/slab.h>

#include <executive/vfs.h>

#define POLL_FIRST 4
#define POLL_CHUNK 40 // entries of a further chunk: about a page

struct poll_entry {
    struct waiter waiter;
    struct waitq *queue;
};

struct poll_chunk {
    struct poll_chunk *next;
    unsigned used, size;
    struct poll_entry entries[];
};

struct poll_waiters {
    struct poll_set set;
    struct thread *thread;
    _Atomic bool woken;
    bool failed;                     // no memory for an entry: the wait must not be trusted
    struct poll_chunk *first, *last; // the first lies behind the set
};

static struct poll_waiters *waiters_of(struct poll_set *set) {
    return container_of(set, struct poll_waiters, set);
}

static bool poll_wake(struct waiter *w, uint32_t key) {
    struct poll_waiters *s = w->arg;
    atomic_store_explicit(&s->woken, true, memory_order_release);
    sched_wake(s->thread);
    return false; // whoever reads may be somebody else: a poll uses up no wake-up
}

static void add(struct poll_set *set, struct waitq *q) {
    struct poll_waiters *s = waiters_of(set);
    struct poll_chunk *c = s->last;
    if (c->used == c->size) {
        c = kmalloc(sizeof(*c) + POLL_CHUNK * sizeof(struct poll_entry));
        if (c == NULL) {
            s->failed = true;
            return;
        }
        c->next = NULL;
        c->used = 0;
        c->size = POLL_CHUNK;
        s->last->next = c;
        s->last = c;
    }
    struct poll_entry *e = &c->entries[c->used++];
    waiter_init(&e->waiter);
    e->waiter.wake = poll_wake;
    e->waiter.arg = s;
    e->waiter.exclusive = false;
    e->waiter.key = set->key;
    e->queue = q;
    waitq_add(q, &e->waiter);
}

struct poll_set *poll_set_create(unsigned expected) {
    unsigned size = MAX(MIN(expected * 2, (unsigned)POLL_CHUNK), (unsigned)POLL_FIRST);
    struct poll_waiters *s = kmalloc(sizeof(*s) + sizeof(struct poll_chunk) + size * sizeof(struct poll_entry));
    if (s == NULL)
        return NULL;
    s->set = (struct poll_set){.add = add};
    s->thread = current_thread();
    atomic_init(&s->woken, false);
    s->failed = false;
    s->first = s->last = (struct poll_chunk *)(s + 1);
    s->first->next = NULL;
    s->first->used = 0;
    s->first->size = size;
    return &s->set;
}

void poll_set_destroy(struct poll_set *set) {
    struct poll_waiters *s = waiters_of(set);
    struct poll_chunk *next;
    for (struct poll_chunk *c = s->first; c != NULL; c = next) {
        next = c->next;
        for (unsigned i = 0; i < c->used; i++)
            waitq_remove(c->entries[i].queue, &c->entries[i].waiter);
        if (c != s->first)
            kfree(c);
    }
    kfree(s);
}

inv_status_t poll_set_wait(struct poll_set *set, nstime_t deadline) {
    struct poll_waiters *s = waiters_of(set);
    inv_status_t status = INV_OK;
    if (s->failed)
        return INV_ERR_NO_MEMORY;
    for (;;) {
        thread_sleep_prepare(WAIT_INTERRUPTIBLE);
        if (atomic_exchange_explicit(&s->woken, false, memory_order_acq_rel)) {
            status = INV_OK;
            break;
        }
        if (status != INV_OK)
            break;
        status = thread_sleep(deadline);
    }
    thread_sleep_finish();
    return status;
}
