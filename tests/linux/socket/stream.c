// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// AF_UNIX streams: bytes, ends, peeks, waits, half closes, resets, how much fits.
#include "sockets.h"

static char large[1 << 20];
static int ends[2];

static int pipes_seen;
static void on_pipe(int signal MAYBE_UNUSED) {
    pipes_seen++;
}

static int write_late(void) {
    await_blocked(getppid());
    send(ends[1], "late", 4, 0);
    return 0;
}
static int close_late(void) {
    close(ends[0]);
    await_blocked(getppid());
    close(ends[1]);
    return 0;
}
static int pieces_late(void) {
    await_blocked(getppid());
    send(ends[1], "one", 3, 0);
    await_blocked(getppid());
    send(ends[1], "two", 3, 0);
    return 0;
}
static int drain(void) {
    long sum = 0;
    ssize_t n;
    close(ends[1]);
    while ((n = recv(ends[0], large, 5000, 0)) > 0) {
        sum += n;
    }
    return sum == (long)sizeof(large) ? 0 : 1;
}

static void bytes(void) {
    int count;
    char buffer[64];
    pair(SOCK_STREAM, ends);
    say_call("send", send(ends[0], "abcdef", 6, 0));
    say_call("write", write(ends[0], "ghi", 3));
    say_call("FIONREAD", (ioctl(ends[1], FIONREAD, &count), count));
    say_receive("peek 4", ends[1], 4, MSG_PEEK);
    say_receive("peek past one message", ends[1], 8, MSG_PEEK);
    say_receive("recv 4", ends[1], 4, 0);
    say_call("FIONREAD after it", (ioctl(ends[1], FIONREAD, &count), count));
    say_receive("recv of the rest of two messages", ends[1], 50, 0);
    say_receive("nothing left", ends[1], 50, MSG_DONTWAIT);
    say_receive("MSG_WAITALL with MSG_DONTWAIT", ends[1], 50, MSG_DONTWAIT | MSG_WAITALL);
    pid_t pid = spawn(write_late);
    say_receive("recv waits", ends[0], 50, 0);
    reap(pid);
    pid = spawn(pieces_late);
    say_receive("MSG_WAITALL waits for all", ends[0], 6, MSG_WAITALL);
    reap(pid);
    send(ends[0], "0123456789", 10, MSG_MORE);
    say_receive("MSG_TRUNC cuts nothing", ends[1], 4, MSG_TRUNC);
    say_receive("the rest", ends[1], 20, 0);
    say_call("send of nothing", send(ends[0], "", 0, 0));
    say_call("write of nothing", write(ends[0], "", 0));
    say_receive("came as nothing", ends[1], 5, MSG_DONTWAIT);
    say_call("send from a bad address", send(ends[0], (void *)8, 5, 0));
    struct iovec parts[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    say_call("writev", writev(ends[0], parts, 3));
    struct iovec into[2] = {{buffer, 1}, {buffer + 10, 3}};
    say_call("readv", readv(ends[1], into, 2));
    say("bytes", "%c %.3s", buffer[0], buffer + 10);
    say_call("recv to a bad address", recv(ends[1], (void *)8, 5, 0));
    say_receive("it is still there", ends[1], 5, 0);
    send(ends[0], "xyz", 3, 0);
    say_call("recv to a page whose end is bad", ({
                 char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                 munmap(p + PAGE, PAGE);
                 recv(ends[1], p + PAGE - 1, 3, 0);
             }));
    say_receive("it is still there", ends[1], 5, 0);
    say_call("send with an address when connected", send_to(ends[0], "x", "@nobody"));
    say_call("recv with unknown flags", recv(ends[1], buffer, 1, MSG_DONTWAIT | 0x800000));
    struct sockaddr_un a;
    socklen_t length = sizeof(a);
    send(ends[0], "q", 1, 0);
    say_call("recvfrom", recvfrom(ends[1], buffer, 5, 0, (struct sockaddr *)&a, &length));
    say("tells no name", "%u", (unsigned)length);
    close(ends[0]);
    close(ends[1]);
}

static void ends_of(void) {
    char buffer[8];
    pair(SOCK_STREAM, ends);
    send(ends[0], "left", 4, 0);
    close(ends[0]);
    say_receive("what was sent before the close", ends[1], 20, 0);
    say_receive("then the end", ends[1], 20, 0);
    say_receive("and again", ends[1], 20, 0);
    say_call("send to a closed peer", send(ends[1], "x", 1, 0));
    say("SIGPIPE", "%d", pipes_seen);
    say_call("write to a closed peer", write(ends[1], "x", 1));
    say("SIGPIPE", "%d", pipes_seen);
    say_call("MSG_NOSIGNAL", send(ends[1], "x", 1, MSG_NOSIGNAL));
    say("SIGPIPE", "%d", pipes_seen);
    say_call("send of nothing to a closed peer", send(ends[1], "x", 0, 0));
    say("SIGPIPE", "%d", pipes_seen);
    close(ends[1]);

    pair(SOCK_STREAM, ends);
    send(ends[0], "unread", 6, 0);
    send(ends[1], "mine", 4, 0);
    close(ends[1]);
    say_receive("the peer closed with unread bytes: what it sent", ends[0], 20, 0);
    say_receive("then the reset", ends[0], 20, 0);
    say_receive("then the end", ends[0], 20, 0);
    close(ends[0]);
    pair(SOCK_STREAM, ends);
    send(ends[0], "unread", 6, 0);
    close(ends[1]);
    int value;
    socklen_t length = sizeof(value);
    getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &value, &length);
    say("SO_ERROR", "%s", error_name(value));
    getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &value, &length);
    say("SO_ERROR again", "%d", value);
    close(ends[0]);
    pair(SOCK_STREAM, ends);
    send(ends[0], "unread", 6, 0);
    close(ends[1]);
    say_call("send after a reset", send(ends[0], "x", 1, MSG_NOSIGNAL));
    say_call("and again", send(ends[0], "x", 1, MSG_NOSIGNAL));
    close(ends[0]);

    pair(SOCK_STREAM, ends);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(close_late());
    }
    close(ends[1]);
    say_call("a reader is woken by the close", recv(ends[0], buffer, 1, 0));
    reap(pid);
    close(ends[0]);
}

