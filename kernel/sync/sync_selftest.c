// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of locks, wait queues and epochs in the booted kernel, over all processors.
#include <kernel/debug.h>
#include <kernel/epoch.h>
#include <kernel/mutex.h>
#include <kernel/selftest_threads.h>
#include <kernel/slab.h>
#include <kernel/time.h>
#include <kernel/wait.h>

#define WORKERS_MAX 16
#define LOW         110
#define MIDDLE      120
#define HIGH        130

static unsigned worker_count(void) {
    return MIN(2 * cpu_count, (unsigned)WORKERS_MAX);
}

// Starts worker_count() threads of the fair class on all processors and waits for all.
static bool run_workers(void (*fn)(void *)) {
    struct thread *workers[WORKERS_MAX];
    bool ok = true;
    for (unsigned i = 0; i < worker_count(); i++)
        workers[i] = selftest_thread(fn, (void *)(uintptr_t)i, PRIORITY_FAIR, SELFTEST_ANY_CPU);
    for (unsigned i = 0; i < worker_count(); i++)
        ok &= selftest_join(workers[i]);
    return ok;
}

// --- mutual exclusion ---

#define SPIN_ROUNDS 1000
static struct spinlock counter_lock = SPINLOCK_INIT(LOCK_RANK_DEVICE);
static volatile uint64_t spin_counter;

static void spin_worker(void *arg) {
    for (unsigned i = 0; i < SPIN_ROUNDS; i++) {
        irq_flags_t flags = spin_lock_irq(&counter_lock);
        spin_counter = spin_counter + 1;
        spin_unlock_irq(&counter_lock, flags);
    }
}

static bool spin_lock_excludes(void) {
    spin_counter = 0;
    SELFTEST_CHECK(run_workers(spin_worker));
    SELFTEST_CHECK(spin_counter == (uint64_t)SPIN_ROUNDS * worker_count());
    return true;
}
SELFTEST("sync/spin_lock_excludes_over_processors", spin_lock_excludes);

#define MUTEX_ROUNDS 400
static struct mutex counter_mutex;
static _Atomic uint32_t mutex_rounds;
static nstime_t mutex_end;
static volatile uint64_t mutex_counter;
static _Atomic uint32_t mutex_inside, mutex_violations;

static void mutex_worker(void *arg) {
    for (unsigned i = 0; i < MUTEX_ROUNDS && clock_monotonic() < mutex_end; i++) {
        mutex_lock(&counter_mutex);
        if (atomic_fetch_add(&mutex_inside, 1) != 0)
            atomic_fetch_add(&mutex_violations, 1);
        mutex_counter = mutex_counter + 1;
        if (i % 8 == 0)
            sched_yield();
        atomic_fetch_sub(&mutex_inside, 1);
        mutex_unlock(&counter_mutex);
        atomic_fetch_add(&mutex_rounds, 1);
    }
}

static bool mutex_excludes(void) {
    mutex_init(&counter_mutex, LOCK_RANK_KSPACE);
    mutex_counter = 0;
    atomic_store(&mutex_rounds, 0);
    mutex_end = deadline_after(SELFTEST_BUDGET);
    SELFTEST_CHECK(run_workers(mutex_worker));
    SELFTEST_CHECK(mutex_counter == atomic_load(&mutex_rounds) && mutex_counter > 0);
    SELFTEST_CHECK(atomic_load(&mutex_violations) == 0);
    SELFTEST_CHECK(atomic_load(&counter_mutex.owner) == 0);
    return true;
}
SELFTEST("sync/mutex_excludes_over_processors", mutex_excludes);

static _Atomic uint32_t churn_timeouts;

static void timeout_worker(void *arg) {
    for (unsigned i = 0; i < MUTEX_ROUNDS / 4 && clock_monotonic() < mutex_end; i++) {
        nstime_t patience = (i * 7 + (uintptr_t)arg * 13) % 40 * NSEC_PER_USEC;
        if (mutex_lock_killable(&counter_mutex, deadline_after(patience)) == INV_OK) {
            mutex_counter = mutex_counter + 1;
            if (i % 4 == 0)
                selftest_sleep(10 * NSEC_PER_USEC);
            mutex_unlock(&counter_mutex);
        } else {
            atomic_fetch_add(&churn_timeouts, 1);
        }
        atomic_fetch_add(&mutex_rounds, 1);
    }
}

