// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Pipes and fifos: a ring of pages between writers and readers. Called through file_ops, in thread context.
//
// What goes into which page follows Linux, because programs see it: a write whose odd part fits behind the last page's contents is added there, all else begins
// new pages; the pipe is writable when a slot is free. Writes up to PIPE_BUF are atomic: such a write fits into one page, and the lock is held over it.
// Sleepers are woken only when there may be one that waits: readers when the pipe was empty, writers when it was full, and the next in line by the one
// before it if something is left for it.
//
// Invariants: I1. readers and writers count the open files of each kind; files both kinds, the pipe is freed when it falls to 0.
// Locking: lock (PIPE) for ring, counts and spare pages, held over copies from and to user memory. A fifo's inode lock comes before it.

#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "anonymous.h"
#include "file.h"
#include "inode.h"
#include "pipe.h"

#define FIONREAD_ 0x541bu

// No process answers for a pipe's pages when memory ends, so they must not become the greater part of it: beyond the users' limits there is one for the machine.
#define PIPE_TOTAL_PART  8u // of memory
#define PIPE_SMALL_SLOTS 2u
static _Atomic uint64_t total_slots;

struct vfs_pipe_limits vfs_pipe_limits = {.max_size = 1u << 20, .user_pages_soft = 16384};

static bool pipes_hold_much(void) {
    static _Atomic uint64_t limit;
    uint64_t l = atomic_load_explicit(&limit, memory_order_relaxed);
    if (unlikely(l == 0)) {
        struct page_stats stats;
        page_get_stats(&stats);
        l = stats.total / PIPE_TOTAL_PART;
        atomic_store_explicit(&limit, l, memory_order_relaxed);
    }
    return atomic_load_explicit(&total_slots, memory_order_relaxed) >= l;
}

static bool beyond(const _Atomic uint64_t *limit, uint64_t pages) {
    uint64_t l = atomic_load_explicit(limit, memory_order_relaxed);
    return l != 0 && pages > l;
}

// Whom the limits of users bind.
static bool bound_by_limits(void) {
    const struct token *who = vfs_current_token();
    return !token_capable(who, CAP_SYS_RESOURCE) && !token_capable(who, CAP_SYS_ADMIN);
}

// The user's pages with n more, or less, of them.
static uint64_t slots_charge(struct user_account *user, int64_t n) {
    atomic_fetch_add_explicit(&total_slots, (uint64_t)n, memory_order_relaxed);
    return atomic_fetch_add_explicit(&user->pipe_pages, (uint64_t)n, memory_order_relaxed) + (uint64_t)n;
}

// How many slots a new pipe has, charged: fewer beyond the user's soft limit, none beyond the hard one.
static uint32_t slots_first(struct user_account *user) {
    uint64_t most = atomic_load_explicit(&vfs_pipe_limits.max_size, memory_order_relaxed) / PAGE_SIZE;
    uint32_t slots = PIPE_SLOTS;
    if (unlikely(slots > most) && !token_capable(vfs_current_token(), CAP_SYS_RESOURCE))
        slots = (uint32_t)most;
    uint64_t pages = slots_charge(user, slots);
    if (unlikely(pipes_hold_much() || (beyond(&vfs_pipe_limits.user_pages_soft, pages) && bound_by_limits()))) {
        pages = slots_charge(user, (int64_t)PIPE_SMALL_SLOTS - slots);
        slots = PIPE_SMALL_SLOTS;
    }
    if (unlikely(beyond(&vfs_pipe_limits.user_pages_hard, pages)) && bound_by_limits()) {
        slots_charge(user, -(int64_t)slots);
        slots = 0;
    }
    return slots;
}

// --- life -------------------------------------------------------------------------------------------------------------

