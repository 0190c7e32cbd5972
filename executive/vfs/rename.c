// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// rename, renameat, renameat2: moves a name, replaces or exchanges. Thread context.
//
// Locking, in this order: rename_lock (VFS_RENAME) if the directories differ, so that no directory's ancestors change while we look at them and two crossing
// renames cannot make a loop; then the two directories, an ancestor before its descendant, unrelated ones by address; then the inodes concerned, directories
// before files, and within each kind by address. The name cache moves the dentry inside tree_change_begin and _end.

#include <kernel/string.h>

#include "boot.h"
#include "inode.h"
#include "walk.h"

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u
#define RENAME_WHITEOUT  4u

static struct mutex rename_lock;

struct rename {
    const struct vfs_caller *caller;
    struct walk from, to;
    struct dentry *source, *target; // counted; target may be negative
    struct inode *whiteout;         // counted, or NULL
    struct dentry *trap;    // the child of one directory through which the other is reached, or NULL; not counted
    bool trap_above_target; // the source directory is the ancestor
    unsigned flags;
};

void rename_init(void) {
    mutex_init(&rename_lock, LOCK_RANK_VFS_RENAME);
}

// The child of above that is below or at d; NULL if d is not below above. rename_lock held, so parents stand still.
static struct dentry *child_towards(struct dentry *above, struct dentry *d) {
    for (struct dentry *parent; (parent = dentry_parent(d)) != d; d = parent)
        if (parent == above)
            return d;
    return NULL;
}

static void lock_directories(struct rename *r) {
    struct dentry *a = r->from.at.dentry, *b = r->to.at.dentry;
    r->trap = NULL;
    if (a == b) {
        mutex_lock(&dentry_inode(a)->lock);
        return;
    }
    mutex_lock(&rename_lock);
    struct dentry *first = a < b ? a : b;
    if ((r->trap = child_towards(a, b)) != NULL)
        first = a;
    else if ((r->trap = child_towards(b, a)) != NULL)
        first = b;
    r->trap_above_target = r->trap != NULL && first == a;
    mutex_lock(&dentry_inode(first)->lock);
    mutex_lock(&dentry_inode(first == a ? b : a)->lock);
}

static void unlock_directories(struct rename *r) {
    struct dentry *a = r->from.at.dentry, *b = r->to.at.dentry;
    mutex_unlock(&dentry_inode(a)->lock);
    if (a == b)
        return;
    mutex_unlock(&dentry_inode(b)->lock);
    mutex_unlock(&rename_lock);
}

// Directories first, then by address; either may be NULL.
static void lock_inodes(struct inode *a, struct inode *b) {
    if (b != NULL &&
        (inode_is(a, MODE_DIRECTORY) != inode_is(b, MODE_DIRECTORY) ? inode_is(b, MODE_DIRECTORY) : b < a)) {
        struct inode *swap = a;
        a = b;
        b = swap;
    }
    mutex_lock(&a->lock);
    if (b != NULL)
        mutex_lock(&b->lock);
}

static inv_status_t rename_names(struct rename *r) {
    inv_status_t s = dentry_lookup_locked(r->from.at.dentry, &r->from.last, &r->source);
    if (s == INV_OK && dentry_inode(r->source) == NULL)
        s = INV_ERR_NOT_FOUND;
    if (s == INV_OK)
        s = dentry_lookup_locked(r->to.at.dentry, &r->to.last, &r->target);
    if (s != INV_OK)
        return s;
    struct inode *old = dentry_inode(r->source), *new = dentry_inode(r->target);
    if ((r->flags & RENAME_NOREPLACE) != 0 && new != NULL)
        return INV_ERR_EXISTS;
    if ((r->flags & RENAME_EXCHANGE) != 0) {
        if (new == NULL)
            return INV_ERR_NOT_FOUND;
        if (!inode_is(new, MODE_DIRECTORY) && r->to.trailing_slash)
            return INV_ERR_NOT_DIR;
    }
    if (!inode_is(old, MODE_DIRECTORY)) {
        if (r->from.trailing_slash || ((r->flags & RENAME_EXCHANGE) == 0 && r->to.trailing_slash))
            return INV_ERR_NOT_DIR;
    }
    if (r->trap != NULL && r->trap_above_target && r->trap == r->source)
        return INV_ERR_INVALID; // into itself
    if (r->trap != NULL && !r->trap_above_target && r->trap == r->target)
        return (r->flags & RENAME_EXCHANGE) != 0 ? INV_ERR_INVALID : INV_ERR_NOT_EMPTY;
    return INV_OK;
}

