// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of the scheduler in the booted kernel: order, preemption, shares, affinity, balance.
#include <kernel/debug.h>
#include <kernel/mutex.h>
#include <kernel/selftest_threads.h>
#include <kernel/time.h>
#include <kernel/wait.h>

#include "run_queue.h"

#define THREADS_MAX 32

static struct sched_params saved_params;

// Puts the test's own thread above the threads that it watches.
static void rise_above(void) {
    struct sched_params above = {.class = SCHED_CLASS_FIFO, .priority = 190};
    sched_get_params(current_thread(), &saved_params);
    inv_status_t status = sched_set_params(current_thread(), &above);
    (void)status;
}
static void go_back(void) {
    inv_status_t status = sched_set_params(current_thread(), &saved_params);
    (void)status;
}

// --- order among equals ---

static _Atomic uint32_t order_next;
static uint8_t order_seen[THREADS_MAX];

static void order_thread(void *number) {
    nstime_t until = deadline_after(200 * NSEC_PER_USEC);
    while (clock_monotonic() < until) // long enough for the others to be queued
        arch_pause();
    order_seen[atomic_fetch_add(&order_next, 1)] = (uint8_t)(uintptr_t)number;
}

static bool fifo_runs_in_order(void) {
    struct thread *t[6];
    bool joined = true;
    atomic_store(&order_next, 0);
    rise_above();
    for (uintptr_t i = 0; i < 6; i++)
        t[i] = selftest_thread(order_thread, (void *)i, 120, selftest_cpu(0));
    for (unsigned i = 0; i < 6; i++)
        joined &= selftest_join(t[i]);
    go_back();
    SELFTEST_CHECK(joined);
    for (unsigned i = 0; i < 6; i++)
        SELFTEST_CHECK(order_seen[i] == i);
    return true;
}
SELFTEST("sched/equal_priorities_run_first_come_first_served", fifo_runs_in_order);

// --- preemption ---

static _Atomic uint32_t hog_stop, hog_running, urgent_ran;

static void hog(void *arg) {
    atomic_fetch_add(&hog_running, 1);
    selftest_spin_for(&hog_stop, 1);
}

static void urgent(void *arg) {
    atomic_store(&urgent_ran, 1);
    atomic_store(&hog_stop, 1);
}

static bool real_time_preempts_fair(void) {
    unsigned cpu = selftest_cpu(cpu_count - 1);
    atomic_store(&hog_stop, 0);
    atomic_store(&hog_running, 0);
    atomic_store(&urgent_ran, 0);
    struct thread *fair = selftest_thread(hog, NULL, PRIORITY_FAIR, cpu);
    SELFTEST_CHECK(selftest_wait_for(&hog_running, 1));
    struct thread *rt = selftest_thread(urgent, NULL, 150, cpu);
    bool ran = selftest_wait_for(&urgent_ran, 1); // the hog stops through it alone
    bool joined = selftest_join_all(fair, rt);
    SELFTEST_CHECK(ran && joined);
    SELFTEST_CHECK(fair || rt);
    return true;
}
SELFTEST("sched/real_time_preempts_a_computing_fair_thread", real_time_preempts_fair);

// --- shares ---

// Two fair threads with weights a and b compute on one processor. out: their processor times.
static bool measure_shares(uint32_t a, uint32_t b, nstime_t out[2]) {
    unsigned cpu = selftest_cpu(cpu_count - 1);
    uint32_t weights[2] = {a, b};
    struct thread *t[2];
    atomic_store(&hog_stop, 0);
    atomic_store(&hog_running, 0);
    rise_above();
    for (unsigned i = 0; i < 2; i++) {
        struct sched_params p = {.class = SCHED_CLASS_FAIR, .weight = weights[i]};
        t[i] = selftest_thread(hog, NULL, PRIORITY_FAIR, cpu);
        SELFTEST_CHECK(t[i] && sched_set_params(t[i], &p) == INV_OK);
    }
    SELFTEST_CHECK(selftest_wait_for(&hog_running, 2));
    nstime_t before[2] = {sched_runtime(t[0]), sched_runtime(t[1])};
    selftest_sleep(150 * NSEC_PER_MSEC);
    for (unsigned i = 0; i < 2; i++)
        out[i] = sched_runtime(t[i]) - before[i];
    atomic_store(&hog_stop, 1);
    bool joined = selftest_join_all(t[0], t[1]);
    go_back();
    SELFTEST_CHECK(joined);
    return true;
}

// The shares are right if the first has had between least and most tenths of the second's time. A busy host that stops one of our processors for a
// while spoils a measurement: the best of a few counts.
static bool shares_within(uint32_t a, uint32_t b, unsigned least, unsigned most) {
    for (unsigned attempt = 0; attempt < 5; attempt++) {
        nstime_t ran[2];
        if (measure_shares(a, b, ran) && ran[0] * 10 > ran[1] * least && ran[0] * 10 < ran[1] * most)
            return true;
    }
    return false;
}

