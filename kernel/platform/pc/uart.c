// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The early console: the first serial line (16550 at 0x3f8), polled, from the first instruction in C on and in a panic. The tty driver takes the same
// chip over with interrupts later (executive/tty). Any context; lines of several processors may mix, the log's lock keeps them apart.
#include <arch/cpu.h>
#include <arch/x86.h>
#include <kernel/platform.h>

#define PORT         0x3f8
#define INTERRUPTS   1
#define FIFO         2
#define LINE         3
#define MODEM        4
#define STATUS       5
#define SCRATCH      7
#define STATUS_DATA  0x01
#define STATUS_EMPTY 0x20
#define SPIN_LIMIT   100000 // a transmitter that never gets empty must not stop the kernel

static enum { UNKNOWN, PRESENT, ABSENT } state;

static bool probe(void) {
    port_write8(PORT + SCRATCH, 0x5a);
    if (port_read8(PORT + SCRATCH) != 0x5a)
        return false;
    port_write8(PORT + INTERRUPTS, 0);
    port_write8(PORT + LINE, 0x80); // divisor: 115200 baud
    port_write8(PORT + 0, 1);
    port_write8(PORT + 1, 0);
    port_write8(PORT + LINE, 0x03);  // 8 bits, no parity, 1 stop bit
    port_write8(PORT + FIFO, 0x07);  // on, cleared
    port_write8(PORT + MODEM, 0x0b); // DTR, RTS, interrupt line on
    return true;
}

static bool present(void) {
    if (unlikely(state == UNKNOWN))
        state = probe() ? PRESENT : ABSENT;
    return state == PRESENT;
}

static void put(char c) {
    for (unsigned i = 0; i < SPIN_LIMIT && !(port_read8(PORT + STATUS) & STATUS_EMPTY); i++)
        arch_pause();
    port_write8(PORT, (uint8_t)c);
}

void platform_console_write(const char *text, size_t n) {
    if (!present())
        return;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}

int platform_console_poll(void) {
    if (!present() || !(port_read8(PORT + STATUS) & STATUS_DATA))
        return -1;
    return port_read8(PORT);
}
