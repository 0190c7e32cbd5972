// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Locks on files: fcntl's record locks and open file description locks, flock, leases. Decoding and Linux's order of errors; the locks themselves are in
// executive/vfs/lock.c and lease.c. Context: system call.

#include "file_lock.h"

#include "files.h"
#include "process.h"

struct linux_flock { // struct flock of the 64-bit ABI
    int16_t type, whence;
    int64_t start, length;
    int32_t pid;
};
_Static_assert(sizeof(struct linux_flock) == 32, "struct flock");

#define OFFSET_MAX INT64_MAX

// The range of l in bytes from the beginning of the file.
static int64_t lock_range(struct file *file, const struct linux_flock *l, struct file_lock_request *r) {
    struct inode_stat st;
    int64_t base = 0, end = OFFSET_MAX;
    switch (l->whence) {
    case 0: break;
    case 1: base = (int64_t)file->position; break;
    case 2:
        if (vfs_stat(&file->path, &st) != INV_OK)
            return -LINUX_EINVAL;
        base = (int64_t)st.size;
        break;
    default: return -LINUX_EINVAL;
    }
    if (l->start > OFFSET_MAX - base)
        return -LINUX_EOVERFLOW;
    base += l->start;
    if (base < 0)
        return -LINUX_EINVAL;
    if (l->length > 0) {
        if (l->length - 1 > OFFSET_MAX - base)
            return -LINUX_EOVERFLOW;
        end = base + l->length - 1;
    } else if (l->length < 0) {
        if (base + l->length < 0)
            return -LINUX_EINVAL;
        end = base - 1;
        base += l->length;
    }
    r->start = (uint64_t)base;
    r->end = (uint64_t)end;
    if (l->type < FILE_LOCK_READ || l->type > FILE_LOCK_UNLOCK)
        return -LINUX_EINVAL;
    r->type = (unsigned)l->type;
    return 0;
}

static int64_t lock_get(struct file *file, const struct linux_flock *l, bool description, struct file_lock_request *r) {
    *r = (struct file_lock_request){.owner = description ? (const void *)file : linux_fds(),
                                    .pid = description ? UINT32_MAX : (uint32_t)linux_current_process()->number,
                                    .description = description};
    return lock_range(file, l, r);
}

static int64_t lock_query(struct file *file, uint64_t user, bool description) {
    struct linux_flock l;
    struct file_lock_request r;
    if (arch_copy_from_user(&l, (const void user_ptr *)(uintptr_t)user, sizeof(l)) != INV_OK)
        return -LINUX_EFAULT;
    if (l.type != FILE_LOCK_READ && l.type != FILE_LOCK_WRITE)
        return -LINUX_EINVAL;
    int64_t result = lock_get(file, &l, description, &r);
    if (result == 0 && description && l.pid != 0)
        result = -LINUX_EINVAL;
    if (result != 0)
        return result;
    file_lock_test(file, &r);
    l.type = (int16_t)r.type;
    if (r.type != FILE_LOCK_UNLOCK) {
        l.whence = 0;
        l.start = (int64_t)r.start;
        l.length = r.end == OFFSET_MAX ? 0 : (int64_t)(r.end - r.start + 1);
        l.pid = (int32_t)r.pid;
    }
    return arch_copy_to_user((void user_ptr *)(uintptr_t)user, &l, sizeof(l)) == INV_OK ? 0 : -LINUX_EFAULT;
}

// Another thread may have closed the descriptor while the lock was being set: then it would stay for ever.
static int64_t lock_check_closed(int fd, struct file *file, const struct file_lock_request *r) {
    struct file *now;
    if (r->type == FILE_LOCK_UNLOCK || !fd_table_shared(linux_fds()))
        return 0;
    inv_status_t s = fd_get(linux_fds(), fd, &now);
    bool same = s == INV_OK && now == file;
    if (s == INV_OK)
        file_put(now);
    if (same)
        return 0;
    struct file_lock_request undo = *r;
    undo.type = FILE_LOCK_UNLOCK;
    (void)!file_lock(file, &undo); // a part of it may be another thread's; so it is on Linux
    return -LINUX_EBADF;
}

static int64_t lock_set(int fd, struct file *file, uint64_t user, bool description, bool wait) {
    struct linux_flock l;
    struct file_lock_request r;
    if (arch_copy_from_user(&l, (const void user_ptr *)(uintptr_t)user, sizeof(l)) != INV_OK)
        return -LINUX_EFAULT;
    int64_t result = lock_get(file, &l, description, &r);
    if (result != 0)
        return result;
    if ((r.type == FILE_LOCK_READ && !file_readable(file)) || (r.type == FILE_LOCK_WRITE && !file_writable(file)))
        return -LINUX_EBADF;
    if (description && l.pid != 0)
        return -LINUX_EINVAL;
    r.wait = wait;
    inv_status_t s = file_lock(file, &r);
    if (s != INV_OK)
        return s == INV_ERR_NO_MEMORY ? -LINUX_ENOLCK : linux_result(s);
    return description ? 0 : lock_check_closed(fd, file, &r);
}

enum { LOCK_SHARED = 1, LOCK_EXCLUSIVE = 2, LOCK_NOT_BLOCKING = 4, LOCK_RELEASE = 8, LOCK_MANDATORY = 32 };

int64_t linux_flock(struct arch_frame *f) {
    unsigned operation = (unsigned)LINUX_ARG(f, 1);
    struct fd_ref r;
    struct file_lock_request q = {.end = OFFSET_MAX, .flock = true, .wait = (operation & LOCK_NOT_BLOCKING) == 0};
    if ((operation & LOCK_MANDATORY) != 0)
        return 0; // was never of use; Linux takes it and does nothing
    switch (operation & ~(unsigned)LOCK_NOT_BLOCKING) {
    case LOCK_SHARED: q.type = FILE_LOCK_READ; break;
    case LOCK_EXCLUSIVE: q.type = FILE_LOCK_WRITE; break;
    case LOCK_RELEASE: q.type = FILE_LOCK_UNLOCK; break;
    default: return -LINUX_EINVAL;
    }
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    q.owner = r.file;
    q.pid = (uint32_t)linux_current_process()->number;
    if (q.type != FILE_LOCK_UNLOCK && (r.file->flags & O_ACCMODE_) == O_ACCMODE_)
        result = -LINUX_EBADF; // open for neither
    else
        result = linux_result(file_lock(r.file, &q));
    fd_return(&r);
    return result;
}

static int64_t lease_set(int fd, struct file *file, uint64_t argument) {
    if ((int)argument < FILE_LOCK_READ || (int)argument > FILE_LOCK_UNLOCK)
        return -LINUX_EINVAL;
    return linux_result(
        file_lease_set(file, fd, (unsigned)argument, linux_token(), (uint32_t)linux_current_process()->number));
}

int64_t linux_file_lock_fcntl(int fd, struct file *file, unsigned command, uint64_t argument) {
    switch (command) {
    case LINUX_F_GETLK:
    case LINUX_F_OFD_GETLK: return lock_query(file, argument, command == LINUX_F_OFD_GETLK);
    case LINUX_F_SETLK:
    case LINUX_F_SETLKW: return lock_set(fd, file, argument, false, command == LINUX_F_SETLKW);
    case LINUX_F_OFD_SETLK:
    case LINUX_F_OFD_SETLKW: return lock_set(fd, file, argument, true, command == LINUX_F_OFD_SETLKW);
    case LINUX_F_SETLEASE: return lease_set(fd, file, argument);
    case LINUX_F_GETLEASE: return file_lease_get(file);
    default: return -LINUX_EINVAL;
    }
}
