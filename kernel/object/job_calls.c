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
