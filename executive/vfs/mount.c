// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mounts and superblocks: which file system stands where. Called by mount, umount2 and the walk; the boot tree's root is made here. Thread context.
//
// A mount ties the root of a superblock's tree to a mount point: a dentry in its parent mount. Walks find it by (parent, dentry) in a hash table, inside an
// epoch and without locks; what they found counts only if tree_sequence did not change (dentry.c).
//
// Invariants:
// I1. A mount in the table counts its parent, its mount point, its root and its superblock; the table itself holds one count of it.
// I2. mountpoint and parent are both set or both NULL; they change only inside tree_change_begin and _end.
// I3. A superblock outlives its names: each dentry counts it, and each mount keeps it active.
// I4. writers < 0 never; a mount turns read-only only while it has none.
// Locking: mount_lock (VFS_MOUNT) for the list and all changes; the name cache's lock for the table's chains.

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "inode.h"
#include "walk.h"

#define MOUNT_BUCKETS 64

// Flags of mount(2) and umount2(2) beyond those of vfs.h.
#define MOUNT_RECURSIVE   (1u << 14)
#define MOUNT_MOVE        (1u << 13)
#define MOUNT_PROPAGATION ((1u << 17) | (1u << 18) | (1u << 19) | (1u << 20))
#define MOUNT_MAGIC       0xc0ed0000u
#define UNMOUNT_FORCE     1u
#define UNMOUNT_DETACH    2u
#define UNMOUNT_EXPIRE    4u
#define UNMOUNT_NOFOLLOW  8u
#define MOUNT_OWN_FLAGS   (MOUNT_READ_ONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC | MOUNT_NOATIME)

static struct mutex mount_lock;
static struct list_node mounts = LIST_INIT(mounts);
static struct mount *_Atomic table[MOUNT_BUCKETS];
static uint32_t next_id = 1;

static struct spinlock type_lock = SPINLOCK_INIT(LOCK_RANK_VFS_SPIN);
static struct list_node types = LIST_INIT(types);
static _Atomic uint32_t next_device = 1;

void fs_register(struct fs_type *type) {
    spin_lock(&type_lock);
    list_push_back(&types, &type->node);
    spin_unlock(&type_lock);
}

static const struct fs_type *fs_find(const char *name) {
    const struct fs_type *found = NULL, *t;
    spin_lock(&type_lock);
    list_for_each(t, &types, node) {
        if (strcmp(t->name, name) == 0) {
            found = t;
            break;
        }
    }
    spin_unlock(&type_lock);
    return found; // types are never taken away
}

void fs_for_each(bool (*fn)(const struct fs_type *t, void *arg), void *arg) {
    const struct fs_type *t;
    list_for_each(t, &types, node) { // only grows, at its end
        if (!fn(t, arg))
            break;
    }
}

// --- superblocks ------------------------------------------------------------------------------------------------------

inv_status_t superblock_create(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                               struct superblock **out) {
    if (type->shared != NULL) {
        atomic_fetch_add_explicit(&type->shared->active, 1, memory_order_relaxed);
        *out = type->shared;
        return INV_OK;
    }
    struct superblock *sb = kzalloc(sizeof(*sb));
    if (sb == NULL)
        return INV_ERR_NO_MEMORY;
    sb->type = type;
    sb->device = DEVNO(0, atomic_fetch_add_explicit(&next_device, 1, memory_order_relaxed));
    sb->flags = flags & MOUNT_READ_ONLY;
    sb->block_size = PAGE_SIZE;
    sb->active = sb->count = 1;
    sb->next_ino = 1;
    string_copy(sb->source, source, sizeof(sb->source));
    inv_status_t s = type->mount(type, source, flags, options, sb);
    if (s != INV_OK) {
        kfree(sb);
        return s;
    }
    *out = sb;
    return INV_OK;
}

static void superblock_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct superblock, reclaim));
}

// The last name may be one that the name cache's pruner had in hand when the last mount went: then it is the pruner who ends here.
void superblock_uncount(struct superblock *sb) {
    if (atomic_fetch_sub_explicit(&sb->count, 1, memory_order_acq_rel) != 1)
        return;
    if (sb->type->unmount != NULL)
        sb->type->unmount(sb);
    epoch_defer(&sb->reclaim, superblock_reclaim); // walks that still stand on its inodes look at it
}

