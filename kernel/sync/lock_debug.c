// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Lock order, checked at every acquisition of a debug build, and the check that a thread may sleep. Called by the lock implementations, in any context.
// Spin locks are recorded for the processor (whoever holds one cannot leave it), sleeping locks for the thread.
//
// Rules checked, each with a panic that names both locks:
//   - ranks only rise: a lock's rank is at least that of every lock of the same context held (equal ranks: see lock_rank.h);
//   - no lock is taken twice;
//   - no sleeping lock is waited for, and no thread sleeps, under a spin lock, with interrupts off or in an interrupt.
// An interrupt is a context of its own: it may take any lock that is not held in it, as locks it shares with threads are taken with interrupts off.
#include <kernel/debug.h>
#include <kernel/process.h>
#include <kernel/string.h>

#include "lock_check.h"

#define HELD_MAX 16

struct held_lock {
    const void *lock, *at;
    uint8_t rank, irq_depth;
};

struct lock_debug_cpu {
    /* this processor, preemption disabled: */
    unsigned depth;
    struct held_lock held[HELD_MAX];
};

static struct lock_debug_cpu cpu_locks[CONFIG_MAX_CPUS];
static atomic_bool checks_off; // after the first violation: the panic itself takes locks

static const char *const rank_names[] = {
#define LOCK_RANK_NAME(name) #name,
    LOCK_RANK_LIST(LOCK_RANK_NAME)
#undef LOCK_RANK_NAME
};

static noreturn_fn void violation(const char *what, const void *lock, unsigned rank, const void *at,
                                  const struct held_lock *other) {
    uintptr_t offset = 0, other_offset = 0;
    const char *name = symbol_lookup((uintptr_t)at, &offset);
    const char *other_name = symbol_lookup((uintptr_t)other->at, &other_offset);
    atomic_store(&checks_off, true);
    panic("locks: %s: %s (%p) at %s+%#lx, while %s (%p) is held since %s+%#lx", what, rank_names[rank], lock, name,
          (unsigned long)offset, rank_names[other->rank], other->lock, other_name, (unsigned long)other_offset);
}

static void check_against(const struct held_lock *h, const void *lock, unsigned rank, const void *at) {
    if (h->lock == lock)
        violation("taken twice", lock, rank, at, h);
    if (h->rank > rank)
        violation("wrong order", lock, rank, at, h);
}

static void spin_push(const void *lock, enum lock_rank rank, const void *at, bool check) {
    irq_flags_t flags = arch_irq_save();
    struct lock_debug_cpu *c = &cpu_locks[arch_cpu_id()];
    uint8_t irq_depth = arch_in_interrupt();
    for (unsigned i = 0; check && i < c->depth; i++) {
        if (c->held[i].irq_depth == irq_depth || c->held[i].lock == lock)
            check_against(&c->held[i], lock, rank, at);
    }
    ASSERT(c->depth < HELD_MAX);
    c->held[c->depth++] = (struct held_lock){.lock = lock, .at = at, .rank = (uint8_t)rank, .irq_depth = irq_depth};
    arch_irq_restore(flags);
}

static void spin_pop(const void *lock) {
    irq_flags_t flags = arch_irq_save();
    struct lock_debug_cpu *c = &cpu_locks[arch_cpu_id()];
    unsigned i = c->depth;
    while (i > 0 && c->held[i - 1].lock != lock)
        i--;
    ASSERT(i > 0);
    for (; i < c->depth; i++)
        c->held[i - 1] = c->held[i];
    c->depth--;
    arch_irq_restore(flags);
}

static void sleeping_push(const void *lock, enum lock_rank rank, const void *at, bool check) {
    struct thread *t = current_thread();
    if (!t)
        return;
    struct thread_lock_debug *l = &t->locks;
    for (unsigned i = 0; check && i < l->depth; i++) {
        struct held_lock h = {.lock = l->held[i].lock, .at = l->held[i].at, .rank = l->held[i].rank};
        check_against(&h, lock, rank, at);
    }
    ASSERT(l->depth < ARRAY_SIZE(l->held));
    l->held[l->depth].lock = lock;
    l->held[l->depth].at = at;
    l->held[l->depth].rank = (uint8_t)rank;
    l->depth++;
}

static void sleeping_pop(const void *lock) {
    struct thread *t = current_thread();
    if (!t)
        return;
    struct thread_lock_debug *l = &t->locks;
    unsigned i = l->depth;
    while (i > 0 && l->held[i - 1].lock != lock)
        i--;
    if (i == 0)
        return; // taken before this thread existed
    for (; i < l->depth; i++)
        l->held[i - 1] = l->held[i];
    l->depth--;
}

static void push(const void *lock, enum lock_rank rank, const void *at, bool spinning, bool check) {
    if (atomic_load_explicit(&checks_off, memory_order_relaxed))
        return;
    if (spinning)
        spin_push(lock, rank, at, check);
    else
        sleeping_push(lock, rank, at, check);
}

void lock_debug_acquire(const void *lock, enum lock_rank rank, const void *at, bool spinning) {
    push(lock, rank, at, spinning, true);
}

void lock_debug_acquire_try(const void *lock, enum lock_rank rank, const void *at, bool spinning) {
    push(lock, rank, at, spinning, false);
}

void lock_debug_release(const void *lock, enum lock_rank rank) {
    if (atomic_load_explicit(&checks_off, memory_order_relaxed))
        return;
    if (rank > LOCK_RANK_SPIN_FIRST)
        spin_pop(lock);
    else
        sleeping_pop(lock);
}

void lock_debug_may_sleep(const char *file, int line) {
    if (!sched_started() || atomic_load_explicit(&checks_off, memory_order_relaxed))
        return;
    if (arch_irq_enabled() && preempt_enabled() && !arch_in_interrupt())
        return;
    const struct lock_debug_cpu *c = &cpu_locks[arch_cpu_id()];
    atomic_store(&checks_off, true);
    panic("locks: sleeping call at %s:%d with interrupts %s, preemption count %u, %u spin locks held, the last %s",
          file, line, arch_irq_enabled() ? "on" : "off", arch_preempt_count(), c->depth,
          c->depth ? rank_names[c->held[c->depth - 1].rank] : "none");
}

// --- debugger command ---

static bool print_thread_locks(struct thread *t, void *arg) {
    for (unsigned i = 0; i < t->locks.depth && i < ARRAY_SIZE(t->locks.held); i++) {
        uintptr_t offset = 0;
        const char *name = symbol_lookup((uintptr_t)t->locks.held[i].at, &offset);
        debugger_print("thread %lu (%.16s): %s %p at %s+%#lx\n", (unsigned long)t->id, t->name,
                       rank_names[t->locks.held[i].rank], t->locks.held[i].lock, name, (unsigned long)offset);
    }
    return true;
}

static void command_locks(int argc, const char **argv) {
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        for (unsigned i = 0; i < cpu_locks[cpu].depth; i++) {
            const struct held_lock *h = &cpu_locks[cpu].held[i];
            uintptr_t offset = 0;
            const char *name = symbol_lookup((uintptr_t)h->at, &offset);
            debugger_print("processor %u: %s %p at %s+%#lx\n", cpu, rank_names[h->rank], h->lock, name,
                           (unsigned long)offset);
        }
    }
    thread_for_each(print_thread_locks, NULL, false);
}
DEBUGGER_COMMAND("locks", "locks held, by processor (spinning) and by thread (sleeping)", command_locks);