// NO_MEMORY; FILE_TABLE_FULL: the user has as many pages of pipes as is allowed.
static inv_status_t pipe_alloc(struct job *job, struct pipe **out) {
    struct user_account *user = user_account_get();
    if (user == NULL)
        return INV_ERR_NO_MEMORY;
    uint32_t slots = slots_first(user);
    inv_status_t s = slots != 0 ? job_charge(job, JOB_MEMORY, sizeof(struct pipe)) : INV_ERR_FILE_TABLE_FULL;
    if (s != INV_OK)
        goto uncount;
    struct pipe *p = kzalloc(sizeof(*p));
    if (p != NULL) {
        object_get(&job->obj);
        p->job = job;
        p->user = user;
        mutex_init(&p->lock, LOCK_RANK_PIPE);
        waitq_init(&p->read_wait);
        waitq_init(&p->write_wait);
        waitq_init(&p->partner_wait);
        async_list_init(&p->async, true);
        p->ring.slots = slots;
        p->ring.slot = p->first_slots;
        *out = p;
        return INV_OK;
    }
    job_uncharge(job, JOB_MEMORY, sizeof(struct pipe));
    s = INV_ERR_NO_MEMORY;
uncount:
    slots_charge(user, -(int64_t)slots);
    user_account_put(user);
    return s;
}

static void slots_free(struct pipe *p, struct pipe_slot *slot, uint32_t slots) {
    slots_charge(p->user, -(int64_t)slots);
    if (slot == p->first_slots)
        return;
    kfree(slot);
    job_uncharge(p->job, JOB_MEMORY, slots * sizeof(struct pipe_slot));
}

// A page that was lent by a file or another pipe may be charged to a job that only this count keeps alive.
static void slot_drop(struct pipe_slot *slot) {
    struct job *job = slot->lent ? slot->page->job : NULL;

    page_put(slot->page);
    if (job != NULL)
        object_put(&job->obj);
    slot->page = NULL;
}

static void pipe_free(struct pipe *p) {
    while (!pipe_ring_empty(&p->ring)) {
        slot_drop(pipe_ring_first(&p->ring));
        pipe_ring_popped(&p->ring);
    }
    for (int i = 0; i < PIPE_SPARES; i++)
        if (p->spare[i] != NULL)
            page_put(p->spare[i]);
    slots_free(p, p->ring.slot, p->ring.slots);
    user_account_put(p->user);
    job_uncharge(p->job, JOB_MEMORY, sizeof(struct pipe));
    object_put(&p->job->obj);
    kfree(p);
}

struct page *pipe_page_take(struct pipe *p) {
    for (int i = 0; i < PIPE_SPARES; i++) {
        struct page *page = p->spare[i];
        if (page != NULL) {
            p->spare[i] = NULL;
            return page;
        }
    }
    return page_alloc(0, PAGE_USER, PAGE_PIPE, p->job);
}

static void page_give(struct pipe *p, struct page *page) {
    for (int i = 0; i < PIPE_SPARES; i++) {
        if (p->spare[i] == NULL) {
            p->spare[i] = page;
            return;
        }
    }
    page_put(page);
}

void pipe_slot_release(struct pipe *p, struct pipe_slot *slot) {
    if (slot->lent) {
        slot_drop(slot);
        return;
    }
    page_give(p, slot->page);
    slot->page = NULL;
}

// --- reading ----------------------------------------------------------------------------------------------------------

void pipe_wake_readers(struct pipe *p) {
    if (waitq_active(&p->read_wait))
        waitq_wake(&p->read_wait, 1, POLL_IN | POLL_RDNORM);
}

void pipe_wake_writers(struct pipe *p) {
    if (waitq_active(&p->write_wait))
        waitq_wake(&p->write_wait, 1, POLL_OUT | POLL_WRNORM);
}

// Moves what is there, up to what the program wants. FAULT only if the first bytes could not be stored.
static inv_status_t take_locked(struct pipe *p, struct io *io, size_t *out_done) {
    size_t sum = 0;
    inv_status_t s = INV_OK;
    while (io->left != 0 && pipe_has_data(p)) {
        struct pipe_slot *slot = pipe_ring_first(&p->ring);
        size_t n = MIN((size_t)slot->length, io->left), done;
        s = io_to(io, (char *)page_to_virt(slot->page) + slot->offset, n, &done);
        if (s != INV_OK)
            break; // a slot is taken whole or not at all, as far as the program's memory goes
        bool packet = slot->packet;
        slot->offset += (uint16_t)done;
        slot->length -= (uint16_t)done;
        sum += done;
        if (slot->length == 0 || packet) {
            pipe_slot_release(p, slot);
            pipe_ring_popped(&p->ring);
        }
        if (packet)
            break;
    }
    *out_done = sum;
    return sum != 0 ? INV_OK : s;
}

