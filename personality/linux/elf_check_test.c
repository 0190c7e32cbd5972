// host-test-sources: personality/linux/elf_check.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// ELF checking on the host: a good file, each field made wrong, and a million files with random damage, whose plan must keep its invariants.

#include "elf_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER_BASE 0x1000ull
#define USER_END  0x7ffffffff000ull

struct image {
    struct elf_header h;
    struct elf_program_header p[4];
};
static int failed;

static void check(const char *name, bool good) {
    printf("%s %s\n", good ? "ok" : "FAIL", name);
    failed |= !good;
}

static struct image good_image(void) {
    struct image i = {.h = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                            .type = 2,
                            .machine = 62,
                            .version = 1,
                            .entry = 0x401000,
                            .phoff = sizeof(struct elf_header),
                            .phentsize = sizeof(struct elf_program_header),
                            .phnum = 4}};
    i.p[0] = (struct elf_program_header){
        .type = ELF_PT_LOAD, .flags = ELF_PF_R, .vaddr = 0x400000, .filesz = 0x400, .memsz = 0x400, .align = 4096};
    i.p[1] = (struct elf_program_header){.type = ELF_PT_LOAD,
                                         .flags = ELF_PF_R | ELF_PF_X,
                                         .offset = 0x1000,
                                         .vaddr = 0x401000,
                                         .filesz = 0x2000,
                                         .memsz = 0x2000,
                                         .align = 4096};
    i.p[2] = (struct elf_program_header){.type = ELF_PT_LOAD,
                                         .flags = ELF_PF_R | ELF_PF_W,
                                         .offset = 0x3010,
                                         .vaddr = 0x404010,
                                         .filesz = 0x20,
                                         .memsz = 0x3000,
                                         .align = 4096};
    i.p[3] = (struct elf_program_header){.type = ELF_PT_GNU_STACK, .flags = ELF_PF_R | ELF_PF_W};
    return i;
}

static inv_status_t run(const struct image *i, size_t n, struct elf_plan *plan) {
    struct elf_header h;
    size_t size;
    inv_status_t s = elf_check_header(i, n, &h, &size);

    if (s != INV_OK)
        return s;
    if (h.phnum > 4)
        return INV_ERR_NOT_FOUND; // the test's image has no more
    return elf_check_program(&h, i->p, USER_BASE, USER_END, plan);
}

static void good_file(void) {
    struct image i = good_image();
    struct elf_plan plan;
    bool good = run(&i, sizeof(i), &plan) == INV_OK;

    good = good && plan.lowest == 0x400000 && plan.highest == 0x408000 && plan.memory_end == 0x407010 &&
           plan.file_end == 0x404030;
    good = good && plan.phdr_vaddr == 0x400040 && !plan.position_independent && !plan.stack_executable &&
           plan.interpreter_size == 0;
    check("a_good_file_gives_its_plan", good);
}

static bool refused(struct image i, size_t n) {
    struct elf_plan plan;
    return run(&i, n, &plan) < 0;
}

static void wrong_fields(void) {
    struct image i;
    bool good = true;

#define WRONG(statement)                               \
    do {                                               \
        i = good_image();                              \
        statement;                                     \
        if (!refused(i, sizeof(i))) {                  \
            printf("FAIL accepted: %s\n", #statement); \
            good = false;                              \
        }                                              \
    } while (0)
    WRONG(i.h.ident[0] = 0);
    WRONG(i.h.ident[4] = 1);
    WRONG(i.h.ident[5] = 2);
    WRONG(i.h.type = 1);
    WRONG(i.h.machine = 3);
    WRONG(i.h.phentsize = 32);
    WRONG(i.h.phnum = 0);
    WRONG(i.h.phoff = UINT64_MAX);
    WRONG(i.p[1].filesz = 0x3000);
    WRONG(i.p[1].memsz = UINT64_MAX);
    WRONG(i.p[1].vaddr = UINT64_MAX - 0xfff);
    WRONG(i.p[1].vaddr = USER_END);
    WRONG(i.p[1].offset = 0x1001);
    WRONG(i.p[1].offset = INT64_MAX - 0xfff);
    WRONG(i.p[0].vaddr = 0);
    WRONG((i.p[3] = (struct elf_program_header){.type = ELF_PT_INTERP, .filesz = 1}));
    WRONG((i.p[3] = (struct elf_program_header){.type = ELF_PT_INTERP, .filesz = 5000}));
    WRONG((i.p[3] = (struct elf_program_header){.type = ELF_PT_INTERP, .filesz = 20, .offset = UINT64_MAX}));
    WRONG(i.p[0].type = i.p[1].type = i.p[2].type = 7);
    good = good && refused(good_image(), sizeof(struct elf_header) - 1);
    check("every_wrong_field_is_refused", good);
}

// The invariants of elf_check.c.
static bool plan_holds(const struct elf_plan *plan) {
    if (plan->lowest >= plan->highest || plan->highest > USER_END || (plan->lowest & 4095) || (plan->highest & 4095))
        return false;
    if (!plan->position_independent && plan->lowest < USER_BASE)
        return false;
    return plan->alignment >= 4096 && (plan->alignment & (plan->alignment - 1)) == 0 &&
           plan->memory_end <= plan->highest && plan->file_end <= plan->highest && plan->interpreter_size <= 4096;
}

static void random_damage(void) {
    bool good = true;
    unsigned accepted = 0;

    srand(1);
    for (int round = 0; round < 1000000 && good; round++) {
        struct image i = good_image();
        struct elf_plan plan;
        for (int n = rand() % 4 + 1; n > 0; n--)
            ((uint8_t *)&i)[rand() % sizeof(i)] = (uint8_t)rand();
        if (run(&i, sizeof(i), &plan) == INV_OK) {
            good = plan_holds(&plan);
            accepted++;
        }
    }
    check("random_damage_keeps_the_invariants", good && accepted > 0);
}

int main(void) {
    good_file();
    wrong_fields();
    random_damage();
    return failed;
}
