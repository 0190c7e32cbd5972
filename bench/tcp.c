// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: TCP through the loopback device.
#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KILOBYTE = 1000, BACKLOG = 16 };

static int tcp_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0) {
        bench_none_or_fail("socket of TCP");
    }
    return fd;
}

// A listening socket at a port of its own; its address into *out.
static int listener_open(struct sockaddr_in *out) {
    socklen_t length = sizeof(*out);
    int fd = tcp_socket();

    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bench_check(bind(fd, (struct sockaddr *)out, sizeof(*out)) == 0);
    bench_check(listen(fd, BACKLOG) == 0);
    bench_check(getsockname(fd, (struct sockaddr *)out, &length) == 0);
    return fd;
}

// Two sockets connected to each other, which send at once what they are given.
static void connection_open(int ends[2]) {
    struct sockaddr_in address;
    int listener = listener_open(&address), on = 1;

    ends[0] = tcp_socket();
    bench_check(connect(ends[0], (struct sockaddr *)&address, sizeof(address)) == 0);
    ends[1] = accept(listener, NULL, NULL);
    bench_check(ends[1] >= 0);
    for (int i = 0; i < 2; i++) {
        bench_check(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    }
    close(listener);
}

// --- a round trip -------------------------------------------------------------------------------------------------------

static int trip_echo(void *argument) {
    const int *ends = argument;
    char byte;

    close(ends[0]);
    while (read(ends[1], &byte, 1) == 1) {
        if (write(ends[1], &byte, 1) != 1) {
            return 1;
        }
    }
    return 0;
}

static uint64_t tcp_rtt_batch(unsigned n, void *argument) {
    const int *ends = argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        char out = (char)i, in = (char)~i;
        if (write(ends[0], &out, 1) != 1 || read(ends[0], &in, 1) != 1 || in != out) {
            bench_fail("a byte's way there and back");
        }
    }
    return bench_now() - start;
}

static void tcp_rtt(void) {
    int ends[2];
    pid_t pid;

    connection_open(ends);
    pid = bench_child(trip_echo, ends);
    close(ends[1]);
    bench_settle(tcp_rtt_batch, ends, 50);
    bench_batches(tcp_rtt_batch, ends, 50, 15);
    close(ends[0]);
    bench_reap(pid);
}
BENCH_ROW(tcp_rtt, BENCH_SCORED, BENCH_PER_OPERATION, "TCP loopback round trip, two processes, 1 byte", tcp_rtt);

// --- connecting -----------------------------------------------------------------------------------------------------------

struct server {
    struct sockaddr_in address;
    int listener;
};

static uint64_t tcp_connect_batch(unsigned n, void *argument) {
    const struct server *s = argument;
    struct sockaddr_in peer;
    uint64_t start = bench_now(), cost;

    for (unsigned i = 0; i < n; i++) {
        socklen_t length = sizeof(peer);
        char out = (char)i, in = (char)~i;
        int own = socket(AF_INET, SOCK_STREAM, 0), other;
        if (own < 0 || connect(own, (const struct sockaddr *)&s->address, sizeof(s->address)) != 0) {
            bench_fail("connect");
        }
        other = accept(s->listener, (struct sockaddr *)&peer, &length);
        if (other < 0 || write(own, &out, 1) != 1 || read(other, &in, 1) != 1 || in != out) {
            bench_fail("accept, and a byte through the connection");
        }
        if (close(own) != 0 || close(other) != 0) {
            bench_fail("close");
        }
    }
    cost = bench_now() - start;
    bench_check(peer.sin_family == AF_INET && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && peer.sin_port != 0);
    return cost;
}

static void tcp_connect(void) {
    struct server s;

    s.listener = listener_open(&s.address);
    bench_batches(tcp_connect_batch, &s, 15, 15);
}
BENCH_ROW(tcp_connect, BENCH_SCORED, BENCH_PER_OPERATION, "TCP loopback: connect, accept, one byte, close of both ends",
          tcp_connect);

// --- a stream ---------------------------------------------------------------------------------------------------------------

// Every stretch begins with its length (8 bytes, counted in it) and is answered with one byte when it has come whole.
struct stream {
    int ends[2];
    size_t piece;
    char *buffer;
};

static char byte_at(size_t place) {
    return (char)(place * 7 + place / 256);
}

static bool whole_read(int fd, void *to, size_t size) {
    for (size_t got = 0; got < size;) {
        ssize_t n = read(fd, (char *)to + got, size - got);
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

static int stream_receive(void *argument) {
    const struct stream *s = argument;
    uint64_t length;

    close(s->ends[0]);
    while (whole_read(s->ends[1], &length, sizeof(length))) {
        for (uint64_t place = sizeof(length); place < length;) {
            ssize_t n = read(s->ends[1], s->buffer, length - place < s->piece ? length - place : s->piece);
            if (n <= 0 || s->buffer[0] != byte_at(place % s->piece) ||
                s->buffer[n - 1] != byte_at((place + (size_t)n - 1) % s->piece)) {
                return 1;
            }
            place += (uint64_t)n;
        }
        if (write(s->ends[1], "a", 1) != 1) {
            return 1;
        }
    }
    return 0;
}

// n thousands of bytes.
static uint64_t tcp_64k_batch(unsigned n, void *argument) {
    const struct stream *s = argument;
    uint64_t length = (uint64_t)n * KILOBYTE;
    char answer;
    uint64_t start = bench_now();

    memcpy(s->buffer, &length, sizeof(length));
    for (uint64_t place = 0; place < length;) {
        uint64_t bytes = length - place < s->piece ? length - place : s->piece;
        if (write(s->ends[0], s->buffer, bytes) != (ssize_t)bytes) {
            bench_fail("write to the connection");
        }
        if (place == 0) {
            for (size_t i = 0; i < sizeof(length); i++) {
                s->buffer[i] = byte_at(i);
            }
        }
        place += bytes;
    }
    if (read(s->ends[0], &answer, 1) != 1 || answer != 'a') {
        bench_fail("the stretch was not answered");
    }
    return bench_now() - start;
}

static void tcp_64k(void) {
    struct stream s = {.piece = bench_draw(65536, 16)};
    pid_t pid;

    connection_open(s.ends);
    s.buffer = malloc(s.piece);
    bench_check(s.buffer != NULL);
    for (size_t i = 0; i < s.piece; i++) {
        s.buffer[i] = byte_at(i);
    }
    pid = bench_child(stream_receive, &s);
    close(s.ends[1]);
    bench_batches(tcp_64k_batch, &s, 2048, 11);
    close(s.ends[0]);
    bench_reap(pid);
}
BENCH_ROW(tcp_64k, BENCH_SCORED, BENCH_PER_KILOBYTE, "TCP loopback, two processes, 64 KiB pieces", tcp_64k);
