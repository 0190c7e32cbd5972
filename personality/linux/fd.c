// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls that make, copy, close and change descriptors: open, close, dup, fcntl (locks and leases: file_lock.c), ioctl.

#include <executive/net.h>
#include <executive/tty.h>
#include <kernel/string.h>

#include "file_lock.h"
#include "file_owner.h"
#include "files.h"
#include "memfd.h"
#include "process.h"

#define VALID_OPEN_FLAGS                                                                                     \
    (O_ACCMODE_ | O_CREAT_ | O_EXCL_ | O_NOCTTY_ | O_TRUNC_ | O_APPEND_ | O_NONBLOCK_ | O_SYNC_ | O_DSYNC_ | \
     O_ASYNC_ | O_DIRECT_ | O_LARGEFILE_ | O_DIRECTORY_ | O_NOFOLLOW_ | O_NOATIME_ | O_CLOEXEC_ | O_PATH_ |  \
     O_TMPFILE_)
#define SETTABLE_FLAGS (O_APPEND_ | O_NONBLOCK_ | O_DIRECT_ | O_NOATIME_)

// --- open -------------------------------------------------------------------------------------------------------------

static int64_t open_by(int dirfd, uint64_t user_path, unsigned flags, uint32_t mode, unsigned walk) {
    struct linux_at at;
    struct file *file;
    int fd;
    int64_t result = linux_at_begin(user_path, false, &at);
    if (result != 0)
        return result;
    inv_status_t s = fd_reserve(at.caller.fds, 0, linux_limit(LINUX_RLIMIT_NOFILE), (flags & O_CLOEXEC_) != 0, &fd);
    if (s == INV_OK) {
        s = vfs_open_walk(&at.caller, dirfd, at.path.text, flags | O_LARGEFILE_, mode, walk, &file);
        if (s == INV_OK)
            fd_fill(at.caller.fds, fd, file);
        else
            fd_unreserve(at.caller.fds, fd);
    }
    linux_at_end(&at);
    return s == INV_OK ? fd : linux_result(s);
}

static int64_t open_at(int dirfd, uint64_t user_path, unsigned flags, uint32_t mode) {
    return open_by(dirfd, user_path, flags & VALID_OPEN_FLAGS, mode, 0);
}

int64_t linux_open(struct arch_frame *f) {
    return open_at(AT_FDCWD_, LINUX_ARG(f, 0), (unsigned)LINUX_ARG(f, 1), (uint32_t)LINUX_ARG(f, 2));
}

