// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The first process of a machine whose instructions are counted from outside (test_profile.py): reads its own clock right beside the marks and prints what
// passed between, one line a window: "probe NAME TICKS".
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../bench/bench.h"

enum { CALLS = 20000, PAGES = 256, FORKS = 20, TRIPS = 500, PAGE = 4096 };

static char *memory;
static int there[2], back[2];

uint64_t bench_now(void) {
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static void calls(void) {
    for (int i = 0; i < CALLS; i++) {
        getppid();
    }
}

static void faults(void) {
    for (int i = 0; i < PAGES; i++) {
        memory[i * PAGE] = 1;
    }
}

static void forks(void) {
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

static void trips(void) {
    char byte = 0;

    for (int i = 0; i < TRIPS; i++) {
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) {
            return;
        }
    }
}

static void echo(void) {
    char byte;

    while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1) {}
}

static void window(const char *name, void (*work)(void)) {
    uint64_t begin, end;

    begin = bench_now();
    bench_mark(BENCH_MARK_BEGIN);
    work();
    bench_mark(BENCH_MARK_END);
    end = bench_now();
    printf("probe %s %llu\n", name, (unsigned long long)(end - begin));
    fflush(stdout);
}

int main(void) {
    for (int i = 0; i <= 2; i++) {
        open("/dev/console", O_RDWR); // the three descriptors, where the kernel gave none
    }
    memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, PAGES * PAGE, MADV_NOHUGEPAGE);
    window("calls", calls);
    window("faults", faults);
    window("forks", forks);
    if (pipe(there) != 0 || pipe(back) != 0) {
        return 1;
    }
    if (fork() == 0) {
        echo();
        _exit(0);
    }
    window("trips", trips);
    reboot(RB_POWER_OFF);
    return 1;
}
