// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the tests of sockets share: addresses, pairs, messages with control data.
#ifndef TESTS_LINUX_SOCKETS_H
#define TESTS_LINUX_SOCKETS_H

#include "../testing.h"
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

// The address of a path, or (name beginning with '@') an abstract one; its length in *length.
static MAYBE_UNUSED struct sockaddr_un address(const char *name, socklen_t *length) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    memcpy(a.sun_path, name, n);
    if (name[0] == '@') {
        a.sun_path[0] = 0;
        *length = (socklen_t)(PATH_OFFSET + n);
    } else {
        *length = (socklen_t)(PATH_OFFSET + n + 1);
    }
    return a;
}

static MAYBE_UNUSED int bind_to(int fd, const char *name) {
    socklen_t length;
    struct sockaddr_un a = address(name, &length);
    return bind(fd, (struct sockaddr *)&a, length);
}

static MAYBE_UNUSED int connect_to(int fd, const char *name) {
    socklen_t length;
    struct sockaddr_un a = address(name, &length);
    return connect(fd, (struct sockaddr *)&a, length);
}

static MAYBE_UNUSED ssize_t send_to(int fd, const char *text, const char *name) {
    socklen_t length;
    struct sockaddr_un a = address(name, &length);
    return sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, length);
}

// A socket that listens at a name.
static MAYBE_UNUSED int listener(int type, const char *name, int backlog) {
    int fd = MUST(socket(AF_UNIX, type, 0));
    MUST(bind_to(fd, name));
    MUST(listen(fd, backlog));
    return fd;
}

static MAYBE_UNUSED void pair(int type, int ends[2]) {
    MUST(socketpair(AF_UNIX, type, 0, ends));
}

// An address in words: family, then the name with '@' for zeros; of names that the kernel gave only how long they are.
static MAYBE_UNUSED void say_address(const char *what, const struct sockaddr_un *a, socklen_t length) {
    char text[120] = "";
    size_t n = length > PATH_OFFSET ? length - PATH_OFFSET : 0;
    for (size_t i = 0; i < n && i < sizeof(a->sun_path); i++) {
        text[i] = a->sun_path[i] ? a->sun_path[i] : '@';
    }
    say(what, "length %u family %d \"%s\"", (unsigned)length, length >= 2 ? (int)a->sun_family : -1, text);
}

// What is received, or the error.
static MAYBE_UNUSED void say_receive(const char *what, int fd, size_t size, int flags) {
    char text[512];
    memset(text, 0, sizeof(text));
    ssize_t n = recv(fd, text, size < sizeof(text) ? size : sizeof(text) - 1, flags);
    if (n == -1) {
        say(what, "%s", error_name(errno));
    } else {
        say(what, "%zd \"%s\"", n, text);
    }
}

static MAYBE_UNUSED void say_poll(const char *what, int fd) {
    struct pollfd p = {
        .fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND};
    poll(&p, 1, 0);
    static const struct {
        short bit;
        const char *name;
    } names[] = {{POLLIN, "IN"},         {POLLPRI, "PRI"},       {POLLOUT, "OUT"},       {POLLERR, "ERR"},
                 {POLLHUP, "HUP"},       {POLLRDHUP, "RDHUP"},   {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"},
                 {POLLWRNORM, "WRNORM"}, {POLLWRBAND, "WRBAND"}, {POLLNVAL, "NVAL"}};
    char text[100] = "nothing";
    int at = 0;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (p.revents & names[i].bit) {
            at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%s", at ? " " : "", names[i].name);
        }
    }
    say(what, "%s", text);
}

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * 16) + CMSG_SPACE(sizeof(struct ucred))];
};

// One byte with descriptors.
static MAYBE_UNUSED ssize_t send_fds(int socket, const int *fds, size_t count, char byte) {
    char space[CMSG_SPACE(sizeof(int) * 300)];
    struct iovec part = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    memset(space, 0, sizeof(space));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    return sendmsg(socket, &m, 0);
}

// One byte and at most room descriptors; how many came, and the message's flags.
static MAYBE_UNUSED int receive_fds(int socket, int *fds, size_t room, int flags, int *out_flags) {
    char space[CMSG_SPACE(sizeof(int) * 300)], byte;
    struct iovec part = {&byte, 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = space,
                       .msg_controllen = room ? CMSG_LEN(sizeof(int) * room) : 0};
    if (recvmsg(socket, &m, flags) == -1) {
        return -1;
    }
    if (out_flags) {
        *out_flags = m.msg_flags;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (!c || c->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)count);
    return count;
}

#endif
