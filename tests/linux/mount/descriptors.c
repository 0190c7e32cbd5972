// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// open_tree, move_mount and mount_setattr: trees that are attached nowhere, their lives, moves, attributes, groups; errors and their order.
#include "testing.h"
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE         1
#define OPEN_TREE_CLOEXEC       O_CLOEXEC
#define MOVE_MOUNT_F_SYMLINKS   0x001
#define MOVE_MOUNT_F_AUTOMOUNTS 0x002
#define MOVE_MOUNT_F_EMPTY_PATH 0x004
#define MOVE_MOUNT_T_SYMLINKS   0x010
#define MOVE_MOUNT_T_AUTOMOUNTS 0x020
#define MOVE_MOUNT_T_EMPTY_PATH 0x040
#define MOUNT_ATTR_RDONLY       0x01
#define MOUNT_ATTR_NOSUID       0x02
#define MOUNT_ATTR_NODEV        0x04
#define MOUNT_ATTR_NOEXEC       0x08
#define MOUNT_ATTR__ATIME       0x70
#define MOUNT_ATTR_RELATIME     0x00
#define MOUNT_ATTR_NOATIME      0x10
#define MOUNT_ATTR_STRICTATIME  0x20
#define MOUNT_ATTR_NODIRATIME   0x80
#define MOUNT_ATTR_IDMAP        0x100000
#define MOUNT_ATTR_NOSYMFOLLOW  0x200000
struct mount_attr {
    uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#endif
#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x100
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_open_tree
#define SYS_open_tree  428
#define SYS_move_mount 429
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define DETACH MNT_DETACH

static char here[200];

static int tree_open(int dir, const char *path, unsigned flags) {
    return (int)syscall(SYS_open_tree, dir, path, flags);
}

static int tree_move(int from, const char *from_path, int to, const char *to_path, unsigned flags) {
    return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

static int set(int dir, const char *path, unsigned flags, uint64_t come, uint64_t go, uint64_t propagation) {
    struct mount_attr attributes = {.attr_set = come, .attr_clr = go, .propagation = propagation};
    return (int)syscall(SYS_mount_setattr, dir, path, flags, &attributes, sizeof(attributes));
}

static void say_there(const char *name, int dir, const char *path) {
    say(name, "%s", faccessat(dir, path, F_OK, 0) == 0 ? "there" : error_name(errno));
}

// Options of its own and the kinds of its fields of the topmost mount at path.
static void say_mount(const char *name, const char *path) {
    char line[2048], wanted[300], text[300] = "no mount";
    snprintf(wanted, sizeof(wanted), "%s/%s", here, path);
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof(line), file)) {
        char target[300], options[200];
        sscanf(line, "%*d %*d %*s %*s %299s %199s", target, options);
        if (strcmp(target, wanted) == 0) {
            *strstr(line, " - ") = 0;
            snprintf(text, sizeof(text), "%s%s%s%s", options, strstr(line, "shared:") ? " shared" : "",
                     strstr(line, "master:") ? " slave" : "", strstr(line, "unbindable") ? " unbindable" : "");
        }
    }
    fclose(file);
    say(name, "%s", text);
}

static void say_flags(const char *name, int fd) {
    struct statfs status;
    MUST(fstatfs(fd, &status));
    say(name, "%#lx", (long)status.f_flags);
}

static void fresh(void) {
    while (umount2("base", DETACH) == 0) {}
    MUST(mount("base", "base", "tmpfs", 0, NULL));
    MUST(mount(NULL, "base", NULL, MS_PRIVATE, NULL));
    MUST(mkdir("base/a", 0755));
    MUST(mkdir("base/b", 0755));
    MUST(mkdir("base/c", 0755));
    file_make("base/f", "f", 0644);
    MUST(mount("a", "base/a", "tmpfs", 0, NULL));
    file_make("base/a/on-a", "x", 0644);
    MUST(mkdir("base/a/sub", 0755));
    MUST(mount("sub", "base/a/sub", "tmpfs", 0, NULL));
    file_make("base/a/sub/on-sub", "x", 0644);
}

