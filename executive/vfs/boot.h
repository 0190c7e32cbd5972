// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The order in which executive/vfs comes up (boot.c).
#ifndef VFS_BOOT_H
#define VFS_BOOT_H

#include <executive/vfs.h>

extern struct fs_type tmpfs_type; // tmpfs.c
void rename_init(void);
void file_lock_init(void);
void file_lease_init(void);
must_check inv_status_t memory_file_init(void);
must_check inv_status_t devtmpfs_init(void);
void fs_contexts_change_root(const struct path *from, const struct path *to); // of all who stand there: pivot_root
must_check inv_status_t fs_context_init(const struct path *root);             // takes over root

#endif
