// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mount, umount2 and pivot_root: each function is the whole of a call. The checks and their order are Linux's; the tree is mount_tree.c's. Thread context.

#include <kernel/process.h>
#include <kernel/string.h>

#include <executive/mount.h>

#include "boot.h"
#include "inode.h"
#include "mount_call.h"
#include "walk.h"

#define MOUNT_MAGIC       0xc0ed0000u
#define MOUNT_PROPAGATION (MOUNT_UNBINDABLE | MOUNT_PRIVATE | MOUNT_SLAVE | MOUNT_SHARED)
// Of a file system, what a remount may change.
#define REMOUNT_FLAGS (MOUNT_READ_ONLY | MOUNT_SYNCHRONOUS | MOUNT_MANDATORY | MOUNT_LAZYTIME)

bool mount_permitted(const struct vfs_caller *c) {
    return token_capable(c->token, CAP_SYS_ADMIN);
}

bool vfs_path_is_mount(const struct path *p) {
    return p->dentry == p->mount->root;
}

// --- read-only --------------------------------------------------------------------------------------------------------

static bool mount_unwritten(struct mount *m, void *arg) {
    bool *busy = arg;
    *busy = *busy || atomic_load(&m->writers) > 0;
    return !*busy;
}

// Sequentially consistent with mount_write_begin: one of the two sees the other. BUSY: somebody writes.
inv_status_t superblock_reconfigure(struct superblock *sb, unsigned flags, unsigned mask, const char *options) {
    unsigned old = sb->flags;
    bool busy = false;
    if ((flags & mask & ~old & MOUNT_READ_ONLY) != 0) {
        atomic_store(&sb->flags, old | MOUNT_READ_ONLY);
        superblock_for_each_mount(sb, mount_unwritten, &busy);
    }
    inv_status_t s = busy ? INV_ERR_BUSY : INV_OK;
    if (s == INV_OK && options != NULL && sb->type->remount != NULL)
        s = sb->type->remount(sb, flags, options);
    atomic_store(&sb->flags, s == INV_OK ? (old & ~mask) | (flags & mask) : old);
    return s;
}

inv_status_t mount_set_flags(struct mount *m, unsigned flags) {
    unsigned old = atomic_load(&m->flags);
    atomic_store(&m->flags, flags & MOUNT_OWN_FLAGS);
    if ((flags & ~old & MOUNT_READ_ONLY) == 0 || atomic_load(&m->writers) == 0)
        return INV_OK;
    atomic_store(&m->flags, old);
    return INV_ERR_BUSY;
}

// What mount(2)'s flags say of one mount. on: the one that is remounted, or NULL.
static unsigned own_flags(unsigned flags, const struct mount *on) {
    const unsigned atime = MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_RELATIME | MOUNT_STRICTATIME;
    unsigned own = flags & MOUNT_OWN_FLAGS & ~MOUNT_RELATIME;
    if ((flags & MOUNT_NOATIME) == 0)
        own |= MOUNT_RELATIME;
    if ((flags & MOUNT_STRICTATIME) != 0)
        own &= ~(MOUNT_RELATIME | MOUNT_NOATIME);
    if (on != NULL && (flags & atime) == 0)
        own = (own & ~MOUNT_ATIME_FLAGS) | (on->flags & MOUNT_ATIME_FLAGS);
    return own;
}

static inv_status_t mount_remount(const struct path *at, unsigned flags, const char *options) {
    struct mount *m = at->mount;
    unsigned own = own_flags(flags, m);
    mounts_lock();
    inv_status_t s = mount_in_tree(m) && vfs_path_is_mount(at) ? INV_OK : INV_ERR_INVALID;
    if (s == INV_OK && (flags & MOUNT_BIND) != 0) {
        s = mount_set_flags(m, own);
    } else if (s == INV_OK) {
        s = superblock_reconfigure(m->superblock, flags, REMOUNT_FLAGS, options);
        if (s == INV_OK)
            atomic_store(&m->flags, own);
    }
    mounts_unlock();
    return s;
}

// --- new and bound mounts ---------------------------------------------------------------------------------------------

