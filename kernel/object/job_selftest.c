// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of the job tree in the booted kernel: its walk, policies that only shrink, and the end of a whole job.
#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/selftest_threads.h>
#include <kernel/time.h>

static bool process_in(struct job *job, struct process **out) {
    struct aspace *as;
    if (aspace_create(job, &as) != INV_OK)
        return false;
    if (process_create(job, as, &native_personality, "selftest", out) == INV_OK)
        return true;
    aspace_put(as);
    return false;
}

static bool policies_only_shrink(void) {
    struct job *top, *child, *later;

    SELFTEST_CHECK(job_create(&root_job, &top) == INV_OK && job_create(top, &child) == INV_OK);
    SELFTEST_CHECK(job_allows(child, INV_JOB_POLICY_NATIVE_CALLS | INV_JOB_POLICY_MEMORY_CALLS));
    job_restrict(top, INV_JOB_POLICY_MEMORY_CALLS);
    job_set_fault_policy(top, INV_JOB_FAULT_KILL_JOB);
    SELFTEST_CHECK(!job_allows(child, INV_JOB_POLICY_MEMORY_CALLS) && job_allows(child, INV_JOB_POLICY_BOOTSTRAP));
    job_restrict(child, INV_JOB_POLICY_BOOTSTRAP);
    job_set_fault_policy(child, INV_JOB_FAULT_KILL_PROCESS);
    SELFTEST_CHECK(job_allows(top, INV_JOB_POLICY_BOOTSTRAP) && !job_allows(child, INV_JOB_POLICY_BOOTSTRAP));
    SELFTEST_CHECK(atomic_load(&child->fault_policy) == INV_JOB_FAULT_KILL_JOB); // never less
    SELFTEST_CHECK(job_create(top, &later) == INV_OK && !job_allows(later, INV_JOB_POLICY_MEMORY_CALLS));
    SELFTEST_CHECK(atomic_load(&later->fault_policy) == INV_JOB_FAULT_KILL_JOB);
    SELFTEST_CHECK(job_allows(&root_job, INV_JOB_POLICIES_ALL));
    object_put(&later->obj);
    object_put(&child->obj);
    object_put(&top->obj);
    return true;
}
SELFTEST("object/job_policies_only_shrink", policies_only_shrink);

static bool the_tree_is_walked_whole(void) {
    struct job *jobs[JOB_DEPTH_MAX + 12];
    unsigned n = 0, seen = 0;

    SELFTEST_CHECK(job_create(&root_job, &jobs[n++]) == INV_OK);
    for (unsigned i = 0; i < 10; i++) // five in the first, five more below the fourth of them
        SELFTEST_CHECK(job_create(i < 5 ? jobs[0] : jobs[4], &jobs[n++]) == INV_OK);
    for (struct job *j = job_tree_next(jobs[0], NULL); j != NULL; j = job_tree_next(jobs[0], j))
        seen++;
    SELFTEST_CHECK(seen == n);
    struct job *deep = jobs[0];
    while (deep->depth < JOB_DEPTH_MAX) {
        SELFTEST_CHECK(n < ARRAY_SIZE(jobs) && job_create(deep, &jobs[n]) == INV_OK);
        deep = jobs[n++];
    }
    struct job *none;
    SELFTEST_CHECK(job_create(deep, &none) == INV_ERR_RANGE);
    uint64_t live = atomic_load(&root_job.obj.type->counters.live);
    for (unsigned i = 0; i < n; i++) // parents first: the last put goes up the whole chain
        object_put(&jobs[i]->obj);
    SELFTEST_CHECK(atomic_load(&root_job.obj.type->counters.live) == live - n);
    return true;
}
SELFTEST("object/the_job_tree_is_walked_whole", the_tree_is_walked_whole);

static bool a_killed_job_takes_all_with_it(void) {
    struct process *p[40], *other, *none;
    struct job *top, *child, *late;

    SELFTEST_CHECK(job_create(&root_job, &top) == INV_OK && job_create(top, &child) == INV_OK);
    SELFTEST_CHECK(process_in(&root_job, &other));
    for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
        SELFTEST_CHECK(process_in(i % 2 == 0 ? top : child, &p[i]));
    job_kill(top);
    for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
        SELFTEST_CHECK(atomic_load(&p[i]->exiting));
    SELFTEST_CHECK(!atomic_load(&other->exiting));
    SELFTEST_CHECK(!process_in(child, &none) && job_create(top, &late) == INV_ERR_BAD_STATE);
    SELFTEST_CHECK(job_create(child, &late) == INV_ERR_BAD_STATE);
    job_kill(top); // again: nothing
    for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
        object_put(&p[i]->obj);
    object_put(&other->obj);
    SELFTEST_CHECK(atomic_load(&top->accounts[JOB_PROCESSES].used) == 0 &&
                   atomic_load(&top->accounts[JOB_PROCESSES].high_water) >= ARRAY_SIZE(p));
    object_put(&child->obj);
    SELFTEST_CHECK(atomic_load(&top->accounts[JOB_MEMORY].used) == 0);
    object_put(&top->obj);
    return true;
}
SELFTEST("object/a_killed_job_takes_all_with_it", a_killed_job_takes_all_with_it);

static struct job *race_job;

// Makes jobs and processes in a job until it is dying; counts those that it holds then and that were not killed.
static void job_racer(void *arg) {
    _Atomic uint32_t *escaped = arg;
    for (;;) {
        struct process *p;
        struct job *j;
        if (job_create(race_job, &j) != INV_OK)
            return;
        bool made = process_in(j, &p);
        if (made) {
            if (atomic_load(&race_job->dying)) { // the kill has begun: it has to come here
                nstime_t end = clock_monotonic() + NSEC_PER_SEC;
                while (!atomic_load(&p->exiting) && clock_monotonic() < end)
                    selftest_sleep(100 * NSEC_PER_USEC);
                if (!atomic_load(&p->exiting))
                    atomic_fetch_add(escaped, 1);
            }
            object_put(&p->obj);
        }
        object_put(&j->obj);
    }
}

static bool nothing_escapes_a_kill(void) {
    _Atomic uint32_t escaped = 0;

    for (unsigned round = 0; round < 5; round++) {
        struct thread *t[4];
        unsigned count = MIN(cpu_count, (unsigned)ARRAY_SIZE(t));
        SELFTEST_CHECK(job_create(&root_job, &race_job) == INV_OK);
        for (unsigned i = 0; i < count; i++)
            t[i] = selftest_thread(job_racer, &escaped, PRIORITY_FAIR, selftest_cpu(i));
        selftest_sleep(4 * NSEC_PER_MSEC);
        job_kill(race_job);
        SELFTEST_CHECK(selftest_join_array(t, count) && atomic_load(&escaped) == 0);
        SELFTEST_CHECK(atomic_load(&race_job->accounts[JOB_PROCESSES].used) == 0);
        object_put(&race_job->obj);
    }
    return true;
}
SELFTEST("object/nothing_escapes_a_kill", nothing_escapes_a_kill);
