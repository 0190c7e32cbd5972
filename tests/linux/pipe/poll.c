// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What poll says of both ends of a pipe in each state.
#include "testing.h"

static char data[65536];

static void show(const char *name, int fd, short events) {
    struct pollfd wanted = {fd, events, 0};
    int ready = poll(&wanted, 1, 0);
    say(name, "%d:%s%s%s%s%s", ready, wanted.revents & POLLIN ? " IN" : "", wanted.revents & POLLOUT ? " OUT" : "",
        wanted.revents & POLLHUP ? " HUP" : "", wanted.revents & POLLERR ? " ERR" : "",
        wanted.revents & POLLNVAL ? " NVAL" : "");
}

int main(void) {
    int channel[2];
    MUST(pipe2(channel, O_NONBLOCK));
    show("empty, reading end", channel[0], POLLIN | POLLOUT);
    show("empty, writing end", channel[1], POLLIN | POLLOUT);
    write(channel[1], "x", 1);
    show("one byte, reading end", channel[0], POLLIN);
    show("one byte, writing end", channel[1], POLLOUT);
    show("asked for nothing", channel[0], 0);
    read(channel[0], data, 1);
    while (write(channel[1], data, sizeof(data)) > 0) {}
    show("full, writing end", channel[1], POLLOUT);
    read(channel[0], data, 100);
    show("full but for 100 bytes, writing end", channel[1], POLLOUT);
    read(channel[0], data, 4096);
    show("full but for a page, writing end", channel[1], POLLOUT);
    int copy = dup(channel[1]);
    close(channel[1]);
    show("one writer closed of two", channel[0], POLLIN);
    close(copy);
    show("no writer, bytes left", channel[0], POLLIN);
    while (read(channel[0], data, sizeof(data)) > 0) {}
    show("no writer, empty", channel[0], POLLIN);
    show("no writer, asked for nothing", channel[0], 0);
    show("closed descriptor", channel[1], POLLIN);
    close(channel[0]);
    MUST(pipe(channel));
    close(channel[0]);
    show("no reader", channel[1], POLLOUT);
    show("no reader, asked for nothing", channel[1], 0);
    return 0;
}
