// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: eventfd and epoll.
#define _GNU_SOURCE
#include "bench.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int event_new(void) {
    int fd = eventfd(0, 0);

    if (fd < 0) {
        bench_none_or_fail("eventfd");
    }
    return fd;
}

static bool event_give(int fd, uint64_t value) {
    return write(fd, &value, sizeof(value)) == sizeof(value);
}

// 0 when it cannot be read
static uint64_t event_take(int fd) {
    uint64_t value;

    return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

enum { STOP = 1000 }; // the value that ends the other process

struct trip {
    int there, back;
    int poll_there, poll_back; // -1: the events are read without waiting in epoll before
};

static int epoll_new(void) {
    int fd = epoll_create1(0);

    if (fd < 0) {
        bench_none_or_fail("epoll_create1");
    }
    return fd;
}

static void epoll_watch(int poll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    bench_check(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0);
}

// Waits in the epoll, if there is one, until fd is ready.
static bool trip_wait(int poll, int fd) {
    struct epoll_event event;

    return poll < 0 || (epoll_wait(poll, &event, 1, -1) == 1 && event.data.fd == fd);
}

static int trip_answer(void *argument) {
    const struct trip *t = argument;

    for (;;) {
        uint64_t value = trip_wait(t->poll_there, t->there) ? event_take(t->there) : 0;
        if (value == STOP) {
            return 0;
        }
        if (value == 0 || !event_give(t->back, value)) {
            return 1;
        }
    }
}

static uint64_t trip_batch(unsigned n, void *argument) {
    const struct trip *t = argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        uint64_t value = i % 7 + 1;
        if (!event_give(t->there, value) || !trip_wait(t->poll_back, t->back) || event_take(t->back) != value) {
            bench_fail("an event's way there and back");
        }
    }
    return bench_now() - start;
}

static void trip_run(struct trip *t) {
    pid_t pid = bench_child(trip_answer, t);

    bench_batches(trip_batch, t, 100, 11); // not settled: README.md
    bench_check(event_give(t->there, STOP));
    bench_reap(pid);
}

static void eventfd_rtt(void) {
    struct trip t = {.there = event_new(), .back = event_new(), .poll_there = -1, .poll_back = -1};

    trip_run(&t);
}
BENCH_ROW(eventfd_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "eventfd round trip, two processes", eventfd_rtt);

static void epoll_rtt(void) {
    struct trip t = {.poll_there = epoll_new(), .poll_back = epoll_new()};

    t.there = event_new();
    t.back = event_new();
    epoll_watch(t.poll_there, t.there);
    epoll_watch(t.poll_back, t.back);
    trip_run(&t);
}
BENCH_ROW(epoll_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "epoll round trip, two processes", epoll_rtt);

// --- in one process -------------------------------------------------------------------------------------------------------

struct watched {
    int poll;
    unsigned count;
    int *pipe_in, *pipe_out;
};

static uint64_t epoll_many_batch(unsigned n, void *argument) {
    const struct watched *w = argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        unsigned which = i * 7 % w->count;
        struct epoll_event event;
        char byte = 'x';
        if (write(w->pipe_in[which], &byte, 1) != 1 || epoll_wait(w->poll, &event, 1, -1) != 1 ||
            event.data.fd != w->pipe_out[which] || read(event.data.fd, &byte, 1) != 1) {
            bench_fail("one of many descriptors was ready");
        }
    }
    return bench_now() - start;
}

static void epoll_100(void) {
    struct watched w = {.poll = epoll_new(), .count = (unsigned)bench_draw(100, 1)};

    w.pipe_in = calloc(w.count, sizeof(int));
    w.pipe_out = calloc(w.count, sizeof(int));
    bench_check(w.pipe_in != NULL && w.pipe_out != NULL);
    for (unsigned i = 0; i < w.count; i++) {
        int ends[2];
        bench_check(pipe(ends) == 0);
        w.pipe_out[i] = ends[0];
        w.pipe_in[i] = ends[1];
        epoll_watch(w.poll, ends[0]);
    }
    bench_batches(epoll_many_batch, &w, 200, 15);
}
BENCH_ROW(epoll_100, BENCH_SCORED, BENCH_PER_OPERATION, "epoll of 100 pipes, one made ready and read, same process",
          epoll_100);

static uint64_t epoll_empty_batch(unsigned n, void *argument) {
    int poll = *(const int *)argument;
    struct epoll_event event;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        if (epoll_wait(poll, &event, 1, 0) != 0) {
            bench_fail("something is ready in an empty epoll");
        }
    }
    return bench_now() - start;
}

static void epoll_empty(void) {
    int poll = epoll_new();

    bench_batches(epoll_empty_batch, &poll, 1000, 21);
}
BENCH_ROW(epoll_empty, BENCH_SCORED, BENCH_PER_OPERATION, "epoll_wait that finds nothing and does not wait",
          epoll_empty);
