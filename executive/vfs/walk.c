// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The walk: from a path to a mount and a name. Called by every call that takes a path, in thread context.
//
// It begins BORROWED: inside an epoch, preemption off, no counts and no locks, by the name cache alone. What it needs to wait for (a name that is not cached, a
// symbolic link, a file system that wants to be asked) first PINS what was reached: counts it, and checks that tree_sequence has not moved since the
// start. A pin that fails makes the walk begin again, COUNTED: every step counts the next place before it lets the last one go, and that always comes
// to an end. Borrowed walks end with a pin too, so every result was, at one moment, what the path named.
//
//     start --> BORROWED --(pin ok)--> COUNTED --> end
//                  |  pin failed          ^
//                  +----- start again ----+
//
// Walks that are kept (openat2) begin counted. One that is kept below a directory looks at tree_sequence after each "..": if a name or a mount moved since
// the start, it may stand outside, and gives up.
//
// Errors come in the order in which Linux meets them: for each component first "is this a directory", then "may it be searched", then the name.

#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "inode.h"
#include "walk.h"

#define WALK_RETRY    1 // private status: begin again, counted
#define WALK_SCOPED   (WALK_BENEATH | WALK_IN_ROOT)
#define WALK_KEPT     (WALK_SCOPED | WALK_NO_CROSSING | WALK_CACHED) // always counted: only there it is looked at
#define BORROWED_MOST 16                                             // components that are walked with preemption off

// --- states -----------------------------------------------------------------------------------------------------------

// Leaves the borrowed state with w->at (and w->root and link, if any) counted. link: a child of w->at, or NULL.
static inv_status_t walk_pin(struct walk *w, bool with_root, struct dentry *link) {
    if (w->counted)
        return INV_OK;
    bool mount = mount_try_get(w->at.mount), dentry = mount && dentry_try_get(w->at.dentry);
    bool root = dentry && with_root && mount_try_get(w->root.mount);
    bool root_dentry = root && dentry_try_get(w->root.dentry);
    bool child = dentry && link != NULL && dentry_try_get(link);
    bool ok = dentry && (!with_root || root_dentry) && (link == NULL || child) && tree_sequence_valid(w->sequence);
    epoch_exit();
    w->counted = true;
    if (ok) {
        if (!with_root)
            w->root = (struct path){NULL, NULL};
        return INV_OK;
    }
    if (child)
        dentry_put(link);
    if (root_dentry)
        dentry_put(w->root.dentry);
    if (root)
        mount_put(w->root.mount);
    if (dentry)
        dentry_put(w->at.dentry);
    if (mount)
        mount_put(w->at.mount);
    w->at = w->root = (struct path){NULL, NULL};
    return WALK_RETRY;
}

static void walk_let_go(struct walk *w) {
    if (!w->counted) {
        epoch_exit();
        w->at = w->root = (struct path){NULL, NULL};
        w->counted = true;
    }
    if (w->at.mount != NULL)
        path_put(&w->at);
    if (w->root.mount != NULL)
        path_put(&w->root);
}

void walk_end(struct walk *w) {
    walk_let_go(w);
    if (w->base.file != NULL)
        fd_return(&w->base);
    w->base.file = NULL;
    kfree(w->buffer);
    w->buffer = NULL;
}

// Where the walk of path begins. The base of a relative path with a descriptor is opened once.
static inv_status_t walk_base(struct walk *w, int dirfd, const char *path) {
    if (*path == '/' && (w->flags & WALK_IN_ROOT) == 0)
        return (w->flags & WALK_BENEATH) != 0 ? INV_ERR_CROSS_DEVICE : INV_OK;
    if (dirfd == AT_FDCWD_ || w->base.file != NULL)
        return INV_OK;
    inv_status_t s = fd_borrow(w->caller->fds, dirfd, &w->base);
    if (s != INV_OK)
        return s;
    if (*path != 0 && !inode_is(w->base.file->inode, MODE_DIRECTORY))
        return INV_ERR_NOT_DIR;
    return INV_OK;
}

