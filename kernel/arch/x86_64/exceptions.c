// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Exceptions: decoded from vector and error code, page faults resolved by kernel/vm, the rest handed to the process's personality (user mode) or to the
// exception table (user copies) or to panic. Called by entry.S on the thread's stack with interrupts off; they are switched on as soon as the fault address
// is read, if they were on where the exception came from. Also here: the work before a return to user mode.
//
// Invariants:
//   I1 a fault in kernel mode is resolved only at an address of user space and an instruction of the exception table, or is a kernel bug.
//   I2 aspace_fault is called only where it may sleep: interrupts on, no preemption count, not in a _nofault copy.
#include "arch_private.h"

#include <arch/context.h>
#include <arch/mmu.h>
#include <arch/vectors.h>
#include <arch/x86.h>
#include <kernel/aspace.h>
#include <kernel/debug.h>
#include <kernel/irq.h>
#include <kernel/kspace.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/trace.h>

#define PF_PRESENT  (1u << 0)
#define PF_WRITE    (1u << 1)
#define PF_USER     (1u << 2)
#define PF_RESERVED (1u << 3)
#define PF_EXECUTE  (1u << 4)

static const struct {
    const char *name;
    enum exception_kind kind;
} exceptions[32] = {
    [0] = {"divide error", EXCEPTION_DIVIDE},
    [1] = {"debug", EXCEPTION_SINGLE_STEP},
    [2] = {"non-maskable interrupt", EXCEPTION_PROTECTION},
    [3] = {"breakpoint", EXCEPTION_BREAKPOINT},
    [4] = {"overflow", EXCEPTION_OVERFLOW},
    [5] = {"bound range", EXCEPTION_PROTECTION},
    [6] = {"invalid opcode", EXCEPTION_ILLEGAL_INSTRUCTION},
    [7] = {"device not available", EXCEPTION_FLOAT},
    [8] = {"double fault", EXCEPTION_PROTECTION},
    [9] = {"reserved", EXCEPTION_PROTECTION},
    [10] = {"invalid TSS", EXCEPTION_PROTECTION},
    [11] = {"segment not present", EXCEPTION_PROTECTION},
    [12] = {"stack fault", EXCEPTION_PROTECTION},
    [13] = {"general protection", EXCEPTION_PROTECTION},
    [14] = {"page fault", EXCEPTION_PAGE},
    [15] = {"reserved", EXCEPTION_PROTECTION},
    [16] = {"x87 error", EXCEPTION_FLOAT},
    [17] = {"alignment check", EXCEPTION_ALIGNMENT},
    [18] = {"machine check", EXCEPTION_PROTECTION},
    [19] = {"SIMD error", EXCEPTION_FLOAT},
};

static const char *exception_name(uint64_t vector) {
    return vector < 32 && exceptions[vector].name ? exceptions[vector].name : "reserved exception";
}

static enum exception_kind exception_kind_of(uint64_t vector) {
    return vector < 32 && exceptions[vector].name ? exceptions[vector].kind : EXCEPTION_PROTECTION;
}

// Goes on at the exception table's address. False: this instruction has none.
static bool fixup(struct arch_frame *f) {
    uint64_t to = exception_table_search(exception_table_start, (size_t)(exception_table_end - exception_table_start),
                                         f->rip);

    if (to)
        f->rip = to;
    return to != 0;
}

static noreturn_fn void kernel_page_fault(struct arch_frame *f, vaddr_t address) {
    panic_frame(f, "page fault: %s of %s address %#lx, error %#lx",
                f->error & PF_EXECUTE ? "execution"
                : f->error & PF_WRITE ? "write"
                                      : "read",
                f->error & PF_PRESENT ? "a protected" : "an unmapped", (unsigned long)address, (unsigned long)f->error);
}

static inv_status_t fault_resolve(vaddr_t address, unsigned flags, struct exception *e) {
    struct aspace *as = current_process()->aspace;

    if (address >= ARCH_USER_END || !as) {
        e->kind = EXCEPTION_PAGE;
        e->protection = false; // nothing of the kernel's layout is told
        return INV_ERR_FAULT;
    }
    return aspace_fault(as, address, flags, e);
}

static unsigned fault_flags(uint64_t error) {
    return (error & PF_WRITE ? FAULT_WRITE : 0) | (error & PF_EXECUTE ? FAULT_EXECUTE : 0) |
           (error & PF_USER ? FAULT_USER : 0) | (error & PF_PRESENT ? FAULT_PRESENT : 0);
}

