// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// How open, poll, dup and fork grow with the number of descriptors that a process holds.
#define _GNU_SOURCE
#include "scale.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

// Opens as many descriptors, each a file of its own; the last one is returned.
static int descriptors_open(size_t count) {
    struct rlimit limit;
    int last = -1;
    bench_check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < count + 64) {
        limit.rlim_cur = count + 64;
        if (limit.rlim_max < limit.rlim_cur)
            limit.rlim_max = limit.rlim_cur;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            bench_none("so many descriptors");
    }
    for (size_t i = 0; i < count; i++) {
        int fd = open("/dev/null", O_RDWR);
        bench_check(fd > last);
        last = fd;
    }
    return last;
}

// --- open and close ---------------------------------------------------------------------------------------------------

static uint64_t open_batch(unsigned n, void *argument) {
    int last = *(int *)argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        int fd = open("file", O_RDONLY);
        bench_check(fd == last + 1 && close(fd) == 0);
    }
    return bench_now() - begin;
}

static void open_run(size_t count) {
    bench_folder();
    int fd = open("file", O_CREAT | O_EXCL | O_WRONLY, 0644);
    bench_check(fd >= 0 && close(fd) == 0);
    int last = descriptors_open(count);
    bench_batches(open_batch, &last, 500, 21);
}
SCALE_ROWS(descriptors_open_close, "open and close beside ", " open descriptors", open_run);

// --- poll -------------------------------------------------------------------------------------------------------------

static uint64_t poll_batch(unsigned n, void *argument) {
    struct pollfd wanted = {.fd = *(int *)argument, .events = POLLIN};
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        wanted.revents = 0;
        bench_check(poll(&wanted, 1, -1) == 1 && wanted.revents == POLLIN);
    }
    return bench_now() - begin;
}

static void poll_run(size_t count) {
    int ends[2];
    descriptors_open(count);
    bench_check(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    bench_batches(poll_batch, &ends[0], 500, 21);
}
SCALE_ROWS(descriptors_poll_one, "poll of a pipe that is ready beside ", " open descriptors", poll_run);

// --- dup --------------------------------------------------------------------------------------------------------------

static uint64_t dup_batch(unsigned n, void *argument) {
    int last = *(int *)argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        int fd = dup(last);
        bench_check(fd == last + 1 && close(fd) == 0);
    }
    return bench_now() - begin;
}

static void dup_run(size_t count) {
    int last = descriptors_open(count);
    bench_batches(dup_batch, &last, 500, 21);
}
SCALE_ROWS(descriptors_dup, "dup and close beside ", " open descriptors", dup_run);

// --- fork -------------------------------------------------------------------------------------------------------------

static int descriptor_there(void *argument) {
    return fcntl(*(int *)argument, F_GETFD) != 0;
}

static uint64_t fork_batch(unsigned n, void *argument) {
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        bench_reap(bench_child(descriptor_there, argument));
    return bench_now() - begin;
}

static void fork_run(size_t count) {
    int last = descriptors_open(count);
    bench_batches(fork_batch, &last, 10, 21);
}
SCALE_ROWS(descriptors_fork, "fork, exit, wait of a process with ", " open descriptors", fork_run);
