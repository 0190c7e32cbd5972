// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: pipes, within one process, between two, and round a ring of processes (what a context switch costs).
#define _GNU_SOURCE
#include "bench.h"

#include <string.h>
#include <unistd.h>

enum { RING_MAX = 64, BLOCK_MAX = 8192 };

static uint64_t pipe_self_batch(unsigned n, void *argument) {
    const int *ends = argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        char out = (char)i, in = (char)~i;
        if (write(ends[1], &out, 1) != 1 || read(ends[0], &in, 1) != 1 || in != out) {
            bench_fail("a byte through a pipe");
        }
    }
    return bench_now() - start;
}

static void pipe_self_1(void) {
    int ends[2];

    bench_check(pipe(ends) == 0);
    bench_batches(pipe_self_batch, ends, 500, 31);
}
BENCH_ROW(pipe_self_1, BENCH_SCORED, BENCH_PER_OPERATION, "pipe, write and read 1 byte in one process", pipe_self_1);

// --- a round trip -------------------------------------------------------------------------------------------------------

struct trip {
    int there[2], back[2];
    size_t size;
};

// Reads until the block is whole; false at the end of the pipe.
static bool block_read(int fd, char *block, size_t size) {
    for (size_t got = 0; got < size;) {
        ssize_t n = read(fd, block + got, size - got);
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

// The other process: sends back what comes until the pipe ends.
static int trip_echo(void *argument) {
    struct trip *t = argument;
    char block[BLOCK_MAX];

    close(t->there[1]);
    close(t->back[0]);
    while (block_read(t->there[0], block, t->size)) {
        if (write(t->back[1], block, t->size) != (ssize_t)t->size) {
            return 1;
        }
    }
    return 0;
}

static uint64_t trip_batch(unsigned n, void *argument) {
    struct trip *t = argument;
    char block[BLOCK_MAX];
    uint64_t start;

    memset(block, 'x', t->size);
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        block[0] = block[t->size - 1] = (char)i;
        if (write(t->there[1], block, t->size) != (ssize_t)t->size) {
            bench_fail("write to the other process");
        }
        block[0] = block[t->size - 1] = (char)~i;
        if (!block_read(t->back[0], block, t->size) || block[0] != (char)i || block[t->size - 1] != (char)i) {
            bench_fail("read from the other process");
        }
    }
    return bench_now() - start;
}

static void trip_run(size_t size, unsigned n) {
    struct trip t = {.size = size};
    pid_t pid;

    bench_check(pipe(t.there) == 0 && pipe(t.back) == 0);
    pid = bench_child(trip_echo, &t);
    close(t.there[0]);
    close(t.back[1]);
    bench_settle(trip_batch, &t, n);
    bench_batches(trip_batch, &t, n, 15);
    close(t.there[1]);
    bench_reap(pid);
}

static void pipe_rtt_1(void) {
    trip_run(1, 100);
}
BENCH_ROW(pipe_rtt_1, BENCH_SCORED, BENCH_PER_OPERATION, "pipe round trip, two processes, 1 byte", pipe_rtt_1);

static void pipe_rtt_4k(void) {
    trip_run(bench_draw(4096, 16), 100);
}
BENCH_ROW(pipe_rtt_4k, BENCH_SCORED, BENCH_PER_OPERATION, "pipe round trip, two processes, 4 KiB", pipe_rtt_4k);

// --- a ring of processes ------------------------------------------------------------------------------------------------

// Pipe i leads to process i; process 0 is the row's own. A token goes round; each hop is a switch.
struct ring {
    unsigned processes, number;
    int pipe[RING_MAX][2];
};

static void ring_keep(const struct ring *r, unsigned in, unsigned out) {
    for (unsigned i = 0; i < r->processes; i++) {
        if (i != in) {
            close(r->pipe[i][0]);
        }
        if (i != out) {
            close(r->pipe[i][1]);
        }
    }
}

static int ring_member(void *argument) {
    struct ring *r = argument;
    unsigned in = r->number, out = (in + 1) % r->processes;
    unsigned token;

    ring_keep(r, in, out);
    while (read(r->pipe[in][0], &token, sizeof(token)) == sizeof(token)) {
        token++;
        if (write(r->pipe[out][1], &token, sizeof(token)) != sizeof(token)) {
            return 1;
        }
    }
    return 0;
}

// n hops: whole rounds, and the cost of the hops of the last round that are too many is left out.
static uint64_t ring_batch(unsigned n, void *argument) {
    struct ring *r = argument;
    unsigned rounds = (n + r->processes - 1) / r->processes;
    uint64_t start = bench_now(), cost;

    for (unsigned i = 0; i < rounds; i++) {
        unsigned token = i;
        if (write(r->pipe[1][1], &token, sizeof(token)) != sizeof(token) ||
            read(r->pipe[0][0], &token, sizeof(token)) != sizeof(token) || token != i + r->processes - 1) {
            bench_fail("the token was lost");
        }
    }
    cost = bench_now() - start;
    return cost * n / ((uint64_t)rounds * r->processes);
}

static void ring_run(unsigned processes, unsigned n) {
    static struct ring r;
    pid_t pid[RING_MAX];

    r.processes = processes;
    for (unsigned i = 0; i < processes; i++) {
        bench_check(pipe(r.pipe[i]) == 0);
    }
    for (unsigned i = 1; i < processes; i++) {
        r.number = i;
        pid[i] = bench_child(ring_member, &r);
    }
    ring_keep(&r, 0, 1);
    bench_settle(ring_batch, &r, n);
    bench_batches(ring_batch, &r, n, 15);
    close(r.pipe[1][1]);
    for (unsigned i = 1; i < processes; i++) {
        bench_reap(pid[i]);
    }
}

static void context_switch_2(void) {
    ring_run(2, 200);
}
BENCH_ROW(context_switch_2, BENCH_SCORED, BENCH_PER_OPERATION, "context switch through pipes, 2 processes",
          context_switch_2);

static void context_switch_16(void) {
    ring_run((unsigned)bench_draw(16, 1), 208);
}
BENCH_ROW(context_switch_16, BENCH_SCORED, BENCH_PER_OPERATION, "context switch through pipes, 16 processes",
          context_switch_16);