inv_status_t mount_put_on(struct mount *top, const struct path *where) {
    struct list_node waste = LIST_INIT(waste);
    struct path at = *where;
    inv_status_t s = mountpoint_lock(&at);
    if (s == INV_OK) {
        struct inode *root = dentry_inode(top->root);
        if (vfs_path_is_mount(&at) && at.mount->superblock == top->superblock && at.mount->root == top->root)
            s = INV_ERR_BUSY; // the same once more in the same place
        else if (inode_is(path_inode(&at), MODE_DIRECTORY) != inode_is(root, MODE_DIRECTORY))
            s = INV_ERR_NOT_DIR;
        else
            s = mount_graft(top, &at, &waste);
        mountpoint_unlock(&at);
    }
    if (s != INV_OK) {
        mounts_lock();
        mount_discard(top, &waste);
        mounts_unlock();
    }
    mount_waste_free(&waste);
    return s;
}

inv_status_t mount_make(const char *type_name, const char *source, unsigned flags, unsigned own, const char *options,
                        struct mount **out) {
    const struct fs_type *type = fs_find(type_name);
    struct superblock *sb;
    if (type == NULL)
        return INV_ERR_NO_DEVICE;
    inv_status_t s = superblock_create(type, source, flags, options, &sb);
    if (s != INV_OK)
        return s;
    struct mount *m = mount_create(sb, sb->root, source, own);
    superblock_put(sb);
    *out = m;
    return m != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

static inv_status_t mount_new(const struct path *at, const char *source, const char *type, unsigned flags,
                              const char *options) {
    struct mount *m = NULL;
    if (type == NULL)
        return INV_ERR_INVALID;
    inv_status_t s = mount_make(type, source != NULL ? source : "none", flags, own_flags(flags, NULL), options, &m);
    return s == INV_OK ? mount_put_on(m, at) : s;
}

inv_status_t mount_clone(const struct path *from, bool recursive, struct mount **out) {
    if (from->mount->unbindable || !mount_in_tree(from->mount))
        return INV_ERR_INVALID;
    return mount_copy(from->mount, from->dentry, COPY_SAME, recursive, out);
}

// The source's tree is copied and put on under one hold of the lock.
static inv_status_t mount_bind(const struct vfs_caller *c, const struct path *where, const char *source,
                               unsigned flags) {
    struct list_node waste = LIST_INIT(waste);
    struct path from, at = *where;
    struct mount *top = NULL;
    if (source == NULL || *source == 0)
        return INV_ERR_INVALID;
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, source, WALK_FOLLOW, &from);
    if (s != INV_OK)
        return s;
    s = mountpoint_lock(&at);
    if (s == INV_OK) {
        s = mount_clone(&from, (flags & MOUNT_RECURSIVE) != 0, &top);
        if (s == INV_OK && inode_is(path_inode(&at), MODE_DIRECTORY) != inode_is(path_inode(&from), MODE_DIRECTORY))
            s = INV_ERR_NOT_DIR;
        if (s == INV_OK)
            s = mount_graft(top, &at, &waste);
        if (s != INV_OK && top != NULL)
            mount_discard(top, &waste);
        mountpoint_unlock(&at);
    }
    mount_waste_free(&waste);
    path_put(&from);
    return s;
}

static inv_status_t move_check(const struct path *at, const struct path *from) {
    struct mount *m = from->mount;
    if ((m->parent != NULL ? !mount_in_tree(m) : !m->apart) || !vfs_path_is_mount(from))
        return INV_ERR_INVALID;
    if (inode_is(path_inode(at), MODE_DIRECTORY) != inode_is(path_inode(from), MODE_DIRECTORY))
        return INV_ERR_INVALID;
    struct mount *parent = m->parent;
    if ((parent != NULL && parent->group != NULL) || (at->mount->group != NULL && mount_tree_unbindable(m)))
        return INV_ERR_INVALID; // what happens on a shared mount would have to happen on its peers, which have it, too
    return mount_below(at->mount, m) ? INV_ERR_LOOP : INV_OK;
}

inv_status_t mount_relocate(const struct path *from, const struct path *where) {
    struct list_node waste = LIST_INIT(waste);
    struct path at = *where;
    inv_status_t s = mountpoint_lock(&at);
    if (s != INV_OK)
        return s;
    s = move_check(&at, from);
    if (s == INV_OK)
        s = mount_graft(from->mount, &at, &waste);
    mountpoint_unlock(&at);
    mount_waste_free(&waste);
    return s;
}

static inv_status_t mount_shift(const struct vfs_caller *c, const struct path *at, const char *source) {
    struct path from;
    if (source == NULL || *source == 0)
        return INV_ERR_INVALID;
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, source, WALK_FOLLOW, &from);
    if (s != INV_OK)
        return s;
    s = mount_relocate(&from, at);
    path_put(&from);
    return s;
}

