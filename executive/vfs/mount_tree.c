// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The tree of mounts: attaching, taking off, copying, and the propagation of both to the mounts that follow. Called by mount_call.c. Thread context.
//
// What is mounted on a shared mount is mounted on its peers and on all who follow them. It is done in two steps: first every copy is made, each as a tree of its
// own that nobody can reach, and a failure throws them away; then all are attached, which cannot fail. Copies for peers are peers of the original;
// copies for slaves follow the copy of their master. Where a peer has something mounted in that place already, the copy goes beneath it.
//
// Taking off goes leaf by leaf: with each mount goes what is mounted in the same place of its parent's peers and followers, unless something stands on that
// which does not go. What covers it completely does not hold it: it sinks into its place.
//
// Invariants:
// I1. A mount is on the list of its parent's children, by its mount point in points[], in the table and on the list of mounts, or on none of them.
// I2. DENTRY_MOUNTED is set on a dentry exactly while points[] holds a mount on it.
// Locking: mount_lock (VFS_MOUNT) for everything here; then, for a mount, the inode of the mount point, so that it is not removed meanwhile.

#include <kernel/assert.h>

#include "inode.h"
#include "mount_tree.h"

#define POINT_BUCKETS 256

static struct mutex mount_lock;
static struct mount *tree_root;
static struct list_node points[POINT_BUCKETS];
struct list_node mounts = LIST_INIT(mounts);

void mount_tree_init(struct mount *root) {
    mutex_init(&mount_lock, LOCK_RANK_VFS_MOUNT);
    for (size_t i = 0; i < POINT_BUCKETS; i++)
        list_init(&points[i]);
    tree_root = root;
    list_push_back(&mounts, &root->node);
}

void mounts_lock(void) {
    mutex_lock(&mount_lock);
}

void mounts_unlock(void) {
    mutex_unlock(&mount_lock);
}

// --- looking ----------------------------------------------------------------------------------------------------------

bool mount_below(const struct mount *m, const struct mount *above) {
    for (; m != NULL; m = m->parent)
        if (m == above)
            return true;
    return false;
}

bool mount_in_tree(const struct mount *m) {
    return mount_below(m, tree_root);
}

bool mount_in_use(const struct mount *m) {
    while (m->parent != NULL)
        m = m->parent;
    return m == tree_root || m->apart;
}

struct mount *mount_skip(struct mount *m, const struct mount *top) {
    while (m != top) {
        struct mount *parent = m->parent;
        if (m->sibling.next != &parent->children)
            return list_first(&m->sibling, struct mount, sibling);
        m = parent;
    }
    return NULL;
}

struct mount *mount_next(struct mount *m, const struct mount *top) {
    return list_empty(&m->children) ? mount_skip(m, top) : list_first(&m->children, struct mount, sibling);
}

// Names may move meanwhile: the answer is that of some moment.
bool dentry_below(const struct dentry *d, const struct dentry *above) {
    bool found = false;
    epoch_enter();
    for (const struct dentry *parent;; d = parent) {
        parent = dentry_parent(d);
        found = d == above;
        if (found || parent == d)
            break;
    }
    epoch_exit();
    return found;
}

bool path_below(const struct path *p, const struct path *above) {
    const struct mount *m = p->mount;
    const struct dentry *d = p->dentry;
    for (; m != above->mount; m = m->parent) {
        d = m->mountpoint;
        if (d == NULL)
            return false;
    }
    return dentry_below(d, above->dentry);
}

bool mount_tree_unbindable(struct mount *top) {
    for (struct mount *m = top; m != NULL; m = mount_next(m, top))
        if (m->unbindable)
            return true;
    return false;
}

// Nothing leaves the table while the lock is held.
static struct mount *mounted_at(const struct mount *parent, const struct dentry *d) {
    return dentry_has(d, DENTRY_MOUNTED) ? mount_find(parent, d) : NULL;
}

inv_status_t mountpoint_lock(struct path *at) {
    struct mount *m;
    mutex_lock(&mount_lock);
    while ((m = mounted_at(at->mount, at->dentry)) != NULL)
        *at = (struct path){.mount = m, .dentry = m->root};
    mutex_lock(&path_inode(at)->lock);
    inv_status_t s = INV_OK;
    if (dentry_has(at->dentry, DENTRY_REMOVED) || vfs_path_deleted(at))
        s = INV_ERR_NOT_FOUND;
    else if (!mount_in_tree(at->mount))
        s = INV_ERR_INVALID;
    if (s != INV_OK)
        mountpoint_unlock(at);
    return s;
}

