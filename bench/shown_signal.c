// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Row beside the scored ones: a signal taken from a descriptor.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static uint64_t signalfd_batch(unsigned n, void *argument) {
    int fd = *(int *)argument;
    pid_t self = getpid();
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        struct signalfd_siginfo info = {0};
        bench_check(kill(self, SIGUSR1) == 0);
        bench_check(read(fd, &info, sizeof info) == sizeof info);
        bench_check(info.ssi_signo == SIGUSR1 && info.ssi_pid == (uint32_t)self);
    }
    return bench_now() - begin;
}

static void signalfd_run(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    bench_check(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        bench_none_or_fail("signalfd");
    bench_batches(signalfd_batch, &fd, 500, 21);
    close(fd);
}
BENCH_ROW(signalfd, BENCH_SHOWN, BENCH_PER_OPERATION, "signal to self, read from a signalfd", signalfd_run);
