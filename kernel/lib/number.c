// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Numbers out of text (the command line, debugger commands, files under /proc). Any context.
#include <kernel/string.h>

static unsigned digit_value(char c) {
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A') + 10;
    return 255;
}

// Base 0: 0x and 0 choose. A prefix without a digit behind it is the number 0, as in C.
static unsigned base_of(const char **s) {
    const char *p = *s;
    if (p[0] != '0')
        return 10;
    if ((p[1] == 'x' || p[1] == 'X') && digit_value(p[2]) < 16) {
        *s = p + 2;
        return 16;
    }
    return 8;
}

inv_status_t string_to_u64(const char *s, const char **end, unsigned base, uint64_t *out) {
    uint64_t value = 0;
    bool overflow = false;
    if (base == 0)
        base = base_of(&s);
    const char *first = s;
    for (; digit_value(*s) < base; s++) {
        overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)digit_value(*s), &value);
    }
    if (end)
        *end = s;
    if (s == first)
        return INV_ERR_INVALID;
    if (overflow)
        return INV_ERR_RANGE;
    *out = value;
    return INV_OK;
}
