// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Output side of the line discipline: output processing, echo, and the picture of erased characters. See ldisc.h.
//
// The column is where the terminal's cursor stands after all that has been prepared for it; erasing a tab needs it. Echo is processed when it is made, not when
// it is sent, and is sent before any later output, so the column is right for both.

#include "ldisc_private.h"

#include <kernel/string.h>

#define TAB_WIDTH     8u
#define EXPANSION_MAX TAB_WIDTH // bytes that one byte may become

static bool is_control(uint8_t c) {
    return c < ' ' || c == 127;
}

static bool is_continuation(const struct ldisc *l, uint8_t c) {
    return HAS_I(l, IUTF8) && (c & 0xc0) == 0x80;
}

static bool is_word(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80;
}

static size_t put_newline(struct ldisc *l, uint8_t *out) {
    size_t n = 0;

    if (HAS_O(l, ONLRET))
        l->column = 0;
    if (HAS_O(l, ONLCR)) {
        l->column = 0;
        out[n++] = '\r';
    }
    out[n++] = '\n';
    l->edit_column = l->column;
    return n;
}

static size_t put_return(struct ldisc *l, uint8_t *out) {
    if (HAS_O(l, ONOCR) && l->column == 0)
        return 0;
    if (HAS_O(l, OCRNL)) {
        if (HAS_O(l, ONLRET))
            l->column = l->edit_column = 0;
        out[0] = '\n';
        return 1;
    }
    l->column = l->edit_column = 0;
    out[0] = '\r';
    return 1;
}

static size_t put_tab(struct ldisc *l, uint8_t *out) {
    unsigned width = TAB_WIDTH - l->column % TAB_WIDTH;

    l->column += width;
    if ((l->termios.oflag & TABDLY) != XTABS) {
        out[0] = '\t';
        return 1;
    }
    memset(out, ' ', width);
    return width;
}

// Output processing of one byte: at most EXPANSION_MAX bytes. Returns their number.
static size_t put_byte(struct ldisc *l, uint8_t c, uint8_t *out) {
    if (!HAS_O(l, OPOST)) {
        out[0] = c;
        return 1;
    }
    switch (c) {
    case '\n': return put_newline(l, out);
    case '\r': return put_return(l, out);
    case '\t': return put_tab(l, out);
    case '\b': l->column -= l->column > 0; break;
    default:
        if (is_control(c))
            break;
        if (HAS_O(l, OLCUC) && c >= 'a' && c <= 'z')
            c = (uint8_t)(c - ('a' - 'A'));
        if (!is_continuation(l, c))
            l->column++;
        break;
    }
    out[0] = c;
    return 1;
}

size_t ldisc_output(struct ldisc *l, const uint8_t *from, size_t n, uint8_t *out, size_t room, size_t *out_length) {
    size_t taken = 0, length = 0;
    size_t needed = HAS_O(l, OPOST) ? EXPANSION_MAX : 1;

    while (taken < n && room - length >= needed)
        length += put_byte(l, from[taken++], out + length);
    *out_length = length;
    return taken;
}

// Echo that finds no room is lost: nobody reads the terminal, and the input goes on.
void ldisc_echo_raw(struct ldisc *l, uint8_t c) {
    uint8_t out[EXPANSION_MAX];

    if (LDISC_ECHO_SIZE - (l->echo_head - l->echo_tail) < EXPANSION_MAX)
        return;
    size_t n = put_byte(l, c, out);
    for (size_t i = 0; i < n; i++)
        l->echo[l->echo_head++ % LDISC_ECHO_SIZE] = out[i];
}

void ldisc_echo_char(struct ldisc *l, uint8_t c) {
    if (HAS_L(l, ECHOCTL) && is_control(c) && c != '\t') {
        ldisc_echo_raw(l, '^');
        ldisc_echo_raw(l, c ^ 0100);
    } else {
        ldisc_echo_raw(l, c);
    }
}

