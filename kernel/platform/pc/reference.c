// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Counters of known frequency that the processor's own are measured against: HPET, ACPI power-management timer, PIT channel 2, the first that is there.
// Boot processor, interrupts off.
#include "pc.h"

#include <arch/boot_map.h>
#include <arch/x86.h>
#include <kernel/mmio.h>

#define HPET_CAPABILITIES  0x00
#define HPET_CONFIGURATION 0x10
#define HPET_COUNTER       0xf0
#define FEMTOSECONDS       1000000000000000ull
#define PM_TIMER_HZ        3579545
#define PIT_HZ             1193182
#define PIT_CHANNEL2       0x42
#define PIT_MODE           0x43
#define PIT_GATE           0x61
#define PROBE_READS        200 // about a microsecond each: both count faster than that

static volatile uint8_t *hpet;

static uint64_t hpet_read(void) {
    return mmio_read32(hpet, HPET_COUNTER);
}

static bool hpet_find(struct reference *r) {
    if (!pc_machine.hpet)
        return false;
    hpet = boot_map_registers(pc_machine.hpet, 0x400);
    if (!hpet)
        return false;
    uint64_t period = mmio_read64(hpet, HPET_CAPABILITIES) >> 32;
    if (period == 0 || period > 100000000) // the specification's limit: 100 ns
        return false;
    mmio_write64(hpet, HPET_CONFIGURATION, mmio_read64(hpet, HPET_CONFIGURATION) | 1);
    *r = (struct reference){"HPET", FEMTOSECONDS / period, UINT32_MAX, hpet_read};
    return true;
}

static uint64_t pm_timer_read(void) {
    return port_read32(pc_machine.pm_timer_port);
}

// Reads twice around a pause of some microseconds: a port without a timer gives the same.
static bool pm_timer_find(struct reference *r) {
    if (!pc_machine.pm_timer_port)
        return false;
    uint64_t first = pm_timer_read();
    for (unsigned i = 0; i < PROBE_READS; i++)
        if (pm_timer_read() != first) {
            *r = (struct reference){"PM timer", PM_TIMER_HZ, pc_machine.pm_timer_32 ? UINT32_MAX : 0xffffff,
                                    pm_timer_read};
            return true;
        }
    return false;
}

// Counts down from 65536 in mode 0; read as counting up.
static uint64_t pit_read(void) {
    port_write8(PIT_MODE, 0x80); // latch channel 2
    uint16_t low = port_read8(PIT_CHANNEL2);
    return (uint16_t) - (low | (uint16_t)port_read8(PIT_CHANNEL2) << 8);
}

static bool pit_find(struct reference *r) {
    port_write8(PIT_GATE, (uint8_t)((port_read8(PIT_GATE) & ~2u) | 1)); // gate on, speaker off
    port_write8(PIT_MODE, 0xb0);                                        // channel 2, both bytes, mode 0
    port_write8(PIT_CHANNEL2, 0xff);
    port_write8(PIT_CHANNEL2, 0xff);
    uint64_t first = pit_read();
    for (unsigned i = 0; i < PROBE_READS; i++)
        if (pit_read() != first) {
            *r = (struct reference){"PIT", PIT_HZ, UINT16_MAX, pit_read};
            return true;
        }
    return false;
}

const struct reference *reference_find(void) {
    static struct reference found;

    return hpet_find(&found) || pm_timer_find(&found) || pit_find(&found) ? &found : NULL;
}
