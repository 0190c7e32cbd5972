// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Threads: creation, end, the work before a return to user mode. Thread context unless said otherwise.
//
// A thread's life: created NEW with two pointers (the creator's, and its own); started; ends itself in thread_exit: personality, then the process's list, then, if it
// was the last, the process's resources; sched_exit switches away for ever; the next thread on the processor hands the dead one to the reaper (reap.c),
// which frees the stack and drops the thread's own pointer.
//
// Locking: the process's list under process->lock; the list of all threads under all_threads_lock (rank OBJECT), never held over anything but the walk.
#include "process_internal.h"

#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/debug.h>
#include <kernel/kspace.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/trace.h>

static struct slab_cache thread_cache, fpu_cache;
static struct spinlock all_threads_lock = SPINLOCK_INIT(LOCK_RANK_OBJECT);
static struct list_node all_threads = LIST_INIT(all_threads);
static _Atomic uint64_t next_id = 1;
static struct thread boot_thread; // idle thread of processor 0, on the boot stack

static void thread_free(struct epoch_node *n) {
    slab_free(&thread_cache, container_of(n, struct thread, obj.reclaim));
}

// The memory goes through an epoch: with preemption disabled, the owner of a mutex and a waiter may be looked at without a count.
static void thread_delete(struct object *o) {
    struct thread *t = container_of(o, struct thread, obj);
    struct process *p = t->process;

    if (p->ops != NULL && p->ops->thread_delete != NULL && t->personality_data != NULL)
        p->ops->thread_delete(t);
    sched_thread_fini(t);
    if (t->arch.fpu != NULL)
        slab_free(&fpu_cache, t->arch.fpu);
    job_uncharge(o->job, JOB_THREADS, 1);
    object_fini(o);
    epoch_defer(&o->reclaim, thread_free);
    object_put(&p->obj);
}

static struct signals *thread_signals(struct object *o) {
    return &container_of(o, struct thread, obj)->signals;
}

struct object_type thread_type = {
    .name = "thread",
    .number = INV_OBJECT_THREAD,
    .default_rights = INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER | INV_RIGHT_WAIT | INV_RIGHT_GET_INFO | INV_RIGHT_MANAGE,
    .size = sizeof(struct thread) + KERNEL_STACK_SIZE / 16, // the stack's pages are charged as pages
    .delete = thread_delete,
    .signals = thread_signals,
};

static void thread_setup(struct thread *t, struct process *p, const char *name) {
    spin_lock_init(&t->lock, LOCK_RANK_THREAD);
    list_init(&t->process_node);
    list_init(&t->all_node);
    ipc_thread_init(t);
    signals_init(&t->signals);
    t->process = p;
    t->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    string_copy(t->name, name, sizeof(t->name));
}

static void all_threads_add(struct thread *t) {
    spin_lock(&all_threads_lock);
    list_push_back(&all_threads, &t->all_node);
    spin_unlock(&all_threads_lock);
}

static void all_threads_remove(struct thread *t) {
    spin_lock(&all_threads_lock);
    list_remove(&t->all_node);
    spin_unlock(&all_threads_lock);
}

