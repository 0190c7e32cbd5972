// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Delays at lock and preemption points, so that rare interleavings become common: now and then a processor spins for a while, by a sequence that follows from
// the command line's delay_seed=N (0 or absent: never). Under deterministic time the same seed gives the same run. Any context; nothing is locked.

#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/log.h>
#include <kernel/string.h>

#define DELAY_ONE_IN 64u
#define DELAY_SPINS  2048u

static _Atomic uint64_t seed;
static struct delay_state {
    uint64_t value;
} aligned_to(
    ARCH_CACHE_LINE) states[CONFIG_MAX_CPUS]; // this processor; an interrupt in the middle only makes it more random

void delay_point(void) {
    uint64_t start = atomic_load_explicit(&seed, memory_order_relaxed);

    if (start == 0)
        return;
    struct delay_state *s = &states[arch_cpu_id()];
    uint64_t x = s->value != 0 ? s->value : start + arch_cpu_id();
    x ^= x << 13; // xorshift64 (Marsaglia)
    x ^= x >> 7;
    x ^= x << 17;
    s->value = x;
    if ((x >> 32) % DELAY_ONE_IN != 0)
        return;
    for (uint64_t i = x % DELAY_SPINS; i > 0; i--)
        arch_pause();
}

static inv_status_t delay_start(void) {
    char text[24];
    const char *end;
    uint64_t value;

    if (!boot_option("delay_seed", text, sizeof(text)) || string_to_u64(text, &end, 0, &value) != INV_OK)
        return INV_OK;
    atomic_store_explicit(&seed, value, memory_order_relaxed);
    log_info("debug", "delays by seed %lu", (unsigned long)value);
    return INV_OK;
}
BOOT_CALL("delays", BOOT_STAGE_EXECUTIVE, delay_start);
