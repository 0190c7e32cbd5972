// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Reads MADT, FADT and HPET into pc_machine. The tables are mapped and their checksums are right; entries are still checked one by one. Boot processor.
#include "pc.h"

#include "acpi_tables.h"

#include <arch/apic.h>
#include <kernel/log.h>
#include <kernel/string.h>

#define FLAG_POLARITY(f)    ((f)&3)
#define FLAG_TRIGGER(f)     (((f) >> 2) & 3)
#define POLARITY_ACTIVE_LOW 3
#define TRIGGER_LEVEL       3

static void local_apic(const struct madt_local_apic *e) {
    if (!(e->flags & MADT_CPU_ENABLED))
        return;
    if (pc_machine.cpu_count == CONFIG_MAX_CPUS) {
        log_warning("acpi", "processor with APIC id %u left out: this kernel takes %u", e->apic_id, CONFIG_MAX_CPUS);
        return;
    }
    pc_machine.apic_ids[pc_machine.cpu_count++] = e->apic_id;
}

static void io_apic(const struct madt_io_apic *e) {
    if (pc_machine.io_apic_count == PC_MAX_IO_APICS)
        return;
    unsigned i = pc_machine.io_apic_count++;
    pc_machine.io_apics[i].id = e->id;
    pc_machine.io_apics[i].address = e->address;
    pc_machine.io_apics[i].gsi_base = e->gsi_base;
}

static void override(const struct madt_override *e) {
    if (e->bus != 0 || e->source >= PC_ISA_LINES)
        return;
    pc_machine.isa[e->source].gsi = e->gsi;
    pc_machine.isa[e->source].active_low = FLAG_POLARITY(e->flags) == POLARITY_ACTIVE_LOW;
    pc_machine.isa[e->source].level = FLAG_TRIGGER(e->flags) == TRIGGER_LEVEL;
}

static void entry(const struct madt_entry *e) {
    static const uint8_t sizes[] = {[MADT_LOCAL_APIC] = sizeof(struct madt_local_apic),
                                    [MADT_IO_APIC] = sizeof(struct madt_io_apic),
                                    [MADT_OVERRIDE] = sizeof(struct madt_override),
                                    [MADT_LOCAL_NMI] = sizeof(struct madt_local_nmi),
                                    [MADT_APIC_ADDRESS] = sizeof(struct madt_apic_address)};

    if (e->type < sizeof(sizes) && e->length < sizes[e->type]) {
        log_warning("acpi", "short MADT entry of type %u", e->type);
        return;
    }
    switch (e->type) {
    case MADT_LOCAL_APIC: local_apic((const struct madt_local_apic *)e); break;
    case MADT_IO_APIC: io_apic((const struct madt_io_apic *)e); break;
    case MADT_OVERRIDE: override((const struct madt_override *)e); break;
    case MADT_LOCAL_NMI:
        apic_set_nmi_input(((const struct madt_local_nmi *)e)->input, ((const struct madt_local_nmi *)e)->flags);
        break;
    case MADT_APIC_ADDRESS: pc_machine.local_apic = ((const struct madt_apic_address *)e)->address; break;
    default: break;
    }
}

void acpi_read_madt(const struct acpi_header *table) {
    const struct acpi_madt *m = (const struct acpi_madt *)table;

    if (table->length < sizeof(*m))
        return;
    pc_machine.local_apic = m->local_apic;
    pc_machine.cpu_count = 0;
    pc_machine.io_apic_count = 0;
    for (size_t at = sizeof(*m); at + sizeof(struct madt_entry) <= table->length;) {
        const struct madt_entry *e = (const struct madt_entry *)((const char *)m + at);
        if (e->length < sizeof(*e) || e->length > table->length - at) {
            log_warning("acpi", "MADT entry of length %u at %zu: the rest is not read", e->length, at);
            break;
        }
        entry(e);
        at += e->length;
    }
}

static struct pc_register register_of(const struct acpi_address *a) {
    return (struct pc_register){.space = a->space, .width = a->width, .address = a->address};
}

void acpi_read_fadt(const struct acpi_header *table) {
    const struct acpi_fadt *f = (const struct acpi_fadt *)table;

    pc_machine.pm_timer_port = (uint16_t)f->pm_timer;
    pc_machine.pm_timer_32 = (f->flags & FADT_FLAG_TIMER_32) != 0;
    pc_machine.pm1a_control = (uint16_t)f->pm1a_control;
    pc_machine.pm1b_control = (uint16_t)f->pm1b_control;
    pc_machine.smi_command = (uint16_t)f->smi_command;
    pc_machine.acpi_enable = f->acpi_enable;
    pc_machine.reduced_hardware = (f->flags & FADT_FLAG_REDUCED) != 0;
    if (table->length >= offsetof(struct acpi_fadt, reset_value) + 1 && (f->flags & FADT_FLAG_RESET)) {
        pc_machine.reset = register_of(&f->reset);
        pc_machine.reset_value = f->reset_value;
        pc_machine.reset_valid = true;
    }
    if (table->length >= offsetof(struct acpi_fadt, sleep_status) && pc_machine.reduced_hardware)
        pc_machine.sleep_control = register_of(&f->sleep_control);
}

void acpi_read_hpet(const struct acpi_header *table) {
    const struct acpi_hpet *h = (const struct acpi_hpet *)table;

    if (table->length >= sizeof(*h) && h->address.space == 0)
        pc_machine.hpet = h->address.address;
}
