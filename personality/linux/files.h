// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the file families of calls share: descriptors and paths as arguments, flag numbers of the *at calls.
#ifndef LINUX_FILES_H
#define LINUX_FILES_H

#include "calls.h"

#define LINUX_AT_SYMLINK_NOFOLLOW 0x100u
#define LINUX_AT_EACCESS          0x200u
#define LINUX_AT_REMOVEDIR        0x200u
#define LINUX_AT_SYMLINK_FOLLOW   0x400u
#define LINUX_AT_NO_AUTOMOUNT     0x800u
#define LINUX_AT_EMPTY_PATH       0x1000u

#define LINUX_IO_MAX 0x7ffff000u // bytes that one read or write moves at most

// A descriptor for the length of the call; fd_return when done. raw: one opened with O_PATH is fine too.
static inline int64_t linux_fd_raw(uint64_t fd, struct fd_ref *out) {
    return fd_borrow(linux_fds(), (int)fd, out) == INV_OK ? 0 : -LINUX_EBADF;
}
static inline int64_t linux_fd(uint64_t fd, struct fd_ref *out) {
    int64_t r = linux_fd_raw(fd, out);
    if (r == 0 && (out->file->flags & O_PATH_) != 0) {
        fd_return(out);
        return -LINUX_EBADF;
    }
    return r;
}
// A new file's lowest free descriptor, or the error (EMFILE, ENOMEM). Takes over the file's count in either case.
static inline int64_t linux_fd_give(struct file *f, bool close_on_exec) {
    int fd;
    inv_status_t s = fd_install(linux_fds(), f, 0, linux_limit(LINUX_RLIMIT_NOFILE), close_on_exec, &fd);
    if (s == INV_OK)
        return fd;
    file_put(f);
    return linux_result(s);
}
// Bytes that moved, or the error.
static inline int64_t linux_moved(inv_status_t s, size_t done) {
    return done != 0 || s == INV_OK ? (int64_t)done : linux_result(s);
}

bool linux_range_is_user(uint64_t base, uint64_t length);

// Pieces of user memory, as readv and sendmsg name them.
#define LINUX_IOV_FAST 8
#define LINUX_IOV_MAX  1024
struct linux_vectors {
    struct io io;
    struct io_vector fast[LINUX_IOV_FAST];
    struct io_vector *all;
};
// At most LINUX_IO_MAX bytes in all. EINVAL, ENOMEM, EFAULT. linux_vectors_free when it returned 0.
int64_t linux_vectors_get(uint64_t user, uint64_t count, struct linux_vectors *v);
void linux_vectors_free(struct linux_vectors *v);

// A path argument and who asks; linux_at_end when linux_at_begin returned 0.
struct linux_at {
    struct vfs_caller caller;
    struct linux_path path;
};
int64_t linux_at_begin(uint64_t user_path, bool allow_empty, struct linux_at *out);
static inline void linux_at_end(struct linux_at *a) {
    linux_path_put(&a->path);
}
// The file that (dirfd, path, AT_* flags) names; *out is counted. allowed: flags other than these are EINVAL.
int64_t linux_at_lookup(int dirfd, uint64_t user_path, unsigned flags, unsigned allowed, struct path *out);
// stat.c of fields shared with others: the numbers of devices as stat has them.
static inline uint64_t linux_device_encode(devno_t d) {
    uint64_t major = d >> 32, minor = (uint32_t)d;
    return (minor & 0xff) | major << 8 | (minor & ~0xffull) << 12;
}
static inline devno_t linux_device_decode(uint64_t d) {
    return DEVNO((d & 0xfff00) >> 8, (uint32_t)((d & 0xff) | ((d >> 12) & 0xfff00)));
}

#endif
