// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// link, unlink, symlink, readlink: rules and errors; a file without a name lives as long as it is open.
#include "testing.h"

int main(void) {
    char text[64];
    struct stat status;
    file_make("f", "contents", 0644);
    MUST(mkdir("d", 0755));
    MUST(symlink("f", "s"));
    MUST(symlink("nowhere", "dangling"));
    say_call("link", link("f", "f2"));
    say_call("link onto one that is there", link("f", "f2"));
    say_call("link of a folder", link("d", "d2"));
    say_call("link of a missing file", link("missing", "x"));
    say_call("link into a missing folder", link("f", "missing/x"));
    say_call("link with a trailing slash", link("f", "x/"));
    say_call("link of a symbolic link", link("s", "s2"));
    MUST(lstat("s2", &status));
    say_bool("makes another name of the link itself", S_ISLNK(status.st_mode) && status.st_nlink == 2);
    say_call("linkat AT_SYMLINK_FOLLOW", linkat(AT_FDCWD, "s", AT_FDCWD, "f3", AT_SYMLINK_FOLLOW));
    MUST(stat("f3", &status));
    say("links of the file", "%d", (int)status.st_nlink);
    say_call("linkat with an unknown flag", linkat(AT_FDCWD, "f", AT_FDCWD, "x", 1));

    say_call("readlink", readlink("s", text, sizeof(text)));
    say("text", "%.1s", text);
    memset(text, '#', sizeof(text));
    say_call("readlink cut short", readlink("dangling", text, 3));
    say("text", "%.4s", text);
    say_call("readlink of a file", readlink("f", text, sizeof(text)));
    say_call("readlink of a folder", readlink("d", text, sizeof(text)));
    say_call("readlink of a missing one", readlink("missing", text, sizeof(text)));
    say_call("readlink with length 0", syscall(SYS_readlink, "s", text, 0));
    say_call("readlink with a negative length", syscall(SYS_readlink, "s", text, -1));
    say_call("symlink onto one that is there", symlink("x", "f"));
    say_call("symlink onto a dangling one", symlink("x", "dangling"));
    say_call("symlink with a trailing slash", symlink("x", "new/"));

    say_call("unlink of a folder", unlink("d"));
    say_call("unlink of a missing one", unlink("missing"));
    say_call("unlink of a link", unlink("s"));
    say_ok("leaves the target", access("f", F_OK));
    say_call("unlink with a trailing slash", unlink("f/"));
    say_call("unlink of .", unlink("."));
    say_call("unlink of ..", unlink(".."));
    say_call("unlink of /", unlink("/"));
    say_call("unlink of the empty name", unlink(""));
    say_call("unlinkat AT_REMOVEDIR of a file", unlinkat(AT_FDCWD, "f", AT_REMOVEDIR));
    say_call("unlinkat with an unknown flag", unlinkat(AT_FDCWD, "f", 1));

    int fd = MUST(open("f", O_RDWR));
    MUST(unlink("f"));
    MUST(unlink("f2"));
    MUST(unlink("f3"));
    say_call("a file without a name is read", read(fd, text, sizeof(text)));
    say_call("and written", write(fd, "more", 4));
    fstat(fd, &status);
    say("links, size", "%d %ld", (int)status.st_nlink, (long)status.st_size);
    say_call("a new file of the old name is another one", open("f", O_RDWR | O_CREAT | O_EXCL, 0644) > 0);
    return 0;
}
