// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// How open, stat, create and unlink grow with the number of names in a folder.
#define _GNU_SOURCE
#include "scale.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 32, NAMES_DRAWN = 997 };

// Names of the folder, spread over it; a batch takes one after the other.
struct names {
    char name[NAMES_DRAWN][NAME_SIZE];
    off_t size[NAMES_DRAWN]; // of each file
};

static void file_create(const char *name, size_t size) {
    int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
    bench_check(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && close(fd) == 0);
}

// A folder with as many names: file i has i bytes (none of them written).
static struct names *folder_fill(size_t count) {
    static struct names names;
    char name[NAME_SIZE];
    bench_folder();
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "name%zu", i);
        file_create(name, i);
    }
    for (size_t i = 0; i < NAMES_DRAWN; i++) {
        size_t which = i * 7919 % count;
        snprintf(names.name[i], NAME_SIZE, "name%zu", which);
        names.size[i] = (off_t)which;
    }
    return &names;
}

// --- open and stat ----------------------------------------------------------------------------------------------------

static uint64_t open_batch(unsigned n, void *argument) {
    struct names *names = argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        int fd = open(names->name[i % NAMES_DRAWN], O_RDONLY);
        bench_check(fd >= 0 && close(fd) == 0);
    }
    return bench_now() - begin;
}

static void open_run(size_t count) {
    bench_batches(open_batch, folder_fill(count), 500, 21);
}
SCALE_ROWS(folder_open_close, "open and close of a file in a folder of ", " names", open_run);

static uint64_t stat_batch(unsigned n, void *argument) {
    struct names *names = argument;
    struct stat status;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        status.st_size = -1;
        bench_check(stat(names->name[i % NAMES_DRAWN], &status) == 0);
        bench_check(status.st_size == names->size[i % NAMES_DRAWN]);
    }
    return bench_now() - begin;
}

static void stat_run(size_t count) {
    bench_batches(stat_batch, folder_fill(count), 500, 21);
}
SCALE_ROWS(folder_stat, "stat of a file in a folder of ", " names", stat_run);

// --- create and unlink ------------------------------------------------------------------------------------------------

static const char *new_name(unsigned i) {
    static char name[NAME_SIZE];
    snprintf(name, sizeof name, "new%u", i);
    return name;
}

static uint64_t create_all(unsigned n) {
    uint64_t cost = 0;
    for (unsigned i = 0; i < n; i++) {
        const char *name = new_name(i);
        uint64_t begin = bench_now();
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
        bench_check(fd >= 0 && close(fd) == 0);
        cost += bench_now() - begin;
    }
    return cost;
}

static uint64_t unlink_all(unsigned n) {
    uint64_t cost = 0;
    for (unsigned i = 0; i < n; i++) {
        const char *name = new_name(i);
        uint64_t begin = bench_now();
        bench_check(unlink(name) == 0);
        cost += bench_now() - begin;
    }
    bench_check(access(new_name(n - 1), F_OK) != 0 && errno == ENOENT);
    return cost;
}

static uint64_t create_batch(unsigned n, void *argument) {
    (void)argument;
    uint64_t cost = create_all(n);
    unlink_all(n); // fails where a name is not there
    return cost;
}

static void create_run(size_t count) {
    folder_fill(count);
    bench_batches(create_batch, NULL, 100, 21);
}
SCALE_ROWS(folder_create, "create and close of a file in a folder of ", " names", create_run);

static uint64_t unlink_batch(unsigned n, void *argument) {
    (void)argument;
    create_all(n);
    return unlink_all(n);
}

static void unlink_run(size_t count) {
    folder_fill(count);
    bench_batches(unlink_batch, NULL, 100, 21);
}
SCALE_ROWS(folder_unlink, "unlink of a file in a folder of ", " names", unlink_run);
