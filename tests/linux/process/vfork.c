// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// vfork: the child borrows the parent's memory, and the parent waits until the child ends or executes a program.
#include "testing.h"

static volatile int shared;

int main(int argc, char **argv) {
    if (argc > 1) {
        sleep_ms(200);
        return 9;
    }
    shared = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        shared = 2;
        _exit(4);
    }
    say("child wrote into the parent's memory", "%d", shared);
    say("status of a child that exits", "%s", status_text(reap(pid)));

    char *const arguments[] = {argv[0], (char *)"again", NULL};
    char *const environment[] = {NULL};
    pid = vfork();
    if (pid == 0) {
        shared = 3;
        execve(argv[0], arguments, environment);
        _exit(100);
    }
    say("memory after the child's exec", "%d", shared);
    int status = 0;
    say_call("the program still runs when vfork returns", waitpid(pid, &status, WNOHANG));
    say("status of the executed program", "%s", status_text(reap(pid)));

    pid = vfork();
    if (pid == 0) {
        execve("/does/not/exist", arguments, environment);
        shared = errno;
        _exit(101);
    }
    say("errno of a failed exec seen by the parent", "%s", error_name(shared));
    say("status after a failed exec", "%s", status_text(reap(pid)));

    pid = vfork();
    if (pid == 0) {
        kill(getpid(), SIGKILL);
        _exit(102);
    }
    say("status of a killed vfork child", "%s", status_text(reap(pid)));
    return 0;
}
