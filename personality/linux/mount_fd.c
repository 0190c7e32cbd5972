// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mounts as descriptors: open_tree, move_mount, mount_setattr, fsopen, fsconfig, fsmount, fspick. Decoding and Linux's order of errors; the objects are
// executive/vfs/mount_fd.c's and mount_config.c's. Context: system call.

#include <executive/mount_fd.h>
#include <kernel/slab.h>

#include "files.h"

#define AT_RECURSIVE    0x8000u
#define OPEN_TREE_CLONE 1u

#define FSOPEN_CLOEXEC          1u
#define FSMOUNT_CLOEXEC         1u
#define FSPICK_CLOEXEC          1u
#define FSPICK_SYMLINK_NOFOLLOW 2u
#define FSPICK_NO_AUTOMOUNT     4u
#define FSPICK_EMPTY_PATH       8u

#define MOVE_F_SYMLINKS   0x001u
#define MOVE_F_EMPTY_PATH 0x004u
#define MOVE_T_SYMLINKS   0x010u
#define MOVE_T_EMPTY_PATH 0x040u
#define MOVE_SET_GROUP    0x100u
#define MOVE_ALL          0x177u

enum { SET_FLAG, SET_STRING, SET_BINARY, SET_PATH, SET_PATH_EMPTY, SET_FD, CREATE, RECONFIGURE };
#define CONFIG_TEXT_SIZE  256u
#define CONFIG_BINARY_MAX (1 << 20)

static bool may_mount(void) {
    return token_capable(linux_token(), CAP_SYS_ADMIN);
}

// --- open_tree --------------------------------------------------------------------------------------------------------

int64_t linux_open_tree(struct arch_frame *f) {
    const unsigned at_flags = LINUX_AT_EMPTY_PATH | LINUX_AT_NO_AUTOMOUNT | LINUX_AT_SYMLINK_NOFOLLOW;
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    bool clone = (flags & OPEN_TREE_CLONE) != 0, recursive = (flags & AT_RECURSIVE) != 0;
    struct file *file;
    struct path p;
    int fd;
    if ((flags & ~(at_flags | AT_RECURSIVE | OPEN_TREE_CLONE | O_CLOEXEC_)) != 0 || (recursive && !clone))
        return -LINUX_EINVAL;
    if (clone && !may_mount())
        return -LINUX_EPERM;
    inv_status_t s = fd_reserve(linux_fds(), 0, linux_limit(LINUX_RLIMIT_NOFILE), (flags & O_CLOEXEC_) != 0, &fd);
    if (s != INV_OK)
        return linux_result(s);
    int64_t result = linux_at_lookup((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), flags & at_flags, at_flags, &p);
    if (result == 0) {
        result = linux_result(mount_open_tree(&p, clone, recursive, &file));
        path_put(&p);
    }
    if (result != 0) {
        fd_unreserve(linux_fds(), fd);
        return result;
    }
    fd_fill(linux_fds(), fd, file);
    return fd;
}

// --- move_mount -------------------------------------------------------------------------------------------------------

static int64_t place_get(uint64_t dirfd, uint64_t user, bool follow, bool empty, struct path *out) {
    unsigned flags = (follow ? 0 : LINUX_AT_SYMLINK_NOFOLLOW) | (empty ? LINUX_AT_EMPTY_PATH : 0);
    return linux_at_lookup((int)dirfd, user, flags, flags, out);
}

int64_t linux_move_mount(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 4);
    struct path from, to;
    if (!may_mount())
        return -LINUX_EPERM;
    if ((flags & ~MOVE_ALL) != 0)
        return -LINUX_EINVAL;
    int64_t result = place_get(LINUX_ARG(f, 0), LINUX_ARG(f, 1), (flags & MOVE_F_SYMLINKS) != 0,
                               (flags & MOVE_F_EMPTY_PATH) != 0, &from);
    if (result != 0)
        return result;
    result = place_get(LINUX_ARG(f, 2), LINUX_ARG(f, 3), (flags & MOVE_T_SYMLINKS) != 0,
                       (flags & MOVE_T_EMPTY_PATH) != 0, &to);
    if (result == 0) {
        result = linux_result((flags & MOVE_SET_GROUP) != 0 ? mount_join_group(&from, &to) : mount_move_to(&from, &to));
        path_put(&to);
    }
    path_put(&from);
    return result;
}

