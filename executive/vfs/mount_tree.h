// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// How mounts stand to each other: the tree (mount_tree.c) and the groups through which events on one happen on others (mount_group.c). Private to
// executive/vfs. All functions but the lock's own: the mounts' lock held, thread context.
#ifndef VFS_MOUNT_TREE_H
#define VFS_MOUNT_TREE_H

#include "mount.h"

void mount_tree_init(struct mount *root); // boot: the root of everything
void mounts_lock(void);
void mounts_unlock(void);
// Locks the mounts, and the inode where something is to be mounted; *at goes to the top of what is mounted there. Borrowed counts stay good while locked.
// NOT_FOUND: it was removed; INVALID: it is in no tree that is in use. Nothing is locked then.
must_check inv_status_t mountpoint_lock(struct path *at);
void mountpoint_unlock(const struct path *at);

// --- the tree ---
bool mount_in_tree(const struct mount *m); // the one that processes see, not one that was taken off or never put on
bool mount_in_use(const struct mount *m);  // in that tree, or in one that a descriptor holds
// The next of the tree below top, parents first; NULL: that was the last. The second leaves out what is mounted on m.
struct mount *mount_next(struct mount *m, const struct mount *top);
struct mount *mount_skip(struct mount *m, const struct mount *top);
bool dentry_below(const struct dentry *d, const struct dentry *above); // or the same
bool path_below(const struct path *p, const struct path *above);       // over mounts
bool mount_below(const struct mount *m, const struct mount *above);    // or the same
bool mount_tree_unbindable(struct mount *top);                         // is one of them?
// m leaves its place, whose counts are handed over, and is in another at once.
void mount_move(struct mount *m, struct mount *parent, struct dentry *d, struct path *out_was);

enum copy_kind {
    COPY_SAME,         // same peers, same master
    COPY_SLAVE,        // follows the original, which is shared
    COPY_SHARED_SLAVE, // the same, and shared with copies of its own
};
// A copy of m's part below root, attached nowhere; recursive: with what is mounted there, but unbindable mounts. NO_MEMORY.
must_check inv_status_t mount_copy(struct mount *m, struct dentry *root, enum copy_kind kind, bool recursive,
                                   struct mount **out);
// A copy, or a new mount, is a descriptor's from now on.
void mount_set_apart(struct mount *top);
// A tree that is attached nowhere is given up, to *waste.
void mount_discard(struct mount *top, struct list_node *waste);
// Attaches the tree at top (fresh, or taken from its place if it has one) to *at, and copies of it wherever events on at's mount happen too. The lock is
// mountpoint_lock's. What came off or failed is in *waste. NO_MEMORY: nothing has changed.
must_check inv_status_t mount_graft(struct mount *top, const struct path *at, struct list_node *waste);
// Takes the tree at top off, and what events on its parents take off with it; all are in *waste then.
void mount_take_off(struct mount *top, struct list_node *waste);
// Is m, or a copy that would go with it, in use? own: counts of m that are to be.
bool mount_busy(struct mount *m, uint32_t own);
// Without the lock: gives up what is in *waste.
void mount_waste_free(struct list_node *waste);
// The mounts that are attached, for lists of them.
extern struct list_node mounts;

// --- groups ---
struct peer_group {
    uint32_t id;
    struct peer_group *master; // all members follow it; NULL: nobody
    struct list_node members;  // mounts
    struct list_node slaves;   // mounts that follow and are not shared
    struct list_node groups;   // groups that follow
    struct list_node group_node;
    struct mount *source; // for the length of a graft: what its slaves' copies are made of
};
struct peer_group *peer_group_alloc(void); // NULL: no memory
void peer_group_free(struct peer_group *g);
static inline struct peer_group *mount_master(const struct mount *m) {
    return m->group != NULL ? m->group->master : m->master;
}
// The next of the groups that follow top directly or not, or NULL.
struct peer_group *peer_group_next(struct peer_group *g, const struct peer_group *top);
void mount_join(struct mount *m, struct peer_group *g); // m is private
void mount_follow(struct mount *m, struct peer_group *master);
void mount_share(struct mount *m, struct peer_group *fresh); // m is not shared; fresh is taken over
void mount_unshare(struct mount *m, bool keep_following);    // slave, or private
// All mounts of the tree at top that are not shared become so. NO_MEMORY: none. The second undoes it.
must_check inv_status_t mount_tree_share(struct mount *top, struct list_node *out_shared);
void mount_tree_share_undo(struct list_node *shared);

#endif
