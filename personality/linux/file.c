// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls that move data and sizes: read and write in all forms, lseek, fsync, truncate, fallocate. Also tells executive/vfs how to raise SIGPIPE and SIGXFSZ.

#include <arch/mmu.h>
#include <kernel/boot.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "files.h"
#include "process.h"

// --- what vfs asks ----------------------------------------------------------------------------------------------------

static bool is_linux(void) {
    return linux_thread(current_thread()) != NULL;
}

static void broken_pipe(void) {
    if (is_linux())
        linux_raise(LINUX_SIGPIPE);
}

static void file_too_big(void) {
    if (is_linux())
        linux_raise(LINUX_SIGXFSZ);
}

static uint64_t file_size_limit(void) {
    return is_linux() ? linux_limit(LINUX_RLIMIT_FSIZE) : UINT64_MAX;
}

static struct token *current_token(void) {
    return is_linux() ? linux_token() : NULL;
}

static inv_status_t files_init(void) {
    static const struct vfs_signal_ops ops = {.broken_pipe = broken_pipe,
                                              .file_too_big = file_too_big,
                                              .file_size_limit = file_size_limit,
                                              .current_token = current_token};
    vfs_register_signal_ops(&ops);
    return INV_OK;
}
BOOT_CALL("linux files", BOOT_STAGE_PERSONALITY, files_init);

// --- read and write ---------------------------------------------------------------------------------------------------

bool linux_range_is_user(uint64_t base, uint64_t length) {
    return length <= ARCH_USER_END && base <= ARCH_USER_END - length;
}

enum { AT_POSITION = -1 }; // no position given: the file's own

typedef inv_status_t (*move_fn)(struct file *f, struct io *io, size_t *out_done);
typedef inv_status_t (*move_at_fn)(struct file *f, struct io *io, uint64_t position, size_t *out_done);

static inline void count(bool write, int64_t result) {
    if (write)
        linux_count_write(result);
    else
        linux_count_read(result);
}

static inline int64_t move_plain(struct arch_frame *f, bool write, bool (*allowed)(const struct file *), move_fn move) {
    struct fd_ref r;
    int64_t result = linux_fd_raw(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    uint64_t base = LINUX_ARG(f, 1), n = LINUX_ARG(f, 2);
    struct io_vector v;
    struct io io;
    size_t done = 0;
    if (!allowed(r.file)) {
        result = -LINUX_EBADF;
    } else if (!linux_range_is_user(base, n)) {
        result = -LINUX_EFAULT;
    } else {
        io_init_user(&io, &v, (void user_ptr *)(uintptr_t)base, MIN(n, (uint64_t)LINUX_IO_MAX));
        inv_status_t s = move(r.file, &io, &done);
        result = linux_moved(s, done);
        count(write, result);
    }
    fd_return(&r);
    return result;
}

int64_t linux_read(struct arch_frame *f) {
    return move_plain(f, false, file_readable, file_read);
}

int64_t linux_write(struct arch_frame *f) {
    return move_plain(f, true, file_writable, file_write);
}

static int64_t move_at(struct arch_frame *f, bool write, bool (*allowed)(const struct file *), move_at_fn move) {
    struct fd_ref r;
    uint64_t base = LINUX_ARG(f, 1), n = LINUX_ARG(f, 2), position = LINUX_ARG(f, 3);
    struct io_vector v;
    struct io io;
    size_t done = 0;
    if ((int64_t)position < 0)
        return -LINUX_EINVAL;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    if (r.file->ops->seek == NULL) {
        result = -LINUX_ESPIPE;
    } else if (!allowed(r.file)) {
        result = -LINUX_EBADF;
    } else if (!linux_range_is_user(base, n)) {
        result = -LINUX_EFAULT;
    } else {
        io_init_user(&io, &v, (void user_ptr *)(uintptr_t)base, MIN(n, (uint64_t)LINUX_IO_MAX));
        inv_status_t s = move(r.file, &io, position, &done);
        result = linux_moved(s, done);
        count(write, result);
    }
    fd_return(&r);
    return result;
}

int64_t linux_pread64(struct arch_frame *f) {
    return move_at(f, false, file_readable, file_read_at);
}

int64_t linux_pwrite64(struct arch_frame *f) {
    return move_at(f, true, file_writable, file_write_at);
}

// --- vectors ----------------------------------------------------------------------------------------------------------

void linux_vectors_free(struct linux_vectors *v) {
    if (v->all != v->fast)
        kfree(v->all);
}

// Checks and cuts the pieces to LINUX_IO_MAX in all.
static int64_t vectors_check(struct linux_vectors *v, unsigned count) {
    size_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        struct io_vector *p = &v->all[i];
        if ((int64_t)p->length < 0)
            return -LINUX_EINVAL;
        if (!linux_range_is_user((uintptr_t)p->base, p->length))
            return -LINUX_EFAULT;
        p->length = MIN(p->length, LINUX_IO_MAX - sum);
        sum += p->length;
    }
    v->io = (struct io){.vectors = v->all, .count = count, .left = sum, .user = true};
    return 0;
}