int64_t linux_openat(struct arch_frame *f) {
    return open_at((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (unsigned)LINUX_ARG(f, 2), (uint32_t)LINUX_ARG(f, 3));
}

int64_t linux_creat(struct arch_frame *f) {
    return open_at(AT_FDCWD_, LINUX_ARG(f, 0), O_CREAT_ | O_WRONLY_ | O_TRUNC_, (uint32_t)LINUX_ARG(f, 1));
}

// --- openat2 ----------------------------------------------------------------------------------------------------------

struct open_how {
    uint64_t flags, mode, resolve;
};

#define RESOLVE_BENEATH 0x08u
#define RESOLVE_IN_ROOT 0x10u
#define RESOLVE_CACHED  0x20u

// By the bit of openat2's resolve.
static const unsigned walk_of_resolve[] = {WALK_NO_CROSSING, WALK_NO_MAGICLINKS, WALK_NO_SYMLINKS,
                                           WALK_BENEATH,     WALK_IN_ROOT,       WALK_CACHED};

static int64_t open_how_check(const struct open_how *how) {
    const uint64_t tmpfile = O_TMPFILE_ & ~O_DIRECTORY_, scopes = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
    const uint64_t path_only = O_PATH_ | O_DIRECTORY_ | O_NOFOLLOW_ | O_CLOEXEC_;
    uint64_t flags = how->flags;
    bool makes = (flags & (O_CREAT_ | tmpfile)) != 0;
    if ((flags & ~(uint64_t)VALID_OPEN_FLAGS) != 0 || how->resolve >> ARRAY_SIZE(walk_of_resolve) != 0 ||
        (how->resolve & scopes) == scopes || (how->mode & ~(makes ? 07777ull : 0ull)) != 0)
        return -LINUX_EINVAL;
    if ((flags & tmpfile) != 0 && ((flags & (O_TMPFILE_ | O_CREAT_)) != O_TMPFILE_ || (flags & O_ACCMODE_) == 0))
        return -LINUX_EINVAL;
    if ((flags & O_PATH_) != 0 && (flags & ~path_only) != 0)
        return -LINUX_EINVAL;
    return (how->resolve & RESOLVE_CACHED) != 0 && (flags & (O_TRUNC_ | O_CREAT_ | tmpfile)) != 0 ? -LINUX_EAGAIN : 0;
}

int64_t linux_openat2(struct arch_frame *f) {
    struct open_how how;
    unsigned walk = 0;
    uint64_t size = LINUX_ARG(f, 3);
    if (size < sizeof(how))
        return -LINUX_EINVAL;
    if (size > PAGE_SIZE)
        return -LINUX_E2BIG;
    int64_t result = linux_struct_get(&how, sizeof(how), LINUX_ARG(f, 2), size);
    if (result == 0)
        result = open_how_check(&how);
    if (result != 0)
        return result;
    for (unsigned i = 0; i < ARRAY_SIZE(walk_of_resolve); i++)
        walk |= (how.resolve >> i & 1) != 0 ? walk_of_resolve[i] : 0;
    return open_by((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (unsigned)how.flags, (uint32_t)how.mode, walk);
}

// --- close ------------------------------------------------------------------------------------------------------------

int64_t linux_close(struct arch_frame *f) {
    return linux_result(fd_close(linux_fds(), (int)LINUX_ARG(f, 0)));
}

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

static int64_t table_unshare(void) {
    struct linux_thread *t = linux_current();
    struct fd_table *old = t->files, *copy;
    if (!fd_table_shared(old))
        return 0;
    inv_status_t s = fd_table_copy(old, linux_job(), &copy);
    if (s != INV_OK)
        return linux_result(s);
    irq_flags_t flags = spin_lock_irq(&t->process->lock); // others look at it under this lock (/proc)
    t->files = copy;
    spin_unlock_irq(&t->process->lock, flags);
    fd_table_put(old);
    return 0;
}

int64_t linux_close_range(struct arch_frame *f) {
    unsigned first = (unsigned)LINUX_ARG(f, 0), last = (unsigned)LINUX_ARG(f, 1), flags = (unsigned)LINUX_ARG(f, 2);
    if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0 || first > last)
        return -LINUX_EINVAL;
    if ((flags & CLOSE_RANGE_UNSHARE) != 0) {
        int64_t result = table_unshare();
        if (result != 0)
            return result;
    }
    struct fd_table *t = linux_fds();
    for (int fd = first <= INT32_MAX ? fd_next(t, (int)first) : -1; fd >= 0 && (unsigned)fd <= last;
         fd = fd_next(t, fd + 1)) {
        if ((flags & CLOSE_RANGE_CLOEXEC) != 0)
            (void)!fd_set_flags(t, fd, true);
        else
            (void)!fd_close(t, fd); // BAD_FD: another thread was faster
    }
    return 0;
}

// --- dup --------------------------------------------------------------------------------------------------------------

static int64_t duplicate(uint64_t from, int lowest, bool close_on_exec) {
    struct file *file;
    int fd;
    inv_status_t s = fd_get(linux_fds(), (int)from, &file);
    if (s != INV_OK)
        return linux_result(s);
    s = fd_install(linux_fds(), file, lowest, linux_limit(LINUX_RLIMIT_NOFILE), close_on_exec, &fd);
    if (s != INV_OK) {
        file_put(file);
        return linux_result(s);
    }
    return fd;
}

static int64_t duplicate_to(int from, int to, bool close_on_exec) {
    struct file *file;
    uint64_t limit = linux_limit(LINUX_RLIMIT_NOFILE);
    if (to < 0 || (uint64_t)to >= limit)
        return -LINUX_EBADF;
    inv_status_t s = fd_get(linux_fds(), from, &file);
    if (s != INV_OK)
        return linux_result(s);
    s = fd_install_at(linux_fds(), file, to, limit, close_on_exec);
    if (s != INV_OK) {
        file_put(file);
        return linux_result(s);
    }
    return to;
}

int64_t linux_dup(struct arch_frame *f) {
    return duplicate(LINUX_ARG(f, 0), 0, false);
}

int64_t linux_dup2(struct arch_frame *f) {
    int from = (int)LINUX_ARG(f, 0), to = (int)LINUX_ARG(f, 1);
    bool ignored;
    if (from == to)
        return fd_get_flags(linux_fds(), from, &ignored) == INV_OK ? to : -LINUX_EBADF;
    return duplicate_to(from, to, false);
}

int64_t linux_dup3(struct arch_frame *f) {
    int from = (int)LINUX_ARG(f, 0), to = (int)LINUX_ARG(f, 1);
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    if ((flags & ~O_CLOEXEC_) != 0 || from == to)
        return -LINUX_EINVAL;
    return duplicate_to(from, to, (flags & O_CLOEXEC_) != 0);
}

// --- fcntl ------------------------------------------------------------------------------------------------------------

enum fcntl_command {
    F_DUPFD,
    F_GETFD,
    F_SETFD,
    F_GETFL,
    F_SETFL,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ,
    F_GETPIPE_SZ,
};

// A terminal that nobody owns signals its foreground group, or who asked.
static int64_t async_set(int fd, struct file *file, bool on) {
    int group = on ? tty_file_group(file) : -1;
    int64_t result = linux_result(file_async_set(file, fd, on));

    if (result == 0 && group >= 0)
        (void)linux_file_owner_claim(file, group); // a group that has gone leaves nobody
    return result;
}

static int64_t flags_set(int fd, struct file *file, unsigned flags) {
    struct inode *i = file->inode;
    if ((flags & O_NOATIME_) != 0 && (file->flags & O_NOATIME_) == 0 && i->uid != linux_token()->fsuid &&
        !token_capable(linux_token(), CAP_FOWNER))
        return -LINUX_EPERM;
    if ((flags & O_DIRECT_) != 0 && (i->mode & MODE_FMT) != MODE_FIFO)
        return -LINUX_EINVAL;
    if (((flags ^ file->flags) & O_ASYNC_) != 0) {
        int64_t result = async_set(fd, file, (flags & O_ASYNC_) != 0);
        if (result != 0)
            return result;
    }
    uint32_t old = file->flags;
    while (!atomic_compare_exchange_weak(&file->flags, &old, (old & ~SETTABLE_FLAGS) | (flags & SETTABLE_FLAGS)))
        ;
    return 0;
}

static int64_t duplicate_from(uint64_t fd, uint64_t lowest, bool close_on_exec) {
    if (lowest >= linux_limit(LINUX_RLIMIT_NOFILE))
        return -LINUX_EINVAL;
    return duplicate(fd, (int)lowest, close_on_exec);
}

static int64_t pipe_size(struct file *file, unsigned command, uint64_t argument) {
    uint64_t size;
    inv_status_t s = command == F_GETPIPE_SZ ? pipe_get_size(file, &size)
                                             : pipe_set_size(file, (uint32_t)argument,
                                                             token_capable(linux_token(), CAP_SYS_RESOURCE), &size);
    return s == INV_OK ? (int64_t)size : linux_result(s);
}

// Those that need the file open for more than its place.
static int64_t fcntl_file(int fd, struct file *file, unsigned command, uint64_t argument) {
    switch (command) {
    case F_SETFL: return flags_set(fd, file, (unsigned)argument);
    case LINUX_F_GETLK:
    case LINUX_F_SETLK:
    case LINUX_F_SETLKW:
    case LINUX_F_OFD_GETLK:
    case LINUX_F_OFD_SETLK:
    case LINUX_F_OFD_SETLKW:
    case LINUX_F_SETLEASE:
    case LINUX_F_GETLEASE: return linux_file_lock_fcntl(fd, file, command, argument);
    case LINUX_F_SETOWN:
    case LINUX_F_GETOWN:
    case LINUX_F_SETSIG:
    case LINUX_F_GETSIG:
    case LINUX_F_SETOWN_EX:
    case LINUX_F_GETOWN_EX:
    case LINUX_F_GETOWNER_UIDS: return linux_file_owner_fcntl(file, command, argument);
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ: return pipe_size(file, command, argument);
    case LINUX_F_ADD_SEALS:
    case LINUX_F_GET_SEALS:
    case LINUX_F_GET_RW_HINT:
    case LINUX_F_SET_RW_HINT: return linux_memfd_fcntl(file, command, argument);
    default: return -LINUX_EINVAL;
    }
}

static int64_t descriptor_flags_get(int fd) {
    bool close_on_exec;
    inv_status_t s = fd_get_flags(linux_fds(), fd, &close_on_exec);
    return s == INV_OK ? close_on_exec : linux_result(s);
}

int64_t linux_fcntl(struct arch_frame *f) {
    uint64_t fd = LINUX_ARG(f, 0), argument = LINUX_ARG(f, 2);
    unsigned command = (unsigned)LINUX_ARG(f, 1);
    struct fd_ref r;
    int64_t result = linux_fd_raw(fd, &r);
    if (result != 0)
        return result;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: result = duplicate_from(fd, argument, command == F_DUPFD_CLOEXEC); break;
    case F_GETFD: result = descriptor_flags_get((int)fd); break;
    case F_SETFD: result = linux_result(fd_set_flags(linux_fds(), (int)fd, (argument & 1) != 0)); break;
    case F_GETFL: result = r.file->flags; break;
    default:
        result = (r.file->flags & O_PATH_) != 0 ? -LINUX_EBADF : fcntl_file((int)fd, r.file, command, argument);
        break;
    }
    fd_return(&r);
    return result;
}

