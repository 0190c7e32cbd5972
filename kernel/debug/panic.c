// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The end of a kernel that has found itself broken: stops the machine, says what is known, and resets, halts or powers off by the command line
// (panic=reset|halt|poweroff). Any context, any lock held, any state of memory: uses the stack, the platform's polled console and nothing else.
//
// The first processor to panic goes on; others that panic meanwhile halt and are shown where they stood. A panic inside the panic is told in one line
// and ends the machine at once.

#include "emergency.h"

#include <arch/frame.h>
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/log.h>
#include <kernel/platform.h>
#include <kernel/process.h>
#include <kernel/string.h>

#define PANIC_NOBODY      UINT32_MAX
#define PANIC_LOG_RECORDS 24

static _Atomic uint32_t panic_cpu = PANIC_NOBODY;
static char panic_text[256];

static noreturn_fn void panic_end(void) {
    char policy[16] = "reset";

    boot_option("panic", policy, sizeof(policy));
    if (strcmp(policy, "halt") == 0) {
        emergency_print("panic: halted\n");
        arch_halt();
    }
    if (strcmp(policy, "poweroff") == 0)
        platform_power_off();
    platform_reset();
}

static void panic_print_registers(const struct arch_frame *frame) {
    char line[128];

    for (unsigned i = 0; arch_frame_describe(frame, i, line, sizeof(line)); i++)
        emergency_print("  %s\n", line);
}

static void panic_print_cpu(unsigned cpu) {
    const struct stopped_cpu *s = &stopped_cpus[cpu];
    const struct thread *t = cpus[cpu].arch.current;

    emergency_print("processor %u", cpu);
    if (t != NULL)
        emergency_print(", thread %lu (%.16s)", (unsigned long)t->id, t->name);
    if (atomic_load_explicit(&s->state, memory_order_acquire) != STOP_STOPPED) {
        emergency_print(": did not stop\n");
        return;
    }
    emergency_print(":\n");
    if (s->frame != NULL && arch_frame_is_user(s->frame))
        emergency_print("  %016lx in user mode\n", (unsigned long)s->pc);
    else if (s->pc != 0)
        emergency_print_address(s->pc, false);
    for (size_t i = 0; i < s->depth; i++)
        emergency_print_address(s->trace[i], true);
}

// Only the first caller returns. A second panic on the same processor ends the machine; other processors wait for the NMI that stops them.
static void panic_begin(const char *format, va_list args) {
    uint32_t nobody = PANIC_NOBODY;

    if (atomic_compare_exchange_strong(&panic_cpu, &nobody, arch_cpu_id()))
        return;
    if (nobody == arch_cpu_id()) {
        emergency_print("\npanic inside the panic: ");
        emergency_vprint(format, args);
        emergency_print("\n");
        panic_end();
    }
    for (;;)
        arch_pause();
}

static noreturn_fn void panic_common(const struct arch_frame *frame, const char *format, va_list args) {
    arch_irq_disable();
    panic_begin(format, args);
    log_enter_panic();
    vsnprintf(panic_text, sizeof(panic_text), format, args);
    log_write(LOG_EMERGENCY, "panic", "%s", panic_text);
    emergency_print("\npanic: %s\n", panic_text);
    stop_record_self((struct arch_frame *)frame);
    unsigned missing = stop_others(true);
    if (missing != 0)
        emergency_print("%u processors did not stop\n", missing);
    if (frame != NULL)
        panic_print_registers(frame);
    panic_print_cpu(arch_cpu_id());
    for (unsigned i = 0; i < cpu_count; i++) {
        if (i != arch_cpu_id() && atomic_load_explicit(&cpus[i].online, memory_order_relaxed))
            panic_print_cpu(i);
    }
    emergency_print("the end of the log:\n");
    log_print_tail(PANIC_LOG_RECORDS);
    emergency_print("panic: %s\n", panic_text);
    panic_end();
}

void panic(const char *format, ...) {
    va_list args;

    va_start(args, format);
    panic_common(NULL, format, args);
}

void panic_frame(const struct arch_frame *frame, const char *format, ...) {
    va_list args;

    va_start(args, format);
    panic_common(frame, format, args);
}

void assert_failed(const char *expression, const char *file, int line) {
    panic("assertion failed: %s, %s:%d", expression, file, line);
}

bool debug_nmi(struct arch_frame *frame) {
    if (stop_handle(frame))
        return true;
    return debugger_nmi(frame);
}
