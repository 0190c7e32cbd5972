// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Resource limits: reading and setting them, inheritance, and what happens when descriptors run out.
#include "testing.h"

static int fill_descriptors(void) {
    struct rlimit limit = {20, 20};
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    int fd, last = -1;
    while ((fd = open("/dev/null", O_RDONLY)) != -1) {
        last = fd;
    }
    say("open beyond the limit", "%s", error_name(errno));
    say("highest descriptor", "%d", last);
    int pipes[2] = {-5, -5};
    say_call("dup", dup(0));
    say_call("pipe", pipe(pipes));
    say("descriptors of the failed pipe", "%d %d", pipes[0], pipes[1]);
    say_call("dup2 onto one in use", dup2(0, 19));
    say_call("dup2 to the limit", dup2(0, 20));
    say_call("F_DUPFD from the limit", fcntl(0, F_DUPFD, 20));
    close(10);
    say_call("one place left, pipe needs two", pipe(pipes));
    say_call("open takes the one left", open("/dev/null", O_RDONLY));
    return 0;
}

static int limit_rules(void) {
    struct rlimit limit = {200, 100}, old;
    say_call("soft above hard", setrlimit(RLIMIT_NOFILE, &limit));
    limit = (struct rlimit){100, 200};
    say_call("lower both", setrlimit(RLIMIT_NOFILE, &limit));
    MUST(getrlimit(RLIMIT_NOFILE, &old));
    say("limits", "%lu %lu", (unsigned long)old.rlim_cur, (unsigned long)old.rlim_max);
    limit = (struct rlimit){100, 300};
    say_call("privilege raises a hard limit", setrlimit(RLIMIT_NOFILE, &limit));
    limit = (struct rlimit){100, RLIM_INFINITY};
    say_call("no limit of descriptors", setrlimit(RLIMIT_NOFILE, &limit));
    return 0;
}

static int child_limit(void) {
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    return (int)limit.rlim_cur;
}

int main(void) {
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    say("descriptors", "%lu %lu", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
    MUST(getrlimit(RLIMIT_STACK, &limit));
    say("stack", "%lu", (unsigned long)limit.rlim_cur);
    say_call("unknown resource", syscall(SYS_prlimit64, 0, 99, NULL, &limit));
    say_call("prlimit of no process", syscall(SYS_prlimit64, 999999, RLIMIT_NOFILE, NULL, &limit));
    say_call("bad address", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, (void *)8));
    say_child("fill the table", fill_descriptors);
    say_child("rules", limit_rules);
    limit = (struct rlimit){55, 4096};
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    say_child("a child inherits the limit", child_limit);
    return 0;
}
