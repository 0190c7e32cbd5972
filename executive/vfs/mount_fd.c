// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Trees of mounts that a descriptor holds before they are attached, and changes of mounts by descriptor. Called by the personality; the tree itself is
// mount_tree.c's. Thread context.
//
//    copied or made ──► apart (its file holds it) ──mount_move_to──► attached: an ordinary mount; the file is one like others
//                         └─── last reference of the file ──► given up
//
// Invariants: I1. A mount that is apart has no parent, is not in the tree, and one file has FILE_HOLDS_TREE for it.
// Locking: the mounts' lock (VFS_MOUNT), by which attaching and giving up exclude each other.

#include <executive/mount_fd.h>

#include "file.h"
#include "mount_call.h"

// --- trees ------------------------------------------------------------------------------------------------------------

static void tree_give_up(struct mount *top) {
    struct list_node waste = LIST_INIT(waste);
    mounts_lock();
    if (top->apart) {
        top->apart = false;
        mount_discard(top, &waste);
    }
    mounts_unlock();
    mount_waste_free(&waste);
}

void mount_dissolve(struct mount *m) {
    tree_give_up(m);
}

// top is apart; at is its place in it, of which the file gets its own counts.
static inv_status_t tree_file(struct mount *top, struct dentry *d, struct file **out) {
    struct path p = {.mount = top, .dentry = d};
    path_get(&p);
    inv_status_t s = file_alloc_path_only(&p, out);
    if (s == INV_OK)
        atomic_fetch_or_explicit(&(*out)->holds, FILE_HOLDS_TREE, memory_order_relaxed);
    else
        tree_give_up(top);
    return s;
}

inv_status_t mount_open_tree(const struct path *at, bool clone, bool recursive, struct file **out) {
    struct path p = *at;
    struct mount *top;
    if (!clone) {
        path_get(&p);
        return file_alloc_path_only(&p, out);
    }
    mounts_lock();
    inv_status_t s = mount_clone(at, recursive, &top);
    if (s == INV_OK)
        mount_set_apart(top);
    mounts_unlock();
    return s == INV_OK ? tree_file(top, at->dentry, out) : s;
}

inv_status_t mount_open_new(struct superblock *sb, const char *source, unsigned own, struct file **out) {
    struct mount *m = mount_create(sb, sb->root, source, own);
    if (m == NULL)
        return INV_ERR_NO_MEMORY;
    mounts_lock();
    mount_set_apart(m);
    mounts_unlock();
    return tree_file(m, m->root, out);
}

inv_status_t mount_move_to(const struct path *from, const struct path *where) {
    return mount_relocate(from, where);
}

// --- groups -----------------------------------------------------------------------------------------------------------

static bool in_some_group(const struct mount *m) {
    return m->group != NULL || m->master != NULL;
}

static inv_status_t join_check(const struct path *from, const struct path *to) {
    struct mount *a = from->mount, *b = to->mount;
    if (!mount_in_use(a) || !mount_in_use(b) || !vfs_path_is_mount(from) || !vfs_path_is_mount(to))
        return INV_ERR_INVALID;
    if (a->superblock != b->superblock || !dentry_below(b->root, a->root))
        return INV_ERR_INVALID;
    return in_some_group(b) || !in_some_group(a) ? INV_ERR_INVALID : INV_OK;
}

inv_status_t mount_join_group(const struct path *from, const struct path *to) {
    mounts_lock();
    inv_status_t s = join_check(from, to);
    if (s == INV_OK && from->mount->group != NULL)
        mount_join(to->mount, from->mount->group); // its master is the group's
    else if (s == INV_OK)
        mount_follow(to->mount, from->mount->master);
    mounts_unlock();
    return s;
}

// --- flags ------------------------------------------------------------------------------------------------------------

static struct mount *change_next(struct mount *m, struct mount *top, const struct mount_change *c) {
    return c->recursive ? mount_next(m, top) : NULL;
}

static void writable_again(struct mount *top, const struct mount_change *c) {
    for (struct mount *m = top; m != NULL; m = change_next(m, top, c)) {
        if (m->was_writable)
            atomic_fetch_and(&m->flags, ~MOUNT_READ_ONLY);
        m->was_writable = false;
    }
}

// Those that are to be read-only are so from here on, or none is. Sequentially consistent with mount_write_begin: one of the two sees the other.
static inv_status_t hold_writers(struct mount *top, const struct mount_change *c) {
    if ((c->set & MOUNT_READ_ONLY) == 0)
        return INV_OK;
    for (struct mount *m = top; m != NULL; m = change_next(m, top, c)) {
        m->was_writable = (atomic_fetch_or(&m->flags, MOUNT_READ_ONLY) & MOUNT_READ_ONLY) == 0;
        if (m->was_writable && atomic_load(&m->writers) > 0) {
            writable_again(top, c);
            return INV_ERR_BUSY;
        }
    }
    return INV_OK;
}

static inv_status_t change_locked(struct mount *top, const struct mount_change *c) {
    if (top->parent != NULL ? !mount_in_tree(top) : !top->apart)
        return INV_ERR_INVALID;
    inv_status_t s = hold_writers(top, c);
    if (s == INV_OK && c->propagation != 0) {
        s = mount_change_propagation(top, c->propagation, c->recursive);
        if (s != INV_OK)
            writable_again(top, c);
    }
    for (struct mount *m = top; m != NULL && s == INV_OK; m = change_next(m, top, c)) {
        atomic_store(&m->flags, ((m->flags & ~c->clear) | c->set) & MOUNT_OWN_FLAGS);
        m->was_writable = false;
    }
    return s;
}

inv_status_t mount_change(const struct path *at, const struct mount_change *c) {
    if (!vfs_path_is_mount(at))
        return INV_ERR_INVALID;
    mounts_lock();
    inv_status_t s = change_locked(at->mount, c);
    mounts_unlock();
    return s;
}
