// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// open in its corners: every flag and what F_GETFL tells of it, O_PATH against every kind of call, O_NOATIME's owner, trailing slashes, what comes first
// when two things are wrong; getdents with small buffers and changes meanwhile; getcwd, chdir.
#include "testing.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#ifndef O_LARGEFILE
#define O_LARGEFILE 0
#endif

static void try_open(const char *name, const char *path, int flags) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0644);
    if (fd == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    say(name, "flags %#o, descriptor %d", (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    close(fd);
}

static void flags(void) {
    try_open("O_RDONLY", "f", O_RDONLY);
    try_open("O_WRONLY", "f", O_WRONLY);
    try_open("O_RDWR", "f", O_RDWR);
    try_open("O_ACCMODE", "f", O_ACCMODE);
    try_open("O_CREAT", "f", O_RDONLY | O_CREAT);
    try_open("O_EXCL", "f", O_RDONLY | O_EXCL);
    try_open("O_NOCTTY", "f", O_RDONLY | O_NOCTTY);
    try_open("O_TRUNC", "f", O_RDWR | O_TRUNC);
    try_open("O_APPEND", "f", O_WRONLY | O_APPEND);
    try_open("O_NONBLOCK", "f", O_RDONLY | O_NONBLOCK);
    try_open("O_NDELAY", "f", O_RDONLY | O_NDELAY);
    try_open("O_DSYNC", "f", O_RDONLY | O_DSYNC);
    try_open("O_SYNC", "f", O_RDONLY | O_SYNC);
    try_open("O_ASYNC", "f", O_RDONLY | O_ASYNC);
    try_open("O_DIRECT", "f", O_RDONLY | O_DIRECT);
    try_open("O_DIRECT that would make a file", "direct", O_RDWR | O_CREAT | O_DIRECT);
    say_call("it was made", access("direct", F_OK));
    try_open("O_LARGEFILE", "f", O_RDONLY | O_LARGEFILE);
    try_open("O_DIRECTORY", "d", O_RDONLY | O_DIRECTORY);
    try_open("O_NOFOLLOW", "f", O_RDONLY | O_NOFOLLOW);
    try_open("O_NOATIME", "f", O_RDONLY | O_NOATIME);
    try_open("O_CLOEXEC", "f", O_RDONLY | O_CLOEXEC);
    try_open("O_PATH", "f", O_PATH);
    try_open("O_PATH with all", "f", O_PATH | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOATIME);
    try_open("O_PATH with O_EXCL", "f", O_PATH | O_CREAT | O_EXCL);
    try_open("O_PATH of a folder", "d", O_PATH | O_DIRECTORY);
    try_open("O_PATH of a file, O_DIRECTORY", "f", O_PATH | O_DIRECTORY);
    try_open("O_PATH of a file that may not be read", "closed", O_PATH);
    try_open("O_TMPFILE", ".", O_RDWR | O_TMPFILE);
    try_open("O_DIRECTORY and O_CREAT of a folder", "d", O_RDONLY | O_DIRECTORY | O_CREAT);
    try_open("O_DIRECTORY and O_CREAT of a file", "f", O_RDONLY | O_DIRECTORY | O_CREAT);
    try_open("O_NOFOLLOW of a dangling link with O_CREAT", "dangling", O_RDWR | O_CREAT | O_NOFOLLOW);
    try_open("O_NOFOLLOW and O_DIRECTORY of a link", "sd", O_RDONLY | O_NOFOLLOW | O_DIRECTORY);
    try_open("O_PATH, O_NOFOLLOW and O_DIRECTORY of a link", "sd", O_PATH | O_NOFOLLOW | O_DIRECTORY);
    try_open("creat's flags", "f", O_CREAT | O_WRONLY | O_TRUNC);
    say_ok("creat of a folder", creat("d", 0644));
    umask(0);
    int fd = MUST(creat("made", 07654));
    struct stat status;
    MUST(fstat(fd, &status));
    say("creat: mode", "%o", (unsigned)status.st_mode);
    close(fd);
    umask(022);
}

static void slashes(void) {
    try_open("a file with a slash", "f/", O_RDONLY);
    try_open("a file with a slash, O_CREAT", "f/", O_RDWR | O_CREAT);
    try_open("a missing file with a slash, O_CREAT", "new/", O_RDWR | O_CREAT);
    try_open("a folder with a slash, O_CREAT", "d/", O_RDONLY | O_CREAT);
    try_open("a link to a file with a slash", "s/", O_RDONLY);
    try_open("a link to a folder with a slash", "sd/", O_RDONLY);
    try_open("a link to a folder with a slash, O_NOFOLLOW", "sd/", O_RDONLY | O_NOFOLLOW);
    try_open("a dangling link with a slash", "dangling/", O_RDONLY);
    try_open("a file and .", "f/.", O_RDONLY);
    try_open("a file and ..", "f/..", O_RDONLY);
    try_open(". with O_CREAT", ".", O_RDONLY | O_CREAT);
    try_open(".. with O_CREAT for writing", "..", O_RDWR | O_CREAT);
    try_open("/ with O_CREAT", "/", O_RDONLY | O_CREAT);
    try_open("the empty name", "", O_RDONLY);
    try_open("a loop", "loop", O_RDONLY);
    try_open("a loop with O_CREAT", "loop", O_RDWR | O_CREAT);
    try_open("a loop on the way", "loop/x", O_RDONLY);
    try_open("forty links", "chain1", O_RDONLY);
    try_open("forty-one links", "chain0", O_RDONLY);
    say_ok("a missing folder's descriptor", openat(-1, "f", O_RDONLY));
    say_ok("a file's descriptor", openat(MUST(open("f", O_RDONLY)), "f", O_RDONLY));
    say_ok("a file's descriptor and the empty name", openat(MUST(open("f", O_RDONLY)), "", O_RDONLY));
    say_ok("a file's descriptor and an absolute path", openat(MUST(open("f", O_RDONLY)), "/proc", O_RDONLY));
    say_ok("O_PATH's descriptor of a folder", openat(MUST(open("d", O_PATH)), "x", O_RDONLY));
    say_ok("a bad address", syscall(SYS_open, 16L, O_RDONLY));
}

static void path_only(void) {
    int fd = MUST(open("f", O_PATH)), folder = MUST(open("d", O_PATH));
    char buffer[256];
    struct stat status;
    struct statfs fs;
    say_call("O_PATH: read", read(fd, buffer, 1));
    say_call("write", write(fd, buffer, 1));
    say_call("pread", pread(fd, buffer, 1, 0));
    say_call("lseek", lseek(fd, 0, SEEK_SET));
    say_call("ftruncate", ftruncate(fd, 0));
    say_call("fsync", fsync(fd));
    say_call("syncfs", syncfs(fd));
    say_call("fchmod", syscall(SYS_fchmod, fd, 0600));
    say_call("fchown", fchown(fd, 0, 0));
    say_call("futimens", syscall(SYS_utimensat, fd, NULL, NULL, 0));
    say_call("ioctl", syscall(SYS_ioctl, fd, 0x541b, buffer));
    say_call("fgetxattr", fgetxattr(fd, "trusted.a", buffer, 10));
    say_call("flock", syscall(SYS_flock, fd, 1));
    say_call("fcntl F_SETFL", fcntl(fd, F_SETFL, O_NONBLOCK));
    say_call("fcntl F_GETLK", fcntl(fd, F_GETLK, &(struct flock){.l_type = F_RDLCK}));
    say_call("mmap", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    say_call("getdents64", syscall(SYS_getdents64, folder, buffer, sizeof(buffer)));
    say_call("fallocate", fallocate(fd, 0, 0, 10));
    say_call("fstat", fstat(fd, &status));
    say_call("fstatfs", fstatfs(fd, &fs));
    say_call("fcntl F_GETFD", fcntl(fd, F_GETFD));
    say_ok("dup", dup(fd));
    say_call("fchdir of a folder", fchdir(folder));
    say_call("and back", chdir(".."));
    say_call("fchdir of a file", fchdir(fd));
    say_call("readlink of /proc/self/fd",
             (snprintf(buffer, sizeof(buffer), "/proc/self/fd/%d", fd), access(buffer, R_OK)));
    say_ok("reopened through it", open(buffer, O_RDWR));
    int link_fd = MUST(open("s", O_PATH | O_NOFOLLOW));
    snprintf(buffer, sizeof(buffer), "/proc/self/fd/%d", link_fd);
    say_ok("a link reopened through it", open(buffer, O_RDONLY));
    say_ok("a link reopened, O_PATH", open(buffer, O_PATH));
    say_ok("the current folder through /proc", open("/proc/self/cwd/f", O_RDONLY));
    for (int i = 3; i < 40; i++) {
        close(i);
    }
}

static int as_user(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    try_open("user: O_NOATIME of another's file", "f", O_RDONLY | O_NOATIME);
    try_open("user: O_NOATIME of an own file", "mine", O_RDONLY | O_NOATIME);
    int fd = MUST(open("f", O_RDONLY));
    say_call("user: F_SETFL O_NOATIME of another's file", fcntl(fd, F_SETFL, O_NOATIME));
    close(fd);
    try_open("user: a closed file, O_CREAT and O_EXCL", "closed", O_RDWR | O_CREAT | O_EXCL);
    try_open("user: a closed file, O_CREAT", "closed", O_RDWR | O_CREAT);
    try_open("user: a closed file, O_DIRECTORY", "closed", O_RDONLY | O_DIRECTORY);
    try_open("user: a closed file with a slash", "closed/", O_RDONLY);
    try_open("user: a closed file, O_NOATIME", "closed", O_RDONLY | O_NOATIME);
    try_open("user: in a closed folder", "cd/x", O_RDONLY);
    try_open("user: in a closed folder, O_CREAT", "cd/x", O_RDWR | O_CREAT);
    try_open("user: a closed folder for writing", "cd", O_RDWR);
    try_open("user: a new file in a folder that is not writable", "d/new", O_RDWR | O_CREAT);
    try_open("user: a new file there with a slash", "d/new/", O_RDWR | O_CREAT);
    try_open("user: a file that is there, O_CREAT, folder not writable", "d/x", O_RDONLY | O_CREAT);
    try_open("user: the same, O_EXCL", "d/x", O_RDONLY | O_CREAT | O_EXCL);
    try_open("user: O_TMPFILE in a folder that is not writable", "d", O_RDWR | O_TMPFILE);
    try_open("user: O_TRUNC of a file that is only readable", "f", O_RDONLY | O_TRUNC);
    say_call("user: chdir to a closed folder", chdir("cd"));
    say_call("user: chdir to a file", chdir("f"));
    say_call("user: rename out of a closed folder", rename("cd/x", "y"));
    say_call("user: stat in a closed folder", access("cd/x", F_OK));
    say_call("user: stat of a missing one there", access("cd/missing", F_OK));
    say_call("user: .. of a closed folder", access("cd/..", F_OK));
    return 0;
}

static int entries_of(int fd, size_t size, bool old, char *names, size_t names_size) {
    char buffer[4096];
    int count = 0;
    *names = 0;
    for (;;) {
        long n = syscall(old ? SYS_getdents : SYS_getdents64, fd, buffer, size);
        if (n <= 0) {
            return n == 0 ? count : -1;
        }
        for (long at = 0; at < n; count++) {
            unsigned short length;
            memcpy(&length, buffer + at + 16, 2);
            const char *name = buffer + at + (old ? 18 : 19);
            if (strlen(names) + strlen(name) + 2 < names_size) {
                strcat(names, " ");
                strcat(names, name);
            }
            at += length;
        }
    }
}

static void listing(void) {
    char names[2000], buffer[512];
    MUST(mkdir("l", 0755));
    for (int i = 0; i < 50; i++) {
        snprintf(buffer, sizeof(buffer), "l/entry-%02d", i);
        file_make(buffer, "", 0644);
    }
    int fd = MUST(open("l", O_RDONLY | O_DIRECTORY));
    say("entries, small buffers", "%d", entries_of(fd, 64, false, names, sizeof(names)));
    say_call("at the end", syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
    say_call("back to the start", lseek(fd, 0, SEEK_SET));
    say("entries, getdents", "%d", entries_of(fd, 64, true, names, sizeof(names)));
    lseek(fd, 0, SEEK_SET);
    say_call("a buffer for none", syscall(SYS_getdents64, fd, buffer, 23));
    say_call("a buffer for one", syscall(SYS_getdents64, fd, buffer, 24));
    say_call("a buffer of nothing", syscall(SYS_getdents64, fd, buffer, 0));
    say_call("a bad address", syscall(SYS_getdents64, fd, 16L, 512L));
    say_call("getdents, a buffer for none", syscall(SYS_getdents, fd, buffer, 23));
    say_call("getdents, a bad address", syscall(SYS_getdents, fd, 16L, 512L));
    say_call("of a file", syscall(SYS_getdents64, MUST(open("f", O_RDONLY)), buffer, sizeof(buffer)));
    say_call("of none", syscall(SYS_getdents64, -1, buffer, sizeof(buffer)));
    // A file that is there all along is seen once, whatever comes and goes beside it.
    lseek(fd, 0, SEEK_SET);
    int seen = 0;
    for (int round = 0;; round++) {
        long n = syscall(SYS_getdents64, fd, buffer, 64);
        if (n <= 0 || round > 500) {
            break;
        }
        for (long at = 0; at < n;) {
            unsigned short length;
            memcpy(&length, buffer + at + 16, 2);
            const char *name = buffer + at + 19;
            int number;
            seen += sscanf(name, "entry-%d", &number) == 1 && number % 2 == 0;
            at += length;
        }
        if (round < 25) {
            char path[64];
            snprintf(path, sizeof(path), "l/entry-%02d", round * 2 + 1);
            unlink(path);
        }
    }
    say("those that stay, while others go", "%d", seen);
    lseek(fd, 0, SEEK_SET);
    MUST(syscall(SYS_getdents64, fd, buffer, 64));
    off_t place = lseek(fd, 0, SEEK_CUR);
    int rest = entries_of(fd, 512, false, names, sizeof(names));
    say_bool("a place comes back",
             lseek(fd, place, SEEK_SET) == place && entries_of(fd, 512, false, names, sizeof(names)) == rest);
    say_call("SEEK_END", lseek(fd, 0, SEEK_END) == -1 ? -1 : 0);
    say_call("a negative place", lseek(fd, -1, SEEK_SET));
    close(fd);
}

static void places(void) {
    char path[4096], here[256];
    getcwd(here, sizeof(here));
    long length = (long)strlen(here) + 1;
    say_bool("getcwd returns the length", syscall(SYS_getcwd, path, sizeof(path)) == length);
    say_bool("just enough", syscall(SYS_getcwd, path, length) == length);
    say_call("one short", syscall(SYS_getcwd, path, length - 1));
    say_call("no length", syscall(SYS_getcwd, path, 0));
    say_call("a bad address", syscall(SYS_getcwd, 16L, 4096L));
    MUST(mkdir("gone", 0755));
    MUST(chdir("gone"));
    MUST(rmdir("../gone"));
    say_call("of a removed folder", syscall(SYS_getcwd, path, sizeof(path)));
    say_call("chdir to .", chdir("."));
    say_call("chdir to ..", chdir(".."));
    say_call("chdir to a missing one", chdir("missing"));
    say_call("chdir through a link", chdir("sd"));
    say_bool("the name is the target's",
             syscall(SYS_getcwd, path, sizeof(path)) > 0 && strcmp(strrchr(path, '/'), "/d") == 0);
    MUST(chdir(here));
    say_call("chdir to the empty name", chdir(""));
    say_call("chdir with a slash behind a file", chdir("f/"));
    say_call("fchdir of none", fchdir(-1));
    int fd = MUST(open("d", O_RDONLY));
    say_call("fchdir", fchdir(fd));
    MUST(chdir(here));
    MUST(chmod("d", 0));
    say_call("fchdir as root of a closed one", fchdir(fd));
    MUST(chdir(here));
    MUST(chmod("d", 0755));
    say_call("sync", (sync(), 0));
    say_call("syncfs", syncfs(fd));
    say_call("syncfs of none", syncfs(-1));
    close(fd);
}

int main(void) {
    file_make("f", "0123456789", 0644);
    file_make("closed", "x", 0600);
    file_make("mine", "x", 0644);
    MUST(chown("mine", 1000, 1000));
    MUST(mkdir("d", 0755));
    file_make("d/x", "x", 0644);
    MUST(mkdir("cd", 0700));
    file_make("cd/x", "x", 0644);
    MUST(symlink("f", "s"));
    MUST(symlink("d", "sd"));
    MUST(symlink("loop", "loop"));
    MUST(symlink("missing/nowhere", "dangling"));
    for (int i = 0; i < 41; i++) {
        char from[20], to[20];
        snprintf(from, sizeof(from), "chain%d", i);
        snprintf(to, sizeof(to), i < 40 ? "chain%d" : "f", i + 1);
        MUST(symlink(to, from));
    }
    flags();
    slashes();
    path_only();
    say_child("a user", as_user);
    listing();
    places();
    return 0;
}
