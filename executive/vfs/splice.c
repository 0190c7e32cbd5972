// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Splicing: see executive/splice.h. Pages are in pipes by reference: a slot whose page is also elsewhere (in a file, in another pipe) or was made for another
// pipe is "lent": it is never written nor used again, and counts the job that its page is charged to.
//
// What leaves a pipe for a file or another pipe does so in three steps, because no pipe's lock is held while the other side is called: (1) the pipe is claimed,
// so that other readers wait and writers add nothing to the slots that are there; (2) slot by slot is looked at, handed on, and taken off as far as it went;
// (3) the claim ends. Writers go on meanwhile, as long as there are free slots.
//
// Locking: the lock of one pipe at a time.

#include <executive/splice.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/string.h>

#include "inode.h"
#include "pipe.h"

#define PAGES_AT_ONCE 16u

// --- slots ------------------------------------------------------------------------------------------------------------

// The page may outlive what it is in now: its job is counted from here on.
static void slot_lend(struct pipe_slot *slot) {
    if (slot->lent)
        return;
    if (slot->page->job != NULL)
        object_get(&slot->page->job->obj);
    slot->lent = true;
}

// A second reference to n bytes of the slot, which is lent from now on. The pipe's lock is held.
static struct pipe_slot slot_share(struct pipe_slot *slot, size_t n) {
    slot_lend(slot);
    struct pipe_slot copy = *slot;
    page_get(copy.page);
    if (copy.page->job != NULL)
        object_get(&copy.page->job->obj);
    copy.length = (uint16_t)n;
    return copy;
}

static void slot_discard(struct pipe_slot *slot) {
    struct job *job = slot->lent ? slot->page->job : NULL;

    page_put(slot->page);
    if (job != NULL)
        object_put(&job->obj);
}

// --- room and data ----------------------------------------------------------------------------------------------------

static inv_status_t await_room_locked(struct pipe *p, bool nonblocking) {
    for (;;) {
        inv_status_t s;
        if (p->readers == 0)
            return pipe_no_readers();
        if (!pipe_ring_full(&p->ring))
            return INV_OK;
        if (nonblocking)
            return INV_ERR_SHOULD_WAIT;
        mutex_unlock(&p->lock);
        WAIT_EVENT(&p->write_wait, !pipe_ring_full(&p->ring) || atomic_load(&p->readers) == 0, WAIT_INTERRUPTIBLE,
                   NSTIME_NEVER, s);
        mutex_lock(&p->lock);
        if (s != INV_OK)
            return INV_ERR_RESTART;
    }
}

static void push_locked(struct pipe *p, const struct pipe_slot *slot) {
    *pipe_ring_next(&p->ring) = *slot;
    pipe_ring_pushed(&p->ring);
}

// After slots were pushed: readers hear of it, and a writer that may follow.
static void pushed(struct pipe *p) {
    pipe_wake_readers(p);
    async_notify(&p->async, ASYNC_IN);
    if (!pipe_ring_full(&p->ring))
        pipe_wake_writers(p);
}

// Step (1). *out_any false: there is nothing, and nobody will write.
static inv_status_t claim(struct pipe *p, bool nonblocking, bool *out_any) {
    inv_status_t s = INV_OK;
    mutex_lock(&p->lock);
    for (;;) {
        *out_any = pipe_has_data(p);
        if (*out_any || (!p->draining && p->writers == 0))
            break;
        s = INV_ERR_SHOULD_WAIT;
        if (nonblocking)
            break;
        mutex_unlock(&p->lock);
        WAIT_EVENT(&p->read_wait, !p->draining && (!pipe_ring_empty(&p->ring) || atomic_load(&p->writers) == 0),
                   WAIT_INTERRUPTIBLE, NSTIME_NEVER, s);
        mutex_lock(&p->lock);
        if (s != INV_OK) {
            s = INV_ERR_RESTART;
            break;
        }
    }
    if (*out_any)
        p->draining = true;
    mutex_unlock(&p->lock);
    return s;
}

// Step (3).
static void release_claim(struct pipe *p) {
    mutex_lock(&p->lock);
    p->draining = false;
    bool ended = p->writers == 0, data = !pipe_ring_empty(&p->ring), room = !pipe_ring_full(&p->ring);
    mutex_unlock(&p->lock);
    if (ended)
        waitq_wake(&p->read_wait, UINT32_MAX, POLL_IN | POLL_RDNORM | POLL_HUP);
    else if (data)
        pipe_wake_readers(p);
    if (room)
        pipe_wake_writers(p);
    async_notify(&p->async, ASYNC_OUT);
}

