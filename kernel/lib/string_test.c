// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
// host-test-sources: kernel/lib/number.c
//
// Memory and string functions against the C library's, over sizes and alignments round the places where the code changes its way.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *(*const c_memmove)(void *, const void *, size_t) = memmove;
static void *(*const c_memset)(void *, int, size_t) = memset;
static int (*const c_memcmp)(const void *, const void *, size_t) = memcmp;

#define memcpy    invar_memcpy
#define memmove   invar_memmove
#define memset    invar_memset
#define memcmp    invar_memcmp
#define memchr    invar_memchr
#define strlen    invar_strlen
#define strnlen   invar_strnlen
#define strcmp    invar_strcmp
#define strncmp   invar_strncmp
#define strchr    invar_strchr
#define strrchr   invar_strrchr
#define strstr    invar_strstr
#define snprintf  invar_snprintf
#define vsnprintf invar_vsnprintf
#include "memory.c"
#include "string.c"

static unsigned char from[512], to[512], expected[512];

static void fill(void) {
    for (size_t i = 0; i < sizeof(from); i++) {
        from[i] = (unsigned char)rand();
        to[i] = expected[i] = (unsigned char)rand();
    }
}

static void copies(void) {
    for (size_t n = 0; n < 200; n++) {
        for (size_t shift = 0; shift < 9; shift++) {
            fill();
            c_memmove(expected + 32 + shift, from + 7, n);
            assert(memcpy(to + 32 + shift, from + 7, n) == to + 32 + shift);
            assert(c_memcmp(to, expected, sizeof(to)) == 0);
        }
    }
    printf("ok string/memcpy_copies_exactly\n");
}

static void overlaps(void) {
    for (size_t n = 0; n < 200; n++) {
        for (int shift = -70; shift <= 70; shift += 3) {
            fill();
            c_memmove(expected + 100 + shift, expected + 100, n);
            memmove(to + 100 + shift, to + 100, n);
            assert(c_memcmp(to, expected, sizeof(to)) == 0);
        }
    }
    printf("ok string/memmove_handles_overlap\n");
}

static void sets(void) {
    for (size_t n = 0; n < 200; n++) {
        for (size_t shift = 0; shift < 9; shift++) {
            fill();
            c_memset(expected + 32 + shift, 0xa5, n);
            memset(to + 32 + shift, 0x1a5, n);
            assert(c_memcmp(to, expected, sizeof(to)) == 0);
        }
    }
    printf("ok string/memset_fills_exactly\n");
}

static int sign(int n) {
    return (n > 0) - (n < 0);
}

static void comparisons(void) {
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)rand() % 40;
        fill();
        c_memmove(to, from, n);
        if (n && rand() % 4)
            to[(size_t)rand() % n] = (unsigned char)rand();
        assert(sign(memcmp(to, from, n)) == sign(c_memcmp(to, from, n)));
    }
    assert(memchr("abc", 'c', 2) == NULL && memchr("abc", 'c', 3));
    printf("ok string/memcmp_orders_as_c_does\n");
}

static void strings(void) {
    char small[4];
    const char *s = "a/b/c";
    assert(strlen("") == 0 && strlen("abc") == 3 && strnlen("abc", 2) == 2 && strnlen("abc", 9) == 3);
    assert(strcmp("a", "a") == 0 && strcmp("a", "b") < 0 && strcmp("b\xff", "b") > 0 && strcmp("", "a") < 0);
    assert(strncmp("abx", "aby", 2) == 0 && strncmp("ab", "abc", 3) < 0 && strncmp("a", "a", 9) == 0);
    assert(strchr(s, '/') == s + 1 && strrchr(s, '/') == s + 3 && strchr(s, 0) == s + 5 && !strchr(s, 'x'));
    assert(strstr(s, "b/c") == s + 2 && strstr(s, "") == s && !strstr(s, "cc"));
    assert(string_copy(small, "abcdef", sizeof(small)) == 6 && strcmp(small, "abc") == 0);
    assert(string_copy(small, "ab", sizeof(small)) == 2 && strcmp(small, "ab") == 0);
    printf("ok string/terminated_strings\n");
}

static void numbers(void) {
    uint64_t n = 7;
    const char *end;
    assert(string_to_u64("0x1fg", &end, 0, &n) == INV_OK && n == 0x1f && *end == 'g');
    assert(string_to_u64("0755", &end, 0, &n) == INV_OK && n == 0755);
    assert(string_to_u64("0x", &end, 0, &n) == INV_OK && n == 0 && *end == 'x');
    assert(string_to_u64("18446744073709551615", NULL, 10, &n) == INV_OK && n == UINT64_MAX);
    assert(string_to_u64("18446744073709551616", NULL, 10, &n) == INV_ERR_RANGE && n == UINT64_MAX);
    assert(string_to_u64("", NULL, 10, &n) == INV_ERR_INVALID && string_to_u64("-1", NULL, 10, &n) == INV_ERR_INVALID);
    printf("ok string/numbers_are_parsed_with_range_checks\n");
}

int main(void) {
    srand(1);
    copies();
    overlaps();
    sets();
    comparisons();
    strings();
    numbers();
    return 0;
}
