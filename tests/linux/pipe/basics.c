// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Pipes: order of bytes, ends, EPIPE, blocking until the other side acts, flags of pipe2.
#include "testing.h"
#include <sys/ioctl.h>

static int channel[2];

static int write_late(void) {
    await_blocked(getppid());
    write(channel[1], "late", 4);
    return 0;
}

static int close_late(void) {
    close(channel[0]);
    await_blocked(getppid());
    return 0;
}

static int read_all(void) {
    char buffer[4096];
    ssize_t n;
    long total = 0;
    close(channel[1]);
    while ((n = read(channel[0], buffer, sizeof(buffer))) > 0) {
        total += n;
    }
    return total == 1000000 ? 0 : 1;
}

int main(void) {
    char buffer[64] = "";
    int count = 0;
    signal(SIGPIPE, SIG_IGN);
    say_call("pipe", pipe(channel));
    say_call("write", write(channel[1], "abc", 3));
    say_call("write", write(channel[1], "defg", 4));
    say_call("FIONREAD", (ioctl(channel[0], FIONREAD, &count), count));
    say_call("read gives what is there", read(channel[0], buffer, 5));
    say("bytes", "%.5s", buffer);
    say_call("the rest", read(channel[0], buffer, 50));
    pid_t pid = spawn(write_late);
    say_call("read waits", read(channel[0], buffer, 50));
    reap(pid);

    write(channel[1], "end", 3);
    close(channel[1]);
    say_call("after the writer has closed: what is left", read(channel[0], buffer, 50));
    say_call("then the end", read(channel[0], buffer, 50));
    say_call("and again", read(channel[0], buffer, 50));
    close(channel[0]);

    MUST(pipe(channel));
    close(channel[0]);
    say_call("write without a reader", write(channel[1], "x", 1));
    close(channel[1]);

    MUST(pipe(channel));
    pid = fork();
    if (pid == 0) {
        _exit(close_late());
    }
    close(channel[1]);
    say_call("a reader is woken by the last close", read(channel[0], buffer, 1));
    reap(pid);
    close(channel[0]);

    MUST(pipe(channel));
    pid = spawn(read_all);
    close(channel[0]);
    static char large[100000];
    for (int i = 0; i < 10; i++) {
        say_call("write larger than the pipe", write(channel[1], large, sizeof(large)));
    }
    close(channel[1]);
    say("the reader got all", "%s", status_text(reap(pid)));

    say_call("pipe2 O_NONBLOCK O_CLOEXEC", pipe2(channel, O_NONBLOCK | O_CLOEXEC));
    say("flags", "%#x %d", (unsigned)fcntl(channel[0], F_GETFL), fcntl(channel[1], F_GETFD));
    say("flags of the writing end", "%#x", (unsigned)fcntl(channel[1], F_GETFL));
    say_call("pipe2 with an unknown flag", syscall(SYS_pipe2, channel, O_APPEND));
    say_call("pipe at a bad address", syscall(SYS_pipe, 8));
    return 0;
}
