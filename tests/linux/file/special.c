// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mknod, fifos, statfs, sendfile, copies between descriptors, sync: what applets use beside plain files.
#include "testing.h"
#include <sys/sendfile.h>
#include <sys/statfs.h>

static int open_fifo_to_write(void) {
    int fd = MUST(open("fifo", O_WRONLY));
    write(fd, "through", 7);
    return 0;
}

int main(void) {
    struct stat status;
    char buffer[64] = "";
    say_call("mknod of a plain file", mknod("plain", S_IFREG | 0644, 0));
    say_call("mknod without a type", mknod("plain2", 0644, 0));
    MUST(stat("plain2", &status));
    say_bool("makes a plain file", S_ISREG(status.st_mode));
    say_call("mknod of a folder", mknod("folder", S_IFDIR | 0755, 0));
    say_call("mknod of what is there", mknod("plain", S_IFREG | 0644, 0));
    say_call("mknod of an unknown type", mknod("x", 0150000 | 0644, 0));
    say_call("mknod of a device", mknod("null", S_IFCHR | 0666, (1 << 8) | 3));
    int fd = open("null", O_RDWR);
    say_ok("it opens", fd);
    say_call("and writes", write(fd, "x", 1));
    say_call("device without a driver", (MUST(mknod("none", S_IFCHR | 0666, (200 << 8) | 77)), open("none", O_RDONLY)));
    say_call("mkfifo", mknod("fifo", S_IFIFO | 0644, 0));
    say_call("fifo for writing without a reader, O_NONBLOCK", open("fifo", O_WRONLY | O_NONBLOCK));
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    say_ok("fifo for reading, O_NONBLOCK", reader);
    say_call("read without a writer", read(reader, buffer, 10));
    close(reader);
    pid_t pid = spawn(open_fifo_to_write);
    reader = MUST(open("fifo", O_RDONLY));
    say_call("the two meet", read(reader, buffer, 10));
    reap(pid);
    say_call("end when the writer is gone", read(reader, buffer, 10));
    int both = open("fifo", O_RDWR);
    say_ok("fifo for both", both);
    say_call("write to it", write(both, "x", 1));

    file_make("source", "0123456789", 0644);
    int from = MUST(open("source", O_RDONLY)), to = MUST(open("copy", O_RDWR | O_CREAT, 0644));
    off_t offset = 2;
    say_call("sendfile with an offset", sendfile(to, from, &offset, 4));
    say_call("offset afterwards", offset);
    say_call("the file's own offset", lseek(from, 0, SEEK_CUR));
    say_call("sendfile without an offset", sendfile(to, from, NULL, 100));
    say_call("the file's own offset", lseek(from, 0, SEEK_CUR));
    say_call("sendfile at the end", sendfile(to, from, NULL, 100));
    say_file("copy", "copy");
    int pipes[2];
    MUST(pipe(pipes));
    lseek(from, 0, SEEK_SET);
    say_call("sendfile into a pipe", sendfile(pipes[1], from, NULL, 5));
    say_call("sendfile from a pipe", sendfile(to, pipes[0], NULL, 5));
    say_call("sendfile into a read-only descriptor", sendfile(from, to, NULL, 5));
    say_call("sendfile of a closed one", sendfile(to, 99, NULL, 5));

    struct statfs system;
    say_call("statfs", statfs(".", &system));
    say("tmpfs", "type %#lx, name length %ld, block size %ld", (unsigned long)system.f_type, (long)system.f_namelen,
        (long)system.f_bsize);
    say_call("statfs of /proc", statfs("/proc", &system));
    say("proc", "type %#lx", (unsigned long)system.f_type);
    say_call("statfs of a missing one", statfs("missing", &system));
    say_call("fstatfs", fstatfs(from, &system));
    say_call("fsync", fsync(to));
    say_call("fdatasync", fdatasync(to));
    say_call("fsync of a pipe", fsync(pipes[0]));
    say_call("fsync of a closed one", fsync(99));
    sync();
    say_call("syncfs", syncfs(to));
    say_call("flock", syscall(SYS_flock, to, 2));
    int second = MUST(open("copy", O_RDWR));
    say_call("flock of another opening, not waiting", syscall(SYS_flock, second, 2 | 4));
    close(to);
    say_call("after close", syscall(SYS_flock, second, 2 | 4));
    return 0;
}
