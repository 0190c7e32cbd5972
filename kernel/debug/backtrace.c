// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Backtraces from frame pointers. Each step is checked before it is read (aligned, mapped by the kernel, upwards), so that a broken stack ends the trace
// and faults nothing. Any context, no lock: panic, the debugger and reports of the sanitizers.

#include <arch/mmu.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/process.h>
#include <kernel/string.h>

#define BACKTRACE_MAX_JUMPS 3 // from one stack to another: interrupt or exception stack to the thread's

extern const char kernel_text_start[], kernel_text_end[];

struct stack_link {
    uintptr_t next, return_address;
};

static bool is_kernel_text(uintptr_t address) {
    return address > (uintptr_t)kernel_text_start && address <= (uintptr_t)kernel_text_end;
}

static bool is_readable_link(uintptr_t frame_pointer) {
    return IS_ALIGNED(frame_pointer, sizeof(uintptr_t)) && arch_kernel_readable(frame_pointer) &&
           arch_kernel_readable(frame_pointer + sizeof(struct stack_link) - 1);
}

size_t backtrace_collect(uintptr_t frame_pointer, uintptr_t *out, size_t max) {
    unsigned jumps = 0;
    size_t n = 0;

    while (n < max && is_readable_link(frame_pointer)) {
        const struct stack_link *link = (const struct stack_link *)frame_pointer;
        uintptr_t next = link->next, address = link->return_address;

        if (!is_kernel_text(address))
            break;
        out[n++] = address;
        if ((next <= frame_pointer || next - frame_pointer > KERNEL_STACK_SIZE) && ++jumps > BACKTRACE_MAX_JUMPS)
            break;
        frame_pointer = next;
    }
    return n;
}

size_t backtrace_thread(struct thread *t, uintptr_t *out, size_t max) {
    return backtrace_collect(arch_thread_saved_fp(&t->arch), out, max);
}

static void print_address(uintptr_t address, uintptr_t looked_up, void (*print)(const char *line)) {
    char line[128];
    uintptr_t offset;
    const char *name = symbol_lookup(looked_up, &offset);

    snprintf(line, sizeof(line), "  %016lx %s+%#lx", (unsigned long)address, name,
             (unsigned long)(offset + (address - looked_up)));
    print(line);
}

void backtrace_print(uintptr_t pc, uintptr_t frame_pointer, void (*print)(const char *line)) {
    uintptr_t trace[32];
    size_t n = backtrace_collect(frame_pointer, trace, ARRAY_SIZE(trace));

    if (pc != 0)
        print_address(pc, pc, print);
    // A return address may be the first byte of the next function: the call before it is what counts.
    for (size_t i = 0; i < n; i++)
        print_address(trace[i], trace[i] - 1, print);
}
