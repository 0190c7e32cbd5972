// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// From a mount and a name back to text: getcwd, /proc/PID/fd and maps, /proc/mounts. Thread context.
//
// The text is put together from the end, inside an epoch, and is right if tree_sequence did not change; after some tries against renames that do not cease it
// is made with the name cache locked.

#include <kernel/string.h>

#include "mount.h"
#include "anonymous.h"

#define TRIES 4

struct text {
    char *buffer, *start;
};

static bool prepend(struct text *t, const char *s, size_t n) {
    if ((size_t)(t->start - t->buffer) < n)
        return false;
    t->start -= n;
    memcpy(t->start, s, n);
    return true;
}

// *out_reached: root was met on the way up.
static bool path_text(struct text *t, const struct path *p, const struct path *root, bool *out_reached) {
    struct path at = *p;
    bool any = false;
    *out_reached = false;
    for (;;) {
        if (at.mount == root->mount && at.dentry == root->dentry) {
            *out_reached = true;
            break;
        }
        if (at.dentry == at.mount->root) {
            struct mount *parent = atomic_load_explicit(&at.mount->parent, memory_order_acquire);
            struct dentry *point = atomic_load_explicit(&at.mount->mountpoint, memory_order_acquire);
            if (parent == NULL || point == NULL)
                break;
            at = (struct path){.mount = parent, .dentry = point};
            continue;
        }
        struct dentry *parent = dentry_parent(at.dentry);
        if (parent == at.dentry && at.dentry == at.dentry->superblock->root)
            break;
        const struct dentry_name *n = atomic_load_explicit(&at.dentry->name, memory_order_acquire);
        if (!prepend(t, dentry_name_text(n), n->length) || !prepend(t, "/", 1))
            return false;
        any = true;
        if (parent == at.dentry) // in no folder (memfd, O_TMPFILE): what it is called stands for its path
            break;
        at.dentry = parent;
    }
    return any || prepend(t, "/", 1);
}

static bool path_text_stable(struct text *t, const struct path *p, const struct path *root, bool *out_reached) {
    char *end = t->start;
    for (int i = 0; i < TRIES; i++) {
        t->start = end;
        epoch_enter();
        uint32_t sequence = tree_sequence_read();
        bool fits = path_text(t, p, root, out_reached);
        bool valid = tree_sequence_valid(sequence);
        epoch_exit();
        if (valid)
            return fits;
    }
    t->start = end;
    tree_change_begin();
    bool fits = path_text(t, p, root, out_reached);
    tree_change_end();
    return fits;
}

static void caller_root(const struct vfs_caller *c, struct path *out) {
    spin_lock(&c->fs->lock);
    *out = c->fs->root;
    path_get(out);
    spin_unlock(&c->fs->lock);
}

bool vfs_path_deleted(const struct path *p) {
    return !dentry_has(p->dentry, DENTRY_HASHED) && p->dentry != p->mount->root;
}

bool vfs_path_reachable(const struct vfs_caller *c, const struct path *p) {
    struct path root;
    struct path at = *p;
    caller_root(c, &root);
    epoch_enter();
    bool found = false;
    for (;;) {
        found = at.mount == root.mount && at.dentry == root.dentry;
        struct dentry *up = at.dentry != at.mount->root ? dentry_parent(at.dentry) : at.mount->mountpoint;
        struct mount *m = at.dentry != at.mount->root ? at.mount : at.mount->parent;
        if (found || up == NULL || m == NULL || (up == at.dentry && m == at.mount))
            break;
        at = (struct path){.mount = m, .dentry = up};
    }
    epoch_exit();
    path_put(&root);
    return found;
}

inv_status_t vfs_path_name(const struct vfs_caller *c, const struct path *p, char *buffer, size_t size,
                           char **out_start) {
    static const char deleted[] = " (deleted)";
    struct text t = {.buffer = buffer, .start = buffer + size};
    struct path root;
    bool reached;
    if (!prepend(&t, "", 1))
        return INV_ERR_NAME_TOO_LONG;
    if (p->mount == anonymous_mount) {
        const struct dentry_name *n = p->dentry->name;
        bool whole = dentry_name_text(n)[n->length - 1] == ']' || dentry_name_text(n)[n->length - 1] == ')';
        // "anon_inode:[kind]": all of a kind are alike; "/SYSV... (deleted)": a name as it is
        char number[32] = "";
        int length = whole ? 0 : snprintf(number, sizeof(number), ":[%lu]", dentry_inode(p->dentry)->ino);
        if (!prepend(&t, number, (size_t)length) || !prepend(&t, dentry_name_text(n), n->length))
            return INV_ERR_NAME_TOO_LONG;
        *out_start = t.start;
        return INV_OK;
    }
    if (vfs_path_deleted(p) && !prepend(&t, deleted, sizeof(deleted) - 1))
        return INV_ERR_NAME_TOO_LONG;
    caller_root(c, &root);
    bool fits = path_text_stable(&t, p, &root, &reached);
    path_put(&root);
    *out_start = t.start;
    return fits ? INV_OK : INV_ERR_NAME_TOO_LONG;
}
