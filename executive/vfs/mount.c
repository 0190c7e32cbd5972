// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mounts and superblocks themselves: making, counting, finding. Called by the walk and by the rest of executive/vfs; the boot tree's root is made here. How mounts
// stand to each other is mount_tree.c's and mount_group.c's, the calls are in mount_call.c and mount_show.c. Thread context.
//
// A mount ties a superblock's tree, or a part of it, to a mount point: a dentry in its parent mount. Walks find it by (parent, dentry) in a hash table, inside an
// epoch and without locks; what they found counts only if tree_sequence did not change (dentry.c).
//
// Invariants:
// I1. A mount in the table counts its parent, its mount point, its root and its superblock; the table itself holds one count of it.
// I2. mountpoint and parent are both set or both NULL; they change only inside tree_change_begin and _end.
// I3. A superblock outlives its names: each dentry counts it, and each mount keeps it active.
// I4. writers < 0 never; a mount turns read-only only while it has none.
// Locking: the mounts' lock (VFS_MOUNT, mount_tree.c) for all changes; the name cache's lock for the table's chains; type_lock (VFS_SPIN) for the list of
// types and each superblock's list of mounts.

#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "inode.h"
#include "mount_tree.h"
#include "walk.h"

#define MOUNT_BUCKETS 1024

static struct mount *_Atomic table[MOUNT_BUCKETS];
static _Atomic uint32_t next_id = 1, mount_count;

static struct spinlock type_lock = SPINLOCK_INIT(LOCK_RANK_VFS_SPIN);
static struct list_node types = LIST_INIT(types);
static _Atomic uint32_t next_device = 1;

void fs_register(struct fs_type *type) {
    spin_lock(&type_lock);
    list_push_back(&types, &type->node);
    spin_unlock(&type_lock);
}

const struct fs_type *fs_find(const char *name) {
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
    sb->flags = flags & MOUNT_SUPER_FLAGS;
    list_init(&sb->mounts);
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

inv_status_t vfs_mount_apart(struct fs_type *type, struct path *out_root) {
    struct superblock *sb;
    inv_status_t s = superblock_create(type, type->name, 0, "", &sb);
    if (s != INV_OK)
        return s;
    struct mount *m = mount_create(sb, sb->root, type->name, 0);
    if (m == NULL)
        return INV_ERR_NO_MEMORY;
    type->shared = sb;
    *out_root = (struct path){.mount = m, .dentry = sb->root};
    path_get(out_root);
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

struct mount *_Atomic *mount_bucket(const struct mount *parent, const struct dentry *d) {
    uintptr_t x = ((uintptr_t)parent >> 6) * 31 + ((uintptr_t)d >> 6);
    return &table[(x ^ x >> 8) % MOUNT_BUCKETS];
}

struct mount *mount_find(const struct mount *mount, const struct dentry *dentry) {
    struct mount *m = atomic_load_explicit(mount_bucket(mount, dentry), memory_order_acquire);
    for (; m != NULL; m = atomic_load_explicit(&m->hash_next, memory_order_acquire))
        if (atomic_load_explicit(&m->parent, memory_order_acquire) == mount &&
            atomic_load_explicit(&m->mountpoint, memory_order_acquire) == dentry)
            return m;
    return NULL;
}

static size_t mount_bytes(const char *source) {
    return sizeof(struct mount) + strlen(source) + 1;
}

// The memory of one, charged. NULL: no memory, or too many.
static struct mount *mount_alloc(const char *source) {
    struct job *job = vfs_current_job();
    if (atomic_fetch_add_explicit(&mount_count, 1, memory_order_relaxed) >= MOUNTS_MOST ||
        job_charge(job, JOB_MEMORY, mount_bytes(source)) != INV_OK) {
        atomic_fetch_sub_explicit(&mount_count, 1, memory_order_relaxed);
        return NULL;
    }
    struct mount *m = kzalloc(sizeof(*m));
    char *copy = kstrdup(source);
    if (m == NULL || copy == NULL) {
        kfree(m);
        kfree(copy);
        job_uncharge(job, JOB_MEMORY, mount_bytes(source));
        atomic_fetch_sub_explicit(&mount_count, 1, memory_order_relaxed);
        return NULL;
    }
    object_get(&job->obj);
    m->job = job;
    m->source = copy;
    return m;
}

struct mount *mount_create(struct superblock *sb, struct dentry *root, const char *source, unsigned flags) {
    struct mount *m = mount_alloc(source);
    if (m == NULL)
        return NULL;
    atomic_fetch_add_explicit(&sb->active, 1, memory_order_relaxed);
    dentry_get(root);
    m->count = 1;
    m->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    m->flags = flags & MOUNT_OWN_FLAGS;
    m->root = root;
    m->superblock = sb;
    list_init(&m->node);
    list_init(&m->children);
    list_init(&m->sibling);
    list_init(&m->point_node);
    list_init(&m->peer_node);
    list_init(&m->work);
    spin_lock(&type_lock);
    list_push_back(&sb->mounts, &m->superblock_node);
    spin_unlock(&type_lock);
    return m;
}

void superblock_for_each_mount(struct superblock *sb, bool (*fn)(struct mount *m, void *arg), void *arg) {
    struct mount *m;
    spin_lock(&type_lock);
    list_for_each(m, &sb->mounts, superblock_node) {
        if (!fn(m, arg))
            break;
    }
    spin_unlock(&type_lock);
}

static void mount_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct mount, reclaim));
}

static void mount_free(struct mount *m) {
    DEBUG_ASSERT(m->group == NULL && m->master == NULL && list_empty(&m->children));
    spin_lock(&type_lock);
    list_remove(&m->superblock_node);
    spin_unlock(&type_lock);
    dentry_put(m->root);
    superblock_put(m->superblock);
    job_uncharge(m->job, JOB_MEMORY, mount_bytes(m->source));
    object_put(&m->job->obj);
    kfree(m->source);
    atomic_fetch_sub_explicit(&mount_count, 1, memory_order_relaxed);
    epoch_defer(&m->reclaim, mount_reclaim);
}

void mount_put_unused(struct mount *m) {
    uint32_t none = 0;
    epoch_enter(); // m stays readable if a walk takes it up again, puts it and frees it between the two steps
    bool dead = atomic_fetch_sub_explicit(&m->count, 1, memory_order_acq_rel) == 1 &&
                atomic_compare_exchange_strong(&m->count, &none, MOUNT_DEAD);
    epoch_exit();
    if (dead)
        mount_free(m);
}

void mount_put(struct mount *m) {
    if (unlikely(atomic_load_explicit(&m->expires, memory_order_relaxed)))
        atomic_store_explicit(&m->expires, false, memory_order_relaxed);
    mount_put_unused(m);
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

inv_status_t mount_init_root(const struct fs_type *type, struct path *out_root) {
    struct superblock *sb;
    inv_status_t s = superblock_create(type, "rootfs", 0, "mode=755", &sb);
    if (s != INV_OK)
        return s;
    struct mount *m = mount_create(sb, sb->root, "rootfs", MOUNT_RELATIME);
    superblock_put(sb);
    if (m == NULL)
        return INV_ERR_NO_MEMORY;
    mount_tree_init(m);
    mount_get(m);
    dentry_get(m->root);
    *out_root = (struct path){.mount = m, .dentry = m->root};
    return INV_OK;
}
