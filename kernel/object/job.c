// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Jobs: accounts in a tree. A charge is made at the job and at each ancestor, or nowhere.
//
// Invariants:
// I1. For each resource, a job's used is at least the sum of its children's.
// I2. used <= limit after every successful charge (a limit may be set below what is used: nothing more is given then).
// I3. A job's policies are a subset of its parent's; nothing is added to the lists of a dying job, and all jobs below it are dying too, or about to be.
// Locking: accounts are atomic; lists, and changes of policies and dying, belong to the job's lock (rank JOB; one at a time).
#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/namespace.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/trace.h>

static void job_delete(struct object *o);
static size_t job_describe(struct object *o, char *out, size_t size);
struct job root_job;

// The root job is the machine: it takes more than the privilege to pass by permissions.
static inv_rights_t job_security(struct object *o, const struct token *who, inv_rights_t granted) {
    bool machine = o == &root_job.obj && !token_capable(who, CAP_SYS_ADMIN);
    return machine ? granted & INV_RIGHT_GET_INFO : granted;
}

struct object_type job_type = {
    .name = "job",
    .number = INV_OBJECT_JOB,
    .default_rights = INV_RIGHTS_ALL & ~INV_RIGHT_MAP & ~INV_RIGHT_EXECUTE,
    .size = sizeof(struct job),
    .delete = job_delete,
    .security = job_security,
    .describe = job_describe,
};

static void job_setup(struct job *j, struct job *parent) {
    for (unsigned r = 0; r < JOB_RESOURCE_COUNT; r++)
        atomic_init(&j->accounts[r].limit, UINT64_MAX);
    spin_lock_init(&j->lock, LOCK_RANK_JOB);
    list_init(&j->children);
    list_init(&j->child_node);
    list_init(&j->processes);
    j->parent = parent;
    j->depth = parent != NULL ? parent->depth + 1 : 0;
}

void job_init_boot(void) {
    object_type_register(&job_type);
    job_setup(&root_job, NULL);
    atomic_init(&root_job.policies, INV_JOB_POLICIES_ALL);
    ASSERT(object_init(&root_job.obj, &job_type, NULL) == INV_OK);
    ASSERT(directory_insert(namespace_root, "job", &root_job.obj) == INV_OK);
}

// Policies are taken over under the lock under which they shrink: no child escapes.
static inv_status_t job_add_child(struct job *parent, struct job *j) {
    inv_status_t status = INV_OK;

    spin_lock(&parent->lock);
    if (atomic_load_explicit(&parent->dying, memory_order_relaxed)) {
        status = INV_ERR_BAD_STATE;
    } else {
        atomic_init(&j->policies, atomic_load_explicit(&parent->policies, memory_order_relaxed));
        atomic_init(&j->fault_policy, atomic_load_explicit(&parent->fault_policy, memory_order_relaxed));
        atomic_init(&j->oom_policy, atomic_load_explicit(&parent->oom_policy, memory_order_relaxed));
        list_push_back(&parent->children, &j->child_node);
    }
    spin_unlock(&parent->lock);
    return status;
}

