// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Zombies: a dead child stays visible until it is waited for, unless its parent ignores SIGCHLD.
#include "testing.h"

static int leave(void) {
    return 1;
}

int main(void) {
    pid_t pid = spawn(leave);
    say_bool("a dead child is a zombie", await_state(pid, 'Z'));
    say_call("kill with signal 0 of a zombie", kill(pid, 0));
    say_call("kill with SIGKILL of a zombie", kill(pid, SIGKILL));
    say_bool("getpgid of a zombie", getpgid(pid) == getpgrp());
    char path[64], text[64];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    int fd = open(path, O_RDONLY);
    say_call("cmdline of a zombie is empty", read(fd, text, sizeof(text)));
    close(fd);
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    say_ok("exe of a zombie", readlink(path, text, sizeof(text)));
    say("status is kept", "%s", status_text(reap(pid)));
    say_call("kill after the wait", kill(pid, 0));

    signal(SIGCHLD, SIG_IGN);
    pid = spawn(leave);
    say_call("with SIGCHLD ignored wait ends when all are dead", waitpid(pid, NULL, 0));
    // The wait may end a moment before the last of the child has gone.
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++) {
        sleep_ms(2);
    }
    say_call("and nothing is left", kill(pid, 0));
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &action, NULL);
    pid = spawn(leave);
    say_call("with SA_NOCLDWAIT", wait(NULL));
    signal(SIGCHLD, SIG_DFL);

    pid = spawn(leave);
    await_state(pid, 'Z');
    signal(SIGCHLD, SIG_IGN);
    say_bool("a zombie from before SIG_IGN can be waited for", waitpid(pid, NULL, 0) == pid);
    return 0;
}
