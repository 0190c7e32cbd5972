// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// chmod, fchmod, chown, umask: the bits, who may, what a change of owner or a write takes away.
#include "testing.h"

static unsigned mode_of(const char *path) {
    struct stat status;
    return stat(path, &status) == -1 ? 0 : (unsigned)status.st_mode & 07777;
}

static int as_user(void) {
    setgid(1000);
    setuid(1000);
    say_call("chmod of another's file", chmod("file", 0777));
    say_call("chown of another's file", chown("file", 1000, 1000));
    say_call("chmod of one's own", chmod("own", 0640));
    say_call("giving one's own away", chown("own", 0, (gid_t)-1));
    say_call("one's own to one's own group", chown("own", (uid_t)-1, 1000));
    say_call("one's own to another group", chown("own", (uid_t)-1, 5));
    say_call("chown that changes nothing", chown("own", (uid_t)-1, (gid_t)-1));
    MUST(chmod("own", 06777));
    say("set-id bits", "%04o", mode_of("own"));
    int fd = MUST(open("own", O_WRONLY));
    MUST(write(fd, "x", 1));
    say("after a write", "%04o", mode_of("own"));
    return 0;
}

int main(void) {
    say("umask", "%03o", umask(027));
    say("umask gives the old one", "%03o", umask(07777));
    say("only permission bits are kept", "%04o", umask(022));
    int fd = MUST(open("file", O_RDWR | O_CREAT, 0666));
    say("0666 under 022", "%04o", mode_of("file"));
    umask(0);
    MUST(mkdir("folder", 0777));
    MUST(open("all", O_RDWR | O_CREAT, 07777));
    say("folder 0777 under 0", "%04o", mode_of("folder"));
    say("file 07777 under 0", "%04o", mode_of("all"));
    umask(022);
    say_call("chmod 04755", chmod("file", 04755));
    say("mode", "%04o", mode_of("file"));
    say_call("chmod with high bits", chmod("file", 0170644));
    say("mode", "%04o", mode_of("file"));
    say_call("fchmod", fchmod(fd, 0600));
    say_call("fchmod of a closed descriptor", fchmod(99, 0600));
    say_call("chmod of a missing file", chmod("missing", 0600));
    MUST(symlink("file", "soft"));
    say_call("chmod through a link", chmod("soft", 0611));
    say("mode of the target", "%04o", mode_of("file"));
    say_call("fchmodat", fchmodat(AT_FDCWD, "file", 0622, 0));

    MUST(chmod("file", 06755));
    say_call("chown", chown("file", 5, 6));
    struct stat status;
    MUST(stat("file", &status));
    say("owner", "%d %d", (int)status.st_uid, (int)status.st_gid);
    say("set-id bits after it", "%04o", mode_of("file"));
    say_call("lchown of a link", lchown("soft", 7, 8));
    MUST(lstat("soft", &status));
    say("owner of the link", "%d %d", (int)status.st_uid, (int)status.st_gid);
    say_call("fchown", fchown(fd, 9, (gid_t)-1));
    MUST(stat("file", &status));
    say("owner", "%d %d", (int)status.st_uid, (int)status.st_gid);
    say_call("fchownat with AT_EMPTY_PATH", fchownat(fd, "", 1, 1, AT_EMPTY_PATH));
    MUST(chmod(".", 0777));
    file_make("own", "mine", 0600);
    MUST(chown("own", 1000, 1000));
    say_child("as a user", as_user);

    // A folder with set-group-id hands its group on.
    MUST(chown("folder", 0, 77));
    MUST(chmod("folder", 02775));
    MUST(mkdir("folder/sub", 0755));
    MUST(stat("folder/sub", &status));
    say("sub-folder of a set-group-id folder", "gid %d mode %04o", (int)status.st_gid,
        (unsigned)status.st_mode & 07777);
    return 0;
}