// n bytes of the oldest slot are gone; with its page, if moved.
static void consume(struct pipe *p, size_t n, bool moved) {
    mutex_lock(&p->lock);
    struct pipe_slot *slot = pipe_ring_first(&p->ring);
    slot->offset += (uint16_t)n;
    slot->length -= (uint16_t)n;
    if (slot->length == 0) {
        if (moved)
            slot->page = NULL;
        else
            pipe_slot_release(p, slot);
        pipe_ring_popped(&p->ring);
    }
    mutex_unlock(&p->lock);
}

// Hands n bytes of a slot on. *out_done of them went; *out_moved: with the page. `first`: nothing has gone before.
typedef inv_status_t (*hand_on_fn)(void *context, struct pipe_slot *slot, size_t n, bool first, size_t *out_done,
                                   bool *out_moved);

// Steps (1) to (3).
static inv_status_t drain(struct pipe *p, size_t n, bool nonblocking, hand_on_fn hand_on, void *context,
                          size_t *out_done) {
    bool any;
    inv_status_t s = claim(p, nonblocking, &any);
    *out_done = 0;
    if (s != INV_OK || !any)
        return s;
    while (*out_done < n && s == INV_OK && !pipe_ring_empty(&p->ring)) {
        mutex_lock(&p->lock);
        struct pipe_slot seen = *pipe_ring_first(&p->ring); // stays: nobody else takes it, or adds to it
        mutex_unlock(&p->lock);
        size_t part = MIN((size_t)seen.length, n - *out_done), done = 0;
        bool moved = false;
        s = hand_on(context, &seen, part, *out_done == 0, &done, &moved);
        if (done != 0)
            consume(p, done, moved);
        *out_done += done;
        if (done < part || current_thread()->user_work != 0) // a short write, or a signal
            break;
    }
    release_claim(p);
    return s;
}

// --- pipe to pipe -----------------------------------------------------------------------------------------------------

struct to_pipe {
    struct pipe *from, *to;
    bool nonblocking;
};

// The slot's page, or a share of it, goes into the other pipe.
static inv_status_t hand_to_pipe(void *context, struct pipe_slot *slot, size_t n, bool first, size_t *out_done,
                                 bool *out_moved) {
    struct to_pipe *c = context;
    struct pipe_slot piece;
    bool whole = n == slot->length;
    mutex_lock(&c->from->lock);
    struct pipe_slot *oldest = pipe_ring_first(&c->from->ring);
    if (whole) {
        slot_lend(oldest); // charged to this pipe's job, and out of its sight soon
        piece = *oldest;
    } else {
        piece = slot_share(oldest, n);
    }
    mutex_unlock(&c->from->lock);
    mutex_lock(&c->to->lock);
    inv_status_t s = await_room_locked(c->to, c->nonblocking || !first);
    if (s == INV_OK)
        push_locked(c->to, &piece);
    mutex_unlock(&c->to->lock);
    if (s != INV_OK) {
        if (!whole)
            slot_discard(&piece);
        return s;
    }
    pushed(c->to);
    *out_done = n;
    *out_moved = whole;
    return INV_OK;
}

inv_status_t splice_pipes(struct file *in, struct file *out, size_t n, bool nonblocking, size_t *out_done) {
    struct to_pipe c = {.from = pipe_of(in), .to = pipe_of(out), .nonblocking = nonblocking};

    return drain(c.from, n, nonblocking, hand_to_pipe, &c, out_done);
}

// The slot that is `index` behind the oldest, shared, at most n bytes of it. False: there is none.
static bool share_at(struct pipe *p, uint32_t index, size_t n, struct pipe_slot *out) {
    mutex_lock(&p->lock);
    bool there = index < pipe_ring_used(&p->ring);
    if (there) {
        struct pipe_slot *slot = &p->ring.slot[(p->ring.tail + index) & (p->ring.slots - 1)];
        *out = slot_share(slot, MIN(n, (size_t)slot->length));
    }
    mutex_unlock(&p->lock);
    return there;
}

