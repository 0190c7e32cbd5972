// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Characters to tokens. Text is ASCII; comments and strings may hold UTF-8.
#include "lexer.h"

#include <string.h>

#define NAME_MAX_LENGTH 64

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static struct position position_here(const struct lexer *l) {
    return (struct position){l->at.file, l->at.line, (unsigned)(l->next - l->line_start) + 1};
}

static char peek(const struct lexer *l, size_t ahead) {
    return (size_t)(l->end - l->next) > ahead ? l->next[ahead] : 0;
}

static void step_line(struct lexer *l) {
    l->next++;
    l->line_start = l->next;
    l->at.line++;
}

void lexer_start(struct lexer *l, struct idl *idl, const char *file, const char *text, size_t length) {
    *l = (struct lexer){.idl = idl, .next = text, .end = text + length, .line_start = text, .at = {file, 1, 1}};
}

static const char *copy(struct lexer *l, const char *from, size_t length) {
    char *text = idl_alloc(l->idl, length + 1);
    memcpy(text, from, length);
    return text;
}

static const char *line_end(const struct lexer *l) {
    const char *newline = memchr(l->next, '\n', (size_t)(l->end - l->next));
    return newline ? newline : l->end;
}

static bool at_documentation(const struct lexer *l) {
    return peek(l, 0) == '/' && peek(l, 1) == '/' && peek(l, 2) == '/';
}

static void skip_blanks(struct lexer *l) {
    for (;;) {
        char c = peek(l, 0);
        if (l->next == l->end)
            return;
        if (c == '\n')
            step_line(l);
        else if (c == ' ' || c == '\t' || c == '\r')
            l->next++;
        else if (c == '/' && peek(l, 1) == '/' && !at_documentation(l))
            l->next = line_end(l);
        else
            return;
    }
}

// Consecutive /// lines, without the mark and one blank behind it.
static void read_documentation(struct lexer *l) {
    const char *text = NULL;
    while (at_documentation(l)) {
        l->next += 3;
        if (peek(l, 0) == ' ')
            l->next++;
        const char *end = line_end(l);
        const char *line = copy(l, l->next, (size_t)(end - l->next));
        text = text ? idl_format(l->idl, "%s\n%s", text, line) : line;
        l->next = end;
        skip_blanks(l);
    }
    l->token.kind = TOKEN_DOCUMENTATION;
    l->token.text = text;
}

static int digit_value(char c) {
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_number(struct lexer *l) {
    unsigned base = 10;
    if (peek(l, 0) == '0' && (peek(l, 1) | 0x20) == 'x') {
        base = 16;
        l->next += 2;
    }
    const char *start = l->next;
    uint64_t value = 0;
    for (;; l->next++) {
        int digit = digit_value(peek(l, 0));
        if (digit < 0 || (unsigned)digit >= base)
            break;
        if (value > (UINT64_MAX - (unsigned)digit) / base)
            idl_fail(l->idl, l->token.at, "the number does not fit in 64 bits");
        value = value * base + (unsigned)digit;
    }
    if (l->next == start || is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
        idl_fail(l->idl, l->token.at, "malformed number, expected decimal digits or 0x and hexadecimal ones");
    l->token.kind = TOKEN_NUMBER;
    l->token.number = value;
}

static void read_name(struct lexer *l) {
    const char *start = l->next;
    while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
        l->next++;
    if (l->next - start > NAME_MAX_LENGTH)
        idl_fail(l->idl, l->token.at, "the name has more than %d characters", NAME_MAX_LENGTH);
    l->token.kind = TOKEN_NAME;
    l->token.text = copy(l, start, (size_t)(l->next - start));
}

static void read_string(struct lexer *l) {
    const char *start = ++l->next;
    while (l->next < l->end && *l->next != '"' && *l->next != '\n')
        l->next++;
    if (peek(l, 0) != '"')
        idl_fail(l->idl, l->token.at, "the string does not end on its line, expected '\"'");
    l->token.kind = TOKEN_STRING;
    l->token.text = copy(l, start, (size_t)(l->next - start));
    l->next++;
}

void lexer_advance(struct lexer *l) {
    const char *before = l->next;
    skip_blanks(l);
    l->token = (struct token){.at = position_here(l), .glued = l->next == before};
    if (l->next == l->end)
        return;
    char c = *l->next;
    if (at_documentation(l)) {
        read_documentation(l);
    } else if (is_letter(c)) {
        read_name(l);
    } else if (is_digit(c)) {
        read_number(l);
    } else if (c == '"') {
        read_string(l);
    } else if (c == '-' && peek(l, 1) == '>') {
        l->token.kind = TOKEN_MARK;
        l->token.text = "->";
        l->next += 2;
    } else if (c != 0 && strchr("{}()<>[],;:=|&+-*", c)) {
        l->token.kind = TOKEN_MARK;
        l->token.text = copy(l, l->next, 1);
        l->next++;
    } else {
        idl_fail(l->idl, l->token.at, "character 0x%02x has no place here", (unsigned char)c);
    }
}

const char *lexer_describe(struct lexer *l) {
    switch (l->token.kind) {
    case TOKEN_END: return "the end of the file";
    case TOKEN_NUMBER: return "a number";
    case TOKEN_STRING: return "a string";
    case TOKEN_DOCUMENTATION: return "documentation (///)";
    case TOKEN_NAME:
    case TOKEN_MARK: break;
    }
    return idl_format(l->idl, "'%s'", l->token.text);
}
