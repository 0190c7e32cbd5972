// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The kernel debugger: a prompt on the serial line with all processors stopped. Entered by the debugger key from the serial driver's interrupt handler, by
// an NMI that nobody claims, or by a call. Works by polling, without locks and without memory; "continue" goes on as if nothing had been. Subsystems add
// commands with DEBUGGER_COMMAND. "debugger=off" on the command line takes the key and the NMI away.
//
// Context: interrupts off, the other processors in stop.c. A second processor that wants in meanwhile is stopped by the first one's NMI.

#include "emergency.h"

#include "debugger_line.h"

#include <arch/frame.h>
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/platform.h>
#include <kernel/string.h>

#define MAX_ARGUMENTS 16
#define NOBODY        UINT32_MAX

extern const struct debugger_command debugger_commands_start[], debugger_commands_end[];

static _Atomic uint32_t debugger_cpu = NOBODY;
static bool debugger_leaving; // debugger's processor: "continue" was given
static struct debugger_line line;

static void command_help(int argc, const char **argv) {
    (void)argc;
    (void)argv;
    for (const struct debugger_command *c = debugger_commands_start; c < debugger_commands_end; c++)
        debugger_print("%-12s %s\n", c->name, c->help);
}
DEBUGGER_COMMAND("help", "this list", command_help);

static void command_continue(int argc, const char **argv) {
    (void)argc;
    (void)argv;
    debugger_leaving = true;
}
DEBUGGER_COMMAND("continue", "lets the machine go on", command_continue);

static void command_panic(int argc, const char **argv) {
    panic("asked for in the debugger: %s", argc > 1 ? argv[1] : "no reason given");
}
DEBUGGER_COMMAND("panic", "[REASON]: panics, to see or record what a panic shows", command_panic);

static void command_reset(int argc, const char **argv) {
    (void)argc;
    (void)argv;
    platform_reset();
}
DEBUGGER_COMMAND("reset", "resets the machine at once: nothing is written back", command_reset);

static void command_power_off(int argc, const char **argv) {
    (void)argc;
    (void)argv;
    platform_power_off();
}
DEBUGGER_COMMAND("poweroff", "powers the machine off at once: nothing is written back", command_power_off);

// Cuts text into words in place.
static int arguments_split(char *text, const char **argv) {
    int argc = 0;

    while (argc < MAX_ARGUMENTS) {
        while (*text == ' ' || *text == '\t')
            text++;
        if (*text == '\0')
            break;
        argv[argc++] = text;
        while (*text != '\0' && *text != ' ' && *text != '\t')
            text++;
        if (*text != '\0')
            *text++ = '\0';
    }
    return argc;
}

// A command by its name, or by an abbreviation that fits only one.
static const struct debugger_command *command_find(const char *name) {
    const struct debugger_command *found = NULL;
    size_t n = strlen(name);

    for (const struct debugger_command *c = debugger_commands_start; c < debugger_commands_end; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
        if (strncmp(c->name, name, n) != 0)
            continue;
        if (found != NULL) {
            debugger_print("%s: %s or %s?\n", name, found->name, c->name);
            return NULL;
        }
        found = c;
    }
    if (found == NULL)
        debugger_print("%s: no such command; \"help\" lists them\n", name);
    return found;
}

static void command_run(char *text) {
    const char *argv[MAX_ARGUMENTS];
    int argc = arguments_split(text, argv);

    if (argc == 0)
        return;
    const struct debugger_command *command = command_find(argv[0]);
    if (command != NULL)
        command->fn(argc, argv);
}

static void debugger_loop(void) {
    debugger_leaving = false;
    while (!debugger_leaving) {
        emergency_print("debugger> ");
        debugger_line_begin(&line);
        for (enum debugger_line_result result = DEBUGGER_LINE_MORE; result != DEBUGGER_LINE_DONE;) {
            int byte = platform_console_poll();
            if (byte < 0)
                arch_pause();
            else
                result = debugger_line_byte(&line, (char)byte, emergency_write);
        }
        command_run(line.text);
    }
}

static bool debugger_enabled(void) {
    char value[8];

    return !boot_option("debugger", value, sizeof(value)) || strcmp(value, "off") != 0;
}

bool debugger_wants_key(void) {
    return debugger_enabled();
}

bool debugger_active(void) {
    return atomic_load_explicit(&debugger_cpu, memory_order_relaxed) != NOBODY;
}

void debugger_enter(struct arch_frame *frame, const char *reason) {
    uint32_t nobody = NOBODY;

    if (!debugger_enabled())
        return;
    irq_flags_t flags = arch_irq_save();
    if (atomic_compare_exchange_strong(&debugger_cpu, &nobody, arch_cpu_id())) {
        stop_record_self(frame);
        unsigned missing = stop_others(false);
        emergency_print("\nkernel debugger: %s, processor %u; \"help\" lists commands, \"continue\" goes on\n", reason,
                        arch_cpu_id());
        if (missing != 0)
            emergency_print("%u processors did not stop\n", missing);
        debugger_loop();
        stop_release();
        atomic_store(&debugger_cpu, NOBODY);
    }
    arch_irq_restore(flags);
}

bool debugger_nmi(struct arch_frame *frame) {
    if (!debugger_enabled() || debugger_active())
        return false;
    debugger_enter(frame, "NMI");
    return true;
}
