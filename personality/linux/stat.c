// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls that tell and change attributes: stat, statx, access, statfs, chmod, chown, utimes.

#include <executive/mount.h>
#include <kernel/string.h>

#include "files.h"

// --- stat -------------------------------------------------------------------------------------------------------------

struct linux_stat { // x86-64
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, pad0;
    uint64_t rdev;
    int64_t size, block_size, blocks;
    struct linux_timespec atime, mtime, ctime;
    int64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "struct stat");

static struct linux_timespec timespec_of(const struct timestamp *t) {
    return (struct linux_timespec){.seconds = t->seconds, .nanoseconds = t->nanoseconds};
}

static int64_t stat_to_user(const struct path *p, uint64_t user) {
    struct inode_stat i;
    inv_status_t s = vfs_stat(p, &i);
    if (s != INV_OK)
        return linux_result(s);
    struct linux_stat st = {
        .dev = linux_device_encode(i.device),
        .ino = i.ino,
        .nlink = i.nlink,
        .mode = i.mode,
        .uid = i.uid,
        .gid = i.gid,
        .rdev = linux_device_encode(i.rdev),
        .size = (int64_t)i.size,
        .block_size = i.block_size,
        .blocks = (int64_t)i.blocks,
        .atime = timespec_of(&i.atime),
        .mtime = timespec_of(&i.mtime),
        .ctime = timespec_of(&i.ctime),
    };
    return arch_copy_to_user((void user_ptr *)(uintptr_t)user, &st, sizeof(st)) == INV_OK ? 0 : -LINUX_EFAULT;
}

#define STAT_FLAGS (LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_NO_AUTOMOUNT | LINUX_AT_EMPTY_PATH)

static int64_t stat_at(int dirfd, uint64_t path, uint64_t user, unsigned flags) {
    struct path p;
    int64_t result = linux_at_lookup(dirfd, path, flags, STAT_FLAGS, &p);
    if (result != 0)
        return result;
    result = stat_to_user(&p, user);
    path_put(&p);
    return result;
}

int64_t linux_stat(struct arch_frame *f) {
    return stat_at(AT_FDCWD_, LINUX_ARG(f, 0), LINUX_ARG(f, 1), 0);
}

int64_t linux_lstat(struct arch_frame *f) {
    return stat_at(AT_FDCWD_, LINUX_ARG(f, 0), LINUX_ARG(f, 1), LINUX_AT_SYMLINK_NOFOLLOW);
}

int64_t linux_newfstatat(struct arch_frame *f) {
    return stat_at((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), LINUX_ARG(f, 2), (unsigned)LINUX_ARG(f, 3));
}

int64_t linux_fstat(struct arch_frame *f) {
    struct fd_ref r;
    int64_t result = linux_fd_raw(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    result = stat_to_user(&r.file->path, LINUX_ARG(f, 1));
    fd_return(&r);
    return result;
}

// --- statx ------------------------------------------------------------------------------------------------------------

struct statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t pad;
};
struct linux_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad0;
    uint64_t ino, size, blocks, attributes_mask;
    struct statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount_id;
    uint32_t dio_memory_align, dio_offset_align;
    uint64_t spare[12];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");

#define STATX_BASIC    0x7ffu
#define STATX_BTIME    0x800u
#define STATX_MNT_ID   0x1000u
#define STATX_RESERVED 0x80000000u
#define AT_STATX_SYNC  0x6000u
// What could be said of a file: immutable, append-only, no dump (file systems that keep birth times); automount, mount root, direct access.
#define ATTRIBUTES_KEPT      0x70ull
#define ATTRIBUTES_ALL       0x203000ull
#define ATTRIBUTE_MOUNT_ROOT 0x2000ull

static struct statx_time statx_time_of(const struct timestamp *t) {
    return (struct statx_time){.seconds = t->seconds, .nanoseconds = t->nanoseconds};
}

