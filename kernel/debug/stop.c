// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Stops the other processors for a panic or the debugger, by NMI, so that one that has interrupts off stops too. Each records where it was and its
// backtrace, and waits.
//
//     stopper                                   another processor
//     (1) stop_wanted = stop or halt
//     (2) NMI to each                    --->   (3) debug_nmi: records pc and trace, state = STOPPED
//     (4) waits for STOPPED, bounded            (5) spins until stop_wanted is NONE, or halts for ever
//     (6) stop_wanted = NONE
//     (7) waits for RUNNING, bounded            (8) state = RUNNING, returns from the NMI
//
// There is one stopper at a time: debugger.c and panic.c see to that. A processor that does not answer is left alone and reported.

#include "emergency.h"

#include <arch/frame.h>
#include <arch/ipi.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/sched.h>
#include <kernel/time.h>

enum stop_wanted { STOP_NONE, STOP_WAIT, STOP_HALT };

#define STOP_TIMEOUT (500 * NSEC_PER_MSEC)
#define STOP_SPINS   200000000u // in case that the clock stands still

struct stopped_cpu stopped_cpus[CONFIG_MAX_CPUS];
static _Atomic uint32_t stop_wanted;

static bool stop_reached(unsigned cpu, enum stop_state state) {
    return atomic_load_explicit(&stopped_cpus[cpu].state, memory_order_acquire) == state;
}

// Waits until every other online processor is in the state; returns the number that is not.
static unsigned stop_await(enum stop_state state) {
    nstime_t deadline = clock_monotonic() + STOP_TIMEOUT;
    unsigned missing = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        if (i == arch_cpu_id() || !atomic_load_explicit(&cpus[i].online, memory_order_relaxed))
            continue;
        for (uint32_t spins = 0; !stop_reached(i, state) && spins < STOP_SPINS && clock_monotonic() < deadline; spins++)
            arch_pause();
        missing += !stop_reached(i, state);
    }
    return missing;
}

unsigned stop_others(bool for_ever) {
    atomic_store_explicit(&stop_wanted, for_ever ? STOP_HALT : STOP_WAIT, memory_order_seq_cst);
    for (unsigned i = 0; i < cpu_count; i++) {
        if (i != arch_cpu_id() && atomic_load_explicit(&cpus[i].online, memory_order_relaxed))
            arch_ipi_send(i, IPI_STOP);
    }
    return stop_await(STOP_STOPPED);
}

void stop_release(void) {
    atomic_store_explicit(&stop_wanted, STOP_NONE, memory_order_seq_cst);
    stop_await(STOP_RUNNING);
    atomic_store_explicit(&stopped_cpus[arch_cpu_id()].state, STOP_RUNNING, memory_order_relaxed);
}

static void stop_record(struct stopped_cpu *s, struct arch_frame *frame, uintptr_t pc, uintptr_t frame_pointer) {
    s->frame = frame;
    s->pc = pc;
    s->frame_pointer = frame_pointer;
    s->depth = backtrace_collect(frame_pointer, s->trace, ARRAY_SIZE(s->trace));
    atomic_store_explicit(&s->state, STOP_STOPPED, memory_order_release);
}

static void stop_record_frame(struct stopped_cpu *s, struct arch_frame *frame) {
    if (frame == NULL)
        stop_record(s, NULL, 0, arch_frame_pointer());
    else if (arch_frame_is_user(frame))
        stop_record(s, frame, arch_frame_pc(frame), 0);
    else
        stop_record(s, frame, arch_frame_pc(frame), arch_frame_fp(frame));
}

void stop_record_self(struct arch_frame *frame) {
    stop_record_frame(&stopped_cpus[arch_cpu_id()], frame);
}

bool stop_handle(struct arch_frame *frame) {
    struct stopped_cpu *self = &stopped_cpus[arch_cpu_id()];

    if (atomic_load_explicit(&stop_wanted, memory_order_acquire) == STOP_NONE)
        return false;
    stop_record_frame(self, frame);
    while (atomic_load_explicit(&stop_wanted, memory_order_acquire) == STOP_WAIT)
        arch_pause();
    if (atomic_load_explicit(&stop_wanted, memory_order_acquire) == STOP_HALT)
        arch_halt();
    atomic_store_explicit(&self->state, STOP_RUNNING, memory_order_release);
    return true;
}
