// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The memory and the counts of Linux processes and threads, and ways from one to its core objects. What happens to them stands in clone.c, exec.c, exit.c
// and wait.c. Context: thread, may sleep, unless a line says otherwise.
#include "core_file.h"

#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/slab.h>

static struct slab_cache process_cache, thread_cache;

static inv_status_t process_init(void) {
    slab_cache_init(&process_cache, "linux_process", sizeof(struct linux_process), 0);
    slab_cache_init(&thread_cache, "linux_thread", sizeof(struct linux_thread), 0);
    return INV_OK;
}
BOOT_CALL("linux processes", BOOT_STAGE_EXECUTIVE, process_init);

static void limits_default(struct linux_process *p) {
    const struct {
        unsigned resource;
        struct linux_rlimit limit;
    } finite[] = {
        {LINUX_RLIMIT_STACK, {8 << 20, LINUX_RLIM_INFINITY}},
        {LINUX_RLIMIT_CORE, {0, LINUX_RLIM_INFINITY}},
        {LINUX_RLIMIT_NPROC, {linux_threads_max() / 2, linux_threads_max() / 2}},
        {LINUX_RLIMIT_NOFILE, {1024, 4096}},
        {LINUX_RLIMIT_MEMLOCK, {8 << 20, 8 << 20}},
        {LINUX_RLIMIT_SIGPENDING, {linux_threads_max() / 2, linux_threads_max() / 2}},
        {LINUX_RLIMIT_MSGQUEUE, {819200, 819200}},
        {LINUX_RLIMIT_NICE, {0, 0}},
        {LINUX_RLIMIT_RTPRIO, {0, 0}},
    };

    for (unsigned i = 0; i < LINUX_RLIM_COUNT; i++)
        p->limits[i] = (struct linux_rlimit){LINUX_RLIM_INFINITY, LINUX_RLIM_INFINITY};
    for (unsigned i = 0; i < ARRAY_SIZE(finite); i++)
        p->limits[finite[i].resource] = finite[i].limit;
}

// What a child takes over from its parent. The parent's lock keeps its token and program.
static void process_inherit(struct linux_process *p, struct linux_process *from) {
    irq_flags_t flags = spin_lock_irq(&from->lock);

    memcpy(p->limits, from->limits, sizeof(p->limits));
    p->exe = from->exe;
    if (p->exe != NULL)
        file_get(p->exe);
    spin_unlock_irq(&from->lock, flags);
    p->personality = atomic_load_explicit(&from->personality, memory_order_relaxed);
    p->no_huge_pages = from->no_huge_pages;
    p->core_filter = atomic_load_explicit(&from->core_filter, memory_order_relaxed);
    p->barriers = atomic_load_explicit(&from->barriers, memory_order_relaxed);
    p->dumpable = atomic_load_explicit(&from->dumpable, memory_order_relaxed);
    p->oom_score_adj = atomic_load_explicit(&from->oom_score_adj, memory_order_relaxed);
}

struct linux_process *linux_process_alloc(const struct linux_process *from) {
    struct linux_process *p = slab_zalloc(&process_cache);

    if (p == NULL)
        return NULL;
    p->count = 1;
    p->start_time = clock_monotonic();
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->all_node);
    list_init(&p->group_node);
    list_init(&p->threads);
    waitq_init(&p->child_wait);
    waitq_init(&p->vfork_wait);
    waitq_init(&p->stop_wait);
    waitq_init(&p->end_wait);
    spin_lock_init(&p->lock, LOCK_RANK_SIGNAL);
    signal_pending_init(&p->pending);
    linux_itimers_init(p);
    linux_rt_limit_init(p);
    if (from != NULL) {
        process_inherit(p, (struct linux_process *)from);
    } else {
        limits_default(p);
        p->dumpable = 1;
        p->core_filter = CORE_FILTER_DEFAULT;
    }
    return p;
}

void linux_process_get(struct linux_process *p) {
    atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
}

void linux_process_put(struct linux_process *p) {
    if (atomic_fetch_sub_explicit(&p->count, 1, memory_order_acq_rel) != 1)
        return;
    DEBUG_ASSERT(list_empty(&p->threads) && p->process == NULL);
    signal_pending_discard(&p->pending, ~0ull);
    if (p->sighand != NULL)
        sighand_put(p->sighand);
    if (p->token != NULL)
        object_put(&p->token->obj);
    if (p->exe != NULL)
        file_put(p->exe);
    slab_free(&process_cache, p);
}

struct process *linux_process_core(struct linux_process *p) {
    irq_flags_t flags = spin_lock_irq(&p->lock);
    struct process *core = p->process;

    if (core != NULL)
        object_get(&core->obj);
    spin_unlock_irq(&p->lock, flags);
    return core;
}

struct aspace *linux_process_aspace(struct linux_process *p) {
    struct process *core = linux_process_core(p);
    struct aspace *as = NULL;

    if (core == NULL)
        return NULL;
    as = process_aspace_get(core);
    object_put(&core->obj);
    return as;
}

struct linux_thread *linux_thread_alloc(struct linux_process *p) {
    struct linux_thread *t = slab_zalloc(&thread_cache);

    if (t == NULL)
        return NULL;
    linux_process_get(p);
    t->process = p;
    t->start_time = clock_monotonic();
    list_init(&t->node);
    signal_pending_init(&t->pending);
    list_init(&t->locks.held);
    t->altstack.flags = 2; // SS_DISABLE
    t->memory_failure = LINUX_MCE_KILL_DEFAULT;
    t->timer_slack = t->timer_slack_default = LINUX_TIMER_SLACK;
    return t;
}

void linux_fs_drop(struct fs_context *fs) {
    fs_context_leave(fs);
    fs_context_put(fs);
}

void linux_thread_free(struct linux_thread *t) {
    irq_flags_t flags = spin_lock_irq(&t->process->lock);

    signal_pending_discard(&t->pending, ~0ull);
    spin_unlock_irq(&t->process->lock, flags);
    linux_sem_exit(t); // of a thread that never ran
    if (t->files != NULL)
        fd_table_put(t->files);
    if (t->fs != NULL)
        linux_fs_drop(t->fs);
    if (t->token != NULL)
        object_put(&t->token->obj);
    linux_process_put(t->process);
    slab_free(&thread_cache, t);
}

struct linux_thread *linux_process_thread_locked(struct linux_process *p) {
    struct linux_thread *t;

    list_for_each(t, &p->threads, node) {
        if (t->pid == p->pid)
            return t;
    }
    return list_empty(&p->threads) ? NULL : list_first(&p->threads, struct linux_thread, node);
}
