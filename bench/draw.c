// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sizes and counts: nominal, or drawn by seed, so that no kernel can be good at the nominal ones alone.
#include "harness.h"

static bool drawing;
static uint64_t state;

// splitmix64: every seed, 0 as well, begins a good sequence.
static uint64_t next(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void draw_start(uint64_t seed, const char *row) {
    uint64_t hash = 0xcbf29ce484222325; // FNV-1a

    for (; *row != '\0'; row++) {
        hash = (hash ^ (unsigned char)*row) * 0x100000001b3;
    }
    state = seed ^ hash;
    drawing = true;
}

size_t bench_draw(size_t nominal, size_t multiple) {
    size_t steps = nominal / multiple, least = steps - steps / 2;

    if (!drawing) {
        return nominal;
    }
    if (least == 0) {
        least = 1;
    }
    return (least + (size_t)(next() % (2 * (steps / 2) + 1))) * multiple;
}