static inv_status_t pipe_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct pipe *p = file->data;
    inv_status_t s = INV_OK;
    bool pass_on = false;
    *out_done = 0;
    if (io->left == 0)
        return INV_OK;
    mutex_lock(&p->lock);
    bool was_full = pipe_ring_full(&p->ring);
    for (;;) {
        s = take_locked(p, io, out_done);
        if (s != INV_OK || *out_done != 0 || (p->writers == 0 && !p->draining))
            break;
        if (file_nonblocking(file)) {
            s = INV_ERR_SHOULD_WAIT;
            break;
        }
        mutex_unlock(&p->lock);
        WAIT_EVENT(&p->read_wait, !p->draining && (!pipe_ring_empty(&p->ring) || atomic_load(&p->writers) == 0),
                   WAIT_INTERRUPTIBLE, NSTIME_NEVER, s);
        if (s != INV_OK)
            return INV_ERR_RESTART;
        mutex_lock(&p->lock);
        was_full = pipe_ring_full(&p->ring);
        pass_on = true;
    }
    pass_on = pass_on && !pipe_ring_empty(&p->ring);
    mutex_unlock(&p->lock);
    if (was_full)
        pipe_wake_writers(p);
    if (pass_on)
        pipe_wake_readers(p);
    async_notify(&p->async, ASYNC_OUT);
    if (*out_done != 0 && inode_is(file->inode, MODE_FIFO) && file->path.mount != anonymous_mount)
        file_touch_atime(file);
    return s;
}

// --- writing ----------------------------------------------------------------------------------------------------------

// The odd part of a write, behind what the last page holds.
static inv_status_t merge_locked(struct pipe *p, struct io *io, size_t *out_done) {
    size_t odd = io->left % PAGE_SIZE;
    struct pipe_slot *slot = p->draining ? NULL : pipe_ring_mergeable(&p->ring, odd);
    *out_done = 0;
    if (slot == NULL)
        return INV_OK;
    size_t done;
    inv_status_t s = io_from(io, (char *)page_to_virt(slot->page) + slot->offset + slot->length, odd, &done);
    if (s == INV_OK) {
        slot->length += (uint16_t)done;
        *out_done = done;
    }
    return s;
}

// Fills free slots. OK: all is written, or no slot is free.
static inv_status_t fill_locked(struct pipe *p, struct io *io, bool packet, size_t *inout_done) {
    while (io->left != 0 && !pipe_ring_full(&p->ring)) {
        struct page *page = pipe_page_take(p);
        if (page == NULL)
            return INV_ERR_NO_MEMORY;
        size_t n = MIN(io->left, PAGE_SIZE), done;
        inv_status_t s = io_from(io, page_to_virt(page), n, &done);
        if (s != INV_OK) {
            page_give(p, page);
            return s;
        }
        struct pipe_slot *slot = pipe_ring_next(&p->ring);
        *slot = (struct pipe_slot){.page = page, .offset = 0, .length = (uint16_t)done, .packet = packet};
        pipe_ring_pushed(&p->ring);
        *inout_done += done;
    }
    return INV_OK;
}

inv_status_t pipe_no_readers(void) {
    vfs_broken_pipe();
    return INV_ERR_PIPE;
}

