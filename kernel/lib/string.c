// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Terminated strings. Any context.
#include <kernel/string.h>

size_t strlen(const char *s) {
    const char *p = s;
    while (*p)
        p++;
    return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max) {
    size_t n = 0;
    while (n < max && s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (int)(uint8_t)*a - (int)(uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n) {
    for (; n; n--, a++, b++) {
        if (*a != *b || !*a)
            return (int)(uint8_t)*a - (int)(uint8_t)*b;
    }
    return 0;
}

char *strchr(const char *s, int c) {
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strrchr(const char *s, int c) {
    const char *last = NULL;
    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (!*s)
            return (char *)last;
    }
}

char *strstr(const char *s, const char *needle) {
    size_t n = strlen(needle);
    for (;; s++) {
        if (strncmp(s, needle, n) == 0)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

size_t string_copy(char *to, const char *from, size_t size) {
    size_t n = strlen(from);
    if (size) {
        size_t kept = MIN(n, size - 1);
        memcpy(to, from, kept);
        to[kept] = 0;
    }
    return n;
}