void superblock_put(struct superblock *sb) {
    if (atomic_fetch_sub_explicit(&sb->active, 1, memory_order_acq_rel) != 1)
        return;
    dentry_prune_superblock(sb);
    dentry_put(sb->root);
    superblock_uncount(sb);
}

// --- counting and finding ---------------------------------------------------------------------------------------------

static struct mount *_Atomic *bucket_of(const struct mount *parent, const struct dentry *d) {
    uintptr_t x = ((uintptr_t)parent >> 6) * 31 + ((uintptr_t)d >> 6);
    return &table[(x ^ x >> 8) % MOUNT_BUCKETS];
}

struct mount *mount_find(const struct mount *mount, const struct dentry *dentry) {
    struct mount *m = atomic_load_explicit(bucket_of(mount, dentry), memory_order_acquire);
    for (; m != NULL; m = atomic_load_explicit(&m->hash_next, memory_order_acquire))
        if (atomic_load_explicit(&m->parent, memory_order_acquire) == mount &&
            atomic_load_explicit(&m->mountpoint, memory_order_acquire) == dentry)
            return m;
    return NULL;
}

struct mount *mount_create(struct superblock *sb, struct dentry *root, const char *source, unsigned flags) {
    struct mount *m = kzalloc(sizeof(*m));
    char *copy = kstrdup(source);
    if (m == NULL || copy == NULL) {
        kfree(m);
        kfree(copy);
        return NULL;
    }
    atomic_fetch_add_explicit(&sb->active, 1, memory_order_relaxed);
    dentry_get(root);
    m->count = 1;
    m->flags = flags & MOUNT_OWN_FLAGS;
    m->root = root;
    m->superblock = sb;
    m->source = copy;
    list_init(&m->node);
    return m;
}

static void mount_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct mount, reclaim));
}

void mount_put(struct mount *m) {
    uint32_t none = 0;
    epoch_enter(); // m stays readable if a walk takes it up again, puts it and frees it between the two steps
    bool dead = atomic_fetch_sub_explicit(&m->count, 1, memory_order_acq_rel) == 1 &&
                atomic_compare_exchange_strong(&m->count, &none, MOUNT_DEAD);
    epoch_exit();
    if (!dead)
        return;
    dentry_put(m->root);
    superblock_put(m->superblock);
    kfree(m->source);
    epoch_defer(&m->reclaim, mount_reclaim);
}

inv_status_t mount_write_begin(struct mount *m) {
    atomic_fetch_add_explicit(&m->writers, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); // against mount_remount: one of the two sees the other
    if (!mount_read_only(m))
        return INV_OK;
    mount_write_end(m);
    return INV_ERR_READ_ONLY;
}

void mount_write_end(struct mount *m) {
    atomic_fetch_sub_explicit(&m->writers, 1, memory_order_release);
}

void path_get(const struct path *p) {
    mount_get(p->mount);
    dentry_get(p->dentry);
}

void path_put(struct path *p) {
    dentry_put(p->dentry);
    mount_put(p->mount);
    *p = (struct path){.mount = NULL, .dentry = NULL};
}

void path_cross(struct path *p) {
    while (dentry_has(p->dentry, DENTRY_MOUNTED)) {
        epoch_enter();
        struct mount *m = mount_find(p->mount, p->dentry);
        bool got = m != NULL && mount_try_get(m);
        epoch_exit();
        if (!got)
            return; // nothing here, or it goes away at this moment
        struct path below = {.mount = m, .dentry = m->root};
        dentry_get(below.dentry);
        path_put(p);
        *p = below;
    }
}

// --- the tree of mounts -----------------------------------------------------------------------------------------------

static void attach_locked(struct mount *m, const struct path *at) {
    mount_get(at->mount);
    dentry_get(at->dentry);
    struct mount *_Atomic *bucket = bucket_of(at->mount, at->dentry);
    tree_change_begin();
    atomic_store(&m->parent, at->mount);
    atomic_store(&m->mountpoint, at->dentry);
    atomic_store(&m->hash_next, atomic_load(bucket));
    atomic_store_explicit(bucket, m, memory_order_release);
    dentry_set_flag(at->dentry, DENTRY_MOUNTED);
    tree_change_end();
    m->id = next_id++;
    list_push_back(&mounts, &m->node);
}

// Is anything else mounted on d, in whatever mount?
static bool mountpoint_used_locked(const struct dentry *d) {
    struct mount *m;
    list_for_each(m, &mounts, node) {
        if (m->mountpoint == d)
            return true;
    }
    return false;
}

