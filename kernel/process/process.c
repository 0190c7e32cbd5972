// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Processes: an address space, a handle table, a job, threads. Thread context. What a process is beyond that is its personality's.
//
// Invariants:
// I1. thread_count is the length of threads; a process whose count fell to 0 gets no thread again.
// I2. Once exiting or single is set, no thread but the single one can be added.
// Locking: process->lock (rank PROCESS) for threads and aspace; a process's own threads read aspace freely while they are on its list, since it changes
// only while one is left; the scheduler does so on their behalf (thread->left).
#include "process_internal.h"

#include <kernel/assert.h>
#include <kernel/debug.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/trace.h>

static struct slab_cache process_cache;
static struct process kernel_process_storage;
struct process *kernel_process = &kernel_process_storage;

static void process_delete(struct object *o) {
    struct process *p = container_of(o, struct process, obj);
    struct job *job = o->job;

    ASSERT(p != kernel_process && p->thread_count == 0);
    if (p->ops != NULL && p->ops->process_delete != NULL && p->personality_data != NULL)
        p->ops->process_delete(p);
    process_drop_resources(p); // a process that never had a thread still has them
    job_uncharge(job, JOB_PROCESSES, 1);
    object_free(o); // the job may go with it
}

static struct signals *process_signals(struct object *o) {
    return &container_of(o, struct process, obj)->signals;
}

static size_t process_describe(struct object *o, char *out, size_t size) {
    const struct process *p = container_of(o, struct process, obj);
    return (size_t)snprintf(out, size, "name: %.16s\npersonality: %s\nopen handles: %u\n", p->name, p->ops->name,
                            *(const volatile uint32_t *)&p->handles.used);
}

struct object_type process_type = {
    .name = "process",
    .number = INV_OBJECT_PROCESS,
    .default_rights = INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER | INV_RIGHT_WAIT | INV_RIGHT_GET_INFO | INV_RIGHT_MANAGE,
    .size = sizeof(struct process),
    .cache = &process_cache,
    .describe = process_describe,
    .delete = process_delete,
    .signals = process_signals,
};

static void process_setup(struct process *p, const struct personality_ops *ops, const char *name) {
    mutex_init(&p->lock, LOCK_RANK_PROCESS);
    list_init(&p->threads);
    list_init(&p->job_node);
    waitq_init(&p->thread_left);
    signals_init(&p->signals);
    p->ops = ops != NULL ? ops : &native_personality;
    string_copy(p->name, name, sizeof(p->name));
}

void process_types_init(void) {
    slab_cache_init(&process_cache, "process", sizeof(struct process), 0);
    object_type_register(&process_type);
    process_setup(kernel_process, NULL, "kernel");
    ASSERT(object_init(&kernel_process->obj, &process_type, &root_job) == INV_OK); // boot: nothing is charged yet
    handle_table_init(&kernel_process->handles, &root_job);
}

inv_status_t process_create(struct job *job, struct aspace *as, const struct personality_ops *ops, const char *name,
                            struct process **out) {
    struct process *p = slab_zalloc(&process_cache);
    if (p == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = job_charge(job, JOB_PROCESSES, 1);
    if (status != INV_OK)
        goto fail_charge;
    status = object_init(&p->obj, &process_type, job);
    if (status != INV_OK)
        goto fail_object;
    process_setup(p, ops, name);
    handle_table_init(&p->handles, job);
    status = job_add_process(job, p);
    if (status != INV_OK)
        goto fail_job;
    p->aspace = as;
    trace(process_create, (uintptr_t)p, 0, 0);
    *out = p;
    return INV_OK;

fail_job:
    atomic_store_explicit(&p->obj.pointers, 0, memory_order_relaxed); // never shared
    object_fini(&p->obj);
fail_object:
    job_uncharge(job, JOB_PROCESSES, 1);
fail_charge:
    slab_free(&process_cache, p);
    return status;
}

void process_drop_resources(struct process *p) {
    struct job *job = p->obj.job;

    handle_table_close_all(&p->handles);
    job_remove_process(job, p);
    process_set_aspace(p, NULL);
    signals_change(&p->signals, 0, INV_SIGNAL_TERMINATED);
}

struct aspace *process_aspace_get(struct process *p) {
    mutex_lock(&p->lock);
    struct aspace *as = p->aspace;
    if (as != NULL)
        aspace_get(as);
    mutex_unlock(&p->lock);
    return as;
}

void process_set_aspace(struct process *p, struct aspace *as) {
    mutex_lock(&p->lock);
    struct aspace *old = p->aspace;
    p->aspace = as;
    mutex_unlock(&p->lock);
    if (p == current_process()) {
        irq_flags_t flags = arch_irq_save();
        aspace_switch(this_cpu()->aspace, as);
        arch_irq_restore(flags);
    }
    if (old != NULL)
        aspace_put(old);
}

// Marks all threads but except. Lock held.
static void kill_threads_locked(struct process *p, struct thread *except) {
    struct thread *t;
    list_for_each(t, &p->threads, process_node) {
        if (t != except)
            thread_set_work(t, THREAD_WORK_KILL);
    }
}

void process_kill(struct process *p) {
    mutex_lock(&p->lock);
    atomic_store(&p->exiting, true);
    kill_threads_locked(p, p == current_process() ? current_thread() : NULL);
    mutex_unlock(&p->lock);
}

void process_end(struct process *p) {
    if (p->ops != NULL && p->ops->kill != NULL && p->personality_data != NULL) {
        p->ops->kill(p);
        return;
    }
    process_kill(p); // one that its personality does not know yet gets no thread any more
    if (p == current_process())
        thread_set_work(current_thread(), THREAD_WORK_KILL);
}

inv_status_t process_single_thread(struct process *p) {
    struct thread *none = NULL, *self = current_thread();
    inv_status_t status;

    if (!atomic_compare_exchange_strong(&p->single, &none, self))
        return INV_ERR_INTERRUPTED; // another thread was first: this one is leaving
    mutex_lock(&p->lock);
    if (!atomic_load(&p->exiting))
        kill_threads_locked(p, self);
    mutex_unlock(&p->lock);
    // The condition is read without the lock: the count only falls from here on (I2).
    WAIT_EVENT(&p->thread_left, *(volatile unsigned *)&p->thread_count == 1, WAIT_KILLABLE, NSTIME_NEVER, status);
    atomic_store(&p->single, NULL);
    return status;
}
