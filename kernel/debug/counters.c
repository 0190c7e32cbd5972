// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Event counters, one set a processor, always on. A count may miss an event when a thread moves between processors in the middle of an addition: they
// are for people and benchmarks, not for decisions.

#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/string.h>

struct counters counters[CONFIG_MAX_CPUS];

uint64_t counter_sum(size_t offset_in_counters) {
    uint64_t sum = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        _Atomic uint64_t *p = (_Atomic uint64_t *)((char *)&counters[i] + offset_in_counters);
        sum += atomic_load_explicit(p, memory_order_relaxed);
    }
    return sum;
}

static void command_counters(int argc, const char **argv) {
    (void)argc;
    (void)argv;
#define COUNTER_PRINT(name) \
    debugger_print("%-20s %lu\n", #name, (unsigned long)counter_sum(offsetof(struct counters, name)));
    COUNTER_LIST(COUNTER_PRINT)
#undef COUNTER_PRINT
}
DEBUGGER_COMMAND("counters", "events counted since boot, over all processors", command_counters);
