// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Loading ELF files into a new address space (elf.c), for exec.c.
#ifndef LINUX_ELF_H
#define LINUX_ELF_H

#include "elf_check.h"

#include <executive/vfs.h>

// A checked file with its program headers; made by elf_open.
struct elf_file {
    struct file *file; // borrowed
    struct elf_header header;
    struct elf_program_header *headers; // kmalloc; freed by elf_close
    struct elf_plan plan;
};
// first: the file's first bytes, n of them. NOT_EXECUTABLE, INVALID, NO_MEMORY, and errors of reading.
must_check inv_status_t elf_open(struct file *file, const void *first, size_t n, struct elf_file *out);
void elf_close(struct elf_file *e);
// The path of the interpreter, terminated, in a buffer of PATH_MAX_BYTES. NOT_EXECUTABLE if it is not a string.
must_check inv_status_t elf_interpreter(const struct elf_file *e, char *path);
// Maps all segments at their addresses plus bias and zeroes what follows the file part. base: where a position-independent file's lowest page shall go
// (0: below as->mmap_top). *out_bias is added to every linked address. NO_MEMORY, EXISTS, INVALID, NO_DEVICE.
must_check inv_status_t elf_map(const struct elf_file *e, struct aspace *as, vaddr_t base, vaddr_t *out_bias);

#endif