// --- attributes -------------------------------------------------------------------------------------------------------

#define ATTRIBUTE_ATIME       0x70u
#define ATTRIBUTE_RELATIME    0x00u
#define ATTRIBUTE_NOATIME     0x10u
#define ATTRIBUTE_STRICTATIME 0x20u
#define ATTRIBUTE_ID_MAP      0x100000u

// MOUNT_ATTR_* and what mounts have for them; times of access apart.
static const struct {
    uint32_t attribute;
    unsigned flag;
} attributes[] = {{0x01, MOUNT_READ_ONLY}, {0x02, MOUNT_NOSUID},     {0x04, MOUNT_NODEV},
                  {0x08, MOUNT_NOEXEC},    {0x80, MOUNT_NODIRATIME}, {0x200000, MOUNT_NOSYMFOLLOW}};
#define ATTRIBUTES_ALL (0x20008fu | ATTRIBUTE_ATIME)

static unsigned flags_of(uint64_t wanted) {
    unsigned flags = 0;
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
        if ((wanted & attributes[i].attribute) != 0)
            flags |= attributes[i].flag;
    return flags;
}

// What the three ways of keeping times of access mean; false: it is none of them.
static bool atime_of(uint64_t wanted, unsigned *out) {
    switch (wanted & ATTRIBUTE_ATIME) {
    case ATTRIBUTE_RELATIME: *out = MOUNT_RELATIME; return true;
    case ATTRIBUTE_NOATIME: *out = MOUNT_NOATIME; return true;
    case ATTRIBUTE_STRICTATIME: *out = 0; return true;
    default: return false;
    }
}

struct mount_attributes { // struct mount_attr, version 0
    uint64_t set, clear, propagation, user_namespace;
};
_Static_assert(sizeof(struct mount_attributes) == 32, "ABI");

static int64_t atime_change(const struct mount_attributes *a, struct mount_change *c) {
    unsigned atime;
    if ((a->clear & ATTRIBUTE_ATIME) == 0) // set alone would not say what goes
        return (a->set & ATTRIBUTE_ATIME) != 0 ? -LINUX_EINVAL : 0;
    if ((a->clear & ATTRIBUTE_ATIME) != ATTRIBUTE_ATIME || !atime_of(a->set, &atime))
        return -LINUX_EINVAL;
    c->clear |= MOUNT_RELATIME | MOUNT_NOATIME;
    c->set |= atime;
    return 0;
}

// There are no user namespaces: no descriptor is one.
static int64_t id_map_check(const struct mount_attributes *a) {
    struct fd_ref r;
    if (((a->set | a->clear) & ATTRIBUTE_ID_MAP) == 0)
        return 0;
    if ((a->clear & ATTRIBUTE_ID_MAP) != 0 || a->user_namespace > INT32_MAX)
        return -LINUX_EINVAL;
    int64_t result = linux_fd(a->user_namespace, &r);
    if (result != 0)
        return result;
    fd_return(&r);
    return -LINUX_EINVAL;
}

static int64_t change_decode(const struct mount_attributes *a, struct mount_change *c) {
    const uint64_t propagation = MOUNT_UNBINDABLE | MOUNT_PRIVATE | MOUNT_SLAVE | MOUNT_SHARED;
    if ((a->propagation & ~propagation) != 0 || (a->propagation & (a->propagation - 1)) != 0)
        return -LINUX_EINVAL;
    if (((a->set | a->clear) & ~(uint64_t)(ATTRIBUTES_ALL | ATTRIBUTE_ID_MAP)) != 0)
        return -LINUX_EINVAL;
    c->propagation = (unsigned)a->propagation;
    c->set = flags_of(a->set);
    c->clear = flags_of(a->clear);
    int64_t result = atime_change(a, c);
    return result == 0 ? id_map_check(a) : result;
}