// Takes m out of the tree; its mount point's counts are handed to the caller in *out_was.
static void detach_locked(struct mount *m, struct path *out_was) {
    out_was->mount = m->parent;
    out_was->dentry = m->mountpoint;
    list_remove(&m->node);
    if (out_was->mount == NULL)
        return;
    struct mount *_Atomic *link = bucket_of(m->parent, m->mountpoint);
    tree_change_begin();
    while (atomic_load(link) != m)
        link = &atomic_load(link)->hash_next;
    atomic_store(link, atomic_load(&m->hash_next));
    atomic_store(&m->parent, NULL);
    atomic_store(&m->mountpoint, NULL);
    if (!mountpoint_used_locked(out_was->dentry))
        dentry_clear_flag(out_was->dentry, DENTRY_MOUNTED);
    tree_change_end();
}

inv_status_t mount_attach(struct mount *m, const struct path *at) {
    inv_status_t s = INV_OK;
    mutex_lock(&mount_lock);
    if (dentry_has(at->dentry, DENTRY_REMOVED) ||
        inode_is(path_inode(at), MODE_DIRECTORY) != inode_is(dentry_inode(m->root), MODE_DIRECTORY))
        s = dentry_has(at->dentry, DENTRY_REMOVED) ? INV_ERR_NOT_FOUND : INV_ERR_NOT_DIR;
    else
        attach_locked(m, at);
    mutex_unlock(&mount_lock);
    return s;
}

inv_status_t mount_init_root(const struct fs_type *type, struct path *out_root) {
    struct superblock *sb;
    mutex_init(&mount_lock, LOCK_RANK_VFS_MOUNT);
    inv_status_t s = superblock_create(type, "rootfs", 0, "mode=755", &sb);
    if (s != INV_OK)
        return s;
    struct mount *m = mount_create(sb, sb->root, "rootfs", 0);
    superblock_put(sb);
    if (m == NULL)
        return INV_ERR_NO_MEMORY;
    m->id = next_id++;
    list_push_back(&mounts, &m->node);
    mount_get(m);
    dentry_get(m->root);
    *out_root = (struct path){.mount = m, .dentry = m->root};
    return INV_OK;
}

// --- mount(2) ---------------------------------------------------------------------------------------------------------

static inv_status_t mount_new(const struct path *at, const char *source, const char *type_name, unsigned flags,
                              const char *options) {
    const struct fs_type *type = fs_find(type_name);
    struct superblock *sb;
    if (type == NULL)
        return INV_ERR_NO_DEVICE;
    inv_status_t s = superblock_create(type, source, flags, options, &sb);
    if (s != INV_OK)
        return s;
    struct mount *m = mount_create(sb, sb->root, source, flags);
    superblock_put(sb);
    if (m == NULL)
        return INV_ERR_NO_MEMORY;
    s = mount_attach(m, at);
    if (s != INV_OK)
        mount_put(m);
    return s;
}

static inv_status_t mount_bind(const struct vfs_caller *c, const struct path *at, const char *source) {
    struct path from;
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, source, WALK_FOLLOW, &from);
    if (s != INV_OK)
        return s;
    struct mount *m = mount_create(from.mount->superblock, from.dentry, from.mount->source, from.mount->flags);
    s = INV_ERR_NO_MEMORY;
    if (m != NULL) {
        s = mount_attach(m, at);
        if (s != INV_OK)
            mount_put(m);
    }
    path_put(&from);
    return s;
}

static inv_status_t mount_remount(const struct path *at, unsigned flags, const char *options) {
    struct mount *m = at->mount;
    inv_status_t s = INV_OK;
    if (at->dentry != m->root)
        return INV_ERR_INVALID;
    mutex_lock(&mount_lock);
    unsigned old = m->flags;
    atomic_store(&m->flags, flags & MOUNT_OWN_FLAGS); // sequentially consistent: see mount_write_begin
    if ((flags & MOUNT_READ_ONLY) != 0 && (old & MOUNT_READ_ONLY) == 0 && atomic_load(&m->writers) > 0)
        s = INV_ERR_BUSY;
    if (s == INV_OK && (flags & MOUNT_BIND) == 0 && m->superblock->type->remount != NULL)
        s = m->superblock->type->remount(m->superblock, flags, options);
    if (s != INV_OK)
        atomic_store(&m->flags, old);
    mutex_unlock(&mount_lock);
    return s;
}