inv_status_t job_create(struct job *parent, struct job **out) {
    if (parent->depth >= JOB_DEPTH_MAX) // the last put of a chain of jobs goes up it on one stack
        return INV_ERR_RANGE;
    struct job *j = kzalloc(sizeof(*j));
    if (j == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&j->obj, &job_type, parent);
    if (status != INV_OK) {
        kfree(j);
        return status;
    }
    job_setup(j, parent); // object_init counted the parent
    status = job_add_child(parent, j);
    if (status != INV_OK)
        object_put(&j->obj);
    else
        *out = j;
    return status;
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

// --- accounts ---

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

// --- the tree ---

// The child of parent behind the given one (NULL: the first), counted. One that is going is passed over.
static struct job *child_after(struct job *parent, struct job *child) {
    struct job *next = NULL;

    spin_lock(&parent->lock);
    struct list_node *n = child != NULL ? child->child_node.next : parent->children.next;
    for (; n != &parent->children && next == NULL; n = n->next) {
        struct job *j = list_entry(n, struct job, child_node);
        if (object_try_get(&j->obj))
            next = j;
    }
    spin_unlock(&parent->lock);
    return next;
}

struct job *job_tree_next(struct job *top, struct job *j) {
    if (j == NULL) {
        object_get(&top->obj);
        return top;
    }
    struct job *next = child_after(j, NULL);
    while (next == NULL && j != top) {
        struct job *parent = j->parent;
        object_get(&parent->obj);
        next = child_after(parent, j);
        object_put(&j->obj);
        j = parent;
    }
    object_put(&j->obj);
    return next;
}

// A child made before its parent's lock was had is met later in the walk; one made after it inherits.
void job_restrict(struct job *job, uint32_t policies) {
    for (struct job *j = job_tree_next(job, NULL); j != NULL; j = job_tree_next(job, j)) {
        spin_lock(&j->lock);
        atomic_fetch_and_explicit(&j->policies, ~policies, memory_order_relaxed);
        spin_unlock(&j->lock);
    }
}

void job_set_fault_policy(struct job *job, inv_job_fault_t fault) {
    for (struct job *j = job_tree_next(job, NULL); j != NULL; j = job_tree_next(job, j)) {
        spin_lock(&j->lock);
        if (atomic_load_explicit(&j->fault_policy, memory_order_relaxed) < fault)
            atomic_store_explicit(&j->fault_policy, fault, memory_order_relaxed);
        spin_unlock(&j->lock);
    }
}

inv_status_t job_add_process(struct job *job, struct process *p) {
    spin_lock(&job->lock);
    bool dying = atomic_load_explicit(&job->dying, memory_order_relaxed);
    if (!dying)
        list_push_back(&job->processes, &p->job_node);
    spin_unlock(&job->lock);
    return dying ? INV_ERR_BAD_STATE : INV_OK;
}

void job_remove_process(struct job *job, struct process *p) {
    spin_lock(&job->lock);
    list_remove(&p->job_node);
    spin_unlock(&job->lock);
}

// A process of a dying job that was not killed yet, counted; it goes to the end of the list. NULL: there is none.
static struct process *process_to_kill(struct job *job) {
    struct process *found = NULL;

    spin_lock(&job->lock);
    while (found == NULL && !list_empty(&job->processes)) {
        struct process *p = list_first(&job->processes, struct process, job_node);
        if (p->job_killed)
            break; // and so are all behind it
        p->job_killed = true;
        list_remove(&p->job_node);
        list_push_back(&job->processes, &p->job_node);
        if (object_try_get(&p->obj)) // else it is going by itself
            found = p;
    }
    spin_unlock(&job->lock);
    return found;
}

void job_kill(struct job *job) {
    for (struct job *j = job_tree_next(job, NULL); j != NULL; j = job_tree_next(job, j)) {
        struct process *p;
        spin_lock(&j->lock);
        atomic_store_explicit(&j->dying, true, memory_order_relaxed);
        spin_unlock(&j->lock);
        while ((p = process_to_kill(j)) != NULL) {
            process_end(p);
            object_put(&p->obj);
        }
    }
}

static size_t job_describe(struct object *o, char *out, size_t size) {
    static const char *const names[JOB_RESOURCE_COUNT] = {"memory", "threads", "processes", "handles"};
    struct job *j = container_of(o, struct job, obj);
    size_t length = 0;

    for (unsigned r = 0; r < JOB_RESOURCE_COUNT && length < size; r++) {
        const struct job_account *a = &j->accounts[r];
        uint64_t limit = atomic_load(&a->limit);
        length += (size_t)snprintf(out + length, size - length, "%s: %lu most %lu limit ", names[r],
                                   (unsigned long)atomic_load(&a->used), (unsigned long)atomic_load(&a->high_water));
        if (length < size)
            length += (size_t)snprintf(out + length, size - length, limit == UINT64_MAX ? "none\n" : "%lu\n",
                                       (unsigned long)limit);
    }
    if (length < size)
        length += (size_t)snprintf(out + length, size - length, "policies: %x faults: %u%s\n",
                                   atomic_load(&j->policies), atomic_load(&j->fault_policy),
                                   atomic_load(&j->dying) ? " dying" : "");
    return MIN(length, size - 1);
}