static bool mutex_survives_timeouts(void) {
    mutex_init(&counter_mutex, LOCK_RANK_KSPACE);
    mutex_counter = 0;
    atomic_store(&churn_timeouts, 0);
    atomic_store(&mutex_rounds, 0);
    mutex_end = deadline_after(SELFTEST_BUDGET);
    SELFTEST_CHECK(run_workers(timeout_worker));
    SELFTEST_CHECK(mutex_counter + atomic_load(&churn_timeouts) == atomic_load(&mutex_rounds));
    SELFTEST_CHECK(atomic_load(&counter_mutex.owner) == 0);
    return true;
}
SELFTEST("sync/mutex_is_neither_lost_nor_doubled_when_waiters_give_up", mutex_survives_timeouts);

// --- priority inheritance: all threads on one processor, so that without it the middle one would never let the low one go on ---

static struct mutex inherit_a, inherit_b;
static _Atomic uint32_t low_holds, middle_holds, high_done, stop_middle;
static uint8_t low_peak, low_after;

static uint8_t own_priority(void) {
    return atomic_load(&current_thread()->sched.priority);
}

// Holds a until it has inherited at least as_far_as, and notes what it has had.
static void low_thread(void *as_far_as) {
    nstime_t deadline = deadline_after(SELFTEST_DEADLINE / 4);
    mutex_lock(&inherit_a);
    atomic_store(&low_holds, 1);
    while (own_priority() < (uintptr_t)as_far_as && clock_monotonic() < deadline)
        arch_pause();
    low_peak = own_priority();
    mutex_unlock(&inherit_a);
    low_after = own_priority();
}

static void middle_computes(void *arg) {
    selftest_spin_for(&stop_middle, 1);
}

static void middle_waits_holding(void *arg) {
    mutex_lock(&inherit_b);
    atomic_store(&middle_holds, 1);
    mutex_lock(&inherit_a);
    mutex_unlock(&inherit_a);
    mutex_unlock(&inherit_b);
}

static void high_thread(void *m) {
    mutex_lock(m);
    mutex_unlock(m);
    atomic_store(&high_done, 1);
    atomic_store(&stop_middle, 1);
}

static void inherit_reset(void) {
    mutex_init(&inherit_a, LOCK_RANK_PERSONALITY);
    mutex_init(&inherit_b, LOCK_RANK_PERSONALITY_TREE);
    atomic_store(&low_holds, 0);
    atomic_store(&middle_holds, 0);
    atomic_store(&high_done, 0);
    atomic_store(&stop_middle, 0);
    low_peak = low_after = 0;
}

// The self-test's own thread would not run beside real-time threads on the same processor: it is put above them.
static struct sched_params saved_params;
static void rise_above(void) {
    struct sched_params above = {.class = SCHED_CLASS_FIFO, .priority = HIGH + 10};
    sched_get_params(current_thread(), &saved_params);
    inv_status_t status = sched_set_params(current_thread(), &above);
    (void)status;
}
static void go_back(void) {
    inv_status_t status = sched_set_params(current_thread(), &saved_params);
    (void)status;
}

static bool owner_inherits(void) {
    unsigned cpu = selftest_cpu(0);
    inherit_reset();
    rise_above();
    struct thread *low = selftest_thread(low_thread, (void *)HIGH, LOW, cpu);
    bool held = selftest_wait_for(&low_holds, 1);
    struct thread *middle = selftest_thread(middle_computes, NULL, MIDDLE, cpu);
    struct thread *high = selftest_thread(high_thread, &inherit_a, HIGH, cpu);
    bool done = selftest_wait_for(&high_done, 1);
    atomic_store(&stop_middle, 1);
    bool joined = selftest_join_all(low, middle, high);
    go_back();
    SELFTEST_CHECK(held && done && joined);
    SELFTEST_CHECK(low_peak == HIGH);
    SELFTEST_CHECK(low_after == LOW);
    return true;
}
SELFTEST("sync/owner_inherits_the_priority_of_its_waiter", owner_inherits);