inv_status_t splice_tee(struct file *in, struct file *out, size_t n, bool nonblocking, size_t *out_done) {
    struct pipe *from = pipe_of(in), *to = pipe_of(out);
    struct pipe_slot piece;
    bool any;
    *out_done = 0;
    inv_status_t s = claim(from, nonblocking, &any);
    if (s != INV_OK || !any)
        return s;
    for (uint32_t i = 0; *out_done < n && share_at(from, i, n - *out_done, &piece); i++) {
        mutex_lock(&to->lock);
        s = await_room_locked(to, nonblocking || *out_done != 0);
        if (s == INV_OK)
            push_locked(to, &piece);
        mutex_unlock(&to->lock);
        if (s != INV_OK) {
            slot_discard(&piece);
            break;
        }
        *out_done += piece.length;
    }
    if (*out_done != 0)
        pushed(to);
    release_claim(from);
    return s;
}

// --- file to pipe -----------------------------------------------------------------------------------------------------

// Takes over the slots' pages; those that find no room, because others wrote in between, are dropped again. Returns the bytes that went in.
static inv_status_t push_all(struct pipe *p, struct pipe_slot *slots, unsigned count, bool nonblocking,
                             size_t *out_done) {
    inv_status_t s = INV_OK;
    unsigned i = 0;
    mutex_lock(&p->lock);
    for (; i < count && s == INV_OK; i++) {
        s = await_room_locked(p, nonblocking || *out_done != 0);
        if (s != INV_OK)
            break;
        push_locked(p, &slots[i]);
        *out_done += slots[i].length;
    }
    mutex_unlock(&p->lock);
    for (; i < count; i++)
        slot_discard(&slots[i]);
    if (*out_done != 0)
        pushed(p);
    return s;
}

// Free slots, at least one. Waits as it may.
static inv_status_t await_slots(struct pipe *p, bool nonblocking, unsigned *out_slots) {
    mutex_lock(&p->lock);
    inv_status_t s = await_room_locked(p, nonblocking);
    *out_slots = s == INV_OK ? p->ring.slots - pipe_ring_used(&p->ring) : 0;
    mutex_unlock(&p->lock);
    return s;
}

// The file's own pages.
static inv_status_t lend_pages(struct file *in, uint64_t position, size_t n, struct pipe_slot *slots, unsigned most,
                               unsigned *out_count) {
    inv_status_t s = INV_OK;
    *out_count = 0;
    while (n > 0 && *out_count < most) {
        struct page *page;
        unsigned offset;
        size_t length;
        s = in->ops->lend(in, position, &page, &offset, &length);
        if (s != INV_OK || length == 0)
            break;
        length = MIN(length, n);
        struct pipe_slot *slot = &slots[(*out_count)++];
        *slot = (struct pipe_slot){.page = page, .offset = (uint16_t)offset, .length = (uint16_t)length};
        slot_lend(slot);
        position += length;
        n -= length;
    }
    return *out_count != 0 ? INV_OK : s;
}

static void pages_drop(struct pipe_slot *slots, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        page_put(slots[i].page);
}

// One read into pages of the pipe's own.
static inv_status_t read_pages(struct pipe *p, struct file *in, uint64_t position, size_t n, struct pipe_slot *slots,
                               unsigned most, unsigned *out_count) {
    struct io_vector vectors[PAGES_AT_ONCE];
    unsigned count = 0;
    size_t done = 0;
    *out_count = 0;
    for (; count < most && (size_t)count * PAGE_SIZE < n; count++) {
        struct page *page = page_alloc(0, PAGE_USER, PAGE_PIPE, p->job);
        if (page == NULL)
            break;
        slots[count] = (struct pipe_slot){.page = page};
        vectors[count] = (struct io_vector){page_to_virt(page), MIN((size_t)PAGE_SIZE, n - (size_t)count * PAGE_SIZE)};
    }
    if (count == 0)
        return INV_ERR_NO_MEMORY;
    struct io io = {.vectors = vectors, .count = count, .left = MIN(n, (size_t)count * PAGE_SIZE)};
    inv_status_t s = in->ops->read(in, &io, &position, &done);
    unsigned used = (unsigned)((done + PAGE_SIZE - 1) / PAGE_SIZE);
    for (unsigned i = 0; i < used; i++)
        slots[i].length = (uint16_t)MIN((size_t)PAGE_SIZE, done - (size_t)i * PAGE_SIZE);
    pages_drop(slots + used, count - used);
    *out_count = used;
    return used != 0 ? INV_OK : s;
}

#define NULL_DEVICE DEVNO(1, 3)

