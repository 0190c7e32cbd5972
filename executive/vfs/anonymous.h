// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files without a name (anonymous.c), inside executive/vfs.
#ifndef VFS_ANONYMOUS_H
#define VFS_ANONYMOUS_H

#include <executive/vfs.h>

extern struct mount *anonymous_mount; // all of them are in this mount, which is not in the tree
must_check inv_status_t anonymous_init(void);
// An inode and unhashed name for files to be opened on; *out is counted.
must_check inv_status_t anonymous_path(const char *label, uint32_t mode, struct path *out);

#endif
