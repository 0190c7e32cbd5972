// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// AF_UNIX datagrams and sequenced packets: borders of messages, who may send to whom, full queues, lost peers.
#include "sockets.h"

static char large[300000];
static int ends[2];

static int datagram(const char *name) {
    int fd = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
    if (name) {
        MUST(bind_to(fd, name));
    }
    return fd;
}

static void borders(int type) {
    int count;
    char buffer[16];
    say("type", "%d", type);
    pair(type, ends);
    send(ends[0], "first", 5, 0);
    send(ends[0], "", 0, 0);
    send(ends[0], "second message", 14, 0);
    say_call("FIONREAD", (ioctl(ends[1], FIONREAD, &count), count));
    say_receive("peek", ends[1], 3, MSG_PEEK);
    say_call("peek of the length", recv(ends[1], buffer, 1, MSG_PEEK | MSG_TRUNC));
    say_receive("recv of a part", ends[1], 3, 0);
    say_receive("recv of an empty one", ends[1], 10, 0);
    struct iovec part = {buffer, 4};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    say_call("recvmsg of a part", recvmsg(ends[1], &m, 0));
    say("flags", "%#x", (unsigned)m.msg_flags);
    say_receive("nothing is left", ends[1], 10, MSG_DONTWAIT);
    send(ends[0], "0123456789", 10, 0);
    say_call("MSG_TRUNC tells the length", recv(ends[1], buffer, 4, MSG_TRUNC));
    send(ends[0], "12345", 5, MSG_EOR);
    m.msg_iovlen = 1;
    part.iov_len = 10;
    say_call("recvmsg", recvmsg(ends[1], &m, 0));
    say("flags", "%#x", (unsigned)m.msg_flags);
    say_call("MSG_OOB", send(ends[0], "x", 1, MSG_OOB));
    say_call("recv MSG_OOB", recv(ends[1], buffer, 1, MSG_OOB));
    say_call("write of nothing", write(ends[0], "", 0));
    say_receive("came", ends[1], 4, MSG_DONTWAIT);
    send(ends[0], "lost", 4, 0);
    say_call("recv to a bad address", recv(ends[1], (void *)8, 5, 0));
    say_receive("the message is lost", ends[1], 5, MSG_DONTWAIT);
    send(ends[0], "one", 3, 0);
    send(ends[0], "two", 3, 0);
    say_receive("MSG_WAITALL takes one", ends[1], 6, MSG_WAITALL);
    close(ends[0]);
    say_receive("what was sent before the close", ends[1], 10, 0);
    say_receive("after the close", ends[1], 10, MSG_DONTWAIT);
    say_poll("poll after the close", ends[1]);
    say_call("send after the close", send(ends[1], "x", 1, MSG_NOSIGNAL));
    say_call("and again", send(ends[1], "x", 1, MSG_NOSIGNAL));
    close(ends[1]);
    pair(type, ends);
    shutdown(ends[0], SHUT_WR);
    say_call("send after SHUT_WR", send(ends[0], "x", 1, MSG_NOSIGNAL));
    say_receive("the other reads", ends[1], 5, MSG_DONTWAIT);
    shutdown(ends[0], SHUT_RD);
    say_receive("recv after SHUT_RD", ends[0], 5, MSG_DONTWAIT);
    say_receive("recv after SHUT_RD, waiting", ends[0], 5, 0);
    say_call("send to it", send(ends[1], "x", 1, MSG_NOSIGNAL));
    close(ends[0]);
    close(ends[1]);
}

static void sizes(void) {
    pair(SOCK_DGRAM, ends);
    say_call("the largest", send(ends[0], large, 212960, MSG_DONTWAIT));
    say_call("read", recv(ends[1], large, sizeof(large), 0));
    say_call("larger", send(ends[0], large, 212961, MSG_DONTWAIT));
    int count = 0;
    while (send(ends[0], large, 1000, MSG_DONTWAIT) == 1000) {
        count++;
    }
    say("thousands that fit between two", "%d %s", count, error_name(errno));
    static const int of[] = {0, 1, 100, 5000, 16064, 16065, 20000, 100000, 200000};
    close(ends[0]);
    close(ends[1]);
    for (size_t i = 0; i < COUNT(of); i++) {
        char what[40];
        pair(SOCK_DGRAM, ends);
        send(ends[0], large, (size_t)of[i], MSG_DONTWAIT);
        ioctl(ends[0], TIOCOUTQ, &count);
        snprintf(what, sizeof(what), "what %d bytes take", of[i]);
        say(what, "%d", count);
        close(ends[0]);
        close(ends[1]);
    }
}

static int send_late(void) {
    int fd = datagram(NULL);
    connect_to(fd, "@full");
    say_call("a send to a full queue waits", send(fd, "waited", 6, 0));
    return 0;
}

