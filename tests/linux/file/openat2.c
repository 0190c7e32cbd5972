// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// openat2: the structure's size, the flags that open ignores and this refuses, and walks that are kept from links, from other mounts, or inside a folder.
#include "testing.h"
#include <sys/mount.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define RESOLVE_NO_XDEV       0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS   0x04
#define RESOLVE_BENEATH       0x08
#define RESOLVE_IN_ROOT       0x10
#define RESOLVE_CACHED        0x20

struct how {
    uint64_t flags, mode, resolve, more[520];
};

static int base = AT_FDCWD;

static long open_how(const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return syscall(SYS_openat2, base, path, &how, 24L);
}

// "ok" and what the descriptor is: the first byte, "folder", "link"; or the error.
static void try_how(const char *name, const char *path, uint64_t flags, uint64_t resolve) {
    int fd = (int)open_how(path, flags, 0, resolve);
    struct stat status;
    char byte = 0;
    if (fd == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    fstat(fd, &status);
    if (S_ISDIR(status.st_mode)) {
        say(name, "folder");
    } else if (S_ISLNK(status.st_mode)) {
        say(name, "link");
    } else {
        read(fd, &byte, 1);
        say(name, "file '%c'", byte ? byte : '-');
    }
    close(fd);
}

static void sizes(void) {
    struct how how = {.flags = O_RDONLY};
    say_ok("size 24", syscall(SYS_openat2, AT_FDCWD, "f", &how, 24L));
    say_ok("size 0", syscall(SYS_openat2, AT_FDCWD, "f", &how, 0L));
    say_ok("size 23", syscall(SYS_openat2, AT_FDCWD, "f", &how, 23L));
    say_ok("size 25, zero", syscall(SYS_openat2, AT_FDCWD, "f", &how, 25L));
    say_ok("size 4096, zero", syscall(SYS_openat2, AT_FDCWD, "f", &how, 4096L));
    say_ok("size 4097", syscall(SYS_openat2, AT_FDCWD, "f", &how, 4097L));
    how.more[0] = 1ull << 40;
    say_ok("size 32, not zero", syscall(SYS_openat2, AT_FDCWD, "f", &how, 32L));
    say_ok("size 29, zero so far", syscall(SYS_openat2, AT_FDCWD, "f", &how, 29L));
    say_ok("a bad address", syscall(SYS_openat2, AT_FDCWD, "f", 16L, 24L));
    say_ok("a bad path", syscall(SYS_openat2, AT_FDCWD, 16L, &how, 24L));
    how.flags = 1ull << 40;
    say_ok("a bad path and bad flags", syscall(SYS_openat2, AT_FDCWD, 16L, &how, 24L));
    how.more[0] = 1;
    say_ok("bad flags and more behind", syscall(SYS_openat2, AT_FDCWD, "f", &how, 32L));
}

static void flags(void) {
    say_ok("an unknown flag", open_how("f", 0x40000000, 0, 0));
    say_ok("an unknown flag above 32 bits", open_how("f", 1ull << 32, 0, 0));
    say_ok("an unknown resolve bit", open_how("f", O_RDONLY, 0, 0x40));
    say_ok("a mode without O_CREAT", open_how("f", O_RDONLY, 0600, 0));
    say_ok("a mode with O_CREAT", open_how("made", O_RDWR | O_CREAT, 0600, 0));
    say_ok("a mode beyond 07777", open_how("made2", O_RDWR | O_CREAT, 010600, 0));
    say_ok("O_TMPFILE", open_how(".", O_RDWR | O_TMPFILE, 0600, 0));
    say_ok("O_TMPFILE for reading", open_how(".", O_RDONLY | O_TMPFILE, 0600, 0));
    say_ok("O_TMPFILE with O_CREAT", open_how(".", O_RDWR | O_TMPFILE | O_CREAT, 0600, 0));
    say_ok("O_TMPFILE without O_DIRECTORY", open_how(".", O_RDWR | (O_TMPFILE & ~O_DIRECTORY), 0600, 0));
    say_ok("O_PATH", open_how("f", O_PATH, 0, 0));
    say_ok("O_PATH with O_RDWR", open_how("f", O_PATH | O_RDWR, 0, 0));
    say_ok("O_PATH with O_CREAT", open_how("f", O_PATH | O_CREAT, 0, 0));
    say_ok("O_PATH with O_NOFOLLOW, O_DIRECTORY, O_CLOEXEC",
           open_how("d", O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC, 0, 0));
    say_ok("BENEATH and IN_ROOT", open_how("f", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
    int fd = (int)open_how("f", O_RDONLY | O_CLOEXEC, 0, 0);
    say_call("O_CLOEXEC", fcntl(fd, F_GETFD));
    close(fd);
}

static void beneath(void) {
    uint64_t r = RESOLVE_BENEATH;
    base = MUST(open("d", O_PATH | O_DIRECTORY));
    try_how("beneath: a file", "in", O_RDONLY, r);
    try_how("beneath: deeper", "e/deep", O_RDONLY, r);
    try_how("beneath: the folder itself", ".", O_RDONLY, r);
    try_how("beneath: down and up", "e/../in", O_RDONLY, r);
    try_how("beneath: up to the folder", "e/..", O_RDONLY, r);
    try_how("beneath: ..", "..", O_RDONLY, r);
    try_how("beneath: ../f", "../f", O_RDONLY, r);
    try_how("beneath: down, up and out", "e/../../f", O_RDONLY, r);
    try_how("beneath: out and in again", "../d/in", O_RDONLY, r);
    try_how("beneath: /", "/", O_RDONLY, r);
    try_how("beneath: an absolute path", "/proc", O_RDONLY, r);
    try_how("beneath: a link inside", "to-in", O_RDONLY, r);
    try_how("beneath: a link that leaves", "to-out", O_RDONLY, r);
    try_how("beneath: an absolute link", "to-absolute", O_RDONLY, r);
    try_how("beneath: a link that leaves and comes back", "to-around", O_RDONLY, r);
    try_how("beneath: a link that leaves, not followed", "to-out", O_PATH | O_NOFOLLOW, r);
    try_how("beneath: missing", "missing", O_RDONLY, r);
    try_how("beneath: missing outside", "../missing", O_RDONLY, r);
    try_how("beneath: through a file", "in/..", O_RDONLY, r);
    say_ok("beneath: makes a file", open_how("new", O_RDWR | O_CREAT, 0600, r));
    say_ok("beneath: makes a file outside", open_how("../new", O_RDWR | O_CREAT, 0600, r));
    say_ok("beneath: makes a file through a link that leaves", open_how("to-new", O_RDWR | O_CREAT, 0600, r));
    say_ok("beneath: O_TMPFILE outside", open_how("..", O_RDWR | O_TMPFILE, 0600, r));
    try_how("beneath: a link of /proc", "to-proc-cwd", O_RDONLY, r);
    close(base);
    base = AT_FDCWD;
    try_how("beneath: the current folder", "d/in", O_RDONLY, r);
    try_how("beneath: above the current folder", "..", O_RDONLY, r);
}

static void in_root(void) {
    uint64_t r = RESOLVE_IN_ROOT;
    base = MUST(open("d", O_PATH | O_DIRECTORY));
    try_how("root: a file", "in", O_RDONLY, r);
    try_how("root: /in", "/in", O_RDONLY, r);
    try_how("root: /", "/", O_RDONLY, r);
    try_how("root: ..", "..", O_RDONLY, r);
    try_how("root: ../../../in", "../../../in", O_RDONLY, r);
    try_how("root: e/../../in", "e/../../in", O_RDONLY, r);
    try_how("root: /../in", "/../in", O_RDONLY, r);
    try_how("root: a link that leaves", "to-out", O_RDONLY, r);
    try_how("root: an absolute link", "to-absolute", O_RDONLY, r);
    try_how("root: an absolute link inside", "to-root-in", O_RDONLY, r);
    try_how("root: from deeper", "e/up", O_RDONLY, r);
    say_ok("root: makes a file", open_how("/new2", O_RDWR | O_CREAT, 0600, r));
    say_call("it is inside", access("d/new2", F_OK));
    close(base);
    base = AT_FDCWD;
    try_how("root: the current folder", "/d/in", O_RDONLY, r);
    base = MUST(open("/proc/self", O_PATH | O_DIRECTORY));
    try_how("root: a magic link", "cwd", O_RDONLY, r);
    try_how("root: a magic link, not followed", "cwd", O_PATH | O_NOFOLLOW, r);
    close(base);
    base = AT_FDCWD;
}

static void links(void) {
    uint64_t no = RESOLVE_NO_SYMLINKS, magic = RESOLVE_NO_MAGICLINKS;
    try_how("no links: a file", "d/in", O_RDONLY, no);
    try_how("no links: a link at the end", "s", O_RDONLY, no);
    try_how("no links: a link on the way", "folder-link/in", O_RDONLY, no);
    try_how("no links: a link with a slash", "folder-link/", O_RDONLY, no);
    try_how("no links: the link itself", "s", O_PATH | O_NOFOLLOW, no);
    try_how("no links: O_NOFOLLOW", "s", O_RDONLY | O_NOFOLLOW, no);
    try_how("no links: a dangling one", "dangling", O_RDONLY, no);
    try_how("no links: O_CREAT through a dangling one", "dangling", O_RDWR | O_CREAT, no);
    try_how("no links: a magic link", "/proc/self/cwd", O_RDONLY, no);
    try_how("no magic: a link", "s", O_RDONLY, magic);
    try_how("no magic: a magic link", "/proc/self/cwd", O_RDONLY, magic);
    try_how("no magic: on the way", "/proc/self/cwd/f", O_RDONLY, magic);
    try_how("no magic: itself", "/proc/self/cwd", O_PATH | O_NOFOLLOW, magic);
    try_how("no magic: /proc/self is none", "/proc/self", O_RDONLY, magic);
    try_how("magic links are followed", "/proc/self/cwd/f", O_RDONLY, 0);
}

static void devices(void) {
    uint64_t no = RESOLVE_NO_XDEV;
    MUST(mount("t", "m", "tmpfs", 0, NULL));
    file_make("m/on", "m", 0644);
    MUST(mount("d", "b", NULL, MS_BIND, NULL));
    try_how("one mount: a file", "d/in", O_RDONLY, no);
    try_how("one mount: a mount point", "m", O_RDONLY, no);
    try_how("one mount: a mount point, O_PATH", "m", O_PATH, no);
    try_how("one mount: a file on it", "m/on", O_RDONLY, no);
    try_how("one mount: a bind mount of the same", "b/in", O_RDONLY, no);
    try_how("one mount: down and up", "m/../f", O_RDONLY, no);
    try_how("one mount: an absolute path", "/proc", O_RDONLY, no);
    try_how("one mount: an absolute link", "d/to-absolute", O_RDONLY, no);
    try_how("one mount: a link within", "s", O_RDONLY, no);
    base = MUST(open("m", O_PATH | O_DIRECTORY));
    try_how("one mount: on the mount", "on", O_RDONLY, no);
    try_how("one mount: up from the mount", "../f", O_RDONLY, no);
    try_how("one mount: beneath and ..", "..", O_RDONLY, no | RESOLVE_BENEATH);
    close(base);
    base = MUST(open("/proc/self", O_PATH | O_DIRECTORY));
    try_how("one mount: a magic link to another", "cwd", O_RDONLY, no);
    try_how("one mount: a magic link to the same", "fd/0/../..", O_RDONLY, no);
    close(base);
    base = MUST(open("d", O_PATH | O_DIRECTORY));
    MUST(mount("t", "d/e", "tmpfs", 0, NULL));
    file_make("d/e/on", "m", 0644);
    try_how("beneath crosses mounts", "e/on", O_RDONLY, RESOLVE_BENEATH);
    try_how("beneath crosses mounts and comes back", "e/../in", O_RDONLY, RESOLVE_BENEATH);
    MUST(umount("d/e"));
    close(base);
    base = AT_FDCWD;
    MUST(umount("b"));
    MUST(umount("m"));
}

static void cached(void) {
    close(MUST(open("d/e/deep", O_RDONLY)));
    try_how("cached: a file", "d/e/deep", O_RDONLY, RESOLVE_CACHED);
    say_ok("cached: O_CREAT", open_how("d/in", O_RDWR | O_CREAT, 0600, RESOLVE_CACHED));
    say_ok("cached: O_TRUNC", open_how("d/in", O_RDWR | O_TRUNC, 0, RESOLVE_CACHED));
    say_ok("cached: O_TMPFILE", open_how("d", O_RDWR | O_TMPFILE, 0600, RESOLVE_CACHED));
    try_how("cached and beneath", "d/e/deep", O_RDONLY, RESOLVE_CACHED | RESOLVE_BENEATH);
}

int main(void) {
    file_make("f", "f", 0644);
    MUST(mkdir("d", 0755));
    MUST(mkdir("d/e", 0755));
    MUST(mkdir("m", 0755));
    MUST(mkdir("b", 0755));
    file_make("d/in", "i", 0644);
    file_make("d/e/deep", "d", 0644);
    MUST(symlink("f", "s"));
    MUST(symlink("d", "folder-link"));
    MUST(symlink("nowhere", "dangling"));
    MUST(symlink("in", "d/to-in"));
    MUST(symlink("../f", "d/to-out"));
    MUST(symlink("../new-out", "d/to-new"));
    MUST(symlink("/proc", "d/to-absolute"));
    MUST(symlink("/in", "d/to-root-in"));
    MUST(symlink("../d/in", "d/to-around"));
    MUST(symlink("../../../in", "d/e/up"));
    MUST(symlink("/proc/self/cwd", "d/to-proc-cwd"));
    sizes();
    flags();
    beneath();
    in_root();
    links();
    devices();
    cached();
    return 0;
}
