// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows beside the scored ones: faults on a file's pages and on pages shared copy-on-write, giving pages back with
// madvise, and a page of brk.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

// --- fault on a mapped file ------------------------------------------------------------------------------------------

// Maps the file anew in each batch and reads a byte of each page; page i holds i in its first word.
static uint64_t pagefault_file_batch(unsigned n, void *argument) {
    int fd = *(int *)argument;
    volatile uint32_t *words = mmap(NULL, n * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    bench_check(words != MAP_FAILED);
    uint64_t sum = 0;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        sum += words[i * (PAGE / 4)];
    uint64_t cost = bench_now() - begin;
    bench_check(sum == (uint64_t)n * (n - 1) / 2);
    bench_check(munmap((void *)words, n * PAGE) == 0);
    return cost;
}

static void pagefault_file_run(void) {
    static uint32_t page[PAGE / 4];
    bench_folder();
    int fd = open("file", O_CREAT | O_EXCL | O_RDWR, 0644);
    bench_check(fd >= 0);
    for (page[0] = 0; page[0] < 1024; page[0]++) // more than any draw of 512
        bench_check(write(fd, page, sizeof page) == sizeof page);
    bench_batches(pagefault_file_batch, &fd, 512, 21);
    close(fd);
}
BENCH_ROW(pagefault_file, BENCH_SHOWN, BENCH_PER_OPERATION, "read fault on a shared mapping of a cached file, a page",
          pagefault_file_run);

// --- copy on write ---------------------------------------------------------------------------------------------------

static int wait_for_end(void *argument) {
    const int *ends = argument;
    char byte;
    close(ends[1]);
    return read(ends[0], &byte, 1) != 0;
}

// The child shares the pages until the parent has written them all; it sees the end of its pipe then.
static uint64_t pagefault_cow_batch(unsigned n, void *argument) {
    (void)argument;
    int ends[2];
    uint32_t *words = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(words != MAP_FAILED && pipe(ends) == 0);
    for (unsigned i = 0; i < n; i++)
        words[i * (PAGE / 4) + 1] = i;
    pid_t child = bench_child(wait_for_end, ends);
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        words[i * (PAGE / 4)] = i;
    uint64_t cost = bench_now() - begin;
    close(ends[0]);
    close(ends[1]);
    bench_reap(child);
    for (unsigned i = 0; i < n; i++)
        bench_check(words[i * (PAGE / 4)] == i && words[i * (PAGE / 4) + 1] == i);
    bench_check(munmap(words, n * PAGE) == 0);
    return cost;
}

static void pagefault_cow_run(void) {
    bench_batches(pagefault_cow_batch, NULL, 512, 21);
}
BENCH_ROW(pagefault_cow, BENCH_SHOWN, BENCH_PER_OPERATION, "write fault on a page shared copy-on-write with a child",
          pagefault_cow_run);

// --- madvise ---------------------------------------------------------------------------------------------------------

static uint64_t madvise_batch(unsigned n, void *argument) {
    (void)argument;
    char *pages = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(pages != MAP_FAILED);
    for (unsigned i = 0; i < n; i++)
        pages[i * PAGE] = 1;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        bench_check(madvise(pages + i * PAGE, PAGE, MADV_DONTNEED) == 0);
    uint64_t cost = bench_now() - begin;
    for (unsigned i = 0; i < n; i++)
        bench_check(pages[i * PAGE] == 0);
    bench_check(munmap(pages, n * PAGE) == 0);
    return cost;
}

static void madvise_dontneed_run(void) {
    bench_batches(madvise_batch, NULL, 512, 21);
}
BENCH_ROW(madvise_dontneed, BENCH_SHOWN, BENCH_PER_OPERATION, "madvise(MADV_DONTNEED) of one touched page",
          madvise_dontneed_run);

// --- brk -------------------------------------------------------------------------------------------------------------

static uint64_t brk_batch(unsigned n, void *argument) {
    volatile char *base = argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        bench_check((char *)syscall(SYS_brk, base + PAGE) == base + PAGE);
        base[i % 2] = 1; // a store alone: an emulator takes reading and writing in one for two accesses
        bench_check(base[1 - i % 2] == 0);
        bench_check((char *)syscall(SYS_brk, base) == base);
    }
    return bench_now() - begin;
}

// Above the heap of the library, which is not grown meanwhile.
static void brk_page_run(void) {
    uintptr_t now = (uintptr_t)syscall(SYS_brk, 0);
    char *base = (char *)((now + 2 * PAGE - 1) & ~(PAGE - 1));
    bench_check((char *)syscall(SYS_brk, base) == base);
    bench_batches(brk_batch, base, 500, 21);
}
BENCH_ROW(brk_page, BENCH_SHOWN, BENCH_PER_OPERATION, "brk up by a page, touch it, brk down", brk_page_run);
