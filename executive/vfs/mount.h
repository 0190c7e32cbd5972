// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mounts (mount.c), as the walk and the calls see them. Private to executive/vfs.
#ifndef VFS_MOUNT_H
#define VFS_MOUNT_H

#include <executive/mount.h>

#include "dentry.h"

#define MOUNT_DEAD  0x80000000u // in count
#define MOUNTS_MOST 65536       // in all: then NO_SPACE

// What mount(2) may say of one mount, and of a file system as a whole.
#define MOUNT_ATIME_FLAGS (MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_RELATIME)
#define MOUNT_OWN_FLAGS \
    (MOUNT_READ_ONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC | MOUNT_NOSYMFOLLOW | MOUNT_ATIME_FLAGS)
#define MOUNT_SUPER_FLAGS (MOUNT_READ_ONLY | MOUNT_SYNCHRONOUS | MOUNT_MANDATORY | MOUNT_DIRSYNC | MOUNT_LAZYTIME)

struct peer_group;

struct mount {
    /* atomic: */
    _Atomic uint32_t count;  // the tree's own one, paths, children; MOUNT_DEAD at the end
    _Atomic uint32_t flags;  // MOUNT_* of this mount
    _Atomic int32_t writers; // files open for writing through it
    _Atomic bool expires;    // marked by umount2(MNT_EXPIRE), and not used since
    struct mount *_Atomic hash_next;
    struct mount *_Atomic parent;      // counted; NULL: top of a tree, or taken off
    struct dentry *_Atomic mountpoint; // counted, in parent; NULL with it
    /* immutable after create: */
    struct dentry *root;           // counted
    struct superblock *superblock; // counted
    struct job *job;               // charged; counted
    uint32_t id;
    char *source;
    /* the superblocks' lock: */
    struct list_node superblock_node; // all mounts of the superblock
    /* VFS_MOUNT: */
    struct list_node node;              // all mounts that are attached, oldest attachment first
    struct list_node children, sibling; // what is mounted on it
    struct list_node point_node;        // by mount point
    struct peer_group *group;           // shared: events on it happen on all of the group. NULL: not shared
    struct peer_group *master;          // not shared: events of that group happen here, too. NULL: private
    struct list_node peer_node;         // in group's members, or master's slaves
    bool unbindable;
    bool fresh;            // made by the call that holds the lock: not seen by its own propagation
    bool apart;            // top of a tree that a descriptor holds, until it is attached
    bool was_writable;     // made read-only by the call that holds the lock
    bool leaving;          // to be taken off by the call that holds the lock
    struct mount *copy;    // for the length of a copy: of this mount
    struct list_node work; // on a list of the call that holds the lock
    struct path work_at;   // where it is to be attached, or was
    struct epoch_node reclaim;
};

static inline void mount_get(struct mount *m) {
    atomic_fetch_add_explicit(&m->count, 1, memory_order_relaxed);
}
static inline bool mount_try_get(struct mount *m) {
    uint32_t n = atomic_load_explicit(&m->count, memory_order_relaxed);
    while ((n & MOUNT_DEAD) == 0)
        if (atomic_compare_exchange_weak_explicit(&m->count, &n, n + 1, memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}
void mount_put(struct mount *m);        // may sleep
void mount_put_unused(struct mount *m); // the same; does not count as a use (expires)
static inline uint32_t mount_flags(const struct mount *m) {
    return atomic_load_explicit(&m->flags, memory_order_relaxed) | m->superblock->flags;
}
static inline bool mount_read_only(const struct mount *m) {
    return (mount_flags(m) & MOUNT_READ_ONLY) != 0;
}
// Counts a writer in; READ_ONLY. For the length of a change, or of a file open for writing.
must_check inv_status_t mount_write_begin(struct mount *m);
void mount_write_end(struct mount *m);

// Inside an epoch: what is mounted on dentry of mount, or NULL. Not counted.
struct mount *mount_find(const struct mount *mount, const struct dentry *dentry);
// Inside an epoch: p goes down into whatever is mounted there.
static inline void path_cross_borrowed(struct path *p) {
    while (dentry_has(p->dentry, DENTRY_MOUNTED)) {
        struct mount *m = mount_find(p->mount, p->dentry);
        if (m == NULL)
            return;
        p->mount = m;
        p->dentry = m->root;
    }
}
// A mount that is not in the tree (files without names). Takes over nothing; NULL: no memory.
struct mount *mount_create(struct superblock *sb, struct dentry *root, const char *source, unsigned flags);
must_check inv_status_t superblock_create(const struct fs_type *type, const char *source, unsigned flags,
                                          const char *options, struct superblock **out);
void superblock_put(struct superblock *sb); // a mount less
must_check inv_status_t mount_init_root(const struct fs_type *type,
                                        struct path *out_root); // boot: the root of the tree
const struct fs_type *fs_find(const char *name);                // NULL: not registered
// Calls fn for each mount of sb, with the superblocks' lock held (spinning), until it returns false.
void superblock_for_each_mount(struct superblock *sb, bool (*fn)(struct mount *m, void *arg), void *arg);
void mount_dissolve(struct mount *m); // mount_fd.c: its tree goes if it is attached nowhere
// mount.c, for mount_tree.c: the table's chain of a place.
struct mount *_Atomic *mount_bucket(const struct mount *parent, const struct dentry *d);

#endif
