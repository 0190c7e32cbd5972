// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: single calls that touch nothing but the kernel's entry and a little state.
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
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

    bench_batches(null_call_batch, &parent, 1000, 31);
}
BENCH_ROW(null_call, BENCH_SCORED, BENCH_PER_OPERATION, "null system call (getppid)", null_call);

// --- the clock --------------------------------------------------------------------------------------------------------

static int64_t nanoseconds(const struct timespec *t) {
    return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

// The clock must have gone on by about what the batch took, measured by the time stamp counter: at least a thousandth of it (whatever the counter's
// frequency), and never backwards.
static void clock_check(int64_t first, int64_t last, uint64_t cost) {
    bench_check(first > 0 && last - first > (int64_t)(cost / 1000));
}

static uint64_t clock_vdso_batch(unsigned n, void *argument) {
    struct timespec first, t;
    uint64_t start, cost;

    (void)argument;
    bench_check(clock_gettime(CLOCK_MONOTONIC, &first) == 0);
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) {
            bench_fail("clock_gettime");
        }
    }
    cost = bench_now() - start;
    clock_check(nanoseconds(&first), nanoseconds(&t), cost);
    return cost;
}

static void clock_vdso(void) {
    bench_batches(clock_vdso_batch, NULL, 4000, 31);
}
BENCH_ROW(clock_vdso, BENCH_SCORED, BENCH_PER_OPERATION, "clock_gettime through the vDSO", clock_vdso);

static uint64_t clock_call_batch(unsigned n, void *argument) {
    struct timespec first, t;
    uint64_t start, cost;

    (void)argument;
    bench_check(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &first) == 0);
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t) != 0) {
            bench_fail("clock_gettime");
        }
    }
    cost = bench_now() - start;
    clock_check(nanoseconds(&first), nanoseconds(&t), cost);
    return cost;
}

static void clock_call(void) {
    bench_batches(clock_call_batch, NULL, 1000, 31);
}
BENCH_ROW(clock_call, BENCH_SCORED, BENCH_PER_OPERATION, "clock_gettime as a call", clock_call);

// --- the devices that do nothing --------------------------------------------------------------------------------------

static uint64_t read_zero_batch(unsigned n, void *argument) {
    int fd = *(const int *)argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        char byte = 1;
        if (read(fd, &byte, 1) != 1 || byte != 0) {
            bench_fail("read of /dev/zero");
        }
    }
    return bench_now() - start;
}

static void read_zero_1(void) {
    int fd = open("/dev/zero", O_RDONLY);

    bench_check(fd >= 0);
    bench_batches(read_zero_batch, &fd, 1000, 31);
}
BENCH_ROW(read_zero_1, BENCH_SCORED, BENCH_PER_OPERATION, "read 1 byte of /dev/zero", read_zero_1);

static uint64_t write_null_batch(unsigned n, void *argument) {
    int fd = *(const int *)argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        if (write(fd, "x", 1) != 1) {
            bench_fail("write to /dev/null");
        }
    }
    return bench_now() - start;
}

static void write_null_1(void) {
    int fd = open("/dev/null", O_WRONLY);

    bench_check(fd >= 0);
    bench_batches(write_null_batch, &fd, 1000, 31);
}
BENCH_ROW(write_null_1, BENCH_SCORED, BENCH_PER_OPERATION, "write 1 byte to /dev/null", write_null_1);
