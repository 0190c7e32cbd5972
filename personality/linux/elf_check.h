// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What an ELF64 file must look like before anything is mapped from it (System V ABI, chapter 4 and 5). Pure: the input is bytes that anybody may have
// written; the output holds only values that are safe to compute with. Tested on the host and fuzzed.
#ifndef LINUX_ELF_CHECK_H
#define LINUX_ELF_CHECK_H

#include <invar/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf_program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_program_header) == 56, "ELF64 layout");

#define ELF_MACHINE      62u // x86-64
#define ELF_PT_LOAD      1u
#define ELF_PT_INTERP    3u
#define ELF_PT_GNU_STACK 0x6474e551u
#define ELF_PF_X         1u
#define ELF_PF_W         2u
#define ELF_PF_R         4u
#define ELF_PHNUM_MAX    1170 // 64 KiB of program headers

// What checking has found. All addresses are as linked: a bias is added for position-independent files.
struct elf_plan {
    bool position_independent;
    bool stack_executable;
    uint64_t entry;
    uint64_t phdr_vaddr; // where the program headers are in memory, 0: not loaded
    unsigned phnum;
    uint64_t lowest, highest; // of all segments, page aligned
    uint64_t alignment;       // largest of the segments, a power of two, at least a page
    uint64_t file_end;        // end of the highest file part (data end)
    uint64_t memory_end;      // end of the highest segment, not aligned (program break)
    uint64_t code_start, code_end, data_start;
    uint64_t interpreter_offset; // in the file
    size_t interpreter_size;     // with its NUL; 0: none
};

// The first n bytes of a file. NOT_EXECUTABLE: not an ELF64 program of this machine. *out_size: bytes of program headers at header->phoff.
inv_status_t elf_check_header(const void *bytes, size_t n, struct elf_header *out, size_t *out_size);
// The program headers, header->phnum of them. user_base, user_end: where user memory lies. NOT_EXECUTABLE, INVALID (a segment that cannot be mapped).
inv_status_t elf_check_program(const struct elf_header *h, const struct elf_program_header *p, uint64_t user_base,
                               uint64_t user_end, struct elf_plan *out);

#endif
