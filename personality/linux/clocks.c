// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the clocks of Linux read: wall time, time since boot, and the processor time of processes and threads. Called by the calls on clocks (time.c) and
// by timers, which also read from interrupt context.
#include "clocks.h"
#include "process.h"

#define LOOK_MINIMUM (100 * NSEC_PER_USEC)
#define LOOK_MAXIMUM (4 * NSEC_PER_MSEC) // the grain of such timers in Linux, which looks at its ticks

// --- what a number means ----------------------------------------------------------------------------------------------

// A clock's number with a pid inside: ~pid << 3 | 4 (of a thread) | kind.
static int64_t processor_clock(int id, bool for_reading, struct linux_clock *out) {
    int pid = ~(id >> 3);
    bool of_thread = (id & 4) != 0;
    struct linux_process *me = linux_current_process(), *p = NULL;

    if ((id & 3) == 3)
        return -LINUX_EINVAL;
    out->kind = LINUX_COUNTS_PROCESSOR;
    out->cpu = (enum linux_cpu_kind)(id & 3);
    spin_lock(&linux_tree_lock);
    if (of_thread) {
        struct linux_thread *t = pid == 0 ? linux_current() : linux_thread_find_locked(pid);
        if (t != NULL && t->process == me) {
            p = me;
            out->thread_id = t->pid->number;
        }
    } else if (pid == 0 || (for_reading && pid == linux_current()->pid->number)) {
        p = me;
    } else {
        p = linux_process_find_locked(pid);
    }
    if (p != NULL)
        linux_process_get(p);
    spin_unlock(&linux_tree_lock);
    out->process = p;
    return p != NULL ? 0 : -LINUX_EINVAL;
}

int64_t linux_clock_get(int id, bool for_reading, struct linux_clock *out) {
    *out = (struct linux_clock){.id = id, .kind = LINUX_COUNTS_BOOT};
    if (id < 0)
        return processor_clock(id, for_reading, out);
    switch (id) {
    case LINUX_CLOCK_TAI:
        out->offset = linux_wall_tai_offset();
        out->kind = LINUX_COUNTS_WALL;
        return 0;
    case LINUX_CLOCK_REALTIME:
    case LINUX_CLOCK_REALTIME_COARSE:
    case LINUX_CLOCK_REALTIME_ALARM: out->kind = LINUX_COUNTS_WALL; return 0;
    case LINUX_CLOCK_MONOTONIC:
    case LINUX_CLOCK_MONOTONIC_RAW:
    case LINUX_CLOCK_MONOTONIC_COARSE:
    case LINUX_CLOCK_BOOTTIME:
    case LINUX_CLOCK_BOOTTIME_ALARM: return 0;
    case LINUX_CLOCK_PROCESS_CPUTIME: return processor_clock((int)(~0u << 3 | LINUX_CPU_SCHEDULED), for_reading, out);
    case LINUX_CLOCK_THREAD_CPUTIME:
        return processor_clock((int)(~0u << 3 | 4 | LINUX_CPU_SCHEDULED), for_reading, out);
    default: return -LINUX_EINVAL;
    }
}

// --- reading ----------------------------------------------------------------------------------------------------------

static nstime_t part_of(const struct linux_usage *u, enum linux_cpu_kind kind) {
    return kind == LINUX_CPU_VIRTUAL ? u->times.user : u->times.user + u->times.system;
}

static struct linux_thread *thread_find(struct linux_process *p, int number) {
    struct linux_thread *t;

    list_for_each(t, &p->threads, node)
        if (t->pid != NULL && t->pid->number == number)
            return t;
    return NULL;
}

nstime_t linux_clock_read_locked(const struct linux_clock *c) {
    struct linux_usage u;

    if (c->thread_id == 0 && c->cpu != LINUX_CPU_VIRTUAL)
        return linux_process_runtime_locked(c->process);
    if (c->thread_id == 0) {
        linux_process_usage_locked(c->process, &u);
        return part_of(&u, c->cpu);
    }
    struct linux_thread *t = thread_find(c->process, c->thread_id);
    if (t == NULL)
        return 0;
    linux_usage_of_thread(t, &u);
    return part_of(&u, c->cpu);
}

int64_t linux_clock_read_processor(const struct linux_clock *c, nstime_t *out) {
    struct linux_process *p = c->process;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    bool there = c->thread_id == 0 || thread_find(p, c->thread_id) != NULL;
    *out = linux_clock_read_locked(c);
    spin_unlock_irq(&p->lock, flags);
    return there ? 0 : -LINUX_EINVAL;
}

nstime_t linux_clock_look_after(const struct linux_clock *c, nstime_t left, unsigned *idle) {
    unsigned threads = c->thread_id != 0 ? 1 : MAX(*(volatile unsigned *)&c->process->thread_count, 1u);
    nstime_t least = LOOK_MINIMUM << MIN(*idle, 6u);

    return MAX(left / threads, MIN(least, LOOK_MAXIMUM));
}
