// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Native calls on jobs. What each does and which errors it has, in order: abi/idl/core.idl.
#include <kernel/job.h>
#include <kernel/native_calls.h>

_Static_assert(JOB_MEMORY == INV_JOB_RESOURCE_MEMORY && JOB_THREADS == INV_JOB_RESOURCE_THREADS &&
                   JOB_PROCESSES == INV_JOB_RESOURCE_PROCESSES && JOB_HANDLES == INV_JOB_RESOURCE_HANDLES,
               "one numbering of resources");

inv_status_t sys_job_create(struct job *parent, struct job **out_job) {
    return job_create(parent, out_job);
}

inv_status_t sys_job_set_limit(struct job *job, inv_job_resource_t resource, uint64_t limit) {
    job_set_limit(job, (enum job_resource)resource, limit);
    return INV_OK;
}

inv_status_t sys_job_restrict(struct job *job, inv_job_policies_t policies) {
    job_restrict(job, policies);
    return INV_OK;
}

inv_status_t sys_job_set_fault_policy(struct job *job, inv_job_fault_t fault) {
    job_set_fault_policy(job, fault);
    return INV_OK;
}

inv_status_t sys_job_get_usage(struct job *job, inv_job_resource_t resource, uint64_t *out_used, uint64_t *out_limit,
                               uint64_t *out_most) {
    const struct job_account *a = &job->accounts[resource];

    *out_used = atomic_load_explicit(&a->used, memory_order_relaxed);
    *out_limit = atomic_load_explicit(&a->limit, memory_order_relaxed);
    *out_most = atomic_load_explicit(&a->high_water, memory_order_relaxed);
    return INV_OK;
}

inv_status_t sys_job_kill(struct job *job) {
    job_kill(job);
    return INV_OK;
}
