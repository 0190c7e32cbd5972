// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What panic and the debugger share inside kernel/debug: output that needs nothing to work, and the stopping of the other processors.
#ifndef DEBUG_EMERGENCY_H
#define DEBUG_EMERGENCY_H

#include <kernel/types.h>
#include <stdarg.h>

struct arch_frame;

#define STOP_TRACE_DEPTH 32

// Where a stopped processor was.
struct stopped_cpu {
    _Atomic uint32_t state; // enum stop_state
    uintptr_t pc, frame_pointer;
    struct arch_frame *frame;
    size_t depth;
    uintptr_t trace[STOP_TRACE_DEPTH];
};
enum stop_state { STOP_RUNNING, STOP_STOPPED };
extern struct stopped_cpu stopped_cpus[];

// Polled output without a lock; the platform sends "\n" as a carriage return and a line feed.
void emergency_write(const char *text, size_t n);
void emergency_print(const char *format, ...) printf_like(1, 2);
void emergency_vprint(const char *format, va_list args);
void emergency_print_line(const char *line);
// "  ADDRESS name+offset". is_return: a return address, whose call belongs to the function before it.
void emergency_print_address(uintptr_t address, bool is_return);

// Stops the other processors by NMI and waits, for a bounded time, until each has recorded where it was. for_ever: they halt. Returns the number that
// did not answer. Interrupts off. stop_release() lets them go on and waits until they do.
unsigned stop_others(bool for_ever);
void stop_release(void);
// From debug_nmi(): true if this NMI was a stop; returns when the processor may go on.
bool stop_handle(struct arch_frame *frame);
// Records where the calling processor is, so that commands treat it like the stopped ones.
void stop_record_self(struct arch_frame *frame);

// log.c: from now on no lock is waited for (panic).
void log_enter_panic(void);
// log.c: prints the newest records with emergency_print, without a lock.
void log_print_tail(unsigned records);

#endif