static void queues(void) {
    int server = datagram("@full"), client = datagram(NULL), other = datagram(NULL);
    say_call("connect", connect_to(client, "@full"));
    int count = 0;
    while (send(client, "x", 1, MSG_DONTWAIT) == 1) {
        count++;
    }
    say("messages that a queue takes", "%d %s", count, error_name(errno));
    say_poll("poll of who is connected to it", client);
    say_poll("poll of who is not", other);
    say_call("sendto of another", ({
                 socklen_t length;
                 struct sockaddr_un a = address("@full", &length);
                 sendto(other, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&a, length);
             }));
    struct pollfd p = {.fd = client, .events = POLLOUT};
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        await_blocked(getppid());
        recv(server, &byte, 1, 0);
        _exit(0);
    }
    say_call("poll waits for room", poll(&p, 1, 5000));
    reap(pid);
    send(client, "x", 1, MSG_DONTWAIT);
    pid = spawn(send_late);
    await_blocked(pid);
    char byte;
    recv(server, &byte, 1, 0);
    reap(pid);
    struct timeval tv = {0, 20000};
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    say_call("SO_SNDTIMEO on a full queue", send(client, "x", 1, 0));
    close(server);
    say_poll("poll when the server has gone", client);
    say_call("send when the server has gone", send(client, "x", 1, 0));
    say_call("and again", send(client, "x", 1, 0));
    say_poll("poll when it has been noticed", client);
    close(client);
    close(other);
}

static void filters(void) {
    int a = datagram("@a"), b = datagram("@b"), c = datagram("@c");
    char buffer[20];
    struct sockaddr_un from;
    socklen_t length = sizeof(from);
    say_call("send unconnected", send(a, "x", 1, 0));
    say_call("sendto", send_to(a, "from a", "@b"));
    memset(&from, 0, sizeof(from));
    say_call("recvfrom", recvfrom(b, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length));
    say_address("who it is from", &from, length);
    say_call("connect a to b", connect_to(a, "@b"));
    say_call("send by connection", send(a, "conn", 4, 0));
    say_receive("came", b, 20, 0);
    say_call("sendto another while connected", send_to(a, "toc", "@c"));
    say_receive("came", c, 20, 0);
    say_call("b, unconnected, sends to a", send_to(b, "ok", "@a"));
    say_receive("came", a, 20, 0);
    say_call("c sends to a, which is b's", send_to(c, "x", "@a"));
    say_call("c connects to a", connect_to(c, "@a"));
    send_to(b, "old", "@a");
    say_call("connect b to a", connect_to(b, "@a"));
    say_call("connect a to c, leaving b's message", connect_to(a, "@c"));
    say_receive("the message is gone", a, 20, MSG_DONTWAIT);
    say_receive("b is told", b, 20, MSG_DONTWAIT);
    say_receive("once", b, 20, MSG_DONTWAIT);
    say_call("b sends to a, which is c's", send(b, "x", 1, 0));
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    say_call("connect to nobody", connect(a, &none, sizeof(none)));
    say_call("send then", send(a, "x", 1, 0));
    say_call("connect of a length of 1", connect(a, &none, 1));
    say_call("b sends to a again", send(b, "again", 5, 0));
    say_receive("came", a, 20, 0);
    say_call("connect to itself", connect_to(a, "@a"));
    say_call("send to itself", send(a, "self", 4, 0));
    say_receive("came", a, 20, 0);
    say_call("listen", listen(a, 1));
    say_call("accept", accept(a, NULL, NULL));
    say_call("sendto nobody", send_to(c, "x", "@nobody"));
    say_call("sendto a path that is not there", send_to(c, "x", "nowhere"));
    int s = listener(SOCK_STREAM, "stream", 1);
    say_call("sendto a stream", send_to(c, "x", "stream"));
    close(s);
    say_call("sendto with a bad family", ({
                 struct sockaddr_un bad = {.sun_family = AF_INET};
                 sendto(c, "x", 1, 0, (struct sockaddr *)&bad, 10);
             }));
    close(a);
    close(b);
    close(c);
}

static void sequenced(void) {
    int s = listener(SOCK_SEQPACKET, "@seq", 1), c = MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    char buffer[20];
    say_call("send unconnected", send(c, "x", 1, MSG_NOSIGNAL));
    say_call("recv unconnected", recv(c, buffer, 1, MSG_DONTWAIT));
    say_poll("poll unconnected", c);
    say_call("connect", connect_to(c, "@seq"));
    int in = MUST(accept(s, NULL, NULL));
    say_call("send", send(c, "packet", 6, 0));
    say_call("sendto, whose address is not looked at", send_to(c, "more", "@nobody"));
    say_receive("came", in, 20, 0);
    say_receive("came", in, 20, 0);
    send(c, "unread", 6, 0);
    close(in);
    say_receive("reset", c, 20, 0);
    say_receive("then the end", c, 20, 0);
    say_call("send", send(c, "x", 1, MSG_NOSIGNAL));
    close(c);
    close(s);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    borders(SOCK_DGRAM);
    borders(SOCK_SEQPACKET);
    sizes();
    queues();
    filters();
    sequenced();
    return 0;
}
