// host-test-sources: kernel/platform/pc/acpi_check.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Bad tables are refused and _S5_ is found, in the form firmware writes it, and never past the end.

#include "acpi_tables.h"
#include "pc.h"

#include <kernel/string.h>
#include <stdio.h>
#include <stdlib.h>

static int failures;

static void check(bool ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "FAIL", name);
    failures += !ok;
}

static void checksum_set(void *p, size_t n, uint8_t *field) {
    uint8_t sum = 0;

    *field = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + ((uint8_t *)p)[i]);
    *field = (uint8_t)-sum;
}

static void root_pointer(void) {
    struct acpi_rsdp r = {.signature = "RSD PTR", .revision = 2, .length = sizeof(r)};

    r.signature[7] = ' ';
    checksum_set(&r, ACPI_RSDP_OLD_SIZE, &r.checksum);
    checksum_set(&r, sizeof(r), &r.extended_checksum);
    check(acpi_rsdp_ok(&r), "root_pointer_is_taken");
    r.xsdt++;
    check(!acpi_rsdp_ok(&r), "root_pointer_with_bad_extended_checksum_is_refused");
    r.revision = 0;
    checksum_set(&r, ACPI_RSDP_OLD_SIZE, &r.checksum);
    check(acpi_rsdp_ok(&r), "old_root_pointer_has_no_extended_part");
    r.rsdt++;
    check(!acpi_rsdp_ok(&r), "root_pointer_with_bad_checksum_is_refused");
}

static void table(void) {
    struct acpi_header h = {.signature = {'A', 'P', 'I', 'C'}, .length = sizeof(h)};

    checksum_set(&h, sizeof(h), &h.checksum);
    check(acpi_table_ok(&h, sizeof(h)), "table_is_taken");
    check(!acpi_table_ok(&h, sizeof(h) - 1), "table_longer_than_what_is_mapped_is_refused");
    h.length = 8;
    check(!acpi_table_ok(&h, sizeof(h)), "table_shorter_than_its_header_is_refused");
    h.length = sizeof(h);
    h.revision++;
    check(!acpi_table_ok(&h, sizeof(h)), "table_with_bad_checksum_is_refused");
}

static void sleep_types(void) {
    static const uint8_t bytes[] = {0xff, 0x08, '_',  'S',  '5',  '_',  0x12, 0x08,
                                    0x04, 0x0a, 0x05, 0x0a, 0x07, 0x00, 0x00};
    static const uint8_t constants[] = {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x01, 0x00, 0x00};
    static const uint8_t no_name[] = {0x11, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x01, 0x00, 0x00};
    uint8_t a = 0, b = 0;

    check(acpi_find_s5(bytes, sizeof(bytes), &a, &b) && a == 5 && b == 7, "sleep_types_as_bytes");
    check(acpi_find_s5(constants, sizeof(constants), &a, &b) && a == 0 && b == 1, "sleep_types_as_constants");
    check(!acpi_find_s5(no_name, sizeof(no_name), &a, &b), "sleep_types_need_a_name_before");
    for (size_t n = 0; n < sizeof(bytes); n++) { // exact heap blocks: the sanitizer sees any read past the end
        uint8_t *cut = malloc(n + 1);
        memcpy(cut + 1, bytes, n);
        (void)acpi_find_s5(cut + 1, n, &a, &b);
        free(cut);
    }
    check(true, "cut_code_is_not_read_past_its_end");
}

int main(void) {
    root_pointer();
    table();
    sleep_types();
    return failures != 0;
}