int64_t linux_mount_setattr(struct arch_frame *f) {
    const unsigned at_flags = LINUX_AT_EMPTY_PATH | LINUX_AT_NO_AUTOMOUNT | LINUX_AT_SYMLINK_NOFOLLOW;
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    uint64_t size = LINUX_ARG(f, 4);
    struct mount_change c = {.recursive = (flags & AT_RECURSIVE) != 0};
    struct mount_attributes a;
    struct path p;
    if ((flags & ~(at_flags | AT_RECURSIVE)) != 0)
        return -LINUX_EINVAL;
    if (size > PAGE_SIZE)
        return -LINUX_E2BIG;
    if (size < sizeof(a))
        return -LINUX_EINVAL;
    if (!may_mount())
        return -LINUX_EPERM;
    int64_t result = linux_struct_get(&a, sizeof(a), LINUX_ARG(f, 3), size);
    if (result != 0 || (a.set | a.clear | a.propagation) == 0)
        return result;
    result = change_decode(&a, &c);
    if (result == 0)
        result = linux_at_lookup((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), flags & at_flags, at_flags, &p);
    if (result != 0)
        return result;
    result = linux_result(mount_change(&p, &c));
    path_put(&p);
    return result;
}

// --- file systems -----------------------------------------------------------------------------------------------------

int64_t linux_fsopen(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 1);
    struct linux_path name;
    struct file *file;
    if (!may_mount())
        return -LINUX_EPERM;
    if ((flags & ~FSOPEN_CLOEXEC) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_path_get(LINUX_ARG(f, 0), true, &name);
    if (result != 0)
        return result == -LINUX_ENAMETOOLONG ? -LINUX_EINVAL : result;
    inv_status_t s = mount_config_open(name.text, &file);
    linux_path_put(&name);
    return s == INV_OK ? linux_fd_give(file, (flags & FSOPEN_CLOEXEC) != 0) : linux_result(s);
}

int64_t linux_fspick(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    struct file *file;
    struct path p;
    if (!may_mount())
        return -LINUX_EPERM;
    if ((flags & ~(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH)) != 0)
        return -LINUX_EINVAL;
    int64_t result = place_get(LINUX_ARG(f, 0), LINUX_ARG(f, 1), (flags & FSPICK_SYMLINK_NOFOLLOW) == 0,
                               (flags & FSPICK_EMPTY_PATH) != 0, &p);
    if (result != 0)
        return result;
    inv_status_t s = mount_config_pick(&p, &file);
    path_put(&p);
    return s == INV_OK ? linux_fd_give(file, (flags & FSPICK_CLOEXEC) != 0) : linux_result(s);
}

// The file behind a descriptor that fsopen or fspick gave; fd_return when done.
static int64_t config_get(uint64_t fd, struct fd_ref *out) {
    int64_t result = linux_fd(fd, out);
    if (result != 0 || mount_config_is(out->file))
        return result;
    fd_return(out);
    return -LINUX_EINVAL;
}

int64_t linux_fsmount(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 1), wanted = (unsigned)LINUX_ARG(f, 2), atime;
    struct file *file;
    struct fd_ref r;
    if (!may_mount())
        return -LINUX_EPERM;
    if ((flags & ~FSMOUNT_CLOEXEC) != 0 || (wanted & ~ATTRIBUTES_ALL) != 0 || !atime_of(wanted, &atime))
        return -LINUX_EINVAL;
    int64_t result = config_get(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    inv_status_t s = mount_config_mount(r.file, flags_of(wanted) | atime, &file);
    fd_return(&r);
    return s == INV_OK ? linux_fd_give(file, (flags & FSMOUNT_CLOEXEC) != 0) : linux_result(s);
}

