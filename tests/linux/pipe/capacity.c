// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Pipes: how much goes in, PIPE_BUF atomicity without blocking, F_GETPIPE_SZ and F_SETPIPE_SZ, changing O_NONBLOCK.
#include "testing.h"

static char data[131072];

int main(void) {
    int channel[2];
    MUST(pipe2(channel, O_NONBLOCK));
    say_call("read of an empty pipe", read(channel[0], data, 1));
    say_call("write of more than fits", write(channel[1], data, sizeof(data)));
    say_call("write to a full pipe", write(channel[1], data, 1));
    say_call("large write to a full pipe", write(channel[1], data, 8192));
    say_call("read 4095", read(channel[0], data, 4095));
    say_call("write of 4096 where less is free is all or nothing", write(channel[1], data, 4096));
    say_call("read 1 more", read(channel[0], data, 1));
    say_call("write of 4096 where a page is free", write(channel[1], data, 4096));
    say_call("read 8192", read(channel[0], data, 8192));
    say_call("write of 10000 writes a part", write(channel[1], data, 10000));
    long total = 0;
    ssize_t n;
    while ((n = read(channel[0], data, 1000)) > 0) {
        total += n;
    }
    say("drained", "%ld", total);
    int bytes = 0;
    while (write(channel[1], "x", 1) == 1) {
        bytes++;
    }
    say("single bytes that fit", "%d", bytes);
    say_call("F_GETPIPE_SZ", fcntl(channel[1], F_GETPIPE_SZ));
    say_call("F_SETPIPE_SZ below what is in it", fcntl(channel[1], F_SETPIPE_SZ, 4096));
    while (read(channel[0], data, sizeof(data)) > 0) {}
    say_call("F_SETPIPE_SZ", fcntl(channel[1], F_SETPIPE_SZ, 5000));
    say_call("write", write(channel[1], data, sizeof(data)));
    say_call("F_GETPIPE_SZ of a file", fcntl(MUST(open("f", O_RDWR | O_CREAT, 0600)), F_GETPIPE_SZ));
    while (read(channel[0], data, sizeof(data)) > 0) {}
    MUST(fcntl(channel[0], F_SETFL, 0));
    say("the ends have flags of their own", "%#x %#x", (unsigned)fcntl(channel[0], F_GETFL),
        (unsigned)fcntl(channel[1], F_GETFL));
    close(channel[1]);
    say_call("blocking read at the end", read(channel[0], data, 1));
    return 0;
}
