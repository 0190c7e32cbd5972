// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of processes and threads in the booted kernel.
#include "process_internal.h"

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

// A fault in one process of a job, at each policy: who ends of the two in the job, the one below it, and the one beside it.
static bool faults_end_what_the_policy_says(void) {
    static const struct {
        inv_job_fault_t policy;
        bool handled, others;
    } cases[] = {{INV_JOB_FAULT_PERSONALITY, false, false},
                 {INV_JOB_FAULT_KILL_PROCESS, true, false},
                 {INV_JOB_FAULT_KILL_JOB, true, true}};

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct job *job, *below;
        struct process *p[4]; // faulting, same job, job below, root job
        SELFTEST_CHECK(job_create(&root_job, &job) == INV_OK && job_create(job, &below) == INV_OK);
        struct job *const jobs[] = {job, job, below, &root_job};
        job_set_fault_policy(job, cases[i].policy);
        for (unsigned k = 0; k < ARRAY_SIZE(p); k++) {
            struct aspace *as;
            SELFTEST_CHECK(aspace_create(jobs[k], &as) == INV_OK);
            SELFTEST_CHECK(process_create(jobs[k], as, &native_personality, "selftest", &p[k]) == INV_OK);
        }
        SELFTEST_CHECK(process_fault_ends(p[0]) == cases[i].handled);
        SELFTEST_CHECK(atomic_load(&p[0]->exiting) == cases[i].handled);
        SELFTEST_CHECK(atomic_load(&p[1]->exiting) == cases[i].others &&
                       atomic_load(&p[2]->exiting) == cases[i].others);
        SELFTEST_CHECK(!atomic_load(&p[3]->exiting));
        for (unsigned k = 0; k < ARRAY_SIZE(p); k++)
            object_put(&p[k]->obj);
        object_put(&below->obj);
        object_put(&job->obj);
    }
    return true;
}
SELFTEST("process/faults_end_what_the_policy_says", faults_end_what_the_policy_says);
