// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: names and small files on tmpfs.
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SMALL_MAX = 8192 };

// The row's file: its path, and what is in it.
static const char name[] = "file";
static size_t small; // bytes of a "4 KiB" file
static char block[SMALL_MAX];

static void block_fill(void) {
    small = bench_draw(4096, 16);
    for (size_t i = 0; i < small; i++) {
        block[i] = (char)(i * 7 + i / 256);
    }
}

// Makes the row's file, with the block in it, in a folder of its own.
static void file_make(void) {
    int fd;

    bench_folder();
    block_fill();
    fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
    bench_check(fd >= 0);
    bench_check(write(fd, block, small) == (ssize_t)small);
    bench_check(close(fd) == 0);
}

static uint64_t open_close_batch(unsigned n, void *argument) {
    uint64_t start = bench_now();

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        int fd = open(name, O_RDONLY);
        if (fd < 0 || close(fd) != 0) {
            bench_fail("open and close");
        }
    }
    return bench_now() - start;
}

static void open_close(void) {
    file_make();
    bench_batches(open_close_batch, NULL, 200, 21);
}
BENCH_ROW(open_close, BENCH_SCORED, BENCH_PER_OPERATION, "open and close (tmpfs)", open_close);

static uint64_t stat_batch(unsigned n, void *argument) {
    uint64_t start = bench_now();

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        struct stat st;
        if (stat(name, &st) != 0 || st.st_size != (off_t)small) {
            bench_fail("stat");
        }
    }
    return bench_now() - start;
}

static void stat_run(void) {
    file_make();
    bench_batches(stat_batch, NULL, 300, 21);
}
BENCH_ROW(stat, BENCH_SCORED, BENCH_PER_OPERATION, "stat (tmpfs)", stat_run);

static uint64_t fstat_batch(unsigned n, void *argument) {
    int fd = *(const int *)argument;
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        struct stat st;
        if (fstat(fd, &st) != 0 || st.st_size != (off_t)small) {
            bench_fail("fstat");
        }
    }
    return bench_now() - start;
}

static void fstat_run(void) {
    int fd;

    file_make();
    fd = open(name, O_RDONLY);
    bench_check(fd >= 0);
    bench_batches(fstat_batch, &fd, 500, 21);
}
BENCH_ROW(fstat, BENCH_SCORED, BENCH_PER_OPERATION, "fstat (tmpfs)", fstat_run);

// --- new names ------------------------------------------------------------------------------------------------------------

static void numbered(char *text, size_t capacity, unsigned i) {
    snprintf(text, capacity, "f%u", i);
}

// Files f0 to f(n-1): made (with the time for it), then removed, or the other way round.
static uint64_t names_make(unsigned n) {
    char text[16];
    uint64_t cost = 0;

    for (unsigned i = 0; i < n; i++) {
        numbered(text, sizeof(text), i);
        uint64_t start = bench_now();
        int fd = open(text, O_CREAT | O_EXCL | O_WRONLY, 0644);
        if (fd < 0 || close(fd) != 0) {
            bench_fail("create and close");
        }
        cost += bench_now() - start;
    }
    return cost;
}

static uint64_t names_remove(unsigned n) {
    char text[16];
    uint64_t cost = 0;

    for (unsigned i = 0; i < n; i++) {
        numbered(text, sizeof(text), i);
        uint64_t start = bench_now();
        if (unlink(text) != 0) {
            bench_fail("unlink");
        }
        cost += bench_now() - start;
        if (access(text, F_OK) == 0 || errno != ENOENT) {
            bench_fail("the name is still there");
        }
    }
    return cost;
}

static uint64_t create_close_batch(unsigned n, void *argument) {
    uint64_t cost = names_make(n);

    (void)argument;
    names_remove(n);
    return cost;
}

static void create_close(void) {
    bench_folder();
    bench_batches(create_close_batch, NULL, 50, 15);
}
BENCH_ROW(create_close, BENCH_SCORED, BENCH_PER_OPERATION, "create and close a file (tmpfs)", create_close);

static uint64_t unlink_batch(unsigned n, void *argument) {
    (void)argument;
    names_make(n);
    return names_remove(n);
}

static void unlink_run(void) {
    bench_folder();
    bench_batches(unlink_batch, NULL, 50, 15);
}
BENCH_ROW(unlink, BENCH_SCORED, BENCH_PER_OPERATION, "unlink of an empty file (tmpfs)", unlink_run);

// --- small files, whole -----------------------------------------------------------------------------------------------------

static uint64_t write_file_batch(unsigned n, void *argument) {
    struct stat st;
    uint64_t start = bench_now(), cost;

    (void)argument;
    for (unsigned i = 0; i < n; i++) {
        int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
        if (fd < 0 || write(fd, block, small) != (ssize_t)small || close(fd) != 0) {
            bench_fail("open, write, close");
        }
    }
    cost = bench_now() - start;
    bench_check(stat(name, &st) == 0 && st.st_size == (off_t)small);
    return cost;
}

static void write_file_4k(void) {
    file_make();
    bench_batches(write_file_batch, NULL, 50, 15);
}
BENCH_ROW(write_file_4k, BENCH_SCORED, BENCH_PER_OPERATION, "open, write 4 KiB, close (tmpfs)", write_file_4k);

static uint64_t read_file_batch(unsigned n, void *argument) {
    char in[SMALL_MAX];
    uint64_t start, cost;

    (void)argument;
    memset(in, 0, small);
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        int fd = open(name, O_RDONLY);
        if (fd < 0 || read(fd, in, small) != (ssize_t)small || close(fd) != 0) {
            bench_fail("open, read, close");
        }
    }
    cost = bench_now() - start;
    bench_check(memcmp(in, block, small) == 0);
    return cost;
}

static void read_file_4k(void) {
    file_make();
    bench_batches(read_file_batch, NULL, 100, 15);
}
BENCH_ROW(read_file_4k, BENCH_SCORED, BENCH_PER_OPERATION, "open, read 4 KiB, close (tmpfs)", read_file_4k);
