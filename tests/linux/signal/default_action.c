// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The default action of each signal, seen by the parent of a process that raises it; and ignoring each of them.
#include "testing.h"

static int to_raise;

static int raise_it(void) {
    raise(to_raise);
    return 0;
}

static int ignore_it(void) {
    int failed = signal(to_raise, SIG_IGN) == SIG_ERR;
    raise(to_raise);
    return failed ? 2 : 0;
}

static void show(const char *how, int (*function)(void)) {
    int status = 0;
    char name[64];
    pid_t pid = spawn(function);
    waitpid(pid, &status, WUNTRACED);
    snprintf(name, sizeof(name), "%s %s", signal_name(to_raise), how);
    say(name, "%s", status_text(status));
    if (WIFSTOPPED(status)) {
        kill(pid, SIGCONT);
        say("  after SIGCONT", "%s", status_text(reap(pid)));
    }
}

int main(void) {
    for (to_raise = 1; to_raise <= 31; to_raise++) {
        // A stop from a terminal does nothing in an orphaned process group: the test's own group is one, as its
        // parent is in another session.
        show("by default", raise_it);
    }
    to_raise = 40;
    show("by default", raise_it);
    to_raise = 64;
    show("by default", raise_it);
    const int ignored[] = {SIGTERM, SIGSEGV, SIGTSTP, SIGCHLD, SIGKILL, SIGPIPE, SIGABRT};
    for (size_t i = 0; i < COUNT(ignored); i++) {
        to_raise = ignored[i];
        show("ignored", ignore_it);
    }
    return 0;
}
