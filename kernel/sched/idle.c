// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Idle threads and the start of scheduling on each processor. An idle thread is on no queue and runs when its processor's queue is empty; it pulls work from
// others, and else waits for an interrupt with no timer armed on its behalf.
#include <arch/context.h>
#include <kernel/assert.h>
#include <kernel/epoch.h>
#include <kernel/slab.h>

#include "run_queue.h"

static struct run_queue boot_queue;
static atomic_bool started;

bool sched_started(void) {
    return atomic_load_explicit(&started, memory_order_relaxed);
}

void sched_init(void) {
    run_queue_init(&boot_queue, 0);
    cpus[0].run_queue = &boot_queue;
    sched_load_init();
}

inv_status_t sched_idle_create(unsigned cpu) {
    struct run_queue *q = kmalloc(sizeof(*q));
    if (!q)
        return INV_ERR_NO_MEMORY;
    struct thread *t;
    inv_status_t status = thread_create_idle(cpu, &t);
    if (status != INV_OK) {
        kfree(q);
        return status;
    }
    run_queue_init(q, cpu);
    cpus[cpu].run_queue = q;
    cpus[cpu].idle = t;
    return INV_OK;
}

void sched_cpu_start(struct thread *idle) {
    struct cpu *cpu = this_cpu();
    struct run_queue *q = cpu->run_queue;

    ASSERT(!arch_irq_enabled());
    cpu->idle = idle;
    cpu->arch.current = idle;
    q->idle = q->current = idle;
    idle->sched.context->last_charged = clock_monotonic();
    atomic_store(&idle->sched.cpu, q->cpu);
    atomic_store(&idle->sched.on_cpu, true);
    set_state(idle, THREAD_RUNNING);
    atomic_store(&started, true);
    epoch_quiescent();
    atomic_store(&cpu->online, true);
    cpuset_add(&cpu_online, q->cpu);
}

noreturn_fn void sched_idle_loop(void) {
    ASSERT(current_thread() == this_cpu()->idle);
    for (;;) {
        arch_irq_disable();
        if (!this_cpu()->arch.resched_pending)
            sched_pull(this_cpu()->run_queue);
        if (this_cpu()->arch.resched_pending) {
            sched_preempt_interrupt();
            continue;
        }
        // From here on a waker may choose this processor. Its interrupt stays pending until the wait, which it ends.
        cpuset_add(&sched_idle_cpus, arch_cpu_id());
        epoch_quiescent();
        counter_add(exits, 1);
        arch_wait_for_interrupt();
    }
}
