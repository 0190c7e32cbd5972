// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Names: missing parts, files used as folders, dots, slashes, lengths, the empty name, links on the way.
#include "testing.h"

static void show(const char *path) {
    struct stat status;
    char name[80];
    snprintf(name, sizeof(name), "\"%.60s\"", path);
    if (stat(path, &status) == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%s", S_ISDIR(status.st_mode) ? "folder" : S_ISREG(status.st_mode) ? "file" : "other");
    }
}

int main(void) {
    char name[5000];
    struct stat status;
    file_make("file", "x", 0644);
    MUST(mkdir("a", 0755));
    MUST(mkdir("a/b", 0755));
    file_make("a/b/c", "x", 0644);
    MUST(symlink("a/b", "to-b"));
    MUST(symlink("../b/c", "a/b/up-and-down"));
    MUST(symlink("one", "two"));
    MUST(symlink("two", "one"));
    MUST(symlink("file", "to-file"));
    MUST(symlink("to-file/", "to-file-slash"));
    MUST(symlink("/", "to-root"));
    const char *const paths[] = {"",
                                 ".",
                                 "..",
                                 "file",
                                 "file/",
                                 "file/.",
                                 "file/..",
                                 "file/x",
                                 "a",
                                 "a/",
                                 "a//",
                                 "a/.",
                                 "a/b/..",
                                 "a/./b/../b/c",
                                 "a/b/c/",
                                 "missing",
                                 "missing/",
                                 "missing/x",
                                 "missing/..",
                                 "to-b",
                                 "to-b/",
                                 "to-b/c",
                                 "to-b/../b/c",
                                 "to-b/..",
                                 "a/b/up-and-down",
                                 "one",
                                 "one/x",
                                 "to-file",
                                 "to-file/",
                                 "to-file-slash",
                                 "to-root",
                                 "to-root/tmp",
                                 "/",
                                 "//",
                                 "/..",
                                 "/../../tmp",
                                 "///tmp///",
                                 "/tmp/.",
                                 "./file",
                                 ".//./file",
                                 "a/b/c/../c"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        show(paths[i]);
    }
    memset(name, 'n', sizeof(name));
    name[255] = 0;
    say_ok("name of 255 bytes", open(name, O_RDWR | O_CREAT, 0644));
    name[255] = 'n';
    name[256] = 0;
    say_ok("name of 256 bytes", open(name, O_RDWR | O_CREAT, 0644));
    say_call("stat of it", stat(name, &status));
    memset(name, '/', sizeof(name));
    memcpy(name, "a", 1);
    name[4094] = 0;
    say_call("path of 4094 bytes", stat(name, &status));
    name[4094] = '/';
    name[4095] = 0;
    say_call("path of 4095 bytes", stat(name, &status));
    name[4095] = '/';
    name[4096] = 0;
    say_call("path of 4096 bytes", stat(name, &status));

    MUST(symlink("file", "l0"));
    int deepest = 0;
    for (int i = 1; i <= 50; i++) {
        char from[16], to[16];
        snprintf(from, sizeof(from), "l%d", i - 1);
        snprintf(to, sizeof(to), "l%d", i);
        MUST(symlink(from, to));
        deepest = stat(to, &status) == 0 ? i + 1 : deepest;
    }
    say("links that are followed in one walk", "%d", deepest);
    say("beyond them", "%s", (stat("l50", &status), error_name(errno)));
    say_call("a long link", symlink(memset(name, 'k', 4095), "long"));
    name[4095] = 0;
    say_call("link text of 4095 bytes", symlink(name, "long"));
    name[4094] = 0;
    say_call("link text of 4094 bytes", symlink(name, "long2"));
    say_call("empty link text", symlink("", "empty"));
    MUST(mkdir("locked", 0700));
    file_make("locked/in", "x", 0644);
    pid_t pid = fork();
    if (pid == 0) {
        setuid(1000);
        say_call("another user through a folder without x", stat("locked/in", &status));
        say_call("what is missing in it", stat("locked/missing", &status));
        say_call("the folder itself", stat("locked", &status));
        _exit(0);
    }
    reap(pid);
    return 0;
}
