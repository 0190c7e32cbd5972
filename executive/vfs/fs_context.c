// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Where a process stands in the tree: root, working directory, umask; chdir and chroot. Thread context.
// Locking: the context's lock (VFS_SPIN) for both paths; walks copy them under it. contexts_lock (VFS_DCACHE) for the list of all, over it.

#include <kernel/process.h>
#include <kernel/slab.h>

#include "boot.h"
#include "inode.h"
#include "walk.h"

struct fs_context *fs_context_boot;
static struct spinlock contexts_lock = SPINLOCK_INIT(LOCK_RANK_VFS_DCACHE); // outside each context's own
static struct list_node contexts = LIST_INIT(contexts);

static struct fs_context *context_alloc(void) {
    struct fs_context *c = kzalloc(sizeof(*c));
    if (c != NULL) {
        c->count = 1;
        spin_lock_init(&c->lock, LOCK_RANK_VFS_SPIN);
    }
    return c;
}

// Boot: takes over one count of root.
inv_status_t fs_context_init(const struct path *root) {
    struct fs_context *c = context_alloc();
    if (c == NULL)
        return INV_ERR_NO_MEMORY;
    c->root = c->cwd = *root;
    path_get(&c->cwd);
    c->umask = 022;
    list_push_back(&contexts, &c->node);
    fs_context_boot = c;
    return INV_OK;
}

inv_status_t fs_context_copy(struct fs_context *from, struct fs_context **out) {
    struct fs_context *c = context_alloc();
    if (c == NULL)
        return INV_ERR_NO_MEMORY;
    spin_lock(&contexts_lock); // over both: a change of everybody's root finds the copy or the original
    spin_lock(&from->lock);
    c->root = from->root;
    c->cwd = from->cwd;
    path_get(&c->root);
    path_get(&c->cwd);
    spin_unlock(&from->lock);
    list_push_back(&contexts, &c->node);
    spin_unlock(&contexts_lock);
    c->umask = from->umask;
    c->users = 1;
    *out = c;
    return INV_OK;
}

bool fs_context_join(struct fs_context *c) {
    spin_lock(&c->lock);
    bool joined = !c->executing;
    c->users += joined;
    spin_unlock(&c->lock);
    return joined;
}

void fs_context_leave(struct fs_context *c) {
    spin_lock(&c->lock);
    c->users--;
    spin_unlock(&c->lock);
}

uint32_t fs_context_users(struct fs_context *c) {
    spin_lock(&c->lock);
    uint32_t users = c->users;
    spin_unlock(&c->lock);
    return users;
}

bool fs_context_exec_begin(struct fs_context *c, uint32_t (*threads)(struct fs_context *c), bool *out_began) {
    spin_lock(&c->lock);
    bool alone = c->users <= threads(c);
    *out_began = alone && !c->executing;
    c->executing = c->executing || alone;
    spin_unlock(&c->lock);
    return alone;
}

void fs_context_exec_end(struct fs_context *c) {
    spin_lock(&c->lock);
    c->executing = false;
    spin_unlock(&c->lock);
}

void fs_context_get(struct fs_context *c) {
    atomic_fetch_add_explicit(&c->count, 1, memory_order_relaxed);
}

void fs_context_put(struct fs_context *c) {
    if (atomic_fetch_sub_explicit(&c->count, 1, memory_order_acq_rel) != 1)
        return;
    spin_lock(&contexts_lock);
    list_remove(&c->node);
    spin_unlock(&contexts_lock);
    path_put(&c->root);
    path_put(&c->cwd);
    kfree(c);
}

// Returns whether it was from, whose count is then the caller's.
static bool path_change(struct path *p, const struct path *from, const struct path *to) {
    if (p->mount != from->mount || p->dentry != from->dentry)
        return false;
    path_get(to);
    *p = *to;
    return true;
}

void fs_contexts_change_root(const struct path *from, const struct path *to) {
    struct fs_context *c;
    size_t changed = 0;
    spin_lock(&contexts_lock);
    list_for_each(c, &contexts, node) {
        spin_lock(&c->lock);
        changed += path_change(&c->root, from, to);
        changed += path_change(&c->cwd, from, to);
        spin_unlock(&c->lock);
    }
    spin_unlock(&contexts_lock);
    while (changed-- != 0) {
        struct path p = *from; // the caller counts it, too
        path_put(&p);
    }
}

static void context_replace(struct fs_context *c, struct path *which, const struct path *p) {
    struct path old;
    path_get(p);
    spin_lock(&c->lock);
    old = *which;
    *which = *p;
    spin_unlock(&c->lock);
    path_put(&old);
}

static inv_status_t may_stand(const struct path *p, struct token *who) {
    if (!inode_is(path_inode(p), MODE_DIRECTORY))
        return INV_ERR_NOT_DIR;
    return vfs_permission(path_inode(p), who, WANT_EXECUTE);
}

inv_status_t vfs_chdir(const struct vfs_caller *c, const struct path *p) {
    inv_status_t s = may_stand(p, c->token);
    if (s == INV_OK)
        context_replace(c->fs, &c->fs->cwd, p);
    return s;
}

inv_status_t vfs_chroot(const struct vfs_caller *c, const struct path *p) {
    inv_status_t s = may_stand(p, c->token);
    if (s == INV_OK && !token_capable(c->token, CAP_SYS_CHROOT))
        s = INV_ERR_NOT_PERMITTED;
    if (s == INV_OK)
        context_replace(c->fs, &c->fs->root, p);
    return s;
}
