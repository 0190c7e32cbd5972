// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What happens when user memory is exhausted: process_out_of_memory is called by the architecture after a fault that
// found no page, on the thread that faulted, with no lock held; the fault is tried again afterwards.
//
// In this order: what the kernel only keeps (stacks, dirty areas of kspace) is freed; if a process of the job is on its
// way out already, its memory is waited for; else the job's policy names a victim, whose personality kills it: one of
// the largest, if processes hold much at all, else the one that asks. So what no process holds (pipes, files in memory)
// does not cost the innocent their lives. The first user process (oom_protected) is chosen only when nothing else is
// left. Nothing here panics, and nothing waits for long: a victim that cannot leave yet is waited for in steps, each
// ended by the next fault.
//
// Locking: a job's processes are counted in batches under job->lock, and looked at without it. One thread chooses at a time (choosing); whoever else runs
// out of memory meanwhile waits a step, since a thousand that choose at once would name a thousand victims.

#include "kspace.h"
#include "mapping.h"

#include <kernel/job.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/time.h>
#include <kernel/wait.h>

#define WAIT_STEP    (2 * NSEC_PER_MSEC)
#define NEARLY_PART  8 // see choose
#define WORTH_PART   4 // if processes hold less than this part of memory together, nobody is ended for others
#define RELIEF_TRIES 20
#define BATCH        32
#define PATIENCE     25 // steps until the one that asks pays for it

static atomic_bool choosing;

struct choice {
    bool protected_too;     // look at protected processes as well
    bool picking;           // second walk
    bool leaving;           // a process with memory is exiting
    uint64_t largest, sum;  // pages, found by the first walk
    struct process *victim; // counted; found by the second
};

// Counted pointers to at most BATCH processes of the job, from the n-th on; their number. Taken by the batch, so that a walk over thousands does not pass
// the list once for each.
static size_t processes_from(struct job *job, size_t n, struct process *out[BATCH]) {
    struct process *p;
    size_t count = 0;

    spin_lock(&job->lock);
    list_for_each(p, &job->processes, job_node) {
        if (n > 0)
            n--;
        else if (object_try_get(&p->obj)) // else it is going
            out[count++] = p;
        if (count == BATCH)
            break;
    }
    spin_unlock(&job->lock);
    return count;
}

static uint64_t process_pages(struct process *p) {
    uint64_t pages = 0;

    mutex_lock(&p->lock);
    if (p->aspace) // with its tables: one that touches a page in every 2 MiB holds little else
        pages = atomic_load_explicit(&p->aspace->resident, memory_order_relaxed) + p->aspace->charged_tables;
    mutex_unlock(&p->lock);
    return pages;
}

static void consider(struct choice *c, struct process *p) {
    uint64_t pages = process_pages(p);

    if (!p->ops || !p->ops->out_of_memory || pages == 0)
        return;
    if (atomic_load_explicit(&p->exiting, memory_order_relaxed)) {
        c->leaving |= p != current_process();
        return;
    }
    if (atomic_load_explicit(&p->oom_protected, memory_order_relaxed) && !c->protected_too)
        return;
    if (!c->picking) {
        c->largest = MAX(c->largest, pages);
        c->sum += pages;
    } else if (pages >= c->largest / NEARLY_PART) {
        if (c->victim)
            object_put(&c->victim->obj);
        object_get(&p->obj);
        c->victim = p;
    }
}

static void consider_job(struct job *job, struct choice *c) {
    struct process *batch[BATCH];
    size_t count, n = 0;

    do {
        count = processes_from(job, n, batch);
        for (size_t i = 0; i < count; i++) {
            consider(c, batch[i]);
            object_put(&batch[i]->obj);
        }
        n += count;
    } while (count == BATCH);
}

// The job's whole subtree; in a job the oldest process first.
static void consider_tree(struct job *top, struct choice *c) {
    for (struct job *j = job_tree_next(top, NULL); j != NULL; j = job_tree_next(top, j))
        consider_job(j, c);
}

// Of those that hold nearly as much as the largest the youngest: it has the least to lose, and many small ones that
// together took all are mostly young.
static void choose(struct job *job, struct choice *c) {
    c->leaving = aspace_any_dying();
    consider_tree(job, c);
    c->picking = true;
    if (c->largest > 0)
        consider_tree(job, c);
}

static void pause_shortly(void) {
    thread_sleep_prepare(WAIT_KILLABLE);
    (void)!thread_sleep(deadline_after(WAIT_STEP));
    thread_sleep_finish();
}

static size_t caches_free(bool locks_held) {
    if (!locks_held)
        thread_reap_pending(); // the last pointer to a process leads to files and their locks
    kstack_trim(0);
    return kspace_flush();
}

static bool may_be_killed(struct process *p) {
    return p->ops && p->ops->out_of_memory && !atomic_load_explicit(&p->oom_protected, memory_order_relaxed);
}

static void victim_kill(struct process *victim) {
    log_warning("memory", "out of memory: %s is ended (%lu KiB resident)", victim->name,
                process_pages(victim) * PAGE_SIZE / 1024);
    victim->ops->out_of_memory(victim);
}

// Processes together hold a good part of what there is: ending one of them is the way to get memory.
static bool is_worth_it(const struct choice *c) {
    struct page_stats stats;

    page_get_stats(&stats);
    return c->victim && c->sum >= stats.total / WORTH_PART;
}

// Frees, waits or kills. False: nothing that would help can be done without the caller's own end.
static bool policy_apply(struct job *job, struct process *self, bool locks_held) {
    struct choice c = {0};
    bool helps = true;

    if (caches_free(locks_held) > 0)
        return true;
    if (atomic_exchange(&choosing, true)) {
        pause_shortly();
        return true;
    }
    choose(job, &c);
    bool wait = c.leaving;
    if (!c.leaving && is_worth_it(&c) && (job->oom_policy == JOB_OOM_KILL_LARGEST || c.victim == self)) {
        victim_kill(c.victim);
        wait = c.victim != self;
    } else {
        helps = c.leaving;
    }
    atomic_store(&choosing, false);
    if (wait)
        pause_shortly();
    if (c.victim)
        object_put(&c.victim->obj);
    return helps;
}

static struct job *job_of(struct process *p) {
    return p->obj.job ? p->obj.job : &root_job;
}

static bool leaving_already(void) {
    return atomic_load_explicit(&current_process()->exiting, memory_order_relaxed) || thread_killed(current_thread());
}

void process_out_of_memory(void) {
    struct process *self = current_process();
    struct choice c = {.protected_too = true};

    // Patience: memory may be on its way where nobody sees it, between a process that has left and its address space's end.
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (leaving_already() || policy_apply(job_of(self), self, false))
            return;
        pause_shortly();
    }
    if (may_be_killed(self)) { // nobody holds much: who asks, pays
        victim_kill(self);
        return;
    }
    choose(job_of(self), &c);
    if (c.victim) {
        victim_kill(c.victim);
        object_put(&c.victim->obj);
    }
    pause_shortly();
}

bool memory_relieve(unsigned *tries, bool locks_held) {
    if (++*tries > RELIEF_TRIES || leaving_already())
        return false;
    return policy_apply(job_of(current_process()), current_process(), locks_held) && !leaving_already();
}