static int64_t statx_to_user(const struct path *p, unsigned asked, uint64_t user) {
    struct inode_stat i;
    inv_status_t s = vfs_stat(p, &i);
    if (s != INV_OK)
        return linux_result(s);
    bool kept = path_inode(p)->superblock->keeps_birth;
    struct linux_statx st = {
        .mask = STATX_BASIC | STATX_MNT_ID,
        .block_size = i.block_size,
        .nlink = i.nlink,
        .uid = i.uid,
        .gid = i.gid,
        .mode = (uint16_t)i.mode,
        .ino = i.ino,
        .size = i.size,
        .blocks = i.blocks,
        .atime = statx_time_of(&i.atime),
        .ctime = statx_time_of(&i.ctime),
        .mtime = statx_time_of(&i.mtime),
        .rdev_major = (uint32_t)(i.rdev >> 32),
        .rdev_minor = (uint32_t)i.rdev,
        .dev_major = (uint32_t)(i.device >> 32),
        .dev_minor = (uint32_t)i.device,
        .attributes = vfs_path_is_mount(p) ? ATTRIBUTE_MOUNT_ROOT : 0,
        .attributes_mask = ATTRIBUTES_ALL | (kept ? ATTRIBUTES_KEPT : 0),
        .mount_id = mount_number(p->mount),
    };
    if (kept && (asked & STATX_BTIME) != 0) {
        st.mask |= STATX_BTIME;
        st.btime = statx_time_of(&i.btime);
    }
    return arch_copy_to_user((void user_ptr *)(uintptr_t)user, &st, sizeof(st)) == INV_OK ? 0 : -LINUX_EFAULT;
}

int64_t linux_statx(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    struct path p;
    if (((unsigned)LINUX_ARG(f, 3) & STATX_RESERVED) != 0 || (flags & AT_STATX_SYNC) == AT_STATX_SYNC)
        return -LINUX_EINVAL;
    int64_t result = linux_at_lookup((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), flags & ~AT_STATX_SYNC, STAT_FLAGS, &p);
    if (result != 0)
        return result;
    result = statx_to_user(&p, (unsigned)LINUX_ARG(f, 3), LINUX_ARG(f, 4));
    path_put(&p);
    return result;
}

// --- access -----------------------------------------------------------------------------------------------------------

