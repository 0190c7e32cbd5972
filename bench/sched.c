// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: giving way.
#define _GNU_SOURCE
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static uint64_t yield_alone_batch(unsigned n, void *argument) {
    uint64_t start = bench_now();

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        if (sched_yield() != 0) {
            bench_fail("sched_yield");
        }
    }
    return bench_now() - start;
}

static void yield_alone(void) {
    bench_batches(yield_alone_batch, NULL, 1000, 21);
}
BENCH_ROW(yield_alone, BENCH_SCORED, BENCH_PER_OPERATION, "sched_yield, nobody else", yield_alone);

struct pair {
    _Atomic bool stop;
    _Atomic uint32_t yields; // of the other thread
    bool settled;
};

static void *pair_other(void *argument) {
    struct pair *p = argument;

    while (!atomic_load_explicit(&p->stop, memory_order_relaxed)) {
        atomic_store_explicit(&p->yields, atomic_load_explicit(&p->yields, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        if (sched_yield() != 0) {
            bench_fail("sched_yield");
        }
    }
    return NULL;
}

// n calls of both threads together, about half of them here.
static uint64_t yield_two_batch(unsigned n, void *argument) {
    struct pair *p = argument;
    unsigned own = (n + 1) / 2;
    uint32_t before = atomic_load(&p->yields), others;
    uint64_t start = bench_now(), cost;

    for (unsigned i = 0; i < own; i++) {
        if (sched_yield() != 0) {
            bench_fail("sched_yield");
        }
    }
    cost = bench_now() - start;
    others = atomic_load(&p->yields) - before;
    if (p->settled) {
        bench_check(others >= own / 2); // the other thread had its turns
    }
    return cost * n / (own + others);
}

static void yield_two(void) {
    struct pair p = {0};
    pthread_t thread;

    bench_check(pthread_create(&thread, NULL, pair_other, &p) == 0);
    bench_settle(yield_two_batch, &p, 600);
    p.settled = true;
    bench_batches(yield_two_batch, &p, 600, 21);
    atomic_store(&p.stop, true);
    bench_check(pthread_join(thread, NULL) == 0);
}
BENCH_ROW(yield_two, BENCH_SCORED, BENCH_PER_OPERATION, "sched_yield, two threads", yield_two);
