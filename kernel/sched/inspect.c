// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Debugger command: run queues. All processors are stopped, so no lock is taken.
#include <kernel/debug.h>

#include "run_queue.h"

static void print_thread(const struct thread *t) {
    debugger_print("    %5lu %-16.16s priority %u vt %+ld\n", (unsigned long)t->id, t->name, priority_of(t),
                   (long)(t->sched.own->virtual_time - run_queue_of(atomic_load(&t->sched.cpu))->min_virtual_time));
}

static void print_queue(const struct run_queue *q) {
    debugger_print("processor %u: %lu (%.16s) priority %u runs, %u queued%s\n", q->cpu, (unsigned long)q->current->id,
                   q->current->name, priority_of(q->current), q->queued, q->slice_armed ? ", slice armed" : "");
    for (int p = PRIORITY_COUNT - 1; p >= 0; p--) {
        const struct thread *t;
        list_for_each(t, &q->fixed[p], sched.run_node)
            print_thread(t);
        if (p != PRIORITY_FAIR)
            continue;
        for (const struct rb_node *n = q->fair_first; n; n = rb_next(n))
            print_thread(rb_entry(n, struct thread, sched.fair_node));
    }
}

static void command_runqueues(int argc, const char **argv) {
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        if (cpus[cpu].run_queue && cpus[cpu].run_queue->current)
            print_queue(cpus[cpu].run_queue);
    }
}
DEBUGGER_COMMAND("runqueues", "what runs and what waits on each processor", command_runqueues);
