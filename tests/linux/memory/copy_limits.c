// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls whose buffer ends in the middle: what is copied up to the first bad page, and when it is EFAULT after all.
#include "testing.h"
#include <sys/uio.h>

// The last bytes of a page, with nothing mapped behind it.
static char *edge(void) {
    char *area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(area + PAGE, PAGE);
    return area + PAGE;
}

int main(void) {
    char *end = edge();
    char big[100];
    memset(big, 'b', sizeof(big));
    int fd = MUST(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));
    MUST(write(fd, big, 100));
    say_call("file read that ends beyond", pread(fd, end - 10, 100, 0));
    say_call("file read that starts beyond", pread(fd, end, 100, 0));
    say_call("file write that starts beyond", pwrite(fd, end, 100, 0));
    say_call("file read of 0 bytes to a bad address", pread(fd, end, 0, 0));
    say_call("file read at the end to a bad address", pread(fd, end, 10, 100));

    int pipes[2];
    MUST(pipe2(pipes, O_NONBLOCK));
    say_call("pipe write that starts beyond", write(pipes[1], end, 10));
    say_call("the pipe is empty", read(pipes[0], big, 10));
    MUST(write(pipes[1], big, 20));
    say_call("pipe read that starts beyond", read(pipes[0], end, 10));
    say_call("the bytes are still there", read(pipes[0], big, 100));

    struct iovec vectors[2] = {{end - 4, 4}, {end, 4}};
    MUST(pwrite(fd, "abcdefgh", 8, 0));
    say_call("readv whose second part is bad", preadv(fd, vectors, 2, 0));
    struct iovec first[2] = {{end, 4}, {end - 4, 4}};
    say_call("readv whose first part is bad", preadv(fd, first, 2, 0));
    say_call("readv with its list at a bad address", syscall(SYS_readv, fd, end, 2));
    say_call("readv with its list across the edge", syscall(SYS_readv, fd, end - sizeof(struct iovec), 2));

    // Names: the string may end exactly at the edge; without its end it is a fault.
    memcpy(end - 2, "f", 2);
    say_call("name that ends at the edge", access(end - 2, F_OK));
    end[-1] = 'f';
    say_call("name without an end", access(end - 2, F_OK));
    struct stat *status = (struct stat *)(end - 8);
    say_call("stat across the edge", syscall(SYS_stat, "f", status));
    say_call("pipe with a bad address", syscall(SYS_pipe2, end - 4, 0));
    say_call("kernel address as a buffer", pread(fd, (void *)0xffffffff80000000UL, 4, 0));
    say_call("address that is not canonical", pread(fd, (void *)0x8000000000000000UL, 4, 0));
    say_call("buffer that wraps", pread(fd, (void *)-4096L, 8192, 0));
    say_call("length above what a call takes", pread(fd, big, (size_t)-1, 0));
    return 0;
}