void mountpoint_unlock(const struct path *at) {
    mutex_unlock(&path_inode(at)->lock);
    mutex_unlock(&mount_lock);
}

// --- one mount --------------------------------------------------------------------------------------------------------

static struct list_node *points_of(const struct dentry *d) {
    return &points[((uintptr_t)d >> 6 ^ (uintptr_t)d >> 14) % POINT_BUCKETS];
}

static bool point_used(const struct dentry *d) {
    struct mount *m;
    list_for_each(m, points_of(d), point_node) {
        if (m->mountpoint == d)
            return true;
    }
    return false;
}

// Inside tree_change_begin and _end, so that a mount can leave one place and be in another at once. Counts both.
static void attach_changing(struct mount *m, struct mount *parent, struct dentry *d) {
    struct mount *_Atomic *bucket = mount_bucket(parent, d);
    mount_get(parent);
    dentry_get(d);
    atomic_store(&m->parent, parent);
    atomic_store(&m->mountpoint, d);
    atomic_store(&m->hash_next, atomic_load(bucket));
    atomic_store_explicit(bucket, m, memory_order_release);
    dentry_set_flag(d, DENTRY_MOUNTED);
    list_push_back(&parent->children, &m->sibling);
    list_push_back(points_of(d), &m->point_node);
    if (list_empty(&m->node))
        list_push_back(&mounts, &m->node);
}

// Likewise. The counts of m's place are handed over.
static void detach_changing(struct mount *m, struct path *out_was) {
    struct mount *_Atomic *link = mount_bucket(m->parent, m->mountpoint);
    *out_was = (struct path){.mount = m->parent, .dentry = m->mountpoint};
    list_remove(&m->sibling);
    list_remove(&m->point_node);
    while (atomic_load(link) != m)
        link = &atomic_load(link)->hash_next;
    atomic_store(link, atomic_load(&m->hash_next));
    atomic_store(&m->parent, NULL);
    atomic_store(&m->mountpoint, NULL);
    if (!point_used(out_was->dentry))
        dentry_clear_flag(out_was->dentry, DENTRY_MOUNTED);
}

static void attach_one(struct mount *m, struct mount *parent, struct dentry *d) {
    tree_change_begin();
    attach_changing(m, parent, d);
    tree_change_end();
}

void mount_move(struct mount *m, struct mount *parent, struct dentry *d, struct path *out_was) {
    tree_change_begin();
    detach_changing(m, out_was);
    attach_changing(m, parent, d);
    tree_change_end();
}

// m leaves the tree; its place is kept in work_at for mount_waste_free.
static void detach_for_good(struct mount *m) {
    list_remove(&m->node);
    if (m->parent == NULL)
        return;
    tree_change_begin();
    detach_changing(m, &m->work_at);
    tree_change_end();
}

// --- copies -----------------------------------------------------------------------------------------------------------

static inv_status_t copy_one(struct mount *m, struct dentry *root, enum copy_kind kind, struct mount **out) {
    struct peer_group *own = NULL;
    if (kind == COPY_SHARED_SLAVE && (own = peer_group_alloc()) == NULL)
        return INV_ERR_NO_MEMORY;
    struct mount *c = mount_create(m->superblock, root, m->source, m->flags);
    if (c == NULL) {
        if (own != NULL)
            peer_group_free(own);
        return INV_ERR_NO_MEMORY;
    }
    c->fresh = true;
    if (kind != COPY_SAME)
        mount_follow(c, m->group);
    else if (m->group != NULL)
        mount_join(c, m->group);
    else
        mount_follow(c, m->master);
    if (own != NULL)
        mount_share(c, own);
    *out = c;
    return INV_OK;
}

void mount_discard(struct mount *top, struct list_node *waste) {
    for (struct mount *m = top, *next; m != NULL; m = next) {
        while (!list_empty(&m->children))
            m = list_first(&m->children, struct mount, sibling);
        next = m != top ? m->parent : NULL;
        detach_for_good(m);
        mount_unshare(m, false);
        list_push_back(waste, &m->work);
    }
}

