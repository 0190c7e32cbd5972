// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
// host-test-sources:
//
// Formatted printing against the C library's.
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int (*const c_vsnprintf)(char *, size_t, const char *, va_list) = vsnprintf;
#define snprintf  invar_snprintf
#define vsnprintf invar_vsnprintf
#include "print.c"

static unsigned checks;

// Prints the same with both, into buffers of every size up to n, and compares text, terminator and result.
__attribute__((format(printf, 1, 2))) static void same(const char *format, ...) {
    for (size_t size = 0; size < 48; size += size < 4 ? 1 : 11) {
        char ours[64], theirs[64];
        va_list a, b;
        memset(ours, '#', sizeof(ours));
        memset(theirs, '#', sizeof(theirs));
        va_start(a, format);
        va_copy(b, a);
        int n = vsnprintf(ours, size, format, a), m = c_vsnprintf(theirs, size, format, b);
        va_end(a);
        va_end(b);
        if (n != m || memcmp(ours, theirs, sizeof(ours)) != 0) {
            printf("FAIL print \"%s\" size %zu: %d \"%.48s\", not %d \"%.48s\"\n", format, size, n, ours, m, theirs);
            assert(0);
        }
        checks++;
    }
}

int main(void) {
    same("plain %% text");
    same("%d %i %u", -5, 7, 4000000000u);
    same("%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42);
    same("%x %X %#x %#X %o %#o", 0xbeef, 0xbeef, 0xbeef, 0xbeef, 8, 8);
    same("%#x %#o %.0d| %.0x|", 0, 0, 0, 0);
    same("%.5d %8.3d %-8.3d|", 42, -42, 42);
    same("%ld %lu %lld %llu", -9223372036854775807l - 1, 18446744073709551615ul, -1ll, 1ull);
    same("%hhd %hhu %hd %hu", (signed char)-1, (unsigned char)255, (short)-2, (unsigned short)65535);
    same("%zu %zd %jd %td", (size_t)1, (ssize_t)-1, (intmax_t)5, (ptrdiff_t)6);
    same("%s|%10s|%-10s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "xyz");
    same("%c%c%3c%-3c|", 'a', 'b', 'c', 'd');
    same("%*d|%-*d|%*d", 6, 1, 6, 2, -6, 3);
    same("%p", (void *)0x1234);
    same("%016lx %08x", 0x1234ul, 0xffu);
    same("%#010x %#06o", 0xab, 8);
    printf("ok print/agrees_with_the_c_library (%u checks)\n", checks);
    return 0;
}
