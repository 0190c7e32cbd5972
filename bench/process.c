// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: processes and threads, made, run and gathered.
#define _GNU_SOURCE
#include "bench.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_STATUS = 3 };

static char *program; // what the exec rows execute: it ends with status 0

static void reap(pid_t pid, int expected) {
    int status;

    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != expected) {
        bench_fail("the child did not end as it should");
    }
}

static uint64_t fork_exit_batch(unsigned n, void *argument) {
    uint64_t start = bench_now();

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(CHILD_STATUS);
        }
        reap(pid, CHILD_STATUS);
    }
    return bench_now() - start;
}

static void fork_exit(void) {
    bench_batches(fork_exit_batch, NULL, 10, 15);
}
BENCH_ROW(fork_exit, BENCH_SCORED, BENCH_PER_OPERATION, "fork, exit, wait", fork_exit);

static uint64_t vfork_exit_batch(unsigned n, void *argument) {
    uint64_t start = bench_now();

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            _exit(CHILD_STATUS);
        }
        reap(pid, CHILD_STATUS);
    }
    return bench_now() - start;
}

static void vfork_exit(void) {
    bench_batches(vfork_exit_batch, NULL, 20, 15);
}
BENCH_ROW(vfork_exit, BENCH_SCORED, BENCH_PER_OPERATION, "vfork, exit, wait", vfork_exit);

static uint64_t fork_exec_batch(unsigned n, void *argument) {
    char *argv[] = {(char *)"child", NULL}, *envp[] = {NULL};
    uint64_t start = bench_now();

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execve(program, argv, envp);
            _exit(127);
        }
        reap(pid, 0);
    }
    return bench_now() - start;
}

static void fork_exec(void) {
    program = (char *)bench_program("child");
    bench_batches(fork_exec_batch, NULL, 5, 11);
}
BENCH_ROW(fork_exec, BENCH_SCORED, BENCH_PER_OPERATION, "fork, execve of a static program, wait", fork_exec);

static uint64_t vfork_exec_batch(unsigned n, void *argument) {
    char *argv[] = {(char *)"child", NULL}, *envp[] = {NULL};
    uint64_t start = bench_now();

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execve(program, argv, envp);
            _exit(127);
        }
        reap(pid, 0);
    }
    return bench_now() - start;
}

static void vfork_exec(void) {
    program = (char *)bench_program("child");
    bench_batches(vfork_exec_batch, NULL, 5, 11);
}
BENCH_ROW(vfork_exec, BENCH_SCORED, BENCH_PER_OPERATION, "vfork, execve of a static program, wait", vfork_exec);

// --- threads ----------------------------------------------------------------------------------------------------------

static void *thread_body(void *argument) {
    ++*(unsigned *)argument;
    return argument;
}

static uint64_t pthread_batch(unsigned n, void *argument) {
    unsigned ran = 0;
    uint64_t start = bench_now(), cost;

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        pthread_t thread;
        void *result = NULL;
        if (pthread_create(&thread, NULL, thread_body, &ran) != 0 || pthread_join(thread, &result) != 0 ||
            result != &ran) {
            bench_fail("a thread did not run");
        }
    }
    cost = bench_now() - start;
    bench_check(ran == n);
    return cost;
}

static void pthread_create_join(void) {
    bench_batches(pthread_batch, NULL, 20, 15);
}
BENCH_ROW(pthread_create_join, BENCH_SCORED, BENCH_PER_OPERATION, "pthread_create and join", pthread_create_join);
