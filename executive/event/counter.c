// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Counters as files (eventfd): a write adds, a read takes all or, of a semaphore, one. Through file operations in thread context, and from the kernel in any
// context (event_counter_add).
//
// Invariants:
//   I1 count never passes COUNT_MAX by writes; the kernel's own notices may bring it to UINT64_MAX, which poll tells as an error.
//   I2 who changes count wakes after the change, who waits looks after it is on the queue (kernel/wait.h): no lock is needed.
#include <executive/event.h>

#define COUNT_MAX (UINT64_MAX - 1)

struct event_counter {
    _Atomic uint64_t count;
    struct waitq wait; // readers with POLL_IN as their key, writers with POLL_OUT
    bool semaphore;    // immutable
    uint32_t id;       // immutable: for fdinfo
    struct job *job;   // charged; counted
};

static bool take(struct event_counter *e, uint64_t *out_value) {
    uint64_t count = atomic_load_explicit(&e->count, memory_order_relaxed), n;
    do {
        if (count == 0)
            return false;
        n = e->semaphore ? 1 : count;
    } while (!atomic_compare_exchange_weak_explicit(&e->count, &count, count - n, memory_order_acq_rel,
                                                    memory_order_relaxed));
    *out_value = n;
    return true;
}

static bool add(struct event_counter *e, uint64_t value) {
    uint64_t count = atomic_load_explicit(&e->count, memory_order_relaxed);
    do {
        if (UINT64_MAX - count <= value)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&e->count, &count, count + value, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return true;
}

static void wake_readers(struct event_counter *e, uint64_t value) {
    waitq_wake(&e->wait, e->semaphore ? (unsigned)MIN(value, (uint64_t)UINT32_MAX) : 1, POLL_IN);
}

static inv_status_t event_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct event_counter *e = file->data;
    uint64_t value;
    inv_status_t s;
    (void)position;
    *out_done = 0;
    if (io->left < sizeof(value))
        return INV_ERR_INVALID;
    while (!take(e, &value)) {
        if (file_nonblocking(file))
            return INV_ERR_SHOULD_WAIT;
        WAIT_EVENT_KEYED(&e->wait, POLL_IN, atomic_load(&e->count) != 0, WAIT_INTERRUPTIBLE, NSTIME_NEVER, s);
        if (s != INV_OK)
            return INV_ERR_RESTART;
    }
    waitq_wake(&e->wait, UINT32_MAX, POLL_OUT);
    s = io_to(io, &value, sizeof(value), out_done);
    if (*out_done != sizeof(value))
        *out_done = 0; // the value is lost, as in Linux
    return s;
}

static inv_status_t event_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct event_counter *e = file->data;
    uint64_t value;
    size_t taken;
    (void)position;
    *out_done = 0;
    if (io->left < sizeof(value))
        return INV_ERR_INVALID;
    inv_status_t s = io_from(io, &value, sizeof(value), &taken);
    if (s != INV_OK)
        return s;
    if (value == UINT64_MAX)
        return INV_ERR_INVALID;
    while (!add(e, value)) {
        if (file_nonblocking(file))
            return INV_ERR_SHOULD_WAIT;
        WAIT_EVENT_KEYED(&e->wait, POLL_OUT, UINT64_MAX - atomic_load(&e->count) > value, WAIT_INTERRUPTIBLE,
                         NSTIME_NEVER, s);
        if (s != INV_OK)
            return INV_ERR_RESTART;
    }
    wake_readers(e, value);
    *out_done = sizeof(value);
    return INV_OK;
}

static unsigned event_poll(struct file *file, struct poll_set *set) {
    struct event_counter *e = file->data;
    poll_add(set, &e->wait);
    uint64_t count = atomic_load(&e->count);
    return (count > 0 ? POLL_IN : 0) | (count < COUNT_MAX ? POLL_OUT : 0) | (count == UINT64_MAX ? POLL_ERR : 0);
}

static void event_release(struct file *file) {
    struct event_counter *e = file->data;
    event_memory_put(e, sizeof(*e), e->job);
}

static void event_show(struct file *file, struct text_sink *sink) {
    struct event_counter *e = file->data;
    text_sink_print(sink, "eventfd-count: %16lx\neventfd-id: %u\n", (unsigned long)atomic_load(&e->count), e->id);
}

static const struct file_ops counter_ops = {.read = event_read,
                                            .seek_ignored = true,
                                            .write = event_write,
                                            .poll = event_poll,
                                            .release = event_release,
                                            .show = event_show};

bool event_counter_is(const struct file *f) {
    return f->ops == &counter_ops;
}

void event_counter_add(struct file *f, uint64_t value) {
    struct event_counter *e = f->data;
    uint64_t count = atomic_load_explicit(&e->count, memory_order_relaxed), n;
    do
        n = MIN(value, UINT64_MAX - count);
    while (!atomic_compare_exchange_weak_explicit(&e->count, &count, count + n, memory_order_acq_rel,
                                                  memory_order_relaxed));
    if (n != 0)
        wake_readers(e, n);
}

inv_status_t event_counter_create(uint64_t value, bool semaphore, uint32_t flags, struct file **out) {
    static _Atomic uint32_t ids;
    struct job *job;
    struct event_counter *e = event_memory_get(sizeof(*e), &job);
    if (e == NULL)
        return INV_ERR_NO_MEMORY;
    e->job = job;
    e->semaphore = semaphore;
    e->id = atomic_fetch_add_explicit(&ids, 1, memory_order_relaxed);
    atomic_init(&e->count, value);
    waitq_init(&e->wait);
    inv_status_t s = file_create_anonymous("anon_inode:[eventfd]", &counter_ops, e, flags, 0600, out);
    if (s != INV_OK)
        event_memory_put(e, sizeof(*e), job);
    return s;
}
