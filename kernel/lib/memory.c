// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// memcpy, memmove, memset, memcmp and memchr. Any context, from the first C instruction on; the compiler calls them too. Small sizes are done with two
// overlapping loads, so that the common copies of a few words take no loop; large ones go by the word through arch/string.h.
// Rules: no SSE (the kernel keeps user FPU state in the registers), no byte loop over bulk.
#include <arch/string.h>
#include <kernel/string.h>

typedef uint64_t __attribute__((may_alias, aligned(1))) word64_t;
typedef uint32_t __attribute__((may_alias, aligned(1))) word32_t;
typedef uint16_t __attribute__((may_alias, aligned(1))) word16_t;

#define BULK 64 // from here on the string instructions win over the loop

static inline word64_t *w64(void *p, size_t offset) {
    return (word64_t *)((char *)p + offset);
}
static inline const word64_t *r64(const void *p, size_t offset) {
    return (const word64_t *)((const char *)p + offset);
}

// n <= 16: everything is loaded before anything is stored, so overlap does not matter.
static inline void copy_small(char *to, const char *from, size_t n) {
    if (n >= 8) {
        uint64_t head = *r64(from, 0), tail = *r64(from, n - 8);
        *w64(to, 0) = head;
        *w64(to, n - 8) = tail;
    } else if (n >= 4) {
        uint32_t head = *(const word32_t *)from, tail = *(const word32_t *)(from + n - 4);
        *(word32_t *)to = head;
        *(word32_t *)(to + n - 4) = tail;
    } else if (n >= 2) {
        uint16_t head = *(const word16_t *)from, tail = *(const word16_t *)(from + n - 2);
        *(word16_t *)to = head;
        *(word16_t *)(to + n - 2) = tail;
    } else if (n) {
        *to = *from;
    }
}

// n > 16. The last word is loaded first: an upward copy with to below from never overwrites a source before it is read, except that tail.
static inline void copy_up(char *to, const char *from, size_t n) {
    uint64_t tail = *r64(from, n - 8);
    size_t words = (n - 1) / 8;
    if (n >= BULK) {
        arch_copy_words(to, from, words);
    } else {
        for (size_t i = 0; i < words; i++)
            *w64(to, i * 8) = *r64(from, i * 8);
    }
    *w64(to, n - 8) = tail;
}

static void copy_down(char *to, const char *from, size_t n) {
    uint64_t head = *r64(from, 0);
    for (size_t left = n; left > 8; left -= 8)
        *w64(to, left - 8) = *r64(from, left - 8);
    *w64(to, 0) = head;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    if (n <= 16)
        copy_small(to, from, n);
    else
        copy_up(to, from, n);
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    if (n <= 16)
        copy_small(to, from, n);
    else if ((uintptr_t)to - (uintptr_t)from >= n)
        copy_up(to, from, n);
    else
        copy_down(to, from, n);
    return to;
}

void *memset(void *to, int byte, size_t n) {
    uint64_t word = (uint8_t)byte * 0x0101010101010101ull;
    char *p = to;
    if (n >= 8) {
        size_t words = (n - 1) / 8;
        if (n >= BULK) {
            arch_fill_words(p, word, words);
        } else {
            for (size_t i = 0; i < words; i++)
                *w64(p, i * 8) = word;
        }
        *w64(p, n - 8) = word;
        return to;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a, *y = b;
    while (n >= 8 && *r64(x, 0) == *r64(y, 0)) {
        x += 8;
        y += 8;
        n -= 8;
    }
    for (; n; n--, x++, y++) {
        if (*x != *y)
            return *x < *y ? -1 : 1;
    }
    return 0;
}

void *memchr(const void *s, int byte, size_t n) {
    const uint8_t *p = s;
    for (; n; n--, p++) {
        if (*p == (uint8_t)byte)
            return (void *)p;
    }
    return NULL;
}
