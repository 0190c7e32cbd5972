// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A word that changes while another thread is on its way to sleep on it: no wake-up is lost. Two threads hand a number to each other; whoever waits for a second
// although the word has changed was forgotten.
#include "testing.h"
#include <pthread.h>

#define TIME_MS 2000
#define LAST    UINT32_MAX // ends the partner

static unsigned ping, pong;
static unsigned forgotten;

static long futex(unsigned *word, int operation, unsigned value, const struct timespec *time) {
    return syscall(SYS_futex, word, operation, value, time, NULL, 0);
}

static void hand(unsigned *word, unsigned value) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    futex(word, 129, 1, NULL); // FUTEX_WAKE_PRIVATE
}

static void take(unsigned *word, unsigned old) {
    struct timespec second = {1, 0};

    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == old)
        if (futex(word, 128, old, &second) == -1 && errno == ETIMEDOUT &&
            __atomic_load_n(word, __ATOMIC_SEQ_CST) != old)
            __atomic_fetch_add(&forgotten, 1, __ATOMIC_SEQ_CST);
}

static void *partner(void *argument) {
    for (unsigned i = 0;; i++) {
        take(&ping, i);
        if (__atomic_load_n(&ping, __ATOMIC_SEQ_CST) == LAST)
            return argument;
        hand(&pong, i + 1);
    }
}

int main(void) {
    pthread_t thread;

    MUST(pthread_create(&thread, NULL, partner, NULL));
    long long start = now_ms();
    for (unsigned i = 0; now_ms() - start < TIME_MS; i++) {
        hand(&ping, i + 1);
        take(&pong, i);
    }
    hand(&ping, LAST);
    pthread_join(thread, NULL);
    say("wake-ups that were lost", "%u", forgotten);
    return 0;
}
