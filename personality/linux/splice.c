// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls that move data from one file to another: splice, tee, vmsplice, sendfile, copy_file_range. What moves how is executive/vfs/splice.c's; here are the
// rules of who may be asked for what, in Linux's order.

#include <executive/splice.h>
#include <kernel/slab.h>

#include "files.h"
#include "process.h"

#define SPLICE_F_MOVE     1u
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_MORE     4u
#define SPLICE_F_GIFT     8u
#define SPLICE_F_ALL      (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

#define COPY_PIECE (16 * PAGE_SIZE)

// --- offsets ----------------------------------------------------------------------------------------------------------

// Where a call moves: at the offset that the program gave, or at the file's own.
struct place {
    uint64_t user; // address of the offset, 0: none
    uint64_t at;
};

static int64_t place_get(struct place *p, uint64_t user, const struct file *file) {
    p->user = user;
    p->at = file->position;
    if (user != 0 && arch_copy_from_user(&p->at, (const void user_ptr *)(uintptr_t)user, sizeof(p->at)) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}

// False: the program's memory could not be written.
static bool place_set(const struct place *p, struct file *file) {
    if (p->user != 0)
        return arch_copy_to_user((void user_ptr *)(uintptr_t)p->user, &p->at, sizeof(p->at)) == INV_OK;
    file->position = p->at;
    return true;
}

static bool range_is_valid(uint64_t at, uint64_t n) {
    return (int64_t)at >= 0 && (int64_t)(at + n) >= 0;
}

// --- splice -----------------------------------------------------------------------------------------------------------

static int64_t splice_between_pipes(struct file *in, struct file *out, size_t n, unsigned flags) {
    size_t done = 0;
    bool nonblocking = (flags & SPLICE_F_NONBLOCK) != 0 || file_nonblocking(in) || file_nonblocking(out);
    if (in->data == out->data)
        return -LINUX_EINVAL;
    inv_status_t s = splice_pipes(in, out, n, nonblocking, &done);
    return linux_moved(s, done);
}

static int64_t splice_out(struct file *in, struct file *out, struct place *place, size_t n, unsigned flags) {
    size_t done = 0;
    if (place->user != 0 && out->ops->seek == NULL)
        return -LINUX_EINVAL;
    if ((out->flags & O_APPEND_) != 0 || !range_is_valid(place->at, n))
        return -LINUX_EINVAL;
    inv_status_t s = splice_from_pipe(in, out, &place->at, n, (flags & SPLICE_F_NONBLOCK) != 0 || file_nonblocking(in),
                                      &done);
    return linux_moved(s, done);
}

static int64_t splice_in(struct file *in, struct place *place, struct file *out, size_t n, unsigned flags) {
    size_t done = 0;
    if (place->user != 0 && in->ops->seek == NULL)
        return -LINUX_EINVAL;
    if (!range_is_valid(place->at, 0))
        return -LINUX_EINVAL;
    inv_status_t s = splice_to_pipe(in, &place->at, out, n, (flags & SPLICE_F_NONBLOCK) != 0 || file_nonblocking(out),
                                    &done);
    return linux_moved(s, done);
}

static int64_t splice_files(struct file *in, uint64_t in_offset, struct file *out, uint64_t out_offset, size_t n,
                            unsigned flags) {
    struct place from, to;
    bool in_pipe = file_is_pipe(in), out_pipe = file_is_pipe(out);
    if ((in_pipe && in_offset != 0) || (out_pipe && out_offset != 0))
        return -LINUX_ESPIPE;
    int64_t result = place_get(&to, out_offset, out);
    if (result == 0)
        result = place_get(&from, in_offset, in);
    if (result != 0)
        return result;
    if (!file_readable(in) || !file_writable(out))
        return -LINUX_EBADF;
    if (in_pipe && out_pipe)
        return splice_between_pipes(in, out, n, flags);
    if (!in_pipe && !out_pipe)
        return -LINUX_EINVAL;
    result = in_pipe ? splice_out(in, out, &to, n, flags) : splice_in(in, &from, out, n, flags);
    if (result >= 0 && !(in_pipe ? place_set(&to, out) : place_set(&from, in)))
        return -LINUX_EFAULT;
    return result;
}

int64_t linux_splice(struct arch_frame *f) {
    struct fd_ref in, out;
    uint64_t n = LINUX_ARG(f, 4);
    unsigned flags = (unsigned)LINUX_ARG(f, 5);
    if (n == 0)
        return 0;
    if ((flags & ~SPLICE_F_ALL) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &in);
    if (result != 0)
        return result;
    result = linux_fd(LINUX_ARG(f, 2), &out);
    if (result == 0) {
        result = splice_files(in.file, LINUX_ARG(f, 1), out.file, LINUX_ARG(f, 3), MIN(n, (uint64_t)LINUX_IO_MAX),
                              flags);
        fd_return(&out);
    }
    fd_return(&in);
    return result;
}

static int64_t tee_files(struct file *in, struct file *out, size_t n, unsigned flags) {
    size_t done = 0;
    bool nonblocking = (flags & SPLICE_F_NONBLOCK) != 0 || file_nonblocking(in) || file_nonblocking(out);
    if (!file_readable(in) || !file_writable(out))
        return -LINUX_EBADF;
    if (!file_is_pipe(in) || !file_is_pipe(out) || in->data == out->data)
        return -LINUX_EINVAL;
    inv_status_t s = splice_tee(in, out, n, nonblocking, &done);
    return linux_moved(s, done);
}

int64_t linux_tee(struct arch_frame *f) {
    struct fd_ref in, out;
    uint64_t n = LINUX_ARG(f, 2);
    unsigned flags = (unsigned)LINUX_ARG(f, 3);
    if ((flags & ~SPLICE_F_ALL) != 0)
        return -LINUX_EINVAL;
    if (n == 0)
        return 0;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &in);
    if (result != 0)
        return result;
    result = linux_fd(LINUX_ARG(f, 1), &out);
    if (result == 0) {
        result = tee_files(in.file, out.file, MIN(n, (uint64_t)LINUX_IO_MAX), flags);
        fd_return(&out);
    }
    fd_return(&in);
    return result;
}

