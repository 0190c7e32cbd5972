// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls about swap areas and disk quotas. There are neither block devices nor files that could hold a swap area, and no file system that keeps quotas: what is
// left of the calls is the order in which Linux finds that out. Context: system call.

#include "files.h"

#define SWAP_FLAGS 0x7ffffu // priority, preference, discarding

#define QUOTA_TYPES 3
#define Q_SYNC      0x800001u // of a command's upper bits; the lower eight are the type

// The file that is to be a swap area, or was, as it must be had: for reading and writing.
static int64_t area_check(uint64_t user_path) {
    struct linux_at at;
    struct file *file;
    if (!token_capable(linux_token(), CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    int64_t result = linux_at_begin(user_path, false, &at);
    if (result != 0)
        return result;
    inv_status_t s = vfs_open(&at.caller, AT_FDCWD_, at.path.text, O_RDWR_ | O_LARGEFILE_, 0, &file);
    linux_at_end(&at);
    if (s != INV_OK)
        return linux_result(s);
    file_put(file);
    return -LINUX_EINVAL; // nothing here can be one, and nothing is
}

int64_t linux_swapon(struct arch_frame *f) {
    return ((unsigned)LINUX_ARG(f, 1) & ~SWAP_FLAGS) != 0 ? -LINUX_EINVAL : area_check(LINUX_ARG(f, 0));
}

int64_t linux_swapoff(struct arch_frame *f) {
    return area_check(LINUX_ARG(f, 0));
}

// The block device that is named; none has a file system.
static int64_t device_check(uint64_t user_path) {
    struct path p;
    int64_t result = linux_at_lookup(AT_FDCWD_, user_path, 0, 0, &p);
    if (result != 0)
        return result;
    bool block = (path_inode(&p)->mode & MODE_FMT) == MODE_BLOCK;
    bool hidden = (vfs_path_mount_flags(&p) & MOUNT_NODEV) != 0;
    path_put(&p);
    return !block ? -LINUX_ENOTBLK : hidden ? -LINUX_EACCES : -LINUX_ENODEV;
}

int64_t linux_quotactl(struct arch_frame *f) {
    uint32_t command = (uint32_t)LINUX_ARG(f, 0);
    if ((command & 0xff) >= QUOTA_TYPES)
        return -LINUX_EINVAL;
    if (LINUX_ARG(f, 1) == 0) // everywhere: only Q_SYNC can be meant so
        return command >> 8 == Q_SYNC ? 0 : -LINUX_ENODEV;
    return device_check(LINUX_ARG(f, 1));
}

int64_t linux_quotactl_fd(struct arch_frame *f) {
    struct fd_ref r;
    int64_t result = linux_fd_raw(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    fd_return(&r);
    return ((uint32_t)LINUX_ARG(f, 1) & 0xff) >= QUOTA_TYPES ? -LINUX_EINVAL : -LINUX_ENOSYS;
}