static bool chain_inherits(void) {
    unsigned cpu = selftest_cpu(1);
    inherit_reset();
    rise_above();
    struct thread *low = selftest_thread(low_thread, (void *)HIGH, LOW, cpu);
    bool held = selftest_wait_for(&low_holds, 1);
    struct thread *middle = selftest_thread(middle_waits_holding, NULL, MIDDLE, cpu);
    held &= selftest_wait_for(&middle_holds, 1);
    struct thread *high = selftest_thread(high_thread, &inherit_b, HIGH, cpu);
    bool done = selftest_wait_for(&high_done, 1);
    bool joined = selftest_join_all(low, middle, high);
    go_back();
    SELFTEST_CHECK(held && done && joined);
    SELFTEST_CHECK(low_peak == HIGH);
    SELFTEST_CHECK(low_after == LOW);
    return true;
}
SELFTEST("sync/inheritance_passes_along_a_chain_of_owners", chain_inherits);

static void giving_up_thread(void *arg) {
    if (mutex_lock_killable(&inherit_a, deadline_after(5 * NSEC_PER_MSEC)) == INV_OK)
        mutex_unlock(&inherit_a);
    atomic_store(&high_done, 1);
}

static bool inheritance_ends_with_the_waiter(void) {
    inherit_reset();
    mutex_lock(&inherit_a);
    struct thread *waiter = selftest_thread(giving_up_thread, NULL, HIGH, SELFTEST_ANY_CPU);
    bool done = selftest_wait_for(&high_done, 1);
    bool joined = selftest_join(waiter);
    uint8_t after = own_priority();
    mutex_unlock(&inherit_a);
    SELFTEST_CHECK(done && joined && after == PRIORITY_FAIR);
    return true;
}
SELFTEST("sync/inheritance_ends_when_the_waiter_gives_up", inheritance_ends_with_the_waiter);

// --- wait queues ---

#define ITEMS 4000
static struct waitq items_wait;
static _Atomic uint32_t items, consumed, storm_failures;

static bool take_item(void) {
    uint32_t n = atomic_load(&items);
    while (n && !atomic_compare_exchange_weak(&items, &n, n - 1)) {}
    return n != 0;
}

static void consumer(void *arg) {
    for (;;) {
        inv_status_t status;
        bool got = false;
        WAIT_EVENT(&items_wait, atomic_load(&consumed) >= ITEMS || (got = take_item()), WAIT_UNINTERRUPTIBLE,
                   deadline_after(SELFTEST_DEADLINE), status);
        if (status != INV_OK)
            atomic_fetch_add(&storm_failures, 1);
        if (!got)
            return;
        if (atomic_fetch_add(&consumed, 1) + 1 == ITEMS)
            waitq_wake(&items_wait, UINT32_MAX, 0);
    }
}

static bool wake_storm(void) {
    struct thread *workers[WORKERS_MAX];
    bool joined = true;
    waitq_init(&items_wait);
    atomic_store(&consumed, 0);
    for (unsigned i = 0; i < worker_count(); i++)
        workers[i] = selftest_thread(consumer, NULL, PRIORITY_FAIR, SELFTEST_ANY_CPU);
    for (unsigned i = 0; i < ITEMS; i++) {
        atomic_fetch_add(&items, 1);
        waitq_wake(&items_wait, 1, 0);
        if (i % 64 == 0)
            sched_yield();
    }
    for (unsigned i = 0; i < worker_count(); i++)
        joined &= selftest_join(workers[i]);
    SELFTEST_CHECK(joined);
    SELFTEST_CHECK(atomic_load(&storm_failures) == 0);
    SELFTEST_CHECK(atomic_load(&consumed) == ITEMS && atomic_load(&items) == 0);
    SELFTEST_CHECK(list_empty(&items_wait.waiters));
    return true;
}
SELFTEST("sync/no_wake_up_is_lost_in_a_storm", wake_storm);

static struct waitq order_wait;
static _Atomic uint32_t order_waiting, order_next;
static uint8_t order_seen[3];

static void order_waiter(void *arg) {
    struct waiter w;
    waiter_init(&w);
    waitq_add(&order_wait, &w);
    atomic_fetch_add(&order_waiting, 1);
    for (;;) {
        thread_sleep_prepare(WAIT_UNINTERRUPTIBLE);
        if (atomic_load(&w.woken))
            break;
        if (thread_sleep(deadline_after(SELFTEST_DEADLINE)) != INV_OK)
            break;
    }
    thread_sleep_finish();
    waitq_remove(&order_wait, &w);
    order_seen[atomic_fetch_add(&order_next, 1)] = own_priority();
}

