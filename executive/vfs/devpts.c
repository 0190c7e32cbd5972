// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The file system of pseudo-terminals: see executive/devpts.h. A directory with the node ptmx and one node for each terminal that is open; programs make and
// remove nothing in it. Thread context.
//
// Invariants:
// I1  A node counts its inode and the instance's root name, so that the instance is there as long as a terminal has a number in it, mounted or not.
// I2  The inode of a node that was removed has no links; a cached name of it is never found again (revalidate).
// Locking: devpts->lock (rank VFS_INODE, taken below the directory's inode lock, never above an inode's) guards the list of nodes.

#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include <executive/devpts.h>

#include "file.h"
#include "inode.h"
#include "options.h"
#include "walk.h"

#define DEVPTS_MAGIC     0x1cd1
#define PTMX_DEVICE      DEVNO(5, 2)
#define INSTANCE_MAX     (1u << 20) // of the option max
#define INO_ROOT         1
#define INO_PTMX         2
#define INO_FIRST        3 // of number 0; also its position in the directory
#define DEVPTS_BLOCKSIZE 1024

struct devpts_options {
    uint32_t uid, gid, mode, ptmx_mode, max;
    bool has_uid, has_gid;
};

struct devpts {
    struct mutex lock;
    /* lock: */
    struct devpts_options options;
    struct list_node nodes; // by number
    struct inode *ptmx;     // counted
};

struct devpts_node {
    struct list_node link; // the instance's lock
    unsigned number;
    struct dentry *root; // counted: I1
    struct inode *inode; // counted
    struct job *job;     // charged; counted
};

_Atomic uint32_t devpts_count, devpts_limit = DEVPTS_MAX_DEFAULT;

static const struct devpts_driver *driver;
static const struct inode_ops directory_ops, node_ops;
static const struct file_ops directory_file_ops;

void devpts_register_driver(const struct devpts_driver *d) {
    driver = d;
}

static struct devpts *devpts_of(const struct superblock *sb) {
    return sb->data;
}

// --- options ----------------------------------------------------------------------------------------------------------

static inv_status_t option_apply(const char *key, const char *value, void *arg) {
    struct devpts_options *o = arg;
    inv_status_t s;
    if (value == NULL)
        return strcmp(key, "newinstance") == 0 ? INV_OK : INV_ERR_INVALID; // every mount is one
    if (strcmp(key, "uid") == 0) {
        o->has_uid = true;
        return mount_option_number(value, 10, UINT32_MAX - 1, &o->uid);
    }
    if (strcmp(key, "gid") == 0) {
        o->has_gid = true;
        return mount_option_number(value, 10, UINT32_MAX - 1, &o->gid);
    }
    if (strcmp(key, "mode") == 0) {
        s = mount_option_number(value, 8, UINT32_MAX, &o->mode);
        o->mode &= 07777;
        return s;
    }
    if (strcmp(key, "ptmxmode") == 0) {
        s = mount_option_number(value, 8, UINT32_MAX, &o->ptmx_mode);
        o->ptmx_mode &= 07777;
        return s;
    }
    return strcmp(key, "max") == 0 ? mount_option_number(value, 10, INSTANCE_MAX, &o->max) : INV_ERR_INVALID;
}

static inv_status_t options_parse(const char *text, struct devpts_options *o) {
    *o = (struct devpts_options){.mode = 0600, .max = INSTANCE_MAX};
    return mount_options_each(text, option_apply, o);
}

static void devpts_show_options(struct superblock *sb, char *buffer, size_t size) {
    struct devpts *d = devpts_of(sb);
    mutex_lock(&d->lock);
    struct devpts_options o = d->options;
    mutex_unlock(&d->lock);
    char uid[24] = "", gid[24] = "", max[24] = "";
    if (o.has_uid)
        snprintf(uid, sizeof(uid), ",uid=%u", o.uid);
    if (o.has_gid)
        snprintf(gid, sizeof(gid), ",gid=%u", o.gid);
    if (o.max < INSTANCE_MAX)
        snprintf(max, sizeof(max), ",max=%u", o.max);
    snprintf(buffer, size, "%s%s,mode=%03o,ptmxmode=%03o%s", uid, gid, o.mode, o.ptmx_mode, max);
}

