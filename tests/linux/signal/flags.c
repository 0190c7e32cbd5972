// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The flags of an action, and what is blocked while a handler runs.
#include "testing.h"

static volatile int depth, deepest, count;
static volatile bool own_blocked, other_blocked, usr1_blocked;

static void recursive(int signal) {
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (++count < 3) {
        raise(signal);
    }
    depth--;
}

static void look_at_mask(int signal) {
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    own_blocked = sigismember(&set, signal);
    other_blocked = sigismember(&set, SIGHUP);
    usr1_blocked = sigismember(&set, SIGUSR1);
    count++;
}

static void change_mask(int signal) {
    (void)signal;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void install(int signal, void (*handler)(int), int flags, int also) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    if (also) {
        sigaddset(&action.sa_mask, also);
    }
    sigaction(signal, &action, NULL);
    depth = deepest = count = 0;
}

static int reset_twice(void) {
    install(SIGUSR1, look_at_mask, SA_RESETHAND, 0);
    raise(SIGUSR1);
    say("handled", "%d", count);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    say_bool("action is the default again", action.sa_handler == SIG_DFL);
    raise(SIGUSR1);
    return 0;
}

int main(void) {
    sigset_t set;
    install(SIGUSR1, recursive, 0, 0);
    raise(SIGUSR1);
    say("a handler that raises its own signal", "depth %d, %d times", deepest, count);
    install(SIGUSR1, recursive, SA_NODEFER, 0);
    raise(SIGUSR1);
    say("with SA_NODEFER", "depth %d, %d times", deepest, count);

    install(SIGUSR2, look_at_mask, 0, SIGHUP);
    raise(SIGUSR2);
    say("blocked in the handler", "own %d, sa_mask %d, another %d", own_blocked, other_blocked, usr1_blocked);
    install(SIGUSR2, look_at_mask, SA_NODEFER, SIGHUP);
    raise(SIGUSR2);
    say("blocked with SA_NODEFER", "own %d, sa_mask %d, another %d", own_blocked, other_blocked, usr1_blocked);
    sigprocmask(SIG_BLOCK, NULL, &set);
    say("blocked afterwards", "own %d, sa_mask %d", sigismember(&set, SIGUSR2), sigismember(&set, SIGHUP));

    install(SIGUSR2, change_mask, 0, 0);
    raise(SIGUSR2);
    sigprocmask(SIG_BLOCK, NULL, &set);
    say_bool("a mask set in the handler lasts", sigismember(&set, SIGTERM));
    say_child("SA_RESETHAND", reset_twice);
    return 0;
}