// --- ioctl ------------------------------------------------------------------------------------------------------------

enum ioctl_command {
    FIONREAD = 0x541b,
    FIONBIO = 0x5421,
    TIOCGPTPEER = 0x5441,
    FIONCLEX = 0x5450,
    FIOCLEX = 0x5451,
    FIOASYNC = 0x5452,
    FIOQSIZE = 0x5460,
    FIOSETOWN = 0x8901,
    SIOCSPGRP,
    FIOGETOWN,
    SIOCGPGRP,
};

static int64_t flag_from_user(struct file *file, uint64_t user, uint32_t flag) {
    uint32_t on;
    if (arch_user_load32((const uint32_t user_ptr *)(uintptr_t)user, &on) != INV_OK)
        return -LINUX_EFAULT;
    if (on != 0)
        atomic_fetch_or(&file->flags, flag);
    else
        atomic_fetch_and(&file->flags, ~flag);
    return 0;
}

static int64_t async_from_user(int fd, struct file *file, uint64_t user) {
    uint32_t on;
    if (arch_user_load32((const uint32_t user_ptr *)(uintptr_t)user, &on) != INV_OK)
        return -LINUX_EFAULT;
    if ((on != 0) == ((file->flags & O_ASYNC_) != 0))
        return 0;
    if (file->ops->async == NULL)
        return -LINUX_ENOTTY;
    return async_set(fd, file, on != 0);
}

