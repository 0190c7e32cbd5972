// host-test-sources:
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Arithmetic of signal sets: which signal is next, what the defaults are.

#include "signal_set.h"

#include <stdio.h>

static int failed;

static void check(const char *name, bool good) {
    printf("%s %s\n", good ? "ok" : "FAIL", name);
    failed |= !good;
}

int main(void) {
    check("nothing_pending_gives_none", signal_set_next(0, 0) == 0);
    check("blocked_signals_wait", signal_set_next(SIGNAL_BIT(LINUX_SIGINT), ~0ull) == 0);
    check("the_lowest_number_comes_first",
          signal_set_next(SIGNAL_BIT(LINUX_SIGTERM) | SIGNAL_BIT(LINUX_SIGINT), 0) == LINUX_SIGINT);
    check("faults_come_before_all_others",
          signal_set_next(SIGNAL_BIT(LINUX_SIGHUP) | SIGNAL_BIT(LINUX_SIGSEGV), 0) == LINUX_SIGSEGV);
    check("a_blocked_fault_does_not_hide_others", signal_set_next(SIGNAL_BIT(LINUX_SIGHUP) | SIGNAL_BIT(LINUX_SIGSEGV),
                                                                  SIGNAL_BIT(LINUX_SIGSEGV)) == LINUX_SIGHUP);
    check("the_last_signal_is_reached", signal_set_next(SIGNAL_BIT(64), 0) == 64);

    bool each = true;
    for (int n = 1; n <= 64; n++)
        each = each && signal_set_next(SIGNAL_BIT(n), 0) == n && signal_set_has(SIGNAL_BIT(n), n) &&
               signal_valid((uint64_t)n);
    check("each_signal_alone_is_found", each && !signal_valid(0) && !signal_valid(65));
    check("defaults_ignore", signal_default_action(LINUX_SIGCHLD) == SIGNAL_DEFAULT_IGNORE &&
                                 signal_default_action(LINUX_SIGWINCH) == SIGNAL_DEFAULT_IGNORE &&
                                 signal_default_action(LINUX_SIGURG) == SIGNAL_DEFAULT_IGNORE &&
                                 signal_default_action(LINUX_SIGCONT) == SIGNAL_DEFAULT_IGNORE);
    check("defaults_stop", signal_default_action(LINUX_SIGSTOP) == SIGNAL_DEFAULT_STOP &&
                               signal_default_action(LINUX_SIGTSTP) == SIGNAL_DEFAULT_STOP &&
                               signal_default_action(LINUX_SIGTTIN) == SIGNAL_DEFAULT_STOP &&
                               signal_default_action(LINUX_SIGTTOU) == SIGNAL_DEFAULT_STOP);
    check("defaults_core", signal_default_action(LINUX_SIGSEGV) == SIGNAL_DEFAULT_CORE &&
                               signal_default_action(LINUX_SIGQUIT) == SIGNAL_DEFAULT_CORE);
    check("defaults_terminate", signal_default_action(LINUX_SIGTERM) == SIGNAL_DEFAULT_TERMINATE &&
                                    signal_default_action(40) == SIGNAL_DEFAULT_TERMINATE &&
                                    signal_default_action(LINUX_SIGPIPE) == SIGNAL_DEFAULT_TERMINATE);
    return failed;
}
