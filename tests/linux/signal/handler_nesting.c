// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Handlers within handlers, a jump out of one, SIGPIPE, and abort.
#include "testing.h"
#include <setjmp.h>

static volatile int trail;
static sigjmp_buf back;

static void inner(int signal) {
    (void)signal;
    trail = trail * 10 + 2;
}

static void outer(int signal) {
    (void)signal;
    trail = trail * 10 + 1;
    raise(SIGUSR2);
    trail = trail * 10 + 3;
}

static void jump(int signal) {
    siglongjmp(back, signal);
}

static int write_without_reader(void) {
    int channel[2];
    MUST(pipe(channel));
    close(channel[0]);
    write(channel[1], "x", 1);
    return 0;
}

static int write_without_reader_ignored(void) {
    int channel[2];
    MUST(pipe(channel));
    close(channel[0]);
    signal(SIGPIPE, SIG_IGN);
    say_call("write with SIGPIPE ignored", write(channel[1], "x", 1));
    signal(SIGPIPE, inner);
    trail = 0;
    say_call("write with SIGPIPE handled", write(channel[1], "x", 1));
    say("handled", "%d", trail);
    say_call("write of nothing", write(channel[1], "", 0));
    say("handled", "%d", trail);
    return 0;
}

static int aborts(void) {
    signal(SIGABRT, inner);
    abort();
}

static int aborts_blocked(void) {
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    abort();
}

int main(void) {
    signal(SIGUSR1, outer);
    signal(SIGUSR2, inner);
    raise(SIGUSR1);
    say("a handler interrupted by another", "%d", trail);

    struct sigaction action = {.sa_handler = outer};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL);
    trail = 0;
    raise(SIGUSR1);
    say("with the other one in its mask", "%d", trail);

    signal(SIGHUP, jump);
    volatile int jumps = 0;
    for (int i = 0; i < 1000; i++) {
        if (sigsetjmp(back, 1) == 0) {
            raise(SIGHUP);
        } else {
            jumps++;
        }
    }
    say("jumps out of a handler", "%d", jumps);
    say_child("SIGPIPE by default", write_without_reader);
    say_child("SIGPIPE ignored and handled", write_without_reader_ignored);
    say_child("abort with a handler that returns", aborts);
    say_child("abort with all blocked", aborts_blocked);
    return 0;
}
