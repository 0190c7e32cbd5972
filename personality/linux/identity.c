// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The calls that tell a thread its numbers. The shortest there are: getppid is the null call of every comparison.
#include "process.h"

int64_t linux_getpid(struct arch_frame *f) {
    return linux_current_process()->number;
}

int64_t linux_gettid(struct arch_frame *f) {
    return linux_current()->pid->number;
}

int64_t linux_getppid(struct arch_frame *f) {
    return atomic_load_explicit(&linux_current_process()->parent_id, memory_order_relaxed);
}
