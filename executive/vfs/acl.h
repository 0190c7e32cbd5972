// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Access control lists of files, as POSIX.1e's draft 17 has them (acl.c). Private to executive/vfs.
#ifndef VFS_ACL_H
#define VFS_ACL_H

#include <executive/vfs.h>

// The names by which they are had as extended attributes; INVALID: name is neither.
enum acl_kind { ACL_ACCESS, ACL_DEFAULT };
must_check inv_status_t acl_kind_of(const char *name, enum acl_kind *out);

// What the list of i, if it has one, says about who, who is not the owner; want is WANT_* bits. OK, ACCESS; NOT_FOUND: it has none. Any context that may
// look at i.
must_check inv_status_t acl_permission(struct inode *i, const struct token *who, unsigned want);

// As an attribute's value. get: size 0 asks for the length. NO_DATA, RANGE. All: the inode's lock held.
must_check inv_status_t acl_get(struct inode *i, enum acl_kind kind, void *buffer, size_t size, size_t *out_length);
// value NULL: removes. INVALID, OP_NOT_SUPPORTED (another version), ACCESS (a default of what is no directory), NOT_PERMITTED, NO_SPACE, NO_MEMORY.
must_check inv_status_t acl_set(struct inode *i, struct token *who, enum acl_kind kind, const void *value, size_t size);
bool acl_has(const struct inode *i, enum acl_kind kind);

// The mode changed to i->mode: the access list follows. Lock held; in its place where nobody else can look, else NO_MEMORY.
must_check inv_status_t acl_follow_mode(struct inode *i, uint32_t mode);
// The permission bits of what is made in dir: without the umask's, unless dir has a default list. dir's lock held.
uint32_t acl_new_mode(const struct inode *dir, uint32_t mode, uint32_t umask);
// Made in dir, which is locked, and not seen yet: i gets the lists and the mode that dir's default gives it. NO_SPACE, NO_MEMORY.
must_check inv_status_t acl_inherit(struct inode *i, const struct inode *dir);
void acl_free_all(struct inode *i); // the last reference is gone

#endif
