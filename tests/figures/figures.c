// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The figures of the first boot, measured in deterministic time: null call, fork, exec, pipe round trip, page fault. One static program, the same file on Linux and on
// Invar; under -icount the time stamp counter counts instructions. Each figure is the median of batches, each batch checks its own work, and each line is
// "NAME VALUE". `figures child` is what the exec figure executes.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCHES 11

static uint64_t cycles(void) {
    uint32_t lo, hi;
    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

static void fail(const char *what) {
    fprintf(stderr, "figures: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// Runs batch(n) BATCHES times and prints the median cost of one of its n operations.
static void figure(const char *name, uint64_t (*batch)(unsigned n), unsigned n) {
    uint64_t costs[BATCHES];
    batch(n); // warm
    for (int i = 0; i < BATCHES; i++)
        costs[i] = batch(n) / n;
    qsort(costs, BATCHES, sizeof costs[0], compare);
    printf("%s %llu\n", name, (unsigned long long)costs[BATCHES / 2]);
}

static uint64_t null_call(unsigned n) {
    pid_t parent = getppid();
    uint64_t start = cycles();
    for (unsigned i = 0; i < n; i++)
        if (syscall(SYS_getppid) != parent)
            fail("getppid");
    return cycles() - start;
}

static void reap(pid_t pid, int expected) {
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != expected)
        fail("child");
}

static uint64_t fork_exit_wait(unsigned n) {
    uint64_t start = cycles();
    for (unsigned i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(3);
        reap(pid, 3);
    }
    return cycles() - start;
}

static const char *self;

static uint64_t fork_exec_wait(unsigned n) {
    char *argv[] = {(char *)"figures", (char *)"child", NULL}, *envp[] = {NULL};
    uint64_t start = cycles();
    for (unsigned i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execve(self, argv, envp);
            _exit(127);
        }
        reap(pid, 5);
    }
    return cycles() - start;
}

static uint64_t pipe_round_trip(unsigned n) {
    int there[2], back[2];
    char byte = 'x';
    if (pipe(there) != 0 || pipe(back) != 0)
        fail("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1)
            if (write(back[1], &byte, 1) != 1)
                _exit(1);
        _exit(0);
    }
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
        fail("pipe");
    uint64_t start = cycles();
    for (unsigned i = 0; i < n; i++)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            fail("pipe");
    uint64_t cost = cycles() - start;
    close(there[1]);
    reap(pid, 0);
    close(there[0]), close(back[0]), close(back[1]);
    return cost;
}

static uint64_t page_fault(unsigned n) {
    size_t size = (size_t)n * 4096;
    unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        fail("mmap");
    madvise(p, size, MADV_NOHUGEPAGE);
    uint64_t start = cycles();
    for (unsigned i = 0; i < n; i++)
        p[(size_t)i * 4096] = 1;
    uint64_t cost = cycles() - start;
    for (unsigned i = 0; i < n; i++)
        if (p[(size_t)i * 4096] != 1 || p[(size_t)i * 4096 + 1] != 0)
            fail("page contents");
    munmap(p, size);
    return cost;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return 5;
    self = argv[0];
    figure("null_call", null_call, 2000);
    figure("fork_exit_wait", fork_exit_wait, 20);
    figure("fork_exec_wait", fork_exec_wait, 20);
    figure("pipe_round_trip", pipe_round_trip, 500);
    figure("page_fault", page_fault, 500);
    return 0;
}
