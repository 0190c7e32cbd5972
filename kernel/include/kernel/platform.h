// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The board contract (kernel/platform/<board>): what the core needs from the machine around the processor. All are called in thread context after
// platform_init unless said otherwise.
#ifndef KERNEL_PLATFORM_H
#define KERNEL_PLATFORM_H

#include <kernel/types.h>

// Boot processor, early, interrupts off: firmware tables, interrupt controllers, clock source, processor list.
void platform_init(void);
unsigned platform_cpu_count(void);

// Monotonic nanoseconds since boot: any context, any processor, never backwards over processors. Under -icount it is the virtual clock to the nanosecond.
nstime_t platform_clock_now(void);
// How long so many of arch_cycles() are, in nanoseconds.
nstime_t platform_clock_scale(uint64_t cycles);
// Parameters of the clock for the vDSO: ns = base_ns + ((cycles - base_cycles) * mult >> shift); false if user mode cannot read the counter.
bool platform_clock_params(uint64_t *base_cycles, nstime_t *base_ns, uint64_t *mult, unsigned *shift);
// Boot thread, once, before other processors run: measures the clock's frequency again over the time that has passed since platform_init, without waiting.
// Readings go on from where they are; the wall clock is to be published again.
void platform_clock_refine(void);
// From processor start: the new processor read its counter (arch_cycles) between two readings here. Out of order: the clock is guarded from now on.
void platform_clock_check(uint64_t before, uint64_t there, uint64_t after);
// Wall clock read from the chip once at boot: seconds since 1970.
uint64_t platform_rtc_seconds(void);
// One-shot timer of this processor: timer_interrupt() (kernel/time.h) is called at or after deadline. NSTIME_NEVER: off. Interrupts off.
void platform_timer_set(nstime_t deadline);
// From arch entry code: this processor's timer fired. Calls timer_interrupt(), or arms again if the hardware was early. Interrupts off.
void platform_timer_interrupt(void);

// Legacy and PCI interrupts by global system interrupt. The handler runs in interrupt context on the processor that the line is routed to (0).
// BUSY, NO_MEMORY, INVALID. Handlers are registered with irq_register (kernel/irq.h), which calls these.
must_check inv_status_t platform_irq_route(unsigned gsi, unsigned vector, bool level, bool active_low);
void platform_irq_mask(unsigned gsi, bool masked);
unsigned platform_isa_gsi(unsigned isa_irq, bool *out_level, bool *out_active_low); // ACPI overrides applied

// What a device writes where to raise `vector` by a message (MSI, MSI-X), on processor 0. NOT_SUPPORTED: the board has no such interrupts.
must_check inv_status_t platform_irq_message(unsigned vector, uint64_t *out_address, uint32_t *out_data);

// Devices in memory that the firmware describes, by hardware id (ACPI _HID, at most 8 characters): the index-th one. False: there are not that many.
struct platform_device {
    paddr_t base;
    uint64_t size;
    unsigned gsi;
    bool level, active_low;
};
bool platform_device_find(const char *hardware_id, unsigned index, struct platform_device *out);

// Early console (serial line, polled): any context, also panic.
void platform_console_write(const char *text, size_t n);
int platform_console_poll(void); // a byte, or -1

noreturn_fn void platform_power_off(void); // falls back to halting with a message
noreturn_fn void platform_reset(void);

#endif
