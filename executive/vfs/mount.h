// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mounts (mount.c), as the walk and the calls see them. Private to executive/vfs.
#ifndef VFS_MOUNT_H
#define VFS_MOUNT_H

#include "dentry.h"

#define MOUNT_DEAD 0x80000000u // in count

struct mount {
    /* atomic: */
    _Atomic uint32_t count;  // the tree's own one, paths, children; MOUNT_DEAD at the end
    _Atomic uint32_t flags;  // MOUNT_* of this mount
    _Atomic int32_t writers; // files open for writing through it
    struct mount *_Atomic hash_next;
    struct mount *_Atomic parent;      // counted; NULL: top of a tree, or taken off
    struct dentry *_Atomic mountpoint; // counted, in parent; NULL with it
    /* immutable after create: */
    struct dentry *root;           // counted
    struct superblock *superblock; // counted
    uint32_t id;
    char *source;
    /* VFS_MOUNT: */
    struct list_node node; // all mounts of the tree, oldest first; of a cut branch: until it is put
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
void mount_put(struct mount *m); // may sleep
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
                                        struct path *out_root);               // boot: the root of the tree
must_check inv_status_t mount_attach(struct mount *m, const struct path *at); // VFS_MOUNT taken inside

#endif
