// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Who is at the other end: SO_PASSCRED with SCM_CREDENTIALS, what may be claimed, SO_PEERCRED, SO_PEERGROUPS.
#include "sockets.h"
#include <grp.h>

static int ends[2];

static const char *pid_word(pid_t pid) {
    return pid == getpid() ? "self" : pid == getppid() ? "parent" : pid == 0 ? "0" : "another";
}

static ssize_t send_credentials(int fd, pid_t pid, uid_t uid, gid_t gid) {
    char byte = 'c';
    struct iovec part = {&byte, 1};
    union control c;
    memset(&c, 0, sizeof(c));
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(sizeof(struct ucred))};
    c.header.cmsg_len = CMSG_LEN(sizeof(struct ucred));
    c.header.cmsg_level = SOL_SOCKET;
    c.header.cmsg_type = SCM_CREDENTIALS;
    struct ucred who = {pid, uid, gid};
    memcpy(CMSG_DATA(&c.header), &who, sizeof(who));
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_message(const char *what, int fd, size_t room, int flags) {
    char text[64] = "";
    struct iovec part = {text, 20};
    union control c;
    memset(&c, 0, sizeof(c));
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = room};
    ssize_t n = recvmsg(fd, &m, flags);
    if (n == -1) {
        say(what, "%s", error_name(errno));
        return;
    }
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    if (!h) {
        say(what, "%zd flags %#x control %u none", n, (unsigned)m.msg_flags, (unsigned)m.msg_controllen);
        return;
    }
    struct ucred who = {-1, 77, 77};
    memcpy(&who, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0) < sizeof(who) ? h->cmsg_len - CMSG_LEN(0) : sizeof(who));
    say(what, "%zd \"%s\" flags %#x control %u length %u type %d pid %s uid %d gid %d", n, text, (unsigned)m.msg_flags,
        (unsigned)m.msg_controllen, (unsigned)h->cmsg_len, h->cmsg_type, pid_word(who.pid), (int)who.uid, (int)who.gid);
}

static void passing(int type) {
    int on = 1, off = 0;
    size_t room = CMSG_SPACE(sizeof(struct ucred));
    say("type", "%d", type);
    pair(type, ends);
    send(ends[0], "early", 5, 0);
    setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    say_message("sent before SO_PASSCRED", ends[1], room, 0);
    send(ends[0], "later", 5, 0);
    say_message("peek", ends[1], room, MSG_PEEK);
    say_message("sent after it", ends[1], room, 0);
    send(ends[0], "x", 1, 0);
    say_message("no room", ends[1], 0, 0);
    send(ends[0], "x", 1, 0);
    say_message("room for a header", ends[1], 16, 0);
    send(ends[0], "x", 1, 0);
    say_message("room for a part", ends[1], 20, 0);
    send(ends[0], "x", 1, 0);
    say_message("room without the padding", ends[1], CMSG_LEN(sizeof(struct ucred)), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
    send_credentials(ends[0], getpid(), 0, 0);
    say_message("sent but not asked for", ends[1], room, 0);
    setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    send(ends[0], "x", 1, 0);
    setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    say_message("the sender has the option", ends[1], room, 0);
    close(ends[0]);
    close(ends[1]);
}

static void joining(void) {
    int on = 1;
    pair(SOCK_STREAM, ends);
    setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    send(ends[0], "mine", 4, 0);
    send(ends[0], "too", 3, 0);
    pid_t pid = fork();
    if (pid == 0) {
        send(ends[0], "child", 5, 0);
        _exit(0);
    }
    reap(pid);
    send_credentials(ends[0], getpid(), 7, 8);
    say_message("bytes of one writer", ends[1], 64, 0);
    say_message("bytes of another", ends[1], 64, 0);
    say_message("bytes that claim another user", ends[1], 64, 0);
    close(ends[0]);
    close(ends[1]);
}

static int claims(void) {
    if (setresgid(1000, 1001, 1002) || setresuid(2000, 2001, 2002)) {
        return 1;
    }
    pair(SOCK_DGRAM, ends);
    say_call("itself", send_credentials(ends[0], getpid(), 2000, 1000));
    say_call("effective", send_credentials(ends[0], getpid(), 2001, 1001));
    say_call("saved", send_credentials(ends[0], getpid(), 2002, 1002));
    say_call("another user", send_credentials(ends[0], getpid(), 0, 1000));
    say_call("another group", send_credentials(ends[0], getpid(), 2000, 0));
    say_call("another process", send_credentials(ends[0], getppid(), 2000, 1000));
    return 0;
}

static void say_peer(const char *what, int fd) {
    struct ucred who = {-5, 77, 77};
    socklen_t length = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == -1) {
        say(what, "%s", error_name(errno));
    } else {
        say(what, "pid %s uid %d gid %d length %u", pid_word(who.pid), (int)who.uid, (int)who.gid, (unsigned)length);
    }
}

