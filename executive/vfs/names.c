// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Making and removing names: mkdir, mknod, symlink, link, unlink, rmdir, readlink. Each function is the whole of a call, in thread context. Errors come in
// Linux's order: the walk, the kind of the last component, (for new names: is it there already), read-only, then permission, then the file system.
// Locking: the directory's inode lock over lookup and change; for link and removal also the other inode's, after it (directories: parent before child).

#include <kernel/string.h>

#include "acl.h"
#include "inode.h"
#include "walk.h"

struct new_name {
    struct walk walk;
    struct dentry *dentry; // negative, counted
    struct inode *dir;     // locked
};

static void name_create_end(struct new_name *n) {
    if (n->dir != NULL) {
        mutex_unlock(&n->dir->lock);
        mount_write_end(n->walk.at.mount);
    }
    if (n->dentry != NULL)
        dentry_put(n->dentry);
    walk_end(&n->walk);
}

// Finds the place for a new name and locks its directory; permission_create is left to the caller. name_create_end in any case.
static inv_status_t name_create_begin(const struct vfs_caller *c, int dirfd, const char *path, bool directory,
                                      struct new_name *n) {
    n->dentry = NULL;
    n->dir = NULL;
    inv_status_t s = walk_to_parent(&n->walk, c, dirfd, path, 0);
    if (s != INV_OK)
        return s;
    if (n->walk.last_kind != LAST_NAME)
        return INV_ERR_EXISTS;
    struct mount *m = n->walk.at.mount;
    inv_status_t read_only = mount_write_begin(m);
    struct inode *dir = path_inode(&n->walk.at);
    mutex_lock(&dir->lock);
    s = dentry_lookup_locked(n->walk.at.dentry, &n->walk.last, &n->dentry);
    if (s == INV_OK && dentry_inode(n->dentry) != NULL)
        s = INV_ERR_EXISTS;
    else if (s == INV_OK && ((!directory && n->walk.trailing_slash) || dir->ops->create == NULL))
        s = INV_ERR_NOT_FOUND; // a file system that makes no names by itself (procfs) does not know this one
    else if (s == INV_OK)
        s = read_only;
    if (s == INV_OK) {
        n->dir = dir;
        return INV_OK;
    }
    mutex_unlock(&dir->lock);
    if (read_only == INV_OK)
        mount_write_end(m);
    return s;
}

static inv_status_t name_created(struct new_name *n, inv_status_t s, struct inode *made) {
    if (s == INV_OK)
        dentry_instantiate(n->dentry, made);
    return s;
}

inv_status_t vfs_mkdir(const struct vfs_caller *c, int dirfd, const char *path, uint32_t mode) {
    struct new_name n;
    struct inode *made = NULL;
    inv_status_t s = name_create_begin(c, dirfd, path, true, &n);
    if (s == INV_OK)
        s = permission_create(n.walk.at.dentry, c->token);
    if (s == INV_OK) {
        const struct inode_ops *ops = n.dir->ops;
        mode = acl_new_mode(n.dir, mode & (0777u | MODE_STICKY), c->fs->umask);
        s = ops->mkdir == NULL
                ? INV_ERR_NOT_PERMITTED
                : ops->mkdir(n.dir, n.walk.last.text, n.walk.last.length, mode | MODE_DIRECTORY, c->token, &made);
        s = name_created(&n, s, made);
    }
    name_create_end(&n);
    return s;
}

