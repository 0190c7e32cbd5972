// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Finds the ACPI tables: root pointer (boot loader, else the BIOS areas), XSDT or RSDT, and every table that they name, each checked before use. A bad one
// is refused with a log line. Boot processor, from platform_init; the tables stay mapped (the component bus/acpi will ask for them again).
#include "pc.h"

#include "acpi_tables.h"

#include <arch/boot_map.h>
#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/string.h>

#define BIOS_AREA_START 0xe0000
#define BIOS_AREA_END   0x100000
#define MAX_TABLE_SIZE  MIB(2)

static const struct acpi_header *tables[PC_MAX_ACPI];
static unsigned table_count;

static const struct acpi_rsdp *scan_area(paddr_t start, paddr_t end) {
    const char *area = boot_map_firmware(start, end - start);

    for (size_t at = 0; area && at + sizeof(struct acpi_rsdp) <= end - start; at += 16)
        if (acpi_rsdp_ok((const struct acpi_rsdp *)(area + at)))
            return (const struct acpi_rsdp *)(area + at);
    return NULL;
}

static const struct acpi_rsdp *find_root_pointer(void) {
    if (boot_info.acpi_rsdp) {
        const struct acpi_rsdp *r = boot_map_firmware(boot_info.acpi_rsdp, sizeof(*r));
        if (r && acpi_rsdp_ok(r))
            return r;
        log_warning("acpi", "the boot loader's root pointer at %#lx is bad: searching",
                    (unsigned long)boot_info.acpi_rsdp);
    }
    return scan_area(BIOS_AREA_START, BIOS_AREA_END);
}

// Maps the table at pa if it is one. NULL: refused, with a log line.
static const struct acpi_header *map_table(paddr_t pa) {
    const struct acpi_header *h = boot_map_firmware(pa, sizeof(*h));

    if (h && h->length >= sizeof(*h) && h->length <= MAX_TABLE_SIZE) {
        size_t length = h->length;
        if ((pa & (PAGE_SIZE - 1)) + length > PAGE_SIZE)
            h = boot_map_firmware(pa, length);
        if (h && acpi_table_ok(h, length))
            return h;
    }
    log_warning("acpi", "bad table at %#lx refused", (unsigned long)pa);
    return NULL;
}

static void add_table(paddr_t pa) {
    if (!pa || table_count == PC_MAX_ACPI)
        return;
    const struct acpi_header *h = map_table(pa);
    if (h)
        tables[table_count++] = h;
}

static bool read_root(const struct acpi_header *root, size_t entry_size) {
    if (!root)
        return false;
    const uint8_t *entries = (const uint8_t *)(root + 1);
    size_t count = (root->length - sizeof(*root)) / entry_size;
    for (size_t i = 0; i < count; i++) {
        uint64_t pa = 0;
        memcpy(&pa, entries + i * entry_size, entry_size);
        add_table(pa);
    }
    return true;
}

const struct acpi_header *acpi_find(const char signature[4]) {
    for (unsigned i = 0; i < table_count; i++)
        if (memcmp(tables[i]->signature, signature, 4) == 0)
            return tables[i];
    return NULL;
}

// The DSDT is named by the FADT, not by the root.
static void read_s5(const struct acpi_fadt *fadt) {
    uint64_t pa = fadt->dsdt;

    if (fadt->header.length >= offsetof(struct acpi_fadt, x_dsdt) + 8 && fadt->x_dsdt)
        pa = fadt->x_dsdt;
    const struct acpi_header *dsdt = pa ? map_table(pa) : NULL;
    if (dsdt && table_count < PC_MAX_ACPI)
        tables[table_count++] = dsdt;
    if (dsdt)
        pc_machine.s5_valid = acpi_find_s5((const uint8_t *)(dsdt + 1), dsdt->length - sizeof(*dsdt),
                                           &pc_machine.s5_type_a, &pc_machine.s5_type_b);
}

bool acpi_init(void) {
    const struct acpi_rsdp *r = find_root_pointer();

    if (!r)
        return false;
    if (!(r->revision >= 2 && r->xsdt && read_root(map_table(r->xsdt), 8)) &&
        !(r->rsdt && read_root(map_table(r->rsdt), 4)))
        return false;
    const struct acpi_header *fadt = acpi_find("FACP");
    if (acpi_find("APIC"))
        acpi_read_madt(acpi_find("APIC"));
    if (fadt && fadt->length >= offsetof(struct acpi_fadt, reset)) {
        acpi_read_fadt(fadt);
        read_s5((const struct acpi_fadt *)fadt);
    }
    if (acpi_find("HPET"))
        acpi_read_hpet(acpi_find("HPET"));
    return true;
}
