// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Where a thread should run. Any context, with or without a run queue's lock: only hints of other processors are read, and what comes of a hint that was
// out of date is put right by balance.c and by preemption.
#include "run_queue.h"

cpuset_t sched_idle_cpus;

static bool allowed(const struct thread *t, unsigned cpu) {
    return cpuset_has(&t->sched.affinity, cpu) && cpuset_has(&cpu_online, cpu);
}

// Takes cpu for a thread that is about to be queued there, so that the next wake-up looks elsewhere. False if somebody else did.
static bool claim_idle(unsigned cpu) {
    if (!cpuset_has(&sched_idle_cpus, cpu))
        return false;
    uint64_t bit = 1ull << (cpu % 64);
    return (atomic_fetch_and_explicit(&sched_idle_cpus.bits[cpu / 64], ~bit, memory_order_relaxed) & bit) != 0;
}

static bool claim_any_idle(const struct thread *t, unsigned *out_cpu) {
    for (unsigned word = 0; word < ARRAY_SIZE(sched_idle_cpus.bits); word++) {
        uint64_t idle = atomic_load_explicit(&sched_idle_cpus.bits[word], memory_order_relaxed) &
                        atomic_load_explicit(&t->sched.affinity.bits[word], memory_order_relaxed) &
                        atomic_load_explicit(&cpu_online.bits[word], memory_order_relaxed);
        for (; idle; idle &= idle - 1) {
            unsigned cpu = word * 64 + (unsigned)__builtin_ctzll(idle);
            if (claim_idle(cpu)) {
                *out_cpu = cpu;
                return true;
            }
        }
    }
    return false;
}

static uint32_t running_priority(unsigned cpu) {
    return atomic_load_explicit(&run_queue_of(cpu)->running_priority, memory_order_relaxed);
}
static uint32_t load_of(unsigned cpu) {
    return atomic_load_explicit(&run_queue_of(cpu)->load, memory_order_relaxed);
}

bool sched_find_lower(const struct thread *t, unsigned *out_cpu) {
    uint32_t least = priority_of(t);
    bool found = false;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        if (allowed(t, cpu) && running_priority(cpu) < least) {
            least = running_priority(cpu);
            *out_cpu = cpu;
            found = true;
        }
    }
    return found;
}

static unsigned least_loaded(const struct thread *t, unsigned fallback) {
    uint32_t least = UINT32_MAX;
    unsigned best = fallback;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        if (allowed(t, cpu) && load_of(cpu) < least) {
            least = load_of(cpu);
            best = cpu;
        }
    }
    return best;
}

// The processor that ran it last, if that is idle (its caches are warm); any idle one; above the fair class, the one with the least urgent work; else
// the last one again.
unsigned sched_place(const struct thread *t, unsigned last) {
    unsigned cpu;
    if (cpu_count == 1)
        return last;
    bool may_stay = allowed(t, last);
    if (may_stay && claim_idle(last))
        return last;
    if (claim_any_idle(t, &cpu))
        return cpu;
    if (priority_of(t) > PRIORITY_FAIR && !(may_stay && running_priority(last) < priority_of(t)) &&
        sched_find_lower(t, &cpu))
        return cpu;
    return may_stay ? last : least_loaded(t, last);
}
