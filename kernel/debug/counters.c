// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Event counters summed over the processors: for /proc/invar/counters, /proc/stat and the debugger. What each of them counts stands in kernel/counters.h.

#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/string.h>

uint64_t counter_sum(size_t offset_in_counters) {
    uint64_t sum = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        _Atomic uint64_t *p = (_Atomic uint64_t *)((char *)&cpus[i].counters + offset_in_counters);
        sum += atomic_load_explicit(p, memory_order_relaxed);
    }
    return sum;
}

void counter_for_each(void (*fn)(const char *name, uint64_t value, void *arg), void *arg) {
#define COUNTER_CALL(name) fn(#name, counter_read(name), arg);
    COUNTER_LIST(COUNTER_CALL)
#undef COUNTER_CALL
}

static void counter_print(const char *name, uint64_t value, void *arg) {
    debugger_print("%-20s %lu\n", name, (unsigned long)value);
}

static void command_counters(int argc, const char **argv) {
    (void)argc;
    (void)argv;
    counter_for_each(counter_print, NULL);
}
DEBUGGER_COMMAND("counters", "events counted since boot, over all processors", command_counters);
