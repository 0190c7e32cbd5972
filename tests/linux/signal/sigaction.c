// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// sigaction: installing, reading back, ignoring, and its errors.
#include "testing.h"

static volatile int count, last;

static void handler(int signal) {
    count++;
    last = signal;
}

static long raw_action(int signal, const void *action, void *old, size_t size) {
    return syscall(SYS_rt_sigaction, signal, action, old, size);
}

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    say_call("install", sigaction(SIGUSR1, &action, &old));
    say_bool("the old action is the default", old.sa_handler == SIG_DFL && old.sa_flags == 0);
    sigaction(SIGUSR1, NULL, &old);
    say_bool("reads back the handler", old.sa_handler == handler);
    say_bool("reads back the flags", (old.sa_flags & SA_RESTART) != 0);
    say_bool("reads back the mask", sigismember(&old.sa_mask, SIGUSR2) && !sigismember(&old.sa_mask, SIGTERM));
    raise(SIGUSR1);
    raise(SIGUSR1);
    say("handler ran", "%d times, last %s", count, signal_name(last));
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    say("after SIG_IGN", "%d times", count);

    // The kernel's own structure: handler, flags, restorer, mask.
    uint64_t raw[4] = {0, 0, 0, 0};
    say_call("signal 0", raw_action(0, raw, NULL, 8));
    say_call("signal 65", raw_action(65, raw, NULL, 8));
    say_call("signal -1", raw_action(-1, raw, NULL, 8));
    say_call("signal 64", raw_action(64, raw, NULL, 8));
    say_call("SIGKILL", raw_action(SIGKILL, raw, NULL, 8));
    say_call("SIGSTOP", raw_action(SIGSTOP, raw, NULL, 8));
    say_call("SIGKILL, read only", raw_action(SIGKILL, NULL, raw, 8));
    say_call("wrong size of the set", raw_action(SIGUSR1, raw, NULL, 4));
    say_call("bad address of the new action", raw_action(SIGUSR1, (void *)8, NULL, 8));
    say_call("bad address of the old action", raw_action(SIGUSR1, NULL, (void *)8, 8));
    raw[0] = (uint64_t)handler;
    raw[1] = SA_SIGINFO | 0x04000000;
    raw[3] = ~0UL;
    raw_action(SIGUSR2, raw, NULL, 8);
    uint64_t back[4] = {0};
    raw_action(SIGUSR2, NULL, back, 8);
    say("mask of all signals reads back as", "%016lx", (unsigned long)back[3]);
    return 0;
}