inv_status_t vfs_mknod_path(const struct vfs_caller *c, int dirfd, const char *path, uint32_t mode, devno_t rdev,
                            struct path *out) {
    struct new_name n;
    struct inode *made = NULL;
    uint32_t type = mode & MODE_FMT;
    if (type == 0)
        type = MODE_REGULAR;
    if (type == MODE_DIRECTORY)
        return INV_ERR_NOT_PERMITTED;
    if (type != MODE_REGULAR && type != MODE_CHARACTER && type != MODE_BLOCK && type != MODE_FIFO &&
        type != MODE_SOCKET)
        return INV_ERR_INVALID;
    bool device = type == MODE_CHARACTER || type == MODE_BLOCK;
    inv_status_t s = name_create_begin(c, dirfd, path, false, &n);
    if (s == INV_OK)
        s = permission_create(n.walk.at.dentry, c->token);
    if (s == INV_OK) {
        const struct inode_ops *ops = n.dir->ops;
        mode = type | acl_new_mode(n.dir, mode & 07777u, c->fs->umask);
        bool whiteout = type == MODE_CHARACTER && rdev == 0; // stands for nothing: anybody may make it
        if ((device && !whiteout && !token_capable(c->token, CAP_MKNOD)) || ops->create == NULL)
            s = INV_ERR_NOT_PERMITTED;
        else
            s = ops->create(n.dir, n.walk.last.text, n.walk.last.length, mode, device ? rdev : 0, c->token, &made);
        s = name_created(&n, s, made);
        if (s == INV_OK && out != NULL) {
            *out = (struct path){.mount = n.walk.at.mount, .dentry = n.dentry};
            path_get(out);
        }
    }
    name_create_end(&n);
    return s;
}

inv_status_t vfs_mknod(const struct vfs_caller *c, int dirfd, const char *path, uint32_t mode, devno_t rdev) {
    return vfs_mknod_path(c, dirfd, path, mode, rdev, NULL);
}

inv_status_t vfs_symlink(const struct vfs_caller *c, const char *target, int dirfd, const char *path) {
    struct new_name n;
    struct inode *made = NULL;
    if (*target == 0)
        return INV_ERR_NOT_FOUND;
    inv_status_t s = name_create_begin(c, dirfd, path, false, &n);
    if (s == INV_OK)
        s = permission_create(n.walk.at.dentry, c->token);
    if (s == INV_OK) {
        const struct inode_ops *ops = n.dir->ops;
        s = ops->symlink == NULL ? INV_ERR_NOT_PERMITTED
                                 : ops->symlink(n.dir, n.walk.last.text, n.walk.last.length, target, c->token, &made);
        s = name_created(&n, s, made);
    }
    name_create_end(&n);
    return s;
}

// A file that is not one's own may be linked only if it could be copied as well (protected_hardlinks).
static inv_status_t link_permitted(struct inode *i, struct token *who) {
    if (atomic_load_explicit(&vfs_protection.hardlinks, memory_order_relaxed) == 0 || inode_owner_or_capable(i, who))
        return INV_OK;
    uint32_t mode = i->mode, group_run = MODE_SETGID | 010;
    if ((mode & MODE_FMT) != MODE_REGULAR || (mode & MODE_SETUID) != 0 || (mode & group_run) == group_run ||
        vfs_permission(i, who, WANT_READ | WANT_WRITE) != INV_OK)
        return INV_ERR_NOT_PERMITTED;
    return INV_OK;
}

// The new name's place is locked; the old inode is a file, so its lock comes after.
static inv_status_t link_locked(struct new_name *n, const struct path *old, struct token *who) {
    struct inode *i = path_inode(old);
    if (old->mount != n->walk.at.mount)
        return INV_ERR_CROSS_DEVICE;
    inv_status_t s = link_permitted(i, who);
    if (s == INV_OK)
        s = permission_create(n->walk.at.dentry, who);
    if (s != INV_OK)
        return s;
    if (inode_is(i, MODE_DIRECTORY) || n->dir->ops->link == NULL)
        return INV_ERR_NOT_PERMITTED;
    mutex_lock(&i->lock);
    s = i->nlink == 0 && !i->linkable ? INV_ERR_NOT_FOUND
                                      : n->dir->ops->link(n->dir, n->walk.last.text, n->walk.last.length, i);
    if (s == INV_OK)
        i->linkable = false;
    mutex_unlock(&i->lock);
    if (s == INV_OK) {
        inode_get(i);
        dentry_instantiate(n->dentry, i);
    }
    return s;
}