static void opening(void) {
    fresh();
    say_call("unknown flags", tree_open(AT_FDCWD, "base/a", 2));
    say_call("AT_RECURSIVE alone", tree_open(AT_FDCWD, "base/a", AT_RECURSIVE));
    say_call("a missing one", tree_open(AT_FDCWD, "missing", OPEN_TREE_CLONE));
    say_call("a bad address", tree_open(AT_FDCWD, (const char *)16L, OPEN_TREE_CLONE));
    say_call("an empty path", tree_open(AT_FDCWD, "", OPEN_TREE_CLONE));
    say_call("a bad descriptor", tree_open(99, "base", OPEN_TREE_CLONE));
    int fd = MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT));
    say("plain: descriptor flags", "%d", fcntl(fd, F_GETFD));
    say("plain: file flags", "%#x", (unsigned)fcntl(fd, F_GETFL));
    say_there("plain: what is mounted there", fd, "on-a");
    say_call("plain: read", read(fd, here, 0));
    close(fd);
    MUST(symlink("a", "base/link"));
    fd = MUST(tree_open(AT_FDCWD, "base/link", AT_SYMLINK_NOFOLLOW));
    struct stat status;
    MUST(fstatat(fd, "", &status, AT_EMPTY_PATH));
    say_bool("plain: the link itself", S_ISLNK(status.st_mode));
    close(fd);
    fd = MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE));
    say("clone: descriptor flags", "%d", fcntl(fd, F_GETFD));
    say("clone: file flags", "%#x", (unsigned)fcntl(fd, F_GETFL));
    say_there("clone: its file", fd, "on-a");
    say_there("clone: what is mounted on it", fd, "sub/on-sub");
    say_there("clone: above it", fd, "../on-a");
    int file = openat(fd, "made", O_CREAT | O_RDWR, 0644);
    say_ok("clone: a new file", file);
    say_there("clone: seen there", AT_FDCWD, "base/a/made");
    say_ok("clone of a clone", tree_open(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
    int again = MUST(tree_open(fd, "", AT_EMPTY_PATH));
    say_there("plain of a clone", again, "on-a");
    say_call("mount on it", mount("t", "/proc/self/fd/99", "tmpfs", 0, NULL));
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/sub", fd);
    say_call("mount on a folder of it", mount("t", path, "tmpfs", 0, NULL));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    say_call("umount of it", umount2(path, DETACH));
    say_call("remount of it", mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    say_call("bind of it", mount(path, "base/b", NULL, MS_BIND, NULL));
    say_call("private", mount(NULL, path, NULL, MS_PRIVATE, NULL));
    close(fd);
    say_there("after its close: the plain one", again, "on-a");
    say_call("after its close: move of the plain one",
             tree_move(again, "", AT_FDCWD, "base/b", MOVE_MOUNT_F_EMPTY_PATH));
    say_call("after its close: setattr", set(again, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0));
    close(again);
    close(file);
    fd = MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE | AT_RECURSIVE));
    say_there("recursive: what is mounted on it", fd, "sub/on-sub");
    MUST(umount2("base/a", DETACH));
    say_there("recursive: the original is off", fd, "sub/on-sub");
    close(fd);
    MUST(mount(NULL, "base", NULL, MS_UNBINDABLE, NULL));
    say_ok("of an unbindable one", tree_open(AT_FDCWD, "base/b", OPEN_TREE_CLONE));
    say_ok("plain of an unbindable one", tree_open(AT_FDCWD, "base/b", 0));
    fd = tree_open(AT_FDCWD, "base/f", 0);
    say_ok("plain of a file", fd);
    MUST(mount(NULL, "base", NULL, MS_PRIVATE, NULL));
    fd = MUST(tree_open(AT_FDCWD, "base/f", OPEN_TREE_CLONE));
    file_make("base/g", "g", 0644);
    say_call("a file moves onto a folder", tree_move(fd, "", AT_FDCWD, "base/b", MOVE_MOUNT_F_EMPTY_PATH));
    say_call("a file moves onto a file", tree_move(fd, "", AT_FDCWD, "base/g", MOVE_MOUNT_F_EMPTY_PATH));
    say_file("it is seen", "base/g");
    close(fd);
    say_file("after the close", "base/g");
}

