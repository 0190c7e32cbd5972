// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// FNV-1a, 64 bits, with a finishing mix so that low bits may index a table. Any context.
#include <kernel/string.h>

#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME  0x100000001b3ull

uint64_t hash_bytes(const void *data, size_t n, uint64_t seed) {
    const uint8_t *p = data;
    uint64_t h = FNV_OFFSET ^ seed;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * FNV_PRIME;
    return h ^ h >> 32;
}
