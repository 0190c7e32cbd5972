// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Maps ELF files into an address space that nobody runs in yet, so that every error leaves the caller's program untouched.
#include "elf.h"

#include <kernel/slab.h>
#include <kernel/string.h>

inv_status_t elf_open(struct file *file, const void *first, size_t n, struct elf_file *out) {
    size_t size, done;
    inv_status_t s = elf_check_header(first, n, &out->header, &size);

    out->file = file;
    out->headers = NULL;
    if (s != INV_OK)
        return s;
    out->headers = kmalloc(size);
    if (out->headers == NULL)
        return INV_ERR_NO_MEMORY;
    s = file_read_kernel(file, out->header.phoff, out->headers, size, &done);
    if (s == INV_OK && done != size)
        s = INV_ERR_NOT_EXECUTABLE;
    if (s == INV_OK)
        s = elf_check_program(&out->header, out->headers, ARCH_USER_BASE, ARCH_USER_END, &out->plan);
    if (s != INV_OK)
        elf_close(out);
    return s;
}

void elf_close(struct elf_file *e) {
    kfree(e->headers);
    e->headers = NULL;
}

inv_status_t elf_interpreter(const struct elf_file *e, char *path) {
    size_t size = e->plan.interpreter_size, done;
    inv_status_t s = file_read_kernel(e->file, e->plan.interpreter_offset, path, size, &done);

    if (s != INV_OK)
        return s;
    return done == size && path[size - 1] == '\0' ? INV_OK : INV_ERR_NOT_EXECUTABLE;
}

static unsigned segment_prot(const struct elf_program_header *p) {
    return (p->flags & ELF_PF_R ? MMU_READ : 0) | (p->flags & ELF_PF_W ? MMU_WRITE : 0) |
           (p->flags & ELF_PF_X ? MMU_EXECUTE : 0);
}

// The bytes between the end of the file part and the end of its last page.
static inv_status_t zero_tail(struct aspace *as, vaddr_t from) {
    static const char zeros[512];
    vaddr_t to = ALIGN_UP(from, PAGE_SIZE);
    size_t done;

    while (from < to) {
        size_t n = MIN(to - from, sizeof(zeros));
        inv_status_t s = aspace_access(as, from, (void *)zeros, n, true, &done);
        if (s != INV_OK)
            return s;
        from += n;
    }
    return INV_OK;
}

static inv_status_t segment_map(const struct elf_file *e, struct aspace *as, struct vmo *vmo,
                                const struct elf_program_header *p, vaddr_t bias) {
    vaddr_t start = ALIGN_DOWN(p->vaddr + bias, PAGE_SIZE), file_end = p->vaddr + bias + p->filesz,
            end = p->vaddr + bias + p->memsz, at;
    inv_status_t s = INV_OK;

    if (p->filesz > 0) {
        struct map_request r = {.address = start,
                                .length = ALIGN_UP(file_end, PAGE_SIZE) - start,
                                .prot = segment_prot(p),
                                .max_prot = MMU_READ | MMU_WRITE | MMU_EXECUTE,
                                .place = MAP_AT | MAP_REPLACE,
                                .object = vmo,
                                .object_offset = ALIGN_DOWN(p->offset, PAGE_SIZE),
                                .owner = &e->file->owner};
        s = aspace_map(as, &r, &at);
        start = ALIGN_UP(file_end, PAGE_SIZE);
        if (s == INV_OK && p->memsz > p->filesz && (p->flags & ELF_PF_W))
            s = zero_tail(as, file_end);
    }
    if (s == INV_OK && end > start) {
        struct map_request r = {.address = start,
                                .length = ALIGN_UP(end, PAGE_SIZE) - start,
                                .prot = segment_prot(p),
                                .max_prot = MMU_READ | MMU_WRITE | MMU_EXECUTE,
                                .place = MAP_AT | MAP_REPLACE};
        s = aspace_map(as, &r, &at);
    }
    return s;
}

inv_status_t elf_map(const struct elf_file *e, struct aspace *as, vaddr_t base, vaddr_t *out_bias) {
    const struct elf_plan *plan = &e->plan;
    vaddr_t bias = 0;
    struct vmo *vmo;
    inv_status_t s;

    if (plan->position_independent) {
        if (base == 0)
            base = as->mmap_top - (plan->highest - plan->lowest) - plan->alignment;
        base = ALIGN_DOWN(base, plan->alignment);
        if (base < ARCH_USER_BASE || plan->highest - plan->lowest > ARCH_USER_END - base)
            return INV_ERR_NO_MEMORY;
        bias = base - plan->lowest;
    }
    s = file_map(e->file, false, &vmo);
    if (s != INV_OK)
        return s;
    for (unsigned i = 0; i < plan->phnum && s == INV_OK; i++) {
        const struct elf_program_header *p = &e->headers[i];
        if (p->type == ELF_PT_LOAD && p->memsz > 0)
            s = segment_map(e, as, vmo, p, bias);
    }
    vmo_put(vmo);
    *out_bias = bias;
    return s;
}
