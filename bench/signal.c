// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: signals.
#define _GNU_SOURCE
#include "bench.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t delivered;

static void on_signal(int number) {
    (void)number;
    delivered++;
}

static void on_other(int number) {
    (void)number;
}

static void action_install(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};

    bench_check(sigaction(number, &action, NULL) == 0);
}

static uint64_t sigaction_batch(unsigned n, void *argument) {
    struct sigaction first = {.sa_handler = on_signal}, second = {.sa_handler = on_other}, old;
    uint64_t start, cost;

    (void)argument;
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        if (sigaction(SIGUSR1, i % 2 ? &first : &second, NULL) != 0) {
            bench_fail("sigaction");
        }
    }
    cost = bench_now() - start;
    bench_check(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == (n % 2 ? on_other : on_signal));
    return cost;
}

static void sigaction_run(void) {
    bench_batches(sigaction_batch, NULL, 1000, 31);
}
BENCH_ROW(sigaction, BENCH_SCORED, BENCH_PER_OPERATION, "install a signal action", sigaction_run);

// --- to oneself -----------------------------------------------------------------------------------------------------------

static uint64_t signal_self_batch(unsigned n, void *argument) {
    pid_t pid = *(const pid_t *)argument;
    uint64_t start, cost;

    delivered = 0;
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        if (kill(pid, SIGUSR1) != 0) {
            bench_fail("kill");
        }
    }
    cost = bench_now() - start;
    bench_check(delivered == (sig_atomic_t)n);
    return cost;
}

static void signal_self(void) {
    pid_t pid = getpid();

    action_install(SIGUSR1, on_signal);
    bench_batches(signal_self_batch, &pid, 300, 21);
}
BENCH_ROW(signal_self, BENCH_SCORED, BENCH_PER_OPERATION, "signal to self, delivered and returned", signal_self);

// --- a fault ----------------------------------------------------------------------------------------------------------------

static void *forbidden;

enum { STORE_BYTES = 3 }; // length of the instruction in store()

// movb $1,(%rax): c6 00 01
static inline void store(void *where) {
    __asm__ volatile(".byte 0xc6, 0x00, 0x01" ::"a"(where) : "memory");
}

// Goes on behind the store that faulted.
static void on_fault(int number, siginfo_t *info, void *context) {
    ucontext_t *u = context;

    (void)number;
    if (info->si_addr != forbidden) {
        _exit(99); // a fault of the program itself would come again for ever
    }
    delivered++;
    u->uc_mcontext.gregs[REG_RIP] += STORE_BYTES;
}

static uint64_t fault_signal_batch(unsigned n, void *argument) {
    uint64_t start, cost;

    (void)argument;
    delivered = 0;
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        store(forbidden);
    }
    cost = bench_now() - start;
    bench_check(delivered == (sig_atomic_t)n);
    return cost;
}

static void fault_signal(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    forbidden = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(forbidden != MAP_FAILED && *(volatile char *)forbidden == 0);
    bench_check(sigaction(SIGSEGV, &action, NULL) == 0);
    bench_batches(fault_signal_batch, NULL, 300, 21);
}
BENCH_ROW(fault_signal, BENCH_SCORED, BENCH_PER_OPERATION, "fault turned into a signal", fault_signal);

// --- between two processes --------------------------------------------------------------------------------------------------

static sigset_t waiting; // the mask while a process waits: SIGUSR1 and SIGTERM come through

static void on_term(int number) {
    (void)number;
    _exit(0);
}

// Both are blocked but in sigsuspend, so that none is lost between the check and the wait.
static void trip_prepare(void) {
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGTERM);
    bench_check(sigprocmask(SIG_BLOCK, &blocked, &waiting) == 0);
    sigdelset(&waiting, SIGUSR1);
    sigdelset(&waiting, SIGTERM);
    action_install(SIGUSR1, on_signal);
}

static int trip_answer(void *argument) {
    pid_t parent = *(const pid_t *)argument;

    action_install(SIGTERM, on_term);
    delivered = 0;
    for (sig_atomic_t turn = 1;; turn++) {
        while (delivered < turn) {
            sigsuspend(&waiting);
        }
        if (kill(parent, SIGUSR1) != 0) {
            return 1;
        }
    }
}

static uint64_t signal_rtt_batch(unsigned n, void *argument) {
    pid_t other = *(const pid_t *)argument;
    uint64_t start;

    delivered = 0;
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        if (kill(other, SIGUSR1) != 0) {
            bench_fail("kill");
        }
        while (delivered <= (sig_atomic_t)i) {
            sigsuspend(&waiting);
        }
    }
    return bench_now() - start;
}

static void signal_rtt(void) {
    pid_t self = getpid(), other;

    trip_prepare();
    other = bench_child(trip_answer, &self);
    bench_batches(signal_rtt_batch, &other, 100, 15);
    bench_check(kill(other, SIGTERM) == 0);
    bench_reap(other);
}
BENCH_ROW(signal_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "signal round trip, two processes", signal_rtt);