static inv_status_t pipe_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct pipe *p = file->data;
    bool packet = (file->flags & O_DIRECT_) != 0, pass_on = false;
    inv_status_t s;
    *out_done = 0;
    if (io->left == 0)
        return INV_OK;
    mutex_lock(&p->lock);
    bool was_empty = pipe_ring_empty(&p->ring);
    s = p->readers != 0 ? merge_locked(p, io, out_done) : INV_OK;
    while (s == INV_OK && (io->left != 0 || p->readers == 0)) {
        s = p->readers != 0 ? fill_locked(p, io, packet, out_done) : pipe_no_readers();
        if (s != INV_OK || io->left == 0)
            break;
        if (file_nonblocking(file)) {
            s = INV_ERR_SHOULD_WAIT;
            break;
        }
        mutex_unlock(&p->lock);
        if (was_empty)
            pipe_wake_readers(p);
        async_notify(&p->async, ASYNC_IN);
        WAIT_EVENT(&p->write_wait, !pipe_ring_full(&p->ring) || atomic_load(&p->readers) == 0, WAIT_INTERRUPTIBLE,
                   NSTIME_NEVER, s);
        mutex_lock(&p->lock);
        was_empty = pipe_ring_empty(&p->ring);
        pass_on = true;
        if (s != INV_OK)
            s = INV_ERR_RESTART;
    }
    pass_on = pass_on && !pipe_ring_full(&p->ring);
    mutex_unlock(&p->lock);
    if (was_empty || atomic_load_explicit(&p->polled, memory_order_relaxed))
        pipe_wake_readers(p);
    async_notify(&p->async, ASYNC_IN);
    if (pass_on)
        pipe_wake_writers(p);
    if (*out_done != 0 && file->path.mount != anonymous_mount) {
        mutex_lock(&file->inode->lock);
        inode_written(file->inode);
        mutex_unlock(&file->inode->lock);
    }
    return s;
}

// --- the rest of the operations ---------------------------------------------------------------------------------------

static unsigned pipe_poll(struct file *file, struct poll_set *set) {
    struct pipe *p = file->data;
    unsigned mask = 0;
    if (set != NULL)
        atomic_store_explicit(&p->polled, true, memory_order_relaxed);
    if (file_readable(file)) {
        poll_add(set, &p->read_wait);
        if (!pipe_ring_empty(&p->ring))
            mask |= POLL_IN | POLL_RDNORM;
        // A fifo opened before any writer came has not been hung up on.
        if (atomic_load(&p->writers) == 0 && file->position != atomic_load(&p->writer_opens))
            mask |= POLL_HUP;
    }
    if (file_writable(file)) {
        poll_add(set, &p->write_wait);
        if (!pipe_ring_full(&p->ring))
            mask |= POLL_OUT | POLL_WRNORM;
        if (atomic_load(&p->readers) == 0)
            mask |= POLL_ERR;
    }
    return mask;
}

static inv_status_t pipe_ioctl(struct file *file, unsigned command, uint64_t argument, int64_t *out_result) {
    struct pipe *p = file->data;
    uint32_t sum = 0;
    if (command != FIONREAD_)
        return INV_ERR_NOT_TTY;
    mutex_lock(&p->lock);
    for (uint32_t i = p->ring.tail; i != p->ring.head; i++)
        sum += p->ring.slot[i & (p->ring.slots - 1)].length;
    mutex_unlock(&p->lock);
    return arch_user_store32((uint32_t user_ptr *)(uintptr_t)argument, sum);
}

static void pipe_drop(struct inode *i, struct pipe *p) {
    mutex_lock(&i->lock);
    bool last = --p->files == 0;
    if (last)
        i->pipe = NULL;
    mutex_unlock(&i->lock);
    if (last)
        pipe_free(p);
}

// One end less. The last of a kind is an event for the other kind.
static void pipe_end_closed(struct file *file, struct pipe *p) {
    mutex_lock(&p->lock);
    if (file_readable(file))
        p->readers--;
    if (file_writable(file))
        p->writers--;
    bool event = (p->readers == 0) != (p->writers == 0);
    mutex_unlock(&p->lock);
    if (event) {
        waitq_wake(&p->read_wait, UINT32_MAX, 0);
        waitq_wake(&p->write_wait, UINT32_MAX, 0);
        async_notify(&p->async, ASYNC_IN);
        async_notify(&p->async, ASYNC_OUT);
    }
}

