// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files in memory: memfd_create, memfd_secret, and fcntl's seals and write hints. Context: system call.

#include "memfd.h"

#include "files.h"

#include <arch/usercopy.h>
#include <kernel/string.h>

#define MFD_CLOEXEC       1u
#define MFD_ALLOW_SEALING 2u
#define MFD_HUGETLB       4u
#define MFD_HUGE_SIZES    (0x3fu << 26)
#define MFD_PREFIX        "memfd:"
#define MFD_NAME_MAX      (NAME_MAX_BYTES - (sizeof(MFD_PREFIX) - 1))

static int64_t name_get(uint64_t user, char *label) {
    size_t prefix = sizeof(MFD_PREFIX) - 1, length;
    memcpy(label, MFD_PREFIX, prefix);
    inv_status_t s = arch_string_from_user(label + prefix, (const char user_ptr *)(uintptr_t)user, MFD_NAME_MAX + 1,
                                           &length);
    if (s == INV_ERR_RANGE)
        return -LINUX_EINVAL;
    return linux_result(s);
}

int64_t linux_memfd_create(struct arch_frame *f) {
    char label[NAME_MAX_BYTES + 1];
    unsigned flags = (unsigned)LINUX_ARG(f, 1);
    struct file *file;
    int fd;
    if ((flags &
         ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | ((flags & MFD_HUGETLB) != 0 ? MFD_HUGE_SIZES : 0))) != 0)
        return -LINUX_EINVAL;
    int64_t result = name_get(LINUX_ARG(f, 0), label);
    if (result != 0)
        return result;
    inv_status_t s = fd_reserve(linux_fds(), 0, linux_limit(LINUX_RLIMIT_NOFILE), (flags & MFD_CLOEXEC) != 0, &fd);
    if (s != INV_OK)
        return linux_result(s);
    s = (flags & MFD_HUGETLB) != 0
            ? INV_ERR_NO_SYSCALL // there are no huge pages: as a kernel without them says
            : memory_file_create(label, 0777, linux_token(), (flags & MFD_ALLOW_SEALING) != 0, &file);
    if (s != INV_OK) {
        fd_unreserve(linux_fds(), fd);
        return linux_result(s);
    }
    fd_fill(linux_fds(), fd, file);
    return fd;
}

// Memory that the kernel itself cannot reach is not enabled, as it is not on Linux unless asked for at boot.
int64_t linux_memfd_secret(struct arch_frame *f) {
    return -LINUX_ENOSYS;
}

static int64_t seals_add(struct file *file, uint64_t seals) {
    if (seals >> 32 != 0)
        return -LINUX_EINVAL;
    return linux_result(file_seals_add(file, (unsigned)seals));
}

static int64_t seals_get(struct file *file) {
    unsigned seals;
    inv_status_t s = file_seals_get(file, &seals);
    return s == INV_OK ? (int64_t)seals : linux_result(s);
}

#define RW_HINT_EXTREME 5u

static int64_t hint_get(struct file *file, uint64_t user) {
    uint64_t hint = file->inode->write_hint;
    return arch_copy_to_user((void user_ptr *)(uintptr_t)user, &hint, sizeof(hint)) == INV_OK ? 0 : -LINUX_EFAULT;
}

static int64_t hint_set(struct file *file, uint64_t user) {
    uint64_t hint;
    if (arch_copy_from_user(&hint, (const void user_ptr *)(uintptr_t)user, sizeof(hint)) != INV_OK)
        return -LINUX_EFAULT;
    if (hint > RW_HINT_EXTREME)
        return -LINUX_EINVAL;
    mutex_lock(&file->inode->lock);
    file->inode->write_hint = (uint8_t)hint;
    mutex_unlock(&file->inode->lock);
    return 0;
}

int64_t linux_memfd_fcntl(struct file *file, unsigned command, uint64_t argument) {
    switch (command) {
    case LINUX_F_ADD_SEALS: return seals_add(file, argument);
    case LINUX_F_GET_SEALS: return seals_get(file);
    case LINUX_F_GET_RW_HINT: return hint_get(file, argument);
    case LINUX_F_SET_RW_HINT: return hint_set(file, argument);
    default: return -LINUX_EINVAL;
    }
}