static void halves(void) {
    char buffer[8];
    pair(SOCK_STREAM, ends);
    say_call("shutdown of how 3", shutdown(ends[0], 3));
    say_call("shutdown of how -1", shutdown(ends[0], -1));
    send(ends[0], "before", 6, 0);
    say_call("SHUT_WR", shutdown(ends[0], SHUT_WR));
    say_call("send after it", send(ends[0], "x", 1, MSG_NOSIGNAL));
    say_receive("the other reads what was sent", ends[1], 20, 0);
    say_receive("then the end", ends[1], 20, 0);
    say_call("the other way is open", send(ends[1], "back", 4, 0));
    say_receive("and works", ends[0], 20, 0);
    say_call("SHUT_WR again", shutdown(ends[0], SHUT_WR));
    say_call("SHUT_RD too", shutdown(ends[0], SHUT_RD));
    say_call("the other cannot send", send(ends[1], "x", 1, MSG_NOSIGNAL));
    say_receive("reading gives the end", ends[0], 20, 0);
    close(ends[0]);
    close(ends[1]);
    pair(SOCK_STREAM, ends);
    send(ends[1], "there", 5, 0);
    shutdown(ends[0], SHUT_RD);
    say_receive("SHUT_RD leaves what is there", ends[0], 20, 0);
    say_receive("then the end", ends[0], 20, 0);
    close(ends[0]);
    close(ends[1]);
    pair(SOCK_STREAM, ends);
    send(ends[1], "there", 5, 0);
    say_call("SHUT_RDWR", shutdown(ends[0], SHUT_RDWR));
    say_call("recv after it", recv(ends[0], buffer, 5, 0));
    say_call("send after it", send(ends[0], buffer, 5, MSG_NOSIGNAL));
    say_call("the other's recv", recv(ends[1], buffer, 5, 0));
    say_call("the other's send", send(ends[1], buffer, 5, MSG_NOSIGNAL));
    close(ends[0]);
    close(ends[1]);
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("shutdown unconnected", shutdown(fd, SHUT_RD));
    say_call("recv unconnected", recv(fd, buffer, 1, 0));
    say_call("send unconnected", send(fd, buffer, 1, MSG_NOSIGNAL));
    say_call("sendto of an unconnected stream", send_to(fd, "x", "@nobody"));
    close(fd);
}

static void room(void) {
    pair(SOCK_STREAM, ends);
    int count = 0;
    ssize_t n;
    while (send(ends[0], "x", 1, MSG_DONTWAIT) == 1) {
        count++;
    }
    say("single bytes that fit", "%d %s", count, error_name(errno));
    say_call("TIOCOUTQ", (ioctl(ends[0], TIOCOUTQ, &count), count));
    count = 0;
    while ((n = recv(ends[1], large, 100, MSG_DONTWAIT)) > 0) {
        count += (int)n;
    }
    say("read back", "%d", count);
    say_call("TIOCOUTQ when all is read", (ioctl(ends[0], TIOCOUTQ, &count), count));
    say_call("large send without waiting", send(ends[0], large, sizeof(large), MSG_DONTWAIT));
    say_call("FIONREAD", (ioctl(ends[1], FIONREAD, &count), count));
    say_call("TIOCOUTQ", (ioctl(ends[0], TIOCOUTQ, &count), count));
    say_call("more", send(ends[0], large, 1, MSG_DONTWAIT));
    close(ends[0]);
    close(ends[1]);
    static const int sizes[] = {1, 64, 65, 1000, 3776, 3777, 4096, 10000, 36544, 36545, 100000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char what[40];
        pair(SOCK_STREAM, ends);
        send(ends[0], large, (size_t)sizes[i], MSG_DONTWAIT);
        ioctl(ends[0], TIOCOUTQ, &count);
        snprintf(what, sizeof(what), "what %d bytes take", sizes[i]);
        say(what, "%d", count);
        close(ends[0]);
        close(ends[1]);
    }
    pair(SOCK_STREAM, ends);
    pid_t pid = spawn(drain);
    close(ends[0]);
    say_call("send of more than fits waits", send(ends[1], large, sizeof(large), 0));
    close(ends[1]);
    say("the reader got all", "%s", status_text(reap(pid)));
}

int main(void) {
    signal(SIGPIPE, on_pipe);
    bytes();
    ends_of();
    halves();
    room();
    return 0;
}
