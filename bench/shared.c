// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows for --parallel whose copies contend: one file, one folder, one address space, one table of descriptors or one
// futex word for all. Alone they are what one copy costs.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE               4096UL
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

// --- one file ---------------------------------------------------------------------------------------------------------

// The file that all copies use; made by whichever comes first, with a page of sevens.
static int file_open(void) {
    char page[PAGE];
    bench_folder_shared();
    int fd = open("file", O_CREAT | O_RDWR, 0644);
    memset(page, 7, sizeof page);
    bench_check(fd >= 0 && pwrite(fd, page, sizeof page, 0) == sizeof page);
    return fd;
}

static uint64_t open_batch(unsigned n, void *argument) {
    (void)argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        int fd = open("file", O_RDONLY);
        bench_check(fd >= 0 && close(fd) == 0);
    }
    return bench_now() - begin;
}

static void shared_open_close_run(void) {
    bench_check(close(file_open()) == 0);
    bench_batches(open_batch, NULL, 400, 11);
}
BENCH_ROW(shared_open_close, BENCH_SCALE, BENCH_PER_OPERATION, "open and close of one file by all copies",
          shared_open_close_run);

static uint64_t pread_batch(unsigned n, void *argument) {
    int fd = *(int *)argument;
    char page[PAGE];
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        page[PAGE - 1] = 0;
        bench_check(pread(fd, page, sizeof page, 0) == sizeof page && page[PAGE - 1] == 7);
    }
    return bench_now() - begin;
}

static void shared_pread_4k_run(void) {
    int fd = file_open();
    bench_batches(pread_batch, &fd, 400, 11);
}
BENCH_ROW(shared_pread_4k, BENCH_SCALE, BENCH_PER_OPERATION, "pread of 4 KiB of one file by all copies",
          shared_pread_4k_run);

// --- one folder -------------------------------------------------------------------------------------------------------

static uint64_t create_batch(unsigned n, void *argument) {
    const char *name = argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
        bench_check(fd >= 0 && close(fd) == 0 && unlink(name) == 0);
    }
    return bench_now() - begin;
}

static void shared_create_unlink_run(void) {
    char name[32];
    bench_folder_shared();
    snprintf(name, sizeof name, "name%d", getpid());
    bench_batches(create_batch, name, 100, 11);
}
BENCH_ROW(shared_create_unlink, BENCH_SCALE, BENCH_PER_OPERATION,
          "create, close and unlink of names of their own in one folder by all copies", shared_create_unlink_run);

// --- one address space ------------------------------------------------------------------------------------------------

struct pages {
    volatile char *base;
    unsigned turn; // another byte of each page in each batch
};

static uint64_t fault_batch(unsigned n, void *argument) {
    struct pages *pages = argument;
    unsigned written = pages->turn++ % 2;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        pages->base[i * PAGE + written] = 1;
    uint64_t cost = bench_now() - begin;
    for (unsigned i = 0; i < n; i++)
        bench_check(pages->base[i * PAGE + written] == 1 && pages->base[i * PAGE + 1 - written] == 0);
    bench_check(madvise((void *)pages->base, n * PAGE, MADV_DONTNEED) == 0);
    return cost;
}

// Room for every draw of the count.
static void shared_pagefault_run(void) {
    struct pages pages = {0};
    pages.base = mmap(NULL, 2 * 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(pages.base != MAP_FAILED);
    bench_batches(fault_batch, &pages, 256, 11);
}
BENCH_THREADS_ROW(shared_pagefault, BENCH_SCALE, BENCH_PER_OPERATION,
                  "anonymous page fault and its part of a madvise, threads of one process", shared_pagefault_run);

static uint64_t mmap_batch(unsigned n, void *argument) {
    (void)argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        volatile char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bench_check(page != MAP_FAILED);
        page[i % 2] = 1;
        bench_check(page[1 - i % 2] == 0 && munmap((void *)page, PAGE) == 0);
    }
    return bench_now() - begin;
}

static void shared_mmap_munmap_run(void) {
    bench_batches(mmap_batch, NULL, 50, 11);
}
BENCH_THREADS_ROW(shared_mmap_munmap, BENCH_SCALE, BENCH_PER_OPERATION,
                  "mmap, touch, munmap of a page, threads of one process", shared_mmap_munmap_run);

// --- one table of descriptors -----------------------------------------------------------------------------------------

static uint64_t dup_batch(unsigned n, void *argument) {
    int of = *(int *)argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        int fd = dup(of);
        bench_check(fd > of && close(fd) == 0);
    }
    return bench_now() - begin;
}

static void shared_dup_run(void) {
    int fd = open("/dev/null", O_RDWR);
    bench_check(fd >= 0);
    bench_batches(dup_batch, &fd, 400, 11);
}
BENCH_THREADS_ROW(shared_dup, BENCH_SCALE, BENCH_PER_OPERATION, "dup and close, threads of one process",
                  shared_dup_run);

// --- one futex word ---------------------------------------------------------------------------------------------------

static atomic_uint futex_word;

static uint64_t futex_batch(unsigned n, void *argument) {
    (void)argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        errno = 0;
        bench_check(syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EAGAIN);
        bench_check(syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0);
    }
    return bench_now() - begin;
}

static void shared_futex_run(void) {
    bench_batches(futex_batch, NULL, 400, 11);
}
BENCH_THREADS_ROW(shared_futex, BENCH_SCALE, BENCH_PER_OPERATION,
                  "a futex wait that need not wait and a wake of nobody, one word, threads of one process",
                  shared_futex_run);
