// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of processes and threads in the booted kernel.
#include <kernel/debug.h>
#include <kernel/selftest_threads.h>
#include <kernel/time.h>

#define CHURN 300

static _Atomic uint32_t churned;

static void count_and_leave(void *arg) {
    atomic_fetch_add(&churned, 1);
}

// What is freed late (reaper, epochs) is waited for.
static bool live_falls_to(struct object_type *type, uint64_t count) {
    nstime_t deadline = deadline_after(SELFTEST_DEADLINE);
    while (atomic_load(&type->counters.live) > count) {
        if (clock_monotonic() > deadline)
            return false;
        thread_reap_pending();
        selftest_sleep(NSEC_PER_MSEC);
    }
    return true;
}

static bool threads_come_and_go(void) {
    thread_reap_pending();
    selftest_sleep(20 * NSEC_PER_MSEC);
    uint64_t threads = atomic_load(&thread_type.counters.live);
    uint64_t contexts = atomic_load(&sched_context_type.counters.live);
    uint64_t memory = atomic_load(&root_job.accounts[JOB_MEMORY].used);
    uint64_t charged = atomic_load(&root_job.accounts[JOB_THREADS].used);

    atomic_store(&churned, 0);
    for (unsigned i = 0; i < CHURN; i++) {
        struct thread *t = selftest_thread(count_and_leave, NULL, i % 2 ? PRIORITY_FAIR : 120, SELFTEST_ANY_CPU);
        SELFTEST_CHECK(t);
        object_put(&t->obj);
    }
    SELFTEST_CHECK(selftest_wait_for(&churned, CHURN));
    SELFTEST_CHECK(live_falls_to(&thread_type, threads));
    SELFTEST_CHECK(live_falls_to(&sched_context_type, contexts));
    SELFTEST_CHECK(atomic_load(&root_job.accounts[JOB_THREADS].used) == charged);
    SELFTEST_CHECK(atomic_load(&root_job.accounts[JOB_MEMORY].used) <= memory);
    return true;
}
SELFTEST("process/threads_come_and_go_without_a_trace", threads_come_and_go);

static bool empty_process_returns_its_charges(void) {
    struct job *job;
    struct process *p;
    SELFTEST_CHECK(job_create(&root_job, &job) == INV_OK);
    job_set_limit(job, JOB_PROCESSES, 1);
    SELFTEST_CHECK(process_create(job, NULL, NULL, "first", &p) == INV_OK);
    struct process *second = NULL;
    SELFTEST_CHECK(process_create(job, NULL, NULL, "second", &second) == INV_ERR_QUOTA);
    object_put(&p->obj);
    SELFTEST_CHECK(atomic_load(&job->accounts[JOB_PROCESSES].used) == 0);
    SELFTEST_CHECK(atomic_load(&job->accounts[JOB_MEMORY].used) == 0);
    object_put(&job->obj);
    return true;
}
SELFTEST("process/process_without_a_thread_returns_its_charges", empty_process_returns_its_charges);

static bool discarded_thread_leaves_no_trace(void) {
    struct thread *t;
    uint64_t threads = atomic_load(&thread_type.counters.live);
    SELFTEST_CHECK(thread_create_kernel(count_and_leave, NULL, "never", PRIORITY_FAIR, &t) == INV_OK);
    thread_discard(t);
    SELFTEST_CHECK(live_falls_to(&thread_type, threads));
    return true;
}
SELFTEST("process/thread_that_never_ran_leaves_no_trace", discarded_thread_leaves_no_trace);
