// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// How a fault, mmap and fork grow with the number of mappings in the address space.
#define _GNU_SOURCE
#include "scale.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL

// Makes as many mappings of one touched page each, with a hole of a page behind each; the first is returned.
static char *mappings_make(size_t count) {
    char *pages = mmap(NULL, 2 * count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(pages != MAP_FAILED);
    for (size_t i = 0; i < count; i++) {
        pages[2 * i * PAGE] = 1;
        bench_check(munmap(pages + (2 * i + 1) * PAGE, PAGE) == 0);
    }
    return pages;
}

// --- fault ------------------------------------------------------------------------------------------------------------

static uint64_t fault_batch(unsigned n, void *argument) {
    (void)argument;
    volatile char *pages = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(pages != MAP_FAILED);
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        pages[i * PAGE] = 1;
    uint64_t cost = bench_now() - begin;
    for (unsigned i = 0; i < n; i++)
        bench_check(pages[i * PAGE] == 1 && pages[i * PAGE + 1] == 0);
    bench_check(munmap((void *)pages, n * PAGE) == 0);
    return cost;
}

static void fault_run(size_t count) {
    mappings_make(count);
    bench_batches(fault_batch, NULL, 256, 21);
}
SCALE_ROWS(mappings_pagefault, "anonymous page fault beside ", " mappings", fault_run);

// --- mmap -------------------------------------------------------------------------------------------------------------

// Two pages: none of the holes is wide enough.
static uint64_t mmap_batch(unsigned n, void *argument) {
    (void)argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        volatile char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bench_check(pages != MAP_FAILED);
        pages[i % 2] = 1;
        bench_check(pages[1 - i % 2] == 0); // it is not the page of the time before
        bench_check(munmap((void *)pages, 2 * PAGE) == 0);
    }
    return bench_now() - begin;
}

static void mmap_run(size_t count) {
    mappings_make(count);
    bench_batches(mmap_batch, NULL, 200, 21);
}
SCALE_ROWS(mappings_mmap_munmap, "mmap of 2 pages, touch of one, munmap beside ", " mappings with holes between",
           mmap_run);

// --- fork -------------------------------------------------------------------------------------------------------------

static int page_there(void *argument) {
    return *(volatile char *)argument != 1;
}

static uint64_t fork_batch(unsigned n, void *argument) {
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++)
        bench_reap(bench_child(page_there, argument));
    return bench_now() - begin;
}

static void fork_run(size_t count) {
    char *pages = mappings_make(count);
    unsigned n = count < 100 ? 20 : count < 3000 ? 5 : 2;
    bench_batches(fork_batch, pages + 2 * (count - 1) * PAGE, n, 11);
}
SCALE_ROWS(mappings_fork, "fork, exit, wait of a process with ", " touched mappings", fork_run);