// Is m the mount at->mount or above it?
static bool mount_holds(const struct mount *m, const struct mount *below) {
    for (; below != NULL; below = below->parent)
        if (below == m)
            return true;
    return false;
}

static inv_status_t mount_move(const struct vfs_caller *c, const struct path *at, const char *source) {
    struct path from, was = {NULL, NULL};
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, source, WALK_FOLLOW, &from);
    if (s != INV_OK)
        return s;
    mutex_lock(&mount_lock);
    struct mount *m = from.mount;
    if (from.dentry != m->root || m->parent == NULL)
        s = INV_ERR_INVALID;
    else if (inode_is(path_inode(at), MODE_DIRECTORY) != inode_is(path_inode(&from), MODE_DIRECTORY))
        s = INV_ERR_INVALID;
    else if (mount_holds(m, at->mount))
        s = INV_ERR_LOOP;
    if (s == INV_OK) {
        detach_locked(m, &was);
        attach_locked(m, at);
    }
    mutex_unlock(&mount_lock);
    if (was.mount != NULL)
        path_put(&was);
    path_put(&from);
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
    if (!token_capable(c->token, CAP_SYS_ADMIN))
        s = INV_ERR_NOT_PERMITTED;
    else if ((flags & MOUNT_REMOUNT) != 0)
        s = mount_remount(&at, flags, options);
    else if ((flags & MOUNT_BIND) != 0)
        s = mount_bind(c, &at, source);
    else if ((flags & MOUNT_PROPAGATION) != 0)
        s = at.dentry == at.mount->root ? INV_OK : INV_ERR_INVALID; // every mount is private as it is
    else if ((flags & MOUNT_MOVE) != 0)
        s = mount_move(c, &at, source);
    else
        s = mount_new(&at, source, type, flags, options);
    path_put(&at);
    return s;
}

// --- umount2(2) -------------------------------------------------------------------------------------------------------

static struct mount *child_of_locked(const struct mount *m) {
    struct mount *child;
    list_for_each(child, &mounts, node) {
        if (child->parent == m)
            return child;
    }
    return NULL;
}

static void mount_let_go(struct mount *m, struct path *was) {
    mount_put(m);
    if (was->mount != NULL)
        path_put(was);
}

// Takes the branch at m off, children first. The caller counts m, so that it is there to the end.
static void unmount_branch(struct mount *m) {
    struct path was;
    for (;;) {
        mutex_lock(&mount_lock);
        struct mount *leaf = m, *child;
        while ((child = child_of_locked(leaf)) != NULL)
            leaf = child;
        if (list_empty(&leaf->node)) { // somebody else took it off
            mutex_unlock(&mount_lock);
            return;
        }
        detach_locked(leaf, &was);
        mutex_unlock(&mount_lock);
        bool last = leaf == m;
        mount_let_go(leaf, &was);
        if (last)
            return;
    }
}

// Two counts: the tree's and the caller's path.
static inv_status_t unmount_idle(struct mount *m) {
    struct path was;
    mutex_lock(&mount_lock);
    if (atomic_load(&m->count) > 2) {
        mutex_unlock(&mount_lock);
        return INV_ERR_BUSY;
    }
    if (list_empty(&m->node)) {
        mutex_unlock(&mount_lock);
        return INV_ERR_INVALID;
    }
    detach_locked(m, &was);
    mutex_unlock(&mount_lock);
    mount_let_go(m, &was);
    return INV_OK;
}

inv_status_t vfs_unmount(const struct vfs_caller *c, const char *target, unsigned flags) {
    struct path at;
    if ((flags & ~(UNMOUNT_FORCE | UNMOUNT_DETACH | UNMOUNT_EXPIRE | UNMOUNT_NOFOLLOW)) != 0)
        return INV_ERR_INVALID;
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, target, (flags & UNMOUNT_NOFOLLOW) != 0 ? 0 : WALK_FOLLOW, &at);
    if (s != INV_OK)
        return s;
    struct mount *m = at.mount;
    if (at.dentry != m->root)
        s = INV_ERR_INVALID;
    else if (!token_capable(c->token, CAP_SYS_ADMIN))
        s = INV_ERR_NOT_PERMITTED;
    else if ((flags & UNMOUNT_EXPIRE) != 0 && (flags & (UNMOUNT_FORCE | UNMOUNT_DETACH)) != 0)
        s = INV_ERR_INVALID;
    else if ((flags & UNMOUNT_EXPIRE) != 0)
        s = atomic_load(&m->count) > 2 ? INV_ERR_BUSY : INV_ERR_TRY_AGAIN;
    else if (m->parent == NULL)
        s = (flags & UNMOUNT_DETACH) != 0 ? INV_ERR_INVALID : INV_ERR_BUSY; // the root of the tree stays
    else if ((flags & UNMOUNT_DETACH) != 0)
        unmount_branch(m);
    else
        s = unmount_idle(m);
    path_put(&at);
    return s;
}

