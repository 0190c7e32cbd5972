// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Where a system call arrives from the architecture's entry code: native ones (from 0x1000) go to the core's table if the process's job allows them, all
// others to the process's personality. Thread context, interrupts on.
#include "native.h"

#include <kernel/debug.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

void syscall_dispatch(struct arch_frame *frame) {
    // Native calls do not read the cycle counter: their time counts as the program's.
    if (unlikely(arch_syscall_number(frame) >= SYSCALL_NATIVE_BASE) && native_syscall(frame))
        return;
    struct thread *t = current_thread();

    kernel_time_begin(t);
    counter_add(syscalls, 1);
    trace(syscall_enter, arch_syscall_number(frame), arch_syscall_arg(frame, 0), arch_syscall_arg(frame, 1));
    t->process->ops->syscall(frame);
    trace(syscall_exit, arch_syscall_number(frame), arch_syscall_result(frame), 0);
    kernel_time_end(t);
}
