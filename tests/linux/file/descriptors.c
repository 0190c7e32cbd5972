// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// dup, dup2, dup3, fcntl, close: numbers, flags, what is shared between copies.
#include "testing.h"

int main(void) {
    file_make("f", "0123456789", 0644);
    int fd = MUST(open("f", O_RDONLY));
    say_call("first descriptor", fd);
    int copy = dup(fd);
    say_call("dup takes the lowest", copy);
    MUST(lseek(fd, 5, SEEK_SET));
    say_call("copies share the offset", lseek(copy, 0, SEEK_CUR));
    say_call("dup2", dup2(fd, 10));
    say_call("dup2 onto itself", dup2(fd, fd));
    say_call("dup2 of a closed one onto itself", dup2(77, 77));
    say_call("dup2 of a closed one", dup2(77, 10));
    say_ok("the target was not closed", fcntl(10, F_GETFD));
    say_call("dup2 to a negative one", dup2(fd, -1));
    say_call("dup2 beyond the limit", dup2(fd, 1 << 20));
    say_call("dup of a closed one", dup(77));
    say_call("dup3 onto itself", dup3(fd, fd, 0));
    say_call("dup3 with an unknown flag", syscall(SYS_dup3, fd, 11, 1));
    say_call("dup3 O_CLOEXEC", dup3(fd, 11, O_CLOEXEC));
    say_call("FD_CLOEXEC of it", fcntl(11, F_GETFD));
    say_call("FD_CLOEXEC of the original", fcntl(fd, F_GETFD));
    say_call("F_SETFD", fcntl(fd, F_SETFD, FD_CLOEXEC));
    say_call("F_GETFD", fcntl(fd, F_GETFD));
    say_call("a copy has a flag of its own", fcntl(copy, F_GETFD));
    say_call("F_SETFD with other bits", fcntl(fd, F_SETFD, 0xf0));
    say_call("F_GETFD", fcntl(fd, F_GETFD));
    say_call("F_DUPFD from 20", fcntl(fd, F_DUPFD, 20));
    say_call("F_DUPFD_CLOEXEC from 20", fcntl(fd, F_DUPFD_CLOEXEC, 20));
    say_call("FD_CLOEXEC of that", fcntl(21, F_GETFD));
    say_call("F_DUPFD from a negative one", fcntl(fd, F_DUPFD, -1));
    say_call("F_GETFL", fcntl(fd, F_GETFL) & ~0x8000);
    say_call("F_SETFL O_APPEND and O_NONBLOCK", fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    say("a copy shares them", "%#x", (unsigned)fcntl(copy, F_GETFL) & ~0x8000u);
    say_call("F_SETFL does not change the access mode", fcntl(fd, F_SETFL, O_RDWR));
    say("F_GETFL", "%#x", (unsigned)fcntl(fd, F_GETFL) & ~0x8000u);
    say_call("unknown command", fcntl(fd, 12345));
    say_call("fcntl of a closed one", fcntl(77, F_GETFD));
    say_call("close", close(copy));
    say_call("close again", close(copy));
    say_call("close of a negative one", close(-1));
    say_call("the other copy lives", lseek(fd, 0, SEEK_CUR));
    say_call("close_range", syscall(SYS_close_range, 10, 21, 0));
    say_call("closed by it", fcntl(10, F_GETFD));
    say_call("close_range, wrong order", syscall(SYS_close_range, 10, 9, 0));
    say_call("close_range, unknown flag", syscall(SYS_close_range, 10, 11, 64));
    return 0;
}