static void moving(void) {
    fresh();
    say_call("move: unknown flags", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "base/b", 8));
    say_call("move: a missing one", tree_move(AT_FDCWD, "missing", AT_FDCWD, "base/b", 0));
    say_call("move: to a missing one", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "missing", 0));
    say_call("move: an empty path", tree_move(AT_FDCWD, "", AT_FDCWD, "base/b", 0));
    say_call("move: no mount", tree_move(AT_FDCWD, "base/c", AT_FDCWD, "base/b", 0));
    say_call("move: into itself", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "base/a/sub", 0));
    say_call("move: a folder onto a file", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "base/f", 0));
    say_call("move: by paths", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "base/b", 0));
    say_there("move: it is here", AT_FDCWD, "base/b/sub/on-sub");
    say_there("move: and not there", AT_FDCWD, "base/a/on-a");
    MUST(symlink("b", "base/from"));
    MUST(symlink("a", "base/to"));
    say_call("move: a link is no mount", tree_move(AT_FDCWD, "base/from", AT_FDCWD, "base/a", 0));
    say_call("move: onto a link", tree_move(AT_FDCWD, "base/b", AT_FDCWD, "base/to", 0));
    say_call("move: by links", tree_move(AT_FDCWD, "base/from", AT_FDCWD, "base/to",
                                         MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_T_SYMLINKS | MOVE_MOUNT_F_AUTOMOUNTS |
                                             MOVE_MOUNT_T_AUTOMOUNTS));
    say_there("move: it is back", AT_FDCWD, "base/a/on-a");
    int plain = MUST(tree_open(AT_FDCWD, "base/a", 0)), to = MUST(open("base/c", O_PATH));
    say_call("move: by descriptors", tree_move(plain, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    say_there("move: it is there", AT_FDCWD, "base/c/on-a");
    close(plain);
    close(to);
    say_there("move: a plain one stays", AT_FDCWD, "base/c/on-a");
    int fd = MUST(tree_open(AT_FDCWD, "base/c", OPEN_TREE_CLONE | AT_RECURSIVE));
    say_call("clone: part of it", tree_move(fd, "sub", AT_FDCWD, "base/b", 0));
    say_call("clone: attached", tree_move(fd, "", AT_FDCWD, "base/b", MOVE_MOUNT_F_EMPTY_PATH));
    say_there("clone: it is seen", AT_FDCWD, "base/b/sub/on-sub");
    say_call("clone: once more", tree_move(fd, "", AT_FDCWD, "base/a", MOVE_MOUNT_F_EMPTY_PATH));
    say_there("clone: it moved", AT_FDCWD, "base/a/sub/on-sub");
    close(fd);
    say_there("clone: stays after the close", AT_FDCWD, "base/a/sub/on-sub");
    say_mount("clone: in mountinfo", "base/a");
    fd = MUST(tree_open(AT_FDCWD, "base/c", OPEN_TREE_CLONE));
    int copy = MUST(dup(fd));
    close(fd);
    say_there("clone: after a close of one of two", copy, "on-a");
    say_call("clone: into itself", tree_move(copy, "", copy, "sub", MOVE_MOUNT_F_EMPTY_PATH));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        _exit(0);
    }
    reap(pid);
    MUST(fchdir(copy));
    close(copy);
    say_there("clone: a working folder after the close", AT_FDCWD, "on-a");
    say_call("clone: and a move of it", tree_move(AT_FDCWD, ".", AT_FDCWD, "sub", 0));
    say_call("clone: and a new one", tree_open(AT_FDCWD, ".", OPEN_TREE_CLONE));
    say_call("clone: shared, and given up", mount(NULL, ".", NULL, MS_SHARED, NULL));
    MUST(chdir(here));
    fd = MUST(tree_open(AT_FDCWD, "base/c", OPEN_TREE_CLONE));
    MUST(rmdir("base/b"));
    say_call("onto what was removed", tree_move(fd, "", AT_FDCWD, "base/b", MOVE_MOUNT_F_EMPTY_PATH));
    close(fd);
}

