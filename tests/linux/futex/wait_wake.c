// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// futex: wait, wake, counts, time limits, bitsets, requeue, between threads and between processes; errors.
#include "testing.h"
#include <pthread.h>

// The operations, as the kernel numbers them (the C library has no header for them).
enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    PRIVATE = 128,
    FUTEX_CLOCK_REALTIME = 256,
    ADD_3_IF_IT_WAS_5 = 1 << 28 | 3 << 12 | 5,
};

static int word, second;
static int *shared;
static _Atomic int woken;

static long futex(int *address, int operation, int value, const struct timespec *time, int *other, int value3) {
    return syscall(SYS_futex, address, operation, value, time, other, value3);
}

static void *wait_on_word(void *argument) {
    (void)argument;
    while (futex(&word, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EINTR) {}
    woken++;
    return NULL;
}

// Wakes until the whole number has been woken: a waiter may not have gone to sleep yet.
static int wake_in_all(int *address, int wanted) {
    int sum = 0;
    for (int i = 0; i < 2000 && sum < wanted; i++) {
        sum += (int)futex(address, FUTEX_WAKE | PRIVATE, wanted, NULL, NULL, 0);
        sleep_ms(1);
    }
    return sum;
}

static int wait_on_shared(void) {
    return (int)futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void simple(void) {
    struct timespec soon = {0, 20000000}, wrong = {0, 1000000000}, negative = {-1, 0};
    say_call("wake with no waiter", futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0));
    say_call("wait for another value", futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
    int64_t start = now_ms();
    say_call("wait with a time limit", futex(&word, FUTEX_WAIT, 0, &soon, NULL, 0));
    say_bool("it waited", now_ms() - start >= 19);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    start = now_ms();
    say_call("wait to a time", futex(&word, FUTEX_WAIT_BITSET, 0, &until, NULL, -1));
    say_bool("it waited", now_ms() - start >= 18);
    clock_gettime(CLOCK_REALTIME, &until);
    say_call("wait to a time that has passed",
             futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &until, NULL, -1));
    say_call("bad time", futex(&word, FUTEX_WAIT, 0, &wrong, NULL, 0));
    say_call("negative time", futex(&word, FUTEX_WAIT, 0, &negative, NULL, 0));
    say_call("odd address", futex((int *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0));
    say_call("bad address", futex((int *)8, FUTEX_WAIT, 0, NULL, NULL, 0));
    say_call("kernel address", futex((int *)0xffff888000000000UL, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0));
    say_call("wake at a bad address, private", futex((int *)8, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0));
    say_call("wake at a bad address, shared", futex((int *)8, FUTEX_WAKE, 1, NULL, NULL, 0));
    say_call("unknown operation", futex(&word, 99, 0, NULL, NULL, 0));
    say_call("empty bitset, wait", futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    say_call("empty bitset, wake", futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
}

static void *wait_bits(void *argument) {
    futex(&word, FUTEX_WAIT_BITSET | PRIVATE, 0, NULL, NULL, (int)(intptr_t)argument);
    woken += (int)(intptr_t)argument;
    return NULL;
}

int main(void) {
    pthread_t threads[5];
    simple();
    for (int i = 0; i < 5; i++) {
        pthread_create(&threads[i], NULL, wait_on_word, NULL);
    }
    say("woken in all", "%d", wake_in_all(&word, 5));
    for (int i = 0; i < 5; i++) {
        pthread_join(threads[i], NULL);
    }
    say("threads that went on", "%d", woken);

    // Requeue: one is woken, the others move to the second word and are woken there.
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, wait_on_word, NULL);
    }
    long moved = 0;
    for (int i = 0; i < 2000 && moved < 3; i++) {
        long n = futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 0, (void *)(3 - moved), &second, 0);
        moved += n > 0 ? n : 0;
        sleep_ms(1);
    }
    say("moved to the second word", "%ld", moved);
    say("woken there", "%d", wake_in_all(&second, 3));
    say("woken at the first", "%d", wake_in_all(&word, 1));
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    say_call("requeue with another value", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1L, &second, 1));
    say_call("requeue, negative counts", futex(&word, FUTEX_REQUEUE, -1, (void *)1L, &second, 0));

    woken = 0;
    pthread_create(&threads[0], NULL, wait_bits, (void *)1L);
    pthread_create(&threads[1], NULL, wait_bits, (void *)2L);
    sleep_ms(30);
    long first = 0;
    for (int i = 0; i < 2000 && first < 1; i++) {
        first += futex(&word, FUTEX_WAKE_BITSET | PRIVATE, 10, NULL, NULL, 2);
        sleep_ms(1);
    }
    pthread_join(threads[1], NULL);
    say("woken by bit 2", "%d", woken);
    say("the other one", "%d", wake_in_all(&word, 1));
    pthread_join(threads[0], NULL);

    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = spawn(wait_on_shared);
    await_blocked(pid);
    say_call("a private wake does not reach another process", futex(shared, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0));
    say_call("a shared one does", futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0));
    say("its wait", "%s", status_text(reap(pid)));

    // FUTEX_WAKE_OP: adds to the second word and wakes there where the old value compares.
    second = 5;
    say_call("FUTEX_WAKE_OP", futex(&word, FUTEX_WAKE_OP, 1, (void *)1L, &second, ADD_3_IF_IT_WAS_5));
    say("second word", "%d", second);
    return 0;
}
