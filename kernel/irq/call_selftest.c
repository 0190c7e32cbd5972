// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of calls between processors: every one is reached once, and processors that call each other at the same time all come through.
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/selftest_threads.h>
#include <kernel/time.h>

#define ROUNDS 50

static void count(void *counter) {
    atomic_fetch_add((atomic_uint *)counter, 1);
}

static unsigned online_count(void) {
    unsigned n = 0;

    for (unsigned i = 0; i < cpu_count; i++)
        n += atomic_load(&cpus[i].online);
    return n;
}

static bool call_reaches_every_other_processor_once(void) {
    atomic_uint reached = 0;
    nstime_t end = deadline_after(SELFTEST_BUDGET);
    unsigned called = 0;

    for (; called < ROUNDS && clock_monotonic() < end; called++)
        cpu_call(NULL, count, &reached);
    SELFTEST_CHECK(atomic_load(&reached) == called * (online_count() - 1));
    return true;
}
SELFTEST("irq/call_reaches_every_other_processor_once", call_reaches_every_other_processor_once);

static atomic_uint cross_called, cross_reached, cross_done;
static nstime_t cross_end;

static void cross_caller(void *unused) {
    (void)unused;
    for (unsigned i = 0; i < ROUNDS && clock_monotonic() < cross_end; i++) {
        cpu_call(NULL, count, &cross_reached);
        atomic_fetch_add(&cross_called, 1);
    }
    atomic_fetch_add(&cross_done, 1);
    thread_exit();
}

static bool processors_call_each_other_at_once(void) {
    unsigned n = online_count(), started = 0;

    atomic_store(&cross_called, 0);
    atomic_store(&cross_reached, 0);
    atomic_store(&cross_done, 0);
    cross_end = deadline_after(SELFTEST_BUDGET);
    for (unsigned i = 0; i < n; i++) {
        struct thread *t;
        if (thread_create_kernel(cross_caller, NULL, "cross", PRIORITY_FAIR, &t) != INV_OK)
            break;
        thread_start(t);
        object_put(&t->obj);
        started++;
    }
    while (atomic_load(&cross_done) < started) {
        sched_yield();
        arch_pause();
    }
    SELFTEST_CHECK(started == n);
    SELFTEST_CHECK(atomic_load(&cross_reached) == atomic_load(&cross_called) * (n - 1));
    return true;
}
SELFTEST("irq/processors_call_each_other_at_once", processors_call_each_other_at_once);
