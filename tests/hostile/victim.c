// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The small good program that elf.c mutates. It touches its data, its zeroed data and its stack, and ends with 7.
#include <string.h>
#include <unistd.h>

static volatile int data = 3;
static volatile char zeroed[20000];

int main(int argc, char **argv) {
    char local[2000];
    memset(local, argc, sizeof(local));
    zeroed[19999] = local[1999];
    return zeroed[5] + data + (int)(argv[0] != NULL) * 4;
}
