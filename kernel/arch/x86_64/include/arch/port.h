// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// I/O ports, for the drivers of devices that are reached through them. An architecture without ports has no such header, and its build no such drivers.
#ifndef ARCH_PORT_H
#define ARCH_PORT_H

#include <arch/x86.h>

static inline void arch_port_write8(uint16_t port, uint8_t v) {
    port_write8(port, v);
}
static inline void arch_port_write32(uint16_t port, uint32_t v) {
    port_write32(port, v);
}
static inline uint8_t arch_port_read8(uint16_t port) {
    return port_read8(port);
}
static inline uint32_t arch_port_read32(uint16_t port) {
    return port_read32(port);
}

#endif
