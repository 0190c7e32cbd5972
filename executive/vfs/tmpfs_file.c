// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// File data of tmpfs: pages of an anonymous VMO, which is also what mmap gives. Thread context.
//
// A write makes the VMO larger first, copies, and shows readers the new size last; so nobody reads zeros where data is about to be. The inode's lock orders writes
// and size changes; reads take no lock. Pages are copied from and to user memory without any lock of the VMO's.
//
// Pages count towards the mount's limit: before a write room for the pages that it may need is looked for, afterwards what the VMO holds is counted.
// (Pages that a shared mapping filled are counted at the next write.)
//
// Invariants: I1. size <= vmo->size, and they are equal when the inode's lock is free.

#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "tmpfs.h"

#define WRITE_CHUNK (16 * PAGE_SIZE) // with a limit: how much is looked ahead

inv_status_t tmpfs_file_data(struct inode *i, struct tmpfs_file **out) {
    struct vmo *v;
    if (i->data == NULL) {
        struct tmpfs_file *f = tmpfs_extra_alloc(i, sizeof(*f));
        if (f == NULL)
            return INV_ERR_NO_MEMORY;
        f->seals = FILE_SEAL_SEAL;
        i->data = f;
    }
    if (i->vmo == NULL) {
        inv_status_t s = vmo_create(vfs_current_job(), 0, &v);
        if (s != INV_OK)
            return s;
        v->page_state = PAGE_FILE;
        atomic_store_explicit(&i->vmo, v, memory_order_release); // whoever sees it sees data as well
    }
    *out = i->data;
    return INV_OK;
}

// What the VMO holds is counted in the mount. Inode's lock held.
static void account(struct inode *i, struct tmpfs_file *f) {
    uint64_t now = atomic_load_explicit(&i->vmo->resident, memory_order_relaxed);
    if (now != f->accounted)
        atomic_fetch_add_explicit(&tmpfs_mount(i->superblock)->pages, now - f->accounted, memory_order_relaxed);
    f->accounted = now;
}

// How many bytes of n at position may be written within the mount's limit.
static size_t room_for(struct inode *i, uint64_t position, size_t n) {
    struct tmpfs_mount *m = tmpfs_mount(i->superblock);
    uint64_t limit = m->page_limit, used = m->pages;
    if (likely(limit == UINT64_MAX))
        return n;
    uint64_t first = position / PAGE_SIZE, last = (position + n - 1) / PAGE_SIZE;
    uint64_t left = limit > used ? limit - used : 0;
    if (last - first < left)
        return n;
    for (uint64_t index = first; index <= last; index++) {
        uint64_t next;
        bool there = vmo_next_resident(i->vmo, index, &next) && next == index;
        if (!there && left-- == 0) {
            uint64_t end = index * PAGE_SIZE;
            return end > position ? (size_t)(end - position) : 0;
        }
    }
    return n;
}

// --- reading ----------------------------------------------------------------------------------------------------------

// Both move on in the io that is their context.
static size_t move_out(void *io, void *page, size_t n) {
    size_t done;

    (void)(page != NULL ? io_to(io, page, n, &done) : io_zero(io, n, &done));
    return n - done;
}

static inv_status_t file_ops_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct inode *i = file->inode;
    struct vmo *v = atomic_load_explicit(&i->vmo, memory_order_acquire);
    uint64_t at = *position;
    inv_status_t s = INV_OK;
    *out_done = 0;
    if (v == NULL)
        return INV_OK;
    uint64_t size = atomic_load_explicit(&((struct tmpfs_file *)i->data)->size, memory_order_acquire);
    if (at >= size)
        return INV_OK;
    s = vmo_read_by(v, at, (size_t)MIN((uint64_t)io->left, size - at), move_out, io, out_done);
    *position = at + *out_done;
    if (*out_done != 0)
        file_touch_atime(file);
    return s;
}

// Holes lend the page of zeros.
static inv_status_t file_ops_lend(struct file *file, uint64_t position, struct page **out, unsigned *out_offset,
                                  size_t *out_length) {
    struct inode *i = file->inode;
    struct vmo *v = atomic_load_explicit(&i->vmo, memory_order_acquire);
    uint64_t size = v != NULL ? atomic_load_explicit(&((struct tmpfs_file *)i->data)->size, memory_order_acquire) : 0;
    *out_length = 0;
    if (position >= size)
        return INV_OK;
    inv_status_t s = vmo_get_page(v, position / PAGE_SIZE, false, out);
    if (s == INV_ERR_RANGE)
        return INV_OK; // cut meanwhile
    if (s != INV_OK)
        return s;
    if (*out == NULL) {
        *out = page_zero;
        page_get(page_zero);
    }
    *out_offset = (unsigned)(position % PAGE_SIZE);
    *out_length = (size_t)MIN((uint64_t)(PAGE_SIZE - *out_offset), size - position);
    return INV_OK;
}

// --- writing ----------------------------------------------------------------------------------------------------------

