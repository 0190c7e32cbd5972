// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mounts beyond vfs.h's mount and unmount: flags, propagation, pivot_root, and what /proc tells of them (executive/vfs/mount_call.c, mount_show.c).
#ifndef EXECUTIVE_MOUNT_H
#define EXECUTIVE_MOUNT_H

#include <executive/vfs.h>

// Flags of mount, numbers of Linux's MS_*, beside those of vfs.h.
#define MOUNT_SYNCHRONOUS (1u << 4) // kept and told; what is in memory is never written
#define MOUNT_MANDATORY   (1u << 6) // kept and told
#define MOUNT_DIRSYNC     (1u << 7) // kept and told
#define MOUNT_MOVE        (1u << 13)
#define MOUNT_RECURSIVE   (1u << 14)
#define MOUNT_SILENT      (1u << 15)
#define MOUNT_UNBINDABLE  (1u << 17)
#define MOUNT_PRIVATE     (1u << 18)
#define MOUNT_SLAVE       (1u << 19)
#define MOUNT_SHARED      (1u << 20)
#define MOUNT_LAZYTIME    (1u << 25) // kept and told
#define MOUNT_NOUSER      (1u << 31)
// Flags of unmount.
#define UNMOUNT_FORCE    1u
#define UNMOUNT_DETACH   2u
#define UNMOUNT_EXPIRE   4u
#define UNMOUNT_NOFOLLOW 8u

// new_root becomes the root of everybody who has the caller's; the old one goes to put_old. NOT_PERMITTED, the walks' errors, then as pivot_root(2).
must_check inv_status_t vfs_pivot_root(const struct vfs_caller *c, const char *new_root, const char *put_old);

uint32_t mount_number(const struct mount *m);
bool vfs_path_is_mount(const struct path *p); // the root of its mount

// For mounts and mountinfo.
struct mount_description {
    uint32_t id, parent_id;
    devno_t device;
    bool read_only, own_read_only; // the superblock; the mount alone
    uint32_t shared, master;       // peer groups; 0: none
    bool unbindable;
    /* by vfs_for_each_mount only: */
    uint32_t propagate_from; // the nearest group above that the caller sees
    const char *source, *target, *type, *root;
    const char *own_options, *super_options, *fs_options; // each with a comma before each word
};
void mount_describe(struct mount *m, struct mount_description *out);
typedef bool (*mount_show_fn)(const struct mount_description *d, void *arg);
// Those that can be seen from the caller's root, oldest first, until fn returns false.
void vfs_for_each_mount(const struct vfs_caller *c, mount_show_fn fn, void *arg);

#endif