static void pipe_release(struct file *file) {
    struct pipe *p = file->data;
    pipe_end_closed(file, p);
    pipe_drop(file->inode, p);
}

static struct async_list *pipe_async(struct file *file) {
    return &((struct pipe *)file->data)->async;
}

const struct file_ops pipe_ops = {
    .async = pipe_async,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
};

// --- making pipes -----------------------------------------------------------------------------------------------------

static inv_status_t pipe_end(const struct path *path, struct pipe *p, uint32_t flags, struct file **out) {
    inv_status_t s = file_alloc(path, flags, out);
    if (s != INV_OK)
        return s;
    (*out)->ops = &pipe_ops;
    (*out)->data = p;
    path_get(path); // the file's own
    return INV_OK;
}

inv_status_t pipe_create(struct job *job, uint32_t flags, struct file **out_read, struct file **out_write) {
    struct path path;
    inv_status_t s = anonymous_path("pipe", MODE_FIFO | 0600, &path);
    if (s != INV_OK)
        return s;
    struct pipe *p = NULL;
    s = pipe_alloc(job != NULL ? job : vfs_current_job(), &p);
    if (s == INV_OK)
        s = pipe_end(&path, p, flags & (O_NONBLOCK_ | O_DIRECT_), out_read);
    if (s == INV_OK) {
        s = pipe_end(&path, p, (flags & (O_NONBLOCK_ | O_DIRECT_)) | O_WRONLY_, out_write);
        if (s != INV_OK)
            file_put(*out_read); // not opened yet: it does not touch the pipe
    }
    if (s == INV_OK) {
        p->readers = p->writers = p->reader_opens = p->writer_opens = 1;
        p->files = 2;
        (*out_read)->inode->pipe = p;
        (*out_read)->inode->file_ops = &fifo_ops;
        (*out_read)->holds = (*out_write)->holds = FILE_HOLDS_OPENED;
    } else if (p != NULL) {
        pipe_free(p);
    }
    path_put(&path);
    return s;
}

// --- fifos ------------------------------------------------------------------------------------------------------------

// Waits until the other end has been opened at least once since *opens was seen.
static inv_status_t partner_wait(struct pipe *p, _Atomic uint32_t *opens) {
    uint32_t seen = atomic_load(opens);
    inv_status_t s;
    mutex_unlock(&p->lock);
    WAIT_EVENT(&p->partner_wait, atomic_load(opens) != seen, WAIT_INTERRUPTIBLE, NSTIME_NEVER, s);
    mutex_lock(&p->lock);
    return s == INV_OK ? INV_OK : INV_ERR_RESTART;
}

static inv_status_t fifo_join_locked(struct pipe *p, struct file *file) {
    bool reads = file_readable(file), writes = file_writable(file), nonblocking = file_nonblocking(file);
    bool named = file->path.mount != anonymous_mount; // a pipe opened again through /proc waits for nobody
    if (named && !reads && p->readers == 0 && nonblocking)
        return INV_ERR_NO_ADDRESS;
    p->reader_opens += reads;
    p->writer_opens += writes;
    p->readers += reads;
    p->writers += writes;
    waitq_wake(&p->partner_wait, UINT32_MAX, 0);
    if ((reads && writes) || !named)
        return INV_OK;
    if (reads && p->writers == 0) {
        if (!nonblocking)
            return partner_wait(p, &p->writer_opens);
        file->position = p->writer_opens;
    }
    if (writes && p->readers == 0)
        return partner_wait(p, &p->reader_opens);
    return INV_OK;
}

