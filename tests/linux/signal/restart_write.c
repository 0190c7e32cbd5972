// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A write to a full pipe that a handler interrupts: EINTR or a restart where nothing was written, a short count where
// something was.
#include "testing.h"

enum { FULL = 65536 };

static int channel[2];
static pid_t test;
static char data[FULL * 2];

static void handler(int signal) {
    (void)signal;
}

static int interrupt(void) {
    await_blocked(test);
    kill(test, SIGUSR1);
    return 0;
}

static int interrupt_then_drain(void) {
    interrupt();
    sleep_ms(50);
    await_blocked(test);
    for (int left = FULL + 10; left > 0;) {
        ssize_t n = read(channel[0], data, (size_t)left);
        left -= (int)n;
    }
    return 0;
}

static void install(int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
}

int main(void) {
    test = getpid();
    MUST(pipe2(channel, O_CLOEXEC));
    say_call("pipe filled", write(channel[1], data, FULL));
    install(0);
    pid_t pid = spawn(interrupt);
    say_call("nothing written, no SA_RESTART", write(channel[1], data, 10));
    reap(pid);
    install(SA_RESTART);
    pid = spawn(interrupt_then_drain);
    say_call("nothing written, SA_RESTART", write(channel[1], data, 10));
    reap(pid);
    pid = spawn(interrupt);
    say_call("some written, SA_RESTART", write(channel[1], data, sizeof(data)));
    reap(pid);
    return 0;
}
