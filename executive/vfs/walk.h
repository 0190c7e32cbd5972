// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The walk (walk.c): from a path to a mount and a name. Private to executive/vfs.
#ifndef VFS_WALK_H
#define VFS_WALK_H

#include "mount.h"

enum last_kind { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

struct walk {
    const struct vfs_caller *caller;
    struct path at;     // counted once counted is set, else good for the length of the epoch
    struct path root;   // likewise; the caller's root
    const char *rest;   // text not walked yet
    char *buffer;       // owned: rest lies in it once a link was followed
    struct fd_ref base; // dirfd, held while its directory is only borrowed
    unsigned flags;     // WALK_*
    unsigned links;     // symbolic links followed
    uint32_t sequence;  // of the tree, at the start
    bool counted;
    bool parent_only; // stop before the last component
    /* result of a walk to the parent: */
    struct component last;
    enum last_kind last_kind;
    bool trailing_slash; // after the last component (which must then be a directory)
};

// Walks path to the end; *out is counted. The errors of vfs_lookup.
must_check inv_status_t walk_to(const struct vfs_caller *c, int dirfd, const char *path, unsigned flags,
                                struct path *out);
// Walks to the directory of the last component: w->at is counted, w->last points into path or w->buffer. End with walk_end in any case.
must_check inv_status_t walk_to_parent(struct walk *w, const struct vfs_caller *c, int dirfd, const char *path,
                                       unsigned flags);
// Goes on after walk_to_parent through link, a symbolic link that is the last component in w->at, to the parent of what it leads to. True in
// *out_jumped: it was a magic link, and w->at is where it leads.
must_check inv_status_t walk_follow_last(struct walk *w, struct dentry *link, bool *out_jumped);
// w->at, counted, goes to its parent.
must_check inv_status_t walk_parent(struct walk *w);
void walk_end(struct walk *w);
// Goes down into what is mounted on p, which is counted before and after.
void path_cross(struct path *p);

// permission.c: may who follow link, found in dir? ACCESS (protected_symlinks).
must_check inv_status_t permission_follow(const struct inode *dir, const struct inode *link, const struct token *who);
// permission.c: may who make, remove names in dir? NOT_FOUND (dir removed), ACCESS, NOT_PERMITTED (sticky), NOT_DIR, IS_DIR, BUSY.
must_check inv_status_t permission_create(struct dentry *dir, struct token *who);
must_check inv_status_t permission_delete(struct dentry *dir, struct dentry *victim, struct token *who, bool directory);

#endif
