// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory and string functions and formatted printing for the kernel (kernel/lib). memcpy and friends must not use SSE, nor rep movsb for bulk:
// deterministic time counts rep movsb by the byte, so use rep movsq or word loops.
#ifndef KERNEL_STRING_H
#define KERNEL_STRING_H

#include <kernel/types.h>
#include <stdarg.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *needle);
// Copies at most size - 1 bytes and always terminates; returns strlen(from), so that a result >= size tells of truncation.
size_t string_copy(char *to, const char *from, size_t size);
// Parses an unsigned number (base 0: 0x and 0 prefixes); *end after the last digit. INVALID if there is no digit, RANGE on overflow.
must_check inv_status_t string_to_u64(const char *s, const char **end, unsigned base, uint64_t *out);
// As C's snprintf: %d %i %u %x %X %o %c %s %p %% with flags - 0 + space #, width, precision, *, hh h l ll z t j. No floating point.
int snprintf(char *to, size_t size, const char *format, ...) printf_like(3, 4);
int vsnprintf(char *to, size_t size, const char *format, va_list args);

// FNV-1a, for hash tables whose keys are not chosen by an enemy; name caches mix in a boot-time seed.
uint64_t hash_bytes(const void *data, size_t n, uint64_t seed);

#endif