static bool fair_shares(void) {
    SELFTEST_CHECK(shares_within(1024, 1024, 7, 14));
    return true;
}
SELFTEST("sched/equal_weights_share_alike", fair_shares);

static bool weighted_shares(void) {
    SELFTEST_CHECK(shares_within(3072, 1024, 22, 45)); // 3 to 1
    return true;
}
SELFTEST("sched/weights_divide_the_processor", weighted_shares);

// One thread of a group of its own computes beside a crowd of another group. out: its time, and the crowd's.
#define CROWD 8
static bool measure_groups(nstime_t out[2]) {
    struct sched_group *groups[2] = {sched_group_create(), sched_group_create()};
    struct thread *t[CROWD + 1];
    bool joined = true;
    nstime_t before[2] = {0}, after[2] = {0};
    SELFTEST_CHECK(groups[0] && groups[1]);
    atomic_store(&hog_stop, 0);
    atomic_store(&hog_running, 0);
    rise_above();
    for (unsigned i = 0; i <= CROWD; i++) {
        t[i] = selftest_thread(hog, NULL, PRIORITY_FAIR, selftest_cpu(cpu_count - 1));
        SELFTEST_CHECK(t[i]);
        sched_set_group(t[i], groups[i > 0]);
    }
    for (unsigned i = 0; i < 2; i++)
        sched_group_put(groups[i]);
    SELFTEST_CHECK(selftest_wait_for(&hog_running, CROWD + 1));
    for (unsigned i = 0; i <= CROWD; i++)
        before[i > 0] += sched_runtime(t[i]);
    selftest_sleep(200 * NSEC_PER_MSEC);
    for (unsigned i = 0; i <= CROWD; i++)
        after[i > 0] += sched_runtime(t[i]);
    atomic_store(&hog_stop, 1);
    for (unsigned i = 0; i <= CROWD; i++)
        joined &= selftest_join(t[i]);
    go_back();
    for (unsigned i = 0; i < 2; i++)
        out[i] = after[i] - before[i];
    SELFTEST_CHECK(joined);
    return true;
}

static bool groups_share(void) {
    nstime_t ran[2];
    for (unsigned attempt = 0; attempt < 5; attempt++) {
        if (measure_groups(ran) && ran[0] * 10 > ran[1] * 7 && ran[0] * 10 < ran[1] * 14)
            return true;
    }
    return false;
}
SELFTEST("sched/groups_share_alike_however_many_threads_they_have", groups_share);

// A holder of a mutex computes among a crowd, while another fair thread waits for the mutex: the crowd waits too. out: how many of the crowd
// have run meanwhile.
static struct mutex wanted_mutex;
static _Atomic uint32_t wanted_held, wanted_crowd;

static void wanted_holder(void *arg) {
    mutex_lock(&wanted_mutex);
    atomic_store(&wanted_held, 1);
    while (sched_runtime(current_thread()) < 60 * NSEC_PER_MSEC)
        arch_pause();
    atomic_store(&wanted_crowd, atomic_load(&hog_running));
    mutex_unlock(&wanted_mutex);
}

static void wanted_waiter(void *arg) {
    mutex_lock(&wanted_mutex);
    mutex_unlock(&wanted_mutex);
}

static bool measure_wanted(unsigned *out_crowd) {
    unsigned cpu = selftest_cpu(cpu_count - 1);
    struct thread *t[CROWD];
    mutex_init(&wanted_mutex, LOCK_RANK_PROCESS);
    atomic_store(&hog_stop, 0);
    atomic_store(&hog_running, 0);
    atomic_store(&wanted_held, 0);
    rise_above();
    struct thread *holder = selftest_thread(wanted_holder, NULL, PRIORITY_FAIR, cpu);
    SELFTEST_CHECK(holder && selftest_wait_for(&wanted_held, 1));
    struct thread *waiter = selftest_thread(wanted_waiter, NULL, PRIORITY_FAIR, cpu);
    while (waiter && (atomic_load(&wanted_mutex.owner) & 1) == 0 && sched_runtime(holder) < 20 * NSEC_PER_MSEC)
        selftest_sleep(100 * NSEC_PER_USEC); // the waiter queues
    for (unsigned i = 0; i < CROWD; i++)
        t[i] = selftest_thread(hog, NULL, PRIORITY_FAIR, cpu);
    bool joined = selftest_join_all(holder, waiter);
    *out_crowd = atomic_load(&wanted_crowd);
    atomic_store(&hog_stop, 1);
    for (unsigned i = 0; i < CROWD; i++)
        joined &= selftest_join(t[i]);
    go_back();
    SELFTEST_CHECK(joined);
    return true;
}

