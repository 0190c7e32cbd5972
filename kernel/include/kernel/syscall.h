// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// System call entry: one entry for native and personality calls. Numbers below 0x1000 go to the process's personality; native ones start at 0x1000 and are
// refused with ERR_NO_SYSCALL (to a Linux process: ENOSYS by its personality's hand) unless the job's policy allows them.
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <arch/frame.h>
#include <kernel/types.h>

#define SYSCALL_NATIVE_BASE 0x1000

// From arch entry code: user frame complete, interrupts on, kernel stack of the current thread.
void syscall_dispatch(struct arch_frame *frame);

#endif
