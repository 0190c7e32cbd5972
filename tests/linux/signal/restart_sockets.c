// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Restart rules of calls on sockets that block, with and without time limits of the socket's own.
#include "interruption.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static int next_name;

static void pair_of(struct slot *s, int type) {
    int p[2];
    MUST(socketpair(AF_UNIX, type, 0, p));
    s->a = p[0];
    s->b = p[1];
}
static void limit(int fd, int option) {
    struct timeval t = {30, 0};
    MUST(setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t)));
}
static void stream(struct slot *s) {
    pair_of(s, SOCK_STREAM);
}
static void stream_limited(struct slot *s) {
    stream(s);
    limit(s->a, SO_RCVTIMEO);
}
static void packets(struct slot *s) {
    pair_of(s, SOCK_SEQPACKET);
}
static void fill(struct slot *s) {
    static char block[1024];
    MUST(fcntl(s->a, F_SETFL, O_NONBLOCK));
    while (write(s->a, block, sizeof(block)) > 0) {}
    while (write(s->a, block, 1) > 0) {}
    MUST(fcntl(s->a, F_SETFL, 0));
}
static void stream_full(struct slot *s) {
    stream(s);
    fill(s);
}
static void stream_full_limited(struct slot *s) {
    stream_full(s);
    limit(s->a, SO_SNDTIMEO);
}
static void datagrams_full(struct slot *s) {
    pair_of(s, SOCK_DGRAM);
    fill(s);
}
static void datagrams_full_limited(struct slot *s) {
    datagrams_full(s);
    limit(s->a, SO_SNDTIMEO);
}
static void put(struct slot *s) {
    MUST(write(s->b, "x", 1));
}
static void drain(struct slot *s) {
    static char block[65536];
    while (recv(s->b, block, sizeof(block), MSG_DONTWAIT) > 0) {}
}

static struct sockaddr_un name_of(struct slot *s, socklen_t *length) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                          (size_t)sprintf(a.sun_path + 1, "restart-%d", *(int *)s->memory));
    return a;
}
static void listener(struct slot *s) {
    socklen_t length;
    s->memory = malloc(sizeof(int));
    *(int *)s->memory = next_name++;
    struct sockaddr_un a = name_of(s, &length);
    s->a = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    MUST(bind(s->a, (struct sockaddr *)&a, length));
    MUST(listen(s->a, 0));
}
static void listener_limited(struct slot *s) {
    listener(s);
    limit(s->a, SO_RCVTIMEO);
}
static int connector(struct slot *s, bool limited, int flags) {
    socklen_t length;
    struct sockaddr_un a = name_of(s, &length);
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM | flags, 0));
    if (limited)
        limit(fd, SO_SNDTIMEO);
    return connect(fd, (struct sockaddr *)&a, length) == -1 ? -1 : fd;
}
static void connect_one(struct slot *s) {
    s->b = MUST(connector(s, false, 0));
}
static void listener_full(struct slot *s) {
    listener(s);
    s->b = MUST(connector(s, false, SOCK_NONBLOCK));
}
static void accept_one(struct slot *s) {
    close(MUST(accept(s->a, NULL, NULL)));
}

static long call_accept(struct slot *s) {
    return accept(s->a, NULL, NULL);
}
static long call_accept4(struct slot *s) {
    return accept4(s->a, NULL, NULL, SOCK_CLOEXEC);
}
static long call_connect(struct slot *s) {
    return connector(s, false, 0);
}
static long call_connect_limited(struct slot *s) {
    return connector(s, true, 0);
}
static long call_read(struct slot *s) {
    char c[4];
    return read(s->a, c, 4);
}
static long call_recv(struct slot *s) {
    char c[4];
    return recv(s->a, c, 4, 0);
}
static long call_recv_peek(struct slot *s) {
    char c[4];
    return recv(s->a, c, 4, MSG_PEEK);
}
static long call_recvmsg(struct slot *s) {
    char c[4];
    struct iovec v = {c, 4};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    return recvmsg(s->a, &m, 0);
}
static long call_recvmmsg(struct slot *s) {
    char c[4];
    struct iovec v = {c, 4};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
    return syscall(SYS_recvmmsg, s->a, &m, 1, 0, NULL);
}
static long call_write(struct slot *s) {
    return write(s->a, "abc", 3);
}
static long call_send(struct slot *s) {
    return send(s->a, "abc", 3, 0);
}
static long call_sendmsg(struct slot *s) {
    struct iovec v = {"abc", 3};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    return sendmsg(s->a, &m, 0);
}
static long call_sendmmsg(struct slot *s) {
    struct iovec v = {"abc", 3};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
    return syscall(SYS_sendmmsg, s->a, &m, 1, 0);
}

static const struct blocking calls[] = {
    {"accept", listener, call_accept, connect_one, true},
    {"accept4", listener, call_accept4, connect_one, true},
    {"accept with SO_RCVTIMEO", listener_limited, call_accept, connect_one, true},
    {"connect", listener_full, call_connect, accept_one, true},
    {"connect with SO_SNDTIMEO", listener_full, call_connect_limited, accept_one, true},
    {"read", stream, call_read, put, false},
    {"read with SO_RCVTIMEO", stream_limited, call_read, put, false},
    {"recv", stream, call_recv, put, false},
    {"recv with SO_RCVTIMEO", stream_limited, call_recv, put, false},
    {"recv of a packet", packets, call_recv, put, false},
    {"recv to look", stream, call_recv_peek, put, false},
    {"recvmsg", stream, call_recvmsg, put, false},
    {"recvmmsg", stream, call_recvmmsg, put, false},
    {"recvmmsg with SO_RCVTIMEO", stream_limited, call_recvmmsg, put, false},
    {"write", stream_full, call_write, drain, false},
    {"write with SO_SNDTIMEO", stream_full_limited, call_write, drain, false},
    {"send", stream_full, call_send, drain, false},
    {"send with SO_SNDTIMEO", stream_full_limited, call_send, drain, false},
    {"send of a datagram", datagrams_full, call_send, drain, false},
    {"send of a datagram with SO_SNDTIMEO", datagrams_full_limited, call_send, drain, false},
    {"sendmsg", stream_full, call_sendmsg, drain, false},
    {"sendmmsg", stream_full, call_sendmmsg, drain, false},
};

int main(void) {
    interruption_all(calls, COUNT(calls));
    return 0;
}