static void walk_start(struct walk *w, const char *path, bool counted) {
    struct fs_context *fs = w->caller->fs;
    if (!counted) {
        epoch_enter();
        w->sequence = tree_sequence_read();
    } else if ((w->flags & WALK_SCOPED) != 0) {
        while (((w->sequence = tree_sequence_read()) & 1) != 0)
            arch_pause();
    }
    w->counted = counted;
    w->rest = path;
    w->links = 0;
    w->trailing_slash = false;
    spin_lock(&fs->lock);
    w->root = fs->root;
    w->at = *path == '/' && (w->flags & WALK_IN_ROOT) == 0 ? fs->root
            : w->base.file != NULL                         ? w->base.file->path
                                                           : fs->cwd;
    if (unlikely((w->flags & WALK_SCOPED) != 0))
        w->root = w->at;
    if (counted) {
        path_get(&w->root);
        path_get(&w->at);
    }
    spin_unlock(&fs->lock);
}

// --- steps ------------------------------------------------------------------------------------------------------------

// May at be searched? Mode bits alone decide for most; else the file system is asked or the caller's identity looked at (both may be done borrowed, but a
// file system's own check may sleep).
static inv_status_t walk_may_search(struct walk *w) {
    struct inode *i = dentry_inode_borrowed(w->at.dentry);
    if (!inode_is(i, MODE_DIRECTORY))
        return INV_ERR_NOT_DIR;
    if (likely(i->ops->permission == NULL)) {
        if ((i->mode & 0111) == 0111 && likely(!inode_has_acl(i)))
            return INV_OK;
    } else {
        inv_status_t s = walk_pin(w, true, NULL);
        if (s != INV_OK)
            return s;
    }
    return vfs_permission(i, w->caller->token, WANT_EXECUTE);
}

static inline bool same_path(const struct path *a, const struct path *b) {
    return a->mount == b->mount && a->dentry == b->dentry;
}

// Is d of the mount's own part of its file system? A directory may have been moved out of what a bind mount shows. Inside an epoch.
static bool mount_shows(const struct mount *m, const struct dentry *d) {
    if (likely(m->root == m->superblock->root))
        return true;
    for (const struct dentry *parent; d != m->root; d = parent) {
        parent = dentry_parent(d);
        if (parent == d)
            return false;
    }
    return true;
}

// p goes to its parent, over mount points, but not above root. Inside an epoch. NOT_FOUND: the way up does not lead through the mount.
static inv_status_t path_up_borrowed(struct path *p, const struct path *root) {
    while (!same_path(p, root)) {
        if (p->dentry != p->mount->root) {
            p->dentry = dentry_parent(p->dentry);
            if (unlikely(!mount_shows(p->mount, p->dentry)))
                return INV_ERR_NOT_FOUND;
            break;
        }
        struct mount *parent = atomic_load_explicit(&p->mount->parent, memory_order_acquire);
        struct dentry *at = atomic_load_explicit(&p->mount->mountpoint, memory_order_acquire);
        if (parent == NULL || at == NULL)
            break;
        p->mount = parent;
        p->dentry = at;
    }
    path_cross_borrowed(p);
    return INV_OK;
}

// The walk has come from w->at to up: may it, where it is kept?
static inv_status_t walk_up_kept(const struct walk *w, const struct path *up) {
    if ((w->flags & WALK_BENEATH) != 0 && same_path(&w->at, &w->root))
        return INV_ERR_CROSS_DEVICE;
    if ((w->flags & WALK_NO_CROSSING) != 0 && up->mount != w->at.mount)
        return INV_ERR_CROSS_DEVICE;
    return (w->flags & WALK_SCOPED) == 0 || tree_sequence_valid(w->sequence) ? INV_OK : INV_ERR_TRY_AGAIN;
}

