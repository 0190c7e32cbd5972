// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// fsopen, fsconfig, fsmount, fspick: a file system step by step, its order, its options and what its log says of them; errors and their order.
#include "testing.h"
#include <sys/mount.h>
#include <sys/statfs.h>

#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC          1
#define FSPICK_CLOEXEC          1
#define FSPICK_SYMLINK_NOFOLLOW 2
#define FSPICK_NO_AUTOMOUNT     4
#define FSPICK_EMPTY_PATH       8
#define FSMOUNT_CLOEXEC         1
enum {
    FSCONFIG_SET_FLAG,
    FSCONFIG_SET_STRING,
    FSCONFIG_SET_BINARY,
    FSCONFIG_SET_PATH,
    FSCONFIG_SET_PATH_EMPTY,
    FSCONFIG_SET_FD,
    FSCONFIG_CMD_CREATE,
    FSCONFIG_CMD_RECONFIGURE
};
#define MOUNT_ATTR_RDONLY       0x01
#define MOUNT_ATTR_NOSUID       0x02
#define MOUNT_ATTR_NODEV        0x04
#define MOUNT_ATTR_NOEXEC       0x08
#define MOUNT_ATTR__ATIME       0x70
#define MOUNT_ATTR_RELATIME     0x00
#define MOUNT_ATTR_NOATIME      0x10
#define MOUNT_ATTR_STRICTATIME  0x20
#define MOUNT_ATTR_NODIRATIME   0x80
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP       0x100000
#define MOUNT_ATTR_NOSYMFOLLOW 0x200000
#endif
#ifndef SYS_fsopen
#define SYS_move_mount 429
#define SYS_fsopen     430
#define SYS_fsconfig   431
#define SYS_fsmount    432
#define SYS_fspick     433
#endif

static char here[200];

static int fs_open(const char *kind, unsigned flags) {
    return (int)syscall(SYS_fsopen, kind, flags);
}

static int config(int fd, unsigned command, const void *key, const void *value, int extra) {
    return (int)syscall(SYS_fsconfig, fd, command, key, value, extra);
}

static int text(int fd, const char *key, const char *value) {
    return config(fd, FSCONFIG_SET_STRING, key, value, 0);
}

static int flag(int fd, const char *key) {
    return config(fd, FSCONFIG_SET_FLAG, key, NULL, 0);
}