static void shared(void) {
    fresh();
    MUST(mount(NULL, "base/a", NULL, MS_SHARED, NULL));
    int fd = MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE));
    MUST(mkdir("base/a/new", 0755));
    MUST(mount("new", "base/a/new", "tmpfs", 0, NULL));
    file_make("base/a/new/on-new", "x", 0644);
    say_call("shared: attached", tree_move(fd, "", AT_FDCWD, "base/b", MOVE_MOUNT_F_EMPTY_PATH));
    close(fd);
    say_mount("shared: the copy", "base/b");
    MUST(mkdir("base/a/later", 0755));
    MUST(mount("later", "base/b/later", "tmpfs", 0, NULL));
    file_make("base/b/later/on-later", "x", 0644);
    say_there("shared: both ways", AT_FDCWD, "base/a/later/on-later");
    say_call("shared: from below a shared one", tree_move(AT_FDCWD, "base/a/later", AT_FDCWD, "base/c", 0));
    fd = MUST(tree_open(AT_FDCWD, "base/c", OPEN_TREE_CLONE));
    say_call("onto a shared one", tree_move(fd, "", AT_FDCWD, "base/a/sub", MOVE_MOUNT_F_EMPTY_PATH));
    close(fd);
    say_mount("onto a shared one: it is shared", "base/a/sub");
    say_mount("onto a shared one: and on the peer", "base/b/sub");
    fd = MUST(tree_open(AT_FDCWD, "base/c", OPEN_TREE_CLONE));
    say_call("unbindable", set(fd, "", AT_EMPTY_PATH, 0, 0, MS_UNBINDABLE));
    say_call("unbindable onto a shared one", tree_move(fd, "", AT_FDCWD, "base/a/new", MOVE_MOUNT_F_EMPTY_PATH));
    say_call("unbindable onto a private one", tree_move(fd, "", AT_FDCWD, "base/c", MOVE_MOUNT_F_EMPTY_PATH));
    say_mount("it is", "base/c");
    close(fd);
}

static void groups(void) {
    fresh();
    MUST(mount("base/a", "base/b", NULL, MS_BIND, NULL));
    MUST(mount("base/a/sub", "base/c", NULL, MS_BIND, NULL));
    const unsigned group = MOVE_MOUNT_SET_GROUP;
    say_call("group: of a private one", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "base/b", group));
    MUST(mount(NULL, "base/a", NULL, MS_SHARED, NULL));
    say_call("group: of no mount", tree_move(AT_FDCWD, "base/f", AT_FDCWD, "base/b", group));
    say_call("group: another file system", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "base/c", group));
    say_call("group: joined", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "base/b", group));
    say_mount("group: shared", "base/b");
    say_call("group: twice", tree_move(AT_FDCWD, "base/a", AT_FDCWD, "base/b", group));
    MUST(mkdir("base/a/x", 0755));
    MUST(mount("x", "base/a/x", "tmpfs", 0, NULL));
    file_make("base/a/x/on-x", "x", 0644);
    say_there("group: it follows", AT_FDCWD, "base/b/x/on-x");
    MUST(mount(NULL, "base/b", NULL, MS_SLAVE, NULL));
    MUST(mount(NULL, "base/a/sub", NULL, MS_PRIVATE, NULL));
    int fd = MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE));
    say_call("group: made private", set(fd, "", AT_EMPTY_PATH, 0, 0, MS_PRIVATE));
    say_call("group: of a slave", tree_move(AT_FDCWD, "base/b", fd, "", group | MOVE_MOUNT_T_EMPTY_PATH));
    MUST(umount2("base/c", DETACH));
    MUST(tree_move(fd, "", AT_FDCWD, "base/c", MOVE_MOUNT_F_EMPTY_PATH));
    say_mount("group: a slave", "base/c");
    close(fd);
    fd = MUST(tree_open(AT_FDCWD, "base/a/sub", 0));
    MUST(umount2("base/a/sub", DETACH));
    say_call("group: one that is off", tree_move(AT_FDCWD, "base/a", fd, "", group | MOVE_MOUNT_T_EMPTY_PATH));
    close(fd);
}

