// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Output for panic and the debugger: formatted text, polled, straight to the platform's console, with no lock and no memory but the stack's.

#include "emergency.h"

#include <kernel/debug.h>
#include <kernel/platform.h>
#include <kernel/string.h>

void emergency_write(const char *text, size_t n) {
    platform_console_write(text, n);
}

void emergency_vprint(const char *format, va_list args) {
    char text[256];
    int n = vsnprintf(text, sizeof(text), format, args);

    if (n > 0)
        emergency_write(text, MIN((size_t)n, sizeof(text) - 1));
}

void emergency_print(const char *format, ...) {
    va_list args;

    va_start(args, format);
    emergency_vprint(format, args);
    va_end(args);
}

void emergency_print_line(const char *line) {
    emergency_print("%s\n", line);
}

void emergency_print_address(uintptr_t address, bool is_return) {
    uintptr_t offset;
    const char *name = symbol_lookup(address - is_return, &offset);

    emergency_print("  %016lx %s+%#lx\n", (unsigned long)address, name, (unsigned long)(offset + is_return));
}

void debugger_print(const char *format, ...) {
    va_list args;

    va_start(args, format);
    emergency_vprint(format, args);
    va_end(args);
}
