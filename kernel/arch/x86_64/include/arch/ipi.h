// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Interprocessor interrupts and processor start.
#ifndef ARCH_IPI_H
#define ARCH_IPI_H

#include <kernel/types.h>

enum ipi_kind {
    IPI_RESCHEDULE, // sets resched_pending there
    IPI_CALL,       // runs the processor's call queue (kernel/irq/call.c: cpu_call)
    IPI_STOP,       // NMI: stop for a panic or the debugger: backtrace recorded, then waits
};
void arch_ipi_send(unsigned cpu, enum ipi_kind kind);
// Starts all other processors; each runs cpu_main() (kernel/boot/main.c) on its idle thread's stack. Returns when all that came up are up; those that
// did not within a second are logged and left out of cpu_online.
void arch_start_processors(void);

#endif
