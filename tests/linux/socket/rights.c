// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// SCM_RIGHTS: descriptors on their way, also of sockets; cut control data, peeks, limits, messages that are thrown away, cycles.
#include "sockets.h"

static int ends[2], channel[2];

static bool same(int a, int b) {
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

// Whether the reading end of channel still has a writer.
static const char *writer(void) {
    struct pollfd p = {.fd = channel[0]};
    poll(&p, 1, 0);
    return p.revents & POLLHUP ? "gone" : "there";
}

// The same where the kernel may take its time to find out.
static const char *writer_in_time(void) {
    for (int i = 0; i < 400 && strcmp(writer(), "there") == 0; i++) {
        sleep_ms(5);
    }
    return writer();
}

static void plain(int type) {
    int fds[8], n, flags = 0;
    char buffer[8];
    say("type", "%d", type);
    pair(type, ends);
    MUST(pipe(channel));
    say_call("send a descriptor", send_fds(ends[0], &channel[1], 1, 'a'));
    close(channel[1]);
    say("the writer", "%s", writer());
    n = receive_fds(ends[1], fds, 4, 0, &flags);
    say("received", "%d flags %#x", n, (unsigned)flags);
    say_bool("close on exec", fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    write(fds[0], "through", 7);
    say("it works", "%zd", read(channel[0], buffer, 8));
    say_call("send it twice", send_fds(ends[0], (int[]){fds[0], fds[0]}, 2, 'b'));
    close(fds[0]);
    n = receive_fds(ends[1], fds, 4, MSG_CMSG_CLOEXEC, &flags);
    say("received", "%d flags %#x %s", n, (unsigned)flags, same(fds[0], fds[1]) ? "the same" : "different");
    say_bool("close on exec", fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    close(fds[0]);
    send_fds(ends[0], (int[]){fds[1], channel[0], ends[0]}, 3, 'c');
    close(fds[1]);
    n = receive_fds(ends[1], fds, 1, 0, &flags);
    say("room for one of three", "%d flags %#x", n, (unsigned)flags);
    close(fds[0]);
    say("the writer", "%s", writer());
    close(channel[0]);

    MUST(pipe(channel));
    send_fds(ends[0], &channel[1], 1, 'd');
    close(channel[1]);
    n = receive_fds(ends[1], fds, 0, 0, &flags);
    say("no room", "%d flags %#x", n, (unsigned)flags);
    say("the writer", "%s", writer());
    close(channel[0]);
    MUST(pipe(channel));
    send_fds(ends[0], &channel[1], 1, 'e');
    close(channel[1]);
    say_receive("recv throws it away", ends[1], 1, 0);
    say("the writer", "%s", writer());
    close(channel[0]);
    MUST(pipe(channel));
    send_fds(ends[0], &channel[1], 1, 'f');
    close(channel[1]);
    n = receive_fds(ends[1], fds, 4, MSG_PEEK, &flags);
    say("a peek", "%d flags %#x", n, (unsigned)flags);
    close(fds[0]);
    say("the writer after the peeked one was closed", "%s", writer());
    n = receive_fds(ends[1], fds, 4, 0, &flags);
    say("the real one", "%d", n);
    close(fds[0]);
    say("the writer", "%s", writer());
    close(channel[0]);
    MUST(pipe(channel));
    send_fds(ends[0], &channel[1], 1, 'g');
    close(channel[1]);
    close(ends[1]);
    say("the receiver closed: the writer", "%s", writer());
    close(channel[0]);
    close(ends[0]);
}

static void between_bytes(void) {
    int fds[8], n;
    char buffer[20];
    pair(SOCK_STREAM, ends);
    send(ends[0], "before", 6, 0);
    send_fds(ends[0], (int[]){0}, 1, 'F');
    send(ends[0], "after", 5, 0);
    struct iovec part = {buffer, sizeof(buffer)};
    union control c;
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
    ssize_t got = recvmsg(ends[1], &m, 0);
    say("one read", "%zd \"%.*s\" %s", got, (int)got, buffer, m.msg_controllen ? "with a descriptor" : "without");
    if (m.msg_controllen) {
        close(*(int *)CMSG_DATA(&c.header));
    }
    say_receive("the next", ends[1], 20, 0);
    send_fds(ends[0], (int[]){0}, 1, '1');
    send_fds(ends[0], (int[]){1}, 1, '2');
    m.msg_controllen = sizeof(c);
    got = recvmsg(ends[1], &m, 0);
    say("messages with descriptors are not joined", "%zd \"%.*s\"", got, (int)got, buffer);
    close(*(int *)CMSG_DATA(&c.header));
    n = receive_fds(ends[1], fds, 1, 0, NULL);
    say("the second", "%d", n);
    close(fds[0]);
    close(ends[0]);
    close(ends[1]);
}

static long raw_send(int fd, const void *control, size_t size) {
    char byte = 'r';
    struct iovec part = {&byte, 1};
    struct {
        void *name;
        unsigned name_length;
        struct iovec *parts;
        size_t count;
        const void *control;
        size_t control_length;
        unsigned flags;
    } m = {NULL, 0, &part, 1, control, size, 0};
    return syscall(SYS_sendmsg, fd, &m, MSG_NOSIGNAL);
}

struct raw_control {
    size_t length;
    int level, type, data[256];
};

static void errors(void) {
    int fds[260];
    struct raw_control c = {.length = 20, .level = SOL_SOCKET, .type = SCM_RIGHTS, .data = {0}};
    pair(SOCK_STREAM, ends);
    c.data[0] = -1;
    say_call("descriptor -1", raw_send(ends[0], &c, 24));
    c.data[0] = 99;
    say_call("descriptor 99", raw_send(ends[0], &c, 24));
    c.data[0] = 0;
    c.length = 15;
    say_call("a length below the header's", raw_send(ends[0], &c, 24));
    c.length = 25;
    say_call("a length beyond the data", raw_send(ends[0], &c, 24));
    c.length = 16;
    say_call("no descriptor", raw_send(ends[0], &c, 16));
    c.length = 18;
    say_call("half a descriptor", raw_send(ends[0], &c, 24));
    c.length = 16 + 4 * 253;
    say_call("253 descriptors", raw_send(ends[0], &c, c.length));
    c.length = 16 + 4 * 254;
    say_call("254 descriptors", raw_send(ends[0], &c, c.length));
    c.length = 20;
    c.type = 77;
    say_call("an unknown type", raw_send(ends[0], &c, 24));
    c.level = 77;
    say_call("an unknown level", raw_send(ends[0], &c, 24));
    c.level = SOL_SOCKET;
    c.type = SCM_RIGHTS;
    say_call("control data at a bad address", raw_send(ends[0], (void *)8, 24));
    say_call("control data of 20480 bytes", raw_send(ends[0], (void *)8, 20480));
    say_call("control data of 20481 bytes", raw_send(ends[0], (void *)8, 20481));
    say_call("control data of 4 GiB", raw_send(ends[0], &c, 1ul << 32));
    say_call("less than a header", raw_send(ends[0], &c, 8));
    char path[] = "/proc/self/exe";
    int raw = MUST(open(path, O_PATH));
    say_call("an O_PATH descriptor", send_fds(ends[0], &raw, 1, 'p'));
    while (recv(ends[1], path, 1, MSG_DONTWAIT) > 0) {}
    struct rlimit limit, few;
    getrlimit(RLIMIT_NOFILE, &limit);
    send_fds(ends[0], (int[]){0, 1, 2}, 3, 'l');
    few = limit;
    few.rlim_cur = (rlim_t)raw + 2;
    setrlimit(RLIMIT_NOFILE, &few);
    int flags, n = receive_fds(ends[1], fds, 8, 0, &flags);
    say("three with room for one in the table", "%d flags %#x", n, (unsigned)flags);
    setrlimit(RLIMIT_NOFILE, &limit);
    close(ends[0]);
    close(ends[1]);
}

static int too_many(void) {
    if (setresuid(1234, 1234, 1234)) {
        return 1;
    }
    struct rlimit few = {40, 40};
    setrlimit(RLIMIT_NOFILE, &few);
    pair(SOCK_STREAM, ends);
    int fds[10] = {0}, sent = 0;
    while (sent < 20 && send_fds(ends[0], fds, 10, 'm') == 1) {
        sent++;
    }
    say("messages of ten under way, with a limit of 40", "%d %s", sent, error_name(errno));
    int got[10];
    receive_fds(ends[1], got, 10, 0, NULL);
    say_call("when one has been received", send_fds(ends[0], fds, 10, 'm'));
    say_call("and one more", send_fds(ends[0], fds, 10, 'm'));
    close(ends[0]);
    close(ends[1]);
    pair(SOCK_STREAM, ends);
    say_call("when all were thrown away", send_fds(ends[0], fds, 10, 'm'));
    return 0;
}

// What only a message holds goes when nobody can receive it any more.
static void cycles(void) {
    int other[2];
    MUST(pipe(channel));
    pair(SOCK_STREAM, ends);
    send_fds(ends[0], (int[]){ends[1], channel[1]}, 2, 's'); // a socket in its own queue
    close(channel[1]);
    close(ends[1]);
    say("a socket in its own queue, its peer open: the writer", "%s", writer());
    close(ends[0]);
    say("and closed: the writer", "%s", writer_in_time());
    close(channel[0]);

    MUST(pipe(channel));
    pair(SOCK_DGRAM, ends);
    pair(SOCK_STREAM, other);
    send_fds(ends[0], (int[]){other[1]}, 1, '1');
    send_fds(other[0], (int[]){ends[1], channel[1]}, 2, '2');
    close(channel[1]);
    close(ends[1]);
    close(other[1]);
    say("two sockets in each other's queues: the writer", "%s", writer());
    close(ends[0]);
    close(other[0]);
    say("both closed", "%s", writer_in_time());
    close(channel[0]);

    MUST(pipe(channel));
    int server = listener(SOCK_STREAM, "@cycle", 5), client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    connect_to(client, "@cycle");
    send_fds(client, (int[]){server, channel[1]}, 2,
             'l'); // the listener waits in a connection that it has not accepted
    close(channel[1]);
    close(server);
    say("a listener in its own backlog: the writer", "%s", writer());
    close(client);
    say("the client closed", "%s", writer_in_time());
    close(channel[0]);

    MUST(pipe(channel));
    int last = -1;
    for (int i = 0; i < 600; i++) { // each in the next one's queue
        pair(SOCK_STREAM, ends);
        int held[2] = {last == -1 ? channel[1] : last, 0};
        MUST(send_fds(ends[0], held, 1, 'c'));
        close(held[0]);
        close(ends[0]);
        last = ends[1];
    }
    say("a chain of 600: the writer", "%s", writer());
    close(last);
    say("its last closed", "%s", writer_in_time());
    close(channel[0]);

    MUST(pipe(channel));
    pair(SOCK_STREAM, ends);
    pair(SOCK_STREAM, other);
    send_fds(ends[0], (int[]){ends[0], ends[1], channel[1]}, 3, 'x');
    close(channel[1]);
    send_fds(other[0], &ends[1], 1, 'y');
    close(ends[0]);
    close(ends[1]);
    say("a cycle that lies in a reachable queue: the writer", "%s", writer());
    int fds[4], n = receive_fds(other[1], fds, 4, 0, NULL);
    say("received", "%d", n);
    n = receive_fds(fds[0], fds + 1, 3, 0, NULL);
    say("and what is in it", "%d", n);
    say("the writer", "%s", writer());
    for (int i = 0; i <= n; i++) {
        close(fds[i]);
    }
    say("all closed", "%s", writer_in_time());
}

int main(void) {
    plain(SOCK_STREAM);
    plain(SOCK_DGRAM);
    plain(SOCK_SEQPACKET);
    between_bytes();
    errors();
    say_child("a user's limit", too_many);
    cycles();
    return 0;
}
