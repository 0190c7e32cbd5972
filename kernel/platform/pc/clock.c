// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The monotonic clock: the time stamp counter, scaled. Its frequency comes from CPUID (0x15, a hypervisor's 0x40000010) or is measured against a reference
// counter in the same window as the local APIC timer's. platform_clock_now: any context, any processor.
//
// Nothing waits long for a measurement: clock_calibrate waits at most WAIT_LIMIT_US for a first one, and platform_clock_refine measures again over all that
// has passed since, which is the rest of the boot and costs no wait. Both: boot processor, the only one that runs, interrupts off.
//
// Invariants:
//   I1 the clock never goes back over processors: counters that are not synchronised (found at processor start: clock_check_processor) are put behind a
//      common maximum, and user mode is told not to read them.
#include "pc.h"

#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/x86.h>
#include <kernel/assert.h>
#include <kernel/log.h>
#include <kernel/platform.h>

#define WINDOW_FIRST_US 50 // enough to recognise a counter of exactly 1 GHz (virtual time)
#define WINDOW_US       300
#define MEASURE_TRIES   2
#define WAIT_LIMIT_US   (MEASURE_TRIES * (WINDOW_FIRST_US + WINDOW_US)) // and some microseconds for readings
#define REFINE_US       2000                                            // less is no better than the first
STATIC_ASSERT(WAIT_LIMIT_US < 1000, "no wait of the boot is longer than a millisecond");
#define ASSUMED_HZ 1000000000ull

/* immutable after calibration: */
static uint64_t tsc_hz, apic_hz, base_cycles, mult, tick_mult;
static nstime_t base_ns;
/* boot: */
static const struct reference *measured_with; // NULL: nothing to refine
/* atomic: */
static atomic_bool guarded;
static _Atomic nstime_t guard_latest;

// One reading of all counters at one moment.
struct moment {
    uint64_t reference, cycles;
    uint32_t apic;
};

#define MOMENT_TRIES 8

// The reading right after the reference changed that took least time: a reading may be interrupted from below (firmware, hypervisor).
static struct moment moment_read(const struct reference *r) {
    struct moment m, best = {0};
    uint64_t best_gap = UINT64_MAX;

    for (unsigned i = 0; i < MOMENT_TRIES; i++) {
        uint64_t before, first = r->read();
        do {
            before = arch_cycles();
            m.reference = r->read();
            m.cycles = arch_cycles();
            m.apic = apic_timer_count();
        } while (m.reference == first);
        uint64_t gap = arch_cycles() - before;
        if (gap < best_gap) {
            best_gap = gap;
            best = m;
        }
    }
    return best;
}

static uint64_t frequency(uint64_t ticks, uint64_t reference_ticks, uint64_t reference_hz) {
    return ticks * reference_hz / reference_ticks; // some ms at some GHz, times at most 1 GHz: far below 2^64
}

static struct moment start; // of the last measurement

static void measure(const struct reference *r, unsigned microseconds) {
    uint64_t wanted = r->hz * microseconds / 1000000 + 1;
    struct moment end;

    apic_timer_start(UINT32_MAX);
    start = moment_read(r);
    do
        arch_pause();
    while (((r->read() - start.reference) & r->mask) < wanted);
    end = moment_read(r);
    apic_timer_start(0);

    uint64_t passed = (end.reference - start.reference) & r->mask;
    tsc_hz = frequency(end.cycles - start.cycles, passed, r->hz);
    apic_hz = frequency(start.apic - end.apic, passed, r->hz);
}

// A stall longer than the reference takes to wrap gives nonsense: a short and a long window must agree.
static void measure_until_sure(const struct reference *r) {
    for (unsigned i = 0; i < MEASURE_TRIES; i++) {
        measure(r, WINDOW_FIRST_US);
        uint64_t first = tsc_hz;
        if (clock_round_hz(first) == ASSUMED_HZ)
            return;
        measure(r, WINDOW_US);
        if (tsc_hz - tsc_hz / 8 < first && first < tsc_hz + tsc_hz / 8) {
            measured_with = r;
            return;
        }
    }
    log_warning("clock", "the %s gives no steady measure", r->name);
}

// Both in Hz; 0: not told.
static void told_frequencies(uint64_t *out_tsc, uint64_t *out_apic) {
    struct cpuid_result ratio = cpuid_if_present(0x15, 0), hypervisor = {0};

    *out_tsc = *out_apic = 0;
    if (cpuid(1, 0).ecx & 1u << 31)
        hypervisor = cpuid(0x40000000, 0);
    if (hypervisor.eax >= 0x40000010 && hypervisor.eax < 0x40000100) {
        struct cpuid_result timing = cpuid(0x40000010, 0);
        *out_tsc = timing.eax * 1000ull;
        *out_apic = timing.ebx * 1000ull;
    } else if (ratio.eax && ratio.ebx && ratio.ecx) {
        *out_tsc = (uint64_t)ratio.ecx * ratio.ebx / ratio.eax;
        *out_apic = ratio.ecx;
    }
}

