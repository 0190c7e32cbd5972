// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Seals and write hints (memfd.c), for fcntl. Context: system call.
#ifndef LINUX_MEMFD_H
#define LINUX_MEMFD_H

#include "calls.h"

#define LINUX_F_ADD_SEALS   1033u
#define LINUX_F_GET_SEALS   1034u
#define LINUX_F_GET_RW_HINT 1035u
#define LINUX_F_SET_RW_HINT 1036u

// One of the commands above. Result or -errno.
int64_t linux_memfd_fcntl(struct file *file, unsigned command, uint64_t argument);

#endif
