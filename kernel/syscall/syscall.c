// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Where a system call arrives from the architecture's entry code: personality calls go to the process's personality, native ones (from 0x1000) to the core's table, which
// is empty until the core's calls exist. Thread context, interrupts on.
#include <kernel/debug.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

// The personality of a process without one answers native calls alone; the status is the result.
static void syscall_refuse(struct arch_frame *frame) {
    arch_syscall_set_result(frame, INV_ERR_NO_SYSCALL);
}

void syscall_dispatch(struct arch_frame *frame) {
    struct thread *t = current_thread();
    const struct personality_ops *ops = t->process->ops;

    kernel_time_begin(t);
    counter_add(syscalls, 1);
    trace(syscall_enter, arch_syscall_number(frame), arch_syscall_arg(frame, 0), arch_syscall_arg(frame, 1));
    if (likely(ops != NULL && ops->syscall != NULL))
        ops->syscall(frame); // a native number that the job's policy does not allow is an unknown call to it
    else
        syscall_refuse(frame);
    trace(syscall_exit, arch_syscall_number(frame), arch_syscall_result(frame), 0);
    kernel_time_end(t);
}
