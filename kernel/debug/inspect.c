// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Debugger commands that look at the machine itself: processors, backtraces, memory, the log. See debugger.c for their context.

#include "emergency.h"

#include <arch/frame.h>
#include <arch/mmu.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/process.h>
#include <kernel/string.h>

#define DUMP_WIDTH   16
#define DUMP_DEFAULT 128
#define DUMP_MAX     KIB(64)

bool debugger_number(const char *text, unsigned base, uint64_t *out) {
    const char *end;

    return string_to_u64(text, &end, base, out) == INV_OK && *end == '\0';
}

static void command_cpus(int argc, const char **argv) {
    uintptr_t offset;

    (void)argc;
    (void)argv;
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct stopped_cpu *s = &stopped_cpus[i];
        const struct cpu *c = &cpus[i];
        const struct thread *t = c->arch.current;

        if (!atomic_load_explicit(&c->online, memory_order_relaxed)) {
            debugger_print("%2u not online\n", i);
            continue;
        }
        bool user = s->frame != NULL && arch_frame_is_user(s->frame);
        debugger_print("%2u %s thread %lu (%.16s) preempt %u irq %u at %016lx %s\n", i,
                       atomic_load_explicit(&s->state, memory_order_acquire) == STOP_STOPPED ? "stopped" : "RUNNING",
                       t != NULL ? (unsigned long)t->id : 0ul, t != NULL ? t->name : "-", c->arch.preempt_count,
                       c->arch.irq_depth, (unsigned long)s->pc, user ? "user mode" : symbol_lookup(s->pc, &offset));
    }
}
DEBUGGER_COMMAND("cpus", "each processor: its thread, counts, and where it stopped", command_cpus);

static void print_trace(const uintptr_t *trace, size_t depth) {
    for (size_t i = 0; i < depth; i++)
        emergency_print_address(trace[i], true);
}

static void backtrace_cpu(unsigned cpu) {
    const struct stopped_cpu *s = &stopped_cpus[cpu];
    char text[128];

    if (atomic_load_explicit(&s->state, memory_order_acquire) != STOP_STOPPED) {
        debugger_print("processor %u did not stop\n", cpu);
        return;
    }
    for (unsigned i = 0; s->frame != NULL && arch_frame_describe(s->frame, i, text, sizeof(text)); i++)
        debugger_print("  %s\n", text);
    if (s->pc != 0)
        emergency_print_address(s->pc, false);
    print_trace(s->trace, s->depth);
}

static bool backtrace_if_id(struct thread *t, void *arg) {
    uintptr_t trace[STOP_TRACE_DEPTH];
    uint64_t *id = arg;

    if (t->id != *id)
        return true;
    *id = 0;
    if (atomic_load_explicit(&t->sched.on_cpu, memory_order_relaxed))
        backtrace_cpu(atomic_load_explicit(&t->sched.cpu, memory_order_relaxed));
    else
        print_trace(trace, backtrace_thread(t, trace, ARRAY_SIZE(trace)));
    return false;
}

static void command_backtrace(int argc, const char **argv) {
    uint64_t number = arch_cpu_id();

    if (argc == 3 && strcmp(argv[1], "thread") == 0 && debugger_number(argv[2], 0, &number)) {
        thread_for_each(backtrace_if_id, &number, false);
        if (number != 0)
            debugger_print("there is no thread %lu\n", (unsigned long)number);
        return;
    }
    if (argc > 2 || (argc == 2 && !debugger_number(argv[1], 0, &number)) || number >= cpu_count)
        debugger_print("usage: backtrace [CPU | thread ID]\n");
    else
        backtrace_cpu((unsigned)number);
}
DEBUGGER_COMMAND("backtrace", "[CPU | thread ID]: registers and stack; this processor without an argument",
                 command_backtrace);

static void dump_row(vaddr_t va, size_t n) {
    char text[DUMP_WIDTH + 1];

    debugger_print("%016lx ", (unsigned long)va);
    for (size_t i = 0; i < DUMP_WIDTH; i++) {
        bool shown = i < n && arch_kernel_readable(va + i);
        unsigned char byte = shown ? *(const volatile unsigned char *)(va + i) : ' ';

        text[i] = byte >= ' ' && byte < 127 ? (char)byte : '.';
        if (shown)
            debugger_print(" %02x", byte);
        else
            debugger_print(i < n ? " --" : "   ");
    }
    text[DUMP_WIDTH] = '\0';
    debugger_print("  %s\n", text);
}

static void command_x(int argc, const char **argv) {
    uint64_t va, n = DUMP_DEFAULT;

    if (argc < 2 || argc > 3 || !debugger_number(argv[1], 16, &va) || (argc == 3 && !debugger_number(argv[2], 0, &n))) {
        debugger_print("usage: x ADDRESS [BYTES] (address in hexadecimal)\n");
        return;
    }
    n = MIN(n, DUMP_MAX);
    for (uint64_t done = 0; done < n; done += DUMP_WIDTH)
        dump_row(va + done, MIN(n - done, (uint64_t)DUMP_WIDTH));
}
DEBUGGER_COMMAND("x", "ADDRESS [BYTES]: kernel memory; -- where nothing is mapped", command_x);

static void command_log(int argc, const char **argv) {
    uint64_t count = 40;

    if (argc > 2 || (argc == 2 && !debugger_number(argv[1], 0, &count)))
        debugger_print("usage: log [COUNT]\n");
    else
        log_print_tail((unsigned)MIN(count, (uint64_t)UINT32_MAX));
}
DEBUGGER_COMMAND("log", "[COUNT]: the newest records of the log", command_log);
