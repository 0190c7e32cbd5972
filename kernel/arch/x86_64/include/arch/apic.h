// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The local APIC of the running processor (xAPIC, memory mapped). For kernel/arch/x86_64 and boards on it.
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <kernel/types.h>

// Maps the registers (boot processor, once) and switches the APIC on. False: there is none.
bool apic_init(paddr_t base);
// Each processor: on, all local lines masked but NMI inputs as given by apic_set_nmi_input.
void apic_enable(void);
// Local input (0, 1) that carries NMIs, from the firmware's tables: on all processors (cpu = UINT32_MAX: all).
void apic_set_nmi_input(unsigned input, uint16_t flags);
uint32_t apic_id(void);
void apic_end_of_interrupt(void);
// Interprocessor interrupt: waits until the last one has left. Any context.
void apic_send(uint32_t destination, uint32_t command);
#define APIC_COMMAND_FIXED(vector) (vector)
#define APIC_COMMAND_NMI           0x400u
#define APIC_COMMAND_INIT          0x4500u
#define APIC_COMMAND_STARTUP(page) (0x4600u | (page))

// One-shot timer, counting down from count at the bus clock; 0 stops it. apic_timer_count reads what is left.
void apic_timer_start(uint32_t count);
uint32_t apic_timer_count(void);

#endif
