// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Jobs: a tree that owns every object and pays for it. A charge goes to the job and all its ancestors, or to none: check, then commit.
#ifndef KERNEL_JOB_H
#define KERNEL_JOB_H

#include <invar/core.h>
#include <kernel/object.h>

enum job_resource { JOB_MEMORY /* bytes */, JOB_THREADS, JOB_PROCESSES, JOB_HANDLES, JOB_RESOURCE_COUNT };
enum job_oom_policy { JOB_OOM_KILL_FAULTING, JOB_OOM_KILL_LARGEST };

struct job {
    struct object obj;
    struct job *parent; // counted; immutable
    struct job_account {
        _Atomic uint64_t used, limit, high_water;
    } accounts[JOB_RESOURCE_COUNT];
    uint32_t oom_policy;
    struct spinlock lock; // rank JOB
    struct list_node children, child_node;
    struct list_node processes; // lock: process->job_node
    _Atomic uint32_t policies;  // INV_JOB_POLICY_*, of this job alone: bits are only ever cleared
};

extern struct object_type job_type;
extern struct job root_job; // limits: what the machine has
// Whether the job and all above it have all these policies. Any context.
static inline bool job_allows(const struct job *job, uint32_t policies) {
    for (; job != NULL; job = job->parent)
        if ((atomic_load_explicit(&job->policies, memory_order_relaxed) & policies) != policies)
            return false;
    return true;
}
// Takes policies away, here and so from all below. Any context.
void job_restrict(struct job *job, uint32_t policies);
void job_init_boot(void);
must_check inv_status_t job_create(struct job *parent, struct job **out);
// QUOTA if a limit of the job or an ancestor would be passed; nothing is charged then. Any context.
must_check inv_status_t job_charge(struct job *job, enum job_resource r, uint64_t amount);
void job_uncharge(struct job *job, enum job_resource r, uint64_t amount);
void job_set_limit(struct job *job, enum job_resource r, uint64_t limit);

#endif
