// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// devpts: the file system that shows pseudo-terminals by number (executive/vfs/devpts.c). Each mount is an instance with numbers of its own. Who drives the
// terminals (executive/tty/pty.c) adds and removes them here. All in thread context, may sleep; no terminal's lock held.
#ifndef EXECUTIVE_DEVPTS_H
#define EXECUTIVE_DEVPTS_H

#include <executive/vfs.h>

#define DEVPTS_SLAVE_MAJOR 136u
#define DEVPTS_MAX_DEFAULT 4096u // of all instances together (kernel.pty.max)

// One name /dev/pts/N. The adder's, until devpts_remove.
struct devpts_node;

struct devpts_driver {
    const struct file_ops *ops; // of the nodes: open finds the terminal in inode->data
    void (*put)(void *data);    // the inode has gone: one count of data less
};
void devpts_register_driver(const struct devpts_driver *driver);

// Adds the lowest free number of the instance that ptmx belongs to: the one that it lies in, or the one that is mounted on "pts" beside it. The node belongs
// to the caller, as the options of the mount say. Takes over a count of data on success. NOT_FOUND, NO_DEVICE (no instance there), NO_SPACE, NO_MEMORY.
must_check inv_status_t devpts_add(const struct file *ptmx, void *data, struct devpts_node **out);
unsigned devpts_number(const struct devpts_node *n);
// The name goes, files that are open stay. Frees n.
void devpts_remove(struct devpts_node *n);
// Opens n with the O_* of flags, whoever may by its mode, where the instance is mounted for ptmx. NO_DEVICE, what opening gives.
must_check inv_status_t devpts_open_peer(const struct devpts_node *n, const struct file *ptmx, unsigned flags,
                                         struct file **out);

extern _Atomic uint32_t devpts_count, devpts_limit; // kernel.pty.nr and .max

#endif
