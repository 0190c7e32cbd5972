// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls that make, move and remove names, and where a process stands among them: mkdir, mknod, link, symlink, unlink, rename, readlink, getdents, getcwd, chdir, chroot,
// umask.

#include <kernel/slab.h>
#include <kernel/string.h>

#include "files.h"

int64_t linux_at_begin(uint64_t user_path, bool allow_empty, struct linux_at *out) {
    linux_caller(&out->caller);
    return linux_path_get(user_path, allow_empty, &out->path);
}

int64_t linux_at_lookup(int dirfd, uint64_t user_path, unsigned flags, unsigned allowed, struct path *out) {
    struct linux_at at;
    bool empty = (flags & LINUX_AT_EMPTY_PATH) != 0;
    if ((flags & ~allowed) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_at_begin(user_path, empty, &at);
    if (result != 0)
        return result;
    unsigned walk = ((flags & LINUX_AT_SYMLINK_NOFOLLOW) == 0 ? WALK_FOLLOW : 0) | (empty ? WALK_EMPTY_PATH : 0);
    result = linux_result(vfs_lookup(&at.caller, dirfd, at.path.text, walk, out));
    linux_at_end(&at);
    return result;
}

// --- new names --------------------------------------------------------------------------------------------------------

static int64_t make_directory(int dirfd, uint64_t path, uint32_t mode) {
    struct linux_at at;
    int64_t result = linux_at_begin(path, false, &at);
    if (result != 0)
        return result;
    result = linux_result(vfs_mkdir(&at.caller, dirfd, at.path.text, mode));
    linux_at_end(&at);
    return result;
}

int64_t linux_mkdir(struct arch_frame *f) {
    return make_directory(AT_FDCWD_, LINUX_ARG(f, 0), (uint32_t)LINUX_ARG(f, 1));
}

int64_t linux_mkdirat(struct arch_frame *f) {
    return make_directory((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (uint32_t)LINUX_ARG(f, 2));
}

static int64_t make_node(int dirfd, uint64_t path, uint32_t mode, uint32_t device) {
    struct linux_at at;
    int64_t result = linux_at_begin(path, false, &at);
    if (result != 0)
        return result;
    result = linux_result(vfs_mknod(&at.caller, dirfd, at.path.text, mode, linux_device_decode(device)));
    linux_at_end(&at);
    return result;
}

int64_t linux_mknod(struct arch_frame *f) {
    return make_node(AT_FDCWD_, LINUX_ARG(f, 0), (uint32_t)LINUX_ARG(f, 1), (uint32_t)LINUX_ARG(f, 2));
}

int64_t linux_mknodat(struct arch_frame *f) {
    return make_node((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (uint32_t)LINUX_ARG(f, 2), (uint32_t)LINUX_ARG(f, 3));
}

// --- calls with two paths ---------------------------------------------------------------------------------------------

struct two_paths {
    struct linux_at old;
    struct linux_path new;
};

static int64_t two_paths_get(uint64_t old, uint64_t new, bool empty_old, struct two_paths *t) {
    int64_t result = linux_at_begin(old, empty_old, &t->old);
    if (result != 0)
        return result;
    result = linux_path_get(new, false, &t->new);
    if (result != 0)
        linux_at_end(&t->old);
    return result;
}

static void two_paths_put(struct two_paths *t) {
    linux_path_put(&t->new);
    linux_at_end(&t->old);
}

static int64_t make_link(int old_dirfd, uint64_t old, int new_dirfd, uint64_t new, unsigned flags) {
    struct two_paths t;
    if ((flags & ~(LINUX_AT_SYMLINK_FOLLOW | LINUX_AT_EMPTY_PATH)) != 0)
        return -LINUX_EINVAL;
    if ((flags & LINUX_AT_EMPTY_PATH) != 0 && !token_capable(linux_token(), CAP_DAC_READ_SEARCH))
        return -LINUX_ENOENT;
    bool empty = (flags & LINUX_AT_EMPTY_PATH) != 0;
    int64_t result = two_paths_get(old, new, empty, &t);
    if (result != 0)
        return result;
    unsigned walk = ((flags & LINUX_AT_SYMLINK_FOLLOW) != 0 ? WALK_FOLLOW : 0) | (empty ? WALK_EMPTY_PATH : 0);
    result = linux_result(vfs_link(&t.old.caller, old_dirfd, t.old.path.text, new_dirfd, t.new.text, walk));
    two_paths_put(&t);
    return result;
}

int64_t linux_link(struct arch_frame *f) {
    return make_link(AT_FDCWD_, LINUX_ARG(f, 0), AT_FDCWD_, LINUX_ARG(f, 1), 0);
}

int64_t linux_linkat(struct arch_frame *f) {
    return make_link((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (int)LINUX_ARG(f, 2), LINUX_ARG(f, 3),
                     (unsigned)LINUX_ARG(f, 4));
}

static int64_t make_symlink(uint64_t target, int dirfd, uint64_t path) {
    struct two_paths t;
    int64_t result = two_paths_get(target, path, false, &t);
    if (result != 0)
        return result;
    result = linux_result(vfs_symlink(&t.old.caller, t.old.path.text, dirfd, t.new.text));
    two_paths_put(&t);
    return result;
}

int64_t linux_symlink(struct arch_frame *f) {
    return make_symlink(LINUX_ARG(f, 0), AT_FDCWD_, LINUX_ARG(f, 1));
}

int64_t linux_symlinkat(struct arch_frame *f) {
    return make_symlink(LINUX_ARG(f, 0), (int)LINUX_ARG(f, 1), LINUX_ARG(f, 2));
}

static int64_t rename_path(int old_dirfd, uint64_t old, int new_dirfd, uint64_t new, unsigned flags) {
    struct two_paths t;
    int64_t result = two_paths_get(old, new, false, &t);
    if (result != 0)
        return result;
    result = linux_result(vfs_rename(&t.old.caller, old_dirfd, t.old.path.text, new_dirfd, t.new.text, flags));
    two_paths_put(&t);
    return result;
}

int64_t linux_rename(struct arch_frame *f) {
    return rename_path(AT_FDCWD_, LINUX_ARG(f, 0), AT_FDCWD_, LINUX_ARG(f, 1), 0);
}

int64_t linux_renameat(struct arch_frame *f) {
    return rename_path((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (int)LINUX_ARG(f, 2), LINUX_ARG(f, 3), 0);
}

int64_t linux_renameat2(struct arch_frame *f) {
    return rename_path((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (int)LINUX_ARG(f, 2), LINUX_ARG(f, 3),
                       (unsigned)LINUX_ARG(f, 4));
}

// --- removal ----------------------------------------------------------------------------------------------------------

static int64_t remove_name(int dirfd, uint64_t path, bool directory) {
    struct linux_at at;
    int64_t result = linux_at_begin(path, false, &at);
    if (result != 0)
        return result;
    result = linux_result(vfs_unlink(&at.caller, dirfd, at.path.text, directory));
    linux_at_end(&at);
    return result;
}

int64_t linux_unlink(struct arch_frame *f) {
    return remove_name(AT_FDCWD_, LINUX_ARG(f, 0), false);
}

int64_t linux_rmdir(struct arch_frame *f) {
    return remove_name(AT_FDCWD_, LINUX_ARG(f, 0), true);
}

int64_t linux_unlinkat(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    if ((flags & ~LINUX_AT_REMOVEDIR) != 0)
        return -LINUX_EINVAL;
    return remove_name((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), flags != 0);
}

// --- readlink ---------------------------------------------------------------------------------------------------------

static int64_t read_link(int dirfd, uint64_t path, uint64_t buffer, int64_t size) {
    struct linux_at at;
    struct linux_path text = {.text = NULL};
    size_t length;
    if (size <= 0)
        return -LINUX_EINVAL;
    int64_t result = linux_at_begin(path, true, &at);
    if (result != 0)
        return result;
    text.text = kmalloc(PATH_MAX_BYTES);
    if (text.text == NULL) {
        result = -LINUX_ENOMEM;
    } else if (*at.path.text == 0 && dirfd == AT_FDCWD_) {
        result = -LINUX_ENOENT;
    } else {
        result = linux_result(vfs_readlink(&at.caller, dirfd, at.path.text, text.text, PATH_MAX_BYTES, &length));
        if (result == 0) {
            length = MIN(length, (size_t)size);
            result = arch_copy_to_user((void user_ptr *)(uintptr_t)buffer, text.text, length) == INV_OK
                         ? (int64_t)length
                         : -LINUX_EFAULT;
        }
    }
    kfree(text.text);
    linux_at_end(&at);
    return result;
}

int64_t linux_readlink(struct arch_frame *f) {
    return read_link(AT_FDCWD_, LINUX_ARG(f, 0), LINUX_ARG(f, 1), (int32_t)LINUX_ARG(f, 2));
}

int64_t linux_readlinkat(struct arch_frame *f) {
    return read_link((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), LINUX_ARG(f, 2), (int32_t)LINUX_ARG(f, 3));
}

// --- getdents ---------------------------------------------------------------------------------------------------------

#define LISTING_MAX KIB(32)

// Entries are put together in the kernel and copied out once, outside the directory's lock.
struct listing {
    struct dir_context context;
    char *buffer;
    size_t size, used;
    bool old;       // getdents: the type stands behind the name
    bool too_small; // not even one entry fits
};

static void put64(char *at, uint64_t value) {
    memcpy(at, &value, sizeof(value));
}

//   0        8        16       18     19
//   | ino    | offset | length | type | name NUL ...      getdents64
//   | ino    | offset | length | name NUL ... type        getdents
static bool listing_emit(struct dir_context *c, const char *name, size_t length, uint64_t ino, uint8_t type,
                         uint64_t offset) {
    struct listing *l = container_of(c, struct listing, context);
    size_t header = l->old ? 18 : 19, record = ALIGN_UP(header + length + (l->old ? 2 : 1), (size_t)8);
    if (l->size - l->used < record) {
        l->too_small = l->used == 0;
        return false;
    }
    char *at = l->buffer + l->used;
    memset(at + record - 8, 0, 8); // the padding
    put64(at, ino);
    put64(at + 8, offset);
    at[16] = (char)(record & 0xff);
    at[17] = (char)(record >> 8);
    memcpy(at + header, name, length);
    at[header + length] = 0;
    at[l->old ? record - 1 : 18] = (char)type;
    l->used += record;
    return true;
}

static int64_t get_entries(struct arch_frame *f, bool old) {
    struct fd_ref r;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    uint64_t user = LINUX_ARG(f, 1);
    struct listing l = {.context.emit = listing_emit,
                        .size = MIN((uint64_t)(uint32_t)LINUX_ARG(f, 2), (uint64_t)LISTING_MAX),
                        .old = old};
    uint64_t before = r.file->position;
    l.buffer = kmalloc(MAX(l.size, (size_t)16));
    if (l.buffer == NULL) {
        result = -LINUX_ENOMEM;
    } else {
        result = linux_result(file_readdir(r.file, &l.context));
        if (result == 0 && l.too_small)
            result = -LINUX_EINVAL;
        if (result == 0)
            result = (int64_t)l.used;
        if (l.used != 0 && result >= 0 &&
            arch_copy_to_user((void user_ptr *)(uintptr_t)user, l.buffer, l.used) != INV_OK) {
            r.file->position = before;
            result = -LINUX_EFAULT;
        }
    }
    kfree(l.buffer);
    fd_return(&r);
    return result;
}

int64_t linux_getdents(struct arch_frame *f) {
    return get_entries(f, true);
}

int64_t linux_getdents64(struct arch_frame *f) {
    return get_entries(f, false);
}

// --- where we stand ---------------------------------------------------------------------------------------------------

int64_t linux_getcwd(struct arch_frame *f) {
    static const char unreachable[] = "(unreachable)";
    struct vfs_caller caller;
    struct path cwd;
    uint64_t size = LINUX_ARG(f, 1);
    char *start;
    linux_caller(&caller);
    char *buffer = kmalloc(PATH_MAX_BYTES);
    if (buffer == NULL)
        return -LINUX_ENOMEM;
    spin_lock(&caller.fs->lock);
    cwd = caller.fs->cwd;
    path_get(&cwd);
    spin_unlock(&caller.fs->lock);
    inv_status_t s = vfs_path_deleted(&cwd) ? INV_ERR_NOT_FOUND
                                            : vfs_path_name(&caller, &cwd, buffer, PATH_MAX_BYTES, &start);
    if (s == INV_OK && !vfs_path_reachable(&caller, &cwd)) {
        if ((size_t)(start - buffer) < sizeof(unreachable) - 1) {
            s = INV_ERR_NAME_TOO_LONG;
        } else {
            start -= sizeof(unreachable) - 1;
            memcpy(start, unreachable, sizeof(unreachable) - 1);
        }
    }
    path_put(&cwd);
    int64_t result = linux_result(s);
    if (s == INV_OK) {
        size_t length = (size_t)(buffer + PATH_MAX_BYTES - start);
        if (length > size)
            result = -LINUX_ERANGE;
        else
            result = arch_copy_to_user((void user_ptr *)(uintptr_t)LINUX_ARG(f, 0), start, length) == INV_OK
                         ? (int64_t)length
                         : -LINUX_EFAULT;
    }
    kfree(buffer);
    return result;
}

static int64_t change_place(uint64_t path, inv_status_t (*change)(const struct vfs_caller *, const struct path *)) {
    struct linux_at at;
    struct path p;
    int64_t result = linux_at_begin(path, false, &at);
    if (result != 0)
        return result;
    inv_status_t s = vfs_lookup(&at.caller, AT_FDCWD_, at.path.text, WALK_FOLLOW | WALK_DIRECTORY, &p);
    if (s == INV_OK) {
        s = change(&at.caller, &p);
        path_put(&p);
    }
    linux_at_end(&at);
    return linux_result(s);
}

int64_t linux_chdir(struct arch_frame *f) {
    return change_place(LINUX_ARG(f, 0), vfs_chdir);
}

int64_t linux_chroot(struct arch_frame *f) {
    return change_place(LINUX_ARG(f, 0), vfs_chroot);
}

int64_t linux_fchdir(struct arch_frame *f) {
    struct fd_ref r;
    struct vfs_caller caller;
    int64_t result = linux_fd_raw(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    linux_caller(&caller);
    result = linux_result(vfs_chdir(&caller, &r.file->path));
    fd_return(&r);
    return result;
}

int64_t linux_umask(struct arch_frame *f) {
    return atomic_exchange(&linux_fs()->umask, (uint32_t)LINUX_ARG(f, 0) & 0777);
}
