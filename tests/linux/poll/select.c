// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// select and pselect6: the sets, the time that is left, errors.
#include "testing.h"
#include <sys/select.h>

static int channel[2];

static int write_late(void) {
    await_blocked(getppid());
    write(channel[1], "x", 1);
    return 0;
}

int main(void) {
    fd_set in, out;
    MUST(pipe(channel));
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(channel[0], &in);
    FD_SET(channel[1], &out);
    struct timeval time = {0, 30000};
    int64_t start = now_ms();
    say_call("only the reading end", syscall(SYS_select, channel[0] + 1, &in, NULL, NULL, &time));
    say_bool("waited", now_ms() - start >= 29);
    say("bit, time left", "%d %d.%06d", !!FD_ISSET(channel[0], &in), (int)time.tv_sec, (int)time.tv_usec);
    FD_SET(channel[0], &in);
    time = (struct timeval){20, 0};
    say_call("both", select(channel[1] + 1, &in, &out, NULL, &time));
    say("bits", "%d %d", !!FD_ISSET(channel[0], &in), !!FD_ISSET(channel[1], &out));
    FD_SET(channel[0], &in);
    time = (struct timeval){20, 0};
    pid_t pid = spawn(write_late);
    say_call("woken by a write", syscall(SYS_select, channel[0] + 1, &in, NULL, NULL, &time));
    say_bool("time is left", time.tv_sec < 20 && time.tv_sec > 2);
    reap(pid);
    time = (struct timeval){0, 20000};
    start = now_ms();
    say_call("as a sleep", select(0, NULL, NULL, NULL, &time));
    say_bool("slept", now_ms() - start >= 19);
    FD_ZERO(&in);
    FD_SET(99, &in);
    time = (struct timeval){0, 0};
    say_call("closed descriptor", select(100, &in, NULL, NULL, &time));
    say_call("beyond the number it is not looked at", select(50, &in, NULL, NULL, &time));
    say_call("negative number", select(-1, NULL, NULL, NULL, &time));
    time.tv_usec = -1;
    say_call("negative time", select(0, NULL, NULL, NULL, &time));
    say_call("bad address", syscall(SYS_select, 10, 8, NULL, NULL, NULL));
    struct timespec wrong = {0, 1000000000}, zero = {0, 0};
    say_call("pselect6 with a bad time", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &wrong, NULL));
    say_call("pselect6", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &zero, NULL));
    FD_ZERO(&in);
    int file = MUST(open("f", O_RDWR | O_CREAT, 0600));
    FD_SET(file, &in);
    FD_ZERO(&out);
    FD_SET(file, &out);
    fd_set except;
    FD_ZERO(&except);
    FD_SET(file, &except);
    say_call("a file in all three sets", select(file + 1, &in, &out, &except, NULL));
    return 0;
}