static int create(int fd) {
    return config(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static int reconfigure(int fd) {
    return config(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

static int fs_mount(int fd, unsigned flags, unsigned attributes) {
    return (int)syscall(SYS_fsmount, fd, flags, attributes);
}

static int attach(int fd, const char *path) {
    return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static int pick(int dir, const char *path, unsigned flags) {
    return (int)syscall(SYS_fspick, dir, path, flags);
}

// One message of the log.
static void say_log(const char *name, int fd) {
    char message[400];
    ssize_t length = read(fd, message, sizeof(message) - 1);
    if (length == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    message[length] = 0;
    char *end = strchr(message, '\n');
    say(name, "%.*s%s", end ? (int)(end - message) : (int)length, message, end && end[1] == 0 ? " (line)" : "");
}

// Kind, source, options of the mount and of its file system, but for its size.
static void say_mount(const char *name, const char *path) {
    char line[2048], wanted[300], all[500] = "no mount";
    snprintf(wanted, sizeof(wanted), "%s/%s", here, path);
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof(line), file)) {
        char target[300], own[200], kind[64], source[100], super[300], *dash = strstr(line, " - ");
        sscanf(line, "%*d %*d %*s %*s %299s %199s", target, own);
        if (strcmp(target, wanted) != 0 || sscanf(dash + 3, "%63s %99s %299s", kind, source, super) != 3) {
            continue;
        }
        snprintf(all, sizeof(all), "%s from %s [%s] [%s]", kind, source, own, super);
    }
    fclose(file);
    say(name, "%s", all);
}

static void opening(void) {
    static char name[5000];
    memset(name, 'x', sizeof(name) - 1);
    say_call("fsopen: unknown flags", fs_open("tmpfs", 2));
    say_call("fsopen: a bad address", fs_open((const char *)16L, 0));
    say_call("fsopen: too long", fs_open(name, 0));
    say_call("fsopen: empty", fs_open("", 0));
    say_call("fsopen: unknown kind", fs_open("nothing", 0));
    int fd = MUST(fs_open("tmpfs", FSOPEN_CLOEXEC));
    say("fsopen: descriptor flags", "%d", fcntl(fd, F_GETFD));
    say("fsopen: file flags", "%#x", (unsigned)fcntl(fd, F_GETFL));
    char path[64], link[100];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, link, sizeof(link));
    say("fsopen: its name", "%.*s", (int)length, link);
    say_log("fsopen: its log", fd);
    say_call("fsopen: write", write(fd, "x", 1));
    say_call("fsopen: lseek", lseek(fd, 0, SEEK_SET));
    say_call("fsopen: fsync", fsync(fd));
    close(fd);
}

static void arguments(void) {
    static char name[300];
    memset(name, 'x', sizeof(name) - 1);
    int fd = MUST(fs_open("tmpfs", 0)), other = MUST(open("/dev/null", O_RDONLY));
    const char *key = "size", *value = "1m";
    say_call("fsconfig: negative descriptor", config(-1, FSCONFIG_SET_STRING, key, value, 0));
    say_call("fsconfig: no descriptor", config(99, FSCONFIG_SET_STRING, key, value, 0));
    say_call("fsconfig: no descriptor, bad arguments", config(99, FSCONFIG_SET_STRING, NULL, value, 0));
    say_call("fsconfig: another file", config(other, FSCONFIG_SET_STRING, key, value, 0));
    say_call("fsconfig: unknown command", config(fd, 8, key, value, 0));
    say_call("fsconfig: unknown command, no descriptor", config(99, 8, key, value, 0));
    say_call("flag: no key", config(fd, FSCONFIG_SET_FLAG, NULL, NULL, 0));
    say_call("flag: a value", config(fd, FSCONFIG_SET_FLAG, key, value, 0));
    say_call("flag: extra", config(fd, FSCONFIG_SET_FLAG, key, NULL, 1));
    say_call("string: no key", config(fd, FSCONFIG_SET_STRING, NULL, value, 0));
    say_call("string: no value", config(fd, FSCONFIG_SET_STRING, key, NULL, 0));
    say_call("string: extra", config(fd, FSCONFIG_SET_STRING, key, value, 1));
    say_call("string: key at a bad address", config(fd, FSCONFIG_SET_STRING, (void *)16L, value, 0));
    say_call("string: value at a bad address", config(fd, FSCONFIG_SET_STRING, key, (void *)16L, 0));
    say_call("string: key too long", config(fd, FSCONFIG_SET_STRING, name, value, 0));
    say_call("string: value too long", config(fd, FSCONFIG_SET_STRING, key, name, 0));
    say_call("binary: no length", config(fd, FSCONFIG_SET_BINARY, key, value, 0));
    say_call("binary: too long", config(fd, FSCONFIG_SET_BINARY, key, value, (1 << 20) + 1));
    say_call("binary: at a bad address", config(fd, FSCONFIG_SET_BINARY, key, (void *)16L, 8));
    say_call("binary", config(fd, FSCONFIG_SET_BINARY, key, value, 2));
    say_log("binary: log", fd);
    say_call("path: extra", config(fd, FSCONFIG_SET_PATH, key, value, -1));
    say_call("path: empty", config(fd, FSCONFIG_SET_PATH, key, "", AT_FDCWD));
    say_call("path: bad address", config(fd, FSCONFIG_SET_PATH, key, (void *)16L, AT_FDCWD));
    say_call("path", config(fd, FSCONFIG_SET_PATH, "mode", ".", AT_FDCWD));
    say_log("path: log", fd);
    say_call("path, empty", config(fd, FSCONFIG_SET_PATH_EMPTY, "none", "", 3));
    say_log("path, empty: log", fd);
    say_call("descriptor: a value", config(fd, FSCONFIG_SET_FD, key, value, other));
    say_call("descriptor: negative", config(fd, FSCONFIG_SET_FD, key, NULL, -1));
    say_call("descriptor: none", config(fd, FSCONFIG_SET_FD, key, NULL, 99));
    say_call("descriptor", config(fd, FSCONFIG_SET_FD, key, NULL, other));
    say_log("descriptor: log", fd);
    say_call("descriptor as source", config(fd, FSCONFIG_SET_FD, "source", NULL, other));
    say_log("descriptor as source: log", fd);
    say_call("create: a key", config(fd, FSCONFIG_CMD_CREATE, key, NULL, 0));
    say_call("create: a value", config(fd, FSCONFIG_CMD_CREATE, NULL, value, 0));
    say_call("create: extra", config(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 1));
    say_call("reconfigure: a key", config(fd, FSCONFIG_CMD_RECONFIGURE, key, NULL, 0));
    close(fd);
    close(other);
}

static void options(void) {
    static const char *const good[][2] = {{"size", "8m"},   {"nr_blocks", "100"}, {"nr_inodes", "1k"}, {"mode", "700"},
                                          {"uid", "7"},     {"gid", "8"},         {"huge", "never"},   {"source", "me"},
                                          {"ro", "indeed"}, {"rw", "no"}};
    static const char *const bad[][2] = {{"size", "x"}, {"size", ""},        {"mode", "9"},       {"uid", "-2"},
                                         {"uid", "x"},  {"huge", "perhaps"}, {"inode64", "1"},    {"nothing", "at-all"},
                                         {"", "x"},     {"source", "again"}, {"nr_inodes", "1,2"}};
    static const char *const flags[] = {"ro",      "rw",       "sync",       "async",   "mand",    "nomand",
                                        "dirsync", "lazytime", "nolazytime", "inode64", "inode32", "size",
                                        "nothing", "source",   "bind",       "noexec"};
    char name[100];
    int fd = MUST(fs_open("tmpfs", 0));
    for (size_t i = 0; i < COUNT(good); i++) {
        snprintf(name, sizeof(name), "%s=%s", good[i][0], good[i][1]);
        say_call(name, text(fd, good[i][0], good[i][1]));
    }
    say_log("so far the log", fd);
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(name, sizeof(name), "bad %s=%s", bad[i][0], bad[i][1]);
        say_call(name, text(fd, bad[i][0], bad[i][1]));
        say_log(name, fd);
    }
    for (size_t i = 0; i < COUNT(flags); i++) {
        snprintf(name, sizeof(name), "flag %s", flags[i]);
        if (flag(fd, flags[i]) == 0) {
            say(name, "ok");
        } else {
            say(name, "%s", error_name(errno));
            say_log(name, fd);
        }
    }
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "unknown-%d", i);
        flag(fd, name);
    }
    char small[4];
    say_call("log, too small a buffer", read(fd, small, sizeof(small)));
    say_call("log, a bad address", read(fd, (void *)16L, 400));
    say_log("the oldest that is left", fd);
    while (read(fd, name, sizeof(name)) > 0) {}
    say_log("at the end", fd);
    close(fd);
}