// --- propagation ------------------------------------------------------------------------------------------------------

static void set_propagation(struct mount *m, unsigned type) {
    mount_unshare(m, type == MOUNT_SLAVE);
    if (type != MOUNT_SLAVE)
        m->unbindable = type == MOUNT_UNBINDABLE;
}

inv_status_t mount_change_propagation(struct mount *top, unsigned type, bool recursive) {
    struct list_node shared = LIST_INIT(shared);
    inv_status_t s = INV_OK;
    if (type == MOUNT_SHARED && recursive) {
        s = mount_tree_share(top, &shared);
        while (s == INV_OK && !list_empty(&shared))
            list_remove(shared.next);
        return s;
    }
    if (type == MOUNT_SHARED) {
        struct peer_group *g = top->group == NULL ? peer_group_alloc() : NULL;
        if (g != NULL)
            mount_share(top, g);
        return top->group != NULL ? INV_OK : INV_ERR_NO_MEMORY;
    }
    for (struct mount *m = top; m != NULL; m = recursive ? mount_next(m, top) : NULL)
        set_propagation(m, type);
    return INV_OK;
}

static inv_status_t change_type(const struct path *at, unsigned flags) {
    unsigned type = flags & ~(MOUNT_RECURSIVE | MOUNT_SILENT);
    if (!vfs_path_is_mount(at) || (type & ~MOUNT_PROPAGATION) != 0 || (type & (type - 1)) != 0)
        return INV_ERR_INVALID;
    mounts_lock();
    inv_status_t s = INV_ERR_INVALID; // what is taken off has no peers any more
    if (mount_in_use(at->mount))
        s = mount_change_propagation(at->mount, type, (flags & MOUNT_RECURSIVE) != 0);
    mounts_unlock();
    return s;
}

inv_status_t vfs_mount(const struct vfs_caller *c, const char *source, const char *target, const char *type,
                       unsigned flags, const char *options) {
    struct path at;
    if ((flags & 0xffff0000u) == MOUNT_MAGIC)
        flags &= 0xffffu;
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, target, WALK_FOLLOW, &at);
    if (s != INV_OK)
        return s;
    if ((flags & MOUNT_NOUSER) != 0)
        s = INV_ERR_INVALID;
    else if (!mount_permitted(c))
        s = INV_ERR_NOT_PERMITTED;
    else if ((flags & MOUNT_REMOUNT) != 0)
        s = mount_remount(&at, flags, options);
    else if ((flags & MOUNT_BIND) != 0)
        s = mount_bind(c, &at, source, flags);
    else if ((flags & MOUNT_PROPAGATION) != 0)
        s = change_type(&at, flags);
    else if ((flags & MOUNT_MOVE) != 0)
        s = mount_shift(c, &at, source);
    else
        s = mount_new(&at, source, type, flags, options);
    path_put(&at);
    return s;
}

// --- umount2(2) -------------------------------------------------------------------------------------------------------

static bool is_own_root(const struct vfs_caller *c, const struct mount *m) {
    spin_lock(&c->fs->lock);
    bool own = c->fs->root.mount == m;
    spin_unlock(&c->fs->lock);
    return own;
}

// Marks m, or finds that it was marked and not used since (OK).
static inv_status_t expire(const struct vfs_caller *c, struct mount *m, unsigned flags) {
    if (is_own_root(c, m) || (flags & (UNMOUNT_FORCE | UNMOUNT_DETACH)) != 0)
        return INV_ERR_INVALID;
    if (atomic_load(&m->count) != 2)
        return INV_ERR_BUSY;
    return atomic_exchange(&m->expires, true) ? INV_OK : INV_ERR_TRY_AGAIN;
}

// m is counted twice: by the tree and by the caller.
static inv_status_t take_off(struct mount *m, unsigned flags) {
    struct list_node waste = LIST_INIT(waste);
    inv_status_t s = INV_OK;
    mounts_lock();
    if (!mount_in_tree(m))
        s = INV_ERR_INVALID;
    else if ((flags & UNMOUNT_DETACH) == 0 && mount_busy(m, 2))
        s = INV_ERR_BUSY;
    else
        mount_take_off(m, &waste);
    mounts_unlock();
    mount_waste_free(&waste);
    return s;
}

