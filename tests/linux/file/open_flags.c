// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// open: what each flag does, alone and with others.
#include "testing.h"

static void try_open(const char *name, const char *path, int flags, mode_t mode) {
    int fd = open(path, flags, mode);
    say_ok(name, fd);
    if (fd != -1) {
        close(fd);
    }
}

static long size_of(const char *path) {
    struct stat status;
    return stat(path, &status) == -1 ? -errno : (long)status.st_size;
}

int main(void) {
    file_make("file", "0123456789", 0644);
    MUST(mkdir("folder", 0755));
    MUST(symlink("file", "link"));
    MUST(symlink("folder", "folder-link"));
    MUST(symlink("nowhere", "dangling"));
    try_open("O_CREAT makes a file", "new", O_WRONLY | O_CREAT, 0640);
    say("its size", "%ld", size_of("new"));
    try_open("O_CREAT of one that is there", "file", O_RDONLY | O_CREAT, 0);
    say("its size", "%ld", size_of("file"));
    try_open("O_CREAT O_EXCL of one that is there", "file", O_RDONLY | O_CREAT | O_EXCL, 0644);
    try_open("O_CREAT O_EXCL of a folder", "folder", O_RDONLY | O_CREAT | O_EXCL, 0644);
    try_open("O_CREAT O_EXCL of a link to nowhere", "dangling", O_RDWR | O_CREAT | O_EXCL, 0644);
    try_open("O_CREAT of a link to nowhere", "dangling", O_RDWR | O_CREAT, 0644);
    say("the link's target was made, size", "%ld", size_of("nowhere"));
    try_open("O_CREAT of a folder", "folder", O_RDONLY | O_CREAT, 0644);
    try_open("O_CREAT with a trailing slash", "new2/", O_RDWR | O_CREAT, 0644);
    try_open("O_CREAT in a missing folder", "missing/new", O_RDWR | O_CREAT, 0644);
    try_open("O_TRUNC", "file", O_WRONLY | O_TRUNC, 0);
    say("its size", "%ld", size_of("file"));
    file_make("file", "0123456789", 0644);
    try_open("O_TRUNC with O_RDONLY", "file", O_RDONLY | O_TRUNC, 0);
    say("its size", "%ld", size_of("file"));
    try_open("O_TRUNC of a folder", "folder", O_WRONLY | O_TRUNC, 0);
    try_open("folder for writing", "folder", O_WRONLY, 0);
    try_open("folder for reading and writing", "folder", O_RDWR, 0);
    try_open("folder for reading", "folder", O_RDONLY, 0);
    try_open("O_DIRECTORY of a folder", "folder", O_RDONLY | O_DIRECTORY, 0);
    try_open("O_DIRECTORY of a file", "file", O_RDONLY | O_DIRECTORY, 0);
    try_open("O_DIRECTORY of a link to a folder", "folder-link", O_RDONLY | O_DIRECTORY, 0);
    try_open("O_NOFOLLOW of a link", "link", O_RDONLY | O_NOFOLLOW, 0);
    try_open("O_NOFOLLOW of a file", "file", O_RDONLY | O_NOFOLLOW, 0);
    try_open("O_NOFOLLOW O_DIRECTORY of a link to a folder", "folder-link", O_RDONLY | O_NOFOLLOW | O_DIRECTORY, 0);
    try_open("O_NOFOLLOW of a link in the middle", "folder-link/.", O_RDONLY | O_NOFOLLOW, 0);
    try_open("O_PATH of a link with O_NOFOLLOW", "link", O_PATH | O_NOFOLLOW, 0);
    try_open("access mode 3", "file", 3, 0);
    try_open("unknown flag bits are ignored", "file", O_RDONLY | 0x40000000, 0);

    int fd = MUST(open("append", O_RDWR | O_CREAT | O_APPEND, 0644));
    MUST(write(fd, "abc", 3));
    lseek(fd, 0, SEEK_SET);
    MUST(write(fd, "def", 3));
    say_call("O_APPEND: the offset after a write", lseek(fd, 0, SEEK_CUR));
    say_call("O_APPEND: pwrite appends too", pwrite(fd, "X", 1, 0));
    say_file("O_APPEND: contents", "append");
    say("flags of it", "%#x", (unsigned)fcntl(fd, F_GETFL) & ~(unsigned)O_LARGEFILE & ~0x8000u);
    say_call("O_CLOEXEC sets FD_CLOEXEC", fcntl(MUST(open("file", O_RDONLY | O_CLOEXEC)), F_GETFD));
    fd = MUST(open("file", O_WRONLY));
    char byte;
    say_call("read of a write-only descriptor", read(fd, &byte, 1));
    fd = MUST(open("file", O_RDONLY));
    say_call("write of a read-only descriptor", write(fd, &byte, 1));
    fd = MUST(open("file", O_PATH));
    say_call("read of an O_PATH descriptor", read(fd, &byte, 1));
    say_call("fchmod of an O_PATH descriptor", syscall(SYS_fchmod, fd, 0600));
    struct stat status;
    say_call("fstat of an O_PATH descriptor", fstat(fd, &status));
    fd = MUST(open("folder", O_RDONLY));
    say_call("read of a folder", read(fd, &byte, 1));
    say_call("write of a folder", write(fd, &byte, 1));
    say_call("the lowest free descriptor is taken", (close(0), open("file", O_RDONLY)));
    return 0;
}
