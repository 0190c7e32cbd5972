// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The calls of extended attributes: set, get, list, remove, each by path, by path without following a link, and by descriptor. Errors come in Linux's
// order: the file, a read-only mount, flags, name, size, then what executive/vfs/xattr.c says.

#include <executive/xattr.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "files.h"

#define LIST_MAX 65536u

enum target_kind { BY_PATH, BY_LINK, BY_FD };

// The file of argument 0, counted.
static int64_t target_get(struct arch_frame *f, enum target_kind kind, struct path *out) {
    if (kind != BY_FD) {
        unsigned flags = kind == BY_LINK ? LINUX_AT_SYMLINK_NOFOLLOW : 0;
        return linux_at_lookup(AT_FDCWD_, LINUX_ARG(f, 0), flags, flags, out);
    }
    struct fd_ref r;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    *out = r.file->path;
    path_get(out);
    fd_return(&r);
    return 0;
}

// 1 to 255 bytes.
static int64_t name_get(uint64_t user, char name[XATTR_NAME_MAX + 1]) {
    size_t length;
    inv_status_t s = arch_string_from_user(name, (const char user_ptr *)(uintptr_t)user, XATTR_NAME_MAX + 1, &length);
    if (s == INV_ERR_RANGE || (s == INV_OK && length == 0))
        return -LINUX_ERANGE;
    return s == INV_OK ? 0 : -LINUX_EFAULT;
}

// --- set and remove ---------------------------------------------------------------------------------------------------

static int64_t set_value(struct arch_frame *f, const struct path *p) {
    char name[XATTR_NAME_MAX + 1];
    uint64_t user = LINUX_ARG(f, 2), size = LINUX_ARG(f, 3);
    unsigned flags = (unsigned)LINUX_ARG(f, 4);
    void *value = NULL;
    if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) != 0)
        return -LINUX_EINVAL;
    int64_t result = name_get(LINUX_ARG(f, 1), name);
    if (result != 0)
        return result;
    if (size > XATTR_VALUE_MAX)
        return -LINUX_E2BIG;
    if (size != 0) {
        value = kmalloc(size);
        if (value == NULL)
            return -LINUX_ENOMEM;
        if (arch_copy_from_user(value, (const void user_ptr *)(uintptr_t)user, size) != INV_OK)
            result = -LINUX_EFAULT;
    }
    if (result == 0)
        result = linux_result(vfs_xattr_set(path_inode(p), linux_token(), name, value, size, flags));
    kfree(value);
    return result;
}

static int64_t remove_value(struct arch_frame *f, const struct path *p) {
    char name[XATTR_NAME_MAX + 1];
    int64_t result = name_get(LINUX_ARG(f, 1), name);
    return result != 0 ? result : linux_result(vfs_xattr_remove(path_inode(p), linux_token(), name));
}

static int64_t change(struct arch_frame *f, enum target_kind kind,
                      int64_t (*fn)(struct arch_frame *, const struct path *)) {
    struct path p;
    int64_t result = target_get(f, kind, &p);
    if (result != 0)
        return result;
    result = linux_result(path_write_begin(&p));
    if (result == 0) {
        result = fn(f, &p);
        path_write_end(&p);
    }
    path_put(&p);
    return result;
}

int64_t linux_setxattr(struct arch_frame *f) {
    return change(f, BY_PATH, set_value);
}
int64_t linux_lsetxattr(struct arch_frame *f) {
    return change(f, BY_LINK, set_value);
}
int64_t linux_fsetxattr(struct arch_frame *f) {
    return change(f, BY_FD, set_value);
}
int64_t linux_removexattr(struct arch_frame *f) {
    return change(f, BY_PATH, remove_value);
}
int64_t linux_lremovexattr(struct arch_frame *f) {
    return change(f, BY_LINK, remove_value);
}
int64_t linux_fremovexattr(struct arch_frame *f) {
    return change(f, BY_FD, remove_value);
}

// --- get and list -----------------------------------------------------------------------------------------------------

// What both do with their buffer: at most max bytes, and E2BIG where even that is too small.
struct answer {
    void *buffer;
    size_t size, length;
};

static int64_t answer_begin(struct answer *a, uint64_t size, size_t max) {
    *a = (struct answer){.size = (size_t)MIN(size, (uint64_t)max)};
    if (a->size != 0) {
        a->buffer = kmalloc(a->size);
        if (a->buffer == NULL)
            return -LINUX_ENOMEM;
    }
    return 0;
}

static int64_t answer_end(struct answer *a, inv_status_t s, uint64_t user, size_t max) {
    int64_t result = s != INV_OK ? linux_result(s) : (int64_t)a->length;
    if (s == INV_ERR_RANGE && a->size >= max)
        result = -LINUX_E2BIG;
    if (result > 0 && a->size != 0 &&
        arch_copy_to_user((void user_ptr *)(uintptr_t)user, a->buffer, a->length) != INV_OK)
        result = -LINUX_EFAULT;
    kfree(a->buffer);
    return result;
}

static int64_t get_value(struct arch_frame *f, const struct path *p) {
    char name[XATTR_NAME_MAX + 1];
    struct answer a;
    int64_t result = name_get(LINUX_ARG(f, 1), name);
    if (result == 0)
        result = answer_begin(&a, LINUX_ARG(f, 3), XATTR_VALUE_MAX);
    if (result != 0)
        return result;
    inv_status_t s = vfs_xattr_get(path_inode(p), linux_token(), name, a.buffer, a.size, &a.length);
    return answer_end(&a, s, LINUX_ARG(f, 2), XATTR_VALUE_MAX);
}

static int64_t get_names(struct arch_frame *f, const struct path *p) {
    struct answer a;
    int64_t result = answer_begin(&a, LINUX_ARG(f, 2), LIST_MAX);
    if (result != 0)
        return result;
    inv_status_t s = vfs_xattr_list(path_inode(p), linux_token(), a.buffer, a.size, &a.length);
    return answer_end(&a, s, LINUX_ARG(f, 1), LIST_MAX);
}

static int64_t ask(struct arch_frame *f, enum target_kind kind,
                   int64_t (*fn)(struct arch_frame *, const struct path *)) {
    struct path p;
    int64_t result = target_get(f, kind, &p);
    if (result != 0)
        return result;
    result = fn(f, &p);
    path_put(&p);
    return result;
}

int64_t linux_getxattr(struct arch_frame *f) {
    return ask(f, BY_PATH, get_value);
}
int64_t linux_lgetxattr(struct arch_frame *f) {
    return ask(f, BY_LINK, get_value);
}
int64_t linux_fgetxattr(struct arch_frame *f) {
    return ask(f, BY_FD, get_value);
}
int64_t linux_listxattr(struct arch_frame *f) {
    return ask(f, BY_PATH, get_names);
}
int64_t linux_llistxattr(struct arch_frame *f) {
    return ask(f, BY_LINK, get_names);
}
int64_t linux_flistxattr(struct arch_frame *f) {
    return ask(f, BY_FD, get_names);
}
