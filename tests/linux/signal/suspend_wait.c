// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Waiting for signals: sigsuspend with its mask, sigwaitinfo and sigtimedwait.
#include "testing.h"

static volatile int handled;
static pid_t test;
static int to_send;

static void handler(int signal) {
    handled = signal;
}

static int send_when_blocked(void) {
    await_blocked(test);
    return kill(test, to_send);
}

static pid_t sender(int signal) {
    to_send = signal;
    return spawn(send_when_blocked);
}

int main(void) {
    test = getpid();
    sigset_t usr1, none, pending;
    siginfo_t information;
    struct timespec soon = {0, 20000000}, zero = {0, 0}, later = {20, 0};
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, handler);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    raise(SIGUSR1);
    say("blocked", "%d", handled);
    say_call("sigsuspend with the signal pending", sigsuspend(&none));
    say("handled", "%s", signal_name(handled));
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    say_bool("the mask is back", sigismember(&now, SIGUSR1));
    pid_t pid = sender(SIGUSR2);
    handled = 0;
    say_call("sigsuspend, signal sent by a child", sigsuspend(&usr1));
    say("handled", "%s", signal_name(handled));
    reap(pid);
    say_call("sigsuspend with a wrong size", syscall(SYS_rt_sigsuspend, &none, 4));
    say_call("sigsuspend with a bad address", syscall(SYS_rt_sigsuspend, (void *)8, 8));

    handled = 0;
    say_call("sigtimedwait with nothing pending", sigtimedwait(&usr1, &information, &zero));
    int64_t start = now_ms();
    say_call("sigtimedwait that times out", sigtimedwait(&usr1, &information, &soon));
    say_bool("it waited", now_ms() - start >= 19);
    raise(SIGUSR1);
    say_call("sigtimedwait with one pending", sigtimedwait(&usr1, &information, &zero));
    say("information", "%s code %d", signal_name(information.si_signo), information.si_code);
    say("handler ran", "%d", handled);
    sigpending(&pending);
    say("still pending", "%d", sigismember(&pending, SIGUSR1));
    pid = sender(SIGUSR1);
    say_call("sigwaitinfo, signal sent by a child", sigwaitinfo(&usr1, &information));
    say_bool("sender", information.si_pid == pid);
    reap(pid);
    pid = sender(SIGUSR2);
    say_call("sigtimedwait interrupted by another signal", syscall(SYS_rt_sigtimedwait, &usr1, NULL, &later, 8));
    reap(pid);
    struct timespec wrong = {0, 1000000000};
    say_call("sigtimedwait with a bad time", sigtimedwait(&usr1, NULL, &wrong));
    sigaddset(&usr1, SIGKILL);
    say_call("sigtimedwait for SIGKILL is never that", sigtimedwait(&usr1, NULL, &zero));
    return 0;
}
