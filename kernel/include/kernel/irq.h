// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Interrupt handlers of devices, by global system interrupt (kernel/irq). Shared lines are supported: each handler says whether it was its device.
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include <kernel/list.h>
#include <kernel/types.h>

struct irq_handler {
    bool (*fn)(void *arg); // interrupt context; true: it was ours
    void *arg;
    const char *name;
    struct list_node node; // kernel/irq
};
// Registers and unmasks. The handler structure stays the caller's and must outlive the registration. INVALID, BUSY (mode of a shared line differs), NO_MEMORY.
must_check inv_status_t irq_register(unsigned gsi, bool level, bool active_low, struct irq_handler *h);
// The same for a device that raises its interrupt by a message: what it is to write, and where. Never shared, never taken back. NO_MEMORY, NOT_SUPPORTED.
must_check inv_status_t irq_register_message(struct irq_handler *h, uint64_t *out_address, uint32_t *out_data);
void irq_unregister(unsigned gsi, struct irq_handler *h);
// From arch entry code: a device vector fired. Interrupts off.
void irq_dispatch(unsigned vector);

// Exceptions, from arch entry code, interrupts as they were. Page faults go to aspace_fault (kernel/aspace.h) first.
struct arch_frame;
enum exception_kind {
    EXCEPTION_ILLEGAL_INSTRUCTION,
    EXCEPTION_DIVIDE,
    EXCEPTION_FLOAT,
    EXCEPTION_BREAKPOINT,
    EXCEPTION_SINGLE_STEP,
    EXCEPTION_ALIGNMENT,
    EXCEPTION_PROTECTION, // general protection, stack, segment: no address known
    EXCEPTION_PAGE,       // an address that is not mapped or not allowed
    EXCEPTION_BUS,        // mapped, but nothing behind it (past the end of a file, memory exhausted)
    EXCEPTION_OVERFLOW,
};
struct exception {
    enum exception_kind kind;
    vaddr_t address; // data address, or the pc where none is known
    bool write, execute;
    bool protection; // EXCEPTION_PAGE: a mapping is there but forbids it (SEGV_ACCERR), else none is (SEGV_MAPERR)
    unsigned arch_vector, arch_error;
};
// User-mode exception that the core could not resolve: handed to the process's personality (kernel/process.h); interrupts on.
void exception_user(struct arch_frame *frame, const struct exception *e);

#endif
