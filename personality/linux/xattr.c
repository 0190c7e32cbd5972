// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Extended attributes. No file system here stores any yet; the answers are those of a file system of Linux that keeps none: lists are empty, reads find nothing,
// writes are not supported.

#include <kernel/string.h>

#include "files.h"

#define NAME_MAX_XATTR 255

// A name is 1 to 255 bytes in a known space.
static int64_t name_check(uint64_t user, bool *out_supported) {
    static const char *const spaces[] = {"trusted.", "security.", "system.posix_acl_"};
    char name[NAME_MAX_XATTR + 1];
    size_t length;
    inv_status_t s = arch_string_from_user(name, (const char user_ptr *)(uintptr_t)user, sizeof(name), &length);
    if (s == INV_ERR_RANGE || (s == INV_OK && length == 0))
        return -LINUX_ERANGE;
    if (s != INV_OK)
        return -LINUX_EFAULT;
    *out_supported = false;
    for (size_t i = 0; i < ARRAY_SIZE(spaces); i++)
        if (strncmp(name, spaces[i], strlen(spaces[i])) == 0)
            *out_supported = true;
    return 0;
}

// Does the path, or descriptor if path is 0, name a file at all?
static int64_t target_check(uint64_t path_or_fd, bool by_path, unsigned flags) {
    struct path p;
    struct fd_ref r;
    int64_t result = by_path ? linux_at_lookup(AT_FDCWD_, path_or_fd, flags, flags, &p) : linux_fd(path_or_fd, &r);
    if (result != 0)
        return result;
    if (by_path)
        path_put(&p);
    else
        fd_return(&r);
    return 0;
}

static int64_t answer(struct arch_frame *f, bool by_path, unsigned flags, int64_t supported_answer) {
    bool supported;
    int64_t result = name_check(LINUX_ARG(f, 1), &supported);
    if (result == 0)
        result = target_check(LINUX_ARG(f, 0), by_path, flags);
    return result != 0 ? result : supported ? supported_answer : -LINUX_EOPNOTSUPP;
}

int64_t linux_setxattr(struct arch_frame *f) {
    return answer(f, true, 0, -LINUX_EOPNOTSUPP);
}

int64_t linux_lsetxattr(struct arch_frame *f) {
    return answer(f, true, LINUX_AT_SYMLINK_NOFOLLOW, -LINUX_EOPNOTSUPP);
}

int64_t linux_fsetxattr(struct arch_frame *f) {
    return answer(f, false, 0, -LINUX_EOPNOTSUPP);
}

int64_t linux_getxattr(struct arch_frame *f) {
    return answer(f, true, 0, -LINUX_ENODATA);
}

int64_t linux_lgetxattr(struct arch_frame *f) {
    return answer(f, true, LINUX_AT_SYMLINK_NOFOLLOW, -LINUX_ENODATA);
}

int64_t linux_fgetxattr(struct arch_frame *f) {
    return answer(f, false, 0, -LINUX_ENODATA);
}

int64_t linux_listxattr(struct arch_frame *f) {
    return target_check(LINUX_ARG(f, 0), true, 0);
}

int64_t linux_llistxattr(struct arch_frame *f) {
    return target_check(LINUX_ARG(f, 0), true, LINUX_AT_SYMLINK_NOFOLLOW);
}

int64_t linux_flistxattr(struct arch_frame *f) {
    return target_check(LINUX_ARG(f, 0), false, 0);
}

int64_t linux_removexattr(struct arch_frame *f) {
    return answer(f, true, 0, -LINUX_ENODATA);
}

int64_t linux_lremovexattr(struct arch_frame *f) {
    return answer(f, true, LINUX_AT_SYMLINK_NOFOLLOW, -LINUX_ENODATA);
}

int64_t linux_fremovexattr(struct arch_frame *f) {
    return answer(f, false, 0, -LINUX_ENODATA);
}
