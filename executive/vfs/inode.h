// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Inodes (inode.c) and who may do what with them (permission.c), inside executive/vfs.
#ifndef VFS_INODE_H
#define VFS_INODE_H

#include <executive/vfs.h>

void inode_cache_init(void);
static inline bool inode_is(const struct inode *i, uint32_t type) {
    return (i->mode & MODE_FMT) == type;
}
static inline bool inode_has_acl(const struct inode *i) {
    return atomic_load_explicit(&i->acl, memory_order_relaxed) != NULL;
}
int timestamp_compare(const struct timestamp *a, const struct timestamp *b);
// Reads and readlinks: moves the access time by the rules of relatime; flags of the mount concerned.
void inode_touch_atime(struct inode *i, unsigned mount_flags);
// What a change of owner, or a write by somebody without CAP_FSETID, leaves of a file's mode: set-group-ID without group execution stays for members alone.
uint32_t inode_mode_without_ids(const struct inode *i, const struct token *who);
// After a write: mtime and ctime now; set-id bits fall unless the writer may keep them. Lock held.
void inode_written(struct inode *i);
bool inode_owner_or_capable(const struct inode *i, const struct token *who);
// New inode in dir: owner, group (set-gid directories) and mode (which loses set-gid where the rules say).
void inode_init_owner(struct inode *i, const struct inode *dir, const struct token *who);
// ETXTBSY accounting: writers and executors exclude each other.
must_check bool inode_write_begin(struct inode *i); // false: being executed
void inode_write_end(struct inode *i);
must_check bool inode_deny_write(struct inode *i); // false: open for writing
void inode_allow_write(struct inode *i);

// xattr.c: a change takes file capabilities away, as it takes set-id bits. Lock held.
void inode_drop_capabilities(struct inode *i);
// Memory for attributes, paid by the inode's job and taken off its superblock's limit. NO_SPACE, NO_MEMORY, QUOTA.
must_check inv_status_t inode_xattr_charge(struct inode *i, size_t bytes);
void inode_xattr_uncharge(struct inode *i, size_t bytes);
void inode_free_xattrs(struct inode *i); // the last reference is gone

#endif
