// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The file system in memory: what its directories (tmpfs_dir.c), its files (tmpfs_file.c), its mounting (tmpfs.c) and devtmpfs share.
#ifndef VFS_TMPFS_H
#define VFS_TMPFS_H

#include <kernel/rbtree.h>

#include "file.h"
#include "inode.h"

struct tmpfs_mount {
    /* atomic: */
    _Atomic uint64_t pages, inodes;           // in use
    _Atomic uint64_t page_limit, inode_limit; // UINT64_MAX: none
    /* immutable: */
    uint32_t mode, uid, gid; // of the root, as mounted
};
static inline struct tmpfs_mount *tmpfs_mount(const struct superblock *sb) {
    return sb->data;
}

// A name in a directory. Counts its inode, whose job is charged for it.
struct tmpfs_entry {
    struct rb_node by_name, by_offset;
    struct inode *inode;
    struct tmpfs_entry *next; // tearing down
    uint64_t offset;          // its place for getdents, never used again
    uint32_t hash, length;
    char name[];
};

struct tmpfs_directory {
    /* the inode's lock: */
    struct rb_tree by_name, by_offset; // hash, length, text; offset
    uint64_t next_offset, count;
};

struct tmpfs_file {
    _Atomic uint64_t size; // what readers see: the VMO grows before a write and this after it
    /* the inode's lock: */
    uint64_t accounted; // pages counted in the mount
    unsigned seals;     // FILE_SEAL_*; SEAL alone while there is no such structure
};

// inode->data is a struct tmpfs_directory, a struct tmpfs_file (NULL until there is data) or a link's text.
static inline struct tmpfs_directory *tmpfs_directory(const struct inode *i) {
    return i->data;
}

extern const struct inode_ops tmpfs_directory_ops, tmpfs_file_inode_ops, tmpfs_link_ops, tmpfs_node_ops;
extern const struct file_ops tmpfs_directory_file_ops, tmpfs_file_ops;

// An inode of any type, with what belongs to its type. NO_SPACE (nr_inodes), NO_MEMORY.
must_check inv_status_t tmpfs_inode_make(struct superblock *sb, uint32_t mode, devno_t rdev, struct inode **out);
// One of nr_inodes, for an inode or for each name beyond its first. false: none is left.
must_check bool tmpfs_inode_take(struct superblock *sb);
void tmpfs_inode_give(struct superblock *sb);
void tmpfs_inode_delete(struct inode *i);
// Zeroed memory for inode->data, charged to the inode's job; goes with the inode. NULL: no memory, no quota.
void *tmpfs_extra_alloc(struct inode *i, size_t size);
void tmpfs_directory_clear(struct inode *dir);
inv_status_t tmpfs_getattr(struct inode *i, struct inode_stat *out);
// The file's VMO, made at the first need. Inode's lock held.
must_check inv_status_t tmpfs_file_data(struct inode *i, struct tmpfs_file **out);
inv_status_t tmpfs_file_setattr(struct inode *i, const struct inode_attributes *a);
inv_status_t tmpfs_super_make(struct superblock *sb, unsigned flags,
                              const char *options); // fs_type->mount without its source

#endif
