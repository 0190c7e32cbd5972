// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// See chacha20.h. Words are little-endian in memory, as every processor of this kernel has them.

#include "chacha20.h"

#include <kernel/string.h>

#define DOUBLE_ROUNDS 10

static inline uint32_t rotate(uint32_t x, unsigned n) {
    return x << n | x >> (32 - n);
}

static inline void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

void chacha20_block(const uint8_t key[CHACHA20_KEY], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out[CHACHA20_BLOCK]) {
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, x[16];

    memcpy(&start[4], key, CHACHA20_KEY);
    start[12] = counter;
    memcpy(&start[13], nonce, 12);
    memcpy(x, start, sizeof(x));
    for (unsigned i = 0; i < DOUBLE_ROUNDS; i++) {
        quarter_round(&x[0], &x[4], &x[8], &x[12]);
        quarter_round(&x[1], &x[5], &x[9], &x[13]);
        quarter_round(&x[2], &x[6], &x[10], &x[14]);
        quarter_round(&x[3], &x[7], &x[11], &x[15]);
        quarter_round(&x[0], &x[5], &x[10], &x[15]);
        quarter_round(&x[1], &x[6], &x[11], &x[12]);
        quarter_round(&x[2], &x[7], &x[8], &x[13]);
        quarter_round(&x[3], &x[4], &x[9], &x[14]);
    }
    for (unsigned i = 0; i < 16; i++)
        x[i] += start[i];
    memcpy(out, x, CHACHA20_BLOCK);
}