// --- telling ----------------------------------------------------------------------------------------------------------

inv_status_t vfs_statfs(const struct path *p, struct fs_statistics *out) {
    struct superblock *sb = p->dentry->superblock;
    *out = (struct fs_statistics){.magic = sb->magic, .block_size = sb->block_size, .name_max = NAME_MAX_BYTES};
    return sb->type->statfs != NULL ? sb->type->statfs(sb, out) : INV_OK;
}

unsigned vfs_path_mount_flags(const struct path *p) {
    return mount_flags(p->mount);
}

static void options_text(struct mount *m, char *buffer, size_t size) {
    unsigned f = mount_flags(m);
    int n = snprintf(buffer, size, "%s%s%s%s%s", (f & MOUNT_READ_ONLY) != 0 ? "ro" : "rw",
                     (f & MOUNT_NOSUID) != 0 ? ",nosuid" : "", (f & MOUNT_NODEV) != 0 ? ",nodev" : "",
                     (f & MOUNT_NOEXEC) != 0 ? ",noexec" : "", (f & MOUNT_NOATIME) != 0 ? ",noatime" : ",relatime");
    if (n > 0 && (size_t)n < size && m->superblock->type->show_options != NULL)
        m->superblock->type->show_options(m->superblock, buffer + n, size - (size_t)n);
}

struct mount_text {
    char path[PATH_MAX_BYTES], options[256];
};

// The mount that follows the one with number id, counted.
static struct mount *mount_after(uint32_t id) {
    struct mount *m, *found = NULL;
    mutex_lock(&mount_lock);
    list_for_each(m, &mounts, node) {
        if (m->id > id && (found == NULL || m->id < found->id))
            found = m;
    }
    if (found != NULL)
        mount_get(found); // in the tree: not dead (I1)
    mutex_unlock(&mount_lock);
    return found;
}

void vfs_for_each_mount(const struct vfs_caller *c,
                        bool (*fn)(struct mount *m, const char *source, const char *target, const char *type,
                                   const char *options, void *arg),
                        void *arg) {
    struct mount_text *text = kmalloc(sizeof(*text));
    struct mount *m;
    uint32_t id = 0;
    bool more = text != NULL;
    while (more && (m = mount_after(id)) != NULL) {
        struct path root = {.mount = m, .dentry = m->root};
        char *start;
        id = m->id;
        if (vfs_path_reachable(c, &root) && vfs_path_name(c, &root, text->path, sizeof(text->path), &start) == INV_OK) {
            options_text(m, text->options, sizeof(text->options));
            more = fn(m, m->source, start, m->superblock->type->name, text->options, arg);
        }
        mount_put(m);
    }
    kfree(text);
}

void mount_describe(struct mount *m, struct mount_description *out) {
    mutex_lock(&mount_lock);
    *out = (struct mount_description){.id = m->id,
                                      .parent_id = m->parent != NULL ? m->parent->id : m->id,
                                      .device = m->superblock->device,
                                      .read_only = (m->superblock->flags & MOUNT_READ_ONLY) != 0};
    mutex_unlock(&mount_lock);
}

// --- debugger ---------------------------------------------------------------------------------------------------------

static void mounts_print(int argc, const char **argv) {
    const struct mount *m;
    list_for_each(m, &mounts, node) {
        const struct mount *parent = m->parent;
        debugger_print("%3u on %3u  %-10s %-16s count %u writers %d flags %x inodes made %lu\n", m->id,
                       parent != NULL ? parent->id : 0, m->superblock->type->name, m->source, m->count, m->writers,
                       mount_flags(m), (unsigned long)m->superblock->next_ino - 1);
    }
}
DEBUGGER_COMMAND("mounts", "what is mounted where, and who counts it", mounts_print);
