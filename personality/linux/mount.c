// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls about file systems as a whole: mount, umount2, sync, syncfs.

#include <kernel/slab.h>
#include <kernel/string.h>

#include "files.h"

// A string argument that may be missing (0): then it is "".
static int64_t string_get(uint64_t user, struct linux_path *out) {
    if (user != 0)
        return linux_path_get(user, true, out);
    out->text = NULL;
    return 0;
}

static const char *text_of(const struct linux_path *p) {
    return p->text != NULL ? p->text : "";
}

#define MOUNT_BY_NAME \
    (MOUNT_REMOUNT | MOUNT_BIND | (1u << 13) | (1u << 17) | (1u << 18) | (1u << 19) | (1u << 20)) // need no type

// Options that are not text (some file systems of Linux take structures) are cut at the first NUL; a page at most.
static int64_t mount_strings(struct arch_frame *f, struct linux_path *source, struct linux_path *type,
                             struct linux_path *options) {
    int64_t result = string_get(LINUX_ARG(f, 2), type);
    if (result != 0)
        return result;
    result = string_get(LINUX_ARG(f, 0), source);
    if (result == 0) {
        result = string_get(LINUX_ARG(f, 4), options);
        if (result == 0)
            return 0;
        linux_path_put(source);
    }
    linux_path_put(type);
    return result;
}

int64_t linux_mount(struct arch_frame *f) {
    struct linux_path source, type, options;
    struct linux_at target;
    unsigned flags = (unsigned)LINUX_ARG(f, 3);
    int64_t result = mount_strings(f, &source, &type, &options);
    if (result != 0)
        return result;
    result = linux_at_begin(LINUX_ARG(f, 1), false, &target);
    if (result == 0) {
        if (type.text == NULL && (flags & MOUNT_BY_NAME) == 0)
            result = token_capable(linux_token(), CAP_SYS_ADMIN) ? -LINUX_EINVAL : -LINUX_EPERM;
        else
            result = linux_result(vfs_mount(&target.caller, source.text != NULL ? source.text : "none",
                                            target.path.text, text_of(&type), flags, text_of(&options)));
        linux_at_end(&target);
    }
    linux_path_put(&options);
    linux_path_put(&source);
    linux_path_put(&type);
    return result;
}

int64_t linux_umount2(struct arch_frame *f) {
    struct linux_at at;
    int64_t result = linux_at_begin(LINUX_ARG(f, 0), false, &at);
    if (result != 0)
        return result;
    result = linux_result(vfs_unmount(&at.caller, at.path.text, (unsigned)LINUX_ARG(f, 1)));
    linux_at_end(&at);
    return result;
}

// What is in memory is all there is: nothing waits to be written.
int64_t linux_sync(struct arch_frame *f) {
    return 0;
}

int64_t linux_syncfs(struct arch_frame *f) {
    struct fd_ref r;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result == 0)
        fd_return(&r);
    return result;
}
