// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Permission: owner, group and others, for files and folders, as a user without privilege; access; the sticky bit.
#include "testing.h"
#include <grp.h>

static const char *can(const char *path, int flags) {
    int fd = open(path, flags);
    if (fd == -1) {
        return error_name(errno);
    }
    close(fd);
    return "ok";
}

static int as_user(void) {
    gid_t groups[1] = {50};
    MUST(setgroups(1, groups));
    MUST(setgid(1000));
    MUST(setuid(1000));
    const char *const files[] = {"owner-600", "owner-077", "group-060", "group-606",
                                 "extra-060", "other-006", "other-660"};
    for (size_t i = 0; i < COUNT(files); i++) {
        char read[32], write[32];
        snprintf(read, sizeof(read), "%s", can(files[i], O_RDONLY));
        snprintf(write, sizeof(write), "%s", can(files[i], O_WRONLY));
        say(files[i], "read %s, write %s", read, write);
    }
    say_call("access R_OK W_OK of other-006", access("other-006", R_OK | W_OK));
    say_call("access X_OK of other-006", access("other-006", X_OK));
    say_call("access F_OK of owner-077", access("owner-077", F_OK));
    say_call("access R_OK of owner-077", access("owner-077", R_OK));
    say_ok("new file in a folder of mode 755", open("folder-755/new", O_WRONLY | O_CREAT, 0644));
    say_ok("new file in a folder of mode 777", open("folder-777/new", O_WRONLY | O_CREAT, 0644));
    say_call("unlink in a folder of mode 755", unlink("folder-755/file"));
    say_call("unlink of root's file in a folder of mode 777", unlink("folder-777/file"));
    say_call("unlink of root's file in a sticky folder", unlink("folder-sticky/file"));
    say_call("rename of root's file in a sticky folder", rename("folder-sticky/file", "folder-sticky/other"));
    say_call("mkdir in a folder of mode 755", mkdir("folder-755/sub", 0755));
    say_call("rmdir in a folder of mode 755", rmdir("folder-755/empty"));
    say_call("link into a folder of mode 755", link("other-006", "folder-755/linked"));
    say_ok("list a folder of mode 711", open("folder-711", O_RDONLY));
    say_ok("open a file inside it", open("folder-711/file", O_RDONLY));
    say_ok("list a folder of mode 744", open("folder-744", O_RDONLY));
    say_ok("open a file inside it", open("folder-744/file", O_RDONLY));
    say_call("chdir into a folder of mode 744", chdir("folder-744"));
    say_call("utimes of root's file", utimensat(AT_FDCWD, "other-660", NULL, 0));
    char *const argv[] = {(char *)"x", NULL};
    say_call("exec without x", execv("other-006", argv));
    return 0;
}

static void make(const char *path, uid_t uid, gid_t gid, mode_t mode) {
    file_make(path, "x", 0644);
    MUST(chown(path, uid, gid));
    MUST(chmod(path, mode));
}

int main(void) {
    make("owner-600", 1000, 0, 0600);
    make("owner-077", 1000, 0, 0077);
    make("group-060", 0, 1000, 0060);
    make("group-606", 0, 1000, 0606);
    make("extra-060", 0, 50, 0060);
    make("other-006", 0, 0, 0006);
    make("other-660", 0, 0, 0660);
    const struct {
        const char *name;
        mode_t mode;
    } folders[] = {{"folder-755", 0755},
                   {"folder-777", 0777},
                   {"folder-sticky", 01777},
                   {"folder-711", 0711},
                   {"folder-744", 0744}};
    for (size_t i = 0; i < COUNT(folders); i++) {
        char path[64];
        MUST(mkdir(folders[i].name, 0700));
        snprintf(path, sizeof(path), "%s/file", folders[i].name);
        make(path, 0, 0, 0644);
        MUST(chmod(folders[i].name, folders[i].mode));
    }
    MUST(mkdir("folder-755/empty", 0777));
    say_child("a user", as_user);
    say("root reads and writes what has no bits", "%s", (chmod("other-660", 0), can("other-660", O_RDWR)));
    say_call("root's access X_OK of a file without x", access("other-660", X_OK));
    say_call("root's access X_OK of a folder without x", (chmod("folder-744", 0), access("folder-744", X_OK)));
    say_call("access with an unknown mode", access("other-006", 8));
    say_call("access of a missing file", access("missing", F_OK));
    return 0;
}
