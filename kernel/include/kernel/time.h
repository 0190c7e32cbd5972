// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Clocks and timers (kernel/time). Monotonic time is nanoseconds since boot; wall time is monotonic time plus an offset that lives here alone.
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include <kernel/platform.h>
#include <kernel/rbtree.h>
#include <kernel/types.h>

static inline nstime_t clock_monotonic(void) {
    return platform_clock_now();
}
nstime_t clock_wall(void);          // nanoseconds since 1970-01-01 UTC
void clock_wall_set(nstime_t wall); // also updates the vDSO page
void clock_init(void);              // boot
// deadline = now + duration without overflow (NSTIME_NEVER when it would).
nstime_t deadline_after(nstime_t duration);

// A one-shot timer. fn runs in interrupt context on the processor that armed it, with no lock held; it may arm the timer again.
struct ktimer {
    struct rb_node node;
    nstime_t deadline;
    void (*fn)(struct ktimer *t);
    _Atomic uint32_t cpu;   // where it is queued, or TIMER_IDLE
    _Atomic uint32_t state; // private to kernel/time/timer.c
};
void timer_init(struct ktimer *t, void (*fn)(struct ktimer *));
// Arms or re-arms. Any context; calls for one timer may come from several processors at once.
void timer_set(struct ktimer *t, nstime_t deadline);
// The same, but it may fire up to slack later, if that is with another timer of this processor: one interrupt less. Alone it is as exact as ever.
void timer_set_slack(struct ktimer *t, nstime_t deadline, nstime_t slack);
// Disarms. True if it was armed and will not fire. Does not wait for a handler that is running.
bool timer_cancel(struct ktimer *t);
// As timer_cancel, and waits until the handler does not run anywhere. Thread context, or never on the handler's own processor in interrupt context.
bool timer_cancel_sync(struct ktimer *t);
void timer_interrupt(void); // from the platform's vector, interrupts off
void timer_cpu_init(void);  // on each processor at boot

#endif