size_t ldisc_echo_take(struct ldisc *l, uint8_t *to, size_t n) {
    size_t taken = 0;

    while (taken < n && l->echo_tail != l->echo_head)
        to[taken++] = l->echo[l->echo_tail++ % LDISC_ECHO_SIZE];
    return taken;
}

void ldisc_finish_erasing(struct ldisc *l) {
    if (!l->erasing)
        return;
    ldisc_echo_raw(l, '/');
    l->erasing = false;
}

// How many columns the byte took when it was echoed at the column.
static unsigned echo_width(const struct ldisc *l, uint8_t c, unsigned column) {
    if (c == '\t')
        return TAB_WIDTH - column % TAB_WIDTH;
    if (is_control(c))
        return HAS_L(l, ECHOCTL) ? 2 : 0;
    return !is_continuation(l, c);
}

// The column at which the byte at `to` of the line being edited was echoed.
static unsigned column_of(const struct ldisc *l, uint64_t to) {
    unsigned column = l->edit_column;

    for (uint64_t at = l->line_end; at < to; at++)
        column += echo_width(l, l->bytes[at % LDISC_SIZE], column);
    return column;
}

static void show_backspaces(struct ldisc *l, unsigned n, bool blank) {
    while (n-- > 0) {
        ldisc_echo_raw(l, '\b');
        if (blank) {
            ldisc_echo_raw(l, ' ');
            ldisc_echo_raw(l, '\b');
        }
    }
}

// Shows that the character of the bytes at l->head.. (already taken off) is gone.
static void show_erased(struct ldisc *l, size_t bytes, enum ldisc_erase what) {
    uint8_t c = l->bytes[l->head % LDISC_SIZE];

    if (!HAS_L(l, ECHO))
        return;
    if (HAS_L(l, ECHOPRT)) {
        if (!l->erasing)
            ldisc_echo_raw(l, '\\');
        l->erasing = true;
        ldisc_echo_char(l, c);
        for (size_t i = 1; i < bytes; i++)
            ldisc_echo_raw(l, l->bytes[(l->head + i) % LDISC_SIZE]);
    } else if (what == LDISC_ERASE_CHARACTER && !HAS_L(l, ECHOE)) {
        ldisc_echo_char(l, l->termios.cc[VERASE]);
    } else if (c == '\t') {
        show_backspaces(l, echo_width(l, c, column_of(l, l->head)), false);
    } else {
        show_backspaces(l, echo_width(l, c, 0), true);
    }
}

// Takes the last character off (all bytes of it). Returns its number of bytes.
static size_t take_last(struct ldisc *l) {
    size_t bytes = 0;

    do {
        l->head--;
        bytes++;
    } while (l->head > l->line_end && is_continuation(l, l->bytes[l->head % LDISC_SIZE]));
    return bytes;
}

// The line kill where the terminal cannot show each character going: the kill character is echoed, and a new line begun.
static bool kill_plainly(struct ldisc *l) {
    if (HAS_L(l, ECHO) && HAS_L(l, ECHOK) && HAS_L(l, ECHOKE) && HAS_L(l, ECHOE))
        return false;
    l->head = l->line_end;
    if (!HAS_L(l, ECHO))
        return true;
    ldisc_finish_erasing(l);
    ldisc_echo_char(l, l->termios.cc[VKILL]);
    if (HAS_L(l, ECHOK))
        ldisc_echo_raw(l, '\n');
    return true;
}

void ldisc_erase(struct ldisc *l, enum ldisc_erase what) {
    bool seen_word = false;

    if (l->head == l->line_end || (what == LDISC_ERASE_LINE && kill_plainly(l)))
        return;
    while (l->head > l->line_end) {
        uint8_t last = l->bytes[(l->head - 1) % LDISC_SIZE];

        if (what == LDISC_ERASE_WORD && seen_word && !is_word(last))
            break;
        seen_word |= is_word(last);
        show_erased(l, take_last(l), what);
        if (what == LDISC_ERASE_CHARACTER)
            break;
    }
    if (l->head == l->line_end)
        ldisc_finish_erasing(l);
}