void clock_calibrate(void) {
    uint64_t told_tsc, told_apic;
    const char *source = "CPUID";

    told_frequencies(&told_tsc, &told_apic);
    if (!told_tsc || !told_apic) {
        const struct reference *r = reference_find();
        source = r ? r->name : "nothing: assumed";
        if (r) {
            measure_until_sure(r);
        }
        tsc_hz = clock_round_hz(tsc_hz);
        apic_hz = clock_round_hz(apic_hz);
    }
    if (told_tsc)
        tsc_hz = told_tsc;
    if (told_apic)
        apic_hz = told_apic;
    if (!tsc_hz)
        tsc_hz = ASSUMED_HZ;
    if (!apic_hz)
        apic_hz = ASSUMED_HZ;
    if (told_tsc)
        measured_with = NULL;
    mult = clock_scale_mult(tsc_hz);
    tick_mult = clock_tick_mult(apic_hz);
    base_cycles = arch_cycles();
    log_info("clock", "time stamp counter %lu kHz, APIC timer %lu kHz (from %s)", (unsigned long)(tsc_hz / 1000),
             (unsigned long)(apic_hz / 1000), source);
}

// How many ticks of the reference have passed since start, which the first measurement tells to within its wrapping. 0: it may have stood still.
static uint64_t reference_passed(const struct reference *r, const struct moment *now) {
    uint64_t passed = (now->reference - start.reference) & r->mask;
    uint64_t expected = (now->cycles - start.cycles) / (tsc_hz / 1000000) * r->hz / 1000000;

    if (expected > passed)
        passed += (expected - passed + r->mask / 2) / (r->mask + 1) * (r->mask + 1);
    return passed;
}

// What the APIC timer counts by was measured in the same windows, so its error is the same.
void platform_clock_refine(void) {
    const struct reference *r = measured_with;

    measured_with = NULL;
    if (!r || arch_cycles() - start.cycles < tsc_hz / 1000000 * REFINE_US)
        return;
    irq_flags_t irq = arch_irq_save();
    struct moment now = moment_read(r);
    uint64_t passed = reference_passed(r, &now), cycles = now.cycles - start.cycles;
    // Both divided until the product fits: 2^32 ticks are more than enough to measure with.
    for (; cycles >> 32; cycles /= 2)
        passed /= 2;
    uint64_t better = passed ? clock_round_hz(frequency(cycles, passed, r->hz)) : 0;
    bool changed = better != tsc_hz && better > tsc_hz - tsc_hz / 64 && better < tsc_hz + tsc_hz / 64;
    if (changed) {
        base_ns = platform_clock_now();
        base_cycles = arch_cycles();
        apic_hz = clock_round_hz(apic_hz / 1000 * (better / 1000) / (tsc_hz / 1000) * 1000);
        tsc_hz = better;
        mult = clock_scale_mult(tsc_hz);
        tick_mult = clock_tick_mult(apic_hz);
    }
    arch_irq_restore(irq);
    if (changed)
        log_info("clock", "time stamp counter %lu kHz by %lu us of the %s", (unsigned long)(tsc_hz / 1000),
                 (unsigned long)((now.cycles - start.cycles) / (tsc_hz / 1000000)), r->name);
}

uint64_t clock_apic_tick_mult(void) {
    return tick_mult;
}

nstime_t platform_clock_now(void) {
    nstime_t now = base_ns + clock_scale(arch_cycles() - base_cycles, mult, CLOCK_SHIFT);

    if (likely(!atomic_load_explicit(&guarded, memory_order_relaxed)))
        return now;
    nstime_t latest = atomic_load_explicit(&guard_latest, memory_order_relaxed);
    while ((int64_t)(now - latest) > 0)
        if (atomic_compare_exchange_weak_explicit(&guard_latest, &latest, now, memory_order_relaxed,
                                                  memory_order_relaxed))
            return now;
    return latest;
}

nstime_t platform_clock_scale(uint64_t cycles) {
    return clock_scale(cycles, mult, CLOCK_SHIFT);
}

bool platform_clock_params(uint64_t *out_base_cycles, nstime_t *out_base_ns, uint64_t *out_mult, unsigned *out_shift) {
    *out_base_cycles = base_cycles;
    *out_base_ns = base_ns;
    *out_mult = mult;
    *out_shift = CLOCK_SHIFT;
    return !atomic_load_explicit(&guarded, memory_order_relaxed);
}

// A starting processor read its counter between two readings of the one that waits for it.
void platform_clock_check(uint64_t before, uint64_t there, uint64_t after) {
    if (there - before <= after - before || atomic_exchange_explicit(&guarded, true, memory_order_relaxed))
        return;
    log_warning("clock", "time stamp counters are not synchronised: the clock is guarded");
}
