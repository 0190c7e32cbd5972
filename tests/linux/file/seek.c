// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// lseek: each origin, data and holes, limits, what has no position.
#include "testing.h"

int main(void) {
    int fd = MUST(open("f", O_RDWR | O_CREAT, 0644)), pipes[2];
    MUST(write(fd, "0123456789", 10));
    say_call("SEEK_SET", lseek(fd, 3, SEEK_SET));
    say_call("SEEK_CUR", lseek(fd, 2, SEEK_CUR));
    say_call("SEEK_CUR back", lseek(fd, -4, SEEK_CUR));
    say_call("SEEK_END", lseek(fd, -1, SEEK_END));
    say_call("beyond the end", lseek(fd, 1000, SEEK_END));
    say_call("before the start", lseek(fd, -11, SEEK_END));
    say_call("the offset stays after an error", lseek(fd, 0, SEEK_CUR));
    say_call("negative", lseek(fd, -1, SEEK_SET));
    say_call("unknown origin", lseek(fd, 0, 9));
    say_call("closed descriptor", lseek(99, 0, SEEK_SET));
    say_call("closed descriptor and unknown origin", lseek(99, 0, 9));
    MUST(pipe(pipes));
    say_call("pipe", lseek(pipes[0], 0, SEEK_SET));
    say_call("pipe and unknown origin", lseek(pipes[0], 0, 9));
    say_call("overflow", (lseek(fd, 0x7ffffffffffffff0L, SEEK_SET), lseek(fd, 100, SEEK_CUR)));
    say_call("SEEK_DATA", lseek(fd, 2, SEEK_DATA));
    say_call("SEEK_HOLE", lseek(fd, 2, SEEK_HOLE));
    say_call("SEEK_DATA at the end", lseek(fd, 10, SEEK_DATA));
    say_call("SEEK_HOLE at the end", lseek(fd, 10, SEEK_HOLE));

    ftruncate(fd, 0);
    pwrite(fd, "x", 1, 1 << 20);
    struct stat status;
    fstat(fd, &status);
    say("sparse file", "size %ld, blocks below 100: %s", (long)status.st_size, status.st_blocks < 100 ? "yes" : "no");
    char byte = 1;
    say_call("read in the hole", pread(fd, &byte, 1, 500000));
    say("byte", "%d", byte);
    say_call("SEEK_DATA from the start", lseek(fd, 0, SEEK_DATA));
    say_call("SEEK_HOLE from the start", lseek(fd, 0, SEEK_HOLE));
    int folder = MUST(open(".", O_RDONLY));
    say_call("folder to its start", lseek(folder, 0, SEEK_SET));
    say_call("/dev/null", lseek(MUST(open("/dev/null", O_RDONLY)), 100, SEEK_SET));
    say_call("/dev/zero", lseek(MUST(open("/dev/zero", O_RDONLY)), 100, SEEK_SET));
    return 0;
}
