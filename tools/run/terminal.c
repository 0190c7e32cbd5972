// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The person's terminal while a shell runs in the machine: raw, so that every key reaches the guest's line discipline,
// but for the leave key (Ctrl-]) and the one after it.

#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { KEY_LEAVE = 0x1d, KEY_DEBUGGER = 0x1f };

static struct termios saved;
static bool is_raw;

void terminal_restore(void) {
    if (is_raw) {
        tcsetattr(0, TCSADRAIN, &saved);
        is_raw = false;
    }
}

bool terminal_raw(void) {
    struct termios raw;

    if (tcgetattr(0, &saved) != 0) {
        return false;
    }
    raw = saved;
    cfmakeraw(&raw);
    if (tcsetattr(0, TCSADRAIN, &raw) != 0) {
        return false;
    }
    is_raw = true;
    atexit(terminal_restore);
    return true;
}

bool terminal_size(int *rows, int *columns) {
    struct winsize size;

    for (int fd = 0; fd <= 2; fd++) {
        if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
            *rows = size.ws_row;
            *columns = size.ws_col;
            return true;
        }
    }
    return false;
}

static void keys_print(void) {
    fputs("\r\ninvar: Ctrl-] q ends the machine; Ctrl-] d enters the kernel debugger; Ctrl-] Ctrl-] sends Ctrl-]\r\n",
          stderr);
}

// What reaches the guest for the key after the leave key; 0 for nothing.
static char key_after_leave(struct terminal *t, char key) {
    switch (key) {
    case 'q':
    case 'Q': t->wish = WISH_QUIT; return 0;
    case 'd':
    case 'D': return KEY_DEBUGGER;
    case KEY_LEAVE: return KEY_LEAVE;
    default: keys_print(); return 0;
    }
}

size_t terminal_filter(void *context, char *data, size_t length) {
    struct terminal *t = context;
    size_t kept = 0;

    for (size_t i = 0; i < length; i++) {
        char key = data[i];
        if (t->escaped) {
            t->escaped = false;
            key = key_after_leave(t, key);
            if (key != 0) {
                data[kept++] = key;
            }
        } else if (key == KEY_LEAVE) {
            t->escaped = true;
        } else {
            data[kept++] = key;
        }
    }
    return kept;
}
