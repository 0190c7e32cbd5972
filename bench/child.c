// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the rows that execute a program execute: a small program of ordinary habits. It allocates, formats a line with the C library, touches some memory
// of its own, and ends with status 0.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char lines[2][4096];

int main(int argc, char **argv) {
    char *line = malloc(sizeof(lines[0]));
    int length;

    if (line == NULL || argc < 1) {
        return 1;
    }
    length = snprintf(line, sizeof(lines[0]), "%s was called with %d words\n", argv[0], argc);
    for (int i = 0; i < 2; i++) {
        memcpy(lines[i], line, (size_t)length + 1);
    }
    return length == (int)strlen(lines[1]) ? 0 : 1;
}
