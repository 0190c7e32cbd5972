// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files without a name: pipes, and what file_create_anonymous makes for others. They live in one superblock of their own, in a mount that is in no tree. Thread
// context.

#include <kernel/process.h>
#include <kernel/string.h>

#include "anonymous.h"
#include "file.h"
#include "inode.h"

struct mount *anonymous_mount;

static const struct inode_ops anonymous_inode_ops;

static inv_status_t anonymous_fs_mount(const struct fs_type *type, const char *source, unsigned flags,
                                       const char *options, struct superblock *sb) {
    struct inode *root = inode_alloc(sb, MODE_DIRECTORY | 0);
    if (root == NULL)
        return INV_ERR_NO_MEMORY;
    root->ops = &anonymous_inode_ops;
    sb->magic = 0x09041934;
    sb->root = dentry_make_root(root);
    return sb->root != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

static const struct fs_type anonymous_fs = {.name = "anon_inodefs", .mount = anonymous_fs_mount};

inv_status_t anonymous_init(void) {
    struct superblock *sb;
    inv_status_t s = superblock_create(&anonymous_fs, "none", 0, "", &sb);
    if (s != INV_OK)
        return s;
    anonymous_mount = mount_create(sb, sb->root, "none", MOUNT_RELATIME);
    superblock_put(sb);
    return anonymous_mount != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

inv_status_t anonymous_path(const char *label, uint32_t mode, struct path *out) {
    struct inode *i = inode_alloc(anonymous_mount->superblock, mode);
    if (i == NULL)
        return INV_ERR_NO_MEMORY;
    i->ops = &anonymous_inode_ops;
    struct dentry *d = dentry_make_unnamed(anonymous_mount->superblock, label, i);
    if (d == NULL) {
        inode_put(i);
        return INV_ERR_NO_MEMORY;
    }
    mount_get(anonymous_mount);
    *out = (struct path){.mount = anonymous_mount, .dentry = d};
    return INV_OK;
}

inv_status_t file_create_anonymous(const char *label, const struct file_ops *ops, void *data, uint32_t flags,
                                   uint32_t mode, struct file **out) {
    struct path p;
    inv_status_t s = anonymous_path(label, mode, &p);
    if (s != INV_OK)
        return s;
    s = file_alloc(&p, flags, out);
    if (s != INV_OK) {
        path_put(&p);
        return s;
    }
    struct file *f = *out;
    f->ops = ops;
    f->data = data;
    f->inode->file_ops = ops;
    atomic_store_explicit(&f->holds, FILE_HOLDS_OPENED, memory_order_relaxed);
    return INV_OK;
}
