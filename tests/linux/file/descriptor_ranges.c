// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// close_range with its flags, also on a shared table; dup in all forms at the limits; F_OFD_SETLKW; what F_NOTIFY's neighbours refuse.
#include "testing.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u
#endif

static long range(unsigned first, unsigned last, unsigned flags) {
    return syscall(SYS_close_range, first, last, flags);
}

// Which of 50 to 59 are open, and which of these close on exec.
static void say_open(const char *name) {
    char text[11] = "..........";
    for (int i = 0; i < 10; i++) {
        int flags = fcntl(50 + i, F_GETFD);
        text[i] = flags == -1 ? '.' : flags & FD_CLOEXEC ? 'c' : 'o';
    }
    say(name, "%s", text);
}

static void open_all(void) {
    for (int i = 50; i < 60; i++) {
        MUST(dup2(0, i));
    }
}

// A thread's kind of child: shares the table.
static int shared_child(void *argument) {
    (void)argument;
    say_call("CLOSE_RANGE_UNSHARE in one who shares the table", range(52, 54, CLOSE_RANGE_UNSHARE));
    say_open("he has");
    return 0;
}

static int sharing_child(void *argument) {
    (void)argument;
    range(56, 57, 0);
    return 0;
}

static void ranges(void) {
    static char stack[65536];
    open_all();
    say_call("close_range", range(52, 54, 0));
    say_open("left");
    say_call("nothing open in it", range(52, 54, 0));
    say_call("CLOSE_RANGE_CLOEXEC", range(55, 56, CLOSE_RANGE_CLOEXEC));
    say_open("marked");
    say_call("to the end", range(58, ~0u, 0));
    say_open("left");
    say_call("first behind last", range(5, 4, 0));
    say_call("unknown flag", range(50, 51, 1));
    say_call("unknown flag, first behind last", range(5, 4, 8));
    say_call("far beyond", range(1u << 30, ~0u, 0));
    say_call("CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC", range(50, 50, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC));
    open_all();
    reap(MUST(clone(shared_child, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL)));
    say_open("the others still have");
    reap(MUST(clone(sharing_child, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL)));
    say_open("without CLOSE_RANGE_UNSHARE they lose them");
    range(50, 59, 0);
}

static void duplicates(void) {
    struct rlimit limit, old;
    MUST(getrlimit(RLIMIT_NOFILE, &old));
    limit = old;
    limit.rlim_cur = 60;
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    say_call("dup2 below the limit", dup2(0, 59));
    say_call("dup2 at the limit", dup2(0, 60));
    say_call("dup2 to -1", dup2(0, -1));
    say_call("dup2 of a closed one", dup2(58, 50));
    say_call("dup2 to itself", dup2(59, 59));
    say_call("dup2 of a closed one to itself", dup2(58, 58));
    say_call("dup3 to itself", dup3(59, 59, 0));
    say_call("dup3 O_CLOEXEC", dup3(0, 55, O_CLOEXEC));
    say_call("marks it", fcntl(55, F_GETFD));
    say_call("dup3 another flag", dup3(0, 55, O_NONBLOCK));
    say_call("dup3 of a closed one to itself", dup3(58, 58, 0));
    say_call("F_DUPFD at the limit", fcntl(0, F_DUPFD, 60));
    say_call("F_DUPFD -1", fcntl(0, F_DUPFD, -1));
    say_call("F_DUPFD_CLOEXEC", fcntl(0, F_DUPFD_CLOEXEC, 50));
    say_call("marks it", fcntl(50, F_GETFD));
    say_call("F_DUPFD finds the next", fcntl(0, F_DUPFD, 50));
    say_call("which is not marked", fcntl(51, F_GETFD));
    say_call("F_SETFD of other bits", fcntl(51, F_SETFD, ~FD_CLOEXEC));
    say_call("changes nothing", fcntl(51, F_GETFD));
    say_call("F_DUPFD, none free", fcntl(59, F_DUPFD, 59));
    while (dup(0) != -1) {}
    say("dup, none free", "%s", error_name(errno));
    say_call("dup2 when none is free", dup2(0, 57));
    MUST(setrlimit(RLIMIT_NOFILE, &old));
    range(3, 59, 0);
}

static struct gate ready;
static int fd;

static int waiter(void) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    int own = MUST(open("f", O_RDWR));
    close(fd);
    gate_raise(&ready);
    return fcntl(own, F_OFD_SETLKW, &l) == 0 ? 0 : 1;
}

static void description_waits(void) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    ready = gate_create();
    fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
    MUST(fcntl(fd, F_OFD_SETLK, &l));
    pid_t pid = spawn(waiter);
    gate_wait(&ready);
    say_bool("F_OFD_SETLKW waits", await_blocked(pid));
    l.l_type = F_UNLCK;
    MUST(fcntl(fd, F_OFD_SETLK, &l));
    say("and goes on", "%s", status_text(reap(pid)));
}

int main(void) {
    ranges();
    duplicates();
    description_waits();
    return 0;
}