static inv_status_t unmount(const struct vfs_caller *c, const struct path *at, unsigned flags) {
    struct mount *m = at->mount;
    if (!mount_permitted(c))
        return INV_ERR_NOT_PERMITTED;
    mounts_lock();
    bool attached = vfs_path_is_mount(at) && mount_in_tree(m) && m->parent != NULL; // the root of everything stays
    mounts_unlock();
    if (!attached)
        return INV_ERR_INVALID;
    inv_status_t s = (flags & UNMOUNT_EXPIRE) != 0 ? expire(c, m, flags) : INV_OK;
    if (s != INV_OK)
        return s;
    if ((flags & UNMOUNT_DETACH) == 0 && is_own_root(c, m)) { // as at the end of a system's life
        mounts_lock();
        s = superblock_reconfigure(m->superblock, MOUNT_READ_ONLY, MOUNT_READ_ONLY, NULL);
        mounts_unlock();
        return s;
    }
    return take_off(m, flags);
}

inv_status_t vfs_unmount(const struct vfs_caller *c, const char *target, unsigned flags) {
    struct path at;
    if ((flags & ~(UNMOUNT_FORCE | UNMOUNT_DETACH | UNMOUNT_EXPIRE | UNMOUNT_NOFOLLOW)) != 0)
        return INV_ERR_INVALID;
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, target, (flags & UNMOUNT_NOFOLLOW) != 0 ? 0 : WALK_FOLLOW, &at);
    if (s != INV_OK)
        return s;
    s = unmount(c, &at, flags);
    dentry_put(at.dentry);
    mount_put_unused(at.mount); // a use would take the mark of MNT_EXPIRE away
    return s;
}

// --- pivot_root(2) ----------------------------------------------------------------------------------------------------

static bool is_shared(const struct mount *m) {
    return m != NULL && m->group != NULL;
}

// The lock is held.
static inv_status_t pivot_check(const struct path *root, const struct path *new, const struct path *old) {
    struct mount *m = new->mount, *root_mount = root->mount;
    if (is_shared(old->mount) || is_shared(m->parent) || is_shared(root_mount->parent))
        return INV_ERR_INVALID;
    if (!mount_in_tree(root_mount) || !mount_in_tree(m))
        return INV_ERR_INVALID;
    if (vfs_path_deleted(new) || dentry_has(new->dentry, DENTRY_REMOVED))
        return INV_ERR_NOT_FOUND;
    if (m == root_mount || old->mount == root_mount)
        return INV_ERR_BUSY;
    if (!vfs_path_is_mount(root) || root_mount->parent == NULL || !vfs_path_is_mount(new) || m->parent == NULL)
        return INV_ERR_INVALID;
    return path_below(old, new) && path_below(new, root) ? INV_OK : INV_ERR_INVALID;
}

// new takes the place of root, which goes to old. The places that are left are given up in was.
static void pivot(const struct path *root, const struct path *new, const struct path *old, struct path was[2]) {
    struct mount *root_mount = root->mount;
    struct path place = {.mount = root_mount->parent, .dentry = root_mount->mountpoint};
    path_get(&place);
    mount_move(root_mount, old->mount, old->dentry, &was[0]);
    mount_move(new->mount, place.mount, place.dentry, &was[1]);
    dentry_put(place.dentry); // new counts both now
    mount_put_unused(place.mount);
}

static inv_status_t pivot_locked(const struct path *root, const struct path *new, const struct path *old) {
    struct path at = *old, was[2];
    inv_status_t s = mountpoint_lock(&at);
    if (s != INV_OK)
        return s;
    s = pivot_check(root, new, &at);
    if (s == INV_OK)
        pivot(root, new, &at, was);
    mountpoint_unlock(&at);
    if (s != INV_OK)
        return s;
    path_put(&was[0]);
    path_put(&was[1]);
    fs_contexts_change_root(root, new);
    return INV_OK;
}

inv_status_t vfs_pivot_root(const struct vfs_caller *c, const char *new_root, const char *put_old) {
    struct path root, new, old;
    if (!mount_permitted(c))
        return INV_ERR_NOT_PERMITTED;
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, new_root, WALK_FOLLOW | WALK_DIRECTORY, &new);
    if (s != INV_OK)
        return s;
    s = vfs_lookup(c, AT_FDCWD_, put_old, WALK_FOLLOW | WALK_DIRECTORY, &old);
    if (s == INV_OK) {
        spin_lock(&c->fs->lock);
        root = c->fs->root;
        path_get(&root);
        spin_unlock(&c->fs->lock);
        s = pivot_locked(&root, &new, &old);
        path_put(&root);
        path_put(&old);
    }
    path_put(&new);
    return s;
}
