// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls that a handler interrupts: which come back with EINTR, which are restarted under SA_RESTART, and what is left
// of them.
#include "testing.h"
#include <sys/select.h>

static volatile int handled;
static pid_t test;
static int channel[2];

static void handler(int signal) {
    (void)signal;
    handled++;
}

static void install(int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
    handled = 0;
}

// Waits until the test has blocked, sends it a signal, and (for calls that are restarted) then gives it what it waits
// for.
static int disturb(void) {
    await_blocked(test);
    kill(test, SIGUSR1);
    sleep_ms(50);
    await_blocked(test);
    write(channel[1], "x", 1);
    return 0;
}

static pid_t disturber(void) {
    return spawn(disturb);
}

static int last_long(void) {
    sleep_ms(300);
    return 6;
}

static void drain(void) {
    char buffer[16];
    fcntl(channel[0], F_SETFL, O_NONBLOCK);
    while (read(channel[0], buffer, sizeof(buffer)) > 0) {}
    fcntl(channel[0], F_SETFL, 0);
}

static void try_read(const char *name, int flags) {
    char byte;
    install(flags);
    pid_t pid = disturber();
    say_call(name, read(channel[0], &byte, 1));
    reap(pid);
    say("  handled", "%d", handled);
    drain();
}

static void try_wait(const char *name, int flags) {
    install(flags);
    pid_t sleeper = spawn(last_long);
    pid_t pid = disturber();
    int status = 0;
    pid_t result = waitpid(sleeper, &status, 0);
    if (result == -1) {
        say(name, "%s", error_name(errno));
        reap(sleeper);
    } else {
        say(name, "%s", status_text(status));
    }
    reap(pid);
    drain();
}

static void try_sleep(const char *name, int flags) {
    struct timespec time = {20, 0}, rest = {0, 0};
    install(flags);
    pid_t pid = disturber();
    long result = syscall(SYS_nanosleep, &time, &rest);
    say_call(name, result);
    say_bool("  the rest is less than the whole, more than nothing", rest.tv_sec < 20 && rest.tv_sec >= 5);
    reap(pid);
    drain();
}

static void try_others(int flags) {
    struct pollfd never = {-1, POLLIN, 0};
    install(flags);
    pid_t pid = disturber();
    say_call("  poll", poll(&never, 1, 20000));
    reap(pid);
    pid = disturber();
    struct timeval time = {20, 0};
    say_call("  select", select(0, NULL, NULL, NULL, &time));
    reap(pid);
    pid = disturber();
    say_call("  pause", pause());
    reap(pid);
    pid = disturber();
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 20;
    say("  clock_nanosleep to a time", "%s", error_name(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)));
    reap(pid);
    pid = disturber();
    int word = 0;
    struct timespec limit = {20, 0};
    say_call("  futex wait with a time limit", syscall(SYS_futex, &word, 0, 0, &limit, NULL, 0));
    reap(pid);
    pid = disturber();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    say_call("  sigtimedwait", syscall(SYS_rt_sigtimedwait, &set, NULL, &limit, 8));
    reap(pid);
    drain();
}

int main(void) {
    test = getpid();
    MUST(pipe2(channel, O_CLOEXEC));
    try_read("read without SA_RESTART", 0);
    try_read("read with SA_RESTART", SA_RESTART);
    try_wait("waitpid without SA_RESTART", 0);
    try_wait("waitpid with SA_RESTART", SA_RESTART);
    try_sleep("nanosleep without SA_RESTART", 0);
    try_sleep("nanosleep with SA_RESTART", SA_RESTART);
    say("without SA_RESTART", "others");
    try_others(0);
    say("with SA_RESTART", "others");
    try_others(SA_RESTART);
    return 0;
}