static int64_t access_at(int dirfd, uint64_t path, unsigned mode, unsigned flags) {
    struct linux_at at;
    bool empty = (flags & LINUX_AT_EMPTY_PATH) != 0;
    if ((mode & ~7u) != 0 || (flags & ~(LINUX_AT_EACCESS | LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH)) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_at_begin(path, empty, &at);
    if (result != 0)
        return result;
    unsigned walk = ((flags & LINUX_AT_SYMLINK_NOFOLLOW) == 0 ? WALK_FOLLOW : 0) | (empty ? WALK_EMPTY_PATH : 0);
    result = linux_result(vfs_access(&at.caller, dirfd, at.path.text, mode, walk, (flags & LINUX_AT_EACCESS) != 0));
    linux_at_end(&at);
    return result;
}

int64_t linux_access(struct arch_frame *f) {
    return access_at(AT_FDCWD_, LINUX_ARG(f, 0), (unsigned)LINUX_ARG(f, 1), 0);
}

int64_t linux_faccessat(struct arch_frame *f) {
    return access_at((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (unsigned)LINUX_ARG(f, 2), 0);
}

int64_t linux_faccessat2(struct arch_frame *f) {
    return access_at((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (unsigned)LINUX_ARG(f, 2), (unsigned)LINUX_ARG(f, 3));
}

// --- statfs -----------------------------------------------------------------------------------------------------------

struct linux_statfs {
    int64_t type, block_size;
    uint64_t blocks, blocks_free, blocks_available, files, files_free;
    int32_t id[2];
    int64_t name_length, fragment_size, flags, spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "struct statfs");

#define ST_VALID       0x20
#define ST_NOATIME     0x400
#define ST_NODIRATIME  0x800
#define ST_RELATIME    0x1000
#define ST_NOSYMFOLLOW 0x2000

// Of the flags of the mount and its file system; those not named have the same number.
static int64_t statfs_flags(unsigned flags) {
    int64_t same = flags &
                   (MOUNT_READ_ONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC | MOUNT_SYNCHRONOUS | MOUNT_MANDATORY);
    return ST_VALID | same | ((flags & MOUNT_NOATIME) != 0 ? ST_NOATIME : 0) |
           ((flags & MOUNT_NODIRATIME) != 0 ? ST_NODIRATIME : 0) | ((flags & MOUNT_RELATIME) != 0 ? ST_RELATIME : 0) |
           ((flags & MOUNT_NOSYMFOLLOW) != 0 ? ST_NOSYMFOLLOW : 0);
}

static int64_t statfs_to_user(const struct path *p, uint64_t user) {
    struct fs_statistics fs;
    inv_status_t s = vfs_statfs(p, &fs);
    if (s != INV_OK)
        return linux_result(s);
    struct linux_statfs st = {
        .type = (int64_t)fs.magic,
        .block_size = (int64_t)fs.block_size,
        .blocks = fs.blocks,
        .blocks_free = fs.blocks_free,
        .blocks_available = fs.blocks_available,
        .files = fs.files,
        .files_free = fs.files_free,
        .name_length = (int64_t)fs.name_max,
        .fragment_size = (int64_t)fs.block_size,
        .flags = statfs_flags(vfs_path_mount_flags(p)),
    };
    return arch_copy_to_user((void user_ptr *)(uintptr_t)user, &st, sizeof(st)) == INV_OK ? 0 : -LINUX_EFAULT;
}

int64_t linux_statfs(struct arch_frame *f) {
    struct path p;
    int64_t result = linux_at_lookup(AT_FDCWD_, LINUX_ARG(f, 0), 0, 0, &p);
    if (result != 0)
        return result;
    result = statfs_to_user(&p, LINUX_ARG(f, 1));
    path_put(&p);
    return result;
}

int64_t linux_fstatfs(struct arch_frame *f) {
    struct fd_ref r;
    int64_t result = linux_fd_raw(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    result = statfs_to_user(&r.file->path, LINUX_ARG(f, 1));
    fd_return(&r);
    return result;
}

// --- changes ----------------------------------------------------------------------------------------------------------

#define TIMES_BAD UINT32_MAX // as valid: times that are none, told once the file is found

static int64_t change_path(const struct path *p, struct inode_attributes *a) {
    return a->valid == TIMES_BAD ? -LINUX_EINVAL : linux_result(vfs_setattr(p, linux_token(), a));
}

static int64_t change_at(int dirfd, uint64_t path, unsigned flags, unsigned allowed, struct inode_attributes *a) {
    struct path p;
    int64_t result = linux_at_lookup(dirfd, path, flags, allowed, &p);
    if (result != 0)
        return result;
    result = change_path(&p, a);
    path_put(&p);
    return result;
}

static int64_t change_fd(uint64_t fd, struct inode_attributes *a) {
    struct fd_ref r;
    int64_t result = linux_fd(fd, &r);
    if (result != 0)
        return result;
    result = change_path(&r.file->path, a);
    fd_return(&r);
    return result;
}

static struct inode_attributes mode_of(uint64_t mode) {
    return (struct inode_attributes){.valid = ATTR_MODE, .mode = (uint32_t)mode & 07777};
}

int64_t linux_chmod(struct arch_frame *f) {
    struct inode_attributes a = mode_of(LINUX_ARG(f, 1));
    return change_at(AT_FDCWD_, LINUX_ARG(f, 0), 0, 0, &a);
}

int64_t linux_fchmod(struct arch_frame *f) {
    struct inode_attributes a = mode_of(LINUX_ARG(f, 1));
    return change_fd(LINUX_ARG(f, 0), &a);
}

int64_t linux_fchmodat(struct arch_frame *f) {
    struct inode_attributes a = mode_of(LINUX_ARG(f, 2));
    return change_at((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), 0, 0, &a);
}

static struct inode_attributes owner_of(uint64_t uid, uint64_t gid) {
    struct inode_attributes a = {.valid = ATTR_CHOWN, .uid = (uint32_t)uid, .gid = (uint32_t)gid};
    if (a.uid != UINT32_MAX)
        a.valid |= ATTR_UID;
    if (a.gid != UINT32_MAX)
        a.valid |= ATTR_GID;
    return a;
}

int64_t linux_chown(struct arch_frame *f) {
    struct inode_attributes a = owner_of(LINUX_ARG(f, 1), LINUX_ARG(f, 2));
    return change_at(AT_FDCWD_, LINUX_ARG(f, 0), 0, 0, &a);
}

int64_t linux_lchown(struct arch_frame *f) {
    struct inode_attributes a = owner_of(LINUX_ARG(f, 1), LINUX_ARG(f, 2));
    return change_at(AT_FDCWD_, LINUX_ARG(f, 0), LINUX_AT_SYMLINK_NOFOLLOW, LINUX_AT_SYMLINK_NOFOLLOW, &a);
}

int64_t linux_fchown(struct arch_frame *f) {
    struct inode_attributes a = owner_of(LINUX_ARG(f, 1), LINUX_ARG(f, 2));
    return change_fd(LINUX_ARG(f, 0), &a);
}

int64_t linux_fchownat(struct arch_frame *f) {
    struct inode_attributes a = owner_of(LINUX_ARG(f, 2), LINUX_ARG(f, 3));
    return change_at((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (unsigned)LINUX_ARG(f, 4),
                     LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH, &a);
}

// --- times ------------------------------------------------------------------------------------------------------------

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

#define BOTH_NOW ((struct inode_attributes){.valid = ATTR_ATIME_NOW | ATTR_MTIME_NOW})

static bool time_is_valid(const struct linux_timespec *t) {
    return t->nanoseconds == UTIME_NOW || t->nanoseconds == UTIME_OMIT ||
           (t->nanoseconds >= 0 && t->nanoseconds < (int64_t)NSEC_PER_SEC);
}

static void time_apply(const struct linux_timespec *t, unsigned set, unsigned now, struct inode_attributes *a,
                       struct timestamp *out) {
    if (t->nanoseconds == UTIME_NOW) {
        a->valid |= now;
    } else if (t->nanoseconds != UTIME_OMIT) {
        a->valid |= set;
        *out = (struct timestamp){.seconds = t->seconds, .nanoseconds = (uint32_t)t->nanoseconds};
    }
}

// path 0: the file dirfd itself.
static int64_t times_change(int dirfd, uint64_t path, unsigned flags, struct inode_attributes *a) {
    if (path != 0)
        return change_at(dirfd, path, flags, LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH, a);
    if (dirfd == AT_FDCWD_)
        return -LINUX_EFAULT;
    return flags != 0 ? -LINUX_EINVAL : change_fd((uint64_t)dirfd, a);
}

int64_t linux_utimensat(struct arch_frame *f) {
    struct inode_attributes a = BOTH_NOW;
    struct linux_timespec t[2];
    uint64_t user = LINUX_ARG(f, 2);
    if (user != 0) {
        if (arch_copy_from_user(t, (const void user_ptr *)(uintptr_t)user, sizeof(t)) != INV_OK)
            return -LINUX_EFAULT;
        if (t[0].nanoseconds == UTIME_OMIT && t[1].nanoseconds == UTIME_OMIT)
            return 0;
        a.valid = 0;
        if (!time_is_valid(&t[0]) || !time_is_valid(&t[1]))
            a.valid = TIMES_BAD; // told once the file is found
        if (a.valid == 0) {
            time_apply(&t[0], ATTR_ATIME, ATTR_ATIME_NOW, &a, &a.atime);
            time_apply(&t[1], ATTR_MTIME, ATTR_MTIME_NOW, &a, &a.mtime);
        }
    }
    return times_change((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (unsigned)LINUX_ARG(f, 3), &a);
}

static int64_t times_in_microseconds(int dirfd, uint64_t path, uint64_t user) {
    struct inode_attributes a = BOTH_NOW;
    struct {
        int64_t seconds, microseconds;
    } t[2];
    if (user != 0) {
        if (arch_copy_from_user(t, (const void user_ptr *)(uintptr_t)user, sizeof(t)) != INV_OK)
            return -LINUX_EFAULT;
        if (t[0].microseconds < 0 || t[0].microseconds >= 1000000 || t[1].microseconds < 0 ||
            t[1].microseconds >= 1000000)
            return -LINUX_EINVAL;
        a = (struct inode_attributes){.valid = ATTR_ATIME | ATTR_MTIME,
                                      .atime = {t[0].seconds, (uint32_t)(t[0].microseconds * 1000)},
                                      .mtime = {t[1].seconds, (uint32_t)(t[1].microseconds * 1000)}};
    }
    return times_change(dirfd, path, 0, &a);
}

int64_t linux_utimes(struct arch_frame *f) {
    return times_in_microseconds(AT_FDCWD_, LINUX_ARG(f, 0), LINUX_ARG(f, 1));
}

int64_t linux_futimesat(struct arch_frame *f) {
    return times_in_microseconds((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), LINUX_ARG(f, 2));
}

int64_t linux_utime(struct arch_frame *f) {
    struct inode_attributes a = BOTH_NOW;
    int64_t t[2];
    uint64_t user = LINUX_ARG(f, 1);
    if (user != 0) {
        if (arch_copy_from_user(t, (const void user_ptr *)(uintptr_t)user, sizeof(t)) != INV_OK)
            return -LINUX_EFAULT;
        a = (struct inode_attributes){.valid = ATTR_ATIME | ATTR_MTIME, .atime = {t[0], 0}, .mtime = {t[1], 0}};
    }
    return times_change(AT_FDCWD_, LINUX_ARG(f, 0), 0, &a);
}