// Bytes in a row: files, sockets, terminals. Files of events, which move records of their own, have no type; memory devices have no end.
static bool has_bytes(const struct file *f) {
    return inode_is(f->inode, MODE_REGULAR) || inode_is(f->inode, MODE_SOCKET) ||
           (inode_is(f->inode, MODE_CHARACTER) && f->ops->poll != NULL);
}

bool splice_readable(const struct file *f) {
    return has_bytes(f) && f->ops->read != NULL;
}

bool splice_writable(const struct file *f) {
    bool sink = inode_is(f->inode, MODE_CHARACTER) && f->inode->rdev == NULL_DEVICE;
    return (sink || has_bytes(f)) && f->ops->write != NULL;
}

inv_status_t splice_to_pipe(struct file *in, uint64_t *position, struct file *out, size_t n, bool nonblocking,
                            size_t *out_done) {
    struct pipe *p = pipe_of(out);
    struct pipe_slot slots[PAGES_AT_ONCE];
    unsigned free, count;
    *out_done = 0;
    if (!splice_readable(in))
        return INV_ERR_INVALID;
    do { // while it goes without waiting, and the pipe has room
        size_t done = 0;
        inv_status_t s = await_slots(p, nonblocking || *out_done != 0, &free);
        if (s == INV_OK) {
            unsigned most = MIN(free, PAGES_AT_ONCE);
            s = in->ops->lend != NULL ? lend_pages(in, *position, n - *out_done, slots, most, &count)
                                      : read_pages(p, in, *position, n - *out_done, slots, most, &count);
        }
        if (s != INV_OK)
            return s;
        if (count == 0)
            break;
        s = push_all(p, slots, count, nonblocking, &done);
        *position += done;
        *out_done += done;
        if (s != INV_OK)
            return s;
    } while (in->ops->lend != NULL && *out_done < n && free > PAGES_AT_ONCE);
    if (*out_done != 0 && in->ops->lend != NULL)
        file_touch_atime(in);
    return INV_OK;
}

// --- pipe to file -----------------------------------------------------------------------------------------------------

struct to_file {
    struct file *file;
    uint64_t *position;
};

static inv_status_t hand_to_file(void *context, struct pipe_slot *slot, size_t n, bool first, size_t *out_done,
                                 bool *out_moved) {
    struct to_file *c = context;
    struct io_vector v;
    struct io io;
    io_init_kernel(&io, &v, (char *)page_to_virt(slot->page) + slot->offset, n);
    return c->file->ops->write(c->file, &io, c->position, out_done);
}

inv_status_t splice_from_pipe(struct file *in, struct file *out, uint64_t *position, size_t n, bool nonblocking,
                              size_t *out_done) {
    struct to_file c = {.file = out, .position = position};
    *out_done = 0;
    if (!splice_writable(out))
        return INV_ERR_INVALID;
    return drain(pipe_of(in), n, nonblocking, hand_to_file, &c, out_done);
}

// --- memory -----------------------------------------------------------------------------------------------------------

inv_status_t splice_memory_to_pipe(struct io *io, struct file *out, bool nonblocking, size_t *out_done) {
    struct pipe *p = pipe_of(out);
    mutex_lock(&p->lock);
    inv_status_t s = await_room_locked(p, nonblocking);
    *out_done = 0;
    while (s == INV_OK && io->left != 0 && !pipe_ring_full(&p->ring)) {
        size_t length, done;
        uintptr_t base = (uintptr_t)io_piece(io, &length);
        struct page *page = pipe_page_take(p);
        if (page == NULL) {
            s = INV_ERR_NO_MEMORY;
            break;
        }
        struct pipe_slot slot = {.page = page};
        s = io_from(io, page_to_virt(page), MIN(length, PAGE_SIZE - base % PAGE_SIZE), &done);
        slot.length = (uint16_t)done;
        if (done == 0)
            pipe_slot_release(p, &slot);
        else
            push_locked(p, &slot);
        *out_done += done;
    }
    mutex_unlock(&p->lock);
    if (*out_done != 0)
        pushed(p);
    return s;
}

static inv_status_t hand_to_memory(void *context, struct pipe_slot *slot, size_t n, bool first, size_t *out_done,
                                   bool *out_moved) {
    return io_to(context, (char *)page_to_virt(slot->page) + slot->offset, n, out_done);
}

inv_status_t splice_pipe_to_memory(struct file *in, struct io *io, bool nonblocking, size_t *out_done) {
    return drain(pipe_of(in), io->left, nonblocking, hand_to_memory, io, out_done);
}
