// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Extended attributes of inodes (executive/vfs/xattr.c): named values beside a file's data, by Linux's rules for the spaces trusted., security., user. and
// system. File systems that keep them give their superblock a limit; the others answer as one of Linux without them.
//
// All functions: thread context, may sleep; the inode's lock is taken inside unless the line says otherwise.
#ifndef EXECUTIVE_XATTR_H
#define EXECUTIVE_XATTR_H

#include <executive/vfs.h>

#define XATTR_NAME_MAX  255u
#define XATTR_VALUE_MAX 65536u
#define XATTR_CREATE    1u // EXISTS if it is there
#define XATTR_REPLACE   2u // NO_DATA if it is not

// Copies the value; size 0 asks for its length alone. Names are checked by the caller (1 to XATTR_NAME_MAX bytes).
// NOT_PERMITTED or NO_DATA or ACCESS (who may not), OP_NOT_SUPPORTED, INVALID (a space without a name), NO_DATA, RANGE (does not fit).
must_check inv_status_t vfs_xattr_get(struct inode *i, struct token *who, const char *name, void *buffer, size_t size,
                                      size_t *out_length);
// Sets or replaces; the caller holds a write of the mount (path_write_begin). INVALID and NOT_PERMITTED for file capabilities that are malformed or not
// the caller's to give; NOT_PERMITTED or ACCESS; OP_NOT_SUPPORTED, INVALID; EXISTS, NO_DATA; NO_SPACE, NO_MEMORY.
must_check inv_status_t vfs_xattr_set(struct inode *i, struct token *who, const char *name, const void *value,
                                      size_t size, unsigned flags);
must_check inv_status_t vfs_xattr_remove(struct inode *i, struct token *who, const char *name); // likewise
// The names, each terminated; size 0 asks for the length alone. trusted. names only for CAP_SYS_ADMIN. RANGE.
must_check inv_status_t vfs_xattr_list(struct inode *i, struct token *who, char *buffer, size_t size,
                                       size_t *out_length);
// For the length of a change that has no function of its own here: READ_ONLY.
must_check inv_status_t path_write_begin(const struct path *p);
void path_write_end(const struct path *p);

// What security.capability of a program gives: for exec. false: none, or of another form, or the root user of another name space.
struct file_capabilities {
    uint64_t permitted, inheritable;
    bool effective;
    uint32_t root_user; // of the user name space that it is for; 0: ours
};
must_check bool inode_file_capabilities(struct inode *i, struct file_capabilities *out);

#endif
