// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: AF_UNIX sockets and UDP through the loopback device.
#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// --- a round trip -------------------------------------------------------------------------------------------------------

struct trip {
    int own, peer; // connected to each other
};

enum { STOP = 255 }; // the byte that ends the other process

static int trip_echo(void *argument) {
    const struct trip *t = argument;
    unsigned char byte;

    for (;;) {
        if (recv(t->peer, &byte, 1, 0) != 1) {
            return 1;
        }
        if (byte == STOP) {
            return 0;
        }
        if (send(t->peer, &byte, 1, 0) != 1) {
            return 1;
        }
    }
}

static uint64_t trip_batch(unsigned n, void *argument) {
    const struct trip *t = argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        unsigned char out = i % STOP, in = (unsigned char)~out;
        if (send(t->own, &out, 1, 0) != 1 || recv(t->own, &in, 1, 0) != 1 || in != out) {
            bench_fail("a byte's way there and back");
        }
    }
    return bench_now() - start;
}

static void trip_run(struct trip *t) {
    static const unsigned char stop = STOP;
    pid_t pid = bench_child(trip_echo, t);

    bench_settle(trip_batch, t, 100);
    bench_batches(trip_batch, t, 100, 15);
    bench_check(send(t->own, &stop, 1, 0) == 1);
    bench_reap(pid);
}

static void pair_open(int type, int ends[2]) {
    if (socketpair(AF_UNIX, type, 0, ends) != 0) {
        bench_none_or_fail("socketpair of AF_UNIX");
    }
}

static void unix_run(int type) {
    int ends[2];

    pair_open(type, ends);
    trip_run(&(struct trip){.own = ends[0], .peer = ends[1]});
}

static void unix_stream_rtt(void) {
    unix_run(SOCK_STREAM);
}
BENCH_ROW(unix_stream_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "AF_UNIX stream round trip, two processes",
          unix_stream_rtt);

static void unix_dgram_rtt(void) {
    unix_run(SOCK_DGRAM);
}
BENCH_ROW(unix_dgram_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "AF_UNIX datagram round trip, two processes",
          unix_dgram_rtt);

// --- UDP ------------------------------------------------------------------------------------------------------------------

// A socket at a port of its own on the loopback address; its address into *out.
static int udp_open(struct sockaddr_in *out) {
    socklen_t length = sizeof(*out);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0) {
        bench_none_or_fail("socket of UDP");
    }
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bench_check(bind(fd, (struct sockaddr *)out, sizeof(*out)) == 0);
    bench_check(getsockname(fd, (struct sockaddr *)out, &length) == 0);
    return fd;
}

static void udp_rtt(void) {
    struct sockaddr_in own, peer;
    struct trip t = {.own = udp_open(&own), .peer = udp_open(&peer)};

    bench_check(connect(t.own, (struct sockaddr *)&peer, sizeof(peer)) == 0);
    bench_check(connect(t.peer, (struct sockaddr *)&own, sizeof(own)) == 0);
    trip_run(&t);
}
BENCH_ROW(udp_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "UDP loopback round trip, two processes", udp_rtt);

// --- a descriptor -----------------------------------------------------------------------------------------------------------

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

static void fd_send(int socket, int fd) {
    char byte = 'f';
    union control c = {
        .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};

    memcpy(CMSG_DATA(&c.header), &fd, sizeof(fd));
    if (sendmsg(socket, &message, 0) != 1) {
        bench_none_or_fail("sendmsg of a descriptor");
    }
}

static int fd_receive(int socket) {
    char byte;
    union control c;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
    int fd;

    if (recvmsg(socket, &message, 0) != 1 || message.msg_controllen < CMSG_LEN(sizeof(int)) ||
        c.header.cmsg_type != SCM_RIGHTS) {
        bench_fail("recvmsg of a descriptor");
    }
    memcpy(&fd, CMSG_DATA(&c.header), sizeof(fd));
    return fd;
}

static uint64_t fd_pass_batch(unsigned n, void *argument) {
    const int *ends = argument; // two sockets and what is passed
    struct stat a, b;
    int fd = -1;
    uint64_t start = bench_now(), cost;

    for (unsigned i = 0; i < n; i++) {
        fd_send(ends[0], ends[2]);
        fd = fd_receive(ends[1]);
        if (fd < 0 || (i + 1 < n && close(fd) != 0)) {
            bench_fail("the descriptor that came");
        }
    }
    cost = bench_now() - start;
    bench_check(fstat(fd, &a) == 0 && fstat(ends[2], &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    bench_check(close(fd) == 0);
    return cost;
}

static void unix_fd_pass(void) {
    int ends[3], passed[2];

    pair_open(SOCK_STREAM, ends);
    bench_check(pipe(passed) == 0);
    ends[2] = passed[0];
    bench_batches(fd_pass_batch, ends, 100, 15);
}
BENCH_ROW(unix_fd_pass, BENCH_SCORED, BENCH_PER_OPERATION, "descriptor passed over AF_UNIX, received and closed",
          unix_fd_pass);