int64_t linux_vectors_get(uint64_t user, uint64_t count, struct linux_vectors *v) {
    v->all = v->fast;
    if (count > LINUX_IOV_MAX)
        return -LINUX_EINVAL;
    if (count > LINUX_IOV_FAST) {
        v->all = kmalloc(count * sizeof(struct io_vector));
        if (v->all == NULL)
            return -LINUX_ENOMEM;
    }
    int64_t result = 0;
    if (arch_copy_from_user(v->all, (const void user_ptr *)(uintptr_t)user, count * sizeof(struct io_vector)) != INV_OK)
        result = -LINUX_EFAULT;
    if (result == 0)
        result = vectors_check(v, (unsigned)count);
    if (result != 0)
        linux_vectors_free(v);
    return result;
}

#define RWF_HARMLESS 0x07u // HIPRI, DSYNC, SYNC: memory is as stable as it gets
#define RWF_APPEND   0x10u // NOWAIT (8): no file says that it could keep the promise, as on Linux 6.1

// Flags are looked at last, and only if there is something to move.
static inv_status_t flags_check(const struct file *file, const struct io *io, bool write, unsigned flags) {
    if (!(write ? file_writable(file) : file_readable(file)))
        return INV_ERR_BAD_FD;
    return io->left == 0 || (flags & ~(RWF_HARMLESS | RWF_APPEND)) == 0 ? INV_OK : INV_ERR_OP_NOT_SUPPORTED;
}

// position AT_POSITION: the file's own.
static int64_t vectors_move(struct arch_frame *f, int64_t position, bool write, unsigned flags) {
    struct fd_ref r;
    struct linux_vectors v;
    size_t done = 0;
    inv_status_t s;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    if (position != AT_POSITION && r.file->ops->seek == NULL)
        result = -LINUX_ESPIPE;
    if (result == 0)
        result = linux_vectors_get(LINUX_ARG(f, 1), LINUX_ARG(f, 2), &v);
    if (result == 0) {
        v.io.append = (flags & RWF_APPEND) != 0;
        if (flags != 0 && (s = flags_check(r.file, &v.io, write, flags)) != INV_OK)
            ;
        else if (position == AT_POSITION)
            s = write ? file_write(r.file, &v.io, &done) : file_read(r.file, &v.io, &done);
        else
            s = write ? file_write_at(r.file, &v.io, (uint64_t)position, &done)
                      : file_read_at(r.file, &v.io, (uint64_t)position, &done);
        result = linux_moved(s, done);
        linux_vectors_free(&v);
    }
    fd_return(&r);
    return result;
}

// A call with vectors counts whatever comes of it.
static int64_t move_vectors(struct arch_frame *f, int64_t position, bool write, unsigned flags) {
    int64_t result = vectors_move(f, position, write, flags);

    count(write, result);
    return result;
}

int64_t linux_readv(struct arch_frame *f) {
    return move_vectors(f, AT_POSITION, false, 0);
}

int64_t linux_writev(struct arch_frame *f) {
    return move_vectors(f, AT_POSITION, true, 0);
}

static int64_t move_vectors_at(struct arch_frame *f, bool write) {
    int64_t position = (int64_t)LINUX_ARG(f, 3);
    return position < 0 ? -LINUX_EINVAL : move_vectors(f, position, write, 0);
}

int64_t linux_preadv(struct arch_frame *f) {
    return move_vectors_at(f, false);
}

int64_t linux_pwritev(struct arch_frame *f) {
    return move_vectors_at(f, true);
}

static int64_t move_vectors_flags(struct arch_frame *f, bool write) {
    int64_t position = (int64_t)LINUX_ARG(f, 3);
    if (position < AT_POSITION)
        return -LINUX_EINVAL;
    return move_vectors(f, position, write, (unsigned)LINUX_ARG(f, 5));
}