static inv_status_t walk_up(struct walk *w) {
    if (!w->counted) {
        inv_status_t s = path_up_borrowed(&w->at, &w->root);
        return s == INV_OK || tree_sequence_valid(w->sequence) ? s : WALK_RETRY;
    }
    for (;;) {
        epoch_enter();
        uint32_t sequence = tree_sequence_read();
        struct path up = w->at;
        inv_status_t s = path_up_borrowed(&up, &w->root);
        bool mount = mount_try_get(up.mount), dentry = mount && dentry_try_get(up.dentry);
        bool valid = tree_sequence_valid(sequence);
        epoch_exit();
        if (dentry && valid) {
            if (s == INV_OK)
                s = walk_up_kept(w, &up);
            path_put(s == INV_OK ? &w->at : &up);
            if (s == INV_OK)
                w->at = up;
            return s;
        }
        if (dentry)
            dentry_put(up.dentry);
        if (mount)
            mount_put(up.mount);
    }
}

// The text of a link as the new rest, in front of what is still to be walked. Takes over nothing.
static inv_status_t walk_push_link(struct walk *w, struct inode *link) {
    char *text = kmalloc(PATH_MAX_BYTES);
    size_t length = 0, rest = strlen(w->rest);
    if (text == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t s = link->ops->readlink != NULL ? link->ops->readlink(link, text, PATH_MAX_BYTES - 1, &length)
                                                 : INV_ERR_INVALID;
    if (s == INV_OK && length == 0)
        s = INV_ERR_NOT_FOUND;
    if (s != INV_OK || (rest == 0 && !w->trailing_slash)) {
        text[length] = 0;
        kfree(s == INV_OK ? w->buffer : text);
        if (s == INV_OK)
            w->rest = w->buffer = text;
        return s;
    }
    char *both = kmalloc(length + rest + 2);
    if (both != NULL) {
        memcpy(both, text, length);
        both[length] = '/';
        memcpy(both + length + 1, w->rest, rest + 1);
        kfree(w->buffer);
        w->rest = w->buffer = both;
    }
    kfree(text);
    return both != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

// A magic link leads to target, counted and taken over.
static inv_status_t walk_jump(struct walk *w, struct path *target) {
    inv_status_t s = INV_OK;
    if ((w->flags & WALK_NO_MAGICLINKS) != 0)
        s = INV_ERR_LOOP;
    else if ((w->flags & WALK_SCOPED) != 0 || ((w->flags & WALK_NO_CROSSING) != 0 && target->mount != w->at.mount))
        s = INV_ERR_CROSS_DEVICE;
    path_put(s == INV_OK ? &w->at : target);
    if (s == INV_OK)
        w->at = *target;
    return s;
}

// The text of a link begins with a slash.
static inv_status_t walk_to_root(struct walk *w) {
    if ((w->flags & WALK_BENEATH) != 0 || ((w->flags & WALK_NO_CROSSING) != 0 && w->at.mount != w->root.mount))
        return INV_ERR_CROSS_DEVICE;
    path_get(&w->root);
    path_put(&w->at);
    w->at = w->root;
    return INV_OK;
}

// Follows link, found in w->at; trailing: it is the last part of the path. Both counted; link is let go.
static inv_status_t walk_follow(struct walk *w, struct dentry *link, bool trailing, bool *out_jumped) {
    struct inode *i = dentry_inode_borrowed(link);
    struct path_target target;
    inv_status_t s = ++w->links > SYMLINK_MAX_FOLLOWED ? INV_ERR_LOOP : INV_OK;
    *out_jumped = false;
    if (s == INV_OK && trailing)
        s = permission_follow(dentry_inode_borrowed(w->at.dentry), i, w->caller->token);
    if (s == INV_OK && ((w->flags & WALK_NO_SYMLINKS) != 0 || (mount_flags(w->at.mount) & MOUNT_NOSYMFOLLOW) != 0))
        s = INV_ERR_LOOP;
    if (s == INV_OK && i->ops->follow != NULL) {
        s = i->ops->follow(i, &target);
        if (s == INV_OK)
            s = walk_jump(w, &target.path);
        *out_jumped = s == INV_OK;
    } else if (s == INV_OK) {
        inode_touch_atime(i, mount_flags(w->at.mount));
        s = walk_push_link(w, i);
        if (s == INV_OK && *w->rest == '/')
            s = walk_to_root(w);
    }
    dentry_put(link);
    return s;
}

// Is the link to be followed in this place?
static bool follows(const struct walk *w, bool last) {
    return !last || w->trailing_slash || (w->flags & WALK_FOLLOW) != 0;
}

// One step with everything counted.
static inv_status_t walk_step_counted(struct walk *w, const struct component *c, bool last) {
    struct dentry *d;
    bool jumped;
    inv_status_t s = INV_OK;
    if (unlikely((w->flags & WALK_CACHED) != 0)) {
        bool asked = dentry_inode_borrowed(w->at.dentry)->ops->revalidate != NULL;
        d = asked ? NULL : dentry_lookup_cached(w->at.dentry, c);
        s = d != NULL ? INV_OK : INV_ERR_TRY_AGAIN;
    } else {
        s = dentry_lookup(w->at.dentry, c, &d);
    }
    if (s != INV_OK)
        return s;
    struct inode *i = dentry_inode_borrowed(d);
    if (i == NULL) {
        dentry_put(d);
        return INV_ERR_NOT_FOUND;
    }
    if (inode_is(i, MODE_SYMLINK) && follows(w, last))
        return walk_follow(w, d, last, &jumped);
    const struct mount *before = w->at.mount;
    dentry_put(w->at.dentry);
    w->at.dentry = d;
    path_cross(&w->at);
    return (w->flags & WALK_NO_CROSSING) != 0 && w->at.mount != before ? INV_ERR_CROSS_DEVICE : INV_OK;
}

static inv_status_t walk_step(struct walk *w, const struct component *c, bool last) {
    if (w->counted)
        return walk_step_counted(w, c, last);
    struct inode *dir = dentry_inode_borrowed(w->at.dentry);
    struct dentry *d = likely(dir->ops->revalidate == NULL) ? dentry_find(w->at.dentry, c) : NULL;
    if (d == NULL) {
        inv_status_t s = walk_pin(w, true, NULL);
        return s != INV_OK ? s : walk_step_counted(w, c, last);
    }
    struct inode *i = dentry_inode_borrowed(d);
    if (i == NULL)
        return tree_sequence_valid(w->sequence) ? INV_ERR_NOT_FOUND : WALK_RETRY;
    if (unlikely(inode_is(i, MODE_SYMLINK)) && follows(w, last)) {
        bool jumped;
        inv_status_t s = walk_pin(w, true, d);
        return s != INV_OK ? s : walk_follow(w, d, last, &jumped);
    }
    w->at.dentry = d;
    path_cross_borrowed(&w->at);
    return INV_OK;
}

// --- the loop ---------------------------------------------------------------------------------------------------------

// Takes the next component off w->rest.
static void component_next(struct walk *w, struct component *c) {
    const char *p = w->rest;
    uint32_t hash = component_seed;
    for (; *p != '/' && *p != 0; p++)
        hash = component_hash_step(hash, *p);
    *c = (struct component){.text = w->rest, .length = (uint32_t)(p - w->rest), .hash = hash};
    w->rest = p;
}

static enum last_kind component_kind(const struct component *c) {
    if (likely(c->text[0] != '.'))
        return LAST_NAME;
    if (c->length == 1)
        return LAST_DOT;
    return c->length == 2 && c->text[1] == '.' ? LAST_DOTDOT : LAST_NAME;
}

static void skip_slashes(struct walk *w) {
    while (*w->rest == '/')
        w->rest++;
}

// Walks w->rest, to its end or to its last component.
static inv_status_t walk_run(struct walk *w) {
    w->last_kind = LAST_ROOT;
    for (unsigned steps = 0;; steps++) {
        struct component c;
        skip_slashes(w);
        if (*w->rest == 0)
            return INV_OK;
        inv_status_t s = steps < BORROWED_MOST ? INV_OK : walk_pin(w, true, NULL);
        if (s == INV_OK)
            s = walk_may_search(w);
        if (s != INV_OK)
            return s;
        component_next(w, &c);
        w->trailing_slash = *w->rest == '/';
        skip_slashes(w);
        bool last = *w->rest == 0;
        enum last_kind kind = component_kind(&c);
        if (last && w->parent_only) {
            w->last = c;
            w->last_kind = kind;
            return INV_OK;
        }
        if (kind == LAST_NAME)
            s = c.length <= NAME_MAX_BYTES ? walk_step(w, &c, last) : INV_ERR_NAME_TOO_LONG;
        else if (kind == LAST_DOTDOT)
            s = walk_up(w);
        if (s != INV_OK)
            return s;
        w->last_kind = kind;
    }
}

// A walk below w->root has ended: nothing moved since its start, or it is still there.
static bool walk_is_inside(struct walk *w) {
    if (tree_sequence_valid(w->sequence))
        return true;
    tree_change_begin();
    struct path p = w->at;
    while (!same_path(&p, &w->root)) {
        struct dentry *up = p.dentry != p.mount->root ? dentry_parent(p.dentry) : p.mount->mountpoint;
        struct mount *m = p.dentry != p.mount->root ? p.mount : p.mount->parent;
        if (up == NULL || m == NULL || (up == p.dentry && m == p.mount))
            break;
        p = (struct path){.mount = m, .dentry = up};
    }
    bool inside = same_path(&p, &w->root);
    tree_change_end();
    return inside;
}

static inv_status_t walk_attempt(struct walk *w, const char *path, bool counted) {
    walk_start(w, path, counted);
    inv_status_t s = walk_run(w);
    if (s == INV_OK && !w->parent_only && (w->trailing_slash || (w->flags & WALK_DIRECTORY) != 0) &&
        !inode_is(dentry_inode_borrowed(w->at.dentry), MODE_DIRECTORY))
        s = INV_ERR_NOT_DIR;
    if (s == INV_OK)
        s = walk_pin(w, w->parent_only, NULL);
    if (s == INV_OK && unlikely((w->flags & WALK_SCOPED) != 0) && !walk_is_inside(w))
        s = INV_ERR_CROSS_DEVICE;
    if (s != INV_OK)
        walk_let_go(w);
    return s;
}

static inv_status_t walk_path(struct walk *w, int dirfd, const char *path) {
    if (*path == 0 && (w->flags & WALK_EMPTY_PATH) == 0)
        return INV_ERR_NOT_FOUND;
    inv_status_t s = walk_base(w, dirfd, path);
    if (s != INV_OK)
        return s;
    s = likely((w->flags & WALK_KEPT) == 0) ? walk_attempt(w, path, false) : WALK_RETRY;
    if (s == WALK_RETRY) {
        kfree(w->buffer);
        w->buffer = NULL;
        s = walk_attempt(w, path, true);
    }
    return s;
}

inv_status_t walk_to(const struct vfs_caller *c, int dirfd, const char *path, unsigned flags, struct path *out) {
    struct walk w;
    w.caller = c;
    w.buffer = NULL;
    w.base.file = NULL;
    w.flags = flags;
    w.parent_only = w.trailing_slash = false;
    w.counted = true;
    w.at = w.root = (struct path){NULL, NULL};
    inv_status_t s = walk_path(&w, dirfd, path);
    if (s == INV_OK) {
        *out = w.at;
        w.at.mount = NULL;
    }
    walk_end(&w);
    return s;
}

inv_status_t walk_to_parent(struct walk *w, const struct vfs_caller *c, int dirfd, const char *path, unsigned flags) {
    w->caller = c;
    w->buffer = NULL;
    w->base.file = NULL;
    w->flags = flags;
    w->parent_only = true;
    w->trailing_slash = false;
    w->counted = true;
    w->at = w->root = (struct path){NULL, NULL};
    return walk_path(w, dirfd, path);
}

inv_status_t walk_follow_last(struct walk *w, struct dentry *link, bool *out_jumped) {
    w->rest = "";
    dentry_get(link);
    inv_status_t s = walk_follow(w, link, true, out_jumped);
    if (s == INV_OK && !*out_jumped)
        s = walk_run(w);
    return s;
}

inv_status_t vfs_lookup(const struct vfs_caller *c, int dirfd, const char *path, unsigned walk, struct path *out) {
    return walk_to(c, dirfd, path, walk, out);
}

inv_status_t walk_parent(struct walk *w) {
    return walk_up(w);
}