static void life(void) {
    int fd = MUST(fs_open("tmpfs", 0));
    say_call("fsmount: unknown flags", fs_mount(fd, 2, 0));
    say_call("fsmount: unknown attributes", fs_mount(fd, 0, 0x100));
    say_call("fsmount: IDMAP", fs_mount(fd, 0, MOUNT_ATTR_IDMAP));
    say_call("fsmount: two of atime", fs_mount(fd, 0, MOUNT_ATTR__ATIME));
    say_call("fsmount: no descriptor", fs_mount(99, 0, 0));
    say_call("fsmount: another file", fs_mount(1, 0, 0));
    say_call("fsmount: too early", fs_mount(fd, 0, 0));
    say_call("reconfigure: too early", reconfigure(fd));
    MUST(text(fd, "source", "where from"));
    MUST(text(fd, "size", "1m"));
    MUST(text(fd, "mode", "711"));
    MUST(flag(fd, "sync"));
    say_call("create", create(fd));
    say_call("create again", create(fd));
    say_call("an option after it", text(fd, "size", "2m"));
    say_call("reconfigure after it", reconfigure(fd));
    int tree = MUST(fs_mount(fd, FSMOUNT_CLOEXEC,
                             MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW |
                                 MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOATIME));
    say("fsmount: descriptor flags", "%d", fcntl(tree, F_GETFD));
    say("fsmount: file flags", "%#x", (unsigned)fcntl(tree, F_GETFL));
    say_call("fsmount again", fs_mount(fd, 0, 0));
    struct stat status;
    MUST(fstat(tree, &status));
    say("its root", "%o", (unsigned)status.st_mode);
    int file = MUST(openat(tree, "file", O_CREAT | O_WRONLY, 0644));
    close(file);
    say_call("attached", attach(tree, "m"));
    say_mount("attached", "m");
    say_call("mode alone, later", text(fd, "size", "2m"));
    say_call("create, later", create(fd));
    MUST(flag(fd, "ro"));
    say_call("reconfigure", reconfigure(fd));
    say_mount("reconfigured", "m");
    MUST(flag(fd, "rw"));
    MUST(flag(fd, "async"));
    say_call("reconfigure", reconfigure(fd));
    say_mount("reconfigured again", "m");
    file = MUST(open("m/file", O_WRONLY));
    MUST(flag(fd, "ro"));
    say_call("a writer: reconfigure", reconfigure(fd));
    say_call("after a failure: an option", flag(fd, "rw"));
    say_call("after a failure: reconfigure", reconfigure(fd));
    say_call("after a failure: create", create(fd));
    say_mount("after a failure", "m");
    close(file);
    close(fd);
    close(tree);
    say_mount("all closed", "m");
    MUST(umount("m"));
    fd = MUST(fs_open("tmpfs", 0));
    MUST(create(fd));
    tree = MUST(fs_mount(fd, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_STRICTATIME));
    MUST(attach(tree, "m"));
    say_mount("no source", "m");
    say_ok("read-only", open("m/f", O_CREAT | O_WRONLY, 0600));
    close(tree);
    close(fd);
    MUST(umount("m"));
    fd = MUST(fs_open("tmpfs", 0));
    MUST(flag(fd, "ro"));
    MUST(create(fd));
    tree = MUST(fs_mount(fd, 0, 0));
    say_ok("a read-only file system", openat(tree, "f", O_CREAT | O_WRONLY, 0600));
    struct statfs fs;
    MUST(fstatfs(tree, &fs));
    say("its flags", "%#lx", (long)fs.f_flags);
    close(tree);
    say_call("after its close: fsmount", fs_mount(fd, 0, 0));
    close(fd);
}

