// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The steps of mount's calls (mount_call.c) that the calls on mounts as descriptors (mount_fd.c, mount_config.c) take as well. Private to executive/vfs; thread context.
#ifndef VFS_MOUNT_CALL_H
#define VFS_MOUNT_CALL_H

#include "mount_tree.h"

bool mount_permitted(const struct vfs_caller *c); // may it change mounts at all?
// The mounts' lock held: BUSY (read-only, and somebody writes).
must_check inv_status_t mount_set_flags(struct mount *m, unsigned flags);
// flags of the superblock within mask, and options if not NULL. The mounts' lock held. BUSY, the file system's errors.
must_check inv_status_t superblock_reconfigure(struct superblock *sb, unsigned flags, unsigned mask,
                                               const char *options);
// A new mount of a kind of file system, attached nowhere. NO_DEVICE, the file system's errors, NO_MEMORY.
must_check inv_status_t mount_make(const char *type, const char *source, unsigned flags, unsigned own,
                                   const char *options, struct mount **out);
// mount_fd.c: a file that holds a new mount of sb, as mount_open_tree's. NO_MEMORY.
must_check inv_status_t mount_open_new(struct superblock *sb, const char *source, unsigned own, struct file **out);
// Attaches top, which is attached nowhere and is taken over in any case.
must_check inv_status_t mount_put_on(struct mount *top, const struct path *where);
// A copy of what is at from. The mounts' lock held. INVALID: not to be bound; NO_MEMORY.
must_check inv_status_t mount_clone(const struct path *from, bool recursive, struct mount **out);
// Moves the mount at from to where. INVALID, LOOP, NO_MEMORY.
must_check inv_status_t mount_relocate(const struct path *from, const struct path *where);
// The mounts' lock held; type is one of MOUNT_SHARED, PRIVATE, SLAVE, UNBINDABLE. NO_MEMORY.
must_check inv_status_t mount_change_propagation(struct mount *top, unsigned type, bool recursive);

#endif
