// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// rename: replacing, folders, into oneself, onto oneself, flags, errors.
#include "testing.h"

static long rename_flags(const char *from, const char *to, unsigned flags) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

int main(void) {
    struct stat status;
    file_make("a", "a", 0644);
    file_make("b", "b", 0644);
    MUST(mkdir("d", 0755));
    MUST(mkdir("d/sub", 0755));
    MUST(mkdir("empty", 0755));
    MUST(mkdir("full", 0755));
    file_make("full/file", "x", 0644);
    say_call("to a new name", rename("a", "c"));
    say_call("the old name", access("a", F_OK));
    say_call("onto a file", rename("c", "b"));
    say_file("contents", "b");
    int fd = MUST(open("b", O_RDONLY));
    file_make("n", "new", 0644);
    say_call("onto an open file", rename("n", "b"));
    char byte = 0;
    say_call("the old one can still be read", read(fd, &byte, 1));
    say("byte", "%c", byte);
    say_call("missing file", rename("missing", "x"));
    say_call("missing target folder", rename("b", "missing/x"));
    say_call("file onto a folder", rename("b", "empty"));
    say_call("folder onto a file", rename("empty", "b"));
    say_call("folder onto an empty folder", rename("d", "empty"));
    say_call("folder moved with its contents", access("empty/sub", F_OK));
    say_call("folder onto a full folder", rename("empty", "full"));
    say_call("folder into itself", rename("empty", "empty/sub/x"));
    say_call("folder onto its parent", rename("empty/sub", "empty"));
    say_call("onto itself", rename("b", "b"));
    MUST(link("b", "b2"));
    say_call("onto another link of the same file", rename("b", "b2"));
    say_call("both names stay", access("b", F_OK) + access("b2", F_OK));
    say_call("file with a trailing slash", rename("b/", "x"));
    say_call("folder with a trailing slash", rename("empty/", "moved/"));
    say_call("file to a name with a trailing slash", rename("b", "x/"));
    say_call(".", rename(".", "x"));
    say_call("..", rename("b", ".."));
    MUST(symlink("b", "s"));
    say_call("a link is moved itself", rename("s", "s2"));
    say_call("it is one still", (lstat("s2", &status), S_ISLNK(status.st_mode)));
    say_call("onto a link replaces the link", rename("b2", "s2"));
    MUST(lstat("s2", &status));
    say_bool("which is a file now", S_ISREG(status.st_mode));
    say_call("into another folder", rename("s2", "full/s2"));
    say_call("across file systems", rename("b", "/proc/b"));

    say_call("RENAME_NOREPLACE onto one that is there", rename_flags("b", "full/file", 1));
    say_call("RENAME_NOREPLACE to a new name", rename_flags("b", "fresh", 1));
    file_make("left", "left", 0644);
    file_make("right", "right", 0644);
    say_call("RENAME_EXCHANGE", rename_flags("left", "right", 2));
    say_file("left", "left");
    say_call("RENAME_EXCHANGE with a missing one", rename_flags("left", "missing", 2));
    say_call("both flags", rename_flags("left", "right", 3));
    say_call("unknown flag", rename_flags("left", "right", 0x100));
    MUST(mkdir("p", 0755));
    MUST(mkdir("q", 0755));
    MUST(mkdir("p/child", 0755));
    MUST(rename("p/child", "q/child"));
    MUST(stat("p", &status));
    say("links of the old parent", "%d", (int)status.st_nlink);
    MUST(stat("q", &status));
    say("links of the new parent", "%d", (int)status.st_nlink);
    MUST(chdir("q/child"));
    MUST(rename("../../q/child", "../../p/again"));
    char path[256];
    say("the current folder was moved", "%s", strstr(getcwd(path, sizeof(path)), "/p/again"));
    say_call(".. is the new parent", access("../again", F_OK));
    return 0;
}
