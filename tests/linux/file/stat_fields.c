// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// stat, lstat, fstat, newfstatat, statx: the fields, by kind of file, and how they change.
#include "testing.h"
#include <sys/sysmacros.h>

static void show(const char *name, const struct stat *status) {
    say(name, "mode %06o links %d uid %d gid %d size %ld", (unsigned)status->st_mode, (int)status->st_nlink,
        (int)status->st_uid, (int)status->st_gid, S_ISDIR(status->st_mode) ? -1L : (long)status->st_size);
}

int main(void) {
    struct stat status, other;
    file_make("file", "0123456789", 0644);
    MUST(link("file", "hard"));
    MUST(symlink("file", "soft"));
    MUST(mkdir("folder", 0750));
    MUST(mkdir("folder/sub", 0755));
    MUST(mknod("fifo", S_IFIFO | 0600, 0));
    MUST(stat("file", &status));
    show("file", &status);
    say("block size", "%ld", (long)status.st_blksize);
    say("blocks", "%ld", (long)status.st_blocks);
    MUST(stat("hard", &other));
    say_bool("hard link is the same inode", status.st_ino == other.st_ino && status.st_dev == other.st_dev);
    MUST(stat("soft", &other));
    say_bool("stat follows a link", status.st_ino == other.st_ino);
    MUST(lstat("soft", &other));
    show("lstat of a link", &other);
    MUST(stat("folder", &other));
    show("folder with one folder in it", &other);
    MUST(stat("fifo", &other));
    show("fifo", &other);
    MUST(stat("/dev/null", &other));
    say("/dev/null", "mode %06o device %d:%d", (unsigned)other.st_mode, (int)major(other.st_rdev),
        (int)minor(other.st_rdev));
    MUST(stat("/dev/zero", &other));
    say("/dev/zero", "mode %06o device %d:%d", (unsigned)other.st_mode, (int)major(other.st_rdev),
        (int)minor(other.st_rdev));
    int pipes[2];
    MUST(pipe(pipes));
    MUST(fstat(pipes[0], &other));
    show("pipe", &other);
    int fd = MUST(open("file", O_RDONLY));
    MUST(unlink("hard"));
    MUST(fstat(fd, &other));
    say("links after removing one", "%d", (int)other.st_nlink);
    MUST(unlink("file"));
    MUST(fstat(fd, &other));
    say("links after removing the last", "%d", (int)other.st_nlink);

    file_make("timed", "x", 0644);
    MUST(stat("timed", &status));
    sleep_ms(30);
    fd = MUST(open("timed", O_RDWR));
    MUST(write(fd, "y", 1));
    MUST(fstat(fd, &other));
    say_bool("write changes mtime and ctime",
             other.st_mtim.tv_nsec != status.st_mtim.tv_nsec && other.st_ctim.tv_nsec != status.st_ctim.tv_nsec);
    status = other;
    sleep_ms(30);
    MUST(chmod("timed", 0600));
    MUST(fstat(fd, &other));
    say_bool("chmod changes ctime alone",
             other.st_mtim.tv_nsec == status.st_mtim.tv_nsec && other.st_ctim.tv_nsec != status.st_ctim.tv_nsec);

    say_call("empty path", stat("", &status));
    say_call("AT_EMPTY_PATH", fstatat(fd, "", &other, AT_EMPTY_PATH));
    say("size", "%ld", (long)other.st_size);
    say_call("AT_SYMLINK_NOFOLLOW", fstatat(AT_FDCWD, "soft", &other, AT_SYMLINK_NOFOLLOW));
    say_bool("is a link", S_ISLNK(other.st_mode));
    say_call("unknown flag", fstatat(AT_FDCWD, "timed", &other, 0x8000));
    say_call("closed descriptor", fstat(99, &other));
    say_call("relative to a file", fstatat(fd, "x", &other, 0));
    say_call("relative to a closed descriptor", fstatat(99, "x", &other, 0));
    say_call("absolute with a closed descriptor", fstatat(99, "/", &other, 0));
    say_call("bad address of the name", stat((char *)8, &other));
    say_call("bad address of the result", syscall(SYS_stat, "timed", (void *)8));

    // statx as far as C libraries use it: mask, mode, size.
    struct {
        uint32_t mask, block_size;
        uint64_t attributes;
        uint32_t links, uid, gid;
        uint16_t mode, spare;
        uint64_t inode, size, blocks;
        char rest[256];
    } extended;
    memset(&extended, 0, sizeof(extended));
    say_call("statx", syscall(SYS_statx, AT_FDCWD, "timed", 0, 0x7ff, &extended));
    say("statx fields", "basic %d links %u mode %o size %lu", (extended.mask & 0x7ff) == 0x7ff, extended.links,
        extended.mode, (unsigned long)extended.size);
    say_call("statx with a reserved mask", syscall(SYS_statx, AT_FDCWD, "timed", 0, 0x80000000u, &extended));
    return 0;
}
