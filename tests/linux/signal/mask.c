// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Blocking: sigprocmask, pending signals, what queues and what folds, the order of delivery.
#include "testing.h"

static int order[32];
static volatile int count;

static void record(int signal) {
    if (count < 32) {
        order[count] = signal;
    }
    count++;
}

static void record_value(int signal, siginfo_t *information, void *context) {
    (void)signal;
    (void)context;
    order[count++] = information->si_value.sival_int;
}

static long raw_mask(int how, const void *set, void *old, size_t size) {
    return syscall(SYS_rt_sigprocmask, how, set, old, size);
}

int main(void) {
    sigset_t all, none, pending, old;
    sigfillset(&all);
    sigemptyset(&none);
    struct sigaction action = {.sa_handler = record};
    sigfillset(&action.sa_mask);
    const int signals[] = {SIGTERM, SIGUSR1, SIGHUP, SIGCHLD, SIGUSR2};
    for (size_t i = 0; i < COUNT(signals); i++) {
        sigaction(signals[i], &action, NULL);
    }
    say_call("block all", sigprocmask(SIG_SETMASK, &all, NULL));
    uint64_t bits = 0;
    raw_mask(SIG_BLOCK, NULL, &bits, 8);
    say_bool("SIGKILL and SIGSTOP are not in the mask", (bits & (1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1))) == 0);
    for (size_t i = 0; i < COUNT(signals); i++) {
        raise(signals[i]);
        raise(signals[i]);
    }
    say("taken while blocked", "%d", count);
    sigpending(&pending);
    say("pending", "%d %d %d", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGTERM),
        sigismember(&pending, SIGALRM));
    sigprocmask(SIG_SETMASK, &none, &old);
    say("taken after unblocking", "%d", count);
    for (int i = 0; i < count && i < 5; i++) {
        say("  order", "%s", signal_name(order[i]));
    }
    say_bool("old mask", sigismember(&old, SIGUSR1));
    sigpending(&pending);
    say("pending", "%d", sigismember(&pending, SIGUSR1));

    count = 0;
    struct sigaction value_action = {.sa_sigaction = record_value, .sa_flags = SA_SIGINFO};
    sigfillset(&value_action.sa_mask);
    for (int i = 0; i < 3; i++) {
        sigaction(40 + i, &value_action, NULL);
    }
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 0; i < 6; i++) {
        union sigval value = {.sival_int = i};
        sigqueue(getpid(), 42 - i % 3, value);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    say("real-time signals queue, lowest number first", "%d: %d %d %d %d %d %d", count, order[0], order[1], order[2],
        order[3], order[4], order[5]);

    count = 0;
    sigprocmask(SIG_SETMASK, &all, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR1, record);
    sigprocmask(SIG_SETMASK, &none, NULL);
    say("ignoring drops what is pending", "%d taken", count);

    say_call("unknown operation", raw_mask(3, &bits, NULL, 8));
    say_call("unknown operation without a set", raw_mask(3, NULL, &bits, 8));
    say_call("wrong size", raw_mask(SIG_BLOCK, &bits, NULL, 16));
    say_call("bad address of the set", raw_mask(SIG_BLOCK, (void *)8, NULL, 8));
    say_call("bad address of the old set", raw_mask(SIG_BLOCK, NULL, (void *)8, 8));
    say_call("sigpending with a bad address", syscall(SYS_rt_sigpending, (void *)8, 8));
    say_call("sigpending with a large size", syscall(SYS_rt_sigpending, &bits, 16));
    return 0;
}
