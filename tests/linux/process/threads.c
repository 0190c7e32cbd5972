// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Threads: one pid, different tids, own thread-local memory and errno, shared memory and descriptors, joining, and
// what ends the whole process.
#include "testing.h"
#include <pthread.h>

static __thread int local = 7;
static int shared;
static pid_t tids[4];
static pid_t pids[4];

static void *count_own(void *argument) {
    int index = (int)(intptr_t)argument;
    tids[index] = (pid_t)syscall(SYS_gettid);
    pids[index] = getpid();
    for (int i = 0; i < 1000; i++) {
        local++;
        __atomic_fetch_add(&shared, 1, __ATOMIC_RELAXED);
    }
    return (void *)(intptr_t)local;
}

static void *open_file(void *argument) {
    return (void *)(intptr_t)dup2(*(int *)argument, 33);
}

static void *fail_call(void *argument) {
    (void)argument;
    close(-1);
    return (void *)(intptr_t)errno;
}

__attribute__((noreturn)) static void *exit_process(void *argument) {
    (void)argument;
    _exit(5);
}

static void *spin(void *argument) {
    (void)argument;
    for (;;) {
        sched_yield();
    }
    return NULL;
}

static void *block(void *argument) {
    (void)argument;
    for (;;) {
        pause();
    }
    return NULL;
}

static int thread_exits(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, spin, NULL);
    pthread_create(&thread, NULL, block, NULL);
    pthread_create(&thread, NULL, exit_process, NULL);
    for (;;) {
        pause();
    }
    return 0;
}

static int main_thread_returns(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, spin, NULL);
    pthread_create(&thread, NULL, block, NULL);
    return 6;
}

__attribute__((noreturn)) static void *late_exit(void *argument) {
    (void)argument;
    sleep_ms(30);
    _exit(8);
}

static int main_thread_leaves_first(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, late_exit, NULL);
    syscall(SYS_exit, 3);
    return 0;
}

static void *fault(void *argument) {
    (void)argument;
    *(volatile int *)8 = 1;
    return NULL;
}

static int thread_faults(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, block, NULL);
    pthread_create(&thread, NULL, fault, NULL);
    pthread_join(thread, NULL);
    return 0;
}

int main(void) {
    pthread_t threads[4];
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, count_own, (void *)(intptr_t)i);
    }
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (int)(intptr_t)result;
    }
    say("sum of the thread-local counters", "%d", sum);
    say("shared counter", "%d", shared);
    say("thread-local counter of the main thread", "%d", local);
    bool same = true, different = true;
    for (int i = 0; i < 4; i++) {
        same = same && pids[i] == getpid();
        different = different && tids[i] != getpid();
    }
    say_bool("getpid is the same in all threads", same);
    say_bool("gettid is another in each thread", different);
    say_bool("gettid of the main thread is the pid", syscall(SYS_gettid) == getpid());

    void *result;
    int fd = MUST(open("/dev/null", O_RDONLY));
    pthread_create(&threads[0], NULL, open_file, &fd);
    pthread_join(threads[0], &result);
    say_ok("descriptor made by a thread", fcntl(33, F_GETFD));
    errno = 0;
    pthread_create(&threads[0], NULL, fail_call, NULL);
    pthread_join(threads[0], &result);
    say("errno of the failing thread", "%s", error_name((int)(intptr_t)result));
    say("errno of the main thread", "%d", errno);

    say_child("a thread calls exit_group", thread_exits);
    say_child("the main thread returns", main_thread_returns);
    say_child("the main thread exits, another one later ends the process", main_thread_leaves_first);
    say_child("a thread faults", thread_faults);
    return 0;
}
