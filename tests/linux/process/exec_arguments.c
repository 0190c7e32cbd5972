// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// execve: how argv, envp and the auxiliary vector reach the program, and the limits on their size.
#include "testing.h"
#include <sys/auxv.h>

extern char **environ;

static void show(int argc, char **argv) {
    say("argc", "%d", argc);
    for (int i = 1; i < argc; i++) {
        say("argument", "\"%s\"", argv[i]);
    }
    for (char **entry = environ; *entry; entry++) {
        say("environment", "\"%s\"", *entry);
    }
}

static void show_auxiliary(void) {
    say("AT_PAGESZ", "%lu", getauxval(AT_PAGESZ));
    say("AT_CLKTCK", "%lu", getauxval(AT_CLKTCK));
    say("AT_PHENT", "%lu", getauxval(AT_PHENT));
    say_bool("AT_PHNUM is plausible", getauxval(AT_PHNUM) > 1 && getauxval(AT_PHNUM) < 32);
    say_bool("AT_PHDR is mapped, its first byte readable", *(volatile char *)getauxval(AT_PHDR) >= 0);
    say_bool("AT_RANDOM points at bytes", getauxval(AT_RANDOM) != 0);
    say_bool("AT_ENTRY is set", getauxval(AT_ENTRY) != 0);
    say_bool("AT_SYSINFO_EHDR is an ELF header", memcmp((void *)getauxval(AT_SYSINFO_EHDR), "\177ELF", 4) == 0);
    say("AT_SECURE, AT_UID, AT_EUID", "%lu %lu %lu", getauxval(AT_SECURE), getauxval(AT_UID), getauxval(AT_EUID));
    say("AT_PLATFORM", "%s", (char *)getauxval(AT_PLATFORM));
    const char *name = (const char *)getauxval(AT_EXECFN);
    say("AT_EXECFN", "%s", name ? name : "(none)");
}

// Runs this program again with the list, and prints how it went.
static void again(const char *name, char *self, char **argv, char **envp) {
    pid_t pid = MUST(fork());
    if (pid == 0) {
        execve(self, argv, envp);
        say(name, "%s", error_name(errno));
        _exit(77);
    }
    say(name, "%s", status_text(reap(pid)));
}

static char *text_of(size_t length) {
    char *text = malloc(length + 1);
    memset(text, 'x', length);
    text[length] = 0;
    return text;
}

static void limits(char *self) {
    char *empty[] = {NULL};
    char *quiet[] = {self, (char *)"quiet", text_of(131071), NULL};
    again("a string of 128 KiB with its end", self, quiet, empty);
    char *above[] = {self, (char *)"quiet", text_of(131072), NULL};
    again("a string one byte longer", self, above, empty);

    static char *many[40];
    many[0] = self;
    many[1] = (char *)"quiet";
    for (int i = 2; i < 14; i++) {
        many[i] = text_of(100000);
    }
    again("1.2 MB in all, an eighth of the stack's limit and more", self, many, empty);
    for (int i = 2; i < 24; i++) {
        many[i] = text_of(100000);
    }
    again("2.2 MB in all, above a quarter of the stack's limit", self, many, empty);
}

int main(int argc, char **argv) {
    if (argc == 0) {
        return 20;
    }
    if (argc > 1 && strcmp(argv[1], "quiet") == 0) {
        return 0;
    }
    if (argv[0][0] != '/') {
        show(argc, argv);
        return argc == 1 && argv[0][0] == 0 ? 21 : 0;
    }
    char self[128];
    snprintf(self, sizeof(self), "%s", argv[0]);
    show_auxiliary();
    char *list[] = {(char *)"program", (char *)"one", (char *)"", (char *)"three words here", NULL};
    char *environment[] = {(char *)"A=1", (char *)"no equals sign", (char *)"", (char *)"B=2", NULL};
    again("arguments and environment", self, list, environment);
    char *empty[] = {NULL};
    again("empty lists", self, empty, empty);
    again("lists that are no pointers", self, NULL, NULL);
    again("list at a bad address", self, (char **)8, empty);
    char *bad[] = {self, (char *)16, NULL};
    again("string at a bad address", self, bad, empty);
    limits(self);
    return 0;
}
