// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Descriptors of processes, for the calls that make or take them beside their own (pidfd.c): clone, waitid. Thread context.
#ifndef LINUX_PIDFD_H
#define LINUX_PIDFD_H

#include "process.h"

#include <executive/vfs.h>

// An open file for p, which it counts. flags: O_NONBLOCK or 0. ENOMEM, ENFILE.
int64_t linux_pidfd_create(struct linux_process *p, unsigned flags, struct file **out);
// The process of an open file, counted; NULL: it is something else.
struct linux_process *linux_pidfd_process(struct file *f);
// The process of a descriptor of the current thread, counted. EBADF: closed, or something else.
int64_t linux_pidfd_get(int fd, bool *out_nonblocking, struct linux_process **out);

#endif
