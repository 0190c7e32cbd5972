// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// When each stage of boot ended, by the processor's counter: a small table, written once by whoever ends a stage and read by /proc/invar/boot. The counter runs from
// reset, so under deterministic time the figures are instructions since the machine was started, the firmware's included.
//
// Locking: none. An entry is written once and never changes; a reader that comes earlier finds 0.
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/log.h>

static const char *const names[BOOT_MARK_COUNT] = {
#define BOOT_MARK_NAME(id, name) name,
    BOOT_MARK_LIST(BOOT_MARK_NAME)
#undef BOOT_MARK_NAME
};
static _Atomic uint64_t ends[BOOT_MARK_COUNT];

void boot_mark_at(enum boot_mark mark, uint64_t cycles) {
    atomic_store_explicit(&ends[mark], cycles, memory_order_relaxed);
}

void boot_mark(enum boot_mark mark) {
    boot_mark_at(mark, arch_cycles());
}

bool boot_mark_get(enum boot_mark mark, const char **out_name, uint64_t *out_cycles) {
    *out_name = names[mark];
    *out_cycles = atomic_load_explicit(&ends[mark], memory_order_relaxed);
    return *out_cycles != 0;
}

atomic_bool boot_is_over;

// The log line comes after the mark, so that its cost is not in the figure.
cold_fn void boot_end(void) {
    uint64_t cycles = arch_cycles();

    if (atomic_exchange_explicit(&boot_is_over, true, memory_order_relaxed))
        return;
    boot_mark_at(BOOT_MARK_FIRST_USER_INSTRUCTION, cycles);
    log_info("boot", "first user instruction at cycle %lu", (unsigned long)cycles);
}

static bool stages_end_in_order(void) {
    uint64_t last = 0, cycles;
    const char *name;

    for (unsigned mark = 0; mark <= BOOT_MARK_PROCESSORS; mark++) { // self-tests run after that
        SELFTEST_CHECK(boot_mark_get((enum boot_mark)mark, &name, &cycles));
        SELFTEST_CHECK(cycles > last && cycles < arch_cycles());
        last = cycles;
    }
    SELFTEST_CHECK(!boot_mark_get(BOOT_MARK_FIRST_USER_INSTRUCTION, &name, &cycles));
    return true;
}
SELFTEST("boot/stages_end_in_order", stages_end_in_order);