inv_status_t mount_copy(struct mount *m, struct dentry *root, enum copy_kind kind, bool recursive, struct mount **out) {
    struct mount *top, *c;
    inv_status_t s = copy_one(m, root, kind, &top);
    if (s != INV_OK || !recursive) {
        *out = s == INV_OK ? top : NULL;
        return s;
    }
    m->copy = top;
    for (struct mount *from = mount_next(m, m); from != NULL;) {
        if (from->unbindable || (from->parent == m && !dentry_below(from->mountpoint, root))) {
            from = mount_skip(from, m);
            continue;
        }
        s = copy_one(from, from->root, kind, &c);
        if (s != INV_OK) {
            struct list_node waste = LIST_INIT(waste);
            mount_discard(top, &waste);
            mount_waste_free(&waste); // the originals hold what these counted: nothing ends here
            return s;
        }
        from->copy = c;
        attach_one(c, from->parent->copy, from->mountpoint);
        from = mount_next(from, m);
    }
    *out = top;
    return INV_OK;
}

// --- attaching, with propagation --------------------------------------------------------------------------------------

// A copy of source for the place of at in m, if it is seen there and is not of this call's making.
static inv_status_t copy_for(struct mount *m, const struct path *at, struct mount *source, enum copy_kind kind,
                             struct list_node *copies, struct mount **out) {
    *out = NULL;
    if (m == at->mount || m->fresh || !dentry_below(at->dentry, m->root))
        return INV_OK;
    inv_status_t s = mount_copy(source, source->root, kind, true, out);
    if (s != INV_OK)
        return s;
    (*out)->work_at = (struct path){.mount = m, .dentry = at->dentry};
    list_push_back(copies, &(*out)->work);
    return INV_OK;
}

// The copies for one group and those who follow it without being shared. model: of which the members' copies are peers; NULL: the first of them is.
static inv_status_t copies_for_group(struct peer_group *g, struct mount *model, const struct path *at,
                                     struct list_node *copies) {
    struct mount *source = model != NULL ? model : g->master->source, *m, *made;
    inv_status_t s = INV_OK;
    list_for_each(m, &g->members, peer_node) {
        if (s == INV_OK)
            s = model != NULL ? copy_for(m, at, model, COPY_SAME, copies, &made)
                              : copy_for(m, at, source, COPY_SHARED_SLAVE, copies, &made);
        if (s == INV_OK && model == NULL)
            model = made;
    }
    g->source = model != NULL ? model : source;
    list_for_each(m, &g->slaves, peer_node) {
        if (s == INV_OK)
            s = copy_for(m, at, g->source, COPY_SLAVE, copies, &made);
    }
    return s;
}

static inv_status_t copies_make(struct mount *top, const struct path *at, struct list_node *copies) {
    struct peer_group *g = at->mount->group;
    inv_status_t s = INV_OK;
    for (struct peer_group *h = g; h != NULL && s == INV_OK; h = peer_group_next(h, g))
        s = copies_for_group(h, h == g ? top : NULL, at, copies);
    return s;
}

static void tree_settled(struct mount *top) {
    for (struct mount *m = top; m != NULL; m = mount_next(m, top))
        m->fresh = false;
}

void mount_set_apart(struct mount *top) {
    tree_settled(top);
    top->apart = true;
}

// Attaches a copy beneath what may be mounted in its place.
static void attach_beneath(struct mount *top, const struct path *at) {
    struct mount *over = mounted_at(at->mount, at->dentry);
    struct path was = {NULL, NULL};
    tree_change_begin();
    if (over != NULL)
        detach_changing(over, &was);
    attach_changing(top, at->mount, at->dentry);
    if (over != NULL)
        attach_changing(over, top, top->root);
    tree_change_end();
    if (over != NULL) {
        dentry_put(was.dentry); // top holds both as well: nothing ends here
        mount_put_unused(was.mount);
    }
}

inv_status_t mount_graft(struct mount *top, const struct path *at, struct list_node *waste) {
    struct list_node copies = LIST_INIT(copies), shared = LIST_INIT(shared);
    inv_status_t s = INV_OK;
    if (at->mount->group != NULL) {
        s = mount_tree_share(top, &shared);
        if (s != INV_OK)
            return s;
        while (!list_empty(&shared) && top->parent == NULL && !top->apart)
            list_remove(shared.next); // it goes as a whole if this fails
        s = copies_make(top, at, &copies);
    }
    if (s != INV_OK) {
        while (!list_empty(&copies)) {
            struct mount *c = list_first(&copies, struct mount, work);
            list_remove(&c->work);
            mount_discard(c, waste);
        }
        mount_tree_share_undo(&shared);
        return s;
    }
    while (!list_empty(&shared))
        list_remove(shared.next);
    struct path was = {NULL, NULL};
    if (top->parent != NULL)
        mount_move(top, at->mount, at->dentry, &was);
    else
        attach_one(top, at->mount, at->dentry);
    tree_settled(top);
    top->apart = false;
    while (!list_empty(&copies)) {
        struct mount *c = list_first(&copies, struct mount, work);
        struct path place = c->work_at;
        list_remove(&c->work);
        c->work_at = (struct path){NULL, NULL};
        attach_beneath(c, &place);
        tree_settled(c);
    }
    if (was.mount != NULL) { // the old place: given up after the lock
        top->work_at = was;
        mount_get(top);
        list_push_back(waste, &top->work);
    }
    return INV_OK;
}

