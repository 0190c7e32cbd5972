// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: futexes.
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

// linux/futex.h, which the C library does not have
enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };

static long futex(_Atomic uint32_t *word, int operation, uint32_t value) {
    return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static uint64_t futex_wake_none_batch(unsigned n, void *argument) {
    _Atomic uint32_t *word = argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        if (futex(word, FUTEX_WAKE_PRIVATE, 1) != 0) {
            bench_fail("futex woke somebody");
        }
    }
    return bench_now() - start;
}

static void futex_wake_none(void) {
    _Atomic uint32_t word = 0;

    bench_batches(futex_wake_none_batch, &word, 1000, 31);
}
BENCH_ROW(futex_wake_none, BENCH_SCORED, BENCH_PER_OPERATION, "futex wake, nobody waits", futex_wake_none);

// --- ping-pong ----------------------------------------------------------------------------------------------------------

enum { STOP = UINT32_MAX };

// Each thread waits on its own word until that holds the number of the turn.
struct table {
    _Atomic uint32_t ping, pong;
};

static void turn_give(_Atomic uint32_t *word, uint32_t turn) {
    atomic_store(word, turn);
    if (futex(word, FUTEX_WAKE_PRIVATE, 1) < 0) {
        bench_fail("futex wake");
    }
}

static void turn_wait(_Atomic uint32_t *word, uint32_t before) {
    while (atomic_load(word) == before) {
        if (futex(word, FUTEX_WAIT_PRIVATE, before) != 0 && errno != EAGAIN && errno != EINTR) {
            bench_fail("futex wait");
        }
    }
}

static void *table_answer(void *argument) {
    struct table *t = argument;

    for (uint32_t turn = 0;;) {
        turn_wait(&t->ping, turn);
        turn = atomic_load(&t->ping);
        if (turn == STOP) {
            return NULL;
        }
        turn_give(&t->pong, turn);
    }
}

static uint64_t futex_rtt_batch(unsigned n, void *argument) {
    struct table *t = argument;
    uint32_t turn = atomic_load(&t->ping);
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        turn_give(&t->ping, turn + 1);
        turn_wait(&t->pong, turn);
        turn++;
        if (atomic_load(&t->pong) != turn) {
            bench_fail("the other thread is in another turn");
        }
    }
    return bench_now() - start;
}

static void futex_rtt(void) {
    struct table t = {0};
    pthread_t thread;

    bench_check(pthread_create(&thread, NULL, table_answer, &t) == 0);
    bench_settle(futex_rtt_batch, &t, 100);
    bench_batches(futex_rtt_batch, &t, 100, 15);
    turn_give(&t.ping, STOP);
    bench_check(pthread_join(thread, NULL) == 0);
}
BENCH_ROW(futex_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "futex ping-pong round trip, two threads", futex_rtt);
