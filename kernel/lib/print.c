// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Formatted printing into a bounded buffer: the subset of C's snprintf that kernel/string.h lists. Any context; takes no lock and allocates nothing.
// An unknown conversion is printed as it stands, so that a wrong format shows and harms nothing.
#include <kernel/string.h>

enum { FLAG_LEFT = 1, FLAG_ZERO = 2, FLAG_PLUS = 4, FLAG_SPACE = 8, FLAG_HASH = 16, FLAG_UPPER = 32, FLAG_SIGNED = 64 };

struct sink {
    char *to;
    size_t size, length; // length counts what did not fit as well
};

struct spec {
    unsigned flags;
    int width, precision; // precision -1: none
    char length;          // 'H' hh, 'h', 0, 'l' (l, ll, j, z, t)
    unsigned base;
};

static void put(struct sink *s, char c) {
    if (s->length + 1 < s->size)
        s->to[s->length] = c;
    s->length++;
}

static void put_times(struct sink *s, char c, int n) {
    for (; n > 0; n--)
        put(s, c);
}

static void put_text(struct sink *s, const struct spec *f, const char *text, size_t n) {
    int pad = f->width > 0 && (size_t)f->width > n ? f->width - (int)n : 0;
    if (!(f->flags & FLAG_LEFT))
        put_times(s, ' ', pad);
    for (size_t i = 0; i < n; i++)
        put(s, text[i]);
    if (f->flags & FLAG_LEFT)
        put_times(s, ' ', pad);
}

// Digits of value, least significant first. Returns their number: none for 0, as precision decides about that.
static int digits_of(uint64_t value, const struct spec *f, char *digits) {
    const char *set = f->flags & FLAG_UPPER ? "0123456789ABCDEF" : "0123456789abcdef";
    int n = 0;
    for (; value; value /= f->base)
        digits[n++] = set[value % f->base];
    return n;
}

static void put_number(struct sink *s, const struct spec *f, uint64_t value, char sign) {
    char digits[24];
    int n = digits_of(value, f, digits);
    int zeros = f->precision >= 0 ? f->precision - n : (n ? 0 : 1);
    const char *prefix = "";
    if (f->flags & FLAG_HASH) {
        if (f->base == 16 && value)
            prefix = f->flags & FLAG_UPPER ? "0X" : "0x";
        else if (f->base == 8 && zeros <= 0)
            zeros = 1;
    }
    zeros = MAX(zeros, 0);
    int used = n + zeros + (sign ? 1 : 0) + (int)strlen(prefix);
    int pad = f->width > used ? f->width - used : 0;
    if (f->flags & FLAG_ZERO && !(f->flags & FLAG_LEFT) && f->precision < 0) {
        zeros += pad;
        pad = 0;
    }
    if (!(f->flags & FLAG_LEFT))
        put_times(s, ' ', pad);
    if (sign)
        put(s, sign);
    for (; *prefix; prefix++)
        put(s, *prefix);
    put_times(s, '0', zeros);
    while (n)
        put(s, digits[--n]);
    if (f->flags & FLAG_LEFT)
        put_times(s, ' ', pad);
}

static void put_signed(struct sink *s, const struct spec *f, int64_t value) {
    char sign = f->flags & FLAG_PLUS ? '+' : f->flags & FLAG_SPACE ? ' ' : 0;
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        sign = '-';
        magnitude = 0 - magnitude;
    }
    put_number(s, f, magnitude, sign);
}

static int parse_digits(const char **p) {
    int n = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++)
        n = n > 99999 ? n : n * 10 + (**p - '0');
    return n;
}

static unsigned parse_flags(const char **p) {
    unsigned flags = 0;
    for (;; (*p)++) {
        switch (**p) {
        case '-': flags |= FLAG_LEFT; break;
        case '0': flags |= FLAG_ZERO; break;
        case '+': flags |= FLAG_PLUS; break;
        case ' ': flags |= FLAG_SPACE; break;
        case '#': flags |= FLAG_HASH; break;
        default: return flags;
        }
    }
}

static char parse_length(const char **p) {
    char first = **p;
    switch (first) {
    case 'h':
    case 'l':
        (*p)++;
        if (**p == first) {
            (*p)++;
            return first == 'h' ? 'H' : 'l';
        }
        return first;
    case 'j':
    case 'z':
    case 't': (*p)++; return 'l';
    default: return 0;
    }
}

static int64_t narrow_signed(int64_t value, char length) {
    return length == 'H' ? (signed char)value : length == 'h' ? (short)value : value;
}

static uint64_t narrow_unsigned(uint64_t value, char length) {
    return length == 'H' ? (unsigned char)value : length == 'h' ? (unsigned short)value : value;
}

int vsnprintf(char *to, size_t size, const char *format, va_list args) {
    struct sink s = {.to = to, .size = size};
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            put(&s, *p);
            continue;
        }
        const char *start = p++;
        struct spec f = {.flags = parse_flags(&p), .precision = -1, .base = 10};
        if (*p == '*') {
            p++;
            f.width = va_arg(args, int);
            if (f.width < 0) {
                f.flags |= FLAG_LEFT;
                f.width = f.width < -99999 ? 99999 : -f.width;
            }
        } else {
            f.width = parse_digits(&p);
        }
        if (*p == '.') {
            p++;
            if (*p == '*') {
                p++;
                f.precision = va_arg(args, int);
            } else {
                f.precision = parse_digits(&p);
            }
        }
        f.length = parse_length(&p);
        switch (*p) {
        case 'd':
        case 'i': {
            int64_t value = f.length == 'l' ? va_arg(args, long) : va_arg(args, int);
            put_signed(&s, &f, narrow_signed(value, f.length));
            break;
        }
        case 'X':
            f.flags |= FLAG_UPPER; // fallthrough
            __attribute__((fallthrough));
        case 'x':
        case 'o':
        case 'u': {
            f.base = *p == 'u' ? 10 : *p == 'o' ? 8 : 16;
            uint64_t value = f.length == 'l' ? va_arg(args, unsigned long) : va_arg(args, unsigned);
            put_number(&s, &f, narrow_unsigned(value, f.length), 0);
            break;
        }
        case 'p':
            f.base = 16;
            put(&s, '0');
            put(&s, 'x');
            put_number(&s, &f, (uintptr_t)va_arg(args, void *), 0);
            break;
        case 'c': {
            char c = (char)va_arg(args, int);
            put_text(&s, &f, &c, 1);
            break;
        }
        case 's': {
            const char *text = va_arg(args, const char *);
            if (!text)
                text = "(null)";
            put_text(&s, &f, text, f.precision >= 0 ? strnlen(text, (size_t)f.precision) : strlen(text));
            break;
        }
        case '%': put(&s, '%'); break;
        default:
            for (; start < p; start++)
                put(&s, *start);
            if (!*p)
                p--;
            else
                put(&s, *p);
        }
    }
    if (size)
        to[MIN(s.length, size - 1)] = 0;
    return (int)s.length;
}

int snprintf(char *to, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(to, size, format, args);
    va_end(args);
    return n;
}
