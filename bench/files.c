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

static char folder[48];                   // the row's, from the root
static const char name[] = "folder/file"; // the file of the rows that need one only
static size_t small;                      // bytes of a "4 KiB" file
static char block[SMALL_MAX];

static void block_fill(void) {
    small = bench_draw(4096, 16);
    for (size_t i = 0; i < small; i++) {
        block[i] = (char)(i * 7 + i / 256);
    }
}

static void folder_make(void) {
    bench_folder();
    bench_check(getcwd(folder, sizeof(folder)) != NULL);
}

// Makes the row's file, with the block in it, in a folder of its own.
static void file_make(void) {
    int fd;

    folder_make();
    bench_check(mkdir("folder", 0755) == 0);
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

// --- many files -------------------------------------------------------------------------------------------------------------

// The rows below go through files f0 to f(n-1), a batch each. A step does one thing with one of them.
typedef bool (*step_t)(const char *path);

static bool step_create(const char *path) {
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
    return fd >= 0 && close(fd) == 0;
}

static bool step_write(const char *path) {
    int fd = open(path, O_WRONLY | O_TRUNC);
    return fd >= 0 && write(fd, block, small) == (ssize_t)small && close(fd) == 0;
}

static char in[SMALL_MAX];

static bool step_read(const char *path) {
    int fd = open(path, O_RDONLY);
    return fd >= 0 && read(fd, in, small) == (ssize_t)small && close(fd) == 0;
}

static bool step_unlink(const char *path) {
    return unlink(path) == 0;
}

// The time for the step with each of n files. Naming them is part of it, some 1,200 instructions of the C library, as in the published table.
static uint64_t files_each(unsigned n, step_t step, const char *what) {
    uint64_t start = bench_now();

    for (unsigned i = 0; i < n; i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/f%u", folder, i);
        if (!step(path)) {
            bench_fail(what);
        }
    }
    return bench_now() - start;
}

// The step with each of n files, outside the measurement: without reading the clock, so that an observer outside the machine can tell.
static void files_do(unsigned n, step_t step, const char *what) {
    char path[64];

    for (unsigned i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/f%u", folder, i);
        if (!step(path)) {
            bench_fail(what);
        }
    }
}

// That each of n files has so many bytes; -1: that none is there.
static void files_check(unsigned n, off_t size) {
    char path[64];
    struct stat st;

    for (unsigned i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/f%u", folder, i);
        errno = 0;
        int result = stat(path, &st);
        bench_check(size < 0 ? result != 0 && errno == ENOENT : result == 0 && st.st_size == size);
    }
}

static uint64_t create_close_batch(unsigned n, void *argument) {
    uint64_t cost = files_each(n, step_create, "create and close");

    (void)argument;
    files_check(n, 0);
    files_do(n, step_unlink, "unlink");
    return cost;
}

static void create_close(void) {
    folder_make();
    bench_batches(create_close_batch, NULL, 50, 15);
}
BENCH_ROW(create_close, BENCH_SCORED, BENCH_PER_OPERATION, "create and close a file (tmpfs)", create_close);

static uint64_t write_file_batch(unsigned n, void *argument) {
    uint64_t cost;

    (void)argument;
    files_do(n, step_create, "create and close");
    cost = files_each(n, step_write, "open, write, close");
    files_check(n, (off_t)small);
    files_do(n, step_unlink, "unlink");
    return cost;
}

static void write_file_4k(void) {
    folder_make();
    block_fill();
    bench_batches(write_file_batch, NULL, 50, 15);
}
BENCH_ROW(write_file_4k, BENCH_SCORED, BENCH_PER_OPERATION, "open an empty file, write 4 KiB, close (tmpfs)",
          write_file_4k);

static uint64_t read_file_batch(unsigned n, void *argument) {
    uint64_t cost;

    (void)argument;
    files_do(n, step_create, "create and close");
    files_do(n, step_write, "open, write, close");
    memset(in, 0, small);
    cost = files_each(n, step_read, "open, read, close");
    bench_check(memcmp(in, block, small) == 0);
    files_do(n, step_unlink, "unlink");
    return cost;
}

static void read_file_4k(void) {
    folder_make();
    block_fill();
    bench_batches(read_file_batch, NULL, 50, 15);
}
BENCH_ROW(read_file_4k, BENCH_SCORED, BENCH_PER_OPERATION, "open, read 4 KiB, close (tmpfs)", read_file_4k);

static uint64_t unlink_batch(unsigned n, void *argument) {
    uint64_t cost;

    (void)argument;
    files_do(n, step_create, "create and close");
    files_do(n, step_write, "open, write, close");
    cost = files_each(n, step_unlink, "unlink");
    files_check(n, -1);
    return cost;
}

static void unlink_run(void) {
    folder_make();
    block_fill();
    bench_batches(unlink_batch, NULL, 50, 15);
}
BENCH_ROW(unlink, BENCH_SCORED, BENCH_PER_OPERATION, "unlink of a file of 4 KiB (tmpfs)", unlink_run);