static inv_status_t devpts_remount(struct superblock *sb, unsigned flags, const char *options) {
    struct devpts *d = devpts_of(sb);
    struct devpts_options o;
    inv_status_t s = options_parse(options, &o);
    if (s != INV_OK)
        return s;
    mutex_lock(&d->lock);
    d->options = o;
    d->ptmx->mode = MODE_CHARACTER | o.ptmx_mode;
    mutex_unlock(&d->lock);
    return INV_OK;
}

// --- mounting ---------------------------------------------------------------------------------------------------------

static struct inode *inode_make(struct superblock *sb, uint32_t mode, uint64_t ino) {
    struct inode *i = inode_alloc(sb, mode);
    if (i != NULL) {
        i->ops = &node_ops;
        i->ino = ino;
    }
    return i;
}

static inv_status_t devpts_mount(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                                 struct superblock *sb) {
    struct devpts *d = kzalloc(sizeof(*d));
    if (d == NULL)
        return INV_ERR_NO_MEMORY;
    mutex_init(&d->lock, LOCK_RANK_VFS_INODE);
    list_init(&d->nodes);
    inv_status_t s = options_parse(options, &d->options);
    if (s != INV_OK)
        goto out;
    s = INV_ERR_NO_MEMORY;
    sb->magic = DEVPTS_MAGIC;
    sb->block_size = DEVPTS_BLOCKSIZE;
    d->ptmx = inode_make(sb, MODE_CHARACTER | d->options.ptmx_mode, INO_PTMX);
    struct inode *root = inode_make(sb, MODE_DIRECTORY | 0755, INO_ROOT);
    if (d->ptmx == NULL || root == NULL) {
        inode_put(root);
        goto out;
    }
    d->ptmx->rdev = PTMX_DEVICE;
    root->ops = &directory_ops;
    root->file_ops = &directory_file_ops;
    root->nlink = 2;
    sb->root = dentry_make_root(root);
    if (sb->root == NULL)
        goto out;
    sb->data = d;
    return INV_OK;
out:
    inode_put(d->ptmx);
    kfree(d);
    return s;
}

// Nobody has the file system or a terminal in it any more (I1).
static void devpts_unmount(struct superblock *sb) {
    struct devpts *d = devpts_of(sb);
    DEBUG_ASSERT(list_empty(&d->nodes));
    inode_put(d->ptmx);
    kfree(d);
}

static void devpts_inode_delete(struct inode *i) {
    if (i->data != NULL)
        driver->put(i->data);
}

static inv_status_t devpts_statfs(struct superblock *sb, struct fs_statistics *out) {
    *out = (struct fs_statistics){.magic = DEVPTS_MAGIC, .block_size = PAGE_SIZE, .name_max = NAME_MAX_BYTES};
    return INV_OK;
}

static struct fs_type devpts_type = {.name = "devpts",
                                     .uncached = true,
                                     .mount = devpts_mount,
                                     .unmount = devpts_unmount,
                                     .inode_delete = devpts_inode_delete,
                                     .statfs = devpts_statfs,
                                     .remount = devpts_remount,
                                     .show_options = devpts_show_options};

// --- the directory ----------------------------------------------------------------------------------------------------

