// host-test-sources: kernel/boot/option.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Host test of the command line's options.
#include <kernel/boot.h>
#include <stdio.h>
#include <string.h>

struct boot_info boot_info;
static int failures;

static void check(const char *what, int good) {
    printf("%s %s\n", good ? "ok" : "FAIL", what);
    failures += !good;
}

int main(void) {
    char value[16];

    strcpy(boot_info.cmdline, "  quiet loglevel=7 path=\"a b\" empty= long=0123456789abcdefghij -- quiet2 init=x");
    check("option_finds_a_bare_key", boot_option("quiet", value, sizeof(value)) && value[0] == '\0');
    check("option_reads_a_value", boot_option("loglevel", value, sizeof(value)) && strcmp(value, "7") == 0);
    check("option_keeps_quoted_blanks", boot_option("path", value, sizeof(value)) && strcmp(value, "a b") == 0);
    check("option_allows_an_empty_value", boot_option("empty", value, sizeof(value)) && value[0] == '\0');
    check("option_cuts_a_long_value",
          boot_option("long", value, sizeof(value)) && strcmp(value, "0123456789abcde") == 0);
    check("option_does_not_match_a_prefix", !boot_option("qui", NULL, 0) && !boot_option("quietly", NULL, 0));
    check("option_stops_at_the_dashes", !boot_option("quiet2", NULL, 0) && !boot_option("init", NULL, 0));
    boot_info.cmdline[0] = '\0';
    check("option_finds_nothing_in_an_empty_line", !boot_option("quiet", NULL, 0));
    return failures != 0;
}
