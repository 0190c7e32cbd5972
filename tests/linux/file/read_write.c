// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// read, write, pread, pwrite, readv, writev on files: counts, ends, offsets, errors and their order.
#include "testing.h"
#include <sys/uio.h>

int main(void) {
    char buffer[64] = "";
    int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));
    say_call("write", write(fd, "hello world", 11));
    say_call("read at the end", read(fd, buffer, 10));
    say_call("pread", pread(fd, buffer, 5, 6));
    say("bytes", "%.5s", buffer);
    say_call("pread leaves the offset", lseek(fd, 0, SEEK_CUR));
    say_call("pread across the end", pread(fd, buffer, 20, 6));
    say_call("pread beyond the end", pread(fd, buffer, 20, 100));
    say_call("pread at a negative offset", pread(fd, buffer, 1, -1));
    say_call("pwrite at a negative offset", pwrite(fd, buffer, 1, -1));
    say_call("pwrite beyond the end", pwrite(fd, "end", 3, 20));
    say_call("size", lseek(fd, 0, SEEK_END));
    MUST(pread(fd, buffer, 12, 11));
    say("the gap", "%d %d %c", buffer[0], buffer[8], buffer[9]);
    say_call("write of 0 bytes", write(fd, buffer, 0));
    say_call("write of 0 bytes from a bad address", write(fd, (void *)8, 0));
    say_call("read of 0 bytes", read(fd, buffer, 0));
    say_call("closed descriptor", read(99, buffer, 1));
    say_call("negative descriptor", write(-1, buffer, 1));
    say_call("closed descriptor and bad address", read(99, (void *)8, 1));

    struct iovec parts[3] = {{(void *)"one", 3}, {(void *)"", 0}, {(void *)"three", 5}};
    ftruncate(fd, 0);
    lseek(fd, 0, SEEK_SET);
    say_call("writev", writev(fd, parts, 3));
    char first[2] = "", second[10] = "";
    struct iovec into[2] = {{first, 2}, {second, 9}};
    lseek(fd, 0, SEEK_SET);
    say_call("readv", readv(fd, into, 2));
    say("parts", "%.2s %s", first, second);
    say_call("readv with count 0", readv(fd, into, 0));
    say_call("readv with a negative count", readv(fd, into, -1));
    say_call("readv with count 1025", readv(fd, into, 1025));
    struct iovec huge[2] = {{first, 0x7fffffffffffffffL}, {second, 0x7fffffffffffffffL}};
    say_call("lengths whose sum overflows", readv(fd, huge, 2));
    struct iovec negative[1] = {{first, (size_t)-1}};
    say_call("a length that is negative", readv(fd, negative, 1));
    say_call("preadv", preadv(fd, into, 2, 3));
    say("parts", "%.2s %.3s", first, second);
    say_call("pwritev", pwritev(fd, parts, 1, 8));
    say_call("preadv at a negative offset", preadv(fd, into, 2, -1));

    int pipes[2];
    MUST(pipe(pipes));
    say_call("pread of a pipe", pread(pipes[0], buffer, 1, 0));
    say_call("pwrite of a pipe", pwrite(pipes[1], buffer, 1, 0));
    say_call("read of the writing end", read(pipes[1], buffer, 1));
    say_call("write of the reading end", write(pipes[0], buffer, 1));

    // A large file in odd pieces, read back in other pieces.
    fd = MUST(open("large", O_RDWR | O_CREAT, 0644));
    unsigned sum = 0, check = 0;
    static unsigned char piece[10007];
    for (int i = 0; i < 100; i++) {
        for (size_t j = 0; j < sizeof(piece); j++) {
            piece[j] = (unsigned char)(i * 7 + j * 13);
            sum = sum * 31 + piece[j];
        }
        MUST(write(fd, piece, sizeof(piece)));
    }
    lseek(fd, 0, SEEK_SET);
    ssize_t n;
    while ((n = read(fd, piece, 4099)) > 0) {
        for (ssize_t j = 0; j < n; j++) {
            check = check * 31 + piece[j];
        }
    }
    say_bool("a megabyte in odd pieces is the same", sum == check);
    return 0;
}