// A decimal number as it is printed: no sign, no leading zero.
static bool name_number(const char *name, size_t length, unsigned *out) {
    unsigned n = 0;
    if (length == 0 || length > 7 || (name[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        n = n * 10 + (unsigned)(name[i] - '0');
    }
    *out = n;
    return true;
}

static inv_status_t nodes_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    struct devpts *d = devpts_of(dir->superblock);
    struct devpts_node *n;
    unsigned number;
    *out = NULL;
    mutex_lock(&d->lock);
    if (length == 4 && memcmp(name, "ptmx", 4) == 0) {
        *out = d->ptmx;
    } else if (name_number(name, length, &number)) {
        list_for_each(n, &d->nodes, link) {
            if (n->number == number)
                *out = n->inode;
        }
    }
    if (*out != NULL)
        inode_get(*out);
    mutex_unlock(&d->lock);
    return *out != NULL ? INV_OK : INV_ERR_NOT_FOUND;
}

static bool nodes_revalidate(struct dentry *d) {
    struct inode *i = dentry_inode(d);
    return i != NULL && atomic_load_explicit((_Atomic uint32_t *)&i->nlink, memory_order_relaxed) != 0;
}

static inv_status_t nodes_create(struct inode *dir, const char *name, size_t length, uint32_t mode, devno_t rdev,
                                 struct token *who, struct inode **out) {
    return (mode & MODE_FMT) == MODE_REGULAR ? INV_ERR_ACCESS : INV_ERR_NOT_PERMITTED;
}

static inv_status_t nodes_list(struct file *f, struct dir_context *c) {
    struct devpts *d = devpts_of(f->inode->superblock);
    struct devpts_node *n;
    char name[12];
    if (!vfs_emit_dots(f, c))
        return INV_OK;
    if (c->position == INO_PTMX) {
        if (!c->emit(c, "ptmx", 4, INO_PTMX, MODE_CHARACTER >> 12, INO_FIRST))
            return INV_OK;
        c->position = INO_FIRST;
    }
    mutex_lock(&d->lock);
    list_for_each(n, &d->nodes, link) {
        if (n->number + INO_FIRST < c->position)
            continue;
        size_t length = (size_t)snprintf(name, sizeof(name), "%u", n->number);
        if (!c->emit(c, name, length, n->number + INO_FIRST, MODE_CHARACTER >> 12, n->number + INO_FIRST + 1))
            break;
        c->position = n->number + INO_FIRST + 1;
    }
    mutex_unlock(&d->lock);
    return INV_OK;
}

static const struct inode_ops directory_ops = {
    .lookup = nodes_lookup, .create = nodes_create, .revalidate = nodes_revalidate};
static const struct inode_ops node_ops = {.lookup = NULL};
static const struct file_ops directory_file_ops = {.readdir = nodes_list};

// --- terminals --------------------------------------------------------------------------------------------------------

static bool is_instance(const struct mount *m) {
    return m->superblock->type == &devpts_type;
}

// Out of the mounts of a single file (a ptmx that was bound), to where that file was mounted. p is counted before and after.
static void leave_file_mounts(struct path *p) {
    while (p->dentry == p->mount->root) {
        epoch_enter();
        struct mount *parent = atomic_load_explicit(&p->mount->parent, memory_order_acquire);
        struct dentry *at = atomic_load_explicit(&p->mount->mountpoint, memory_order_acquire);
        bool got = parent != NULL && at != NULL && mount_try_get(parent);
        if (got && !dentry_try_get(at)) {
            mount_put(parent);
            got = false;
        }
        epoch_exit();
        if (!got)
            return;
        path_put(p);
        *p = (struct path){.mount = parent, .dentry = at};
    }
}

// Where the instance of ptmx is mounted: *out is its root, counted. NOT_FOUND: nothing is called pts there; NO_DEVICE: it is no instance's root.
static inv_status_t instance_path(const struct file *ptmx, struct path *out) {
    struct path p = ptmx->path;
    struct component pts = {.text = "pts", .length = 3, .hash = component_hash("pts", 3)};
    path_get(&p);
    if (!is_instance(p.mount))
        leave_file_mounts(&p);
    if (!is_instance(p.mount)) {
        struct dentry *found = NULL;
        epoch_enter();
        struct dentry *parent = dentry_parent(p.dentry);
        bool got = parent != p.dentry && dentry_try_get(parent);
        epoch_exit();
        inv_status_t s = got ? dentry_lookup(parent, &pts, &found) : INV_ERR_NOT_FOUND;
        if (got)
            dentry_put(parent);
        if (s == INV_OK && dentry_inode(found) == NULL) {
            dentry_put(found);
            s = INV_ERR_NOT_FOUND;
        }
        if (s != INV_OK) {
            path_put(&p);
            return s;
        }
        dentry_put(p.dentry);
        p.dentry = found;
        path_cross(&p);
        if (!is_instance(p.mount) || p.dentry != p.mount->superblock->root) {
            path_put(&p);
            return INV_ERR_NO_DEVICE;
        }
    }
    dentry_get(p.mount->superblock->root);
    dentry_put(p.dentry);
    p.dentry = p.mount->superblock->root;
    *out = p;
    return INV_OK;
}

// Puts n into the list at the lowest free number; INSTANCE_MAX if none is free.
static unsigned number_take_locked(struct devpts *d, struct devpts_node *n) {
    struct list_node *before = &d->nodes;
    struct devpts_node *other;
    unsigned number = 0;
    list_for_each(other, &d->nodes, link) {
        if (other->number != number)
            break;
        number++;
        before = &other->link;
    }
    if (number >= d->options.max)
        return INSTANCE_MAX;
    list_push_front(before, &n->link);
    n->number = number;
    return number;
}

static void node_free(struct devpts_node *n) {
    job_uncharge(n->job, JOB_MEMORY, sizeof(*n));
    object_put(&n->job->obj);
    kfree(n);
}

static struct devpts_node *node_alloc(void) {
    struct job *job = vfs_current_job();
    if (job_charge(job, JOB_MEMORY, sizeof(struct devpts_node)) != INV_OK)
        return NULL;
    struct devpts_node *n = kzalloc(sizeof(*n));
    if (n == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(*n));
        return NULL;
    }
    object_get(&job->obj);
    n->job = job;
    return n;
}

