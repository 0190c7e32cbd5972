// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// devtmpfs: a tmpfs with a node for each character device, one tree however often it is mounted. Nodes appear when drivers register (device.h), also later. Boot and
// thread context.
//
// The tree is kept alive by a mount of its own that is in no tree; nodes are made through the ordinary calls, so that the name cache knows of them.

#include <kernel/job.h>
#include <kernel/log.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include <executive/device.h>

#include "boot.h"
#include "mount.h"
#include "tmpfs.h"

static struct fs_context context = {.count = 1, .lock = SPINLOCK_INIT(LOCK_RANK_VFS_SPIN)};

static inv_status_t devtmpfs_mount(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                                   struct superblock *sb) {
    return tmpfs_super_make(sb, flags, "mode=0755");
}

static struct fs_type devtmpfs_type = {.name = "devtmpfs", .mount = devtmpfs_mount, .inode_delete = tmpfs_inode_delete};

// The directories before the last part of name. EXISTS is fine.
static inv_status_t make_parents(const struct vfs_caller *c, const char *name) {
    char part[128];
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t n = (size_t)(slash - name);
        if (n >= sizeof(part))
            return INV_ERR_NAME_TOO_LONG;
        memcpy(part, name, n);
        part[n] = 0;
        inv_status_t s = vfs_mkdir(c, AT_FDCWD_, part, 0755);
        if (s != INV_OK && s != INV_ERR_EXISTS)
            return s;
    }
    return INV_OK;
}

static void device_added(struct character_device *d) {
    struct vfs_caller c = {.fs = &context, .token = token_root, .job = &root_job};
    inv_status_t s = make_parents(&c, d->name);
    if (s == INV_OK)
        s = vfs_mknod(&c, AT_FDCWD_, d->name, MODE_CHARACTER | d->mode, d->number);
    if (s != INV_OK)
        log_warning("devtmpfs", "no node %s: status %d", d->name, s);
}

inv_status_t devtmpfs_init(void) {
    struct superblock *sb;
    inv_status_t s = superblock_create(&devtmpfs_type, "devtmpfs", 0, "", &sb);
    if (s != INV_OK)
        return s;
    devtmpfs_type.statfs = tmpfs_type.statfs;
    devtmpfs_type.show_options = tmpfs_type.show_options;
    devtmpfs_type.shared = sb;
    fs_register(&devtmpfs_type);
    struct mount *m = mount_create(sb, sb->root, "devtmpfs", 0);
    if (m == NULL)
        return INV_ERR_NO_MEMORY;
    context.root = context.cwd = (struct path){.mount = m, .dentry = sb->root};
    path_get(&context.root);
    path_get(&context.cwd);
    character_device_watch(device_added);
    return INV_OK;
}
