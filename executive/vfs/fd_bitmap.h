// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Bitmaps of descriptor numbers: first clear or set bit at or after a number. Pure: no locks, no kernel services; tested on the host.
#ifndef VFS_FD_BITMAP_H
#define VFS_FD_BITMAP_H

#include <kernel/types.h>

static inline bool bitmap_get(const uint64_t *map, unsigned n) {
    return (map[n / 64] >> (n % 64) & 1) != 0;
}
static inline void bitmap_set(uint64_t *map, unsigned n) {
    map[n / 64] |= 1ull << (n % 64);
}
static inline void bitmap_clear(uint64_t *map, unsigned n) {
    map[n / 64] &= ~(1ull << (n % 64));
}
// The first number >= from whose bit equals value, or size (a multiple of 64).
static inline unsigned bitmap_find(const uint64_t *map, unsigned size, unsigned from, bool value) {
    for (unsigned word = from / 64; word < size / 64; word++) {
        uint64_t bits = value ? map[word] : ~map[word];
        if (word == from / 64)
            bits &= ~0ull << (from % 64);
        if (bits != 0)
            return word * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return size;
}

#endif
