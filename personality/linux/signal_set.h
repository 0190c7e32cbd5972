// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Signal numbers and the arithmetic of signal sets: pure, tested on the host (signal_set_test.c).
#ifndef LINUX_SIGNAL_SET_H
#define LINUX_SIGNAL_SET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LINUX_SIGHUP = 1,
    LINUX_SIGINT,
    LINUX_SIGQUIT,
    LINUX_SIGILL,
    LINUX_SIGTRAP,
    LINUX_SIGABRT,
    LINUX_SIGBUS,
    LINUX_SIGFPE,
    LINUX_SIGKILL,
    LINUX_SIGUSR1,
    LINUX_SIGSEGV,
    LINUX_SIGUSR2,
    LINUX_SIGPIPE,
    LINUX_SIGALRM,
    LINUX_SIGTERM,
    LINUX_SIGSTKFLT,
    LINUX_SIGCHLD,
    LINUX_SIGCONT,
    LINUX_SIGSTOP,
    LINUX_SIGTSTP,
    LINUX_SIGTTIN,
    LINUX_SIGTTOU,
    LINUX_SIGURG,
    LINUX_SIGXCPU,
    LINUX_SIGXFSZ,
    LINUX_SIGVTALRM,
    LINUX_SIGPROF,
    LINUX_SIGWINCH,
    LINUX_SIGIO,
    LINUX_SIGPWR,
    LINUX_SIGSYS,
    LINUX_SIGRTMIN = 32,
    LINUX_SIGRTMAX = 64
};

#define SIGNAL_BIT(n) (1ull << ((n)-1))
// Cannot be caught, blocked or ignored.
#define SIGNAL_SET_KERNEL (SIGNAL_BIT(LINUX_SIGKILL) | SIGNAL_BIT(LINUX_SIGSTOP))
#define SIGNAL_SET_STOP \
    (SIGNAL_BIT(LINUX_SIGSTOP) | SIGNAL_BIT(LINUX_SIGTSTP) | SIGNAL_BIT(LINUX_SIGTTIN) | SIGNAL_BIT(LINUX_SIGTTOU))
#define SIGNAL_SET_IGNORED \
    (SIGNAL_BIT(LINUX_SIGCONT) | SIGNAL_BIT(LINUX_SIGCHLD) | SIGNAL_BIT(LINUX_SIGWINCH) | SIGNAL_BIT(LINUX_SIGURG))
#define SIGNAL_SET_CORE                                                                                             \
    (SIGNAL_BIT(LINUX_SIGQUIT) | SIGNAL_BIT(LINUX_SIGILL) | SIGNAL_BIT(LINUX_SIGTRAP) | SIGNAL_BIT(LINUX_SIGABRT) | \
     SIGNAL_BIT(LINUX_SIGFPE) | SIGNAL_BIT(LINUX_SIGSEGV) | SIGNAL_BIT(LINUX_SIGBUS) | SIGNAL_BIT(LINUX_SIGSYS) |   \
     SIGNAL_BIT(LINUX_SIGXCPU) | SIGNAL_BIT(LINUX_SIGXFSZ))
// Raised by the instruction at hand: delivered before all others.
#define SIGNAL_SET_SYNCHRONOUS                                                                                     \
    (SIGNAL_BIT(LINUX_SIGSEGV) | SIGNAL_BIT(LINUX_SIGBUS) | SIGNAL_BIT(LINUX_SIGILL) | SIGNAL_BIT(LINUX_SIGTRAP) | \
     SIGNAL_BIT(LINUX_SIGFPE) | SIGNAL_BIT(LINUX_SIGSYS))

static inline bool signal_valid(uint64_t n) {
    return n >= 1 && n <= 64;
}
static inline bool signal_set_has(uint64_t set, int n) {
    return (set >> (n - 1)) & 1;
}
// The signal to deliver next: a synchronous one first, else the lowest number; 0: none.
static inline int signal_set_next(uint64_t pending, uint64_t blocked) {
    uint64_t ready = pending & ~blocked;
    if (ready == 0)
        return 0;
    if (ready & SIGNAL_SET_SYNCHRONOUS)
        ready &= SIGNAL_SET_SYNCHRONOUS;
    return __builtin_ctzll(ready) + 1;
}
enum signal_default { SIGNAL_DEFAULT_TERMINATE, SIGNAL_DEFAULT_CORE, SIGNAL_DEFAULT_IGNORE, SIGNAL_DEFAULT_STOP };
static inline enum signal_default signal_default_action(int n) {
    if (signal_set_has(SIGNAL_SET_IGNORED, n))
        return SIGNAL_DEFAULT_IGNORE;
    if (signal_set_has(SIGNAL_SET_STOP, n))
        return SIGNAL_DEFAULT_STOP;
    return signal_set_has(SIGNAL_SET_CORE, n) ? SIGNAL_DEFAULT_CORE : SIGNAL_DEFAULT_TERMINATE;
}

#endif
