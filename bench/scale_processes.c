// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// How fork, a signal's way and a switch grow with the number of processes that sleep beside.
#define _GNU_SOURCE
#include "scale.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// The sleepers and the process above them, which lets them go when its pipe ends.
struct sleepers {
    size_t count;
    int ready[2]; // a byte each sleeper, on its way to sleep
    int leave[2];
    pid_t holder;
};

static int sleeper_main(void *argument) {
    struct sleepers *sleepers = argument;
    if (write(sleepers->ready[1], "s", 1) != 1)
        return 1;
    close(sleepers->ready[1]);
    close(sleepers->leave[0]);
    close(sleepers->leave[1]);
    for (;;)
        pause();
}

// Of the sleepers only their signal brings them to an end: bench_reap() would take that for a failure.
static void sleepers_end(const pid_t *pids, size_t count) {
    siginfo_t info;
    for (size_t i = 0; i < count; i++)
        bench_check(kill(pids[i], SIGKILL) == 0);
    for (size_t i = 0; i < count; i++)
        bench_check(waitid(P_PID, (id_t)pids[i], &info, WEXITED) == 0 && info.si_status == SIGKILL);
}

static int holder_main(void *argument) {
    struct sleepers *sleepers = argument;
    pid_t *pids = mmap(NULL, sleepers->count * sizeof *pids, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char byte;
    bench_check(pids != MAP_FAILED);
    for (size_t i = 0; i < sleepers->count; i++)
        pids[i] = bench_child(sleeper_main, sleepers);
    close(sleepers->ready[1]);
    close(sleepers->leave[1]);
    bench_check(read(sleepers->leave[0], &byte, 1) == 0);
    sleepers_end(pids, sleepers->count);
    return 0;
}

static void sleepers_begin(struct sleepers *sleepers, size_t count) {
    char bytes[512];
    sleepers->count = count;
    bench_check(pipe(sleepers->ready) == 0 && pipe(sleepers->leave) == 0);
    sleepers->holder = bench_child(holder_main, sleepers);
    close(sleepers->ready[1]);
    close(sleepers->leave[0]);
    for (size_t ready = 0; ready < count;) {
        ssize_t got = read(sleepers->ready[0], bytes, sizeof bytes);
        bench_check(got > 0);
        ready += (size_t)got;
    }
    bench_check(read(sleepers->ready[0], bytes, 1) == 0); // no more of them than that
}

static void sleepers_finish(struct sleepers *sleepers) {
    close(sleepers->leave[1]);
    bench_reap(sleepers->holder);
}

// --- fork -------------------------------------------------------------------------------------------------------------

static int end_at_once(void *argument) {
    (void)argument;
    return 0;
}

static uint64_t fork_batch(unsigned n, void *argument) {
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        bench_reap(bench_child(end_at_once, argument));
    return bench_now() - begin;
}

static void fork_run(size_t count) {
    struct sleepers sleepers;
    sleepers_begin(&sleepers, count);
    bench_batches(fork_batch, NULL, 20, 21);
    sleepers_finish(&sleepers);
}
SCALE_ROWS(processes_fork_exit, "fork, exit, wait beside ", " processes that sleep", fork_run);

// --- signal -----------------------------------------------------------------------------------------------------------

// Blocked in both processes, and waited for.
static sigset_t both_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    return set;
}

// Answers SIGUSR1 with SIGUSR2, until SIGUSR2 comes.
static int signal_answer(void *argument) {
    sigset_t set = both_signals();
    pid_t parent = *(pid_t *)argument;
    siginfo_t info;
    for (;;) {
        int got = sigwaitinfo(&set, &info);
        if (got < 0)
            return 1;
        if (got == SIGUSR2)
            return 0;
        if (info.si_pid != parent || kill(parent, SIGUSR2) != 0)
            return 1;
    }
}

static uint64_t signal_batch(unsigned n, void *argument) {
    pid_t child = *(pid_t *)argument;
    sigset_t set = both_signals();
    siginfo_t info;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        bench_check(kill(child, SIGUSR1) == 0);
        bench_check(sigwaitinfo(&set, &info) == SIGUSR2 && info.si_pid == child);
    }
    return bench_now() - begin;
}

static void signal_run(size_t count) {
    struct sleepers sleepers;
    sigset_t set = both_signals();
    pid_t self = getpid(), child;
    sleepers_begin(&sleepers, count);
    bench_check(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    child = bench_child(signal_answer, &self);
    bench_settle(signal_batch, &child, 200);
    bench_batches(signal_batch, &child, 200, 21);
    bench_check(kill(child, SIGUSR2) == 0);
    bench_reap(child);
    sleepers_finish(&sleepers);
}
SCALE_ROWS(processes_kill_wakeup, "signal round trip of two processes beside ", " that sleep", signal_run);

// --- switch -----------------------------------------------------------------------------------------------------------

struct rally {
    int there[2], back[2];
};

static int rally_return(void *argument) {
    struct rally *rally = argument;
    char byte;
    close(rally->there[1]);
    while (read(rally->there[0], &byte, 1) == 1) {
        byte++;
        if (write(rally->back[1], &byte, 1) != 1)
            return 1;
    }
    return 0;
}

static uint64_t rally_batch(unsigned n, void *argument) {
    struct rally *rally = argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        char sent = (char)(i % 100), got = 0;
        bench_check(write(rally->there[1], &sent, 1) == 1 && read(rally->back[0], &got, 1) == 1 && got == sent + 1);
    }
    return bench_now() - begin;
}

static void rally_run(size_t count) {
    struct sleepers sleepers;
    struct rally rally;
    sleepers_begin(&sleepers, count);
    bench_check(pipe(rally.there) == 0 && pipe(rally.back) == 0);
    pid_t child = bench_child(rally_return, &rally);
    bench_settle(rally_batch, &rally, 200);
    bench_batches(rally_batch, &rally, 200, 21);
    close(rally.there[1]);
    bench_reap(child);
    sleepers_finish(&sleepers);
}
SCALE_ROWS(processes_pipe_rtt, "pipe round trip of two processes beside ", " that sleep", rally_run);
