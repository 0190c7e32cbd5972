// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The calls that take a folder's descriptor: openat and its relatives.
#include "testing.h"

int main(void) {
    struct stat status;
    char text[64] = "";
    MUST(mkdir("d", 0755));
    int folder = MUST(open("d", O_RDONLY | O_DIRECTORY)), path_only = MUST(open("d", O_PATH));
    file_make("f", "x", 0644);
    int file = MUST(open("f", O_RDONLY));
    say_ok("openat", openat(folder, "new", O_RDWR | O_CREAT, 0644));
    say_call("made in the folder", access("d/new", F_OK));
    say_ok("openat of an O_PATH descriptor", openat(path_only, "new", O_RDONLY));
    say_ok("openat of a file's descriptor", openat(file, "new", O_RDONLY));
    say_ok("openat of a closed descriptor", openat(99, "new", O_RDONLY));
    say_ok("absolute name with a closed descriptor", openat(99, "/dev/null", O_RDONLY));
    say_ok("AT_FDCWD", openat(AT_FDCWD, "f", O_RDONLY));
    say_call("mkdirat", mkdirat(folder, "sub", 0755));
    say_call("symlinkat", symlinkat("new", folder, "soft"));
    say_call("readlinkat", readlinkat(folder, "soft", text, sizeof(text)));
    say("text", "%s", text);
    say_call("linkat", linkat(folder, "new", AT_FDCWD, "outside", 0));
    say_call("renameat", renameat(folder, "new", AT_FDCWD, "moved"));
    say_call("mknodat", mknodat(folder, "fifo", S_IFIFO | 0600, 0));
    say_call("faccessat", faccessat(folder, "fifo", R_OK, 0));
    say_call("faccessat2 with AT_EACCESS", syscall(SYS_faccessat2, folder, "fifo", R_OK, AT_EACCESS));
    say_call("faccessat2 with an unknown flag", syscall(SYS_faccessat2, folder, "fifo", R_OK, 0x10000));
    say_call("fchmodat", fchmodat(folder, "fifo", 0644, 0));
    say_call("fchownat", fchownat(folder, "fifo", 1, 2, 0));
    say_call("fstatat", fstatat(folder, "fifo", &status, 0));
    say("fields", "%o %d %d", (unsigned)status.st_mode, (int)status.st_uid, (int)status.st_gid);
    say_call("unlinkat", unlinkat(folder, "fifo", 0));
    say_call("unlinkat of a folder", unlinkat(folder, "sub", 0));
    say_call("unlinkat AT_REMOVEDIR", unlinkat(folder, "sub", AT_REMOVEDIR));
    say_call("unlinkat AT_REMOVEDIR of .", unlinkat(folder, ".", AT_REMOVEDIR));
    MUST(rename("d", "d2"));
    say_ok("the descriptor follows the folder's new name", openat(folder, "soft", O_PATH | O_NOFOLLOW));
    say_ok("openat with ..", openat(folder, "../f", O_RDONLY));
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_RDONLY, 0, 0};
    say_ok("openat2", syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof(how)));
    how.mode = 0644;
    say_ok("openat2 with a mode and no O_CREAT", syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof(how)));
    say_ok("openat2 with a small size", syscall(SYS_openat2, AT_FDCWD, "f", &how, 8));
    return 0;
}
