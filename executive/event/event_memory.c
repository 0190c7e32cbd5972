// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory of event files: charged to the job of who made them. Thread context.
#include <executive/event.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>

void *event_memory_get(size_t size, struct job **out_job) {
    struct job *job = current_process()->obj.job;
    if (job == NULL)
        job = &root_job;
    if (job_charge(job, JOB_MEMORY, size) != INV_OK)
        return NULL;
    void *memory = kzalloc(size);
    if (memory == NULL) {
        job_uncharge(job, JOB_MEMORY, size);
        return NULL;
    }
    object_get(&job->obj);
    *out_job = job;
    return memory;
}

void event_memory_put(void *memory, size_t size, struct job *job) {
    kfree(memory);
    job_uncharge(job, JOB_MEMORY, size);
    object_put(&job->obj);
}
