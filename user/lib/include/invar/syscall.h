// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The instruction that enters the kernel, with as many arguments as a native call has. <invar/calls.h> has a function for each call, which is what a program
// uses. Every architecture supplies the same names.
#ifndef INVAR_SYSCALL_H
#define INVAR_SYSCALL_H

#include <invar/status.h>
#include <stdint.h>

struct inv_result {
    inv_status_t status;
    uint64_t values[3]; // what the call gives beside its status; zero where it gives nothing, or on an error
};

#if defined(__x86_64__)
#include <invar/syscall_x86_64.h>
#else
#error "no system calls for this architecture yet"
#endif

#endif