static int64_t bytes_left(struct file *file, uint64_t user) {
    struct inode_stat st;
    inv_status_t s = vfs_stat(&file->path, &st);
    if (s != INV_OK)
        return linux_result(s);
    return arch_user_store32((uint32_t user_ptr *)(uintptr_t)user, (uint32_t)(st.size - file->position)) == INV_OK
               ? 0
               : -LINUX_EFAULT;
}

// The room that a file, a folder or a link takes.
static int64_t room_taken(struct file *file, uint64_t user) {
    struct inode_stat st;
    inv_status_t s = vfs_stat(&file->path, &st);
    if (s == INV_OK)
        s = arch_copy_to_user((void user_ptr *)(uintptr_t)user, &(uint64_t){st.blocks * 512}, sizeof(uint64_t));
    return linux_result(s);
}

// TIOCGPTPEER gives a descriptor of its own.
static int64_t open_terminal_peer(struct file *file, unsigned flags) {
    struct fd_table *t = linux_fds();
    struct file *peer;
    int fd;
    inv_status_t s = fd_reserve(t, 0, linux_limit(LINUX_RLIMIT_NOFILE), (flags & O_CLOEXEC_) != 0, &fd);
    if (s != INV_OK)
        return linux_result(s);
    s = tty_open_peer(file, flags, &peer);
    if (s != INV_OK) {
        fd_unreserve(t, fd);
        return linux_result(s);
    }
    fd_fill(t, fd, peer);
    return fd;
}

// Of sockets.
static int64_t owner_from_user(struct file *file, uint64_t user) {
    uint32_t who;
    if (arch_user_load32((const uint32_t user_ptr *)(uintptr_t)user, &who) != INV_OK)
        return -LINUX_EFAULT;
    return linux_file_owner_set(file, (int)who);
}

static int64_t owner_to_user(struct file *file, uint64_t user) {
    uint32_t who = (uint32_t)linux_file_owner_get(file);
    return linux_result(arch_user_store32((uint32_t user_ptr *)(uintptr_t)user, who));
}

static int64_t ioctl_file(int fd, struct file *file, unsigned command, uint64_t argument) {
    bool regular = (file->inode->mode & MODE_FMT) == MODE_REGULAR;
    int64_t value;
    switch (command) {
    case FIOCLEX: return linux_result(fd_set_flags(linux_fds(), fd, true));
    case FIONCLEX: return linux_result(fd_set_flags(linux_fds(), fd, false));
    case FIONBIO: return flag_from_user(file, argument, O_NONBLOCK_);
    case FIOASYNC: return async_from_user(fd, file, argument);
    case TIOCGPTPEER: return open_terminal_peer(file, (unsigned)argument);
    case FIONREAD:
        if (regular)
            return bytes_left(file, argument);
        break;
    case FIOQSIZE:
        return regular || (file->inode->mode & MODE_FMT) == MODE_DIRECTORY ? room_taken(file, argument) : -LINUX_ENOTTY;
    case FIOSETOWN:
    case SIOCSPGRP:
        if (socket_of(file) != NULL)
            return owner_from_user(file, argument);
        break;
    case FIOGETOWN:
    case SIOCGPGRP:
        if (socket_of(file) != NULL)
            return owner_to_user(file, argument);
        break;
    default: break;
    }
    inv_status_t s = file_ioctl(file, command, argument, &value);
    return s == INV_OK ? value : linux_result(s);
}

int64_t linux_ioctl(struct arch_frame *f) {
    struct fd_ref r;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    result = ioctl_file((int)LINUX_ARG(f, 0), r.file, (unsigned)LINUX_ARG(f, 1), LINUX_ARG(f, 2));
    fd_return(&r);
    return result;
}
