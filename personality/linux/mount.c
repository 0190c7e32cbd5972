// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls about file systems as a whole: mount, umount2, pivot_root, sync, syncfs.

#include <executive/mount.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "files.h"

// A string argument that may be missing (0). Longer than a path: EINVAL.
static int64_t string_get(uint64_t user, struct linux_path *out) {
    out->text = NULL;
    int64_t result = user != 0 ? linux_path_get(user, true, out) : 0;
    return result == -LINUX_ENAMETOOLONG ? -LINUX_EINVAL : result;
}

static const char *text_of(const struct linux_path *p) {
    return p->text != NULL ? p->text : "";
}

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
    int64_t result = mount_strings(f, &source, &type, &options);
    if (result != 0)
        return result;
    result = linux_at_begin(LINUX_ARG(f, 1), false, &target);
    if (result == 0) {
        result = linux_result(vfs_mount(&target.caller, source.text, target.path.text, type.text,
                                        (unsigned)LINUX_ARG(f, 3), text_of(&options)));
        linux_at_end(&target);
    }
    linux_path_put(&options);
    linux_path_put(&source);
    linux_path_put(&type);
    return result;
}

int64_t linux_pivot_root(struct arch_frame *f) {
    struct linux_at new;
    struct linux_path old;
    if (!token_capable(linux_token(), CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    int64_t result = linux_at_begin(LINUX_ARG(f, 0), false, &new);
    if (result != 0)
        return result;
    result = linux_path_get(LINUX_ARG(f, 1), false, &old);
    if (result == 0) {
        result = linux_result(vfs_pivot_root(&new.caller, new.path.text, old.text));
        linux_path_put(&old);
    }
    linux_at_end(&new);
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
