// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows beside the scored ones: fork of a process with 10,000 mappings, and a futex round trip beside 1,000 threads that
// sleep.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE               4096UL
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

// --- fork ------------------------------------------------------------------------------------------------------------

static int end_at_once(void *argument) {
    return *(volatile char *)argument != 1; // the child has the mappings
}

static uint64_t fork_batch(unsigned n, void *argument) {
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        bench_reap(bench_child(end_at_once, argument));
    return bench_now() - begin;
}

// Every other page is one that may be read and written, and is touched: each page is a mapping.
static void fork_10000_mappings_run(void) {
    size_t count = bench_draw(10000, 2);
    char *pages = mmap(NULL, count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bench_check(pages != MAP_FAILED);
    for (size_t i = 0; i < count; i += 2) {
        bench_check(mprotect(pages + i * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
        pages[i * PAGE] = 1;
    }
    bench_batches(fork_batch, pages + (count - 2) * PAGE, 3, 11);
}
BENCH_ROW(fork_10000_mappings, BENCH_SHOWN, BENCH_PER_OPERATION,
          "fork, exit, wait of a process with 10,000 mappings, half of them touched", fork_10000_mappings_run);

// --- threads ---------------------------------------------------------------------------------------------------------

enum { THREADS_MOST = 1500, THREAD_STACK = 16384 };

struct crowd {
    atomic_uint asleep; // threads that go to sleep next
    atomic_uint leave;  // the sleepers' word
    atomic_uint ball;   // the round trip's word: even is the first's turn, odd the second's
    unsigned rounds;    // how many times the ball goes back
};

static void futex_wait(atomic_uint *word, unsigned value) {
    long status = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    bench_check(status == 0 || errno == EAGAIN || errno == EINTR);
}

static void futex_wake(atomic_uint *word, int count) {
    bench_check(syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0) >= 0);
}

static void *sleeper_main(void *argument) {
    struct crowd *crowd = argument;
    atomic_fetch_add(&crowd->asleep, 1);
    while (!atomic_load(&crowd->leave))
        futex_wait(&crowd->leave, 0);
    return NULL;
}

// Waits until the ball's lowest bit is `mine`, and passes it on.
static void ball_return(struct crowd *crowd, unsigned mine) {
    unsigned ball;
    while (((ball = atomic_load(&crowd->ball)) & 1) != mine)
        futex_wait(&crowd->ball, ball);
    atomic_store(&crowd->ball, ball + 1);
    futex_wake(&crowd->ball, 1);
}

static void *second_main(void *argument) {
    struct crowd *crowd = argument;
    for (unsigned i = 0; i < crowd->rounds; i++)
        ball_return(crowd, 1);
    return NULL;
}

static uint64_t crowd_batch(unsigned n, void *argument) {
    struct crowd *crowd = argument;
    pthread_t second;
    atomic_store(&crowd->ball, 0);
    crowd->rounds = n + 1;
    bench_check(pthread_create(&second, NULL, second_main, crowd) == 0);
    ball_return(crowd, 0); // the second has started when the ball is back
    while (atomic_load(&crowd->ball) & 1)
        futex_wait(&crowd->ball, 1);
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        ball_return(crowd, 0);
        unsigned ball;
        while ((ball = atomic_load(&crowd->ball)) & 1)
            futex_wait(&crowd->ball, ball);
    }
    uint64_t cost = bench_now() - begin;
    bench_check(pthread_join(second, NULL) == 0 && atomic_load(&crowd->ball) == 2 * n + 2);
    return cost;
}

static void threads_1000_sleeping_run(void) {
    static pthread_t threads[THREADS_MOST];
    static struct crowd crowd;
    size_t count = bench_draw(1000, 1);
    pthread_attr_t small;
    bench_check(count <= THREADS_MOST);
    bench_check(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, THREAD_STACK) == 0);
    for (size_t i = 0; i < count; i++) {
        errno = pthread_create(&threads[i], &small, sleeper_main, &crowd);
        bench_check(errno == 0);
    }
    while (atomic_load(&crowd.asleep) < count)
        usleep(1000);
    bench_settle(crowd_batch, &crowd, 300);
    bench_batches(crowd_batch, &crowd, 300, 21);
    atomic_store(&crowd.leave, 1);
    futex_wake(&crowd.leave, INT_MAX);
    for (size_t i = 0; i < count; i++)
        bench_check(pthread_join(threads[i], NULL) == 0);
}
BENCH_ROW(threads_1000_sleeping, BENCH_SHOWN, BENCH_PER_OPERATION,
          "futex round trip of two threads beside 1,000 of the same process that sleep", threads_1000_sleeping_run);
