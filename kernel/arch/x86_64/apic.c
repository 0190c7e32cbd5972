// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The local APIC in xAPIC mode (Intel manual volume 3, chapter 11). Registers are per processor at one address, so no lock; an interprocessor interrupt is
// two writes and is sent with interrupts off. x2APIC: its place is here, when there is a machine to test it on.
#include <arch/apic.h>
#include <arch/boot_map.h>
#include <arch/cpu.h>
#include <arch/vectors.h>
#include <arch/x86.h>
#include <kernel/mmio.h>

enum apic_register {
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_EOI = 0xb0,
    APIC_DESTINATION_FORMAT = 0xe0,
    APIC_LOGICAL_DESTINATION = 0xd0,
    APIC_SPURIOUS = 0xf0,
    APIC_ERROR_STATUS = 0x280,
    APIC_COMMAND_LOW = 0x300,
    APIC_COMMAND_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PERFORMANCE = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};
#define LVT_MASKED        (1u << 16)
#define LVT_NMI           0x400u
#define SPURIOUS_ENABLE   0x100u
#define COMMAND_PENDING   (1u << 12)
#define TIMER_DIVIDE_BY_1 0xbu
#define APIC_BASE_ENABLE  (1ull << 11)

static volatile uint8_t *registers;
static bool nmi_input[2];

static inline uint32_t apic_read(enum apic_register r) {
    return mmio_read32(registers, r);
}
static inline void apic_write(enum apic_register r, uint32_t v) {
    mmio_write32(registers, r, v);
}

bool apic_init(paddr_t base) {
    if (!(cpuid(1, 0).edx & 1u << 9))
        return false;
    registers = boot_map_registers(base, PAGE_SIZE);
    if (!registers)
        return false;
    apic_enable();
    return true;
}

void apic_set_nmi_input(unsigned input, uint16_t flags) {
    if (input < 2)
        nmi_input[input] = true; // polarity and trigger mode mean nothing for NMI delivery
}

void apic_enable(void) {
    msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE);
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_LVT_LINT0, nmi_input[0] ? LVT_NMI : LVT_MASKED);
    apic_write(APIC_LVT_LINT1, nmi_input[1] ? LVT_NMI : LVT_MASKED);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    apic_write(APIC_TIMER_INITIAL, 0);
    apic_end_of_interrupt();
}

uint32_t apic_id(void) {
    return apic_read(APIC_ID) >> 24;
}

void apic_end_of_interrupt(void) {
    apic_write(APIC_EOI, 0);
}

static void wait_idle(void) {
    while (apic_read(APIC_COMMAND_LOW) & COMMAND_PENDING)
        arch_pause();
}

void apic_send(uint32_t destination, uint32_t command) {
    irq_flags_t flags = arch_irq_save();

    wait_idle();
    apic_write(APIC_COMMAND_HIGH, destination << 24);
    apic_write(APIC_COMMAND_LOW, command);
    arch_irq_restore(flags);
}

void apic_timer_start(uint32_t count) {
    apic_write(APIC_TIMER_INITIAL, count);
}

uint32_t apic_timer_count(void) {
    return apic_read(APIC_TIMER_CURRENT);
}
