// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// See debugger_line.h. The cursor is moved with backspaces and by printing the text again, so that any terminal will do.
//
// Invariants:
// I1  cursor <= length < DEBUGGER_LINE_SIZE.
// I2  What the terminal shows right of the prompt is text[0..length), and its cursor stands at cursor.

#include "debugger_line.h"

#include <kernel/string.h>

typedef void (*echo_fn)(const char *text, size_t n);

enum {
    KEY_HOME = 1,
    KEY_LEFT,
    KEY_CANCEL,
    KEY_END = 5,
    KEY_RIGHT,
    KEY_BACKSPACE = 8,
    KEY_KILL_RIGHT = 11,
    KEY_NEXT = 14,
    KEY_PREVIOUS = 16,
    KEY_KILL = 21,
    KEY_WORD = 23,
    KEY_ESCAPE = 27,
    KEY_DELETE_LEFT = 127
};

static void echo_repeat(echo_fn echo, char byte, size_t n) {
    while (n-- > 0)
        echo(&byte, 1);
}

// Shows text[from..length), clears `cleared` places behind it and puts the cursor back to its place.
static void line_show(struct debugger_line *l, size_t from, size_t cleared, echo_fn echo) {
    echo(l->text + from, l->length - from);
    echo_repeat(echo, ' ', cleared);
    echo_repeat(echo, '\b', cleared + l->length - l->cursor);
}

static void line_move(struct debugger_line *l, size_t to, echo_fn echo) {
    if (to < l->cursor)
        echo_repeat(echo, '\b', l->cursor - to);
    else
        echo(l->text + l->cursor, to - l->cursor);
    l->cursor = to;
}

// Removes the n bytes before the cursor.
static void line_remove(struct debugger_line *l, size_t n, echo_fn echo) {
    memmove(l->text + l->cursor - n, l->text + l->cursor, l->length - l->cursor);
    echo_repeat(echo, '\b', n);
    l->cursor -= n;
    l->length -= n;
    line_show(l, l->cursor, n, echo);
}

static void line_insert(struct debugger_line *l, char byte, echo_fn echo) {
    if (l->length == DEBUGGER_LINE_SIZE - 1)
        return;
    memmove(l->text + l->cursor + 1, l->text + l->cursor, l->length - l->cursor);
    l->text[l->cursor++] = byte;
    l->length++;
    line_show(l, l->cursor - 1, 0, echo);
}

static void line_kill_right(struct debugger_line *l, echo_fn echo) {
    size_t killed = l->length - l->cursor;

    l->length = l->cursor;
    line_show(l, l->cursor, killed, echo);
}

static size_t word_before(const struct debugger_line *l) {
    size_t at = l->cursor;

    while (at > 0 && l->text[at - 1] == ' ')
        at--;
    while (at > 0 && l->text[at - 1] != ' ')
        at--;
    return l->cursor - at;
}

static void history_show(struct debugger_line *l, unsigned back, echo_fn echo) {
    if (back > MIN(l->history_count, DEBUGGER_HISTORY))
        return;
    line_move(l, 0, echo);
    line_kill_right(l, echo);
    l->history_at = back;
    if (back == 0)
        return;
    string_copy(l->text, l->history[(l->history_count - back) % DEBUGGER_HISTORY], sizeof(l->text));
    l->length = l->cursor = strlen(l->text);
    echo(l->text, l->length);
}

static void history_keep(struct debugger_line *l) {
    if (l->length == 0)
        return;
    memcpy(l->history[l->history_count % DEBUGGER_HISTORY], l->text, sizeof(l->text));
    l->history_count++;
}

static void line_control(struct debugger_line *l, int key, echo_fn echo) {
    switch (key) {
    case KEY_HOME: line_move(l, 0, echo); break;
    case KEY_END: line_move(l, l->length, echo); break;
    case KEY_LEFT: line_move(l, l->cursor - (l->cursor > 0), echo); break;
    case KEY_RIGHT: line_move(l, l->cursor + (l->cursor < l->length), echo); break;
    case KEY_BACKSPACE:
    case KEY_DELETE_LEFT: line_remove(l, l->cursor > 0, echo); break;
    case KEY_KILL_RIGHT: line_kill_right(l, echo); break;
    case KEY_CANCEL:
    case KEY_KILL:
        line_move(l, l->length, echo);
        line_remove(l, l->length, echo);
        break;
    case KEY_WORD: line_remove(l, word_before(l), echo); break;
    case KEY_PREVIOUS: history_show(l, l->history_at + 1, echo); break;
    case KEY_NEXT: history_show(l, l->history_at - (l->history_at > 0), echo); break;
    default: break;
    }
}

// ESC [ A to D, H and F; anything else ends the sequence and is dropped.
static void line_escape(struct debugger_line *l, char byte, echo_fn echo) {
    if (l->escape == 1) {
        l->escape = byte == '[' || byte == 'O' ? 2 : 0;
        return;
    }
    l->escape = 0;
    switch (byte) {
    case 'A': line_control(l, KEY_PREVIOUS, echo); break;
    case 'B': line_control(l, KEY_NEXT, echo); break;
    case 'C': line_control(l, KEY_RIGHT, echo); break;
    case 'D': line_control(l, KEY_LEFT, echo); break;
    case 'H': line_control(l, KEY_HOME, echo); break;
    case 'F': line_control(l, KEY_END, echo); break;
    default: break;
    }
}

void debugger_line_begin(struct debugger_line *l) {
    l->length = l->cursor = 0;
    l->escape = 0;
    l->history_at = 0;
}

enum debugger_line_result debugger_line_byte(struct debugger_line *l, char byte, echo_fn echo) {
    if (l->escape > 0) {
        line_escape(l, byte, echo);
    } else if (byte == KEY_ESCAPE) {
        l->escape = 1;
    } else if (byte == '\r' || byte == '\n') {
        echo("\n", 1);
        l->text[l->length] = '\0';
        history_keep(l);
        return DEBUGGER_LINE_DONE;
    } else if (byte >= ' ' && byte != KEY_DELETE_LEFT) {
        line_insert(l, byte, echo);
    } else if (byte >= 0) {
        line_control(l, byte, echo);
    }
    return DEBUGGER_LINE_MORE;
}
