// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Start of the other processors, one at a time, by INIT and startup interrupts (Intel manual volume 3, 8.4), and interprocessor interrupts.
// arch_start_processors: boot thread, interrupts on or off, page allocator and idle threads there. arch_ipi_send: any context.
#include "arch_private.h"

#include <arch/apic.h>
#include <arch/ipi.h>
#include <arch/mmu.h>
#include <arch/vectors.h>
#include <arch/x86.h>
#include <kernel/assert.h>
#include <kernel/debug.h>
#include <kernel/kspace.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>
#include <kernel/trace.h>

#define START_TIMEOUT NSEC_PER_SEC
#define INIT_DELAY    (10 * NSEC_PER_MSEC) // hardware; virtual processors need none
#define STARTUP_AGAIN (200 * NSEC_PER_USEC)

struct cpu cpus[CONFIG_MAX_CPUS];
unsigned cpu_count = 1;

extern const uint8_t trampoline_start[], trampoline_end[], trampoline_cpu[], trampoline_stack[], trampoline_root[];

// The handshake with the processor that is starting.
static struct {
    _Atomic uint32_t step; // enum
    _Atomic uint64_t cycles;
} start;
enum { STEP_NONE, STEP_ARRIVED, STEP_MEASURE, STEP_MEASURED };

void arch_ipi_send(unsigned cpu, enum ipi_kind kind) {
    static const uint32_t commands[] = {[IPI_RESCHEDULE] = APIC_COMMAND_FIXED(VECTOR_RESCHEDULE),
                                        [IPI_CALL] = APIC_COMMAND_FIXED(VECTOR_CALL),
                                        [IPI_STOP] = APIC_COMMAND_NMI};

    counter_add(ipis, 1);
    trace(ipi_send, cpu, kind, 0);
    apic_send(cpus[cpu].arch.apic_id, commands[kind]);
}

static bool wait_for_step(uint32_t step, nstime_t limit) {
    nstime_t deadline = clock_monotonic() + limit;

    while (atomic_load_explicit(&start.step, memory_order_acquire) != step) {
        if (clock_monotonic() > deadline)
            return false;
        arch_pause();
    }
    return true;
}

static void delay(nstime_t duration) {
    nstime_t deadline = clock_monotonic() + duration;

    while (clock_monotonic() < deadline)
        arch_pause();
}

// Is its time stamp counter ours?
static void check_clock(void) {
    uint64_t before = arch_cycles();

    atomic_store_explicit(&start.step, STEP_MEASURE, memory_order_release);
    if (wait_for_step(STEP_MEASURED, START_TIMEOUT))
        platform_clock_check(before, atomic_load_explicit(&start.cycles, memory_order_relaxed), arch_cycles());
}

bool arch_is_virtual(void) {
    return (cpuid(1, 0).ecx & 1u << 31) != 0;
}

static void trampoline_fill(struct cpu *cpu, uint64_t stack) {
    uint8_t *page = phys_to_virt(TRAMPOLINE_ADDRESS);
    paddr_t root = boot_map_root();

    memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    memcpy(page + (trampoline_cpu - trampoline_start), &cpu, sizeof(cpu));
    memcpy(page + (trampoline_stack - trampoline_start), &stack, sizeof(stack));
    memcpy(page + (trampoline_root - trampoline_start), &root, sizeof(root));
    atomic_thread_fence(memory_order_seq_cst);
}

// The second startup interrupt is for processors that lost the first (the manual's rule).
static bool send_startup(uint32_t apic) {
    apic_send(apic, APIC_COMMAND_INIT);
    if (!arch_is_virtual())
        delay(INIT_DELAY);
    apic_send(apic, APIC_COMMAND_STARTUP(TRAMPOLINE_ADDRESS >> PAGE_SHIFT));
    if (wait_for_step(STEP_ARRIVED, STARTUP_AGAIN))
        return true;
    apic_send(apic, APIC_COMMAND_STARTUP(TRAMPOLINE_ADDRESS >> PAGE_SHIFT));
    return wait_for_step(STEP_ARRIVED, START_TIMEOUT);
}

