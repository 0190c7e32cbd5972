// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Checking of ELF files: see elf_check.h.
//
// Invariants of a plan that was returned with OK:
//   I1 user_base <= lowest < highest <= user_end for ET_EXEC; for position-independent files highest - lowest fits in user space.
//   I2 every PT_LOAD has filesz <= memsz, memsz > 0 or is ignored, vaddr and offset equal modulo a page, and no sum of its fields overflows.
//   I3 lowest is page aligned, alignment is a power of two.
#include "elf_check.h"

#define ELF_PAGE        4096ull
#define ET_EXEC         2
#define ET_DYN          3
#define EM_X86_64       62
#define INTERPRETER_MAX 4096

inv_status_t elf_check_header(const void *bytes, size_t n, struct elf_header *out, size_t *out_size) {
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2 /* 64 bit */, 1 /* little endian */, 1 /* version */};

    if (n < sizeof(*out))
        return INV_ERR_NOT_EXECUTABLE;
    __builtin_memcpy(out, bytes, sizeof(*out));
    for (size_t i = 0; i < sizeof(ident); i++)
        if (out->ident[i] != ident[i])
            return INV_ERR_NOT_EXECUTABLE;
    if ((out->type != ET_EXEC && out->type != ET_DYN) || out->machine != EM_X86_64)
        return INV_ERR_NOT_EXECUTABLE;
    if (out->phentsize != sizeof(struct elf_program_header) || out->phnum == 0 || out->phnum > ELF_PHNUM_MAX)
        return INV_ERR_NOT_EXECUTABLE;
    *out_size = (size_t)out->phnum * sizeof(struct elf_program_header);
    if (out->phoff > INT64_MAX - *out_size)
        return INV_ERR_NOT_EXECUTABLE;
    return INV_OK;
}

static inv_status_t segment_check(const struct elf_program_header *p, uint64_t user_end) {
    if (p->filesz > p->memsz || p->memsz > user_end || p->vaddr > user_end - p->memsz)
        return INV_ERR_INVALID;
    if (p->offset > INT64_MAX - ELF_PAGE || p->filesz > INT64_MAX - ELF_PAGE - p->offset)
        return INV_ERR_INVALID;
    if (p->filesz > 0 && ((p->vaddr ^ p->offset) & (ELF_PAGE - 1)) != 0)
        return INV_ERR_INVALID;
    return INV_OK;
}

static uint64_t max64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static void plan_add_segment(struct elf_plan *plan, const struct elf_header *h, const struct elf_program_header *p) {
    uint64_t start = p->vaddr & ~(ELF_PAGE - 1), end = p->vaddr + p->memsz;
    uint64_t table_size = (uint64_t)h->phnum * sizeof(*p);

    if (start < plan->lowest)
        plan->lowest = start;
    plan->highest = max64(plan->highest, (end + ELF_PAGE - 1) & ~(ELF_PAGE - 1));
    plan->memory_end = max64(plan->memory_end, end);
    plan->file_end = max64(plan->file_end, p->vaddr + p->filesz);
    if (p->align > plan->alignment && (p->align & (p->align - 1)) == 0 && p->align <= 1ull << 30)
        plan->alignment = p->align;
    if (p->flags & ELF_PF_X) {
        if (plan->code_start == 0 || p->vaddr < plan->code_start)
            plan->code_start = p->vaddr;
        plan->code_end = max64(plan->code_end, p->vaddr + p->filesz);
    }
    plan->data_start = max64(plan->data_start, p->vaddr);
    if (h->phoff >= p->offset && h->phoff - p->offset < p->filesz && table_size <= p->filesz - (h->phoff - p->offset))
        plan->phdr_vaddr = p->vaddr + (h->phoff - p->offset);
}

static inv_status_t interpreter_check(struct elf_plan *plan, const struct elf_program_header *p) {
    if (plan->interpreter_size != 0)
        return INV_OK; // the first one counts
    if (p->filesz < 2 || p->filesz > INTERPRETER_MAX || p->offset > INT64_MAX - p->filesz)
        return INV_ERR_NOT_EXECUTABLE;
    plan->interpreter_offset = p->offset;
    plan->interpreter_size = p->filesz;
    return INV_OK;
}

inv_status_t elf_check_program(const struct elf_header *h, const struct elf_program_header *p, uint64_t user_base,
                               uint64_t user_end, struct elf_plan *out) {
    inv_status_t s = INV_OK;

    *out = (struct elf_plan){.position_independent = h->type == ET_DYN,
                             .entry = h->entry,
                             .phnum = h->phnum,
                             .lowest = UINT64_MAX,
                             .alignment = ELF_PAGE};
    for (unsigned i = 0; i < h->phnum && s == INV_OK; i++) {
        switch (p[i].type) {
        case ELF_PT_LOAD:
            if (p[i].memsz == 0)
                break;
            s = segment_check(&p[i], user_end);
            if (s == INV_OK)
                plan_add_segment(out, h, &p[i]);
            break;
        case ELF_PT_INTERP: s = interpreter_check(out, &p[i]); break;
        case ELF_PT_GNU_STACK: out->stack_executable = (p[i].flags & ELF_PF_X) != 0; break;
        default: break;
        }
    }
    if (s != INV_OK)
        return s;
    if (out->highest == 0)
        return INV_ERR_NOT_EXECUTABLE; // nothing to load
    if (!out->position_independent && out->lowest < user_base)
        return INV_ERR_INVALID;
    if (out->highest > user_end || out->highest - out->lowest > user_end / 2)
        return INV_ERR_NO_MEMORY;
    return INV_OK;
}