int64_t linux_preadv2(struct arch_frame *f) {
    return move_vectors_flags(f, false);
}

int64_t linux_pwritev2(struct arch_frame *f) {
    return move_vectors_flags(f, true);
}

// --- position ---------------------------------------------------------------------------------------------------------

int64_t linux_lseek(struct arch_frame *f) {
    struct fd_ref r;
    uint64_t position;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    inv_status_t s = file_seek(r.file, (int64_t)LINUX_ARG(f, 1), (int)LINUX_ARG(f, 2), &position);
    fd_return(&r);
    return s == INV_OK ? (int64_t)position : linux_result(s);
}

// --- sizes and safety -------------------------------------------------------------------------------------------------

static int64_t sync_file(struct arch_frame *f, bool data_only) {
    struct fd_ref r;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    result = linux_result(file_fsync(r.file, data_only));
    fd_return(&r);
    return result;
}

int64_t linux_fsync(struct arch_frame *f) {
    return sync_file(f, false);
}

int64_t linux_fdatasync(struct arch_frame *f) {
    return sync_file(f, true);
}

int64_t linux_ftruncate(struct arch_frame *f) {
    struct fd_ref r;
    if ((int64_t)LINUX_ARG(f, 1) < 0)
        return -LINUX_EINVAL;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    result = linux_result(file_truncate(r.file, LINUX_ARG(f, 1)));
    fd_return(&r);
    return result;
}

int64_t linux_truncate(struct arch_frame *f) {
    struct path p;
    struct inode_attributes a = {.valid = ATTR_SIZE, .size = LINUX_ARG(f, 1)};
    if ((int64_t)LINUX_ARG(f, 1) < 0)
        return -LINUX_EINVAL;
    int64_t result = linux_at_lookup(AT_FDCWD_, LINUX_ARG(f, 0), 0, 0, &p);
    if (result != 0)
        return result;
    result = linux_result(vfs_setattr(&p, linux_token(), &a));
    path_put(&p);
    return result;
}

int64_t linux_fallocate(struct arch_frame *f) {
    struct fd_ref r;
    int64_t offset = (int64_t)LINUX_ARG(f, 2), length = (int64_t)LINUX_ARG(f, 3);
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    if (offset < 0 || length <= 0)
        result = -LINUX_EINVAL;
    else
        result = linux_result(file_fallocate(r.file, (unsigned)LINUX_ARG(f, 1), (uint64_t)offset, (uint64_t)length));
    fd_return(&r);
    return result;
}

#define SYNC_RANGE_ALL 7u // WAIT_BEFORE, WRITE, WAIT_AFTER

// Memory needs no bringing to safety: the arguments are checked all the same.
int64_t linux_sync_file_range(struct arch_frame *f) {
    struct fd_ref r;
    int64_t offset = (int64_t)LINUX_ARG(f, 1), length = (int64_t)LINUX_ARG(f, 2), end;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    uint32_t type = r.file->inode->mode & MODE_FMT;
    if (((unsigned)LINUX_ARG(f, 3) & ~SYNC_RANGE_ALL) != 0 || offset < 0 ||
        __builtin_add_overflow(offset, length, &end) || end < offset)
        result = -LINUX_EINVAL;
    else if (type != MODE_REGULAR && type != MODE_BLOCK && type != MODE_DIRECTORY)
        result = -LINUX_ESPIPE;
    fd_return(&r);
    return result;
}

int64_t linux_readahead(struct arch_frame *f) {
    struct fd_ref r;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    uint32_t type = r.file->inode->mode & MODE_FMT;
    if (!file_readable(r.file))
        result = -LINUX_EBADF;
    else if ((type != MODE_REGULAR && type != MODE_BLOCK) || r.file->ops->map == NULL || (int64_t)LINUX_ARG(f, 2) < 0)
        result = -LINUX_EINVAL;
    fd_return(&r);
    return result;
}

// Advice about access: nothing is read ahead in memory.
int64_t linux_fadvise64(struct arch_frame *f) {
    struct fd_ref r;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    if (file_is_pipe(r.file))
        result = -LINUX_ESPIPE;
    else if ((int64_t)LINUX_ARG(f, 2) < 0 || (unsigned)LINUX_ARG(f, 3) > 5)
        result = -LINUX_EINVAL;
    fd_return(&r);
    return result;
}