static void page_fault_kernel(struct arch_frame *f, vaddr_t address) {
    bool may_sleep = (f->rflags & RFLAGS_IF) && preempt_enabled() && current_thread()->arch.fault_depth == 0;
    uint64_t pc = f->rip;
    struct exception e = {.address = address};

    if (address >= ARCH_USER_END || (f->error & (PF_EXECUTE | PF_RESERVED)) ||
        !exception_table_search(exception_table_start, (size_t)(exception_table_end - exception_table_start), pc))
        kernel_page_fault(f, address);
    if (may_sleep) {
        arch_irq_enable();
        inv_status_t status = fault_resolve(address, fault_flags(f->error), &e);
        for (unsigned tries = 0; status == INV_ERR_NO_MEMORY && memory_relieve(&tries, true);)
            status = fault_resolve(address, fault_flags(f->error), &e);
        arch_irq_disable();
        if (status == INV_OK)
            return;
    }
    ASSERT(fixup(f));
}

static void page_fault_user(struct arch_frame *f, vaddr_t address) {
    struct exception e = {.kind = EXCEPTION_PAGE,
                          .address = address,
                          .write = (f->error & PF_WRITE) != 0,
                          .execute = (f->error & PF_EXECUTE) != 0,
                          .arch_vector = VECTOR_PAGE_FAULT,
                          .arch_error = (unsigned)f->error};

    arch_irq_enable();
    if (f->error & PF_RESERVED)
        panic_frame(f, "page table corrupt at user address %#lx", (unsigned long)address);
    inv_status_t status = fault_resolve(address, fault_flags(f->error), &e);
    if (status == INV_OK)
        return;
    if (status == INV_ERR_NO_MEMORY)
        process_out_of_memory(); // and retry: the victim's memory may be ours now, or we are the victim
    else
        exception_user(f, &e);
}

static void debug_status_clear(void) {
    __asm__ volatile("movq %0, %%dr6" ::"r"(0xffff0ff0ul));
}

// The address of an exception that has none is the pc.
static void other_user(struct arch_frame *f) {
    struct exception e = {.kind = exception_kind_of(f->vector),
                          .address = f->rip,
                          .arch_vector = (unsigned)f->vector,
                          .arch_error = (unsigned)f->error};

    if (f->vector == VECTOR_DEBUG)
        debug_status_clear();
    arch_irq_enable();
    exception_user(f, &e);
}

void exception_entry(struct arch_frame *f) {
    vaddr_t address = f->vector == VECTOR_PAGE_FAULT ? cr2_read() : 0;

    trace(fault_enter, address, f->error, f->rip);
    if (f->vector == VECTOR_PAGE_FAULT) {
        counter_add(faults, 1);
        if (arch_frame_is_user(f)) {
            kernel_time_begin(current_thread());
            page_fault_user(f, address);
            kernel_time_end(current_thread());
        } else {
            page_fault_kernel(f, address);
        }
    } else if (arch_frame_is_user(f)) {
        kernel_time_begin(current_thread());
        other_user(f);
        kernel_time_end(current_thread());
    } else if (!fixup(f)) {
        panic_frame(f, "%s in the kernel, error %#lx", exception_name(f->vector), (unsigned long)f->error);
    }
}

// A debug exception in kernel mode: the trap flag of a user that the first instruction of an entry still felt.
static void debug_kernel(struct arch_frame *f) {
    debug_status_clear();
    f->rflags &= ~RFLAGS_TF;
}

static bool is_stack_guard(vaddr_t va) {
    return va - (vaddr_t)boot_stack_guard < PAGE_SIZE || va - (vaddr_t)boot_irq_stack_guard < PAGE_SIZE ||
           kspace_is_guard(va);
}

void exception_paranoid(struct arch_frame *f) {
    switch (f->vector) {
    case VECTOR_NMI:
        if (!debug_nmi(f))
            log_warning("x86", "unexpected NMI on processor %u at %#lx", arch_cpu_id(), (unsigned long)f->rip);
        break;
    case VECTOR_DEBUG: debug_kernel(f); break;
    case VECTOR_DOUBLE_FAULT: {
        bool overflow = is_stack_guard(cr2_read());
        panic_frame(f, "double fault%s, address %#lx", overflow ? ": kernel stack overflow" : "",
                    (unsigned long)cr2_read());
    }
    default: panic_frame(f, "%s", exception_name(f->vector));
    }
}

// From entry.S, interrupts off, before every return to user mode that has something to do; again and again until it has not.
void entry_exit_work(struct arch_frame *f) {
    arch_irq_enable();
    if (atomic_load_explicit(&current_thread()->user_work, memory_order_relaxed))
        thread_return_to_user(f);
    if (this_cpu()->arch.resched_pending)
        sched_preempt();
}
