// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The sysctls that guard shared folders: links that are not followed, files that may not be linked, files and fifos that O_CREAT does not open.
#include "testing.h"

static void sysctl_say(const char *name) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
    say_file(name, path);
}

static long sysctl_set(const char *name, const char *value) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
    int fd = open(path, O_WRONLY);
    long n = fd == -1 ? -1 : write(fd, value, strlen(value));
    int error = errno;
    close(fd);
    errno = error;
    return n;
}

static void opened(const char *name, const char *path, int flags) {
    int fd = open(path, flags | O_NONBLOCK, 0600);
    say_ok(name, fd);
    if (fd != -1) {
        close(fd);
    }
}

static int links_followed(void) {
    struct stat status;
    MUST(setgid(1000));
    MUST(setuid(1000));
    say_ok("stranger's link in a sticky folder", stat("sticky/root-owned-by-1001", &status));
    opened("open of it", "sticky/root-owned-by-1001", O_RDONLY);
    say_ok("lstat of it", lstat("sticky/root-owned-by-1001", &status));
    opened("own link in a sticky folder", "sticky/own", O_RDONLY);
    opened("link of the folder's owner", "sticky/root", O_RDONLY);
    opened("stranger's link in an ordinary folder", "open/stranger", O_RDONLY);
    opened("stranger's link in a sticky folder that not all write", "group/stranger", O_RDONLY);
    say_ok("stranger's link on the way", stat("sticky/folder-stranger/file", &status));
    say_ok("stranger's link with a slash", stat("sticky/folder-stranger/", &status));
    say_ok("through another link", stat("to-stranger", &status));
    opened("O_CREAT through a stranger's link", "sticky/dangling-stranger", O_RDWR | O_CREAT);
    say_ok("chmod through it", chmod("sticky/root-owned-by-1001", 0644));
    char buffer[16];
    say_ok("readlink of it", readlink("sticky/root-owned-by-1001", buffer, sizeof(buffer)));
    say_ok("unlink of it", unlink("sticky/root-owned-by-1001"));
    return 0;
}

static int links_made(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    say_call("own file", link("mine", "open/l1"));
    say_call("stranger's file, readable", link("readable", "open/l2"));
    say_call("stranger's file, readable and writable", link("writable", "open/l3"));
    say_call("stranger's set-user-ID file", link("set-user", "open/l4"));
    say_call("stranger's set-group-ID file", link("set-group", "open/l5"));
    say_call("stranger's file for mandatory locks", link("set-group-lock", "open/l6"));
    say_call("stranger's fifo", link("fifo", "open/l7"));
    say_call("own fifo", link("my-fifo", "open/l8"));
    say_call("stranger's symbolic link", link("to-stranger", "open/l9"));
    say_call("own file, to a name that is there", link("mine", "open/l1"));
    say_call("stranger's file, to a name that is there", link("readable", "open/l1"));
    say_call("stranger's file, to a folder that is closed", link("readable", "closed/l"));
    say_call("own file, to a folder that is closed", link("mine", "closed/l"));
    say_call("stranger's file, to another mount", link("readable", "/proc/l"));
    return 0;
}

static int files_opened(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    opened("O_CREAT of a stranger's file", "sticky/file-1001", O_RDWR | O_CREAT);
    opened("without O_CREAT", "sticky/file-1001", O_RDWR);
    opened("O_CREAT of the folder's owner's file", "sticky/file-0", O_RDWR | O_CREAT);
    opened("O_CREAT of an own file", "sticky/file-1000", O_RDWR | O_CREAT);
    opened("O_CREAT of a new file", "sticky/fresh", O_RDWR | O_CREAT);
    opened("O_CREAT of a stranger's fifo", "sticky/fifo-1001", O_RDWR | O_CREAT);
    opened("without O_CREAT", "sticky/fifo-1001", O_RDWR);
    opened("O_CREAT in a folder for the group", "group/file-1001", O_RDWR | O_CREAT);
    opened("O_CREAT of a fifo in a folder for the group", "group/fifo-1001", O_RDWR | O_CREAT);
    opened("O_CREAT of a stranger's file, O_EXCL", "sticky/file-1001", O_RDWR | O_CREAT | O_EXCL);
    unlink("sticky/fresh");
    return 0;
}

static int as_root(void) {
    opened("root: O_CREAT of a stranger's file", "sticky/file-1001", O_RDWR | O_CREAT);
    opened("root: O_CREAT of a stranger's fifo", "sticky/fifo-1001", O_RDWR | O_CREAT);
    return 0;
}