static int client(void) {
    gid_t groups[3] = {30, 10, 20};
    setgroups(3, groups);
    if (setresgid(500, 501, 500) || setresuid(600, 601, 600)) {
        return 1;
    }
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    MUST(connect_to(fd, "@peers"));
    say_peer("the client sees who listened", fd);
    char byte = 'x';
    write(fd, &byte, 1);
    read(fd, &byte, 1);
    return 0;
}

static void peers(void) {
    gid_t groups[8];
    socklen_t length = sizeof(groups);
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_peer("unconnected", fd);
    say_call("SO_PEERGROUPS unconnected", getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length));
    pair(SOCK_STREAM, ends);
    say_peer("of a pair", ends[0]);
    int server = listener(SOCK_STREAM, "@peers", 2);
    say_peer("of a listener", server);
    pid_t pid = spawn(client);
    int in = MUST(accept(server, NULL, NULL));
    struct ucred who;
    read(in, &who, 1); // the client has said what it has to say
    length = sizeof(who);
    getsockopt(in, SOL_SOCKET, SO_PEERCRED, &who, &length);
    say("of an accepted one", "%s uid %d gid %d", who.pid == pid ? "the child" : "another", (int)who.uid, (int)who.gid);
    length = 2;
    say_call("SO_PEERCRED with little room", getsockopt(in, SOL_SOCKET, SO_PEERCRED, &who, &length));
    say("length", "%u", (unsigned)length);
    length = sizeof(groups);
    say_call("SO_PEERGROUPS", getsockopt(in, SOL_SOCKET, SO_PEERGROUPS, groups, &length));
    say("groups", "%u bytes %d %d %d", (unsigned)length, (int)groups[0], (int)groups[1], (int)groups[2]);
    length = 4;
    say_call("SO_PEERGROUPS with little room", getsockopt(in, SOL_SOCKET, SO_PEERGROUPS, groups, &length));
    say("length", "%u", (unsigned)length);
    close(in);
    reap(pid);
    close(fd);
    close(server);
}

int main(void) {
    passing(SOCK_STREAM);
    passing(SOCK_DGRAM);
    passing(SOCK_SEQPACKET);
    joining();
    pair(SOCK_DGRAM, ends);
    say_call("root claims another user", send_credentials(ends[0], getpid(), 5, 6));
    say_call("root claims another process", send_credentials(ends[0], getppid(), 5, 6));
    say_call("root claims a process that is not there", send_credentials(ends[0], 32000, 5, 6));
    say_call("root claims no user", send_credentials(ends[0], getpid(), (uid_t)-1, 6));
    say_child("another user's claims", claims);
    peers();
    int fd = MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), on = 1, other = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
    struct sockaddr_un a;
    socklen_t length = sizeof(a);
    bind_to(other, "@target");
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    connect_to(fd, "@target");
    getsockname(fd, (struct sockaddr *)&a, &length);
    say("SO_PASSCRED gives a name at connect", "%u", (unsigned)length);
    return 0;
}
