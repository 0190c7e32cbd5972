// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Character devices (executive/io): drivers register a number, a name and file operations; the name appears in /dev (devtmpfs, also when it is mounted later).
#ifndef EXECUTIVE_DEVICE_H
#define EXECUTIVE_DEVICE_H

#include <executive/vfs.h>

struct character_device {
    devno_t number;
    const char *name;           // path below /dev: "null", "virtio-ports/invar.in"
    uint32_t mode;              // permission bits
    const struct file_ops *ops; // open may replace file->ops and file->data
    void *data;                 // file->data at open
    struct list_node node;
};
// The structure stays the driver's, for ever. EXISTS (number), NO_MEMORY (node).
must_check inv_status_t character_device_register(struct character_device *d);
// For vfs: the device behind a node. NO_ADDRESS if there is none.
must_check inv_status_t character_device_open(devno_t number, struct file *file);
// For devtmpfs: calls fn for all registered, now and (once set) at each later registration.
void character_device_watch(void (*fn)(struct character_device *d));

#endif