int64_t linux_vmsplice(struct arch_frame *f) {
    struct fd_ref r;
    struct linux_vectors v;
    unsigned flags = (unsigned)LINUX_ARG(f, 3);
    bool nonblocking = (flags & SPLICE_F_NONBLOCK) != 0; // the file's own flag does not count
    size_t done = 0;
    if ((flags & ~SPLICE_F_ALL) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    result = linux_vectors_get(LINUX_ARG(f, 1), LINUX_ARG(f, 2), &v);
    if (result == 0) {
        inv_status_t s = INV_OK;
        if (v.io.left != 0 && !file_is_pipe(r.file))
            s = INV_ERR_BAD_FD;
        else if (v.io.left != 0)
            s = file_writable(r.file) ? splice_memory_to_pipe(&v.io, r.file, nonblocking, &done)
                                      : splice_pipe_to_memory(r.file, &v.io, nonblocking, &done);
        result = linux_moved(s, done);
        linux_vectors_free(&v);
    }
    fd_return(&r);
    return result;
}

// --- file to file -----------------------------------------------------------------------------------------------------

// Copies up to n bytes through a buffer; both places follow what was written.
static int64_t copy_through(struct file *in, uint64_t *from, struct file *out, uint64_t *to, size_t n) {
    char *buffer = kmalloc(COPY_PIECE);
    inv_status_t s = INV_OK;
    size_t sum = 0;
    if (buffer == NULL)
        return -LINUX_ENOMEM;
    while (sum < n && s == INV_OK) {
        struct io_vector v;
        struct io io;
        size_t got, put = 0;
        s = file_read_kernel(in, *from, buffer, MIN(n - sum, COPY_PIECE), &got);
        if (s != INV_OK || got == 0)
            break;
        io_init_kernel(&io, &v, buffer, got);
        s = out->ops->write(out, &io, to, &put);
        *from += put;
        sum += put;
        if (put < got || linux_signal_pending())
            break;
    }
    kfree(buffer);
    return linux_moved(s, sum);
}

static int64_t send_file(struct file *out, struct file *in, struct place *from, size_t n) {
    size_t done = 0;
    if (!range_is_valid(from->at, n))
        return -LINUX_EINVAL;
    if (file_is_pipe(out)) {
        inv_status_t s = splice_to_pipe(in, &from->at, out, n, file_nonblocking(out), &done);
        return linux_moved(s, done);
    }
    uint64_t to = out->position;
    if ((out->flags & O_APPEND_) != 0 || in->ops->seek == NULL || !splice_readable(in) || !splice_writable(out))
        return -LINUX_EINVAL;
    int64_t result = copy_through(in, &from->at, out, &to, n);
    if (result > 0)
        out->position = to;
    return result;
}

int64_t linux_sendfile(struct arch_frame *f) {
    struct fd_ref in, out;
    struct place from;
    uint64_t user = LINUX_ARG(f, 2), given;
    if (user != 0 && arch_copy_from_user(&given, (const void user_ptr *)(uintptr_t)user, sizeof(given)) != INV_OK)
        return -LINUX_EFAULT;
    int64_t result = linux_fd(LINUX_ARG(f, 1), &in);
    if (result != 0)
        return result;
    from = (struct place){.user = user, .at = user != 0 ? given : in.file->position};
    if (!file_readable(in.file))
        result = -LINUX_EBADF;
    else if (user != 0 && in.file->ops->seek == NULL)
        result = -LINUX_ESPIPE;
    else if ((int64_t)from.at < 0)
        result = -LINUX_EINVAL;
    else
        result = linux_fd(LINUX_ARG(f, 0), &out);
    if (result == 0) {
        result = file_writable(out.file)
                     ? send_file(out.file, in.file, &from, MIN(LINUX_ARG(f, 3), (uint64_t)LINUX_IO_MAX))
                     : -LINUX_EBADF;
        linux_count_read(result);
        linux_count_write(result);
        fd_return(&out);
    }
    if (result >= 0 && !place_set(&from, in.file))
        result = -LINUX_EFAULT;
    fd_return(&in);
    return result;
}

static int64_t copy_check(struct file *in, uint64_t from, struct file *out, uint64_t to, size_t *inout_n) {
    unsigned in_type = in->inode->mode & MODE_FMT, out_type = out->inode->mode & MODE_FMT;
    struct inode_stat st;
    if (in_type == MODE_DIRECTORY || out_type == MODE_DIRECTORY)
        return -LINUX_EISDIR;
    if (in_type != MODE_REGULAR || out_type != MODE_REGULAR)
        return -LINUX_EINVAL;
    if (!file_readable(in) || !file_writable(out) || (out->flags & O_APPEND_) != 0)
        return -LINUX_EBADF;
    if (in->inode->superblock != out->inode->superblock)
        return -LINUX_EXDEV;
    if (from + *inout_n < from || to + *inout_n < to)
        return -LINUX_EOVERFLOW;
    inv_status_t s = vfs_stat(&in->path, &st);
    if (s != INV_OK)
        return linux_result(s);
    *inout_n = from >= st.size ? 0 : (size_t)MIN((uint64_t)*inout_n, st.size - from);
    if (*inout_n != 0)
        s = file_write_limit(out, to, inout_n);
    if (s != INV_OK)
        return linux_result(s);
    if (in->inode == out->inode && to + *inout_n > from && to < from + *inout_n)
        return -LINUX_EINVAL;
    return range_is_valid(from, *inout_n) && range_is_valid(to, *inout_n) ? 0 : -LINUX_EINVAL;
}

static int64_t copy_range(struct file *in, uint64_t in_offset, struct file *out, uint64_t out_offset, uint64_t length,
                          unsigned flags) {
    struct place from, to;
    size_t n = length;
    int64_t result = place_get(&from, in_offset, in);
    if (result == 0)
        result = place_get(&to, out_offset, out);
    if (result == 0 && flags != 0)
        result = -LINUX_EINVAL;
    if (result == 0)
        result = copy_check(in, from.at, out, to.at, &n);
    if (result != 0 || n == 0)
        return result;
    result = copy_through(in, &from.at, out, &to.at, MIN(n, (size_t)LINUX_IO_MAX));
    linux_count_read(result);
    linux_count_write(result);
    if (result > 0 && (!place_set(&from, in) || !place_set(&to, out)))
        return -LINUX_EFAULT;
    return result;
}

int64_t linux_copy_file_range(struct arch_frame *f) {
    struct fd_ref in, out;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &in);
    if (result != 0)
        return result;
    result = linux_fd(LINUX_ARG(f, 2), &out);
    if (result == 0) {
        result = copy_range(in.file, LINUX_ARG(f, 1), out.file, LINUX_ARG(f, 3), LINUX_ARG(f, 4),
                            (unsigned)LINUX_ARG(f, 5));
        fd_return(&out);
    }
    fd_return(&in);
    return result;
}
