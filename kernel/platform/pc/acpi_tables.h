// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Layout of the ACPI tables that are read (ACPI specification 6.4, chapter 5). Nothing in them is trusted: lengths are checked before a field is read.
#ifndef ACPI_TABLES_H
#define ACPI_TABLES_H

#include <kernel/types.h>

struct acpi_rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    // revision 2:
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} packed_struct;
#define ACPI_RSDP_OLD_SIZE 20
_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP layout");

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} packed_struct;
_Static_assert(sizeof(struct acpi_header) == 36, "header layout");

struct acpi_address {
    uint8_t space, width, offset, access;
    uint64_t address;
} packed_struct;

struct acpi_fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved0, profile;
    uint16_t sci;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    uint8_t pm1_event_length, pm1_control_length, pm2_length, pm_timer_length, gpe0_length, gpe1_length, gpe1_base, cst;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_flags;
    uint8_t reserved1;
    uint32_t flags;
    struct acpi_address reset;
    uint8_t reset_value;
    uint16_t arm_flags;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer, x_gpe0,
        x_gpe1;
    struct acpi_address sleep_control, sleep_status;
} packed_struct;
_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "FADT layout");
_Static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "FADT layout");
_Static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "FADT layout");
#define FADT_FLAG_TIMER_32 (1u << 8)
#define FADT_FLAG_RESET    (1u << 10)
#define FADT_FLAG_REDUCED  (1u << 20)

struct acpi_madt {
    struct acpi_header header;
    uint32_t local_apic, flags;
} packed_struct;
struct madt_entry {
    uint8_t type, length;
} packed_struct;
enum {
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LOCAL_NMI = 4,
    MADT_APIC_ADDRESS = 5,
    MADT_LOCAL_X2APIC = 9
};
#define MADT_CPU_ENABLED 1u
struct madt_local_apic {
    struct madt_entry entry;
    uint8_t processor, apic_id;
    uint32_t flags;
} packed_struct;
struct madt_io_apic {
    struct madt_entry entry;
    uint8_t id, reserved;
    uint32_t address, gsi_base;
} packed_struct;
struct madt_override {
    struct madt_entry entry;
    uint8_t bus, source;
    uint32_t gsi;
    uint16_t flags;
} packed_struct;
struct madt_local_nmi {
    struct madt_entry entry;
    uint8_t processor;
    uint16_t flags;
    uint8_t input;
} packed_struct;
struct madt_apic_address {
    struct madt_entry entry;
    uint16_t reserved;
    uint64_t address;
} packed_struct;

struct acpi_hpet {
    struct acpi_header header;
    uint32_t id;
    struct acpi_address address;
    uint8_t number;
    uint16_t minimum_tick;
    uint8_t attributes;
} packed_struct;

#endif
