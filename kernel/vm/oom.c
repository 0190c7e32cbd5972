// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What happens when user memory is exhausted: process_out_of_memory is called by the architecture after a fault that found no page, on the thread that
// faulted, with no lock held; the fault is tried again afterwards.
//
// In this order: what the kernel only keeps (stacks, dirty areas of kspace) is freed; if a process of the job is on its way out already, its memory is
// waited for; else the job's policy names a victim, whose personality kills it. The first user process (oom_protected) is chosen only when nothing else
// is left. Nothing here panics, and nothing waits for long: a victim that cannot leave yet is waited for in steps, each ended by the next fault.
//
// Locking: a job's processes are walked one at a time: found under job->lock, looked at without it.

#include "kspace.h"
#include "mapping.h"

#include <kernel/job.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/time.h>
#include <kernel/wait.h>

#define WAIT_STEP (2 * NSEC_PER_MSEC)

struct choice {
    struct process *victim; // counted
    uint64_t pages;
    bool leaving; // a process with memory is exiting
};

// The n-th process of the job, counted; NULL: there are fewer.
static struct process *process_nth(struct job *job, size_t n) {
    struct process *p, *found = NULL;

    spin_lock(&job->lock);
    list_for_each(p, &job->processes, job_node) {
        if (n-- > 0)
            continue;
        if (object_try_get(&p->obj)) {
            found = p;
            break;
        }
        n = 0; // it is going: take the next
    }
    spin_unlock(&job->lock);
    return found;
}

static uint64_t process_pages(struct process *p) {
    uint64_t pages = 0;

    mutex_lock(&p->lock);
    if (p->aspace)
        pages = atomic_load_explicit(&p->aspace->resident, memory_order_relaxed);
    mutex_unlock(&p->lock);
    return pages;
}

static void consider(struct choice *c, struct process *p, bool protected_too) {
    uint64_t pages = process_pages(p);

    if (!p->ops || !p->ops->out_of_memory || pages == 0)
        return;
    if (atomic_load_explicit(&p->exiting, memory_order_relaxed)) {
        c->leaving |= p != current_process();
        return;
    }
    if ((atomic_load_explicit(&p->oom_protected, memory_order_relaxed) && !protected_too) || pages <= c->pages)
        return;
    if (c->victim)
        object_put(&c->victim->obj);
    object_get(&p->obj);
    c->victim = p;
    c->pages = pages;
}

static void choose_largest(struct job *job, struct choice *c, bool protected_too) {
    struct process *p;

    for (size_t n = 0; (p = process_nth(job, n)); n++) {
        consider(c, p, protected_too);
        object_put(&p->obj);
    }
}

// The child of parent after the given one (NULL: the first), counted; puts the given one.
static struct job *job_child_after(struct job *parent, struct job *child) {
    struct job *next = NULL;

    spin_lock(&parent->lock);
    struct list_node *n = child ? child->child_node.next : parent->children.next;
    for (; n != &parent->children; n = n->next) {
        struct job *j = list_entry(n, struct job, child_node);
        if (object_try_get(&j->obj)) {
            next = j;
            break;
        }
    }
    spin_unlock(&parent->lock);
    if (child)
        object_put(&child->obj);
    return next;
}

#define JOB_DEPTH_MAX 8

// The job's whole subtree, to a bounded depth.
static void choose_in_tree(struct job *top, struct choice *c, bool protected_too) {
    struct job *path[JOB_DEPTH_MAX] = {top};
    unsigned depth = 0;

    choose_largest(top, c, protected_too);
    struct job *child = job_child_after(top, NULL);
    for (;;) {
        if (child) {
            choose_largest(child, c, protected_too);
            if (depth + 1 < JOB_DEPTH_MAX) {
                path[++depth] = child;
                child = job_child_after(child, NULL);
            } else {
                child = job_child_after(path[depth], child);
            }
        } else if (depth == 0) {
            return;
        } else {
            child = path[depth--];
            child = job_child_after(path[depth], child);
        }
    }
}

static void pause_shortly(void) {
    thread_sleep_prepare(WAIT_KILLABLE);
    (void)!thread_sleep(deadline_after(WAIT_STEP));
    thread_sleep_finish();
}

static size_t caches_free(void) {
    kstack_trim(0);
    return kspace_flush();
}

void process_out_of_memory(void) {
    struct process *self = current_process();
    struct job *job = self->obj.job ? self->obj.job : &root_job;
    struct choice c = {0};

    if (atomic_load_explicit(&self->exiting, memory_order_relaxed) || thread_killed(current_thread()))
        return;
    if (caches_free() > 0)
        return;
    choose_in_tree(job, &c, false);
    if (!c.leaving && !c.victim)
        choose_in_tree(job, &c, true);
    if (c.leaving || !c.victim) {
        pause_shortly();
    } else {
        struct process *victim = job->oom_policy == JOB_OOM_KILL_FAULTING && self->ops && self->ops->out_of_memory && !self->oom_protected ? self : c.victim;
        log_warning("memory", "out of memory: %s is ended (%lu KiB resident)", victim->name, process_pages(victim) * PAGE_SIZE / 1024);
        victim->ops->out_of_memory(victim);
        if (victim != self)
            pause_shortly();
    }
    if (c.victim)
        object_put(&c.victim->obj);
}
