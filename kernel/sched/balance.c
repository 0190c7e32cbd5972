// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Moving queued threads between processors: an idle one pulls, a busy one pushes when a slice ends (so balance costs nothing where nobody shares), and a
// processor about to run something less urgent pulls waiting real-time threads. Interrupts off, no run queue's lock held; never two locks at once: a thread
// is taken off one queue, is in transit (run_queue.h, I2), and is delivered to the other.
#include <kernel/debug.h>
#include <kernel/trace.h>

#include "run_queue.h"

#define LOOK_AT 8 // threads of one priority that are looked at for one that may move

static bool movable(const struct thread *t, unsigned to) {
    return cpuset_has(&t->sched.affinity, to);
}

// From the far end: it would wait longest, and its caches are coldest.
static struct thread *movable_fair(struct run_queue *q, unsigned to) {
    struct rb_node *n = rb_last(&q->fair);
    for (unsigned i = 0; n && i < LOOK_AT; i++, n = rb_prev(n)) {
        struct thread *t = rb_entry(n, struct thread, sched.fair_node);
        if (movable(t, to))
            return t;
    }
    return NULL;
}

static struct thread *movable_fixed(struct run_queue *q, unsigned priority, unsigned to) {
    struct thread *t;
    unsigned i = 0;
    list_for_each(t, &q->fixed[priority], sched.run_node) {
        if (movable(t, to))
            return t;
        if (++i == LOOK_AT)
            break;
    }
    return NULL;
}

// The most urgent queued thread of q with a priority above floor that may run on processor to. q's lock is held.
static struct thread *movable_first(struct run_queue *q, unsigned to, int floor) {
    for (int word = PRIORITY_WORDS - 1; word >= 0; word--) {
        for (uint64_t left = q->occupied[word]; left;) {
            int bit = 63 - __builtin_clzll(left), p = word * 64 + bit;
            left &= ~(1ull << bit);
            if (p <= floor)
                return NULL;
            struct thread *t = p == PRIORITY_FAIR ? movable_fair(q, to) : movable_fixed(q, (unsigned)p, to);
            if (t)
                return t;
        }
    }
    return NULL;
}

// Takes the thread that may move from one queue to another, if there is one.
static bool move_first(struct run_queue *from, struct run_queue *to, int floor) {
    spin_lock(&from->lock);
    struct thread *t = movable_first(from, to->cpu, floor);
    if (t) {
        run_queue_remove(from, t);
        run_queue_publish(from);
        run_queue_detach(from, t, to->cpu);
    }
    spin_unlock(&from->lock);
    if (!t)
        return false;
    trace(sched_migrate, t->id, from->cpu, to->cpu);
    sched_deliver(t);
    return true;
}

static uint32_t load_of(unsigned cpu) {
    return atomic_load_explicit(&run_queue_of(cpu)->load, memory_order_relaxed);
}

bool sched_pull(struct run_queue *q) {
    uint32_t most = 1;
    struct run_queue *busiest = NULL;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        if (cpu != q->cpu && cpuset_has(&cpu_online, cpu) && load_of(cpu) > most) {
            most = load_of(cpu);
            busiest = run_queue_of(cpu);
        }
    }
    return busiest && move_first(busiest, q, PRIORITY_IDLE);
}

void sched_pull_rt(struct run_queue *q) {
    spin_lock(&q->lock);
    int here = run_queue_top_priority(q);
    spin_unlock(&q->lock);
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        if (cpu == q->cpu || !cpuset_has(&cpu_online, cpu) || load_of(cpu) < 2)
            continue;
        if (move_first(run_queue_of(cpu), q, MAX(here, PRIORITY_FAIR)))
            return;
    }
}

void sched_push(struct run_queue *q) {
    uint32_t mine = load_of(q->cpu), least = mine;
    struct run_queue *target = NULL;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        if (cpuset_has(&cpu_online, cpu) && load_of(cpu) < least) {
            least = load_of(cpu);
            target = run_queue_of(cpu);
        }
    }
    if (target && mine - least >= 2)
        move_first(q, target, PRIORITY_IDLE);
}
