// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Process numbers: see pid_map.h.
//
// Invariants:
//   I1 bit 0 is never given out.
//   I2 a number given back is taken again only after every other free number at or above PID_MAP_RESERVED was tried: pids are not reused quickly.
#include "pid_map.h"

// The first free number in [from, to), or 0.
static int pid_map_search(const struct pid_map *m, int from, int to) {
    for (int n = from; n < to;) {
        uint64_t free = ~m->used[n / 64] >> (n % 64);
        if (free != 0) {
            n += __builtin_ctzll(free);
            return n < to ? n : 0;
        }
        n = (n / 64 + 1) * 64;
    }
    return 0;
}

int pid_map_take(struct pid_map *m, int below) {
    int n = pid_map_search(m, m->last + 1, below);

    if (n == 0)
        n = pid_map_search(m, PID_MAP_RESERVED, below);
    if (n == 0)
        return 0;
    m->used[n / 64] |= 1ull << (n % 64);
    m->last = n;
    m->count++;
    return n;
}

bool pid_map_take_exact(struct pid_map *m, int number) {
    if (m->used[number / 64] >> (number % 64) & 1)
        return false;
    m->used[number / 64] |= 1ull << (number % 64);
    m->count++;
    return true;
}

void pid_map_give_back(struct pid_map *m, int number) {
    m->used[number / 64] &= ~(1ull << (number % 64));
    m->count--;
}

int pid_map_next_used(const struct pid_map *m, int from) {
    for (int n = from; n < PID_MAP_SIZE;) {
        uint64_t used = m->used[n / 64] >> (n % 64);
        if (used != 0)
            return n + __builtin_ctzll(used);
        n = (n / 64 + 1) * 64;
    }
    return 0;
}