static void attribute_errors(void) {
    struct mount_attr attributes[200] = {{.attr_set = MOUNT_ATTR_NODEV}};
    const int dir = AT_FDCWD;
    say_call("setattr: unknown flags", syscall(SYS_mount_setattr, dir, "base/a", 1, attributes, 32L));
    say_call("setattr: too long", syscall(SYS_mount_setattr, dir, "base/a", 0, attributes, 4097L));
    say_call("setattr: too short", syscall(SYS_mount_setattr, dir, "base/a", 0, attributes, 31L));
    say_call("setattr: longer, zero", syscall(SYS_mount_setattr, dir, "base/a", 0, attributes, 64L));
    attributes[1].attr_set = 1;
    say_call("setattr: longer, not zero", syscall(SYS_mount_setattr, dir, "base/a", 0, attributes, 64L));
    say_call("setattr: a bad address", syscall(SYS_mount_setattr, dir, "base/a", 0, 16L, 32L));
    say_call("setattr: nothing, of nothing", set(dir, "missing", 0, 0, 0, 0));
    say_call("setattr: a missing one", set(dir, "missing", 0, MOUNT_ATTR_NODEV, 0, 0));
    say_call("setattr: no mount", set(dir, "base/b", 0, MOUNT_ATTR_NODEV, 0, 0));
    say_call("setattr: an empty path", set(dir, "", 0, MOUNT_ATTR_NODEV, 0, 0));
    say_call("setattr: unknown attribute", set(dir, "base/a", 0, 0x100, 0, 0));
    say_call("setattr: unknown to clear", set(dir, "base/a", 0, 0, 1ull << 40, 0));
    say_call("setattr: unknown propagation", set(dir, "base/a", 0, 0, 0, 1));
    say_call("setattr: MS_REC as propagation", set(dir, "base/a", 0, 0, 0, MS_REC | MS_SHARED));
    say_call("setattr: two propagations", set(dir, "base/a", 0, 0, 0, MS_SHARED | MS_PRIVATE));
    say_call("setattr: NOATIME without clearing", set(dir, "base/a", 0, MOUNT_ATTR_NOATIME, 0, 0));
    say_call("setattr: clearing a part", set(dir, "base/a", 0, 0, MOUNT_ATTR_NOATIME, 0));
    say_call("setattr: two of atime", set(dir, "base/a", 0, MOUNT_ATTR__ATIME, MOUNT_ATTR__ATIME, 0));
    say_call("setattr: IDMAP to clear", set(dir, "base/a", 0, 0, MOUNT_ATTR_IDMAP, 0));
    struct mount_attr map = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = 99};
    say_call("setattr: IDMAP by no descriptor", syscall(SYS_mount_setattr, dir, "base/a", 0, &map, sizeof(map)));
    map.userns_fd = 0;
    say_call("setattr: IDMAP by another file", syscall(SYS_mount_setattr, dir, "base/a", 0, &map, sizeof(map)));
    map.userns_fd = 1ull << 32;
    say_call("setattr: IDMAP by a large number", syscall(SYS_mount_setattr, dir, "base/a", 0, &map, sizeof(map)));
    MUST(symlink("a", "base/link"));
    say_call("setattr: a link itself",
             set(dir, "base/link", AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, MOUNT_ATTR_NODEV, 0, 0));
}

