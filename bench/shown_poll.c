// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows beside the scored ones: poll and select of 100 pipes of which the last is ready, and a timer's descriptor.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { PIPES_MOST = 150 };

struct pipes {
    unsigned count;
    int ends[PIPES_MOST][2];
};

static void pipes_open(struct pipes *pipes) {
    pipes->count = (unsigned)bench_draw(100, 1);
    bench_check(pipes->count <= PIPES_MOST);
    for (unsigned i = 0; i < pipes->count; i++)
        bench_check(pipe(pipes->ends[i]) == 0);
    bench_check(write(pipes->ends[pipes->count - 1][1], "x", 1) == 1);
}

static uint64_t poll_batch(unsigned n, void *argument) {
    const struct pipes *pipes = argument;
    struct pollfd wanted[PIPES_MOST];
    unsigned last = pipes->count - 1;
    for (unsigned i = 0; i < pipes->count; i++)
        wanted[i] = (struct pollfd){.fd = pipes->ends[i][0], .events = POLLIN};
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        wanted[last].revents = 0;
        bench_check(poll(wanted, pipes->count, -1) == 1 && wanted[last].revents == POLLIN);
    }
    uint64_t cost = bench_now() - begin;
    for (unsigned i = 0; i < last; i++)
        bench_check(wanted[i].revents == 0);
    return cost;
}

static void poll_100_run(void) {
    static struct pipes pipes;
    pipes_open(&pipes);
    bench_batches(poll_batch, &pipes, 200, 21);
}
BENCH_ROW(poll_100, BENCH_SHOWN, BENCH_PER_OPERATION, "poll of 100 pipes, the last ready", poll_100_run);

static uint64_t select_batch(unsigned n, void *argument) {
    const struct pipes *pipes = argument;
    fd_set wanted, ready;
    int last = pipes->ends[pipes->count - 1][0];
    FD_ZERO(&wanted);
    for (unsigned i = 0; i < pipes->count; i++)
        FD_SET(pipes->ends[i][0], &wanted);
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        ready = wanted;
        bench_check(select(last + 1, &ready, NULL, NULL, NULL) == 1 && FD_ISSET(last, &ready));
    }
    uint64_t cost = bench_now() - begin;
    for (unsigned i = 0; i + 1 < pipes->count; i++)
        bench_check(!FD_ISSET(pipes->ends[i][0], &ready));
    return cost;
}

static void select_100_run(void) {
    static struct pipes pipes;
    pipes_open(&pipes);
    bench_batches(select_batch, &pipes, 200, 21);
}
BENCH_ROW(select_100, BENCH_SHOWN, BENCH_PER_OPERATION, "select of 100 pipes, the last ready", select_100_run);

// --- timerfd ---------------------------------------------------------------------------------------------------------

// Armed for a moment that has passed, it expires at once and once.
static uint64_t timerfd_batch(unsigned n, void *argument) {
    int fd = *(int *)argument;
    struct itimerspec past = {.it_value = {.tv_nsec = 1}};
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        uint64_t expired = 0;
        bench_check(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL) == 0);
        bench_check(read(fd, &expired, sizeof expired) == sizeof expired && expired == 1);
    }
    return bench_now() - begin;
}

static void timerfd_run(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (fd < 0)
        bench_none_or_fail("timerfd_create");
    bench_batches(timerfd_batch, &fd, 200, 21);
    close(fd);
}
BENCH_ROW(timerfd, BENCH_SHOWN, BENCH_PER_OPERATION, "arm a timerfd for a moment that has passed, and read it",
          timerfd_run);