// What a processor needs before its first instruction. False: no memory.
static bool prepare(struct cpu *cpu) {
    struct cpu_tables *tables = kspace_alloc(descriptors_size(), PAGE_PROCESSOR, NULL);
    uint8_t *irq_stack = kstack_alloc(NULL);

    if (!tables || !irq_stack || !cpu->idle) {
        if (tables)
            kspace_free(tables);
        if (irq_stack)
            kstack_free(irq_stack);
        return false;
    }
    memset(tables, 0, descriptors_size());
    cpu->arch.tables = tables;
    cpu->arch.irq_stack = (uint64_t)irq_stack + KERNEL_STACK_SIZE;
    cpu->arch.current = cpu->idle;
    cpu->arch.self = cpu;
    return true;
}

// A processor that did not come up keeps its memory: it may come late.
static bool start_one(struct cpu *cpu) {
    if (!prepare(cpu)) {
        log_error("smp", "no memory for processor %u", cpu->arch.id);
        return false;
    }
    atomic_store_explicit(&start.step, STEP_NONE, memory_order_relaxed);
    trampoline_fill(cpu, cpu->idle->arch.stack_top);
    if (!send_startup(cpu->arch.apic_id)) {
        log_error("smp", "processor %u (APIC id %u) does not start", cpu->arch.id, cpu->arch.apic_id);
        return false;
    }
    check_clock();
    nstime_t deadline = clock_monotonic() + START_TIMEOUT;
    while (!atomic_load_explicit(&cpu->online, memory_order_acquire) && clock_monotonic() < deadline)
        arch_pause();
    return atomic_load_explicit(&cpu->online, memory_order_relaxed);
}

// The page tables of head.S, which processors start on.
static void early_tables_free(void) {
    for (char *p = kernel_early_start; p < kernel_early_end; p += PAGE_SIZE)
        arch_kernel_unmap((vaddr_t)p);
    arch_tlb_flush_all();
    page_free_image(image_to_phys(kernel_early_start), image_to_phys(kernel_early_end));
}

// The boot archive may lie over the start page: it is put back as it was.
void arch_start_processors(void) {
    uint8_t *start_page = phys_to_virt(TRAMPOLINE_ADDRESS), *saved;
    uint64_t base, mult;
    nstime_t base_ns;
    unsigned started = 1, shift;

    if (cpu_count == 1) {
        early_tables_free();
        return;
    }
    saved = kmalloc(PAGE_SIZE);
    if (!saved) {
        log_error("smp", "no memory to start processors");
        return;
    }
    memcpy(saved, start_page, PAGE_SIZE);
    for (unsigned i = 1; i < cpu_count; i++)
        started += start_one(&cpus[i]);
    memcpy(start_page, saved, PAGE_SIZE);
    kfree(saved);
    if (!platform_clock_params(&base, &base_ns, &mult, &shift))
        clock_wall_set(clock_wall()); // tells user mode not to read the counter
    log_info("smp", "%u of %u processors run", started, cpu_count);
    if (started == cpu_count)
        early_tables_free(); // else one may come late, on them
}

// From trampoline.S: idle thread's stack, the kernel's own tables, interrupts off.
noreturn_fn void arch_start_other(struct cpu *cpu) {
    descriptors_load(cpu, cpu->arch.tables);
    descriptors_set_kernel_stack(cpu, cpu->idle->arch.stack_top);
    features_enable(cpu);
    apic_enable();
    atomic_store_explicit(&start.step, STEP_ARRIVED, memory_order_release);
    wait_for_step(STEP_MEASURE, START_TIMEOUT);
    atomic_store_explicit(&start.cycles, arch_cycles(), memory_order_relaxed);
    atomic_store_explicit(&start.step, STEP_MEASURED, memory_order_release);
    cpu_main();
}