static bool wanted_goes_first(void) {
    unsigned crowd;
    for (unsigned attempt = 0; attempt < 5; attempt++) {
        if (measure_wanted(&crowd) && crowd < CROWD / 2) // by turns all would have run, several times
            return true;
    }
    return false;
}
SELFTEST("sched/a_holder_that_is_waited_for_goes_before_a_crowd", wanted_goes_first);

static bool round_robin_rotates(void) {
    struct thread *t[3];
    nstime_t least = NSTIME_NEVER;
    atomic_store(&hog_stop, 0);
    atomic_store(&hog_running, 0);
    rise_above();
    for (unsigned i = 0; i < 3; i++) {
        struct sched_params p = {.class = SCHED_CLASS_ROUND_ROBIN, .priority = 120, .slice = 2 * NSEC_PER_MSEC};
        t[i] = selftest_thread(hog, NULL, PRIORITY_FAIR, selftest_cpu(0));
        SELFTEST_CHECK(t[i] && sched_set_params(t[i], &p) == INV_OK);
    }
    SELFTEST_CHECK(selftest_wait_for(&hog_running, 3));
    selftest_sleep(60 * NSEC_PER_MSEC);
    for (unsigned i = 0; i < 3; i++)
        least = MIN(least, sched_runtime(t[i]));
    atomic_store(&hog_stop, 1);
    bool joined = selftest_join_all(t[0], t[1], t[2]);
    go_back();
    SELFTEST_CHECK(joined);
    SELFTEST_CHECK(least > 5 * NSEC_PER_MSEC);
    return true;
}
SELFTEST("sched/round_robin_rotates_by_slices", round_robin_rotates);

static _Atomic uint32_t yield_turns, yield_same;
static _Atomic(struct thread *) yield_last;
static struct waitq yield_wait = WAITQ_INIT(yield_wait);

static void yielder(void *arg) {
    selftest_spin_for(&hog_stop, 1);
    for (unsigned i = 0; i < 100; i++) {
        if (atomic_exchange(&yield_last, current_thread()) == current_thread())
            atomic_fetch_add(&yield_same, 1);
        atomic_fetch_add(&yield_turns, 1);
        sched_yield();
    }
    waitq_wake(&yield_wait, 1, 0);
}

static bool yield_alternates(void) {
    struct thread *t[2];
    atomic_store(&hog_stop, 0);
    atomic_store(&yield_turns, 0);
    atomic_store(&yield_same, 0);
    rise_above();
    for (unsigned i = 0; i < 2; i++)
        t[i] = selftest_thread(yielder, NULL, PRIORITY_FAIR, selftest_cpu(0));
    selftest_sleep(20 * NSEC_PER_MSEC); // both have begun
    atomic_store(&hog_stop, 1);
    inv_status_t status; // a look now and then would preempt them, on a slow host at every turn
    WAIT_EVENT(&yield_wait, atomic_load(&yield_turns) == 200, WAIT_UNINTERRUPTIBLE, deadline_after(SELFTEST_DEADLINE),
               status);
    bool joined = selftest_join_all(t[0], t[1]);
    go_back();
    SELFTEST_CHECK(joined && status == INV_OK && atomic_load(&yield_turns) == 200);
    SELFTEST_CHECK(atomic_load(&yield_same) < 40); // some: when one is preempted, or is alone at the end
    return true;
}
SELFTEST("sched/yield_lets_the_other_run", yield_alternates);

// --- processors ---

static void visit_all(void *wrong) {
    for (unsigned round = 0; round < 3 * cpu_count; round++) {
        unsigned cpu = selftest_cpu(round);
        cpuset_t set = {0};
        cpuset_add(&set, cpu);
        if (sched_set_affinity(current_thread(), &set) != INV_OK || arch_cpu_id() != cpu)
            atomic_fetch_add((_Atomic uint32_t *)wrong, 1);
        sched_yield();
        if (arch_cpu_id() != cpu)
            atomic_fetch_add((_Atomic uint32_t *)wrong, 1);
    }
}

static bool affinity_moves_itself(void) {
    static _Atomic uint32_t wrong;
    atomic_store(&wrong, 0);
    struct thread *fair = selftest_thread(visit_all, &wrong, PRIORITY_FAIR, SELFTEST_ANY_CPU);
    struct thread *rt = selftest_thread(visit_all, &wrong, 140, SELFTEST_ANY_CPU);
    bool joined = selftest_join_all(fair, rt);
    SELFTEST_CHECK(joined && atomic_load(&wrong) == 0);
    return true;
}
SELFTEST("sched/affinity_moves_the_caller_before_it_returns", affinity_moves_itself);