static inv_status_t fifo_open(struct inode *inode, struct file *file) {
    if (!file_readable(file) && !file_writable(file))
        return INV_ERR_INVALID;
    mutex_lock(&inode->lock);
    struct pipe *p = inode->pipe;
    inv_status_t s = p == NULL ? pipe_alloc(vfs_current_job(), &p) : INV_OK;
    if (s == INV_OK) {
        inode->pipe = p;
        p->files++;
    }
    mutex_unlock(&inode->lock);
    if (s != INV_OK)
        return INV_ERR_NO_MEMORY;
    file->data = p;
    file->ops = &pipe_ops;
    file->position = UINT64_MAX;
    mutex_lock(&p->lock);
    s = fifo_join_locked(p, file);
    mutex_unlock(&p->lock);
    if (s == INV_OK)
        return INV_OK;
    if (s == INV_ERR_NO_ADDRESS)
        pipe_drop(inode, p);
    else
        pipe_release(file);
    return s;
}

const struct file_ops fifo_ops = {.open = fifo_open};

// --- sizes ------------------------------------------------------------------------------------------------------------

bool file_is_pipe(const struct file *f) {
    return f->ops == &pipe_ops;
}

uint64_t pipe_size_rounded(uint64_t bytes) {
    return (uint64_t)pipe_ring_slots_for(bytes) * PAGE_SIZE;
}

inv_status_t pipe_get_size(struct file *f, uint64_t *out_size) {
    if (!file_is_pipe(f))
        return INV_ERR_BAD_FD;
    struct pipe *p = f->data;
    mutex_lock(&p->lock);
    *out_size = (uint64_t)p->ring.slots * PAGE_SIZE;
    mutex_unlock(&p->lock);
    return INV_OK;
}

// The new slots are charged to the user already.
static inv_status_t resize_charged(struct pipe *p, uint32_t slots, uint64_t pages) {
    size_t charge = slots * sizeof(struct pipe_slot);
    bool grows = slots > p->ring.slots;
    if (grows && (beyond(&vfs_pipe_limits.user_pages_hard, pages) || beyond(&vfs_pipe_limits.user_pages_soft, pages)) &&
        bound_by_limits())
        return INV_ERR_NOT_PERMITTED;
    if (pipe_ring_used(&p->ring) > slots)
        return INV_ERR_BUSY;
    if (job_charge(p->job, JOB_MEMORY, charge) != INV_OK)
        return INV_ERR_NO_MEMORY;
    struct pipe_slot *slot = kzalloc(charge), *old = p->ring.slot;
    uint32_t old_slots = p->ring.slots;
    if (slot == NULL) {
        job_uncharge(p->job, JOB_MEMORY, charge);
        return INV_ERR_NO_MEMORY;
    }
    pipe_ring_move(&p->ring, slot, slots);
    slots_free(p, old, old_slots);
    return INV_OK;
}

static inv_status_t resize_locked(struct pipe *p, uint32_t slots) {
    // The old ones are given back at the end; they are not counted twice meanwhile.
    uint64_t pages = slots_charge(p->user, slots) - p->ring.slots;
    inv_status_t s = resize_charged(p, slots, pages);
    if (s != INV_OK)
        slots_charge(p->user, -(int64_t)slots);
    return s;
}

inv_status_t pipe_set_size(struct file *f, uint64_t size, bool privileged, uint64_t *out_size) {
    if (!file_is_pipe(f))
        return INV_ERR_BAD_FD;
    uint32_t slots = pipe_ring_slots_for(size);
    struct pipe *p = f->data;
    if (slots == 0)
        return INV_ERR_INVALID;
    mutex_lock(&p->lock);
    inv_status_t s = INV_OK;
    uint64_t most = atomic_load_explicit(&vfs_pipe_limits.max_size, memory_order_relaxed);
    if (slots > p->ring.slots && ((uint64_t)slots * PAGE_SIZE > most || pipes_hold_much()) && !privileged)
        s = INV_ERR_NOT_PERMITTED;
    if (s == INV_OK && slots != p->ring.slots)
        s = resize_locked(p, slots);
    bool room = !pipe_ring_full(&p->ring);
    mutex_unlock(&p->lock);
    if (room)
        waitq_wake(&p->write_wait, UINT32_MAX, POLL_OUT | POLL_WRNORM);
    *out_size = (uint64_t)slots * PAGE_SIZE;
    return s;
}
