// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Locks and leases on files (file_lock.c), for fcntl. Context: system call.
#ifndef LINUX_FILE_LOCK_H
#define LINUX_FILE_LOCK_H

#include "calls.h"

#define LINUX_F_GETLK      5u
#define LINUX_F_SETLK      6u
#define LINUX_F_SETLKW     7u
#define LINUX_F_OFD_GETLK  36u
#define LINUX_F_OFD_SETLK  37u
#define LINUX_F_OFD_SETLKW 38u
#define LINUX_F_SETLEASE   1024u
#define LINUX_F_GETLEASE   1025u

// One of the commands above on file, open as fd. Result or -errno.
int64_t linux_file_lock_fcntl(int fd, struct file *file, unsigned command, uint64_t argument);

#endif