static bool affinity_moves_others(void) {
    atomic_store(&hog_stop, 0);
    atomic_store(&hog_running, 0);
    struct thread *t = selftest_thread(hog, NULL, PRIORITY_FAIR, SELFTEST_ANY_CPU);
    SELFTEST_CHECK(selftest_wait_for(&hog_running, 1));
    bool moved = true;
    for (unsigned round = 0; round < 4 * cpu_count; round++) {
        unsigned cpu = selftest_cpu(round);
        cpuset_t set = {0};
        cpuset_add(&set, cpu);
        moved &= sched_set_affinity(t, &set) == INV_OK && atomic_load(&t->sched.cpu) == cpu;
    }
    cpuset_t none = {0};
    bool refused = sched_set_affinity(t, &none) == INV_ERR_INVALID;
    atomic_store(&hog_stop, 1);
    SELFTEST_CHECK(selftest_join(t));
    SELFTEST_CHECK(moved && refused);
    return true;
}
SELFTEST("sched/affinity_moves_a_running_thread", affinity_moves_others);

static bool load_spreads(void) {
    struct thread *t[THREADS_MAX];
    unsigned n = MIN(2 * cpu_count, (unsigned)THREADS_MAX), used = 0;
    cpuset_t seen = {0};
    bool joined = true;
    atomic_store(&hog_stop, 0);
    atomic_store(&hog_running, 0);
    rise_above();
    for (unsigned i = 0; i < n; i++) {
        cpuset_t all = {0};
        t[i] = selftest_thread(hog, NULL, PRIORITY_FAIR, selftest_cpu(0)); // all begin on one
        for (unsigned cpu = 0; cpu < cpu_count; cpu++)
            cpuset_add(&all, cpu);
        joined &= t[i] && sched_set_affinity(t[i], &all) == INV_OK;
    }
    joined &= selftest_wait_for(&hog_running, n);
    selftest_sleep(30 * NSEC_PER_MSEC);
    for (unsigned i = 0; i < n; i++)
        cpuset_add(&seen, atomic_load(&t[i]->sched.cpu));
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        used += cpuset_has(&seen, cpu);
    atomic_store(&hog_stop, 1);
    for (unsigned i = 0; i < n; i++)
        joined &= selftest_join(t[i]);
    go_back();
    SELFTEST_CHECK(joined);
    SELFTEST_CHECK(used == cpu_count);
    return true;
}
SELFTEST("sched/computing_threads_spread_over_all_processors", load_spreads);

static bool params_are_checked(void) {
    struct thread *self = current_thread();
    struct sched_params p;
    sched_get_params(self, &p);
    struct sched_params zero_weight = {.class = SCHED_CLASS_FAIR};
    struct sched_params fair_priority = {.class = SCHED_CLASS_FIFO, .priority = PRIORITY_FAIR};
    struct sched_params no_class = {.class = 77, .priority = 100};
    struct sched_params long_slice = {.class = SCHED_CLASS_ROUND_ROBIN, .priority = 100, .slice = 3600 * NSEC_PER_SEC};
    SELFTEST_CHECK(sched_set_params(self, &zero_weight) == INV_ERR_INVALID);
    SELFTEST_CHECK(sched_set_params(self, &fair_priority) == INV_ERR_INVALID);
    SELFTEST_CHECK(sched_set_params(self, &no_class) == INV_ERR_INVALID);
    SELFTEST_CHECK(sched_set_params(self, &long_slice) == INV_ERR_INVALID);
    struct sched_params after;
    sched_get_params(self, &after);
    SELFTEST_CHECK(after.class == p.class && after.priority == p.priority && after.weight == p.weight);
    return true;
}
SELFTEST("sched/bad_parameters_change_nothing", params_are_checked);

// A clock that was read before another processor charged the same thread is behind: no time has passed then.
static bool old_clock_costs_nothing(void) {
    static struct run_queue q;
    static struct thread t;
    static struct sched_context c;

    c = (struct sched_context){.params = {.class = SCHED_CLASS_FAIR, .weight = 335},
                               .group = sched_group_system(),
                               .last_charged = NSEC_PER_SEC};
    t.sched.context = &c;
    atomic_store(&t.sched.priority, PRIORITY_FAIR);
    q.current = &t;
    q.min_virtual_time = 0;
    run_queue_charge(&q, NSEC_PER_SEC - 100);
    SELFTEST_CHECK(c.virtual_time == 0 && c.runtime == 0 && q.min_virtual_time == 0);
    run_queue_charge(&q, NSEC_PER_SEC + 335);
    SELFTEST_CHECK(c.virtual_time == FAIR_WEIGHT_DEFAULT && c.runtime == 335);
    return true;
}
SELFTEST("sched/a_clock_that_is_behind_charges_nothing", old_clock_costs_nothing);