static void picking(void) {
    MUST(mount("t", "m", "tmpfs", 0, "size=4m"));
    MUST(mkdir("m/dir", 0755));
    MUST(symlink("m", "link"));
    say_call("fspick: unknown flags", pick(AT_FDCWD, "m", 16));
    say_call("fspick: a missing one", pick(AT_FDCWD, "missing", 0));
    say_call("fspick: an empty path", pick(AT_FDCWD, "", 0));
    say_call("fspick: no mount", pick(AT_FDCWD, "m/dir", 0));
    say_call("fspick: a link itself", pick(AT_FDCWD, "link", FSPICK_SYMLINK_NOFOLLOW));
    say_ok("fspick: by a link", pick(AT_FDCWD, "link", FSPICK_NO_AUTOMOUNT));
    int dir = MUST(open("m", O_PATH)), fd = MUST(pick(dir, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC));
    say("fspick: descriptor flags", "%d", fcntl(fd, F_GETFD));
    say_call("fspick: fsmount", fs_mount(fd, 0, 0));
    say_call("fspick: create", create(fd));
    close(fd);
    fd = MUST(pick(AT_FDCWD, "m", 0));
    MUST(text(fd, "size", "2m"));
    MUST(flag(fd, "ro"));
    struct statfs fs;
    say_call("fspick: reconfigure", reconfigure(fd));
    MUST(statfs("m", &fs));
    say("its size", "%ld", (long)fs.f_blocks);
    say_mount("read-only", "m");
    say_call("fspick: nothing told", reconfigure(fd));
    say_mount("as it was", "m");
    MUST(flag(fd, "rw"));
    MUST(reconfigure(fd));
    int file = MUST(open("m/file", O_CREAT | O_RDWR, 0600));
    MUST(ftruncate(file, 1 << 20));
    for (int i = 0; i < 100; i++) {
        MUST(pwrite(file, "x", 1, i * 4096L));
    }
    close(file);
    MUST(text(fd, "size", "64k"));
    say_call("fspick: too small", reconfigure(fd));
    close(fd);
    say_call("umount while picked", umount("m"));
    close(dir);
    dir = -1;
    MUST(mount("t", "m", "tmpfs", 0, NULL));
    fd = MUST(pick(AT_FDCWD, "m", 0));
    say_call("umount while picked", umount("m"));
    say_call("reconfigure of what is off", reconfigure(fd));
    close(fd);
}

