// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Groups of the fair class. On each processor the groups that have a runnable thread get equal parts of it, and a group's threads share theirs by weight.
// There is no queue of queues: every thread stands in the processor's one tree, and its virtual time runs faster the larger its group is there,
//
//     pace = weight of the group here * number of groups here / weight of all here          (each with the current thread)
//
// so that a thread's part is its weight over its group's, and all groups' parts are equal. Where one group is alone, which is the usual case, the pace is 1
// and nothing differs from a fair class without groups. The figures are
// kept by run_queue.h's group_count, group_uncount and group_pace, with the run queue's lock held, at each insertion, removal and charge.
//
// Invariants:
//   G1  q->fair_weight is the sum of queued_weight of the threads in q->fair; a group's weight[cpu] is the part of it that is the group's own;
//   G2  q->fair_groups counts the groups whose weight[cpu] is not 0.
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/slab.h>

#include "run_queue.h"

static struct sched_group system_group = {.count = 1};

struct sched_group *sched_group_system(void) {
    return &system_group;
}

struct sched_group *sched_group_create(void) {
    struct sched_group *g = kzalloc(sizeof(*g));
    if (g)
        atomic_init(&g->count, 1);
    return g;
}

static void group_get(struct sched_group *g) {
    if (g != &system_group)
        atomic_fetch_add_explicit(&g->count, 1, memory_order_relaxed);
}

void sched_group_put(struct sched_group *g) {
    if (g != &system_group && atomic_fetch_sub_explicit(&g->count, 1, memory_order_acq_rel) == 1)
        kfree(g);
}

struct sched_group *sched_group_inherit(void) {
    const struct thread *t = sched_started() ? current_thread() : NULL;
    struct sched_group *g = t ? t->sched.own->group : &system_group;
    group_get(g);
    return g;
}

void sched_set_group(struct thread *t, struct sched_group *g) {
    struct sched_context *c = t->sched.own;
    irq_flags_t flags;

    group_get(g);
    struct run_queue *q = context_lock(c, &flags);
    struct sched_group *old = c->group;
    bool counted = c->holder->sched.queued && is_fair(c->holder);
    if (counted)
        group_uncount(q, c);
    c->group = g;
    if (counted)
        group_count(q, c);
    spin_unlock_irq(&q->lock, flags);
    sched_group_put(old);
}
