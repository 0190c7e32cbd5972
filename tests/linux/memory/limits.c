// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Limits of memory: RLIMIT_AS, the heuristic for one huge mapping, MAP_NORESERVE.
#include "testing.h"

static int address_space(void) {
    struct rlimit limit = {64 << 20, 64 << 20};
    setrlimit(RLIMIT_AS, &limit);
    void *small = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say_ok("16 MiB of 64", (long)small);
    say_ok("64 MiB more", (long)mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    say_ok("64 MiB without rights", (long)mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    say_ok("in the place of what is there",
           (long)mmap(small, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    munmap(small, 16 << 20);
    say_ok("again after munmap", (long)mmap(NULL, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    return 0;
}

int main(void) {
    say_child("RLIMIT_AS", address_space);
    size_t huge = 1UL << 44;
    say_ok("16 TiB", (long)mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char *reserved = mmap(NULL, huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    say_ok("16 TiB without rights", (long)reserved);
    if (reserved != MAP_FAILED) {
        say_call("rights for one page of it", mprotect(reserved + (1UL << 43), PAGE, PROT_READ | PROT_WRITE));
        reserved[1UL << 43] = 1;
        say_call("unmapped", munmap(reserved, huge));
    }
    char *sparse = mmap(NULL, 1UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    say_ok("1 GiB on a machine of 512 MiB, not reserved", (long)sparse);
    for (size_t i = 0; i < 1UL << 30; i += 1UL << 24) {
        sparse[i] = 1;
    }
    say("touched here and there", "%d", sparse[1UL << 24]);
    return 0;
}
