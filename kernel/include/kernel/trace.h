// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Trace points: fixed-size records in a ring per processor, always compiled in, each switched on by name (kernel command line trace=NAME,... or the debugger). A point that
// is off costs one load and a branch.
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <kernel/types.h>

// clang-format off
#define TRACE_POINT_LIST(X)                                                                                          \
    X(sched_switch, "prev=%lu next=%lu prio=%lu")                                                                    \
    X(sched_wake, "thread=%lu cpu=%lu")                                                                              \
    X(sched_migrate, "thread=%lu from=%lu to=%lu")                                                                   \
    X(thread_create, "thread=%lu")                                                                                   \
    X(thread_exit, "thread=%lu")                                                                                     \
    X(process_create, "process=%lx") X(process_exit, "process=%lx") X(syscall_enter, "number=%lu a0=%lx a1=%lx")     \
        X(syscall_exit, "number=%lu result=%lx") X(fault_enter, "address=%lx flags=%lx pc=%lx")                      \
            X(fault_exit, "address=%lx status=%ld") X(irq_enter, "vector=%lu") X(irq_exit, "vector=%lu")             \
                X(timer_fire, "timer=%lx deadline=%lu") X(page_alloc, "order=%lu page=%lx") X(page_free, "page=%lx") \
                    X(tlb_shootdown, "aspace=%lx start=%lx pages=%lu") X(mutex_wait, "mutex=%lx owner=%lx")          \
                        X(mutex_acquired, "mutex=%lx") X(ipi_send, "cpu=%lu kind=%lu") X(exec, "process=%lx")        \
                            X(signal_send, "signal=%lu target=%lu") X(signal_deliver, "signal=%lu")                  \
                                X(job_charge_failed, "job=%lx amount=%lu")
// clang-format on

enum trace_point {
#define TRACE_ENUM(name, format) TRACE_##name,
    TRACE_POINT_LIST(TRACE_ENUM)
#undef TRACE_ENUM
        TRACE_COUNT
};
extern _Atomic uint64_t trace_enabled;                                     // bit per point
void trace_record(enum trace_point p, uint64_t a, uint64_t b, uint64_t c); // any context
#define trace(point, a, b, c)                                                                          \
    do {                                                                                               \
        if (unlikely(atomic_load_explicit(&trace_enabled, memory_order_relaxed) >> TRACE_##point & 1)) \
            trace_record(TRACE_##point, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c));                  \
    } while (0)
void trace_init(void);                                           // boot: reads trace= of the command line
must_check inv_status_t trace_enable(const char *name, bool on); // "all" too. NOT_FOUND

#endif
