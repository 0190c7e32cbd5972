// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The PC board's order of initialisation: firmware tables, interrupt controllers, clock. From kernel_main on the boot processor, interrupts off.
#include "pc.h"

#include <arch/apic.h>
#include <arch/x86.h>
#include <kernel/assert.h>
#include <kernel/log.h>
#include <kernel/platform.h>

#define APIC_DEFAULT    0xfee00000
#define IO_APIC_DEFAULT 0xfec00000
#define APIC_BASE_MASK  0xffffff000ull

struct pc_machine pc_machine;

// One processor, one I/O APIC, ISA lines one to one: what every PC without tables is.
static void machine_defaults(void) {
    pc_machine.local_apic = APIC_DEFAULT;
    pc_machine.io_apics[0].address = IO_APIC_DEFAULT;
    pc_machine.io_apic_count = 1;
    for (unsigned i = 0; i < PC_ISA_LINES; i++)
        pc_machine.isa[i].gsi = i;
    pc_machine.isa[0].gsi = 2;
    pc_machine.apic_ids[0] = cpuid(1, 0).ebx >> 24;
    pc_machine.cpu_count = 1;
}

// The boot processor is number 0, whatever the table's order.
static void number_processors(void) {
    uint32_t own = apic_id();
    unsigned i = 0;

    while (i < pc_machine.cpu_count && pc_machine.apic_ids[i] != own)
        i++;
    if (i == pc_machine.cpu_count) {
        if (i == CONFIG_MAX_CPUS || i == 0)
            pc_machine.cpu_count = i = 0;
        pc_machine.cpu_count++;
    }
    for (; i > 0; i--)
        pc_machine.apic_ids[i] = pc_machine.apic_ids[i - 1];
    pc_machine.apic_ids[0] = own;
    for (unsigned n = 0; n < pc_machine.cpu_count; n++) {
        cpus[n].arch.id = n;
        cpus[n].arch.apic_id = pc_machine.apic_ids[n];
    }
    cpu_count = pc_machine.cpu_count;
}

void platform_init(void) {
    machine_defaults();
    if (!acpi_init())
        log_warning("pc", "no ACPI tables: one processor, ISA interrupts");
    if (!(msr_read(MSR_APIC_BASE) & APIC_BASE_MASK))
        log_warning("pc", "the APIC's base is not set");
    pic_disable();
    if (!apic_init(pc_machine.local_apic))
        panic("this machine has no local APIC");
    number_processors();
    io_apic_init();
    power_init();
    clock_calibrate();
}

unsigned platform_cpu_count(void) {
    return pc_machine.cpu_count;
}
