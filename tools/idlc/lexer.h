// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Tokens of the interface language.
#ifndef IDLC_LEXER_H
#define IDLC_LEXER_H

#include "idlc.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_MARK,          // one character of punctuation, or "->"
    TOKEN_DOCUMENTATION, // the text of consecutive /// lines
};

struct token {
    enum token_kind kind;
    struct position at;
    const char *text; // name, string, documentation; mark as written
    uint64_t number;
    bool glued; // nothing stands between it and the token before
};

struct lexer {
    struct idl *idl;
    const char *next, *end, *line_start;
    struct position at; // of next; the column is found from line_start
    struct token token; // the current one
};

void lexer_start(struct lexer *l, struct idl *idl, const char *file, const char *text, size_t length);
// Reads the next token into l->token. An error of form ends the run of the parser (idl_fail).
void lexer_advance(struct lexer *l);
// For messages: what the current token is, in words.
const char *lexer_describe(struct lexer *l);

#endif