static size_t move_in(void *io, void *page, size_t n) {
    size_t done;

    (void)io_from(io, page, n, &done);
    return n - done;
}

static inv_status_t copy_in(struct vmo *v, struct io *io, uint64_t at, size_t n, size_t *out_done) {
    inv_status_t s = vmo_write_by(v, at, n, move_in, io, out_done);

    return s == INV_OK && *out_done < n ? INV_ERR_IO : s; // the VMO is large enough and locked against cuts
}

// Inode's lock held; at + n has been found not to overflow.
static inv_status_t write_locked(struct inode *i, struct tmpfs_file *f, struct io *io, uint64_t at, size_t n,
                                 size_t *out_done) {
    struct vmo *v = i->vmo;
    inv_status_t s = INV_OK;
    size_t sum = 0;
    while (sum < n && s == INV_OK) {
        size_t want = tmpfs_mount(i->superblock)->page_limit == UINT64_MAX ? n - sum : MIN(n - sum, WRITE_CHUNK);
        size_t step = room_for(i, at + sum, want), done = 0;
        if (step == 0) {
            s = INV_ERR_NO_SPACE;
            break;
        }
        uint64_t end = at + sum + step;
        if (end > f->size)
            s = vmo_resize(v, end);
        if (s == INV_OK)
            s = copy_in(v, io, at + sum, step, &done);
        sum += done;
        account(i, f);
        if (at + sum > f->size && done != 0)
            atomic_store_explicit(&f->size, at + sum, memory_order_release);
        if (v->size > f->size && vmo_resize(v, f->size) != INV_OK)
            f->size = v->size; // a cut cannot fail for want of anything; if it does, zeros show
    }
    if (s == INV_ERR_NO_MEMORY || s == INV_ERR_QUOTA)
        s = INV_ERR_NO_SPACE;
    *out_done = sum;
    return s;
}

// Seals, as Linux has them: growth ends with the last page that needs none. Cuts *inout_n.
static inv_status_t seals_allow_write(const struct tmpfs_file *f, uint64_t at, size_t *inout_n) {
    if (likely((f->seals & (FILE_SEAL_WRITE | FILE_SEAL_FUTURE_WRITE | FILE_SEAL_GROW)) == 0))
        return INV_OK;
    if ((f->seals & (FILE_SEAL_WRITE | FILE_SEAL_FUTURE_WRITE)) != 0)
        return INV_ERR_NOT_PERMITTED;
    uint64_t size = f->size, last = ALIGN_DOWN(size, (uint64_t)PAGE_SIZE);
    if (at + *inout_n <= size)
        return INV_OK;
    *inout_n = last > at ? (size_t)(last - at) : 0;
    return *inout_n != 0 ? INV_OK : INV_ERR_NOT_PERMITTED;
}

static inv_status_t file_ops_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct inode *i = file->inode;
    struct tmpfs_file *f;
    size_t n = io->left;
    *out_done = 0;
    if (n == 0)
        return INV_OK;
    mutex_lock(&i->lock);
    inv_status_t s = tmpfs_file_data(i, &f);
    if (s == INV_OK) {
        uint64_t at = (file->flags & O_APPEND_) != 0 || io->append ? f->size : *position;
        s = file_write_limit(file, at, &n);
        if (s == INV_OK && at >= VMO_MAX_SIZE)
            s = INV_ERR_FILE_TOO_BIG;
        if (s == INV_OK) {
            n = (size_t)MIN((uint64_t)n, VMO_MAX_SIZE - at);
            s = seals_allow_write(f, at, &n);
        }
        if (s == INV_OK) {
            s = write_locked(i, f, io, at, n, out_done);
        }
        if (*out_done != 0) {
            *position = at + *out_done;
            inode_written(i);
        }
    }
    mutex_unlock(&i->lock);
    return s;
}

// --- sizes and holes --------------------------------------------------------------------------------------------------

inv_status_t tmpfs_file_setattr(struct inode *i, const struct inode_attributes *a) {
    struct tmpfs_file *f;
    if ((a->valid & ATTR_SIZE) == 0 || (a->size == 0 && i->data == NULL))
        return INV_OK;
    inv_status_t s = tmpfs_file_data(i, &f);
    if (s != INV_OK)
        return s;
    uint64_t old = f->size;
    if ((a->size < old && (f->seals & FILE_SEAL_SHRINK) != 0) || (a->size > old && (f->seals & FILE_SEAL_GROW) != 0))
        return INV_ERR_NOT_PERMITTED;
    if (a->size < old)
        atomic_store_explicit(&f->size, a->size, memory_order_release);
    s = vmo_resize(i->vmo, a->size);
    if (s == INV_ERR_RANGE)
        s = INV_ERR_FILE_TOO_BIG;
    atomic_store_explicit(&f->size, s == INV_OK ? a->size : old, memory_order_release);
    account(i, f);
    return s;
}

