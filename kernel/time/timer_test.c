// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources: kernel/lib/rbtree.c kernel/sync/spinlock.c
//
// Timers with a clock and a hardware deadline that the test turns: order, cancelling, arming again from the handler, what is programmed when; and a long
// random run against a plain list.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "timer.c"

static struct cpu test_cpu;
__thread struct arch_cpu *host_cpu = &test_cpu.arch;
unsigned cpu_count = 1;
_Atomic uint64_t trace_enabled;
static nstime_t now, hardware = NSTIME_NEVER;
static unsigned programmed;

nstime_t platform_clock_now(void) {
    return now;
}
void platform_timer_set(nstime_t deadline) {
    hardware = deadline;
    programmed++;
}
void trace_record(enum trace_point p, uint64_t a, uint64_t b, uint64_t c) {}
void sched_preempt(void) {}
void host_yield(void) {}
bool arch_is_virtual(void) {
    return false;
}
void debugger_print(const char *format, ...) {}
const char *symbol_lookup(uintptr_t address, uintptr_t *out_offset) {
    return "?";
}
void assert_failed(const char *e, const char *file, int line) {
    printf("FAIL %s %s:%d\n", e, file, line);
    exit(1);
}
void lock_debug_acquire(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_acquire_try(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_release(const void *l, enum lock_rank r) {}

#define N 64
struct item {
    struct ktimer timer;
    bool armed;
    nstime_t deadline, period;
    unsigned fired;
};
static struct item items[N];
static nstime_t last_deadline;

static void fired(struct ktimer *t) {
    struct item *i = container_of(t, struct item, timer);
    assert(i->armed && t->deadline == i->deadline && now >= t->deadline);
    assert(t->deadline >= last_deadline);
    last_deadline = t->deadline;
    i->armed = false;
    i->fired++;
    if (i->period) {
        i->armed = true;
        i->deadline += i->period;
        timer_set(t, i->deadline);
    }
}

static void arm(struct item *i, nstime_t deadline) {
    i->armed = true;
    i->deadline = deadline;
    timer_set(&i->timer, deadline);
}

static void advance(nstime_t to) {
    now = to;
    last_deadline = 0;
    while (hardware <= now) {
        last_deadline = 0;       // a pass begins: within it deadlines rise
        hardware = NSTIME_NEVER; // it fires once
        host_cpu->irq_off = true;
        timer_interrupt();
        host_cpu->irq_off = false;
    }
}

static void reset(void) {
    now = 1000;
    hardware = NSTIME_NEVER;
    timer_cpu_init();
    for (unsigned n = 0; n < N; n++) {
        items[n] = (struct item){0};
        timer_init(&items[n].timer, fired);
    }
}

static void order_and_programming(void) {
    reset();
    arm(&items[0], 5000);
    assert(hardware == 5000);
    arm(&items[1], 3000);
    assert(hardware == 3000);
    unsigned before = programmed;
    arm(&items[2], 4000); // not the first: the hardware is left alone
    assert(programmed == before);
    assert(timer_cancel(&items[1].timer) && !timer_cancel(&items[1].timer));
    items[1].armed = false;
    assert(programmed == before); // an interrupt too many is cheaper
    advance(3000);
    assert(hardware == 4000 && items[1].fired == 0);
    advance(10000);
    assert(items[2].fired == 1 && items[0].fired == 1 && hardware == NSTIME_NEVER);
    printf("ok timer/the_first_deadline_is_programmed\n");
}

static void periodic(void) {
    reset();
    items[0].period = 100;
    arm(&items[0], 1100);
    for (nstime_t t = 1000; t <= 3000; t += 50)
        advance(t);
    assert(items[0].fired == 20);
    assert(timer_cancel_sync(&items[0].timer));
    printf("ok timer/a_handler_arms_its_timer_again\n");
}

static void random_run(void) {
    reset();
    for (unsigned step = 0; step < 50000; step++) {
        struct item *i = &items[rand() % N];
        switch (rand() % 4) {
        case 0:
            assert(timer_cancel(&i->timer) == i->armed);
            i->armed = false;
            break;
        case 1: arm(i, now + (nstime_t)(rand() % 500)); break;
        case 2: arm(i, now); break;
        default: advance(now + (nstime_t)(rand() % 100));
        }
        nstime_t least = NSTIME_NEVER;
        for (unsigned n = 0; n < N; n++)
            least = items[n].armed ? MIN(least, items[n].deadline) : least;
        assert(hardware <= least); // never late; early only after a cancel
    }
    advance(now + 1000);
    for (unsigned n = 0; n < N; n++)
        assert(!items[n].armed);
    printf("ok timer/random_run_agrees_with_a_list\n");
}

int main(void) {
    srand(1);
    order_and_programming();
    periodic();
    random_run();
    return 0;
}
