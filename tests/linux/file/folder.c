// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mkdir, rmdir, chdir, fchdir, getcwd: rules and errors, also in a folder that is gone.
#include "testing.h"

int main(void) {
    char path[4096];
    struct stat status;
    say_call("mkdir", mkdir("d", 0755));
    say_call("again", mkdir("d", 0755));
    say_call("with a trailing slash", mkdir("e/", 0755));
    say_call("in a missing folder", mkdir("missing/d", 0755));
    file_make("f", "x", 0644);
    say_call("over a file", mkdir("f", 0755));
    say_call("below a file", mkdir("f/d", 0755));
    say_call(".", mkdir(".", 0755));
    say_call("/", mkdir("/", 0755));
    say_call("empty name", mkdir("", 0755));
    MUST(symlink("nowhere", "dangling"));
    say_call("over a dangling link", mkdir("dangling", 0755));
    MUST(stat(".", &status));
    say("links of the folder", "%d", (int)status.st_nlink);

    say_call("rmdir", rmdir("e"));
    say_call("rmdir of a missing one", rmdir("e"));
    say_call("rmdir of a file", rmdir("f"));
    MUST(mkdir("d/sub", 0755));
    say_call("rmdir of a full one", rmdir("d"));
    say_call("rmdir of .", rmdir("d/."));
    say_call("rmdir of ..", rmdir("d/sub/.."));
    say_call("rmdir of /", rmdir("/"));
    say_call("rmdir with a trailing slash", rmdir("d/sub/"));
    MUST(symlink("d", "to-d"));
    say_call("rmdir of a link to a folder", rmdir("to-d"));
    say_call("rmdir of a link with a slash", rmdir("to-d/"));

    say_call("chdir", chdir("d"));
    say("getcwd", "%s", strrchr(getcwd(path, sizeof(path)), '/'));
    say_call("chdir ..", chdir(".."));
    say_call("chdir of a file", chdir("f"));
    say_call("chdir of a missing one", chdir("missing"));
    say_call("chdir of the empty name", chdir(""));
    int fd = MUST(open("d", O_RDONLY)), file = MUST(open("f", O_RDONLY)), top = MUST(open(".", O_RDONLY));
    say_call("fchdir", fchdir(fd));
    say_call("fchdir of a file", fchdir(file));
    say_call("fchdir of a closed one", fchdir(99));
    say_call("getcwd with a small buffer", syscall(SYS_getcwd, path, 3));
    say_call("getcwd with size 0", syscall(SYS_getcwd, path, 0));
    say_call("getcwd at a bad address", syscall(SYS_getcwd, 8, 100));
    say_bool("getcwd counts the zero", syscall(SYS_getcwd, path, sizeof(path)) == (long)strlen(path) + 1);

    MUST(rmdir("../d"));
    say_call("in a folder that is gone: getcwd", syscall(SYS_getcwd, path, sizeof(path)));
    say_ok("open .", open(".", O_RDONLY));
    say_ok("new file", open("x", O_RDWR | O_CREAT, 0644));
    say_call("mkdir", mkdir("x", 0755));
    say_call("stat ..", stat("..", &status));
    say_call("chdir ..", chdir(".."));
    MUST(stat("d-is-gone", &status) == -1 ? 0 : -1);
    fchdir(top);
    MUST(fstat(fd, &status));
    say("links of the folder that is gone", "%d", (int)status.st_nlink);

    MUST(chdir("/"));
    say("getcwd of the root", "%s", getcwd(path, sizeof(path)));
    MUST(fchdir(top));
    pid_t pid = fork();
    if (pid == 0) {
        MUST(mkdir("jail", 0755));
        MUST(mkdir("jail/in", 0755));
        say_call("chroot", chroot("jail"));
        say_call("chdir /", chdir("/"));
        say("getcwd", "%s", getcwd(path, sizeof(path)));
        say_ok("what is inside", access("/in", F_OK));
        say_call("what is outside", access("/../../f", F_OK));
        _exit(0);
    }
    reap(pid);
    return 0;
}
