// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: single calls that touch nothing but the kernel's entry and a little state.
#define _GNU_SOURCE
#include "bench.h"

#include <sys/syscall.h>
#include <unistd.h>

static uint64_t null_call_batch(unsigned n, void *argument) {
    long parent = *(const pid_t *)argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        if (syscall(SYS_getppid) != parent) {
            bench_fail("getppid");
        }
    }
    return bench_now() - start;
}

static void null_call(void) {
    pid_t parent = getppid();

    bench_batches(null_call_batch, &parent, 2000, 31);
}
BENCH_ROW(null_call, BENCH_SCORED, BENCH_PER_OPERATION, "null system call (getppid)", null_call);
