// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// socket and socketpair: which families, types, protocols and flags there are, in which order they are refused; what a socket is as a file.
#include "sockets.h"
#include <sys/statfs.h>

static void say_link(const char *what, int fd) {
    char path[64], text[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = 0;
    struct stat st;
    fstat(fd, &st);
    char expected[64];
    snprintf(expected, sizeof(expected), "socket:[%lu]", (unsigned long)st.st_ino);
    say(what, "%.8s %s", text, strcmp(text, expected) == 0 ? "and its inode" : "another number");
}

int main(void) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW, 0, SOCK_RDM, 9, SOCK_PACKET, 11, 15};
    char what[64];
    int value, fds[2];
    socklen_t length;
    for (size_t i = 0; i < COUNT(types); i++) {
        int fd = socket(AF_UNIX, types[i], 0);
        snprintf(what, sizeof(what), "AF_UNIX type %d", types[i]);
        say_ok(what, fd);
        if (fd != -1) {
            length = sizeof(value);
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length);
            say("  is of type", "%d", value);
            close(fd);
        }
    }
    say_ok("protocol PF_UNIX", socket(AF_UNIX, SOCK_STREAM, PF_UNIX));
    say_ok("protocol 2", socket(AF_UNIX, SOCK_STREAM, 2));
    say_ok("protocol 2 and a type that is not there", socket(AF_UNIX, SOCK_RDM, 2));
    say_ok("protocol -1", socket(AF_UNIX, SOCK_STREAM, -1));
    say_ok("family -1", socket(-1, SOCK_STREAM, 0));
    say_ok("family 46", socket(46, SOCK_STREAM, 0));
    say_ok("family 46 and type 15", socket(46, 15, 0));
    say_ok("family 0", socket(0, SOCK_STREAM, 0));
    say_ok("family 0 and type 15", socket(0, 15, 0));
    say_ok("family 45 unknown flags", socket(45, SOCK_STREAM | 0x10, 0));
    say_ok("unknown flags", socket(AF_UNIX, SOCK_STREAM | 0x100, 0));

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    say("flags of SOCK_NONBLOCK SOCK_CLOEXEC", "%#x %d", (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    close(fd);
    fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say("flags", "%#x %d", (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    struct stat st;
    fstat(fd, &st);
    say("mode, size, links, owner", "%#o %ld %ld %d", (unsigned)st.st_mode, (long)st.st_size, (long)st.st_nlink,
        (int)st.st_uid);
    say_link("its link", fd);
    struct statfs sf;
    say_call("fstatfs", fstatfs(fd, &sf));
    say_call("lseek", lseek(fd, 0, SEEK_CUR));
    say_call("pread", pread(fd, what, 1, 0));
    say_call("pwrite", pwrite(fd, what, 1, 0));
    say_call("ftruncate", ftruncate(fd, 0));
    say_call("fsync", fsync(fd));
    say("mmap", "%s", mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? error_name(errno) : "ok");
    say_call("read unconnected", read(fd, what, 1));
    say_call("read of nothing", read(fd, what, 0));
    say_call("write unconnected", write(fd, what, 1));
    snprintf(what, sizeof(what), "/proc/self/fd/%d", fd);
    say_ok("open through /proc", open(what, O_RDWR));
    say_ok("O_PATH through /proc", open(what, O_PATH));
    int raw = open(what, O_PATH);
    say_call("send on O_PATH", send(raw, "x", 1, 0));
    say_call("ioctl unknown", ioctl(fd, 0x12345678, 0));
    int on = 1;
    say_call("FIONBIO", ioctl(fd, FIONBIO, &on));
    say("O_NONBLOCK", "%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    close(fd);

    say_call("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    say("close on exec", "%d %d", fcntl(fds[0], F_GETFD), fcntl(fds[1], F_GETFD));
    say_call("socketpair unknown flags", socketpair(AF_UNIX, SOCK_STREAM | 0x10, 0, fds));
    say_call("socketpair of type 4", socketpair(AF_UNIX, SOCK_RDM, 0, fds));
    say_call("socketpair of protocol 2", socketpair(AF_UNIX, SOCK_STREAM, 2, fds));
    say_call("socketpair of family 0", socketpair(0, SOCK_STREAM, 0, fds));
    say_call("socketpair at a bad address", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8));
    say_call("socketpair at a bad address of family 0", syscall(SYS_socketpair, 0, SOCK_STREAM, 0, 8));
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int last = MUST(dup(0));
    struct rlimit few = {(rlim_t)last + 1, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    say_call("socketpair with too many files", socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    say_ok("socket with too many files", socket(AF_UNIX, SOCK_STREAM, 0));
    say_ok("socket of family 0 with too many files", socket(0, SOCK_STREAM, 0));
    say_call("socketpair of family 0 with too many files", socketpair(0, SOCK_STREAM, 0, fds));
    setrlimit(RLIMIT_NOFILE, &limit);

    int file = MUST(open("f", O_RDWR | O_CREAT, 0600));
    struct sockaddr_un a;
    length = sizeof(a);
    say_call("bind of a file", bind_to(file, "x"));
    say_call("connect of a file", connect_to(file, "x"));
    say_call("connect of a file at a bad address", connect(file, (void *)8, 10));
    say_call("listen of a file", listen(file, 1));
    say_call("accept of a file", accept(file, NULL, NULL));
    say_call("accept4 of a file, bad flags", syscall(SYS_accept4, file, NULL, NULL, 1));
    say_call("getsockname of a file", getsockname(file, (void *)&a, &length));
    say_call("getpeername of a file", getpeername(file, (void *)&a, &length));
    say_call("send on a file", send(file, "x", 1, 0));
    say_call("recv on a file", recv(file, what, 1, 0));
    say_call("shutdown of a file", shutdown(file, SHUT_RD));
    say_call("getsockopt of a file", getsockopt(file, SOL_SOCKET, SO_TYPE, &value, &length));
    say_call("setsockopt of a file", setsockopt(file, SOL_SOCKET, SO_TYPE, &value, 4));
    say_call("bind of no file", bind_to(-1, "x"));
    say_call("accept of no file", accept(99, NULL, NULL));
    say_call("send on no file", send(99, "x", 1, 0));
    say_call("send from a bad address on no file", send(99, (void *)-4096l, 1, 0));
    return 0;
}
