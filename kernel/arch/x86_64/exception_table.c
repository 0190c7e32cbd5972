// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Search of the exception table: pairs of an instruction that may fault on user memory and the address to go on at. Pure; sorted by pc, which the order of
// the entries in usercopy.S gives. Called by exceptions.c, any context.
#include "arch_private.h"

uint64_t exception_table_search(const struct exception_fixup *table, size_t count, uint64_t pc) {
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table[middle].pc == pc)
            return table[middle].fixup;
        if (table[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
