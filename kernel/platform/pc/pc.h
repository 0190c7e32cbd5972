// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files of the PC board share. Nothing outside kernel/platform/pc includes it.
#ifndef PLATFORM_PC_H
#define PLATFORM_PC_H

#include <kernel/cpu.h>
#include <kernel/types.h>

#define PC_MAX_IO_APICS 8
#define PC_ISA_LINES    16
#define PC_MAX_ACPI     48

// What the firmware told. Immutable after platform_init.
struct pc_machine {
    paddr_t local_apic;
    struct {
        uint32_t id, gsi_base;
        paddr_t address;
    } io_apics[PC_MAX_IO_APICS];
    unsigned io_apic_count;
    struct {
        uint32_t gsi;
        bool level, active_low;
    } isa[PC_ISA_LINES];
    uint32_t apic_ids[CONFIG_MAX_CPUS]; // usable processors
    unsigned cpu_count;

    uint64_t hpet; // physical, 0: none
    uint16_t pm_timer_port;
    bool pm_timer_32;
    bool reduced_hardware;
    uint16_t pm1a_control, pm1b_control;
    uint16_t smi_command;
    uint8_t acpi_enable;
    uint8_t s5_type_a, s5_type_b;
    bool s5_valid;
    struct pc_register {
        uint8_t space, width; // 0: memory, 1: ports
        uint64_t address;
    } reset, sleep_control;
    uint8_t reset_value;
    bool reset_valid;
};
extern struct pc_machine pc_machine;

// acpi.c: finds and checks tables. A table stays mapped.
struct acpi_header;
bool acpi_init(void);
const struct acpi_header *acpi_find(const char signature[4]); // NULL: none
// acpi_read.c: fill pc_machine from the tables; without them it keeps the defaults of machine_defaults().
void acpi_read_madt(const struct acpi_header *table);
void acpi_read_fadt(const struct acpi_header *table);
void acpi_read_hpet(const struct acpi_header *table);

// acpi_check.c, pure: whether size bytes at table hold a table whose length and checksum are right.
bool acpi_checksum_ok(const void *p, size_t n);
struct acpi_rsdp;
bool acpi_rsdp_ok(const struct acpi_rsdp *r);
bool acpi_table_ok(const struct acpi_header *h, size_t available);
// Finds the sleep types of _S5_ in AML. False: not there or not of the one form that is understood.
bool acpi_find_s5(const uint8_t *aml, size_t n, uint8_t *out_a, uint8_t *out_b);

// io_apic.c, pic.c
void pic_disable(void);
void io_apic_init(void);

// reference.c: a counter of known frequency to measure others by.
struct reference {
    const char *name;
    uint64_t hz;
    uint64_t mask; // it counts up and wraps here
    uint64_t (*read)(void);
};
const struct reference *reference_find(void); // NULL: none

// clock.c
void clock_calibrate(void);
uint64_t clock_apic_tick_mult(void);
// clock_scale.c, pure: mult for ns = cycles * mult >> CLOCK_SHIFT; rounding of a measured frequency.
#define CLOCK_SHIFT 32
uint64_t clock_scale_mult(uint64_t hz);
static inline uint64_t clock_scale(uint64_t cycles, uint64_t mult, unsigned shift) {
    return (uint64_t)((unsigned __int128)cycles * mult >> shift);
}
uint64_t clock_round_hz(uint64_t hz);
// Ticks of a timer that take ns or a tick more (but for the rounding of tick_mult), at most max.
uint64_t clock_tick_mult(uint64_t hz);
uint32_t clock_ticks(nstime_t ns, uint64_t tick_mult, uint32_t max);

// power.c: maps the registers that power_off and reset write.
void power_init(void);

#endif
