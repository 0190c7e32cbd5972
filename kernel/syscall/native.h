// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Native calls (native.c), for the dispatch of all calls (syscall.c).
#ifndef SYSCALL_NATIVE_H
#define SYSCALL_NATIVE_H

#include <kernel/job.h>
#include <kernel/syscall.h>

// A call whose number is SYSCALL_NATIVE_BASE or more. False: nothing was done, as there is no such call or the job does not allow it; then it is the
// personality's.
bool native_syscall(struct arch_frame *frame);

// Whether processes of job may use the call with this number, if there is one.
bool native_call_allowed(const struct job *job, uint64_t number);

#endif