static void node_inode_fill(struct devpts_node *n, const struct devpts_options *o, void *data) {
    struct token *who = vfs_current_token();
    struct inode *i = n->inode;
    i->ino = n->number + INO_FIRST;
    i->mode = MODE_CHARACTER | o->mode;
    i->uid = o->has_uid ? o->uid : who->fsuid;
    i->gid = o->has_gid ? o->gid : who->fsgid;
    i->rdev = DEVNO(DEVPTS_SLAVE_MAJOR, n->number);
    i->file_ops = driver->ops;
    i->data = data;
}

static bool count_take(void) {
    if (atomic_fetch_add(&devpts_count, 1) + 1 < atomic_load(&devpts_limit))
        return true;
    atomic_fetch_sub(&devpts_count, 1);
    return false;
}

inv_status_t devpts_add(const struct file *ptmx, void *data, struct devpts_node **out) {
    struct path p;
    inv_status_t s = instance_path(ptmx, &p);
    if (s != INV_OK)
        return s;
    struct devpts *d = devpts_of(p.mount->superblock);
    struct devpts_node *n = NULL;
    if (!count_take()) {
        path_put(&p);
        return INV_ERR_NO_SPACE;
    }
    s = INV_ERR_NO_MEMORY;
    n = node_alloc();
    if (n == NULL || (n->inode = inode_make(p.mount->superblock, MODE_CHARACTER, 0)) == NULL)
        goto out;
    mutex_lock(&d->lock);
    s = number_take_locked(d, n) != INSTANCE_MAX ? INV_OK : INV_ERR_NO_SPACE;
    if (s == INV_OK)
        node_inode_fill(n, &d->options, data);
    mutex_unlock(&d->lock);
    if (s != INV_OK)
        goto out;
    n->root = p.dentry;
    dentry_get(n->root);
    path_put(&p);
    *out = n;
    return INV_OK;
out:
    if (n != NULL) {
        inode_put(n->inode);
        node_free(n);
    }
    atomic_fetch_sub(&devpts_count, 1);
    path_put(&p);
    return s;
}

unsigned devpts_number(const struct devpts_node *n) {
    return n->number;
}

void devpts_remove(struct devpts_node *n) {
    struct devpts *d = devpts_of(n->root->superblock);
    struct dentry *stale;
    char name[12];
    mutex_lock(&d->lock);
    list_remove(&n->link);
    mutex_unlock(&d->lock);
    mutex_lock(&n->inode->lock);
    n->inode->nlink = 0;
    mutex_unlock(&n->inode->lock);
    atomic_fetch_sub(&devpts_count, 1);
    // A cached name of it is looked at once more, and found to be stale.
    struct component c = {.text = name, .length = (uint32_t)snprintf(name, sizeof(name), "%u", n->number)};
    c.hash = component_hash(name, c.length);
    if (dentry_lookup(n->root, &c, &stale) == INV_OK)
        dentry_put(stale);
    inode_put(n->inode);
    dentry_put(n->root);
    node_free(n);
}

inv_status_t devpts_open_peer(const struct devpts_node *n, const struct file *ptmx, unsigned flags, struct file **out) {
    struct fs_context at = {.count = 1, .lock = SPINLOCK_INIT(LOCK_RANK_VFS_SPIN)};
    struct vfs_caller c = {.fs = &at, .token = token_root, .job = vfs_current_job()};
    struct path p;
    char name[12];
    inv_status_t s = instance_path(ptmx, &p);
    if (s != INV_OK)
        return s;
    if (p.dentry != n->root) {
        path_put(&p);
        return INV_ERR_NO_DEVICE;
    }
    at.root = at.cwd = p;
    snprintf(name, sizeof(name), "%u", n->number);
    s = vfs_open(&c, AT_FDCWD_, name, flags & ~(O_CREAT_ | O_TMPFILE_), 0, out);
    path_put(&p);
    return s;
}

static inv_status_t devpts_init(void) {
    fs_register(&devpts_type);
    return INV_OK;
}
BOOT_CALL("devpts", BOOT_STAGE_EXECUTIVE, devpts_init);