static bool wakes_by_priority(void) {
    static const uint8_t priorities[3] = {LOW, HIGH, MIDDLE};
    struct thread *t[3];
    bool ok = true;
    waitq_init(&order_wait);
    atomic_store(&order_waiting, 0);
    atomic_store(&order_next, 0);
    for (uint32_t i = 0; i < 3; i++) {
        t[i] = selftest_thread(order_waiter, NULL, priorities[i], SELFTEST_ANY_CPU);
        ok &= selftest_wait_for(&order_waiting, i + 1);
    }
    for (uint32_t i = 0; i < 3; i++) {
        waitq_wake(&order_wait, 1, 0);
        ok &= selftest_wait_for(&order_next, i + 1);
    }
    for (unsigned i = 0; i < 3; i++)
        ok &= selftest_join(t[i]);
    SELFTEST_CHECK(ok);
    SELFTEST_CHECK(order_seen[0] == HIGH && order_seen[1] == MIDDLE && order_seen[2] == LOW);
    return true;
}
SELFTEST("sync/the_most_urgent_waiter_is_woken_first", wakes_by_priority);

static bool deadline_ends_a_wait(void) {
    inv_status_t status;
    waitq_init(&order_wait);
    nstime_t deadline = deadline_after(3 * NSEC_PER_MSEC);
    WAIT_EVENT(&order_wait, false, WAIT_UNINTERRUPTIBLE, deadline, status);
    SELFTEST_CHECK(status == INV_ERR_TIMED_OUT);
    SELFTEST_CHECK(clock_monotonic() >= deadline);
    SELFTEST_CHECK(list_empty(&order_wait.waiters));
    return true;
}
SELFTEST("sync/deadline_ends_a_wait_and_not_before", deadline_ends_a_wait);

// --- epochs ---

#define EPOCH_ROUNDS 300
#define ALIVE        0x11223344u
#define FREED        0xdeaddeadu
struct shared_value {
    _Atomic uint32_t magic;
    struct epoch_node reclaim;
};
static _Atomic(struct shared_value *) shared;
static _Atomic uint32_t epoch_stop, epoch_bad, epoch_freed;
static uint32_t epoch_deferred;

static void value_free(struct epoch_node *n) {
    struct shared_value *v = container_of(n, struct shared_value, reclaim);
    atomic_store(&v->magic, FREED);
    kfree(v);
    atomic_fetch_add(&epoch_freed, 1);
}

static void epoch_reader(void *arg) {
    while (!atomic_load(&epoch_stop)) {
        epoch_enter();
        struct shared_value *v = atomic_load_explicit(&shared, memory_order_acquire);
        for (unsigned i = 0; i < 50; i++) {
            if (atomic_load_explicit(&v->magic, memory_order_relaxed) != ALIVE)
                atomic_fetch_add(&epoch_bad, 1);
        }
        epoch_exit();
        arch_pause(); // deterministic time serves the other processors here
    }
}

static bool epoch_writer(void) {
    nstime_t end = deadline_after(SELFTEST_BUDGET);
    for (unsigned i = 0; i < EPOCH_ROUNDS && (i == 0 || clock_monotonic() < end); i++) {
        struct shared_value *v = kmalloc(sizeof(*v));
        SELFTEST_CHECK(v);
        atomic_init(&v->magic, ALIVE);
        struct shared_value *old = atomic_exchange(&shared, v);
        if (old) {
            epoch_deferred++;
            epoch_defer(&old->reclaim, value_free);
        }
        if (i % 32 == 0)
            epoch_synchronize();
    }
    return true;
}

static bool epoch_keeps_what_readers_see(void) {
    struct thread *readers[WORKERS_MAX];
    bool ok = true;
    atomic_store(&epoch_freed, 0);
    epoch_deferred = 0;
    SELFTEST_CHECK(epoch_writer());
    for (unsigned i = 0; i < cpu_count && i < WORKERS_MAX; i++)
        readers[i] = selftest_thread(epoch_reader, NULL, PRIORITY_FAIR, SELFTEST_ANY_CPU);
    ok &= epoch_writer();
    atomic_store(&epoch_stop, 1);
    for (unsigned i = 0; i < cpu_count && i < WORKERS_MAX; i++)
        ok &= selftest_join(readers[i]);
    SELFTEST_CHECK(ok);
    SELFTEST_CHECK(atomic_load(&epoch_bad) == 0);
    SELFTEST_CHECK(selftest_wait_for(&epoch_freed, epoch_deferred));
    return true;
}
SELFTEST("sync/epochs_keep_memory_that_readers_see", epoch_keeps_what_readers_see);
