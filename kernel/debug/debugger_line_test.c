// host-test-sources: kernel/debug/debugger_line.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Line editing of the debugger, seen through a terminal of one line that the test plays.

#include "debugger_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char screen[512];
static size_t cursor, shown;
static struct debugger_line line;

size_t string_copy(char *to, const char *from, size_t size) {
    return (size_t)snprintf(to, size, "%s", from);
}

static void echo(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\b')
            cursor--;
        else if (text[i] != '\n')
            screen[cursor++] = text[i];
        if (cursor > shown)
            shown = cursor;
    }
}

static enum debugger_line_result type(const char *keys) {
    enum debugger_line_result result = DEBUGGER_LINE_MORE;

    while (*keys != '\0')
        result = debugger_line_byte(&line, *keys++, echo);
    return result;
}

static void begin(void) {
    memset(screen, 0, sizeof(screen));
    cursor = shown = 0;
    debugger_line_begin(&line);
}

// Types the keys and compares the line, what the terminal shows, and where its cursor is.
static void expect(const char *keys, const char *text, size_t at) {
    char seen[512];

    begin();
    type(keys);
    memcpy(seen, screen, sizeof(seen));
    size_t n = shown;
    while (n > 0 && seen[n - 1] == ' ')
        n--;
    bool screen_ok = strncmp(seen, text, strlen(text)) == 0 && n <= strlen(text);
    bool cursor_ok = cursor == at && line.cursor == at;
    enum debugger_line_result result = type("\r");
    if (!screen_ok || !cursor_ok || result != DEBUGGER_LINE_DONE || strcmp(line.text, text) != 0) {
        printf("FAIL keys give \"%s\" (screen \"%.*s\", cursor %zu), expected \"%s\" at %zu\n", line.text, (int)n, seen,
               cursor, text, at);
        exit(1);
    }
}

int main(void) {
    char keys[300];

    expect("cpus", "cpus", 4);
    expect("cpux\bs", "cpus", 4);
    expect("\b\b\177", "", 0);
    expect("pus\001c", "cpus", 1);
    expect("cpus\001\005 1", "cpus 1", 6);
    expect("x one two\027", "x one ", 6);
    expect("abc\002\002\013", "a", 1);
    expect("abc\033[D\033[DX\033[CY", "aXbYc", 4);
    expect("abc\025de", "de", 2);
    expect("\033[Z\033OAabc",
           "de"
           "abc",
           5); // an unknown sequence is dropped; up shows the newest line
    begin();
    type("first\r");
    begin();
    type("second\r");
    expect("\020\020", "first", 5);
    expect("\020\020\020\016", "second", 6); // first, second, and the first again that was just entered
    memset(keys, 'k', sizeof(keys));
    keys[sizeof(keys) - 1] = '\0';
    begin();
    type(keys);
    type("\r");
    if (strlen(line.text) != DEBUGGER_LINE_SIZE - 1) {
        printf("FAIL a long line has %zu bytes\n", strlen(line.text));
        return 1;
    }
    printf("ok debugger_line\n");
    return 0;
}
