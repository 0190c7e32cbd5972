// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows beside the scored ones: bandwidth from one process to another, in pieces of 64 KiB, through a pipe and through
// an AF_UNIX stream.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 65536 };

struct stream {
    int to, from; // the data: written by the child, read by us
    int order[2]; // a pipe: how many bytes to send next
};

// The byte at a position of the stream: a page has a byte of its own.
static unsigned char stream_byte(size_t position) {
    return (unsigned char)(position / 4096 % 251 + 1);
}

// Sends as many bytes as each order says, until there are no more orders.
static int stream_send(void *argument) {
    struct stream *stream = argument;
    static unsigned char piece[PIECE];
    size_t bytes;
    close(stream->order[1]);
    close(stream->from);
    while (read(stream->order[0], &bytes, sizeof bytes) == sizeof bytes) {
        for (size_t done = 0; done < bytes;) {
            size_t size = bytes - done < PIECE ? bytes - done : PIECE;
            for (size_t i = 0; i < size; i += 4096)
                piece[i] = stream_byte(done + i);
            for (size_t sent = 0; sent < size;) {
                ssize_t now = write(stream->to, piece + sent, size - sent);
                if (now <= 0)
                    return 1;
                sent += (size_t)now;
            }
            done += size;
        }
    }
    return 0;
}

// Reads n kilobytes, and sees that the first byte of each page is the one that was sent.
static uint64_t stream_batch(unsigned n, void *argument) {
    struct stream *stream = argument;
    static unsigned char piece[PIECE];
    size_t bytes = (size_t)n * 1000, done = 0;
    uint64_t begin = bench_now();
    bench_check(write(stream->order[1], &bytes, sizeof bytes) == sizeof bytes);
    while (done < bytes) {
        ssize_t got = read(stream->from, piece, bytes - done < PIECE ? bytes - done : PIECE);
        bench_check(got > 0);
        for (size_t i = (4096 - done % 4096) % 4096; i < (size_t)got; i += 4096)
            bench_check(piece[i] == stream_byte(done + i));
        done += (size_t)got;
    }
    return bench_now() - begin;
}

static void stream_run(struct stream *stream) {
    bench_check(pipe(stream->order) == 0);
    pid_t child = bench_child(stream_send, stream);
    close(stream->order[0]);
    close(stream->to);
    bench_settle(stream_batch, stream, 2048);
    bench_batches(stream_batch, stream, 2048, 11);
    close(stream->order[1]);
    bench_reap(child);
}

static void pipe_bandwidth_run(void) {
    int ends[2];
    bench_check(pipe(ends) == 0);
    stream_run(&(struct stream){.to = ends[1], .from = ends[0]});
}
BENCH_ROW(pipe_bandwidth, BENCH_SHOWN, BENCH_PER_KILOBYTE, "pipe, two processes, 64 KiB pieces", pipe_bandwidth_run);

static void unix_bandwidth_run(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        bench_none_or_fail("socketpair");
    stream_run(&(struct stream){.to = ends[1], .from = ends[0]});
}
BENCH_ROW(unix_bandwidth, BENCH_SHOWN, BENCH_PER_KILOBYTE, "AF_UNIX stream, two processes, 64 KiB pieces",
          unix_bandwidth_run);
