// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows: mappings and page faults.
#define _GNU_SOURCE
#include "bench.h"

#include <sys/mman.h>

enum { PAGE = 4096 };

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

static uint64_t pagefault_anon_batch(unsigned n, void *argument) {
    unsigned char *p = pages_map(n);
    uint64_t start, cost;

    (void)argument;
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        *(volatile unsigned char *)(p + (size_t)i * PAGE) = 1;
    }
    cost = bench_now() - start;
    for (unsigned i = 0; i < n; i++) {
        bench_check(p[(size_t)i * PAGE] == 1 && p[(size_t)i * PAGE + 1] == 0 && p[(size_t)i * PAGE + PAGE - 1] == 0);
    }
    pages_unmap(p, n);
    return cost;
}

static void pagefault_anon(void) {
    bench_batches(pagefault_anon_batch, NULL, 512, 21);
}
BENCH_ROW(pagefault_anon, BENCH_SCORED, BENCH_PER_OPERATION, "anonymous page fault, written", pagefault_anon);
