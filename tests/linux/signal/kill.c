// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// kill, tkill and tgkill: whom they reach, permission, errors.
#include "testing.h"

static struct gate ready;
static volatile int taken;

static void count(int signal) {
    (void)signal;
    taken++;
}

static int wait_forever(void) {
    gate_raise(&ready);
    for (;;) {
        pause();
    }
    return 0;
}

static int leader(void) {
    setpgid(0, 0);
    return wait_forever();
}

static int as_other_user(void) {
    setuid(1000);
    say_call("other user: kill of root's process", kill(getppid(), SIGTERM));
    say_call("other user: signal 0", kill(getppid(), 0));
    say_call("other user: no process", kill(999999, 0));
    say_call("other user: a whole group, none allowed but itself", kill(0, 0));
    return 0;
}

static int as_other_user_same_session(void) {
    setuid(1000);
    say_call("SIGCONT within the session", kill(getppid(), SIGCONT));
    return 0;
}

int main(void) {
    ready = gate_create();
    say_call("no such process", kill(999999, SIGTERM));
    say_call("no such group", kill(-999999, SIGTERM));
    say_call("signal 65", kill(getpid(), 65));
    say_call("signal -1", kill(getpid(), -1));
    say_call("signal 0 to oneself", kill(getpid(), 0));
    say_call("signal 65 to no process", kill(999999, 65));
    say_call("smallest number", kill(-2147483647 - 1, 0));

    signal(SIGUSR1, count);
    say_call("own group by 0", kill(0, SIGUSR1));
    say("taken", "%d", taken);
    say_call("own group by number", kill(-getpgrp(), SIGUSR1));
    say("taken", "%d", taken);

    pid_t first = spawn(leader);
    gate_wait(&ready);
    pid_t second = spawn(wait_forever);
    gate_wait(&ready);
    setpgid(second, first);
    say_call("a group of two", kill(-first, SIGTERM));
    say("first", "%s", status_text(reap(first)));
    say("second", "%s", status_text(reap(second)));
    say_call("the group is gone", kill(-first, 0));

    int self = (int)syscall(SYS_gettid);
    say_call("tgkill", syscall(SYS_tgkill, getpid(), self, SIGUSR1));
    say_call("tgkill of a thread of another process", syscall(SYS_tgkill, 1, self, 0));
    say_call("tgkill without a process", syscall(SYS_tgkill, 0, self, 0));
    say_call("tgkill without a thread", syscall(SYS_tgkill, getpid(), 0, 0));
    say_call("tgkill of no thread", syscall(SYS_tgkill, getpid(), 999999, 0));
    say_call("tgkill signal 65", syscall(SYS_tgkill, getpid(), self, 65));
    say_call("tkill 0", syscall(SYS_tkill, 0, 0));
    say("taken", "%d", taken);
    say_child("other user", as_other_user);
    say_child("other user, SIGCONT", as_other_user_same_session);
    return 0;
}
