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
#define JOB_DEPTH_MAX 32 // jobs above a job

struct job {
    struct object obj;
    struct job *parent; // counted; immutable
    uint32_t depth;     // immutable: of root_job 0
    struct job_account {
        _Atomic uint64_t used, limit, high_water;
    } accounts[JOB_RESOURCE_COUNT];
    /* atomic, written under lock: */
    _Atomic uint32_t policies;     // INV_JOB_POLICY_*; bits only go
    _Atomic uint32_t fault_policy; // INV_JOB_FAULT_*; only rises
    _Atomic uint32_t oom_policy;
    atomic_bool dying;    // was killed: nothing is made in it any more
    struct spinlock lock; // rank JOB
    /* lock: */
    struct list_node children, child_node;
    struct list_node processes; // process->job_node; of a dying job, those that are killed already last
};

extern struct object_type job_type;
extern struct job root_job; // limits: what the machine has
void job_init_boot(void);
// With the parent's policies. BAD_STATE (the parent is dying), RANGE (too deep), NO_MEMORY, QUOTA.
must_check inv_status_t job_create(struct job *parent, struct job **out);
// QUOTA if a limit of the job or an ancestor would be passed; nothing is charged then. Any context.
must_check inv_status_t job_charge(struct job *job, enum job_resource r, uint64_t amount);
void job_uncharge(struct job *job, enum job_resource r, uint64_t amount);
// A limit below what is used means that nothing more is given.
void job_set_limit(struct job *job, enum job_resource r, uint64_t limit);
// Whether the job, and so all above it, have all these policies: a change is passed down when it is made. Any context.
static inline bool job_allows(const struct job *job, uint32_t policies) {
    return (atomic_load_explicit(&job->policies, memory_order_relaxed) & policies) == policies;
}
// Takes policies away from the job and all below it. Thread context.
void job_restrict(struct job *job, uint32_t policies);
// What a fault does that the core cannot resolve, in the job and all below it: at least this from now on. Thread context.
void job_set_fault_policy(struct job *job, inv_job_fault_t fault);
// Kills all processes of the job and of all jobs below it; nothing is made in them any more. Does not wait for their end. Thread context.
void job_kill(struct job *job);
struct process;
// Puts p on its job's list. BAD_STATE: the job is dying.
must_check inv_status_t job_add_process(struct job *job, struct process *p);
void job_remove_process(struct job *job, struct process *p);
// A walk over top and all jobs below it, parents first: begin with j NULL. Returns the next, counted, and puts j; NULL at the end. The caller counts top. Jobs that come
// or go meanwhile are seen or not. Thread context.
struct job *job_tree_next(struct job *top, struct job *j);

#endif
