// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Bulk moves of 8-byte words, for kernel/lib/string.c alone: the string instructions move a word a step, where a loop in C needs three instructions.
// Direction flag clear (it is, everywhere in the kernel). Any alignment.
#ifndef ARCH_STRING_H
#define ARCH_STRING_H

#include <kernel/types.h>

// Copies words upwards: to may overlap from only if it lies below it.
static inline void arch_copy_words(void *to, const void *from, size_t words) {
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
}
static inline void arch_fill_words(void *to, uint64_t word, size_t words) {
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
}

#endif