static void others(void) {
    int fd = MUST(fs_open("devpts", 0)), other = MUST(open("/dev/null", O_RDONLY));
    say_call("devpts: a descriptor", config(fd, FSCONFIG_SET_FD, "x", NULL, other));
    say_call("devpts: binary", config(fd, FSCONFIG_SET_BINARY, "x", "y", 1));
    say_call("devpts: an unknown option", text(fd, "nothing", "x"));
    say_call("devpts: a comma", text(fd, "mode", "6,0"));
    say_log("devpts: log", fd);
    say_call("devpts: create", create(fd));
    say_call("devpts: once more", create(fd));
    close(fd);
    fd = MUST(fs_open("devpts", 0));
    MUST(text(fd, "mode", "620"));
    MUST(flag(fd, "newinstance"));
    say_call("devpts: good options", create(fd));
    int tree = MUST(fs_mount(fd, 0, 0));
    MUST(attach(tree, "m"));
    say_mount("devpts", "m");
    say_call("devpts: umount, its descriptor open", umount("m"));
    close(tree);
    say_call("devpts: umount", umount("m"));
    close(fd);
    fd = MUST(fs_open("sysfs", 0));
    say_call("sysfs: an unknown option", flag(fd, "nothing"));
    say_log("sysfs: log", fd);
    say_call("sysfs: ro", flag(fd, "ro"));
    say_call("sysfs: create", create(fd));
    close(fd);
    close(other);
}

static int as_user(void) {
    int fd = MUST(fs_open("tmpfs", 0)), made = MUST(fs_open("tmpfs", 0));
    MUST(create(made));
    MUST(setuid(1000));
    say_call("user: fsopen", fs_open("nothing", 2));
    say_call("user: fspick", pick(AT_FDCWD, "missing", 16));
    say_call("user: fsmount", fs_mount(made, 2, 0));
    say_call("user: an option", text(fd, "size", "1m"));
    say_call("user: create", create(fd));
    say_call("user: then an option", text(fd, "size", "1m"));
    return 0;
}

int main(void) {
    MUST(getcwd(here, sizeof(here)) ? 0 : -1);
    MUST(mkdir("m", 0755));
    opening();
    arguments();
    options();
    life();
    picking();
    others();
    say_child("user", as_user);
    while (umount2("m", MNT_DETACH) == 0) {}
    return 0;
}
