// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Names of kernel functions by address, from the table that the build embeds (tools/ksyms). Any context.

#include <kernel/debug.h>

extern const char kernel_text_start[], kernel_text_end[];
extern const uint32_t ksyms_count;
extern const uint32_t ksyms_offset[];
extern const uint32_t ksyms_name_pos[];
extern const char ksyms_names[];

const char *symbol_lookup(uintptr_t address, uintptr_t *out_offset) {
    uintptr_t offset = address - (uintptr_t)kernel_text_start;
    uint32_t low = 0, high = ksyms_count;

    *out_offset = 0;
    if (address < (uintptr_t)kernel_text_start || address >= (uintptr_t)kernel_text_end)
        return "?";
    while (low < high) { // the first symbol that begins after offset
        uint32_t middle = low + (high - low) / 2;

        if (ksyms_offset[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return "?";
    *out_offset = offset - ksyms_offset[low - 1];
    return ksyms_names + ksyms_name_pos[low - 1];
}
