// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// tmpfs: mounting, limits, inodes. The first file system behind the tables of vfs.h; the boot tree is one. Names are in tmpfs_dir.c, file data in tmpfs_file.c.
// Thread context.
//
// Everything lives in the inodes themselves, so that a name cache that forgets costs nothing but the next lookup: an inode is counted by each entry that
// names it, and goes with the last of them, its cached names and its open files.

#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "boot.h"
#include "options.h"
#include "tmpfs.h"

#define TMPFS_MAGIC  0x01021994
#define BOGO_DIRENT  20   // what Linux says an entry takes
#define INODE_XATTRS 1024 // bytes of extended attributes for each inode that may be

// --- inodes -----------------------------------------------------------------------------------------------------------

// Takes one of limit; false if none is left.
static bool take(_Atomic uint64_t *used, _Atomic uint64_t *limit) {
    uint64_t n = atomic_load_explicit(used, memory_order_relaxed);
    do {
        if (n >= atomic_load_explicit(limit, memory_order_relaxed))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(used, &n, n + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

bool tmpfs_inode_take(struct superblock *sb) {
    struct tmpfs_mount *m = tmpfs_mount(sb);
    return take(&m->inodes, &m->inode_limit);
}

void tmpfs_inode_give(struct superblock *sb) {
    atomic_fetch_sub_explicit(&tmpfs_mount(sb)->inodes, 1, memory_order_relaxed);
}

void *tmpfs_extra_alloc(struct inode *i, size_t size) {
    if (job_charge(i->job, JOB_MEMORY, size) != INV_OK)
        return NULL;
    void *p = kzalloc(size);
    if (p == NULL)
        job_uncharge(i->job, JOB_MEMORY, size);
    return p;
}

static void extra_free(struct inode *i) {
    if (i->data == NULL)
        return;
    size_t size = inode_is(i, MODE_DIRECTORY) ? sizeof(struct tmpfs_directory)
                  : inode_is(i, MODE_REGULAR) ? sizeof(struct tmpfs_file)
                                              : strlen(i->data) + 1;
    kfree(i->data);
    job_uncharge(i->job, JOB_MEMORY, size);
}

static inv_status_t inode_fill(struct inode *i, uint32_t mode) {
    switch (mode & MODE_FMT) {
    case MODE_DIRECTORY:
        i->ops = &tmpfs_directory_ops;
        i->file_ops = &tmpfs_directory_file_ops;
        i->nlink = 2;
        struct tmpfs_directory *d = tmpfs_extra_alloc(i, sizeof(*d));
        if (d == NULL)
            return INV_ERR_NO_MEMORY;
        d->next_offset = 2;
        i->data = d;
        break;
    case MODE_REGULAR:
        i->ops = &tmpfs_file_inode_ops;
        i->file_ops = &tmpfs_file_ops;
        break;
    case MODE_SYMLINK: i->ops = &tmpfs_link_ops; break;
    default: i->ops = &tmpfs_node_ops; break;
    }
    return INV_OK;
}

inv_status_t tmpfs_inode_make(struct superblock *sb, uint32_t mode, devno_t rdev, struct inode **out) {
    if (!tmpfs_inode_take(sb))
        return INV_ERR_NO_SPACE;
    struct inode *i = inode_alloc(sb, mode);
    if (i == NULL) {
        tmpfs_inode_give(sb);
        return INV_ERR_NO_MEMORY;
    }
    i->ops = &tmpfs_node_ops;
    i->rdev = rdev;
    inv_status_t s = inode_fill(i, mode);
    if (s != INV_OK) {
        inode_put(i);
        return s;
    }
    *out = i;
    return INV_OK;
}

void tmpfs_inode_delete(struct inode *i) {
    struct tmpfs_mount *m = tmpfs_mount(i->superblock);
    if (inode_is(i, MODE_DIRECTORY) && i->data != NULL)
        tmpfs_directory_clear(i);
    if (inode_is(i, MODE_REGULAR) && i->data != NULL)
        atomic_fetch_sub_explicit(&m->pages, ((struct tmpfs_file *)i->data)->accounted, memory_order_relaxed);
    extra_free(i);
    tmpfs_inode_give(i->superblock);
}

inv_status_t tmpfs_getattr(struct inode *i, struct inode_stat *out) {
    mutex_lock(&i->lock);
    inode_stat_fill(i, out);
    if (inode_is(i, MODE_DIRECTORY))
        out->size = (tmpfs_directory(i)->count + 2) * BOGO_DIRENT;
    else if (inode_is(i, MODE_SYMLINK))
        out->size = strlen(i->data);
    else if (inode_is(i, MODE_REGULAR) && i->data != NULL)
        out->size = ((struct tmpfs_file *)i->data)->size;
    mutex_unlock(&i->lock);
    return INV_OK;
}

// --- mounting ---------------------------------------------------------------------------------------------------------

struct tmpfs_options {
    uint64_t page_limit, inode_limit;
    uint32_t mode, uid, gid;
};

// A number with k, m, g or (of) % behind it.
static inv_status_t option_size(const char *text, uint64_t of, uint64_t *out) {
    const char *end;
    uint64_t n;
    if (string_to_u64(text, &end, 0, &n) != INV_OK)
        return INV_ERR_INVALID;
    unsigned shift = 0;
    switch (*end | 0x20) {
    case 'k': shift = 10; break;
    case 'm': shift = 20; break;
    case 'g': shift = 30; break;
    case 't': shift = 40; break;
    default: break;
    }
    if (*end == '%' && of != 0 && n <= 100000) {
        n = of / 100 * n;
        end++;
    }
    if (shift != 0)
        end++;
    if (*end != 0 || n > UINT64_MAX >> shift)
        return INV_ERR_INVALID;
    *out = n << shift;
    return INV_OK;
}

// Limits: of pages, or of bytes (also in % of memory).
static inv_status_t option_limit(const char *value, bool bytes, uint64_t *out) {
    struct page_stats stats;
    uint64_t n;
    page_get_stats(&stats);
    inv_status_t s = option_size(value, bytes ? stats.total * PAGE_SIZE : 0, &n);
    if (s == INV_OK)
        *out = n == 0 ? UINT64_MAX : bytes ? n / PAGE_SIZE + (n % PAGE_SIZE != 0) : n;
    return s;
}

static bool is_one_of(const char *text, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, list[i]) == 0)
            return true;
    return false;
}

static inv_status_t option_apply(const char *key, const char *value, void *arg) {
    static const char *const flags[] = {"inode64", "inode32"}; // that Linux takes and that change nothing here
    static const char *const valued[] = {"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol"};
    static const char *const huge[] = {"never", "always", "within_size", "advise"};
    struct tmpfs_options *o = arg;
    if (is_one_of(key, flags, ARRAY_SIZE(flags)))
        return value == NULL ? INV_OK : INV_ERR_WRONG_TYPE;
    if (!is_one_of(key, valued, ARRAY_SIZE(valued)))
        return INV_ERR_NOT_FOUND;
    if (value == NULL)
        return INV_ERR_INVALID;
    if (strcmp(key, "size") == 0 || strcmp(key, "nr_blocks") == 0)
        return option_limit(value, key[0] == 's', &o->page_limit);
    if (strcmp(key, "nr_inodes") == 0)
        return option_limit(value, false, &o->inode_limit);
    if (strcmp(key, "uid") == 0)
        return mount_option_number(value, 10, UINT32_MAX - 1, &o->uid);
    if (strcmp(key, "gid") == 0)
        return mount_option_number(value, 10, UINT32_MAX - 1, &o->gid);
    if (strcmp(key, "huge") == 0) // there are no huge pages: what is asked for is as good as never
        return is_one_of(value, huge, ARRAY_SIZE(huge)) ? INV_OK : INV_ERR_INVALID;
    if (strcmp(key, "mode") != 0)
        return INV_OK;
    inv_status_t s = mount_option_number(value, 8, UINT32_MAX, &o->mode);
    o->mode &= 07777;
    return s;
}

static inv_status_t tmpfs_check_option(const char *key, const char *value) {
    struct tmpfs_options ignored = {0};
    return option_apply(key, value, &ignored);
}

inv_status_t tmpfs_super_make(struct superblock *sb, unsigned flags, const char *options) {
    struct page_stats stats;
    page_get_stats(&stats);
    struct tmpfs_options o = {.page_limit = stats.total / 2, .inode_limit = stats.total / 2, .mode = 01777};
    inv_status_t s = mount_options_each(options, option_apply, &o);
    if (s != INV_OK)
        return s;
    struct tmpfs_mount *m = kzalloc(sizeof(*m));
    struct inode *root;
    if (m == NULL)
        return INV_ERR_NO_MEMORY;
    m->page_limit = o.page_limit;
    m->inode_limit = o.inode_limit;
    m->mode = o.mode;
    m->uid = o.uid;
    m->gid = o.gid;
    sb->data = m;
    sb->magic = TMPFS_MAGIC;
    sb->keeps_birth = true;
    sb->xattr_limit = o.inode_limit > UINT64_MAX / INODE_XATTRS ? UINT64_MAX : o.inode_limit * INODE_XATTRS;
    s = tmpfs_inode_make(sb, MODE_DIRECTORY | o.mode, 0, &root);
    if (s == INV_OK) {
        root->uid = o.uid;
        root->gid = o.gid;
        sb->root = dentry_make_root(root);
        s = sb->root != NULL ? INV_OK : INV_ERR_NO_MEMORY;
    }
    if (s != INV_OK)
        kfree(m);
    return s;
}

static inv_status_t tmpfs_fs_mount(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                                   struct superblock *sb) {
    return tmpfs_super_make(sb, flags, options);
}

static void tmpfs_unmount(struct superblock *sb) {
    kfree(sb->data); // the root's inode went with its name, and took the tree along
}

static inv_status_t tmpfs_statfs(struct superblock *sb, struct fs_statistics *out) {
    struct tmpfs_mount *m = tmpfs_mount(sb);
    uint64_t pages = m->pages, limit = m->page_limit, inodes = m->inodes, inode_limit = m->inode_limit;
    if (limit != UINT64_MAX) {
        out->blocks = limit;
        out->blocks_free = out->blocks_available = limit > pages ? limit - pages : 0;
    }
    if (inode_limit != UINT64_MAX) {
        out->files = inode_limit;
        out->files_free = inode_limit > inodes ? inode_limit - inodes : 0;
    }
    return INV_OK;
}

static inv_status_t tmpfs_remount(struct superblock *sb, unsigned flags, const char *options) {
    struct tmpfs_mount *m = tmpfs_mount(sb);
    struct tmpfs_options o = {.page_limit = m->page_limit, .inode_limit = m->inode_limit};
    inv_status_t s = mount_options_each(options, option_apply, &o);
    if (s != INV_OK)
        return s;
    if (o.page_limit < m->pages || o.inode_limit < m->inodes)
        return INV_ERR_INVALID;
    if ((m->page_limit == UINT64_MAX && o.page_limit != UINT64_MAX) ||
        (m->inode_limit == UINT64_MAX && o.inode_limit != UINT64_MAX))
        return INV_ERR_INVALID; // a limit is not put on afterwards
    m->page_limit = o.page_limit;
    m->inode_limit = o.inode_limit;
    return INV_OK;
}

// snprintf behind what is there; what does not fit is left out.
#define SHOW(buffer, size, used, ...)                                                    \
    do {                                                                                 \
        if ((used) < (size))                                                             \
            (used) += (size_t)snprintf((buffer) + (used), (size) - (used), __VA_ARGS__); \
    } while (0)

static void tmpfs_show_options(struct superblock *sb, char *buffer, size_t size) {
    struct tmpfs_mount *m = tmpfs_mount(sb);
    struct page_stats stats;
    size_t used = 0;
    page_get_stats(&stats);
    if (m->page_limit != stats.total / 2)
        SHOW(buffer, size, used, ",size=%luk",
             m->page_limit != UINT64_MAX ? (unsigned long)(m->page_limit * (PAGE_SIZE / 1024)) : 0ul);
    if (m->inode_limit != stats.total / 2)
        SHOW(buffer, size, used, ",nr_inodes=%lu", m->inode_limit != UINT64_MAX ? m->inode_limit : 0ul);
    if (m->mode != 01777)
        SHOW(buffer, size, used, ",mode=%03o", m->mode);
    if (m->uid != 0)
        SHOW(buffer, size, used, ",uid=%u", m->uid);
    if (m->gid != 0)
        SHOW(buffer, size, used, ",gid=%u", m->gid);
    SHOW(buffer, size, used, ",inode64");
}

struct fs_type tmpfs_type = {
    .name = "tmpfs",
    .mount = tmpfs_fs_mount,
    .unmount = tmpfs_unmount,
    .inode_delete = tmpfs_inode_delete,
    .statfs = tmpfs_statfs,
    .remount = tmpfs_remount,
    .show_options = tmpfs_show_options,
    .check_option = tmpfs_check_option,
};
