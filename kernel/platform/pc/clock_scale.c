// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Arithmetic of clocks and timers. Pure.
#include "pc.h"

#define MHZ 1000000ull

uint64_t clock_scale_mult(uint64_t hz) {
    return (NSEC_PER_SEC << CLOCK_SHIFT) / hz;
}

// A measured frequency within 0.1 % of a whole GHz is that; else it is rounded to a whole MHz where that is within 0.02 %: counters run at such frequencies
// and the measurement is less exact than they are.
uint64_t clock_round_hz(uint64_t hz) {
    uint64_t ghz = (hz + 500 * MHZ) / (1000 * MHZ) * (1000 * MHZ), mhz = (hz + MHZ / 2) / MHZ * MHZ;
    uint64_t off_ghz = hz > ghz ? hz - ghz : ghz - hz, off_mhz = hz > mhz ? hz - mhz : mhz - hz;

    if (ghz && off_ghz <= hz / 1000)
        return ghz;
    return off_mhz <= hz / 5000 ? mhz : hz;
}

uint64_t clock_tick_mult(uint64_t hz) {
    return (MIN(hz, UINT32_MAX) << CLOCK_SHIFT) / NSEC_PER_SEC;
}

uint32_t clock_ticks(nstime_t ns, uint64_t tick_mult, uint32_t max) {
    unsigned __int128 ticks = ((unsigned __int128)ns * tick_mult >> CLOCK_SHIFT) + 1;

    return ticks > max ? max : (uint32_t)ticks;
}