// --- taking off, with propagation -------------------------------------------------------------------------------------

// Would m stand free if all that are leaving were gone? What covers its root does not count.
static bool only_covered(struct mount *m) {
    struct mount *child;
    bool covered = false;
    list_for_each(child, &m->children, sibling) {
        if (child->leaving)
            continue;
        if (child->mountpoint != m->root || covered)
            return false;
        covered = true;
    }
    return true;
}

static void leave_with(struct mount *m, const struct dentry *point, struct list_node *leaving) {
    struct mount *child = mounted_at(m, point);
    if (child == NULL || child->leaving || !only_covered(child))
        return;
    child->leaving = true;
    list_push_back(leaving, &child->work);
}

// What is mounted where m is, in the mounts that follow m's parent.
static void leave_everywhere(struct mount *m, struct list_node *leaving) {
    struct mount *parent = m->parent, *other;
    struct peer_group *g = parent != NULL ? parent->group : NULL;
    for (struct peer_group *h = g; h != NULL; h = peer_group_next(h, g)) {
        list_for_each(other, &h->members, peer_node) {
            if (other != parent)
                leave_with(other, m->mountpoint, leaving);
        }
        list_for_each(other, &h->slaves, peer_node)
            leave_with(other, m->mountpoint, leaving);
    }
}

// m goes; what covers it sinks into the place that is left free.
static void take_off_one(struct mount *m) {
    struct mount *child, *next;
    struct path was;
    detach_for_good(m);
    mount_unshare(m, false);
    list_for_each_safe(child, next, &m->children, sibling) {
        if (child->leaving || m->work_at.mount == NULL)
            continue;
        mount_move(child, m->work_at.mount, m->work_at.dentry, &was);
        dentry_put(was.dentry); // m's own, counted by it too
        mount_put_unused(was.mount);
    }
}

void mount_take_off(struct mount *top, struct list_node *waste) {
    struct list_node tree = LIST_INIT(tree), more = LIST_INIT(more);
    struct mount *m;
    for (m = top; m != NULL; m = mount_next(m, top)) {
        m->leaving = true;
        list_push_front(&tree, &m->work);
    }
    list_for_each(m, &tree, work)
        leave_everywhere(m, &more);
    list_splice_back(&more, &tree); // followers first: what covers them must find its place
    while (!list_empty(&more)) {
        m = list_first(&more, struct mount, work);
        list_remove(&m->work);
        take_off_one(m);
        m->leaving = false;
        list_push_back(waste, &m->work);
    }
}

bool mount_busy(struct mount *m, uint32_t own) {
    struct mount *parent = m->parent, *other;
    if (!list_empty(&m->children) || atomic_load(&m->count) > own)
        return true;
    struct peer_group *g = parent != NULL ? parent->group : NULL;
    for (struct peer_group *h = g; h != NULL; h = peer_group_next(h, g)) {
        for (int slaves = 0; slaves < 2; slaves++) {
            list_for_each(other, slaves ? &h->slaves : &h->members, peer_node) {
                struct mount *c = other != parent ? mounted_at(other, m->mountpoint) : NULL;
                if (c == NULL || !only_covered(c))
                    continue;
                if (atomic_load(&c->count) > (list_empty(&c->children) ? 1u : 2u))
                    return true;
            }
        }
    }
    return false;
}

void mount_waste_free(struct list_node *waste) {
    while (!list_empty(waste)) {
        struct mount *m = list_first(waste, struct mount, work);
        struct path was = m->work_at;
        m->work_at = (struct path){NULL, NULL};
        list_remove(&m->work);
        mount_put_unused(m);
        if (was.mount != NULL) {
            dentry_put(was.dentry);
            mount_put_unused(was.mount);
        }
    }
}
