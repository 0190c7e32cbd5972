// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sets of processors. Any context; each operation is atomic by itself.
#include <kernel/sched.h>

cpuset_t cpu_online;

void cpuset_add(cpuset_t *s, unsigned cpu) {
    atomic_fetch_or_explicit(&s->bits[cpu / 64], 1ull << (cpu % 64), memory_order_seq_cst);
}

void cpuset_remove(cpuset_t *s, unsigned cpu) {
    atomic_fetch_and_explicit(&s->bits[cpu / 64], ~(1ull << (cpu % 64)), memory_order_seq_cst);
}
