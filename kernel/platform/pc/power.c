// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Power off and reset: by ACPI's registers, then by the older ways, one after the other, as none of them says whether it works. Any context, also panic.
#include "pc.h"

#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/boot_map.h>
#include <arch/x86.h>
#include <kernel/mmio.h>
#include <kernel/platform.h>

#define PM1_ACPI_MODE        1u
#define PM1_SLEEP_ENABLE     (1u << 13)
#define PM1_SLEEP_TYPE_SHIFT 10
#define SLEEP_CONTROL_ENABLE (1u << 5)
#define SLEEP_CONTROL_SHIFT  2
#define SPACE_MEMORY         0
#define SPACE_PORTS          1
#define KEYBOARD_COMMAND     0x64
#define KEYBOARD_BUSY        2
#define RESET_CONTROL        0xcf9
#define WAIT_SPINS           1000000

static volatile uint8_t *reset_register, *sleep_register;

static void wait_some(void) {
    for (unsigned i = 0; i < WAIT_SPINS; i++)
        arch_pause();
}

// Memory-mapped registers are mapped at boot: a panic must not need to.
void power_init(void) {
    if (pc_machine.reset_valid && pc_machine.reset.space == SPACE_MEMORY)
        reset_register = boot_map_registers(pc_machine.reset.address, 1);
    if (pc_machine.sleep_control.address && pc_machine.sleep_control.space == SPACE_MEMORY)
        sleep_register = boot_map_registers(pc_machine.sleep_control.address, 1);
}

static void register_write(const struct pc_register *r, volatile uint8_t *mapped, uint8_t value) {
    if (r->space == SPACE_PORTS)
        port_write8((uint16_t)r->address, value);
    else if (mapped)
        mmio_write8(mapped, 0, value);
}

// The sleep registers belong to the firmware until ACPI mode is on.
static void acpi_mode_enter(void) {
    if (!pc_machine.smi_command || !pc_machine.acpi_enable || port_read16(pc_machine.pm1a_control) & PM1_ACPI_MODE)
        return;
    port_write8(pc_machine.smi_command, pc_machine.acpi_enable);
    for (unsigned i = 0; i < WAIT_SPINS && !(port_read16(pc_machine.pm1a_control) & PM1_ACPI_MODE); i++)
        arch_pause();
}

noreturn_fn void platform_power_off(void) {
    arch_irq_disable();
    if (pc_machine.s5_valid && pc_machine.sleep_control.address)
        register_write(&pc_machine.sleep_control, sleep_register,
                       (uint8_t)(pc_machine.s5_type_a << SLEEP_CONTROL_SHIFT | SLEEP_CONTROL_ENABLE));
    if (pc_machine.s5_valid && pc_machine.pm1a_control && !pc_machine.reduced_hardware) {
        acpi_mode_enter();
        port_write16(pc_machine.pm1a_control,
                     (uint16_t)(pc_machine.s5_type_a << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE));
        if (pc_machine.pm1b_control)
            port_write16(pc_machine.pm1b_control,
                         (uint16_t)(pc_machine.s5_type_b << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE));
    }
    wait_some();
    static const char message[] = "invar: this machine cannot be switched off; it is halted\n";
    platform_console_write(message, sizeof(message) - 1);
    arch_halt();
}

static void keyboard_reset(void) {
    for (unsigned i = 0; i < 10000 && port_read8(KEYBOARD_COMMAND) & KEYBOARD_BUSY; i++)
        arch_pause();
    port_write8(KEYBOARD_COMMAND, 0xfe);
}

// An exception with an empty interrupt table: the processor shuts down, the board resets it.
static noreturn_fn void triple_fault(void) {
    struct {
        uint16_t limit;
        uint64_t base;
    } packed_struct none = {0, 0};

    __asm__ volatile("lidt %0; int3" ::"m"(none));
    arch_halt();
}

noreturn_fn void platform_reset(void) {
    arch_irq_disable();
    if (pc_machine.reset_valid)
        register_write(&pc_machine.reset, reset_register, pc_machine.reset_value);
    wait_some();
    port_write8(RESET_CONTROL, 0x02);
    port_write8(RESET_CONTROL, 0x06);
    wait_some();
    keyboard_reset();
    wait_some();
    triple_fault();
}