static inv_status_t allocate_locked(struct inode *i, struct tmpfs_file *f, uint64_t offset, uint64_t length,
                                    bool keep_size) {
    uint64_t end = offset + length, old = f->size;
    inv_status_t s = INV_OK;
    size_t one = 1;
    if (end > old) {
        inv_status_t limited = file_write_limit(NULL, end - 1, &one);
        if (limited != INV_OK)
            return limited;
    }
    if (end > VMO_MAX_SIZE)
        return INV_ERR_FILE_TOO_BIG;
    if (end > old && (f->seals & FILE_SEAL_GROW) != 0)
        return INV_ERR_NOT_PERMITTED;
    if (room_for(i, offset, length) != length)
        return INV_ERR_NO_SPACE;
    if (end > old)
        s = vmo_resize(i->vmo, end);
    for (uint64_t index = offset / PAGE_SIZE; s == INV_OK && index <= (end - 1) / PAGE_SIZE; index++) {
        struct page *p;
        s = vmo_get_page(i->vmo, index, true, &p);
        if (s == INV_OK)
            page_put(p);
        if (current_thread()->user_work != 0) // a signal
            s = INV_ERR_INTERRUPTED;
    }
    if (s == INV_OK && !keep_size && end > old)
        atomic_store_explicit(&f->size, end, memory_order_release);
    if (f->size < i->vmo->size && vmo_resize(i->vmo, f->size) != INV_OK) // preallocation beyond the end is not kept
        f->size = i->vmo->size;
    return s == INV_ERR_NO_MEMORY || s == INV_ERR_QUOTA ? INV_ERR_NO_SPACE : s;
}

static inv_status_t file_ops_fallocate(struct file *file, unsigned mode, uint64_t offset, uint64_t length) {
    struct inode *i = file->inode;
    struct tmpfs_file *f;
    bool punch = (mode & FALLOCATE_PUNCH_HOLE) != 0;
    if ((mode & ~(FALLOCATE_KEEP_SIZE | FALLOCATE_PUNCH_HOLE)) != 0)
        return INV_ERR_OP_NOT_SUPPORTED;
    mutex_lock(&i->lock);
    inv_status_t s = tmpfs_file_data(i, &f);
    if (s == INV_OK && punch && (f->seals & (FILE_SEAL_WRITE | FILE_SEAL_FUTURE_WRITE)) != 0) {
        s = INV_ERR_NOT_PERMITTED;
    } else if (s == INV_OK && punch) {
        uint64_t size = f->size;
        if (offset < size)
            s = vmo_zero_range(i->vmo, offset, MIN(length, size - offset));
    } else if (s == INV_OK) {
        s = allocate_locked(i, f, offset, length, (mode & FALLOCATE_KEEP_SIZE) != 0);
    }
    if (s == INV_OK)
        inode_written(i);
    if (i->vmo != NULL)
        account(i, i->data);
    mutex_unlock(&i->lock);
    return s;
}

#define SEEK_DATA_ 3
#define SEEK_HOLE_ 4

static inv_status_t seek_data(struct vmo *v, uint64_t size, uint64_t from, int whence, uint64_t *out_position) {
    uint64_t index = from / PAGE_SIZE, next;
    if (whence == SEEK_DATA_) {
        if (!vmo_next_resident(v, index, &next) || next * PAGE_SIZE >= size)
            return INV_ERR_NO_ADDRESS;
        *out_position = MAX(from, next * PAGE_SIZE);
        return INV_OK;
    }
    while (vmo_next_resident(v, index, &next) && next == index)
        index++;
    *out_position = MIN(size, MAX(from, index * PAGE_SIZE));
    return INV_OK;
}

static inv_status_t file_ops_seek(struct file *file, int64_t offset, int whence, uint64_t *out_position) {
    struct vmo *v = atomic_load_explicit(&file->inode->vmo, memory_order_acquire);
    uint64_t size = v != NULL ? ((struct tmpfs_file *)file->inode->data)->size : 0;
    if (whence >= SEEK_DATA_ && v != NULL && offset >= 0 && (uint64_t)offset < size)
        return seek_data(v, size, (uint64_t)offset, whence, out_position);
    return file_seek_in(file, size, offset, whence, out_position);
}

static inv_status_t file_ops_map(struct file *file, bool shared, struct vmo **out) {
    struct inode *i = file->inode;
    struct tmpfs_file *f;
    mutex_lock(&i->lock);
    inv_status_t s = tmpfs_file_data(i, &f);
    if (s == INV_OK) {
        *out = i->vmo;
        vmo_get(*out);
    }
    mutex_unlock(&i->lock);
    return s;
}

const struct inode_ops tmpfs_file_inode_ops = {.getattr = tmpfs_getattr, .setattr = tmpfs_file_setattr};

const struct file_ops tmpfs_file_ops = {
    .lend = file_ops_lend,
    .read = file_ops_read,
    .write = file_ops_write,
    .seek = file_ops_seek,
    .map = file_ops_map,
    .fallocate = file_ops_fallocate,
};
