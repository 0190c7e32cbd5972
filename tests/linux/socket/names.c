// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Names of AF_UNIX sockets: paths and their permissions, abstract names, names that the kernel gives, lengths, and who is told what.
#include "sockets.h"

static void say_name(const char *what, int fd, int (*call)(int, struct sockaddr *, socklen_t *)) {
    struct sockaddr_un a;
    socklen_t length = sizeof(a);
    memset(&a, 0, sizeof(a));
    if (call(fd, (struct sockaddr *)&a, &length) == -1) {
        say(what, "%s", error_name(errno));
    } else {
        say_address(what, &a, length);
    }
}

static int own(int fd, struct sockaddr *a, socklen_t *l) {
    return getsockname(fd, a, l);
}
static int peer(int fd, struct sockaddr *a, socklen_t *l) {
    return getpeername(fd, a, l);
}

static void lengths(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("bind of length 0", bind(fd, (struct sockaddr *)&a, 0));
    say_call("bind of length 1", bind(fd, (struct sockaddr *)&a, 1));
    say_call("bind of length -1", bind(fd, (struct sockaddr *)&a, (socklen_t)-1));
    say_call("bind of length 111", bind(fd, (struct sockaddr *)&a, 111));
    say_call("bind of length 129", bind(fd, (struct sockaddr *)&a, 129));
    say_call("bind at a bad address", bind(fd, (void *)8, 10));
    a.sun_family = AF_INET;
    strcpy(a.sun_path, "other");
    say_call("bind of another family", bind(fd, (struct sockaddr *)&a, sizeof(a)));
    say_call("bind of another family, no name", bind(fd, (struct sockaddr *)&a, 2));
    a.sun_family = AF_UNIX;
    memset(a.sun_path, 'p', sizeof(a.sun_path));
    say_call("bind to a path of 108 bytes without an end", bind(fd, (struct sockaddr *)&a, sizeof(a)));
    say_name("its name", fd, own);
    char path[110] = "";
    memset(path, 'p', 108);
    struct stat st;
    say("the file", "%s", stat(path, &st) == 0 && S_ISSOCK(st.st_mode) ? "is a socket" : "is not there");
    struct sockaddr_un shorter;
    socklen_t length = 5;
    memset(&shorter, 'z', sizeof(shorter));
    say_call("getsockname with little room", getsockname(fd, (struct sockaddr *)&shorter, &length));
    say("room", "%u %.6s", (unsigned)length, shorter.sun_path);
    length = 0;
    say_call("getsockname with none", getsockname(fd, (void *)8, &length));
    length = (socklen_t)-1;
    say_call("getsockname with a negative room", getsockname(fd, (struct sockaddr *)&shorter, &length));
    length = 110;
    say_call("getsockname at a bad address", getsockname(fd, (void *)8, &length));
    say_call("getsockname with a bad length", getsockname(fd, (struct sockaddr *)&shorter, (void *)8));
    close(fd);
    unlink(path);
}

static void paths(void) {
    struct stat st;
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), other = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_name("unbound", fd, own);
    say_name("peer of an unconnected", fd, peer);
    umask(027);
    say_call("bind", bind_to(fd, "s"));
    stat("s", &st);
    say("mode and size", "%#o %ld", (unsigned)st.st_mode, (long)st.st_size);
    umask(022);
    say_name("its name", fd, own);
    say_call("bind again to another name", bind_to(fd, "s2"));
    say("the other name", "%s", access("s2", F_OK) == 0 ? "is there" : "is not there");
    say_call("bind again to the same name", bind_to(fd, "s"));
    say_call("bind again to an abstract name", bind_to(fd, "@s-again"));
    say_call("bind of another to that name", bind_to(other, "s"));
    say_call("bind in a folder that is not there", bind_to(other, "no/s"));
    say_call("bind below a file", (file_make("f", "x", 0600), bind_to(other, "f/s")));
    say_call("bind to a file", bind_to(other, "f"));
    say_call("bind to a folder", bind_to(other, "."));
    say_call("bind with a slash at the end", bind_to(other, "new/"));
    symlink("nowhere", "link");
    say_call("bind to a dangling link", bind_to(other, "link"));
    say_call("connect while it does not listen", connect_to(other, "s"));
    say_call("connect to a file", connect_to(other, "f"));
    say_call("connect to nothing", connect_to(other, "nothing"));
    say_call("connect to a folder", connect_to(other, "."));
    MUST(listen(fd, 5));
    symlink("s", "tolink");
    say_call("connect through a link", connect_to(other, "tolink"));
    say_name("the client's name", other, own);
    say_name("the client's peer", other, peer);
    int in = MUST(accept(fd, NULL, NULL));
    say_name("the accepted one's name", in, own);
    say_name("the accepted one's peer", in, peer);
    say_call("connect again", connect_to(other, "s"));
    say_call("bind of a connected client", bind_to(other, "@late"));
    say_name("the accepted one's peer now", in, peer);
    close(other);
    say_name("the peer when it has gone", in, peer);
    close(in);
    rename("s", "renamed");
    other = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("connect to the new name", connect_to(other, "renamed"));
    say_name("what it says it is", other, peer);
    close(other);
    link("renamed", "hard");
    other = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("connect by a hard link", connect_to(other, "hard"));
    close(other);
    other = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
    say_call("connect of another type", connect_to(other, "hard"));
    close(other);
    other = MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    say_call("connect of a third type", connect_to(other, "hard"));
    close(other);
    close(fd);
    other = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("connect when the socket has closed", connect_to(other, "renamed"));
    say_call("bind where it was", bind_to(other, "renamed"));
    unlink("renamed");
    say_call("bind when it was removed", bind_to(other, "renamed"));
    fd = open("renamed", O_RDWR);
    say("open of a socket's name", "%s", fd == -1 ? error_name(errno) : "ok");
    close(other);
    other = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    fchmod(other, 0640);
    say_call("bind after fchmod", bind_to(other, "changed"));
    stat("changed", &st);
    say("mode", "%#o", (unsigned)st.st_mode);
    close(other);
}

