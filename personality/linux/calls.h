// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Prototypes of all system call handlers, made from syscalls.def. Every file that defines handlers includes this.
#ifndef LINUX_CALLS_H
#define LINUX_CALLS_H

#include <personality/errno.h>
#include <personality/linux.h>

#define X(number, name) int64_t linux_##name(struct arch_frame *f);
#include "syscalls.def"
#undef X

#endif
