// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Load averages over 1, 5 and 15 minutes: exponentially weighted means of the number of runnable threads, sampled every 5 seconds, fixed point 16.16.
// Sampling stops when nothing is runnable, so that an idle machine stays asleep; the time that passed is made up for at the next look, as for it all samples
// would have been 0.
#include <kernel/assert.h>

#include "run_queue.h"

#define SAMPLE_INTERVAL (5 * NSEC_PER_SEC)
#define FORGOTTEN       2000 // samples after which nothing is left of any average

// exp(-5 s / period) in 16.16
static const uint32_t decay[3] = {60296, 64453, 65173};

static struct spinlock load_lock = SPINLOCK_INIT(LOCK_RANK_TIMER_QUEUE);
static uint64_t averages[3]; // load_lock
static nstime_t sampled_at;  // load_lock
static atomic_bool sampling;
static struct ktimer sample_timer;

static unsigned count_running(void) {
    unsigned running = 0;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        if (cpuset_has(&cpu_online, cpu))
            running += atomic_load_explicit(&run_queue_of(cpu)->load, memory_order_relaxed);
    }
    return running;
}

static void add_sample(uint64_t running) {
    for (unsigned i = 0; i < 3; i++)
        averages[i] = (averages[i] * decay[i] + (running << 16) * (65536 - decay[i])) >> 16;
}

// load_lock is held. Brings the averages up to now with samples of running for the time that passed.
static void catch_up(nstime_t now, unsigned running) {
    uint64_t samples = (now - sampled_at) / SAMPLE_INTERVAL;
    sampled_at += samples * SAMPLE_INTERVAL;
    for (uint64_t i = 0; i < MIN(samples, (uint64_t)FORGOTTEN); i++)
        add_sample(running);
}

static void sample(struct ktimer *t) {
    unsigned running = count_running();
    irq_flags_t flags = spin_lock_irq(&load_lock);
    catch_up(clock_monotonic(), running);
    nstime_t next = sampled_at + SAMPLE_INTERVAL;
    spin_unlock_irq(&load_lock, flags);
    if (running)
        timer_set(&sample_timer, next);
    else
        atomic_store_explicit(&sampling, false, memory_order_release);
}

void sched_load_notice(void) {
    if (likely(atomic_load_explicit(&sampling, memory_order_relaxed)))
        return;
    if (atomic_exchange_explicit(&sampling, true, memory_order_acquire))
        return;
    nstime_t now = clock_monotonic();
    irq_flags_t flags = spin_lock_irq(&load_lock);
    catch_up(now, 0);
    nstime_t next = sampled_at + SAMPLE_INTERVAL;
    spin_unlock_irq(&load_lock, flags);
    timer_set(&sample_timer, next);
}

static bool count_thread(struct thread *t, void *arg) {
    ++*(unsigned *)arg;
    return true;
}

void sched_load(uint64_t out_load[3], unsigned *out_running, unsigned *out_total) {
    irq_flags_t flags = spin_lock_irq(&load_lock);
    if (!atomic_load_explicit(&sampling, memory_order_relaxed))
        catch_up(clock_monotonic(), 0);
    for (unsigned i = 0; i < 3; i++)
        out_load[i] = averages[i];
    spin_unlock_irq(&load_lock, flags);
    *out_running = count_running();
    *out_total = 0;
    thread_for_each(count_thread, out_total, true);
}

void sched_load_init(void) {
    timer_init(&sample_timer, sample);
    sampled_at = clock_monotonic();
}
