// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Threads for self-tests: see kernel/selftest_threads.h.
#include <kernel/selftest_threads.h>
#include <kernel/time.h>

static inv_status_t give_params(struct thread *t, uint8_t priority, unsigned cpu) {
    if (cpu == SELFTEST_ANY_CPU)
        return INV_OK;
    cpuset_t set = {0};
    cpuset_add(&set, cpu);
    return sched_set_affinity(t, &set);
}

struct thread *selftest_thread(void (*fn)(void *), void *arg, uint8_t priority, unsigned cpu) {
    struct thread *t;
    if (thread_create_kernel(fn, arg, "selftest", priority, &t) != INV_OK)
        return NULL;
    inv_status_t status = give_params(t, priority, cpu);
    if (status != INV_OK) {
        thread_discard(t);
        return NULL;
    }
    thread_start(t);
    return t;
}

void selftest_sleep(nstime_t duration) {
    inv_status_t status = thread_sleep_until(deadline_after(duration), WAIT_UNINTERRUPTIBLE);
    (void)status;
}

bool selftest_wait_for(_Atomic uint32_t *flag, uint32_t value) {
    nstime_t deadline = deadline_after(SELFTEST_DEADLINE);
    while (atomic_load(flag) < value) {
        if (clock_monotonic() > deadline)
            return false;
        selftest_sleep(100 * NSEC_PER_USEC);
    }
    return true;
}

bool selftest_spin_for(_Atomic uint32_t *flag, uint32_t value) {
    nstime_t deadline = deadline_after(SELFTEST_DEADLINE);
    while (atomic_load(flag) < value) {
        if (clock_monotonic() > deadline)
            return false;
        arch_pause();
    }
    return true;
}

bool selftest_join(struct thread *t) {
    if (!t)
        return false;
    nstime_t deadline = deadline_after(SELFTEST_DEADLINE);
    while (atomic_load(&t->sched.state) != THREAD_DEAD || atomic_load(&t->sched.on_cpu)) {
        if (clock_monotonic() > deadline)
            return false;
        selftest_sleep(100 * NSEC_PER_USEC);
    }
    object_put(&t->obj);
    return true;
}

bool selftest_join_array(struct thread **threads, size_t count) {
    bool joined = true;
    for (size_t i = 0; i < count; i++)
        joined &= selftest_join(threads[i]);
    return joined;
}

unsigned selftest_cpu(unsigned number) {
    unsigned online = 0;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        online += cpuset_has(&cpu_online, cpu);
    number %= online;
    for (unsigned cpu = 0;; cpu++) {
        if (cpuset_has(&cpu_online, cpu) && number-- == 0)
            return cpu;
    }
}
