// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Open file descriptions: counting, reading, writing, seeking. Called by the personality's file calls, by exec and by the kernel itself, in thread context.
//
// Invariants:
// I1. A file whose count has fallen to 0 is never counted again; its memory stays until the epoch ends, for readers of descriptor tables.
// I2. ops->release runs exactly once for each ops->open that succeeded.
// Locking: position_lock for position, only taken when somebody else can reach the file: a count of 1 is the caller's own, borrowed or not.

#include <executive/event.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "file.h"
#include "inode.h"

#define SEEK_SET_    0
#define SEEK_CUR_    1
#define SEEK_END_    2
#define SEEK_DATA_   3
#define SEEK_HOLE_   4
#define POSITION_MAX INT64_MAX

static struct slab_cache file_cache;
static const struct vfs_signal_ops *signal_ops;

void file_cache_init(void) {
    slab_cache_init(&file_cache, "file", sizeof(struct file), 0);
}

void vfs_register_signal_ops(const struct vfs_signal_ops *ops) {
    signal_ops = ops;
}

void vfs_broken_pipe(void) {
    if (signal_ops != NULL)
        signal_ops->broken_pipe();
}

struct token *vfs_current_token(void) {
    struct token *t = signal_ops != NULL ? signal_ops->current_token() : NULL;
    return t != NULL ? t : token_root;
}

// --- life -------------------------------------------------------------------------------------------------------------

static void owner_get(struct mapping_owner *o) {
    file_get(container_of(o, struct file, owner));
}

static void owner_put(struct mapping_owner *o) {
    file_put(container_of(o, struct file, owner));
}

static const struct mapping_owner_ops owner_ops = {.get = owner_get, .put = owner_put};

inv_status_t file_alloc(const struct path *path, uint32_t flags, struct file **out) {
    struct job *job = vfs_current_job();
    inv_status_t s = job_charge(job, JOB_MEMORY, sizeof(struct file));
    if (s != INV_OK)
        return s;
    struct file *f = slab_zalloc(&file_cache);
    if (f == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(struct file));
        return INV_ERR_NO_MEMORY;
    }
    object_get(&job->obj);
    f->job = job;
    f->count = 1;
    f->flags = flags;
    f->path = *path;
    f->inode = path_inode(path);
    f->ops = f->inode->file_ops;
    f->owner.ops = &owner_ops;
    f->writing_owner.ops = &file_writing_owner_ops;
    mutex_init(&f->position_lock, LOCK_RANK_VFS_FILE_POS);
    *out = f;
    return INV_OK;
}

static void file_reclaim(struct epoch_node *n) {
    slab_free(&file_cache, container_of(n, struct file, reclaim));
}

void file_put(struct file *f) {
    if (atomic_fetch_sub_explicit(&f->count, 1, memory_order_release) != 1)
        return;
    atomic_thread_fence(memory_order_acquire);
    uint32_t holds = f->holds;
    if (unlikely(holds & FILE_HOLDS_WATCHED))
        epoll_file_gone(f);
    if ((holds & FILE_HOLDS_LOCKS) != 0) {
        file_locks_drop(f, f, true);
        file_locks_drop(f, f, false);
    }
    if ((holds & FILE_HOLDS_LEASE) != 0)
        file_lease_drop(f);
    file_async_drop(f);
    if ((holds & FILE_HOLDS_OPENED) != 0 && f->ops->release != NULL)
        f->ops->release(f);
    if ((holds & FILE_HOLDS_WRITER) != 0) {
        inode_write_end(f->inode);
        mount_write_end(f->path.mount);
    }
    if ((holds & FILE_HOLDS_READER) != 0)
        atomic_fetch_sub_explicit(&f->inode->readers, 1, memory_order_release);
    if ((holds & FILE_HOLDS_DENY_WRITE) != 0)
        inode_allow_write(f->inode);
    if (unlikely(holds & FILE_HOLDS_TREE))
        mount_dissolve(f->path.mount);
    path_put(&f->path);
    job_uncharge(f->job, JOB_MEMORY, sizeof(struct file));
    object_put(&f->job->obj);
    epoch_defer(&f->reclaim, file_reclaim);
}

inv_status_t file_hold_writer(struct file *f) {
    inv_status_t s = mount_write_begin(f->path.mount);
    if (s != INV_OK)
        return s;
    if (!inode_write_begin(f->inode)) {
        mount_write_end(f->path.mount);
        return INV_ERR_TEXT_BUSY;
    }
    atomic_fetch_or_explicit(&f->holds, FILE_HOLDS_WRITER, memory_order_relaxed);
    return INV_OK;
}

void file_closed(struct file *f, const void *owner) {
    if ((f->flags & O_PATH_) != 0)
        return;
    if (f->ops->flush != NULL)
        f->ops->flush(f, owner);
    if (!list_empty(&f->inode->locks))
        file_locks_drop(f, owner, false);
}

