// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Process groups and sessions: setpgid, getpgid, setsid, getsid, their rules and their errors.
#include "testing.h"

static struct gate go, done;

static int wait_until_told(void) {
    gate_wait(&go);
    return 0;
}

static int become_leader(void) {
    say_bool("setsid in a child gives its pid", setsid() == getpid());
    say_bool("session, group and pid are one", getsid(0) == getpid() && getpgrp() == getpid());
    say_call("setsid again", setsid());
    say_call("setpgid of a session leader", setpgid(0, 0));
    return 0;
}

static int group_leader_setsid(void) {
    setpgid(0, 0);
    say_call("setsid of a group leader", setsid());
    return 0;
}

static int other_session(void) {
    setsid();
    gate_raise(&done);
    gate_wait(&go);
    return 0;
}

static int executes(void) {
    char *const argv[] = {(char *)"x", (char *)"wait", NULL};
    execv("/proc/self/exe", argv);
    return 1;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        // The program that a child executes: waits for the end of its input.
        char byte;
        read(9, &byte, 1);
        return 0;
    }
    go = gate_create();
    done = gate_create();
    pid_t self = getpid();
    say_bool("a test leads its session", getsid(0) == self && getpgrp() == self);
    say_bool("getpgid of 0 and of the own pid", getpgid(0) == self && getpgid(self) == self);
    say_call("getpgid of no process", getpgid(999999));
    say_call("getsid of no process", getsid(999999));
    say_call("getpgid of a negative number", getpgid(-1));
    say_call("setpgid of a negative pid", setpgid(-1, 0));
    say_call("setpgid to a negative group", setpgid(0, -1));
    say_call("setpgid of no process", setpgid(999999, 0));
    say_call("setpgid of process 1", setpgid(1, 0));

    pid_t child = spawn(wait_until_told);
    say_bool("a child is in its parent's group", getpgid(child) == self);
    say_call("child into a group of its own", setpgid(child, child));
    say_bool("it is there", getpgid(child) == child);
    say_call("again", setpgid(child, 0));
    say_call("back into the parent's group", setpgid(child, self));
    say_call("into a group that does not exist", setpgid(child, 999999));
    gate_raise(&go);
    reap(child);
    say_call("getpgid of a reaped child", getpgid(child));

    say_child("session leader", become_leader);
    say_child("group leader", group_leader_setsid);

    child = spawn(other_session);
    gate_wait(&done);
    say_call("setpgid of a child in another session", setpgid(child, self));
    say_bool("its session is its own", getsid(child) == child);
    gate_raise(&go);
    reap(child);

    int input[2];
    MUST(pipe2(input, O_CLOEXEC));
    MUST(dup2(input[0], 9));
    child = spawn(executes);
    char path[64], target[256];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
    for (int i = 0; i < 500; i++) {
        int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, target, sizeof(target));
        close(fd);
        if (n > 2 && target[0] == 'x' && target[1] == 0) {
            break;
        }
        sleep_ms(10);
    }
    say_call("setpgid of a child that has executed a program", setpgid(child, child));
    close(input[1]);
    close(input[0]);
    say("that child", "%s", status_text(reap(child)));
    return 0;
}