static void attribute_sets(void) {
    static const struct {
        const char *name;
        uint64_t set, clear;
    } list[] = {{"RDONLY", MOUNT_ATTR_RDONLY, 0},
                {"NOSUID", MOUNT_ATTR_NOSUID, 0},
                {"NODEV", MOUNT_ATTR_NODEV, 0},
                {"NOEXEC", MOUNT_ATTR_NOEXEC, 0},
                {"NODIRATIME", MOUNT_ATTR_NODIRATIME, 0},
                {"NOSYMFOLLOW", MOUNT_ATTR_NOSYMFOLLOW, 0},
                {"NOATIME", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
                {"STRICTATIME", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
                {"RELATIME", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
                {"set and cleared", MOUNT_ATTR_NODEV, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC}};
    for (size_t i = 0; i < COUNT(list); i++) {
        char name[64];
        snprintf(name, sizeof(name), "set %s", list[i].name);
        say_call(name, set(AT_FDCWD, "base/a", 0, list[i].set, list[i].clear, 0));
        say_mount(name, "base/a");
        if (list[i].set & MOUNT_ATTR_RDONLY) {
            say_ok("a new file is refused", open("base/a/refused", O_CREAT | O_WRONLY, 0600));
            say_mount("set, not recursive: below", "base/a/sub");
        }
    }
    say_call("clear all", set(AT_FDCWD, "base/a", 0, 0, 0x2000cf | MOUNT_ATTR__ATIME, 0));
    say_call("clear most", set(AT_FDCWD, "base/a", 0, 0, 0x20008f | MOUNT_ATTR__ATIME, 0));
    say_mount("clear most", "base/a");
}

static void attribute_trees(void) {
    say_call("recursive", set(AT_FDCWD, "base/a", AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, MS_SHARED));
    say_mount("recursive: above", "base/a");
    say_mount("recursive: below", "base/a/sub");
    say_call("recursive: cleared", set(AT_FDCWD, "base/a", AT_RECURSIVE, 0, MOUNT_ATTR_RDONLY, MS_SLAVE));
    say_mount("recursive, cleared: above", "base/a");
    say_mount("recursive, cleared: below", "base/a/sub");
    int writer = MUST(open("base/a/sub/on-sub", O_WRONLY));
    say_call("a writer below",
             set(AT_FDCWD, "base/a", AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, MS_SHARED));
    say_mount("a writer below: above", "base/a");
    say_mount("a writer below: below", "base/a/sub");
    say_call("a writer below, not recursive", set(AT_FDCWD, "base/a", 0, MOUNT_ATTR_RDONLY, 0, 0));
    say_call("read-only already, and a writer below", set(AT_FDCWD, "base/a", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0));
    say_mount("it stays so", "base/a");
    say_call("and is cleared", set(AT_FDCWD, "base/a", 0, 0, MOUNT_ATTR_RDONLY, 0));
    close(writer);
    int fd = MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE | AT_RECURSIVE));
    say_call("a clone", set(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE));
    say_call("a part of a clone", set(fd, "sub", 0, MOUNT_ATTR_RDONLY, 0, 0));
    say_flags("flags of a clone", fd);
    say_ok("a clone is read-only", openat(fd, "refused", O_CREAT | O_WRONLY, 0600));
    say_ok("the original is not", open("base/a/made", O_CREAT | O_WRONLY, 0600));
    MUST(tree_move(fd, "", AT_FDCWD, "base/b", MOVE_MOUNT_F_EMPTY_PATH));
    say_mount("flags go along", "base/b");
    close(fd);
    fd = MUST(tree_open(AT_FDCWD, "base/b", 0));
    MUST(umount2("base/b", DETACH));
    say_call("of one that is off", set(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0));
    say_call("shared, of one that is off", set(fd, "", AT_EMPTY_PATH, 0, 0, MS_SHARED));
    close(fd);
}

static void attributes(void) {
    fresh();
    attribute_errors();
    fresh();
    attribute_sets();
    fresh();
    attribute_trees();
}

static void send_tree(int socket, int fd) {
    char byte = 'x';
    struct iovec piece = {&byte, 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    MUST(sendmsg(socket, &message, 0));
    close(fd);
}

// A tree that nobody but a message holds goes with it, and its file system, too.
static void in_flight(void) {
    int ends[2], fd = MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE | AT_RECURSIVE));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    send_tree(ends[0], fd);
    say_call("in flight: umount of the original, lazily", umount2("base/a", DETACH));
    close(ends[0]);
    close(ends[1]);
    MUST(mount("a", "base/a", "tmpfs", 0, NULL));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    send_tree(ends[0], MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE)));
    send_tree(ends[0], dup(ends[0]));
    send_tree(ends[0], dup(ends[1]));
    close(ends[0]);
    close(ends[1]);
    say_call("in a circle of sockets: umount of the original", umount2("base/a", 0));
}

static int as_user(void) {
    int fd = MUST(tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE));
    MUST(setuid(1000));
    say_ok("user: clone", tree_open(AT_FDCWD, "base/a", OPEN_TREE_CLONE));
    say_ok("user: clone of a missing one", tree_open(AT_FDCWD, "missing", OPEN_TREE_CLONE));
    say_ok("user: unknown flags", tree_open(AT_FDCWD, "base/a", 2));
    say_ok("user: plain", tree_open(AT_FDCWD, "base/a", 0));
    say_there("user: walks from a clone", fd, "on-a");
    say_call("user: move", tree_move(fd, "", AT_FDCWD, "base/b", MOVE_MOUNT_F_EMPTY_PATH));
    say_call("user: move, unknown flags", tree_move(fd, "", AT_FDCWD, "base/b", 8));
    say_call("user: setattr", set(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0));
    say_call("user: setattr of nothing", set(fd, "", AT_EMPTY_PATH, 0, 0, 0));
    say_call("user: setattr, unknown flags", set(fd, "", 1, 0, 0, 0));
    return 0;
}

int main(void) {
    MUST(getcwd(here, sizeof(here)) ? 0 : -1);
    MUST(mkdir("base", 0755));
    opening();
    moving();
    shared();
    groups();
    attributes();
    fresh();
    in_flight();
    fresh();
    say_child("user", as_user);
    struct rlimit few = {3, 3};
    MUST(setrlimit(RLIMIT_NOFILE, &few));
    say_call("no descriptor left", tree_open(AT_FDCWD, "missing", OPEN_TREE_CLONE));
    while (umount2("base", DETACH) == 0) {}
    return 0;
}