// --- reading and writing ----------------------------------------------------------------------------------------------

// Files without a position (pipes, terminals) must not wait for each other's reads.
static bool position_lock(struct file *f) {
    if (f->ops->seek == NULL || atomic_load_explicit(&f->count, memory_order_acquire) == 1)
        return false;
    mutex_lock(&f->position_lock);
    return true;
}

inv_status_t file_read(struct file *f, struct io *io, size_t *out_done) {
    *out_done = 0;
    if (!file_readable(f))
        return INV_ERR_BAD_FD;
    if (f->ops->read == NULL)
        return inode_is(f->inode, MODE_DIRECTORY) ? INV_ERR_IS_DIR : INV_ERR_INVALID;
    bool locked = position_lock(f);
    inv_status_t s = f->ops->read(f, io, &f->position, out_done);
    if (locked)
        mutex_unlock(&f->position_lock);
    return *out_done != 0 ? INV_OK : s;
}

inv_status_t file_write(struct file *f, struct io *io, size_t *out_done) {
    *out_done = 0;
    if (!file_writable(f))
        return INV_ERR_BAD_FD;
    if (f->ops->write == NULL)
        return INV_ERR_INVALID;
    bool locked = position_lock(f);
    inv_status_t s = f->ops->write(f, io, &f->position, out_done);
    if (locked)
        mutex_unlock(&f->position_lock);
    return *out_done != 0 ? INV_OK : s;
}

inv_status_t file_read_at(struct file *f, struct io *io, uint64_t position, size_t *out_done) {
    *out_done = 0;
    if (f->ops->seek == NULL)
        return INV_ERR_NOT_SEEKABLE;
    if (!file_readable(f))
        return INV_ERR_BAD_FD;
    if (f->ops->read == NULL)
        return inode_is(f->inode, MODE_DIRECTORY) ? INV_ERR_IS_DIR : INV_ERR_INVALID;
    inv_status_t s = f->ops->read(f, io, &position, out_done);
    return *out_done != 0 ? INV_OK : s;
}

inv_status_t file_write_at(struct file *f, struct io *io, uint64_t position, size_t *out_done) {
    *out_done = 0;
    if (f->ops->seek == NULL)
        return INV_ERR_NOT_SEEKABLE;
    if (!file_writable(f))
        return INV_ERR_BAD_FD;
    if (f->ops->write == NULL)
        return INV_ERR_INVALID;
    inv_status_t s = f->ops->write(f, io, &position, out_done);
    return *out_done != 0 ? INV_OK : s;
}

inv_status_t file_read_kernel(struct file *f, uint64_t position, void *to, size_t n, size_t *out_done) {
    struct io_vector v;
    struct io io;
    *out_done = 0;
    if (f->ops->read == NULL)
        return INV_ERR_INVALID;
    while (*out_done < n) {
        size_t step = 0;
        uint64_t at = position + *out_done;
        io_init_kernel(&io, &v, (char *)to + *out_done, n - *out_done);
        inv_status_t s = f->ops->read(f, &io, &at, &step);
        *out_done += step;
        if (s != INV_OK && step == 0)
            return s;
        if (step == 0)
            break;
    }
    return INV_OK;
}

inv_status_t file_write_limit(struct file *f, uint64_t position, size_t *inout_n) {
    uint64_t limit = signal_ops != NULL ? signal_ops->file_size_limit() : UINT64_MAX;
    if (likely(limit == UINT64_MAX))
        return INV_OK;
    if (position >= limit) {
        signal_ops->file_too_big();
        return INV_ERR_FILE_TOO_BIG;
    }
    *inout_n = (size_t)MIN((uint64_t)*inout_n, limit - position);
    return INV_OK;
}

void file_touch_atime(struct file *f) {
    struct inode *i = f->inode;
    // Looked at without the lock first: a torn time can only make us look again, or miss one update among those that relatime drops anyway.
    if ((f->flags & O_NOATIME_) != 0)
        return;
    inode_touch_atime(i, mount_flags(f->path.mount));
}

// --- position ---------------------------------------------------------------------------------------------------------

static inv_status_t seek_to(int64_t base, int64_t offset, uint64_t *out_position) {
    int64_t sum;
    if (__builtin_add_overflow(base, offset, &sum) || sum < 0)
        return INV_ERR_INVALID;
    *out_position = (uint64_t)sum;
    return INV_OK;
}

inv_status_t file_seek_in(struct file *f, uint64_t size, int64_t offset, int whence, uint64_t *out_position) {
    switch (whence) {
    case SEEK_SET_: return seek_to(0, offset, out_position);
    case SEEK_CUR_: return seek_to((int64_t)f->position, offset, out_position);
    case SEEK_END_: return seek_to((int64_t)size, offset, out_position);
    case SEEK_DATA_:
    case SEEK_HOLE_: // all data, and a hole at the end
        if (offset < 0 || (uint64_t)offset >= size)
            return INV_ERR_NO_ADDRESS;
        *out_position = whence == SEEK_DATA_ ? (uint64_t)offset : size;
        return INV_OK;
    default: return INV_ERR_INVALID;
    }
}

