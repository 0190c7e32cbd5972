// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: how late a thread wakes that asked for a moment 1 ms away.
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND   INT64_C(1000000000)
#define INTERVAL INT64_C(1000000)

static int64_t now(void) {
    struct timespec t;

    bench_check(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return t.tv_sec * SECOND + t.tv_nsec;
}

// n sleeps to a moment; the sum of how much later than that moment the thread ran, in nanoseconds.
static uint64_t late_batch(unsigned n, void *argument) {
    int64_t interval = *(const int64_t *)argument, late = 0;

    for (unsigned i = 0; i < n; i++) {
        int64_t until = now() + interval, after;
        struct timespec t = {until / SECOND, until % SECOND};
        bench_check(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0);
        after = now();
        bench_check(after >= until);
        late += after - until;
    }
    return (uint64_t)late;
}

static void timer_run(void) {
    int64_t interval = (int64_t)bench_draw(INTERVAL, 1000);

    bench_batches(late_batch, &interval, 50, 11);
}

static void timer_fifo_late(void) {
    struct sched_param parameters = {.sched_priority = 80};

    if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters) != 0) {
        bench_none_or_fail("SCHED_FIFO");
    }
    timer_run();
}
BENCH_ROW(timer_fifo_late, BENCH_SCORED, BENCH_LATE, "timer of 1 ms, FIFO thread: wake-up late by, mean",
          timer_fifo_late);

static void timer_slack_late(void) {
    timer_run();
}
BENCH_ROW(timer_slack_late, BENCH_SCORED, BENCH_LATE, "timer of 1 ms, default slack: wake-up late by, mean",
          timer_slack_late);