static int root_follows(void) {
    opened("root: stranger's link", "sticky/root-owned-by-1001", O_RDONLY);
    return 0;
}

static void own(const char *path, uid_t uid, mode_t mode) {
    MUST(lchown(path, uid, uid));
    if (mode != 0) {
        MUST(chmod(path, mode));
    }
}

static void link_make(const char *target, const char *path, uid_t uid) {
    MUST(symlink(target, path));
    own(path, uid, 0);
}

static void make(const char *path, uid_t uid, mode_t mode) {
    file_make(path, "x", 0600);
    own(path, uid, mode);
}

int main(void) {
    char here[256], target[300];
    MUST(getcwd(here, sizeof(here)) ? 0 : -1);
    umask(0);
    sysctl_say("protected_symlinks");
    sysctl_say("protected_hardlinks");
    sysctl_say("protected_fifos");
    sysctl_say("protected_regular");
    MUST(chmod(".", 0777));
    MUST(mkdir("sticky", 0777));
    MUST(mkdir("open", 0777));
    MUST(mkdir("group", 0777));
    MUST(mkdir("closed", 0755));
    MUST(mkdir("folder", 0777));
    make("folder/file", 0, 0666);
    make("target", 0, 0666);
    MUST(chmod("sticky", 01777));
    MUST(chown("group", 0, 1000));
    MUST(chmod("group", 01775));
    snprintf(target, sizeof(target), "%s/target", here);
    link_make(target, "sticky/root-owned-by-1001", 1001);
    link_make(target, "sticky/own", 1000);
    link_make(target, "sticky/root", 0);
    link_make(target, "open/stranger", 1001);
    link_make(target, "group/stranger", 1001);
    snprintf(target, sizeof(target), "%s/folder", here);
    link_make(target, "sticky/folder-stranger", 1001);
    snprintf(target, sizeof(target), "%s/nowhere", here);
    link_make(target, "sticky/dangling-stranger", 1001);
    link_make("sticky/root-owned-by-1001", "to-stranger", 1000);
    MUST(sysctl_set("protected_symlinks", "0"));
    say("protected_symlinks off", "-");
    say_child("links", links_followed);
    MUST(sysctl_set("protected_symlinks", "1"));
    say("protected_symlinks on", "-");
    say_child("links", links_followed);
    say_child("root", root_follows);

    make("mine", 1000, 0600);
    make("readable", 1001, 0644);
    make("writable", 1001, 0666);
    make("set-user", 1001, 04777);
    make("set-group", 1001, 02777);
    make("set-group-lock", 1001, 02766);
    MUST(mkfifo("fifo", 0666));
    own("fifo", 1001, 0666);
    MUST(mkfifo("my-fifo", 0666));
    own("my-fifo", 1000, 0666);
    MUST(lchown("to-stranger", 1001, 1001));
    MUST(sysctl_set("protected_hardlinks", "0"));
    say("protected_hardlinks off", "-");
    say_child("names", links_made);
    for (int i = 1; i < 10; i++) {
        snprintf(target, sizeof(target), "open/l%d", i);
        unlink(target);
    }
    MUST(sysctl_set("protected_hardlinks", "1"));
    say("protected_hardlinks on", "-");
    say_child("names", links_made);

    make("sticky/file-1001", 1001, 0666);
    make("sticky/file-1000", 1000, 0666);
    make("sticky/file-0", 0, 0666);
    make("group/file-1001", 1001, 0666);
    MUST(mkfifo("sticky/fifo-1001", 0666));
    own("sticky/fifo-1001", 1001, 0666);
    MUST(mkfifo("group/fifo-1001", 0666));
    own("group/fifo-1001", 1001, 0666);
    for (int level = 0; level < 3; level++) {
        char value[2] = {(char)('0' + level), 0};
        MUST(sysctl_set("protected_fifos", value));
        MUST(sysctl_set("protected_regular", value));
        say("protected_fifos and protected_regular", "%d", level);
        say_child("files", files_opened);
        say_child("root", as_root);
    }
    say_call("protected_symlinks 2", sysctl_set("protected_symlinks", "2"));
    say_call("protected_regular 3", sysctl_set("protected_regular", "3"));
    say_call("protected_fifos -1", sysctl_set("protected_fifos", "-1"));
    say_call("protected_hardlinks, no number", sysctl_set("protected_hardlinks", "x"));
    MUST(sysctl_set("protected_fifos", "0"));
    MUST(sysctl_set("protected_regular", "0"));
    sysctl_say("protected_symlinks");
    return 0;
}
