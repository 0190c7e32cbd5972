// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Devices in memory that the DSDT describes, found without an interpreter: a device is its _HID string and the first resource template behind it that holds a
// fixed memory range and an interrupt (ACPI 6.4, sections 6.4.3.4 and 6.4.3.6). That is how compilers lay such devices out; a description that is
// computed is not found. Boot thread; the table is checked and stays mapped.
#include "pc.h"

#include "acpi_tables.h"

#include <kernel/platform.h>
#include <kernel/string.h>

#define TAG_MEMORY32_FIXED    0x86
#define MEMORY32_FIXED_LENGTH 9
#define TAG_INTERRUPT         0x89
#define INTERRUPT_MIN_LENGTH  6
#define INTERRUPT_EDGE        0x02
#define INTERRUPT_LOW         0x04
#define SEARCH_LENGTH         256 // from the id to the resources

static uint32_t load32(const uint8_t *p) {
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

// The two descriptors, in this order and with the lengths that they must have, in bytes[0..n).
static bool read_resources(const uint8_t *bytes, size_t n, struct platform_device *out) {
    size_t i = 0;

    while (i + 3 + MEMORY32_FIXED_LENGTH <= n &&
           !(bytes[i] == TAG_MEMORY32_FIXED && bytes[i + 1] == MEMORY32_FIXED_LENGTH && bytes[i + 2] == 0))
        i++;
    if (i + 3 + MEMORY32_FIXED_LENGTH + 3 + INTERRUPT_MIN_LENGTH > n)
        return false;
    out->base = load32(bytes + i + 4);
    out->size = load32(bytes + i + 8);
    const uint8_t *interrupt = bytes + i + 3 + MEMORY32_FIXED_LENGTH;
    if (interrupt[0] != TAG_INTERRUPT || interrupt[1] < INTERRUPT_MIN_LENGTH || interrupt[4] == 0)
        return false;
    out->level = !(interrupt[3] & INTERRUPT_EDGE);
    out->active_low = (interrupt[3] & INTERRUPT_LOW) != 0;
    out->gsi = load32(interrupt + 5);
    return out->base != 0 && out->size != 0;
}

bool platform_device_find(const char *hardware_id, unsigned index, struct platform_device *out) {
    const struct acpi_header *dsdt = acpi_find("DSDT");
    size_t length = strnlen(hardware_id, 8) + 1; // the string's end is part of the match

    if (!dsdt)
        return false;
    const uint8_t *bytes = (const uint8_t *)(dsdt + 1);
    size_t n = dsdt->length - sizeof(*dsdt);
    for (size_t i = 0; i + length <= n; i++) {
        if (memcmp(bytes + i, hardware_id, length) != 0)
            continue;
        const uint8_t *rest = bytes + i + length;
        if (read_resources(rest, MIN(n - i - length, (size_t)SEARCH_LENGTH), out) && index-- == 0)
            return true;
    }
    return false;
}
