// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Threads of one address space: faults in parallel, unmapping and protecting under the feet of others, fork beside
// writers.
#include "testing.h"
#include <pthread.h>
#include <setjmp.h>

enum { THREADS = 4, PAGES = 256 };

static char *area;
static volatile bool stop;
static _Atomic int torn;

static void *touch_all(void *argument) {
    int index = (int)(intptr_t)argument;
    for (int i = 0; i < PAGES; i++) {
        __atomic_fetch_add(&area[i * PAGE], 1, __ATOMIC_SEQ_CST);
        area[i * PAGE + 64 + index] = 1;
    }
    return NULL;
}

static void *map_and_unmap(void *argument) {
    (void)argument;
    for (int i = 0; i < 40; i++) {
        char *own = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int j = 0; j < 4; j++) {
            torn += own[j * PAGE] != 0;
            own[j * PAGE] = 'm';
        }
        munmap(own, 4 * PAGE);
    }
    return NULL;
}

static void *write_pairs(void *argument) {
    volatile long *pair = argument;
    for (long i = 0; !stop; i++) {
        pair[0] = i;
        pair[512] = i;
    }
    return NULL;
}

static __thread sigjmp_buf back;

static void handler(int signal) {
    siglongjmp(back, signal);
}

static void *write_protected(void *argument) {
    volatile char *page = argument;
    volatile intptr_t faults = 0;
    while (!stop) {
        if (sigsetjmp(back, 1) == 0) {
            *page = 1;
        } else {
            faults++;
        }
    }
    return (void *)faults;
}

int main(void) {
    pthread_t threads[THREADS];
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, touch_all, (void *)(intptr_t)i);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    int right = 0;
    for (int i = 0; i < PAGES; i++) {
        right += area[i * PAGE] == THREADS && area[i * PAGE + 64] + area[i * PAGE + 67] == 2;
    }
    say("pages that four threads touched at once", "%d right", right);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, map_and_unmap, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    say("new pages that were not zero", "%d", torn);

    // A child's copy is of one moment: the second word is the first or the one before it.
    long *pair = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_create(&threads[0], NULL, write_pairs, pair);
    int wrong = 0;
    for (int i = 0; i < 15; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            long first = pair[0], second = pair[512];
            _exit(first == second || first == second + 1 ? 0 : 1);
        }
        wrong += reap(pid) != 0;
    }
    stop = true;
    pthread_join(threads[0], NULL);
    say("copies at fork that mixed two moments", "%d", wrong);

    signal(SIGSEGV, handler);
    stop = false;
    void *faults;
    pthread_create(&threads[0], NULL, write_protected, area);
    int leaks = 0;
    for (int i = 0; i < 50; i++) {
        // Once mprotect has returned, no processor may write through what it remembers.
        mprotect(area, PAGE, PROT_READ);
        char before = *(volatile char *)area;
        area[PAGE] = before;
        *(volatile char *)(area + 0);
        mprotect(area, PAGE, PROT_READ | PROT_WRITE);
        *(volatile char *)area = 0;
        mprotect(area, PAGE, PROT_READ);
        char first = *(volatile char *)area;
        sleep_ms(1);
        leaks += *(volatile char *)area != first;
        mprotect(area, PAGE, PROT_READ | PROT_WRITE);
    }
    stop = true;
    pthread_join(threads[0], &faults);
    say("writes that came through after mprotect", "%d", leaks);
    say_bool("the other thread met faults", (intptr_t)faults > 0);
    return 0;
}