inv_status_t vfs_link(const struct vfs_caller *c, int old_dirfd, const char *old_path, int new_dirfd,
                      const char *new_path, unsigned walk) {
    struct new_name n;
    struct path old;
    inv_status_t s = walk_to(c, old_dirfd, old_path, walk, &old);
    if (s != INV_OK)
        return s;
    s = name_create_begin(c, new_dirfd, new_path, false, &n);
    if (s == INV_OK)
        s = link_locked(&n, &old, c->token);
    name_create_end(&n);
    path_put(&old);
    return s;
}

// --- removal ----------------------------------------------------------------------------------------------------------

static inv_status_t remove_kind(const struct walk *w, bool directory) {
    if (w->last_kind == LAST_NAME)
        return INV_OK;
    if (!directory)
        return INV_ERR_IS_DIR;
    return w->last_kind == LAST_DOTDOT ? INV_ERR_NOT_EMPTY : w->last_kind == LAST_DOT ? INV_ERR_INVALID : INV_ERR_BUSY;
}

// dir's inode locked. The victim stays counted by the caller.
static inv_status_t remove_locked(const struct vfs_caller *c, struct walk *w, struct dentry *victim, bool directory) {
    struct inode *dir = path_inode(&w->at), *i = dentry_inode(victim);
    if (i == NULL)
        return INV_ERR_NOT_FOUND;
    if (!directory && w->trailing_slash)
        return inode_is(i, MODE_DIRECTORY) ? INV_ERR_IS_DIR : INV_ERR_NOT_DIR;
    inv_status_t s = permission_delete(w->at.dentry, victim, c->token, directory);
    if (s != INV_OK)
        return s;
    inv_status_t (*op)(struct inode *, const char *, size_t, struct inode *) = directory ? dir->ops->rmdir
                                                                                         : dir->ops->unlink;
    if (op == NULL)
        return INV_ERR_NOT_PERMITTED;
    mutex_lock(&i->lock);
    s = dentry_has(victim, DENTRY_MOUNTED) ? INV_ERR_BUSY : op(dir, w->last.text, w->last.length, i);
    if (s == INV_OK && directory)
        dentry_set_flag(victim, DENTRY_REMOVED);
    if (s == INV_OK)
        dentry_unhash(victim); // before the lock goes: whoever mounts something here looks under it
    mutex_unlock(&i->lock);
    if (s == INV_OK && directory)
        dentry_drop_children(victim);
    return s;
}

inv_status_t vfs_unlink(const struct vfs_caller *c, int dirfd, const char *path, bool directory) {
    struct walk w;
    struct dentry *victim = NULL;
    inv_status_t s = walk_to_parent(&w, c, dirfd, path, 0);
    if (s == INV_OK)
        s = remove_kind(&w, directory);
    if (s == INV_OK)
        s = mount_write_begin(w.at.mount);
    if (s != INV_OK) {
        walk_end(&w);
        return s;
    }
    struct inode *dir = path_inode(&w.at);
    mutex_lock(&dir->lock);
    s = dentry_lookup_locked(w.at.dentry, &w.last, &victim);
    if (s == INV_OK)
        s = remove_locked(c, &w, victim, directory);
    mutex_unlock(&dir->lock);
    if (victim != NULL)
        dentry_put(victim); // the inode's data goes here, without the directory's lock
    mount_write_end(w.at.mount);
    walk_end(&w);
    return s;
}

// --- links ------------------------------------------------------------------------------------------------------------

inv_status_t vfs_readlink(const struct vfs_caller *c, int dirfd, const char *path, char *buffer, size_t size,
                          size_t *out_length) {
    struct path p;
    inv_status_t s = walk_to(c, dirfd, path, WALK_EMPTY_PATH, &p);
    if (s != INV_OK)
        return s;
    struct inode *i = path_inode(&p);
    if (!inode_is(i, MODE_SYMLINK) || i->ops->readlink == NULL) {
        s = *path != 0 ? INV_ERR_INVALID : INV_ERR_NOT_FOUND;
    } else {
        inode_touch_atime(i, mount_flags(p.mount));
        s = i->ops->readlink(i, buffer, size, out_length);
    }
    path_put(&p);
    return s;
}
