// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// pivot_root: what must be a mount, what must be below what, who follows; chroot and the root of a mount; getcwd of what cannot be reached.
#include "testing.h"
#include <sys/mount.h>

static char here[200];

static long pivot(const char *new_root, const char *put_old) {
    return syscall(SYS_pivot_root, new_root, put_old);
}

static void say_where(const char *name) {
    char path[256];
    long n = syscall(SYS_getcwd, path, sizeof(path));
    char *root = n == -1 ? NULL : strstr(path, "/root/"); // what is before it depends on the run
    bool lost = n != -1 && strncmp(path, "(unreachable)", 13) == 0;
    say(name, "%s%s", lost ? "(unreachable) " : "", n == -1 ? error_name(errno) : root ? root : path);
}

// In a root of its own: a tmpfs with a folder for another, and for the old root.
static void enter(void) {
    MUST(mount("root", "root", "tmpfs", 0, NULL));
    MUST(mkdir("root/new", 0755));
    MUST(mkdir("root/plain", 0755));
    MUST(mkdir("root/other", 0755));
    file_make("root/old-root", "x", 0644);
    MUST(mount("new", "root/new", "tmpfs", 0, NULL));
    MUST(mkdir("root/new/old", 0755));
    MUST(mkdir("root/new/sub", 0755));
    file_make("root/new/new-root", "x", 0644);
    MUST(chroot("root"));
    MUST(chdir("/"));
}

static int errors(void) {
    enter();
    say_call("a missing new root", pivot("missing", "new/old"));
    say_call("a missing old root", pivot("new", "new/missing"));
    say_call("a file", pivot("old-root", "new/old"));
    say_call("a file for the old root", pivot("new", "new/new-root"));
    say_call("a bad address", syscall(SYS_pivot_root, 16L, "new/old"));
    say_call("a bad address for the old root", syscall(SYS_pivot_root, "new", 16L));
    say_call("no mount", pivot("plain", "plain"));
    say_call("a folder of the new mount", pivot("new/sub", "new/sub"));
    say_call("the old root not below the new", pivot("new", "other"));
    say_call("the root itself", pivot("/", "new/old"));
    say_call("the root itself, twice", pivot("/", "/"));
    MUST(mount("o", "other", "tmpfs", 0, NULL));
    say_call("the old root on another mount", pivot("new", "other"));
    MUST(mount(NULL, "new", NULL, MS_SHARED, NULL));
    say_call("a shared new root", pivot("new", "new/old"));
    MUST(mount(NULL, "new", NULL, MS_PRIVATE, NULL));
    MUST(mount(NULL, "/", NULL, MS_SHARED, NULL));
    say_call("its parent shared", pivot("new", "new/old"));
    MUST(mount(NULL, "/", NULL, MS_PRIVATE, NULL));
    MUST(setuid(1000));
    say_call("a user", pivot("new", "new/old"));
    say_call("a user, a missing one", pivot("missing", "new/old"));
    return 0;
}

static int plain_root(void) {
    enter();
    MUST(chroot("plain"));
    say_call("the caller's root is no mount", pivot("../new", "../new/old"));
    return 0;
}

static int pivoted(void) {
    enter();
    MUST(chdir("/plain"));
    struct gate started = gate_create(), go = gate_create(), go_elsewhere = gate_create();
    pid_t other = fork();
    if (other == 0) {
        gate_raise(&started);
        gate_wait(&go);
        say_ok("another with the same root: the new", access("/new-root", F_OK));
        say_ok("the old", access("/old/old-root", F_OK));
        say_where("where it stands");
        _exit(0);
    }
    pid_t elsewhere = fork();
    if (elsewhere == 0) {
        MUST(chroot("/plain"));
        MUST(chdir("/"));
        gate_raise(&started);
        gate_wait(&go_elsewhere);
        say_ok("one with another root keeps it", access("/new-root", F_OK));
        say_where("where it stands");
        _exit(0);
    }
    gate_wait(&started);
    gate_wait(&started);
    say_call("pivot_root", pivot("/new", "/new/old"));
    say_ok("the new root", access("/new-root", F_OK));
    say_ok("the old root", access("/old/old-root", F_OK));
    say_where("a folder of the old root");
    say_ok("/..", access("/../new-root", F_OK));
    gate_raise(&go);
    say("others", "%s", status_text(reap(other)));
    gate_raise(&go_elsewhere);
    say("others", "%s", status_text(reap(elsewhere)));
    MUST(chdir("/"));
    say_where("the root");
    say_call("umount of the old root", umount("/old"));
    say_call("lazily", umount2("/old", MNT_DETACH));
    say_ok("gone", access("/old/old-root", F_OK));
    return 0;
}

static int dotted(void) {
    enter();
    MUST(chdir("/new"));
    say_call("pivot_root(., .)", pivot(".", "."));
    say_ok("the new root", access("/new-root", F_OK));
    say_ok("the current folder", access("new-root", F_OK));
    say_call("umount of . takes the old root off", umount2(".", MNT_DETACH));
    say_ok("the new root", access("/new-root", F_OK));
    say_where("where we stand");
    return 0;
}

static int unreachable(void) {
    enter();
    int outside = MUST(open("/new", O_RDONLY | O_DIRECTORY));
    MUST(chdir("/plain"));
    MUST(chroot("/other"));
    say_where("outside the root");
    say_ok(".. still works there", access("../old-root", F_OK));
    MUST(chdir("/"));
    say_where("in the root");
    say_ok("/.. is /", access("/../old-root", F_OK));
    MUST(fchdir(outside));
    say_where("outside by a descriptor");
    MUST(setuid(1000));
    say_call("chroot as a user", chroot("."));
    say_call("chroot to a file", chroot("new-root"));
    say_call("chroot to a missing one", chroot("missing"));
    return 0;
}

static int own_root(void) {
    enter();
    say_call("umount of the own root makes it read-only", umount("/"));
    say_ok("a new file", open("/fresh", O_WRONLY | O_CREAT, 0644));
    say_call("writable again", mount(NULL, "/", NULL, MS_REMOUNT, NULL));
    int fd = MUST(open("/fresh", O_WRONLY | O_CREAT, 0644));
    say_call("umount of the own root while it is written", umount("/"));
    close(fd);
    say_call("MNT_EXPIRE of the own root", umount2("/", MNT_EXPIRE));
    say_call("MNT_DETACH of the own root", umount2("/", MNT_DETACH));
    say_ok("it is still there", access("/fresh", F_OK));
    return 0;
}

static void each(const char *name, int (*function)(void)) {
    say_child(name, function);
    MUST(chdir(here));
    while (umount2("root", MNT_DETACH) == 0) {}
}

int main(void) {
    MUST(getcwd(here, sizeof(here)) ? 0 : -1);
    MUST(mkdir("root", 0755));
    MUST(mount("r", "root", "tmpfs", 0, NULL));
    say_call("with the first root of all", pivot("root", "root"));
    MUST(umount("root"));
    each("errors", errors);
    each("plain root", plain_root);
    each("pivoted", pivoted);
    each("dotted", dotted);
    each("unreachable", unreachable);
    each("own root", own_root);
    return 0;
}
