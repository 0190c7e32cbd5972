// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of timers and sleeping in the booted kernel.
#include <kernel/debug.h>
#include <kernel/selftest_threads.h>
#include <kernel/time.h>

#define COUNT 40
struct probe {
    struct ktimer timer;
    nstime_t fired_at;
    uint32_t position;
};
static struct probe probes[COUNT];
static _Atomic uint32_t fired;

static void probe_fired(struct ktimer *t) {
    struct probe *p = container_of(t, struct probe, timer);
    p->fired_at = clock_monotonic();
    p->position = atomic_fetch_add(&fired, 1);
}

static bool timers_fire_in_order(void) {
    atomic_store(&fired, 0);
    nstime_t base = deadline_after(3 * NSEC_PER_MSEC);
    preempt_disable(); // one processor's queue
    for (unsigned i = 0; i < COUNT; i++) {
        timer_init(&probes[i].timer, probe_fired);
        timer_set(&probes[i].timer, base + (i * 17 % COUNT) * 20 * NSEC_PER_USEC);
    }
    preempt_enable();
    SELFTEST_CHECK(selftest_wait_for(&fired, COUNT));
    for (unsigned i = 0; i < COUNT; i++) {
        SELFTEST_CHECK(probes[i].fired_at >= probes[i].timer.deadline);
        SELFTEST_CHECK(probes[i].position == i * 17 % COUNT);
    }
    return true;
}
SELFTEST("time/timers_fire_in_order_and_not_early", timers_fire_in_order);

static bool slack_joins_others(void) {
    struct ktimer first, near, far;
    timer_init(&first, probe_fired);
    timer_init(&near, probe_fired);
    timer_init(&far, probe_fired);
    preempt_disable(); // one processor's queue; nothing fires before it is cancelled
    nstime_t base = deadline_after(3600 * NSEC_PER_SEC);
    timer_set(&first, base + 50 * NSEC_PER_USEC);
    timer_set_slack(&near, base, 50 * NSEC_PER_USEC);
    timer_set_slack(&far, base, 49 * NSEC_PER_USEC);
    preempt_enable();
    bool right = near.deadline == first.deadline && far.deadline == base;
    timer_cancel_sync(&first);
    timer_cancel_sync(&near);
    timer_cancel_sync(&far);
    SELFTEST_CHECK(right);
    return true;
}
SELFTEST("time/slack_joins_a_timer_within_it_and_no_other", slack_joins_others);

static bool cancelled_timers_stay_silent(void) {
    atomic_store(&fired, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        timer_init(&probes[i].timer, probe_fired);
        timer_set(&probes[i].timer, deadline_after(5 * NSEC_PER_MSEC));
    }
    for (unsigned i = 0; i < COUNT; i += 2)
        SELFTEST_CHECK(timer_cancel(&probes[i].timer));
    SELFTEST_CHECK(!timer_cancel(&probes[0].timer));
    SELFTEST_CHECK(selftest_wait_for(&fired, COUNT / 2));
    selftest_sleep(2 * NSEC_PER_MSEC);
    SELFTEST_CHECK(atomic_load(&fired) == COUNT / 2);
    SELFTEST_CHECK(!timer_cancel_sync(&probes[1].timer));
    return true;
}
SELFTEST("time/cancelled_timers_stay_silent", cancelled_timers_stay_silent);

static void set_and_cancel(void *arg) {
    struct ktimer t;
    for (unsigned i = 0; i < 300; i++) {
        timer_init(&t, (void (*)(struct ktimer *))arg);
        timer_set(&t, deadline_after((i * 31 % 50) * NSEC_PER_USEC));
        if (i % 3 == 0)
            sched_yield();
        timer_cancel_sync(&t); // after it the stack may be used again, whatever the handler was doing
    }
}

static void count_only(struct ktimer *t) {
    atomic_fetch_add(&fired, 1);
}

static bool cancel_sync_waits(void) {
    struct thread *t[8];
    unsigned n = MIN(2 * cpu_count, 8u);
    bool joined = true;
    for (unsigned i = 0; i < n; i++)
        t[i] = selftest_thread(set_and_cancel, (void *)count_only, PRIORITY_FAIR, SELFTEST_ANY_CPU);
    for (unsigned i = 0; i < n; i++)
        joined &= selftest_join(t[i]);
    SELFTEST_CHECK(joined);
    return true;
}
SELFTEST("time/a_timer_on_a_stack_is_safe_after_cancel_sync", cancel_sync_waits);

static struct ktimer common;

static void arm_common(void *arg) {
    for (unsigned i = 0; i < 500; i++)
        timer_set(&common, deadline_after((i * 29 + (uintptr_t)arg * 7) % 60 * NSEC_PER_USEC));
}

static bool armed_from_everywhere(void) {
    struct thread *t[8];
    unsigned n = MIN(2 * cpu_count, 8u);
    bool joined = true;
    timer_init(&common, count_only);
    for (uintptr_t i = 0; i < n; i++)
        t[i] = selftest_thread(arm_common, (void *)i, PRIORITY_FAIR, SELFTEST_ANY_CPU);
    for (unsigned i = 0; i < n; i++)
        joined &= selftest_join(t[i]);
    timer_cancel_sync(&common);
    atomic_store(&fired, 0);
    timer_set(&common, deadline_after(NSEC_PER_MSEC));
    SELFTEST_CHECK(joined && selftest_wait_for(&fired, 1));
    selftest_sleep(2 * NSEC_PER_MSEC);
    SELFTEST_CHECK(atomic_load(&fired) == 1);
    return true;
}
SELFTEST("time/a_timer_armed_from_all_processors_at_once_is_on_one", armed_from_everywhere);

static bool sleeps_are_exact(void) {
    nstime_t worst = 0;
    for (unsigned i = 0; i < 20; i++) {
        nstime_t deadline = deadline_after(NSEC_PER_MSEC + i * 10 * NSEC_PER_USEC);
        SELFTEST_CHECK(thread_sleep_until(deadline, WAIT_UNINTERRUPTIBLE) == INV_OK);
        nstime_t now = clock_monotonic();
        SELFTEST_CHECK(now >= deadline);
        worst = MAX(worst, now - deadline);
    }
    SELFTEST_CHECK(worst < 500 * NSEC_PER_MSEC); // the host may be busy; under deterministic time it is microseconds
    return true;
}
SELFTEST("time/sleeps_end_after_their_deadline", sleeps_are_exact);

static bool clocks_move(void) {
    nstime_t last = clock_monotonic();
    for (unsigned i = 0; i < 1000; i++) {
        nstime_t now = clock_monotonic();
        SELFTEST_CHECK(now >= last);
        last = now;
    }
    nstime_t wall = clock_wall();
    clock_wall_set(wall + 1000 * NSEC_PER_SEC);
    nstime_t after = clock_wall();
    clock_wall_set(clock_wall() - 1000 * NSEC_PER_SEC);
    SELFTEST_CHECK(after >= wall + 1000 * NSEC_PER_SEC && after < wall + 1010 * NSEC_PER_SEC);
    SELFTEST_CHECK(deadline_after(NSTIME_NEVER) == NSTIME_NEVER && deadline_after(NSTIME_NEVER - 1) == NSTIME_NEVER);
    return true;
}
SELFTEST("time/clocks_go_forward_and_the_wall_clock_can_be_set", clocks_move);