static int denied(void) {
    if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)) {
        return 1;
    }
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("connect without the right to write", connect_to(fd, "guarded"));
    say_call("bind in a folder of others", bind_to(fd, "mine"));
    say_call("connect below a closed folder", connect_to(fd, "closed/s"));
    return 0;
}

static void abstract(void) {
    int a = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), b = MUST(socket(AF_UNIX, SOCK_STREAM, 0)),
        c = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
    say_call("abstract bind", bind_to(a, "@test-name"));
    say_name("its name", a, own);
    say_call("the same by another", bind_to(b, "@test-name"));
    say_call("the same of another type", bind_to(c, "@test-name"));
    say_call("a longer one", bind_to(b, "@test-name2"));
    say_call("connect while it does not listen", connect_to(b, "@test-name"));
    say_call("connect to nobody", connect_to(b, "@nobody"));
    listen(a, 1);
    say_call("connect", connect_to(b, "@test-name"));
    int in = accept(a, NULL, NULL);
    say_name("the peer", in, peer);
    close(in);
    close(a);
    close(b);
    a = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("bind when it is free", bind_to(a, "@test-name"));
    close(a);
    struct sockaddr_un z = {.sun_family = AF_UNIX};
    a = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("abstract name of 107 zeros", bind(a, (struct sockaddr *)&z, sizeof(z)));
    say_name("its name", a, own);
    b = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("abstract name of no byte", bind(b, (struct sockaddr *)&z, 3));
    say_name("its name", b, own);
    close(a);
    close(b);
    close(c);
}

static void automatic(void) {
    struct sockaddr_un z = {.sun_family = AF_UNIX}, first, second;
    socklen_t length = sizeof(first);
    int a = MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), b = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
    say_call("bind to the family alone", bind(a, (struct sockaddr *)&z, 2));
    memset(&first, 0, sizeof(first));
    getsockname(a, (struct sockaddr *)&first, &length);
    bool digits = strspn(first.sun_path + 1, "0123456789abcdef") >= 5;
    say("the kernel's name", "length %u, %s", (unsigned)length, digits && !first.sun_path[0] ? "five digits" : "else");
    say_call("again", bind(a, (struct sockaddr *)&z, 2));
    say_call("another name now", bind_to(a, "@own"));
    bind(b, (struct sockaddr *)&z, 2);
    length = sizeof(second);
    getsockname(b, (struct sockaddr *)&second, &length);
    say_bool("another gets another", memcmp(&first, &second, 8) != 0);
    say_call("send to that name", sendto(b, "hello", 5, 0, (struct sockaddr *)&first, 8));
    say_receive("it came", a, 20, 0);
    close(a);
    close(b);
}

int main(void) {
    lengths();
    paths();
    mkdir("closed", 0700);
    int g = listener(SOCK_STREAM, "guarded", 1), h = listener(SOCK_STREAM, "closed/s", 1);
    chmod("guarded", 0755);
    say_child("by another user", denied);
    close(g);
    close(h);
    abstract();
    automatic();
    return 0;
}