inv_status_t file_seek(struct file *f, int64_t offset, int whence, uint64_t *out_position) {
    if ((f->flags & O_PATH_) != 0)
        return INV_ERR_BAD_FD;
    if (whence < SEEK_SET_ || whence > SEEK_HOLE_)
        return INV_ERR_INVALID;
    if (f->ops->seek == NULL) {
        *out_position = 0;
        return f->ops->seek_ignored ? INV_OK : INV_ERR_NOT_SEEKABLE;
    }
    bool locked = position_lock(f);
    inv_status_t s = f->ops->seek(f, offset, whence, out_position);
    if (s == INV_OK)
        f->position = *out_position;
    if (locked)
        mutex_unlock(&f->position_lock);
    return s;
}

// --- the rest ---------------------------------------------------------------------------------------------------------

inv_status_t file_ioctl(struct file *f, unsigned command, uint64_t argument, int64_t *out_result) {
    *out_result = 0;
    if ((f->flags & O_PATH_) != 0)
        return INV_ERR_BAD_FD;
    return f->ops->ioctl != NULL ? f->ops->ioctl(f, command, argument, out_result) : INV_ERR_NOT_TTY;
}

void text_sink_print(struct text_sink *sink, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sink->write(sink, text, MIN((size_t)n, sizeof(text) - 1));
}

inv_status_t file_map(struct file *f, bool shared, struct vmo **out) {
    if (f->ops->map == NULL)
        return INV_ERR_NO_DEVICE;
    inv_status_t s = f->ops->map(f, shared, out);
    if (s == INV_OK)
        file_touch_atime(f);
    return s;
}

inv_status_t file_fsync(struct file *f, bool data_only) {
    if ((f->flags & O_PATH_) != 0)
        return INV_ERR_BAD_FD;
    if (f->ops->fsync != NULL)
        return f->ops->fsync(f, data_only);
    // What can hold no data has nothing to bring to safety, and says so.
    return inode_is(f->inode, MODE_REGULAR) || inode_is(f->inode, MODE_DIRECTORY) || inode_is(f->inode, MODE_BLOCK)
               ? INV_OK
               : INV_ERR_INVALID;
}

inv_status_t file_truncate(struct file *f, uint64_t size) {
    struct inode_attributes a = {.valid = ATTR_SIZE, .size = size};
    if ((f->flags & O_PATH_) != 0)
        return INV_ERR_BAD_FD;
    if (!inode_is(f->inode, MODE_REGULAR) || !file_writable(f))
        return INV_ERR_INVALID;
    return vfs_setattr(&f->path, NULL, &a); // who opened it for writing may
}

// Of Linux's modes: which may stand together. The file system says which of them it knows.
static inv_status_t fallocate_mode_check(unsigned mode) {
    unsigned alone = mode & (FALLOCATE_COLLAPSE | FALLOCATE_INSERT);
    if ((mode & ~FALLOCATE_ALL) != 0 ||
        (mode & (FALLOCATE_PUNCH_HOLE | FALLOCATE_ZERO)) == (FALLOCATE_PUNCH_HOLE | FALLOCATE_ZERO) ||
        (mode & (FALLOCATE_PUNCH_HOLE | FALLOCATE_KEEP_SIZE)) == FALLOCATE_PUNCH_HOLE)
        return INV_ERR_OP_NOT_SUPPORTED;
    if (alone != 0 && mode != FALLOCATE_COLLAPSE && mode != FALLOCATE_INSERT)
        return INV_ERR_INVALID;
    return (mode & FALLOCATE_UNSHARE) != 0 && (mode & ~(FALLOCATE_UNSHARE | FALLOCATE_KEEP_SIZE)) != 0 ? INV_ERR_INVALID
                                                                                                       : INV_OK;
}

inv_status_t file_fallocate(struct file *f, unsigned mode, uint64_t offset, uint64_t length) {
    inv_status_t s = fallocate_mode_check(mode);
    if (s != INV_OK)
        return s;
    if (!file_writable(f))
        return INV_ERR_BAD_FD;
    if (inode_is(f->inode, MODE_FIFO))
        return INV_ERR_NOT_SEEKABLE;
    if (inode_is(f->inode, MODE_DIRECTORY))
        return INV_ERR_IS_DIR;
    if (!inode_is(f->inode, MODE_REGULAR))
        return INV_ERR_NO_DEVICE;
    if (offset + length > POSITION_MAX || offset + length < offset)
        return INV_ERR_FILE_TOO_BIG;
    return f->ops->fallocate != NULL ? f->ops->fallocate(f, mode, offset, length) : INV_ERR_OP_NOT_SUPPORTED;
}
