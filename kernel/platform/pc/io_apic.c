// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// I/O APICs: routing of global system interrupts to vectors of the boot processor (82093AA data sheet). Routes are made by kernel/irq in thread context;
// masks may change in any context.
// Locking: io_apic_lock guards index and data registers of all of them.
#include "pc.h"

#include <arch/apic.h>
#include <arch/boot_map.h>
#include <arch/vectors.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mmio.h>
#include <kernel/platform.h>

#define REGISTER_SELECT  0x00
#define REGISTER_DATA    0x10
#define INDEX_VERSION    1
#define INDEX_ROUTE      0x10
#define ROUTE_ACTIVE_LOW (1u << 13)
#define ROUTE_LEVEL      (1u << 15)
#define ROUTE_MASKED     (1u << 16)

static struct io_apic {
    volatile uint8_t *registers;
    uint32_t gsi_base, lines;
} io_apics[PC_MAX_IO_APICS];
static unsigned io_apic_count;
static struct spinlock io_apic_lock = SPINLOCK_INIT(
    LOCK_RANK_CPU_CALL); // inside device locks; no lock is taken under it

static uint32_t read(const struct io_apic *a, uint32_t index) {
    mmio_write32(a->registers, REGISTER_SELECT, index);
    return mmio_read32(a->registers, REGISTER_DATA);
}

static void write(const struct io_apic *a, uint32_t index, uint32_t v) {
    mmio_write32(a->registers, REGISTER_SELECT, index);
    mmio_write32(a->registers, REGISTER_DATA, v);
}

void io_apic_init(void) {
    for (unsigned i = 0; i < pc_machine.io_apic_count; i++) {
        struct io_apic *a = &io_apics[io_apic_count];
        a->registers = boot_map_registers(pc_machine.io_apics[i].address, 0x20);
        if (!a->registers)
            continue;
        a->gsi_base = pc_machine.io_apics[i].gsi_base;
        a->lines = (read(a, INDEX_VERSION) >> 16 & 0xff) + 1;
        if (a->lines > 240) {
            log_warning("io_apic", "nothing answers at %#lx", (unsigned long)pc_machine.io_apics[i].address);
            continue;
        }
        for (uint32_t line = 0; line < a->lines; line++)
            write(a, INDEX_ROUTE + 2 * line, ROUTE_MASKED);
        io_apic_count++;
    }
}

static const struct io_apic *find(unsigned gsi, uint32_t *out_line) {
    for (unsigned i = 0; i < io_apic_count; i++)
        if (gsi >= io_apics[i].gsi_base && gsi - io_apics[i].gsi_base < io_apics[i].lines) {
            *out_line = gsi - io_apics[i].gsi_base;
            return &io_apics[i];
        }
    return NULL;
}

inv_status_t platform_irq_route(unsigned gsi, unsigned vector, bool level, bool active_low) {
    uint32_t line;
    const struct io_apic *a = find(gsi, &line);

    if (!a || vector < VECTOR_DEVICE_FIRST || vector > VECTOR_DEVICE_LAST)
        return INV_ERR_INVALID;
    irq_flags_t flags = spin_lock_irq(&io_apic_lock);
    write(a, INDEX_ROUTE + 2 * line + 1, cpus[0].arch.apic_id << 24);
    write(a, INDEX_ROUTE + 2 * line,
          vector | (level ? ROUTE_LEVEL : 0) | (active_low ? ROUTE_ACTIVE_LOW : 0) | ROUTE_MASKED);
    spin_unlock_irq(&io_apic_lock, flags);
    return INV_OK;
}

void platform_irq_mask(unsigned gsi, bool masked) {
    uint32_t line;
    const struct io_apic *a = find(gsi, &line);

    if (!a)
        return;
    irq_flags_t flags = spin_lock_irq(&io_apic_lock);
    uint32_t route = read(a, INDEX_ROUTE + 2 * line);
    write(a, INDEX_ROUTE + 2 * line, masked ? route | ROUTE_MASKED : route & ~ROUTE_MASKED);
    spin_unlock_irq(&io_apic_lock, flags);
}

unsigned platform_isa_gsi(unsigned isa_irq, bool *out_level, bool *out_active_low) {
    unsigned line = isa_irq < PC_ISA_LINES ? isa_irq : 0;

    *out_level = pc_machine.isa[line].level;
    *out_active_low = pc_machine.isa[line].active_low;
    return pc_machine.isa[line].gsi;
}
