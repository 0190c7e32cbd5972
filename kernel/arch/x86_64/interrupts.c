// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Interrupts: from entry.S on the processor's interrupt stack, interrupts off, to timer, reschedule, cross-processor call or device (kernel/irq).
#include "arch_private.h"

#include <arch/apic.h>
#include <arch/vectors.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/irq.h>
#include <kernel/platform.h>
#include <kernel/trace.h>

void interrupt_entry(struct arch_frame *f) {
    struct cpu *cpu = this_cpu();

    counter_add(interrupts, 1);
    trace(irq_enter, f->vector, 0, 0);
    switch (f->vector) {
    case VECTOR_TIMER:
        apic_end_of_interrupt();
        platform_timer_interrupt();
        break;
    case VECTOR_RESCHEDULE:
        apic_end_of_interrupt();
        cpu->arch.resched_pending = 1;
        break;
    case VECTOR_CALL:
        apic_end_of_interrupt();
        cpu_call_interrupt();
        break;
    case VECTOR_DEVICE_FIRST ... VECTOR_DEVICE_LAST:
        irq_dispatch((unsigned)f->vector);
        apic_end_of_interrupt();
        break;
    default: break; // spurious: no end-of-interrupt (Intel manual volume 3, 11.9)
    }
    trace(irq_exit, f->vector, 0, 0);
}
