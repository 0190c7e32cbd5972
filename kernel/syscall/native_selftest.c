// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of the native calls' entry: whom policy lets in, and what stands in the registers afterwards. The thread that tests belongs to the kernel's
// process, whose handles are used.
#include "native.h"

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/native_calls.h>
#include <kernel/process.h>

static bool policies_are_taken_from_all_below(void) {
    struct job *parent, *child, *grandchild;

    SELFTEST_CHECK(job_create(&root_job, &parent) == INV_OK && job_create(parent, &child) == INV_OK);
    SELFTEST_CHECK(job_allows(child, INV_JOB_POLICIES_ALL));
    job_restrict(parent, INV_JOB_POLICY_BOOTSTRAP);
    SELFTEST_CHECK(job_create(child, &grandchild) == INV_OK);
    SELFTEST_CHECK(job_allows(&root_job, INV_JOB_POLICIES_ALL));
    SELFTEST_CHECK(!job_allows(parent, INV_JOB_POLICY_BOOTSTRAP) && !job_allows(child, INV_JOB_POLICY_BOOTSTRAP));
    SELFTEST_CHECK(!job_allows(grandchild, INV_JOB_POLICY_BOOTSTRAP) && !job_allows(grandchild, INV_JOB_POLICIES_ALL));
    SELFTEST_CHECK(job_allows(grandchild, INV_JOB_POLICY_NATIVE_CALLS));
    job_restrict(grandchild, INV_JOB_POLICY_NATIVE_CALLS);
    SELFTEST_CHECK(!job_allows(grandchild, INV_JOB_POLICY_NATIVE_CALLS) &&
                   job_allows(child, INV_JOB_POLICY_NATIVE_CALLS));
    object_put(&grandchild->obj);
    object_put(&child->obj);
    object_put(&parent->obj);
    return true;
}
SELFTEST("native/policies_are_taken_from_all_below", policies_are_taken_from_all_below);

// Without a token there is no job to be had, whatever the policy.
static bool nobody_cannot_bootstrap_the_job(void) {
    inv_handle_t h;

    SELFTEST_CHECK(sys_bootstrap(INV_BOOTSTRAP_KIND_JOB, &h) == INV_ERR_NOT_PERMITTED);
    SELFTEST_CHECK(sys_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &h) == INV_OK && sys_handle_close(h) == INV_OK);
    return true;
}
SELFTEST("native/nobody_cannot_bootstrap_the_job", nobody_cannot_bootstrap_the_job);

// Each kind of calls goes with its policy, and no other with it.
static bool each_policy_refuses_its_calls(void) {
    struct job *job, *all;

    SELFTEST_CHECK(job_create(&root_job, &all) == INV_OK && job_create(&root_job, &job) == INV_OK);
    unsigned had = 0, left = 0, refused = 0;
    for (uint64_t n = 0; n < 4096; n++)
        had += native_call_allowed(all, SYSCALL_NATIVE_BASE + n);
    SELFTEST_CHECK(had > 20 && !native_call_allowed(all, SYSCALL_NATIVE_BASE + had) && !native_call_allowed(all, 0));
    job_restrict(job, INV_JOB_POLICY_IPC_CALLS);
    for (unsigned n = 0; n < 4; n++) // call, reply_receive, receive, reply
        SELFTEST_CHECK(!native_call_allowed(job, SYSCALL_NATIVE_BASE + n));
    static const uint32_t policies[] = {INV_JOB_POLICY_NAME_CALLS, INV_JOB_POLICY_JOB_CALLS,
                                        INV_JOB_POLICY_MEMORY_CALLS};
    for (unsigned i = 0; i < ARRAY_SIZE(policies); i++) { // one after the other, some calls go each time
        left = 0;
        for (uint64_t n = 0; n < had; n++)
            left += native_call_allowed(job, SYSCALL_NATIVE_BASE + n);
        job_restrict(job, policies[i]);
        refused = 0;
        for (uint64_t n = 0; n < had; n++)
            refused += !native_call_allowed(job, SYSCALL_NATIVE_BASE + n);
        SELFTEST_CHECK(had - refused < left);
    }
    SELFTEST_CHECK(native_call_allowed(job, SYSCALL_NATIVE_BASE + 4)); // handle_close
    job_restrict(job, INV_JOB_POLICY_NATIVE_CALLS);
    for (uint64_t n = 0; n < had; n++)
        SELFTEST_CHECK(!native_call_allowed(job, SYSCALL_NATIVE_BASE + n));
    object_put(&job->obj);
    object_put(&all->obj);
    return true;
}
SELFTEST("native/each_policy_refuses_its_calls", each_policy_refuses_its_calls);
