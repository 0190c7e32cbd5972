// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: mappings and page faults.
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, MANY = 1024 };

// n anonymous pages of small size, private, not yet there.
static unsigned char *pages_map(unsigned n) {
    unsigned char *p = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    bench_check(p != MAP_FAILED);
    (void)madvise(p, (size_t)n * PAGE, MADV_NOHUGEPAGE); // a kernel without huge pages may refuse
    return p;
}

static void pages_unmap(void *p, unsigned n) {
    bench_check(munmap(p, (size_t)n * PAGE) == 0);
}

static void pages_touch(volatile unsigned char *p, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        p[(size_t)i * PAGE] = 1;
    }
}

// That each page is a page of its own, zero but for the byte touched: a page that stood in several places would not keep their numbers.
static void pages_check(unsigned char *p, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        bench_check(p[(size_t)i * PAGE] == 1 && p[(size_t)i * PAGE + 1] == 0 && p[(size_t)i * PAGE + PAGE - 1] == 0);
        p[(size_t)i * PAGE + 2] = (unsigned char)i;
        p[(size_t)i * PAGE + 3] = (unsigned char)(i / 256);
    }
    for (unsigned i = 0; i < n; i++) {
        bench_check(p[(size_t)i * PAGE + 2] == (unsigned char)i && p[(size_t)i * PAGE + 3] == (unsigned char)(i / 256));
    }
}

static uint64_t pagefault_anon_batch(unsigned n, void *argument) {
    unsigned char *p = pages_map(n);
    uint64_t start, cost;

    (void)argument;
    start = bench_now();
    pages_touch(p, n);
    cost = bench_now() - start;
    pages_check(p, n);
    pages_unmap(p, n);
    return cost;
}

static void pagefault_anon(void) {
    bench_batches(pagefault_anon_batch, NULL, MANY, 11);
}
BENCH_ROW(pagefault_anon, BENCH_SCORED, BENCH_PER_OPERATION, "anonymous page fault, written", pagefault_anon);

static uint64_t pagefault_zero_batch(unsigned n, void *argument) {
    volatile unsigned char *p = pages_map(n);
    unsigned sum = 0;
    uint64_t start, cost;

    (void)argument;
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        sum += p[(size_t)i * PAGE];
    }
    cost = bench_now() - start;
    bench_check(sum == 0);
    p[0] = 1; // and one page's write leaves the others zero
    for (unsigned i = 1; i < n; i++) {
        bench_check(p[(size_t)i * PAGE] == 0);
    }
    pages_unmap((void *)p, n);
    return cost;
}

static void pagefault_zero(void) {
    bench_batches(pagefault_zero_batch, NULL, 200, 21);
}
BENCH_ROW(pagefault_zero, BENCH_SCORED, BENCH_PER_OPERATION, "anonymous page fault, read only (the zero page)",
          pagefault_zero);

// --- mapping and unmapping ----------------------------------------------------------------------------------------------

// n pages in pieces of `piece`; the last piece may be smaller.
static uint64_t touch_batch(unsigned n, void *argument) {
    unsigned piece = *(const unsigned *)argument;
    uint64_t start = bench_now();

    for (unsigned left = n; left > 0;) {
        unsigned pages = left < piece ? left : piece;
        unsigned char *p = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            bench_fail("mmap");
        }
        for (unsigned i = 0; i < pages; i++) {
            volatile unsigned char *page = p + (size_t)i * PAGE;
            page[0] = 1;
            if (page[1] != 0) {
                bench_fail("a new page is not zero");
            }
        }
        if (munmap(p, (size_t)pages * PAGE) != 0) {
            bench_fail("munmap");
        }
        left -= pages;
    }
    return bench_now() - start;
}

static void mmap_touch_munmap_1(void) {
    unsigned piece = 1;

    bench_batches(touch_batch, &piece, 100, 11);
}
BENCH_ROW(mmap_touch_munmap_1, BENCH_SCORED, BENCH_PER_OPERATION, "mmap, touch, munmap of 1 page", mmap_touch_munmap_1);

static void mmap_touch_munmap_64(void) {
    unsigned piece = (unsigned)bench_draw(64, 1);

    bench_batches(touch_batch, &piece, 256, 15);
}
BENCH_ROW(mmap_touch_munmap_64, BENCH_SCORED, BENCH_PER_OPERATION, "mmap, touch, munmap of 64 pages, a page",
          mmap_touch_munmap_64);

static uint64_t munmap_page_batch(unsigned n, void *argument) {
    unsigned char *p = pages_map(n);
    uint64_t start, cost;
    unsigned char present;

    (void)argument;
    pages_touch(p, n);
    start = bench_now();
    pages_unmap(p, n);
    cost = bench_now() - start;
    bench_check(mincore(p, PAGE, &present) != 0 && errno == ENOMEM); // nothing is mapped there any more
    return cost;
}

static void munmap_page(void) {
    bench_batches(munmap_page_batch, NULL, MANY, 11);
}
BENCH_ROW(munmap_page, BENCH_SCORED, BENCH_PER_OPERATION, "munmap of touched pages, a page", munmap_page);

// --- protection ---------------------------------------------------------------------------------------------------------

struct guarded {
    unsigned char *page;
    int zero; // /dev/zero: reading from it into the page tells whether it may be written
};

static uint64_t mprotect_batch(unsigned n, void *argument) {
    const struct guarded *g = argument;
    uint64_t start = bench_now(), cost;

    for (unsigned i = 0; i < n; i++) {
        if (mprotect(g->page, PAGE, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ) != 0) {
            bench_fail("mprotect");
        }
    }
    cost = bench_now() - start;
    bench_check(mprotect(g->page, PAGE, PROT_READ) == 0);
    bench_check(read(g->zero, g->page, 1) == -1 && errno == EFAULT);
    bench_check(mprotect(g->page, PAGE, PROT_READ | PROT_WRITE) == 0);
    bench_check(read(g->zero, g->page, 1) == 1);
    return cost;
}

static void mprotect_1(void) {
    struct guarded g = {.page = pages_map(1), .zero = open("/dev/zero", O_RDONLY)};

    bench_check(g.zero >= 0);
    pages_touch(g.page, 1);
    bench_batches(mprotect_batch, &g, 200, 21);
}
BENCH_ROW(mprotect_1, BENCH_SCORED, BENCH_PER_OPERATION, "mprotect of 1 page", mprotect_1);
