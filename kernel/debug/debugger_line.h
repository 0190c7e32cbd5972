// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Line editing of the debugger's prompt: a state machine that takes one byte at a time and echoes through a function. Pure, for host tests.
#ifndef DEBUG_DEBUGGER_LINE_H
#define DEBUG_DEBUGGER_LINE_H

#include <kernel/types.h>

#define DEBUGGER_LINE_SIZE 128
#define DEBUGGER_HISTORY   8

struct debugger_line {
    char text[DEBUGGER_LINE_SIZE]; // terminated when DONE was returned
    size_t length, cursor;
    unsigned escape; // bytes of an escape sequence seen: ESC, ESC [
    char history[DEBUGGER_HISTORY][DEBUGGER_LINE_SIZE];
    unsigned history_count,
        history_at; // lines ever kept; lines back from the newest that are shown (0: the one being typed)
};
enum debugger_line_result { DEBUGGER_LINE_MORE, DEBUGGER_LINE_DONE };

// Starts an empty line; the history stays.
void debugger_line_begin(struct debugger_line *l);
// Arrows, Home, End, Ctrl-A B C E F K N P U W, Backspace, Delete; Enter ends the line. Bytes beyond the size are not taken.
enum debugger_line_result debugger_line_byte(struct debugger_line *l, char byte,
                                             void (*echo)(const char *text, size_t n));

#endif
