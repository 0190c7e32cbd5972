// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Numbers for generated generators of messages: the same ones for the same seed, everywhere.
#ifndef INVAR_RANDOM_H
#define INVAR_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct inv_random {
    uint64_t state;
};

static inline uint64_t inv_random_next(struct inv_random *random) {
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

// From 0 to limit - 1; limit is not 0.
static inline uint64_t inv_random_below(struct inv_random *random, uint64_t limit) {
    return inv_random_next(random) % limit;
}

static inline void inv_random_fill(struct inv_random *random, void *to, size_t n) {
    unsigned char *bytes = to;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)inv_random_next(random);
}

#endif
