// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mounts as descriptors: trees that are attached nowhere yet (executive/vfs/mount_fd.c), and file systems that are being set up or reconfigured
// (executive/vfs/mount_config.c). Whoever calls has checked that the caller may mount. Thread context, may sleep.
//
//    mount_config_open ──options──► mount_config_create ──► mount_config_mount ──► a tree of one mount ──► mount_move_to
//    mount_config_pick ──options──► mount_config_reconfigure
#ifndef EXECUTIVE_MOUNT_FD_H
#define EXECUTIVE_MOUNT_FD_H

#include <executive/mount.h>

// --- trees ---

// A file that is open for walking from it alone. clone: at a copy of what is mounted there, which is attached nowhere; it goes with the file's last reference
// unless it was attached. INVALID (not to be bound), NO_MEMORY.
must_check inv_status_t mount_open_tree(const struct path *at, bool clone, bool recursive, struct file **out);
// What is mounted at from, in the tree or as a descriptor's, goes to where. NOT_FOUND, INVALID, LOOP, NO_MEMORY.
must_check inv_status_t mount_move_to(const struct path *from, const struct path *where);
// to, which is private, gets from's peers and master. INVALID.
must_check inv_status_t mount_join_group(const struct path *from, const struct path *to);
// Flags of mounts: those in clear go, then those in set come (MOUNT_* of one mount). propagation is 0 or one of MOUNT_SHARED, PRIVATE, SLAVE, UNBINDABLE.
struct mount_change {
    unsigned set, clear, propagation;
    bool recursive;
};
must_check inv_status_t mount_change(const struct path *at,
                                     const struct mount_change *c); // INVALID, BUSY (somebody writes), NO_MEMORY

// --- file systems ---

enum mount_option_kind { MOUNT_OPTION_FLAG, MOUNT_OPTION_STRING, MOUNT_OPTION_OTHER };
// NO_DEVICE (no such kind), NO_MEMORY.
must_check inv_status_t mount_config_open(const char *type, struct file **out);
// Of the file system that is mounted at p. INVALID: p is no mount's root.
must_check inv_status_t mount_config_pick(const struct path *p, struct file **out);
bool mount_config_is(const struct file *f);
bool mount_config_checks(
    const struct file *f); // says at each option whether it takes it, also what is neither flag nor string
// One option. value: of a string. BUSY: not the time for it. INVALID: and the file can be read for why.
must_check inv_status_t mount_config_set(struct file *f, enum mount_option_kind kind, const char *key,
                                         const char *value);
must_check inv_status_t mount_config_create(struct file *f);      // BUSY, the file system's errors
must_check inv_status_t mount_config_reconfigure(struct file *f); // the same
// A tree of one mount of what was created, with flags of its own: as mount_open_tree's clones. INVALID, BUSY, NO_MEMORY.
must_check inv_status_t mount_config_mount(struct file *f, unsigned own_flags, struct file **out);

#endif
