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

// Both signals are blocked and taken by sigwaitinfo: none is lost between two turns. SIGTERM ends the other process.
static sigset_t awaited;

struct trip {
    pid_t own, other;
};

static int trip_answer(void *argument) {
    const struct trip *t = argument;

    for (;;) {
        int number = sigwaitinfo(&awaited, NULL);
        if (number == SIGTERM) {
            return 0;
        }
        if (number != SIGUSR1 || kill(t->own, SIGUSR1) != 0) {
            return 1;
        }
    }
}

static uint64_t signal_rtt_batch(unsigned n, void *argument) {
    const struct trip *t = argument;
    siginfo_t info;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        info.si_pid = 0;
        if (kill(t->other, SIGUSR1) != 0 || sigwaitinfo(&awaited, &info) != SIGUSR1 || info.si_pid != t->other) {
            bench_fail("a signal's way there and back");
        }
    }
    return bench_now() - start;
}

static void signal_rtt(void) {
    struct trip t = {.own = getpid()};

    sigemptyset(&awaited);
    sigaddset(&awaited, SIGUSR1);
    sigaddset(&awaited, SIGTERM);
    bench_check(sigprocmask(SIG_BLOCK, &awaited, NULL) == 0);
    t.other = bench_child(trip_answer, &t);
    bench_batches(signal_rtt_batch, &t, 100, 11); // not settled: README.md
    bench_check(kill(t.other, SIGTERM) == 0);
    bench_reap(t.other);
}
BENCH_ROW(signal_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "signal round trip, two processes", signal_rtt);
