// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// libFuzzer target for personality/linux/elf_check.c: the input is a file; checking must neither read outside it nor return a plan that breaks an invariant.
//     clang-14 -g -O1 -fsanitize=fuzzer,address,undefined -Iabi/include -Ipersonality/linux fuzz/elf_check_fuzz.c personality/linux/elf_check.c -o elf_fuzz
#include "elf_check.h"

#include <stdlib.h>
#include <string.h>

#define USER_BASE 0x1000ull
#define USER_END  0x7ffffffff000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct elf_header h;
    struct elf_plan plan;
    size_t table;

    if (elf_check_header(data, size, &h, &table) != INV_OK)
        return 0;
    // The loader reads the table from the file: what is not there ends the attempt.
    if (h.phoff > size || table > size - h.phoff)
        return 0;
    struct elf_program_header *p = malloc(table);
    memcpy(p, data + h.phoff, table);
    if (elf_check_program(&h, p, USER_BASE, USER_END, &plan) == INV_OK) {
        if (plan.lowest >= plan.highest || plan.highest > USER_END || (plan.lowest & 4095) || (plan.highest & 4095))
            abort();
        if (!plan.position_independent && plan.lowest < USER_BASE)
            abort();
        if (plan.memory_end > plan.highest || plan.file_end > plan.highest || (plan.alignment & (plan.alignment - 1)) ||
            plan.alignment < 4096)
            abort();
    }
    free(p);
    return 0;
}
