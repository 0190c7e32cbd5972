// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// MSG_OOB on streams: the mark, reading before, at and behind it, SO_OOBINLINE, SIGURG, poll.
#include "sockets.h"

#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif

static int ends[2];
static volatile int urgent;
static void on_urgent(int signal MAYBE_UNUSED) {
    urgent++;
}

static void say_mark(const char *what) {
    int at = -1;
    if (ioctl(ends[1], SIOCATMARK, &at) == -1) {
        say(what, "%s", error_name(errno));
    } else {
        say(what, "%d", at);
    }
}

static void again(void) {
    close(ends[0]);
    close(ends[1]);
    pair(SOCK_STREAM, ends);
}

int main(void) {
    int on = 1, count;
    signal(SIGURG, on_urgent);
    pair(SOCK_STREAM, ends);
    say_receive("none there", ends[1], 1, MSG_OOB);
    say_mark("mark of an empty queue");
    say_call("send nothing urgent", send(ends[0], "", 0, MSG_OOB));
    say_call("send", send(ends[0], "abcU", 4, MSG_OOB));
    say("SIGURG without an owner", "%d", urgent);
    say_poll("poll", ends[1]);
    say_call("FIONREAD", (ioctl(ends[1], FIONREAD, &count), count));
    say_mark("mark");
    send(ends[0], "def", 3, 0);
    say_receive("a read stops before it", ends[1], 20, 0);
    say_mark("mark");
    say_receive("the urgent byte, peeked", ends[1], 5, MSG_OOB | MSG_PEEK);
    say_receive("the urgent byte", ends[1], 5, MSG_OOB);
    say_receive("again", ends[1], 5, MSG_OOB);
    say_receive("behind it", ends[1], 20, 0);
    say_mark("mark");

    again();
    send(ends[0], "abU", 3, MSG_OOB);
    send(ends[0], "cd", 2, 0);
    say_receive("before", ends[1], 20, 0);
    say_receive("a read that begins at it jumps over it", ends[1], 20, MSG_DONTWAIT);
    say_receive("then it is gone", ends[1], 5, MSG_OOB);

    again();
    send(ends[0], "a1", 2, MSG_OOB);
    send(ends[0], "b2", 2, MSG_OOB);
    say_receive("the second is the mark, the first is data", ends[1], 20, 0);
    say_receive("the urgent byte", ends[1], 5, MSG_OOB);

    again();
    setsockopt(ends[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    send(ends[0], "abU", 3, MSG_OOB);
    send(ends[0], "cd", 2, 0);
    say_receive("inline: MSG_OOB", ends[1], 5, MSG_OOB);
    say_receive("inline: a read", ends[1], 20, 0);
    say_mark("mark");
    say_receive("inline: from the mark on", ends[1], 20, 0);

    again();
    urgent = 0;
    fcntl(ends[1], F_SETOWN, getpid());
    send(ends[0], "U", 1, MSG_OOB);
    say("SIGURG", "%d", urgent);
    int owner = 0;
    say_call("FIOGETOWN", ioctl(ends[1], 0x8903, &owner));
    say_bool("it is us", owner == getpid());
    owner = 0;
    say_call("FIOSETOWN", ioctl(ends[1], 0x8901, &owner));
    send(ends[0], "U", 1, MSG_OOB);
    say("SIGURG when nobody owns it", "%d", urgent);
    shutdown(ends[1], SHUT_RD);
    say_call("to one that reads no more", send(ends[0], "U", 1, MSG_OOB | MSG_NOSIGNAL));
    return 0;
}
