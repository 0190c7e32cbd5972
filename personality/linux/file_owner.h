// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Whom a file signals (file_owner.c): for fcntl, ioctl and sockets. Context: system call.
#ifndef LINUX_FILE_OWNER_H
#define LINUX_FILE_OWNER_H

#include "calls.h"

#define LINUX_F_SETOWN        8u
#define LINUX_F_GETOWN        9u
#define LINUX_F_SETSIG        10u
#define LINUX_F_GETSIG        11u
#define LINUX_F_SETOWN_EX     15u
#define LINUX_F_GETOWN_EX     16u
#define LINUX_F_GETOWNER_UIDS 17u

// One of the commands above. Result or -errno.
int64_t linux_file_owner_fcntl(struct file *file, unsigned command, uint64_t argument);
// F_SETOWN, FIOSETOWN, SIOCSPGRP: a pid, or a group's number negated; 0: nobody. EINVAL, ENOMEM, ESRCH.
int64_t linux_file_owner_set(struct file *file, int who);
// A group, or the current process if that is 0, becomes the file's owner if it has none. ENOMEM, ESRCH.
int64_t linux_file_owner_claim(struct file *file, int group);
int linux_file_owner_get(struct file *file); // F_GETOWN, FIOGETOWN, SIOCGPGRP; 0: nobody, or gone

#endif
