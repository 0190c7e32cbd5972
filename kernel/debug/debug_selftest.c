// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of kernel/debug in the booted kernel: log, symbols, backtraces, stopping of processors.

#include "emergency.h"

#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/log.h>
#include <kernel/selftest_threads.h>
#include <kernel/string.h>
#include <kernel/time.h>
#include <kernel/wait.h>

#define STOPS 50

static bool log_gives_back_what_was_written(void) {
    struct log_record record;
    uint64_t sequence = log_next_sequence(), lost = 1;

    log_write(LOG_DEBUG, "selftest", "number %d", 42);
    log_add(3 << 3 | LOG_DEBUG, "from outside\n", 13);
    SELFTEST_CHECK(log_read(&sequence, &record, &lost) == INV_OK && lost == 0);
    SELFTEST_CHECK(strcmp(record.text, "selftest: number 42") == 0 && record.level == LOG_DEBUG);
    SELFTEST_CHECK(log_read(&sequence, &record, &lost) == INV_OK);
    SELFTEST_CHECK(strcmp(record.text, "from outside") == 0 && record.level == (3 << 3 | LOG_DEBUG));
    SELFTEST_CHECK(sequence == record.sequence + 1);
    return true;
}
SELFTEST("debug/log_gives_back_what_was_written", log_gives_back_what_was_written);

static bool log_wakes_readers_even_from_under_locks(void) {
    uint64_t next = log_next_sequence();
    inv_status_t status;

    irq_flags_t flags = arch_irq_save();
    log_write(LOG_DEBUG, "selftest", "with interrupts off");
    arch_irq_restore(flags);
    WAIT_EVENT(log_waitq(), log_next_sequence() > next, WAIT_UNINTERRUPTIBLE, deadline_after(NSEC_PER_SEC), status);
    SELFTEST_CHECK(status == INV_OK);
    return true;
}
SELFTEST("debug/log_wakes_readers_even_from_under_locks", log_wakes_readers_even_from_under_locks);

static bool limited_log_passes_once_in_an_interval(void) {
    static _Atomic nstime_t next;

    SELFTEST_CHECK(log_limit_pass(&next, NSEC_PER_SEC));
    SELFTEST_CHECK(!log_limit_pass(&next, NSEC_PER_SEC));
    return true;
}
SELFTEST("debug/limited_log_passes_once_in_an_interval", limited_log_passes_once_in_an_interval);

static bool symbols_name_functions(void) {
    uintptr_t offset;

    SELFTEST_CHECK(strcmp(symbol_lookup((uintptr_t)log_write, &offset), "log_write") == 0 && offset == 0);
    SELFTEST_CHECK(strcmp(symbol_lookup((uintptr_t)log_write + 1, &offset), "log_write") == 0 && offset == 1);
    SELFTEST_CHECK(strcmp(symbol_lookup(1, &offset), "?") == 0 && offset == 0);
    return true;
}
SELFTEST("debug/symbols_name_functions", symbols_name_functions);

static bool backtrace_leads_to_the_test_runner(void) {
    uintptr_t trace[16], offset;
    size_t n = backtrace_collect(arch_frame_pointer(), trace, ARRAY_SIZE(trace));

    for (size_t i = 0; i < n; i++) {
        if (strcmp(symbol_lookup(trace[i] - 1, &offset), "selftest_run_all") == 0)
            return true;
    }
    SELFTEST_CHECK(n == 0 && "selftest_run_all is not in the trace");
    return true;
}
SELFTEST("debug/backtrace_leads_to_the_test_runner", backtrace_leads_to_the_test_runner);

static bool backtrace_of_nonsense_ends(void) {
    uintptr_t circle[2] = {(uintptr_t)circle, (uintptr_t)log_write + 4}, trace[16];

    SELFTEST_CHECK(backtrace_collect(0, trace, 16) == 0);
    SELFTEST_CHECK(backtrace_collect(0x1234567812345678, trace, 16) == 0);
    SELFTEST_CHECK(backtrace_collect(UINTPTR_MAX - 7, trace, 16) == 0);
    SELFTEST_CHECK(backtrace_collect((uintptr_t)circle, trace, 16) < 16);
    return true;
}
SELFTEST("debug/backtrace_of_nonsense_ends", backtrace_of_nonsense_ends);

static unsigned stopped_count(void) {
    unsigned stopped = 0;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        stopped += cpu != arch_cpu_id() && atomic_load(&stopped_cpus[cpu].state) == STOP_STOPPED;
    return stopped;
}

// A host may have stopped a processor for longer than a panic would wait for it: the test is more patient.
static bool processors_stop_and_go_on(void) {
    nstime_t end = deadline_after(SELFTEST_BUDGET);

    for (unsigned i = 0; i < STOPS && (i == 0 || clock_monotonic() < end); i++) {
        irq_flags_t flags = arch_irq_save();
        nstime_t patience = deadline_after(SELFTEST_DEADLINE);

        (void)stop_others(false);
        while (stopped_count() + 1 < cpu_count && clock_monotonic() < patience)
            arch_pause();
        unsigned stopped = stopped_count();
        stop_release();
        arch_irq_restore(flags);
        SELFTEST_CHECK(stopped + 1 == cpu_count);
    }
    return true;
}
SELFTEST("debug/processors_stop_and_go_on", processors_stop_and_go_on);
