// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: reading and writing a file that is in memory.
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KILOBYTE = 1000 };

static size_t piece; // bytes of one read or write
static char *buffer;

// What stands at a place of a file: never 0, and another byte in the next page.
static char byte_at(size_t offset) {
    return (char)((offset / 512 + offset) % 255 + 1);
}

static void buffer_make(size_t nominal) {
    piece = bench_draw(nominal, 16);
    buffer = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(buffer != MAP_FAILED);
    (void)madvise(buffer, piece, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < piece; i++) {
        buffer[i] = byte_at(i);
    }
}

static int file_open(void) {
    int fd;

    bench_folder();
    fd = open("file", O_CREAT | O_EXCL | O_RDWR, 0644);
    bench_check(fd >= 0);
    return fd;
}

static uint64_t pread_batch(unsigned n, void *argument) {
    int fd = *(const int *)argument;
    uint64_t start, cost;

    memset(buffer, 0, piece);
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        if (pread(fd, buffer, piece, (off_t)((i % 16) * piece)) != (ssize_t)piece) {
            bench_fail("pread");
        }
    }
    cost = bench_now() - start;
    for (size_t i = 0; i < piece; i++) {
        bench_check(buffer[i] == byte_at(i));
    }
    return cost;
}

static void pread_4k(void) {
    int fd = file_open();

    buffer_make(4096);
    for (int i = 0; i < 16; i++) {
        bench_check(write(fd, buffer, piece) == (ssize_t)piece);
    }
    bench_batches(pread_batch, &fd, 300, 21);
}
BENCH_ROW(pread_4k, BENCH_SCORED, BENCH_PER_OPERATION, "pread of 4 KiB, cached", pread_4k);

// --- in pieces of 64 KiB ------------------------------------------------------------------------------------------------

// n thousands of bytes; the last piece may be smaller. The file holds as many.
static uint64_t read_cached_batch(unsigned n, void *argument) {
    int fd = *(const int *)argument;
    uint64_t start, cost;

    bench_check(lseek(fd, 0, SEEK_SET) == 0);
    start = bench_now();
    for (size_t left = (size_t)n * KILOBYTE; left > 0;) {
        size_t bytes = left < piece ? left : piece;
        buffer[0] = buffer[bytes - 1] = 0;
        if (read(fd, buffer, bytes) != (ssize_t)bytes || buffer[0] != byte_at(0) ||
            buffer[bytes - 1] != byte_at(bytes - 1)) {
            bench_fail("read of a cached file");
        }
        left -= bytes;
    }
    cost = bench_now() - start;
    return cost;
}

static void read_cached_64k(void) {
    int fd = file_open();

    buffer_make(65536);
    for (size_t written = 0; written < 3072 * KILOBYTE; written += piece) { // as many as can be drawn
        bench_check(write(fd, buffer, piece) == (ssize_t)piece);
    }
    bench_batches(read_cached_batch, &fd, 2048, 15);
}
BENCH_ROW(read_cached_64k, BENCH_SCORED, BENCH_PER_KILOBYTE, "a cached file read in 64 KiB pieces", read_cached_64k);

static uint64_t write_cached_batch(unsigned n, void *argument) {
    int fd = *(const int *)argument;
    char last = 0;
    off_t end = (off_t)n * KILOBYTE;
    uint64_t start, cost;

    bench_check(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    start = bench_now();
    for (size_t left = (size_t)end; left > 0;) {
        size_t bytes = left < piece ? left : piece;
        if (write(fd, buffer, bytes) != (ssize_t)bytes) {
            bench_fail("write of a cached file");
        }
        left -= bytes;
    }
    cost = bench_now() - start;
    bench_check(lseek(fd, 0, SEEK_END) == end);
    bench_check(pread(fd, &last, 1, end - 1) == 1 && last == byte_at((size_t)(end - 1) % piece));
    return cost;
}

static void write_cached_64k(void) {
    int fd = file_open();

    buffer_make(65536);
    bench_batches(write_cached_batch, &fd, 2048, 11);
}
BENCH_ROW(write_cached_64k, BENCH_SCORED, BENCH_PER_KILOBYTE, "a new file written in 64 KiB pieces", write_cached_64k);
