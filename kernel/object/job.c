// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Jobs: accounts in a tree. A charge is made at the job and at each ancestor, or nowhere.
//
// Invariants:
// I1. For each resource, a job's used is at least the sum of its children's.
// I2. used <= limit after every successful charge (a limit may be set below what is used: nothing more is given then).
// Locking: accounts are atomic; the lists belong to the job's lock (rank JOB; parent before child).
#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/trace.h>

static void job_delete(struct object *o);
struct object_type job_type = {
    .name = "job",
    .number = INV_OBJECT_JOB,
    .default_rights = INV_RIGHTS_ALL & ~INV_RIGHT_MAP & ~INV_RIGHT_EXECUTE,
    .size = sizeof(struct job),
    .delete = job_delete,
};
struct job root_job;

static void job_setup(struct job *j, struct job *parent) {
    for (unsigned r = 0; r < JOB_RESOURCE_COUNT; r++)
        atomic_init(&j->accounts[r].limit, UINT64_MAX);
    spin_lock_init(&j->lock, LOCK_RANK_JOB);
    list_init(&j->children);
    list_init(&j->child_node);
    list_init(&j->processes);
    j->parent = parent;
    atomic_init(&j->policies, INV_JOB_POLICIES_ALL);
}

void job_init_boot(void) {
    object_type_register(&job_type);
    job_setup(&root_job, NULL);
    ASSERT(object_init(&root_job.obj, &job_type, NULL) == INV_OK);
    ASSERT(directory_insert(namespace_root, "job", &root_job.obj) == INV_OK);
}

inv_status_t job_create(struct job *parent, struct job **out) {
    struct job *j = kzalloc(sizeof(*j));
    if (j == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&j->obj, &job_type, parent);
    if (status != INV_OK) {
        kfree(j);
        return status;
    }
    job_setup(j, parent); // object_init counted the parent
    j->oom_policy = parent->oom_policy;
    spin_lock(&parent->lock);
    list_push_back(&parent->children, &j->child_node);
    spin_unlock(&parent->lock);
    *out = j;
    return INV_OK;
}

static void job_delete(struct object *o) {
    struct job *j = container_of(o, struct job, obj);

    ASSERT(j != &root_job);
    DEBUG_ASSERT(list_empty(&j->processes) && list_empty(&j->children)); // each counts its job
    spin_lock(&j->parent->lock);
    list_remove(&j->child_node);
    spin_unlock(&j->parent->lock);
    for (unsigned r = 0; r < JOB_RESOURCE_COUNT; r++)
        DEBUG_ASSERT(atomic_load_explicit(&j->accounts[r].used, memory_order_relaxed) == 0);
    object_free(o);
}

static bool account_charge(struct job_account *a, uint64_t amount) {
    uint64_t used = atomic_load_explicit(&a->used, memory_order_relaxed);
    uint64_t limit = atomic_load_explicit(&a->limit, memory_order_relaxed);
    do {
        if (amount > limit || used > limit - amount)
            return false; // I2
    } while (!atomic_compare_exchange_weak_explicit(&a->used, &used, used + amount, memory_order_relaxed,
                                                    memory_order_relaxed));
    uint64_t high = atomic_load_explicit(&a->high_water, memory_order_relaxed);
    while (used + amount > high && !atomic_compare_exchange_weak_explicit(&a->high_water, &high, used + amount,
                                                                          memory_order_relaxed, memory_order_relaxed))
        ;
    return true;
}

static void account_uncharge(struct job_account *a, uint64_t amount) {
    uint64_t before = atomic_fetch_sub_explicit(&a->used, amount, memory_order_relaxed);
    DEBUG_ASSERT(before >= amount);
    (void)before;
}

inv_status_t job_charge(struct job *job, enum job_resource r, uint64_t amount) {
    for (struct job *j = job; j != NULL; j = j->parent) {
        if (account_charge(&j->accounts[r], amount))
            continue;
        for (struct job *paid = job; paid != j; paid = paid->parent)
            account_uncharge(&paid->accounts[r], amount);
        trace(job_charge_failed, (uintptr_t)j, amount, 0);
        return INV_ERR_QUOTA;
    }
    return INV_OK;
}

void job_uncharge(struct job *job, enum job_resource r, uint64_t amount) {
    for (struct job *j = job; j != NULL; j = j->parent)
        account_uncharge(&j->accounts[r], amount);
}

void job_set_limit(struct job *job, enum job_resource r, uint64_t limit) {
    atomic_store_explicit(&job->accounts[r].limit, limit, memory_order_relaxed);
}

void job_restrict(struct job *job, uint32_t policies) {
    atomic_fetch_and_explicit(&job->policies, ~policies, memory_order_relaxed);
}
