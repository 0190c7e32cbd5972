// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// truncate, ftruncate, fallocate, and the limit RLIMIT_FSIZE.
#include "testing.h"

static int write_above_limit(void) {
    struct rlimit limit = {100, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    char data[200];
    memset(data, 'd', sizeof(data));
    int fd = MUST(open("limited", O_RDWR | O_CREAT, 0644));
    say_call("write that crosses the limit", write(fd, data, 200));
    say_call("write at the limit", write(fd, data, 200));
    say_call("ftruncate above the limit", ftruncate(fd, 101));
    say_call("ftruncate to the limit", ftruncate(fd, 100));
    signal(SIGXFSZ, SIG_DFL);
    write(fd, data, 1);
    return 0;
}

int main(void) {
    char buffer[16] = "";
    struct stat status;
    file_make("f", "0123456789", 0644);
    int fd = MUST(open("f", O_RDWR)), reader = MUST(open("f", O_RDONLY));
    say_call("shrink", ftruncate(fd, 4));
    say_file("contents", "f");
    say_call("grow", ftruncate(fd, 8));
    say_call("read", pread(fd, buffer, 16, 0));
    say("the new part", "%d %d", buffer[4], buffer[7]);
    say_call("negative", ftruncate(fd, -1));
    say_call("read-only descriptor", ftruncate(reader, 1));
    say_call("truncate by name", truncate("f", 2));
    say_call("truncate of a missing file", truncate("missing", 2));
    say_call("truncate of a folder", truncate(".", 2));
    say_call("truncate negative", truncate("f", -1));
    say_call("truncate of a missing file, negative", truncate("missing", -1));
    MUST(mknod("fifo", S_IFIFO | 0644, 0));
    say_call("truncate of a fifo", truncate("fifo", 0));
    int pipes[2];
    MUST(pipe(pipes));
    say_call("ftruncate of a pipe", ftruncate(pipes[1], 0));
    say_call("ftruncate of a closed descriptor", ftruncate(99, 0));
    lseek(fd, 0, SEEK_END);
    ftruncate(fd, 0);
    say_call("the offset stays when the file shrinks", lseek(fd, 0, SEEK_CUR));
    say_call("and a write there leaves a hole", write(fd, "x", 1));
    fstat(fd, &status);
    say("size", "%ld", (long)status.st_size);
    say_call("an exabyte", ftruncate(fd, 1L << 60));
    fstat(fd, &status);
    say("size", "%ld", (long)status.st_size);
    say_child("RLIMIT_FSIZE", write_above_limit);
    pid_t pid = fork();
    if (pid == 0) {
        setuid(1000);
        say_call("truncate without permission", truncate("f", 0));
        _exit(0);
    }
    reap(pid);
    return 0;
}
