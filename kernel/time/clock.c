// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Wall time: monotonic time plus an offset that lives here alone. Any context.
#include <kernel/platform.h>
#include <kernel/time.h>
#include <kernel/vdso.h>

static _Atomic nstime_t wall_offset;

nstime_t clock_wall(void) {
    return clock_monotonic() + atomic_load_explicit(&wall_offset, memory_order_relaxed);
}

void clock_wall_set(nstime_t wall) {
    nstime_t offset = wall - clock_monotonic();
    atomic_store_explicit(&wall_offset, offset, memory_order_relaxed);
    vdso_update_clock(offset);
}

void clock_init(void) {
    nstime_t wall = platform_rtc_seconds() * NSEC_PER_SEC;
    nstime_t now = clock_monotonic();
    atomic_store_explicit(&wall_offset, wall > now ? wall - now : 0, memory_order_relaxed);
}