// Which arguments go with which command.
static int64_t config_check(int fd, unsigned command, uint64_t key, uint64_t value, int extra) {
    bool fine;
    if (fd < 0)
        return -LINUX_EINVAL;
    switch (command) {
    case SET_FLAG: fine = key != 0 && value == 0 && extra == 0; break;
    case SET_STRING: fine = key != 0 && value != 0 && extra == 0; break;
    case SET_BINARY: fine = key != 0 && value != 0 && extra > 0 && extra <= CONFIG_BINARY_MAX; break;
    case SET_PATH:
    case SET_PATH_EMPTY: fine = key != 0 && value != 0 && (extra == AT_FDCWD_ || extra >= 0); break;
    case SET_FD: fine = key != 0 && value == 0 && extra >= 0; break;
    case CREATE:
    case RECONFIGURE: fine = key == 0 && value == 0 && extra == 0; break;
    default: return -LINUX_EOPNOTSUPP;
    }
    return fine ? 0 : -LINUX_EINVAL;
}

static int64_t text_get(uint64_t user, char text[CONFIG_TEXT_SIZE]) {
    size_t length;
    inv_status_t s = arch_string_from_user(text, (const char user_ptr *)(uintptr_t)user, CONFIG_TEXT_SIZE, &length);
    return s == INV_ERR_RANGE ? -LINUX_EINVAL : s != INV_OK ? -LINUX_EFAULT : 0;
}

// Can all of it be read?
static int64_t bytes_check(uint64_t user, size_t size) {
    uint8_t byte;
    for (size_t at = 0; at < size; at = at + PAGE_SIZE < size || at == size - 1 ? at + PAGE_SIZE : size - 1)
        if (arch_copy_from_user(&byte, (const void user_ptr *)(uintptr_t)(user + at), 1) != INV_OK)
            return -LINUX_EFAULT;
    return 0;
}

// Bytes, paths and descriptors: no file system here takes one, but bad ones are told first.
static int64_t other_check(unsigned command, uint64_t value, int extra) {
    struct linux_path path;
    struct fd_ref r;
    if (command == SET_BINARY)
        return bytes_check(value, (size_t)extra);
    if (command == SET_FD) {
        int64_t result = linux_fd((uint64_t)extra, &r);
        if (result == 0)
            fd_return(&r);
        return result;
    }
    int64_t result = linux_path_get(value, command == SET_PATH_EMPTY, &path);
    if (result == 0)
        linux_path_put(&path);
    return result;
}

static int64_t config_option(struct file *file, unsigned command, uint64_t user_key, uint64_t value, int extra) {
    char key[CONFIG_TEXT_SIZE], text[CONFIG_TEXT_SIZE];
    enum mount_option_kind kind = command == SET_FLAG     ? MOUNT_OPTION_FLAG
                                  : command == SET_STRING ? MOUNT_OPTION_STRING
                                                          : MOUNT_OPTION_OTHER;
    if (kind == MOUNT_OPTION_OTHER && !mount_config_checks(file))
        return -LINUX_EOPNOTSUPP;
    int64_t result = text_get(user_key, key);
    if (result == 0 && kind == MOUNT_OPTION_STRING)
        result = text_get(value, text);
    if (result == 0 && kind == MOUNT_OPTION_OTHER)
        result = other_check(command, value, extra);
    if (result != 0)
        return result;
    return linux_result(mount_config_set(file, kind, key, kind == MOUNT_OPTION_STRING ? text : NULL));
}

int64_t linux_fsconfig(struct arch_frame *f) {
    unsigned command = (unsigned)LINUX_ARG(f, 1);
    uint64_t key = LINUX_ARG(f, 2), value = LINUX_ARG(f, 3);
    int fd = (int)LINUX_ARG(f, 0), extra = (int)LINUX_ARG(f, 4);
    struct fd_ref r;
    int64_t result = config_check(fd, command, key, value, extra);
    if (result == 0)
        result = config_get((uint64_t)fd, &r);
    if (result != 0)
        return result;
    if (command == CREATE)
        result = may_mount() ? linux_result(mount_config_create(r.file)) : -LINUX_EPERM;
    else if (command == RECONFIGURE)
        result = may_mount() ? linux_result(mount_config_reconfigure(r.file)) : -LINUX_EPERM;
    else
        result = config_option(r.file, command, key, value, extra);
    fd_return(&r);
    return result;
}