// A thread with stack and scheduling state that nobody knows yet: one pointer. user: with an FPU area.
static inv_status_t thread_make(struct process *p, const struct sched_params *params, bool user, const char *name,
                                struct thread **out) {
    struct job *job = p->obj.job;
    struct thread *t = slab_zalloc(&thread_cache);
    if (t == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = job_charge(job, JOB_THREADS, 1);
    if (status != INV_OK)
        goto fail_charge;
    status = object_init(&t->obj, &thread_type, job);
    if (status != INV_OK)
        goto fail_object;
    status = sched_thread_init(t, params, job);
    if (status != INV_OK)
        goto fail_sched;
    status = INV_ERR_NO_MEMORY;
    t->stack = kstack_alloc(job);
    if (t->stack == NULL)
        goto fail_stack;
    if (user && (t->arch.fpu = slab_alloc(&fpu_cache)) == NULL)
        goto fail_fpu;
    t->arch.stack_top = (uint64_t)t->stack + KERNEL_STACK_SIZE;
    thread_setup(t, p, name);
    object_get(&p->obj);
    *out = t;
    return INV_OK;

fail_fpu:
    kstack_free(t->stack);
fail_stack:
    sched_thread_fini(t);
fail_sched:
    atomic_store_explicit(&t->obj.pointers, 0, memory_order_relaxed); // never shared
    object_fini(&t->obj);
fail_object:
    job_uncharge(job, JOB_THREADS, 1);
fail_charge:
    slab_free(&thread_cache, t);
    return status;
}

// Joins the process's list; the thread's own pointer is taken. BAD_STATE: the process is ending, or another thread wants to be the only one.
static inv_status_t thread_join_process(struct thread *t, struct process *p) {
    inv_status_t status = INV_OK;

    mutex_lock(&p->lock);
    struct thread *single = atomic_load(&p->single);
    if (atomic_load(&p->exiting) || (single != NULL && single != current_thread())) {
        status = INV_ERR_BAD_STATE;
    } else {
        list_push_back(&p->threads, &t->process_node);
        p->thread_count++;
        object_get(&t->obj);
    }
    mutex_unlock(&p->lock);
    return status;
}

static void user_thread_entry(void *arg) {
    (void)arg;
    boot_user_begins();
    arch_return_to_user();
}

static void kernel_thread_entry(void *arg) {
    struct thread *t = arg;
    t->kernel_entry(t->kernel_arg);
    thread_exit();
}

static inv_status_t thread_create(struct process *p, const struct sched_params *params, const struct arch_frame *frame,
                                  const char *name, struct thread **out) {
    struct thread *t;
    inv_status_t status = thread_make(p, params, frame != NULL, name, &t);
    if (status != INV_OK)
        return status;
    if (frame != NULL) {
        arch_fpu_init(t->arch.fpu);
        *arch_thread_frame(&t->arch) = *frame;
        arch_thread_init(&t->arch, user_thread_entry, t);
    } else {
        arch_thread_init(&t->arch, kernel_thread_entry, t);
    }
    status = thread_join_process(t, p);
    if (status != INV_OK) {
        kstack_free(t->stack);
        object_put(&t->obj);
        return status;
    }
    all_threads_add(t);
    trace(thread_create, t->id, 0, 0);
    *out = t;
    return INV_OK;
}

inv_status_t thread_create_user(struct process *p, const struct arch_frame *frame, const char *name,
                                struct thread **out) {
    static const struct sched_params fair = {.class = SCHED_CLASS_FAIR, .weight = FAIR_WEIGHT_DEFAULT};
    return thread_create(p, &fair, frame, name, out);
}

inv_status_t thread_create_kernel(void (*entry)(void *), void *arg, const char *name, uint8_t priority,
                                  struct thread **out) {
    struct sched_params params = {.class = SCHED_CLASS_FIFO, .priority = priority};
    if (priority == PRIORITY_FAIR)
        params = (struct sched_params){.class = SCHED_CLASS_FAIR, .weight = FAIR_WEIGHT_DEFAULT};
    inv_status_t status = thread_create(kernel_process, &params, NULL, name, out);
    if (status == INV_OK) {
        (*out)->kernel_entry = entry;
        (*out)->kernel_arg = arg;
    }
    return status;
}

inv_status_t thread_create_idle(unsigned cpu, struct thread **out) {
    static const struct sched_params idle = {.class = SCHED_CLASS_FIFO, .priority = PRIORITY_IDLE};
    char name[16];

    snprintf(name, sizeof(name), "idle/%u", cpu);
    inv_status_t status = thread_make(kernel_process, &idle, false, name, out);
    if (status != INV_OK)
        return status;
    for (unsigned other = 0; other < CONFIG_MAX_CPUS; other++) {
        if (other != cpu)
            cpuset_remove(&(*out)->sched.affinity, other);
    }
    all_threads_add(*out);
    return INV_OK;
}

void thread_start(struct thread *t) {
    sched_start(t);
}

// Leaves the process's list. True if it was the last thread.
static bool thread_leave_process(struct thread *t) {
    struct process *p = t->process;

    mutex_lock(&p->lock);
    list_remove(&t->process_node);
    bool last = p->thread_count == 1;
    // Once the count has fallen, exec or the last thread may free the address space while this one has still to be switched to: not with it any more.
    atomic_store_explicit(&t->left, !last, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    p->thread_count--;
    mutex_unlock(&p->lock);
    return last;
}

void thread_discard(struct thread *t) {
    ASSERT(atomic_load(&t->sched.state) == THREAD_NEW);
    thread_leave_process(t);
    waitq_wake(&t->process->thread_left, UINT32_MAX, 0);
    thread_release(t);
    object_put(&t->obj);
}

void thread_release(struct thread *t) {
    all_threads_remove(t);
    kstack_free(t->stack);
    t->stack = NULL;
    object_put(&t->obj);
}

noreturn_fn void thread_exit(void) {
    struct thread *t = current_thread();
    struct process *p = t->process;

    might_sleep();
    trace(thread_exit, t->id, 0, 0);
    if (p->ops != NULL && p->ops->thread_exit != NULL)
        p->ops->thread_exit(t);
    ipc_thread_exit(t);
    if (thread_leave_process(t)) {
        trace(process_exit, (uintptr_t)p, 0, 0);
        if (p->ops != NULL && p->ops->process_exit != NULL)
            p->ops->process_exit(p);
        process_drop_resources(p);
    } else {
        waitq_wake(&p->thread_left, UINT32_MAX, 0);
    }
    atomic_store(&t->exited, true);
    signals_change(&t->signals, 0, INV_SIGNAL_TERMINATED);
    sched_exit();
}

void thread_set_work(struct thread *t, uint32_t bits) {
    atomic_fetch_or(&t->user_work, bits);
    sched_interrupt(t);
}

void thread_return_to_user(struct arch_frame *frame) {
    struct thread *t = current_thread();

    for (;;) {
        uint32_t work = atomic_load_explicit(&t->user_work, memory_order_relaxed);
        if (work & THREAD_WORK_KILL)
            thread_exit();
        if ((work & THREAD_WORK_PERSONALITY) == 0)
            return;
        t->process->ops->user_return(frame);
    }
}

bool process_fault_ends(struct process *p) {
    uint32_t policy = atomic_load_explicit(&p->obj.job->fault_policy, memory_order_relaxed);

    if (likely(policy == INV_JOB_FAULT_PERSONALITY))
        return false;
    if (policy == INV_JOB_FAULT_KILL_JOB)
        job_kill(p->obj.job);
    process_end(p);
    return true;
}

void exception_user(struct arch_frame *frame, const struct exception *e) {
    struct process *p = current_process();

    if (!process_fault_ends(p)) // else the end takes effect at the return to user mode, which comes next
        p->ops->exception(frame, e);
}

void thread_for_each(bool (*fn)(struct thread *t, void *arg), void *arg, bool locked) {
    struct thread *t;

    if (locked)
        spin_lock(&all_threads_lock);
    list_for_each(t, &all_threads, all_node) {
        if (!fn(t, arg))
            break;
    }
    if (locked)
        spin_unlock(&all_threads_lock);
}

void process_init_boot(void) {
    static const struct sched_params idle = {.class = SCHED_CLASS_FIFO, .priority = PRIORITY_IDLE};

    slab_cache_init(&thread_cache, "thread", sizeof(struct thread), 16);
    slab_cache_init(&fpu_cache, "fpu", arch_fpu_size(), 64);
    object_type_register(&thread_type);
    process_types_init();
    // The stack that runs this becomes the idle thread of processor 0.
    ASSERT(object_init(&boot_thread.obj, &thread_type, NULL) == INV_OK);
    ASSERT(sched_thread_init(&boot_thread, &idle, NULL) == INV_OK);
    thread_setup(&boot_thread, kernel_process, "idle/0");
    boot_thread.stack = boot_stack;
    boot_thread.arch.stack_top = (uint64_t)boot_stack + KERNEL_STACK_SIZE;
    for (unsigned cpu = 1; cpu < CONFIG_MAX_CPUS; cpu++)
        cpuset_remove(&boot_thread.sched.affinity, cpu);
    all_threads_add(&boot_thread);
    cpus[0].idle = &boot_thread;
    cpus[0].arch.current = &boot_thread;
}
