// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Threads for self-tests (kernel/process/selftest_threads.c): made with a priority and a processor, joined at the end. Thread context.
#ifndef KERNEL_SELFTEST_THREADS_H
#define KERNEL_SELFTEST_THREADS_H

#include <kernel/process.h>

#define SELFTEST_ANY_CPU (~0u)
#define SELFTEST_BUDGET  (200 * NSEC_PER_MSEC) // for what is tried many times: a slow host tries it less often
#define SELFTEST_DEADLINE \
    (20 * NSEC_PER_SEC) // for what must happen: a lost wake-up shows as a failure and not as a hang

// Starts fn(arg) at a fixed priority (PRIORITY_FAIR: in the fair class) on one processor or on any. NULL: no memory. The caller joins it.
struct thread *selftest_thread(void (*fn)(void *), void *arg, uint8_t priority, unsigned cpu);
// Waits for its end and drops it. False after SELFTEST_DEADLINE. NULL: false.
must_check bool selftest_join(struct thread *t);
// The same for several.
must_check bool selftest_join_array(struct thread **threads, size_t count);
#define selftest_join_all(...) \
    selftest_join_array((struct thread *[]){__VA_ARGS__}, ARRAY_SIZE(((struct thread *[]){__VA_ARGS__})))
// Waits until *flag is at least value, a little asleep between looks. False after SELFTEST_DEADLINE.
must_check bool selftest_wait_for(_Atomic uint32_t *flag, uint32_t value);
// Computes, without sleeping, until *flag is at least value. False after SELFTEST_DEADLINE.
bool selftest_spin_for(_Atomic uint32_t *flag, uint32_t value);
void selftest_sleep(nstime_t duration);
// Online processors; the number-th of them (modulo their number).
unsigned selftest_cpu(unsigned number);

#endif
