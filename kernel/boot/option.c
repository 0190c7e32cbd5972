// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Options of the kernel command line: words "key" and "key=value" separated by blanks; double quotes keep blanks in a value. What follows the word "--" belongs to the first
// process. Pure: any context.
#include <kernel/boot.h>
#include <kernel/string.h>

// Copies the value at *text, which ends at a blank outside quotes; quotes are dropped.
static void value_copy(const char *text, char *value, size_t size) {
    bool quoted = false;
    size_t n = 0;

    for (; *text != '\0' && (quoted || *text != ' '); text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (n + 1 < size)
            value[n++] = *text;
    }
    if (size > 0)
        value[n] = '\0';
}

static const char *word_end(const char *text) {
    bool quoted = false;
    for (; *text != '\0' && (quoted || *text != ' '); text++) {
        if (*text == '"')
            quoted = !quoted;
    }
    return text;
}

bool boot_option(const char *key, char *value, size_t size) {
    size_t length = strlen(key);
    const char *word = boot_info.cmdline;

    for (;;) {
        while (*word == ' ')
            word++;
        const char *end = word_end(word);
        if (word == end || (end - word == 2 && strncmp(word, "--", 2) == 0))
            return false;
        if ((size_t)(end - word) >= length && strncmp(word, key, length) == 0 &&
            (word + length == end || word[length] == '=')) {
            if (value != NULL)
                value_copy(word + length + (word[length] == '='), value, size);
            return true;
        }
        word = end;
    }
}
