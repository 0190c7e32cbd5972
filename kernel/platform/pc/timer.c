// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The one-shot timer of each processor: its local APIC's, counting at the bus clock. A deadline further away than the counter reaches is approached in
// steps. Interrupts off (see platform.h).
#include "pc.h"

#include <arch/apic.h>
#include <kernel/platform.h>
#include <kernel/time.h>

static nstime_t deadlines[CONFIG_MAX_CPUS]; // this processor's entry, interrupts off

static void arm(nstime_t deadline, nstime_t now) {
    nstime_t left = deadline > now ? deadline - now : 0;

    apic_timer_start(clock_ticks(left, clock_apic_tick_mult(), UINT32_MAX));
}

void platform_timer_set(nstime_t deadline) {
    deadlines[arch_cpu_id()] = deadline;
    if (deadline == NSTIME_NEVER)
        apic_timer_start(0);
    else
        arm(deadline, platform_clock_now());
}

void platform_timer_interrupt(void) {
    nstime_t deadline = deadlines[arch_cpu_id()], now = platform_clock_now();

    if (deadline == NSTIME_NEVER)
        return; // switched off while the interrupt was on its way
    if (now < deadline) {
        arm(deadline, now);
        return;
    }
    deadlines[arch_cpu_id()] = NSTIME_NEVER;
    timer_interrupt();
}