static inv_status_t rename_permitted(struct rename *r) {
    struct token *who = r->caller->token;
    struct inode *old = dentry_inode(r->source), *new = dentry_inode(r->target);
    bool directory = inode_is(old, MODE_DIRECTORY), exchange = (r->flags & RENAME_EXCHANGE) != 0;
    inv_status_t s = permission_delete(r->from.at.dentry, r->source, who, directory);
    if (s != INV_OK)
        return s;
    if (new == NULL)
        s = permission_create(r->to.at.dentry, who);
    else
        s = permission_delete(r->to.at.dentry, r->target, who, exchange ? inode_is(new, MODE_DIRECTORY) : directory);
    if (s == INV_OK && r->from.at.dentry != r->to.at.dentry) { // ".." changes
        if (directory)
            s = vfs_permission(old, who, WANT_WRITE);
        if (s == INV_OK && exchange && inode_is(new, MODE_DIRECTORY))
            s = vfs_permission(new, who, WANT_WRITE);
    }
    return s;
}

// All checked and locked: the file system's step, then the cache's, which was prepared and cannot fail.
static inv_status_t rename_commit(struct rename *r) {
    struct inode *old_dir = path_inode(&r->from.at), *new_dir = path_inode(&r->to.at);
    struct inode *old = dentry_inode(r->source), *new = dentry_inode(r->target);
    bool exchange = (r->flags & RENAME_EXCHANGE) != 0;
    struct dentry_move there, back = {.name = NULL};
    inv_status_t s = dentry_move_prepare(r->source, &r->to.last, &there);
    if (s == INV_OK && exchange)
        s = dentry_move_prepare(r->target, &r->from.last, &back);
    if (s == INV_OK) {
        lock_inodes(old, new);
        s = r->whiteout != NULL
                ? old_dir->ops->rename_whiteout(old_dir, r->from.last.text, r->from.last.length, old, new_dir,
                                                r->to.last.text, r->to.last.length, new, r->whiteout)
                : old_dir->ops->rename(old_dir, r->from.last.text, r->from.last.length, old, new_dir, r->to.last.text,
                                       r->to.last.length, new, exchange);
        if (s == INV_OK && !exchange && new != NULL && inode_is(new, MODE_DIRECTORY))
            dentry_set_flag(r->target, DENTRY_REMOVED);
        mutex_unlock(&old->lock);
        if (new != NULL)
            mutex_unlock(&new->lock);
    }
    if (s != INV_OK) {
        dentry_move_cancel(r->source, &there);
        dentry_move_cancel(r->target, &back);
        return s;
    }
    if (exchange) {
        dentry_exchange(r->source, &there, r->target, &back);
        return INV_OK;
    }
    dentry_move(r->source, r->to.at.dentry, &there, r->target);
    if (new != NULL && inode_is(new, MODE_DIRECTORY))
        dentry_drop_children(r->target);
    return INV_OK;
}

static inv_status_t rename_locked(struct rename *r) {
    inv_status_t s = rename_names(r);
    if (s != INV_OK)
        return s;
    if (dentry_inode(r->source) == dentry_inode(r->target))
        return INV_OK; // two names of one file: nothing to do
    s = rename_permitted(r);
    if (s != INV_OK)
        return s;
    struct inode *dir = path_inode(&r->from.at);
    if (dir->ops->rename == NULL)
        return INV_ERR_NOT_PERMITTED;
    if ((r->flags & RENAME_WHITEOUT) != 0) {
        s = dir->ops->create_whiteout != NULL ? dir->ops->create_whiteout(dir, r->caller->token, &r->whiteout)
                                              : INV_ERR_INVALID;
        if (s != INV_OK)
            return s;
    }
    return rename_commit(r);
}

static inv_status_t rename_between(struct rename *r) {
    if (r->from.at.mount != r->to.at.mount)
        return INV_ERR_CROSS_DEVICE;
    if (r->from.last_kind != LAST_NAME)
        return INV_ERR_BUSY;
    if (r->to.last_kind != LAST_NAME)
        return (r->flags & RENAME_NOREPLACE) != 0 ? INV_ERR_EXISTS : INV_ERR_BUSY;
    inv_status_t s = mount_write_begin(r->from.at.mount);
    if (s != INV_OK)
        return s;
    lock_directories(r);
    s = rename_locked(r);
    unlock_directories(r);
    if (r->source != NULL)
        dentry_put(r->source);
    if (r->target != NULL)
        dentry_put(r->target);
    inode_put(r->whiteout);
    mount_write_end(r->from.at.mount);
    return s;
}

inv_status_t vfs_rename(const struct vfs_caller *c, int old_dirfd, const char *old_path, int new_dirfd,
                        const char *new_path, unsigned flags) {
    struct rename r = {.caller = c, .flags = flags};
    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0 ||
        ((flags & RENAME_EXCHANGE) != 0 && (flags & ~RENAME_EXCHANGE) != 0))
        return INV_ERR_INVALID;
    inv_status_t s = walk_to_parent(&r.from, c, old_dirfd, old_path, 0);
    if (s == INV_OK) {
        s = walk_to_parent(&r.to, c, new_dirfd, new_path, 0);
        if (s == INV_OK)
            s = rename_between(&r);
        walk_end(&r.to);
    }
    walk_end(&r.from);
    return s;
}
