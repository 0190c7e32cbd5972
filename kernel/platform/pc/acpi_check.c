// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Checks of ACPI tables, and the search for the one AML name that is needed without an interpreter. Pure: no address is followed. Called by acpi.c, boot.
#include "pc.h"

#include "acpi_tables.h"

#include <kernel/string.h>

bool acpi_checksum_ok(const void *p, size_t n) {
    const uint8_t *b = p;
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + b[i]);
    return sum == 0;
}

// r must have sizeof(struct acpi_rsdp) readable bytes.
bool acpi_rsdp_ok(const struct acpi_rsdp *r) {
    if (memcmp(r->signature, "RSD PTR ", 8) != 0 || !acpi_checksum_ok(r, ACPI_RSDP_OLD_SIZE))
        return false;
    return r->revision < 2 || (r->length >= sizeof(*r) && acpi_checksum_ok(r, sizeof(*r)));
}

bool acpi_table_ok(const struct acpi_header *h, size_t available) {
    if (available < sizeof(*h) || h->length < sizeof(*h) || h->length > available)
        return false;
    return acpi_checksum_ok(h, h->length);
}

// A small integer constant of AML at p: ZeroOp, OneOp or BytePrefix. Returns the bytes it takes, 0 if it is something else.
static size_t aml_byte(const uint8_t *p, size_t n, uint8_t *out) {
    if (n >= 1 && p[0] <= 1) {
        *out = p[0];
        return 1;
    }
    if (n >= 2 && p[0] == 0x0a) {
        *out = p[1];
        return 2;
    }
    return 0;
}

// Name(_S5_, Package(n) { a, b, ... }): 08 [5c] "_S5_" 12 length count a b
bool acpi_find_s5(const uint8_t *aml, size_t n, uint8_t *out_a, uint8_t *out_b) {
    for (size_t i = 1; i + 4 < n; i++) {
        if (aml[i] != '_' || memcmp(aml + i, "_S5_", 4) != 0 ||
            !(aml[i - 1] == 0x08 || (aml[i - 1] == 0x5c && i >= 2 && aml[i - 2] == 0x08)))
            continue;
        size_t at = i + 4;
        if (at + 2 >= n || aml[at] != 0x12)
            continue;
        at += 1 + 1 + (aml[at + 1] >> 6); // package length: 1 to 4 bytes
        if (at + 1 >= n || aml[at] < 1)
            continue;
        uint8_t count = aml[at++];
        size_t used = aml_byte(aml + at, n - at, out_a);
        if (!used)
            continue;
        at += used;
        if (count < 2 || at >= n || !aml_byte(aml + at, n - at, out_b))
            *out_b = *out_a;
        return true;
    }
    return false;
}
