// host-test-sources: kernel/arch/x86_64/exception_table.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Every entry is found, and nothing else.

#include "arch_private.h"

#include <stdio.h>

int main(void) {
    struct exception_fixup table[37];
    bool ok = true;

    for (size_t count = 0; count <= ARRAY_SIZE(table); count++) {
        for (size_t i = 0; i < count; i++)
            table[i] = (struct exception_fixup){.pc = 100 + 3 * i, .fixup = 5000 + i};
        for (uint64_t pc = 90; pc < 110 + 3 * count; pc++) {
            bool there = pc >= 100 && (pc - 100) % 3 == 0 && (pc - 100) / 3 < count;
            ok = ok && exception_table_search(table, count, pc) == (there ? 5000 + (pc - 100) / 3 : 0);
        }
    }
    printf("%s every_entry_is_found_and_nothing_else\n", ok ? "ok" : "FAIL");
    return !ok;
}
