// host-test-sources: kernel/platform/pc/clock_scale.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Scaling of counters to nanoseconds and back: exact where it can be, never early, no overflow in a machine's life.

#include "pc.h"

#include <stdio.h>

static int failures;

static void check(bool ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "FAIL", name);
    failures += !ok;
}

static bool timer_never_early(uint64_t hz) {
    uint64_t mult = clock_tick_mult(hz);

    for (nstime_t ns = 1; ns < 4000000; ns = ns * 7 / 5 + 1) {
        uint32_t ticks = clock_ticks(ns, mult, UINT32_MAX);
        if ((unsigned __int128)ticks * NSEC_PER_SEC < (unsigned __int128)ns * hz || ticks > ns * hz / NSEC_PER_SEC + 2)
            return false;
    }
    return true;
}

static bool ten_years_exact(uint64_t hz) {
    uint64_t seconds = 10 * 365 * 86400ull;
    uint64_t ns = clock_scale(hz * seconds, clock_scale_mult(hz), CLOCK_SHIFT);
    uint64_t expected = seconds * NSEC_PER_SEC, off = expected > ns ? expected - ns : ns - expected;

    return off <= seconds * 2; // mult is exact to 2^-32: about 1 ns a second at a few GHz
}

int main(void) {
    check(clock_scale_mult(1000000000) == 1ull << CLOCK_SHIFT, "one_gigahertz_is_a_nanosecond_a_tick");
    check(clock_scale(123456789012345, 1ull << CLOCK_SHIFT, CLOCK_SHIFT) == 123456789012345, "one_gigahertz_is_exact");
    check(ten_years_exact(2500000000) && ten_years_exact(3000000000) && ten_years_exact(800000000),
          "ten_years_without_overflow");
    check(clock_round_hz(999300000) == 1000000000 && clock_round_hz(1000999999) == 1000000000,
          "near_a_gigahertz_is_a_gigahertz");
    check(clock_round_hz(2499900000) == 2500000000, "near_a_megahertz_is_a_megahertz");
    check(clock_round_hz(62500400) == 62500400, "in_between_stays");
    check(timer_never_early(1000000000) && timer_never_early(24000000) && timer_never_early(62500000),
          "timer_is_never_early_by_a_tick");
    check(clock_ticks(NSTIME_NEVER / 2, clock_tick_mult(1000000000), UINT32_MAX) == UINT32_MAX,
          "far_deadlines_are_capped");
    check(clock_ticks(0, clock_tick_mult(1000000000), UINT32_MAX) == 1, "a_past_deadline_fires_at_once");
    return failures != 0;
}
