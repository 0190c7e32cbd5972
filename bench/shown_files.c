// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows beside the scored ones: reading a folder of 1,000 names, a path 8 folders deep, a vectored write.
#define _GNU_SOURCE
#include "bench.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// --- getdents --------------------------------------------------------------------------------------------------------

struct listing {
    int folder;
    size_t names;
    uint64_t numbers; // the sum of the numbers that the names are
};

// The start of the kernel's struct linux_dirent64.
struct listing_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
} __attribute__((packed));

// Reads the whole folder once, and adds up what it saw.
static void listing_read(struct listing *listing, size_t *out_names, uint64_t *out_numbers) {
    static char buffer[32768] __attribute__((aligned(16)));
    *out_names = 0;
    *out_numbers = 0;
    bench_check(lseek(listing->folder, 0, SEEK_SET) == 0);
    for (;;) {
        long got = syscall(SYS_getdents64, listing->folder, buffer, sizeof buffer);
        bench_check(got >= 0);
        if (got == 0)
            return;
        for (long at = 0; at < got;) {
            const struct listing_entry *entry = (const struct listing_entry *)(buffer + at);
            if (entry->name[0] != '.') {
                ++*out_names;
                for (const char *digit = entry->name + 4; *digit; digit++)
                    *out_numbers += (uint64_t)*digit;
            }
            at += entry->size;
        }
    }
}

static uint64_t getdents_batch(unsigned n, void *argument) {
    struct listing *listing = argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        size_t names;
        uint64_t numbers;
        listing_read(listing, &names, &numbers);
        bench_check(names == listing->names && numbers == listing->numbers);
    }
    return bench_now() - begin;
}

static void getdents_1000_run(void) {
    struct listing listing = {.names = bench_draw(1000, 1)};
    bench_folder();
    for (size_t i = 0; i < listing.names; i++) {
        char name[32];
        snprintf(name, sizeof name, "file%zu", i);
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
        bench_check(fd >= 0 && close(fd) == 0);
        for (const char *digit = name + 4; *digit; digit++)
            listing.numbers += (uint64_t)*digit;
    }
    listing.folder = open(".", O_RDONLY | O_DIRECTORY);
    bench_check(listing.folder >= 0);
    bench_batches(getdents_batch, &listing, 10, 21);
    close(listing.folder);
}
BENCH_ROW(getdents_1000, BENCH_SHOWN, BENCH_PER_OPERATION, "read a folder of 1,000 names with getdents64",
          getdents_1000_run);

// --- path walk -------------------------------------------------------------------------------------------------------

static uint64_t path_walk_batch(unsigned n, void *argument) {
    const char *path = argument;
    struct stat status;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        status.st_size = -1;
        bench_check(stat(path, &status) == 0 && status.st_size == 5);
    }
    return bench_now() - begin;
}

static void path_walk_8_run(void) {
    char path[128] = "";
    bench_folder();
    for (int i = 0; i < 8; i++) {
        sprintf(path + strlen(path), "%sfolder%d", i ? "/" : "", i);
        bench_check(mkdir(path, 0755) == 0);
    }
    strcat(path, "/file");
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
    bench_check(fd >= 0 && write(fd, "12345", 5) == 5 && close(fd) == 0);
    bench_batches(path_walk_batch, path, 1000, 21);
}
BENCH_ROW(path_walk_8, BENCH_SHOWN, BENCH_PER_OPERATION, "stat of a file under 8 folders", path_walk_8_run);

// --- writev ----------------------------------------------------------------------------------------------------------

enum { PIECES = 8, PIECE_SIZE = 512 };

// Every write lands at the beginning: the file keeps its size and its pages.
static uint64_t writev_batch(unsigned n, void *argument) {
    int fd = *(int *)argument;
    static char pieces[PIECES][PIECE_SIZE], back[PIECES][PIECE_SIZE];
    struct iovec vector[PIECES];
    for (int i = 0; i < PIECES; i++) {
        memset(pieces[i], pieces[i][0] + i + 1, PIECE_SIZE); // other bytes in each batch
        vector[i] = (struct iovec){.iov_base = pieces[i], .iov_len = PIECE_SIZE};
    }
    uint64_t cost = 0;
    for (unsigned done = 0; done < n;) {
        bench_check(lseek(fd, 0, SEEK_SET) == 0);
        uint64_t begin = bench_now();
        for (unsigned i = 0; i < 64 && done < n; i++, done++)
            bench_check(writev(fd, vector, PIECES) == PIECES * PIECE_SIZE);
        cost += bench_now() - begin;
    }
    bench_check(pread(fd, back, sizeof back, 0) == sizeof back && memcmp(back, pieces, sizeof back) == 0);
    return cost;
}

static void writev_8_run(void) {
    bench_folder();
    int fd = open("file", O_CREAT | O_EXCL | O_RDWR, 0644);
    bench_check(fd >= 0);
    bench_batches(writev_batch, &fd, 640, 21);
    close(fd);
}
BENCH_ROW(writev_8, BENCH_SHOWN, BENCH_PER_OPERATION, "writev of 8 pieces of 512 bytes into a cached file",
          writev_8_run);
