// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Panic, backtraces, symbols, the kernel debugger and self-tests (kernel/debug). Subsystems register debugger commands and self-tests with linker sets.
#ifndef KERNEL_DEBUG_H
#define KERNEL_DEBUG_H

#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/types.h>

struct arch_frame;
struct thread;

// name+offset of a kernel text address in the embedded table; "?" when unknown.
const char *symbol_lookup(uintptr_t address, uintptr_t *out_offset);
// Collects return addresses from a frame pointer chain inside one kernel stack (bounds checked, never faults). Returns the number.
size_t backtrace_collect(uintptr_t frame_pointer, uintptr_t *out, size_t max);
size_t backtrace_thread(struct thread *t, uintptr_t *out, size_t max); // of a thread that is not running
void backtrace_print(uintptr_t pc, uintptr_t frame_pointer, void (*print)(const char *line));

noreturn_fn void panic_frame(const struct arch_frame *frame, const char *format, ...)
    printf_like(2, 3); // with registers
// NMI hook from arch: stops this processor while a panic or the debugger runs. True if it was for us.
bool debug_nmi(struct arch_frame *frame);
// An NMI that nobody claims (a button, a watchdog): enters the debugger. False if there is no debugger.
bool debugger_nmi(struct arch_frame *frame);
// The byte on the serial line that calls the debugger: Ctrl-_.
#define DEBUGGER_KEY 0x1f
bool debugger_wants_key(void); // false: the byte is input like any other
// The debugger key came on the serial line (interrupt context): enters the debugger; returns when the operator continues.
void debugger_enter(struct arch_frame *frame, const char *reason);
bool debugger_active(void);

// Debugger commands. fn runs with all other processors stopped, interrupts off, must not take locks or allocate; output through debugger_print.
struct debugger_command {
    const char *name, *help;
    void (*fn)(int argc, const char **argv);
};
#define DEBUGGER_COMMAND(cmd_name, cmd_help, cmd_fn)                                                   \
    static const struct debugger_command debugger_command_##cmd_fn section_named(".debugger_commands") \
        aligned_to(8) = {.name = cmd_name, .help = cmd_help, .fn = cmd_fn}
// A number given as an argument, the whole of text (base 0: 0x and 0 prefixes). False if it is none.
bool debugger_number(const char *text, unsigned base, uint64_t *out);
void debugger_print(const char *format, ...) printf_like(1, 2);

// Self-tests in the booted kernel: run in a kernel thread when the command line has "selftest" or "selftest=PREFIX". fn returns true for ok.
struct selftest {
    const char *name; // "vm/cow_clone_shares_then_copies": a behaviour
    bool (*fn)(void);
};
#define SELFTEST(test_name, test_fn)                                            \
    static const struct selftest selftest_##test_fn section_named(".selftests") \
        aligned_to(8) = {.name = test_name, .fn = test_fn}
// Logs file, line and expression, and makes the test fail.
#define SELFTEST_CHECK(e)                            \
    do {                                             \
        if (!(e)) {                                  \
            selftest_report(#e, __FILE__, __LINE__); \
            return false;                            \
        }                                            \
    } while (0)
void selftest_report(const char *expression, const char *file, int line);
bool selftest_run_all(const char *prefix); // prints "selftest: NAME ok|FAILED" and "selftest: N passed, N failed"

// Seeded delays at lock and preemption points (sanitize builds; empty otherwise).
#ifdef CONFIG_DELAY_INJECTION
void delay_point(void);
#else
#define delay_point() ((void)0)
#endif

#endif
