// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls on other processors: cpu_call runs a function on a set of them in interrupt context and waits until all have. Thread context, interrupts on: two
// processors that call each other at once each answer while they wait.
//
//     caller                                      each target
//     (1) request in the slot [target][caller]
//     (2) interrupt                       --->    (3) takes every filled slot, runs it
//     (4) spins until remaining is 0      <---    (5) empties the slot, then counts remaining down
//
// Invariants:
//   I1 a processor has at most one request under way (preemption is off while it waits), so a target's queue is bounded: one slot a caller.
//   I2 the request lives on the caller's stack: after (5) the target does not touch it.
// Locking: none; slots are atomic pointers.
#include <arch/ipi.h>
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/sched.h>

struct cpu_call_request {
    void (*fn)(void *);
    void *arg;
    atomic_uint remaining;
};

static _Atomic(struct cpu_call_request *) slots[CONFIG_MAX_CPUS][CONFIG_MAX_CPUS]; // [target][caller]

static bool wanted(const cpuset_t *mask, unsigned cpu) {
    return cpu != arch_cpu_id() && atomic_load_explicit(&cpus[cpu].online, memory_order_acquire) &&
           (!mask || cpuset_has(mask, cpu));
}

void cpu_call(const cpuset_t *mask, void (*fn)(void *), void *arg) {
    struct cpu_call_request r = {.fn = fn, .arg = arg};
    bool chosen[CONFIG_MAX_CPUS];
    unsigned count = 0;

    ASSERT(arch_irq_enabled() && !arch_in_interrupt());
    preempt_disable();
    for (unsigned i = 0; i < cpu_count; i++) {
        chosen[i] = wanted(mask, i);
        count += chosen[i];
    }
    atomic_store_explicit(&r.remaining, count, memory_order_relaxed);
    for (unsigned i = 0; i < cpu_count; i++) {
        if (!chosen[i])
            continue;
        atomic_store_explicit(&slots[i][arch_cpu_id()], &r, memory_order_release);
        arch_ipi_send(i, IPI_CALL);
    }
    while (atomic_load_explicit(&r.remaining, memory_order_acquire))
        arch_pause();
    preempt_enable();
}

void cpu_call_interrupt(void) {
    unsigned self = arch_cpu_id();

    for (unsigned caller = 0; caller < cpu_count; caller++) {
        struct cpu_call_request *r = atomic_load_explicit(&slots[self][caller], memory_order_acquire);
        if (!r)
            continue;
        atomic_store_explicit(&slots[self][caller], NULL, memory_order_relaxed);
        r->fn(r->arg);
        atomic_fetch_sub_explicit(&r->remaining, 1, memory_order_release);
    }
}
