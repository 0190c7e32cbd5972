// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What poll, select and epoll say of each kind of descriptor in each of its states: pipes, fifos, terminals, sockets, events, processes, queues, files, folders,
// devices and files of /proc.
#include "testing.h"

#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define ALL                                                                                                          \
    (POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP | POLLNVAL | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | \
     POLLRDHUP)

static void bits(char *out, size_t size, unsigned mask) {
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{POLLIN, "IN"},         {POLLPRI, "PRI"},       {POLLOUT, "OUT"},       {POLLERR, "ERR"},
                 {POLLHUP, "HUP"},       {POLLNVAL, "NVAL"},     {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"},
                 {POLLWRNORM, "WRNORM"}, {POLLWRBAND, "WRBAND"}, {POLLRDHUP, "RDHUP"}};
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (mask & names[i].bit) {
            used += (size_t)snprintf(out + used, size - used, " %s", names[i].name);
        }
    }
    if (mask == 0) {
        snprintf(out, size, " nothing");
    }
}

static void look(const char *name, int fd) {
    struct pollfd p = {.fd = fd, .events = ALL};
    char text[200], sets[3][20];
    MUST(poll(&p, 1, 0));
    bits(text, sizeof(text), (unsigned short)p.revents);
    int same = p.revents;
    p.events = 0;
    MUST(poll(&p, 1, 0));
    char always[100];
    bits(always, sizeof(always), (unsigned short)p.revents);
    fd_set s[3];
    struct timeval none = {0, 0};
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&s[i]);
        FD_SET(fd, &s[i]);
    }
    int n = select(fd + 1, &s[0], &s[1], &s[2], &none);
    for (int i = 0; i < 3; i++) {
        snprintf(sets[i], sizeof(sets[i]), "%d", n >= 0 ? FD_ISSET(fd, &s[i]) != 0 : -1);
    }
    char epoll_text[300];
    int e = MUST(epoll_create1(0));
    struct epoll_event event = {.events = ALL}, got = {0};
    if (epoll_ctl(e, EPOLL_CTL_ADD, fd, &event) == -1) {
        snprintf(epoll_text, sizeof(epoll_text), "%s", error_name(errno));
    } else {
        epoll_wait(e, &got, 1, 0);
        if ((int)got.events == same) {
            snprintf(epoll_text, sizeof(epoll_text), "the same");
        } else {
            bits(epoll_text, sizeof(epoll_text), got.events);
        }
    }
    close(e);
    say(name, "poll%s; always%s; select %d: %s%s%s; epoll %s", text, always, n, sets[0], sets[1], sets[2], epoll_text);
}

static void pipes(void) {
    int p[2];
    char full[65536];
    memset(full, 1, sizeof(full));
    MUST(pipe2(p, O_NONBLOCK));
    look("pipe, reading end", p[0]);
    look("pipe, writing end", p[1]);
    MUST(write(p[1], full, sizeof(full)));
    look("full pipe, reading end", p[0]);
    look("full pipe, writing end", p[1]);
    int again = MUST(dup(p[0]));
    close(p[0]);
    close(again);
    look("full pipe without readers", p[1]);
    close(p[1]);
    MUST(pipe(p));
    close(p[0]);
    look("empty pipe without readers", p[1]);
    close(p[1]);
    MUST(pipe(p));
    MUST(write(p[1], "x", 1));
    close(p[1]);
    look("pipe with a byte, without writers", p[0]);
    MUST(read(p[0], full, 1));
    look("empty pipe without writers", p[0]);
    close(p[0]);
    MUST(mkfifo("fifo", 0600));
    int reader = MUST(open("fifo", O_RDONLY | O_NONBLOCK));
    look("fifo before any writer", reader);
    int writer = MUST(open("fifo", O_WRONLY));
    look("fifo with a writer", reader);
    look("fifo, writing end", writer);
    close(writer);
    look("fifo after the writer", reader);
    int both = MUST(open("fifo", O_RDWR));
    look("fifo, open for both", both);
    MUST(write(both, "x", 1));
    look("fifo, open for both, with a byte", both);
    look("fifo, the reader", reader);
    close(reader);
    close(both);
    both = MUST(open("fifo", O_RDONLY | O_PATH));
    look("fifo, O_PATH", both);
    close(both);
}

static void terminals(void) {
    int unlock = 0, number;
    char name[32];
    int master = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    look("pty, master, never a slave", master);
    MUST(ioctl(master, TIOCSPTLCK, &unlock));
    MUST(ioctl(master, TIOCGPTN, &number));
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    int slave = MUST(open(name, O_RDWR | O_NOCTTY));
    look("pty, master", master);
    look("pty, slave", slave);
    MUST(write(master, "x", 1));
    look("pty, slave, half a line", slave);
    MUST(write(master, "\n", 1));
    look("pty, slave, a line", slave);
    look("pty, master, with the echo", master);
    int packet = 1;
    MUST(ioctl(master, TIOCPKT, &packet));
    MUST(ioctl(slave, TCFLSH, 2));
    look("pty, master, packet mode, with an event", master);
    close(slave);
    look("pty, master, the slave is closed", master);
    slave = MUST(open(name, O_RDWR | O_NOCTTY));
    look("pty, slave again", slave);
    close(master);
    look("pty, slave, no master", slave);
    close(slave);
}

static void streams(int type, const char *kind) {
    char name[80];
    int p[2];
    char much[4096] = {0};
#define NAME(text) (snprintf(name, sizeof(name), "%s, %s", kind, text), name)
    int alone = MUST(socket(AF_UNIX, type | SOCK_NONBLOCK, 0));
    look(NAME("not connected"), alone);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "socket%d", type);
    MUST(bind(alone, (struct sockaddr *)&address, sizeof(address)));
    look(NAME("bound"), alone);
    MUST(listen(alone, 0));
    look(NAME("listening"), alone);
    int client = MUST(socket(AF_UNIX, type | SOCK_NONBLOCK, 0));
    MUST(connect(client, (struct sockaddr *)&address, sizeof(address)));
    look(NAME("listening, one waits"), alone);
    look(NAME("connected, not accepted"), client);
    close(alone);
    look(NAME("the listener is gone"), client);
    close(client);
    MUST(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, p));
    look(NAME("pair"), p[0]);
    MUST(write(p[1], "x", 1));
    look(NAME("a byte"), p[0]);
    while (write(p[0], much, sizeof(much)) > 0) {}
    look(NAME("full"), p[0]);
    MUST(shutdown(p[1], SHUT_WR));
    look(NAME("the peer writes no more"), p[0]);
    look(NAME("it has shut its writing down"), p[1]);
    MUST(shutdown(p[0], SHUT_RD));
    look(NAME("reading shut down as well"), p[0]);
    MUST(shutdown(p[0], SHUT_WR));
    look(NAME("both shut down"), p[0]);
    look(NAME("and its peer"), p[1]);
    close(p[0]);
    look(NAME("the peer is gone"), p[1]);
    close(p[1]);
    MUST(socketpair(AF_UNIX, type, 0, p));
    MUST(write(p[0], "x", 1));
    close(p[1]);
    look(NAME("the peer left bytes unread"), p[0]);
    close(p[0]);
    MUST(socketpair(AF_UNIX, type, 0, p));
    MUST(shutdown(p[0], SHUT_RD));
    look(NAME("reading alone shut down"), p[0]);
    look(NAME("and its peer"), p[1]);
    close(p[0]);
    close(p[1]);
}

static void datagrams(void) {
    int p[2];
    int alone = MUST(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    look("datagram, not connected", alone);
    MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p));
    look("datagram, pair", p[0]);
    while (send(p[0], "x", 1, 0) == 1) {}
    look("datagram, the peer's queue is full", p[0]);
    look("datagram, the peer with the queue", p[1]);
    MUST(shutdown(p[0], SHUT_RDWR));
    look("datagram, both shut down", p[0]);
    look("datagram, its peer", p[1]);
    close(p[1]);
    look("datagram, the peer is gone", p[0]);
    close(p[0]);
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
    close(p[1]);
    look("datagram, pair, the peer is gone", p[0]);
    close(p[0]);
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
    MUST(shutdown(p[0], SHUT_RD));
    look("datagram, reading shut down", p[0]);
    look("datagram, peer of that", p[1]);
    close(p[0]);
    close(p[1]);
    close(alone);
}

static void urgent(void) {
    int p[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    MUST(send(p[1], "abc", 3, MSG_OOB));
    look("stream, an urgent byte", p[0]);
    char byte;
    MUST(recv(p[0], &byte, 1, MSG_OOB));
    look("stream, the urgent byte is taken", p[0]);
    close(p[0]);
    close(p[1]);
}

static void events(void) {
    int e = MUST(eventfd(0, EFD_NONBLOCK));
    uint64_t value = 1;
    look("eventfd 0", e);
    MUST(write(e, &value, 8));
    look("eventfd 1", e);
    value = UINT64_MAX - 2;
    MUST(write(e, &value, 8));
    look("eventfd, full", e);
    close(e);
    int t = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
    look("timerfd", t);
    struct itimerspec soon = {.it_value = {0, 1}};
    MUST(timerfd_settime(t, 0, &soon, NULL));
    sleep_ms(3);
    look("timerfd, expired", t);
    close(t);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int s = MUST(signalfd(-1, &set, 0));
    look("signalfd", s);
    raise(SIGUSR1);
    look("signalfd, with a signal", s);
    close(s);
    pid_t child = MUST(fork());
    if (child == 0) {
        pause();
        _exit(0);
    }
    int p = MUST((int)syscall(SYS_pidfd_open, child, 0));
    look("pidfd", p);
    kill(child, SIGKILL);
    await_state(child, 'Z');
    look("pidfd of a zombie", p);
    reap(child);
    look("pidfd of a reaped one", p);
    close(p);
    int outer = MUST(epoll_create1(0)), inner[2];
    struct epoll_event event = {.events = EPOLLIN};
    MUST(pipe(inner));
    look("epoll, empty", outer);
    MUST(epoll_ctl(outer, EPOLL_CTL_ADD, inner[0], &event));
    look("epoll, nothing ready", outer);
    MUST(write(inner[1], "x", 1));
    look("epoll, one ready", outer);
    close(outer);
    close(inner[0]);
    close(inner[1]);
}

static void queues(void) {
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    mqd_t q = mq_open("/poll_kinds", O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attributes);
    mq_unlink("/poll_kinds");
    look("message queue, empty", q);
    MUST(mq_send(q, "x", 1, 0));
    look("message queue, full", q);
    mq_close(q);
}

static void files(void) {
    static const struct {
        const char *name, *path;
        int flags;
    } list[] = {{"regular file, read-only", "regular", O_RDONLY},
                {"regular file, write-only", "regular", O_WRONLY},
                {"regular file, O_PATH", "regular", O_PATH},
                {"folder", ".", O_RDONLY},
                {"/dev/null", "/dev/null", O_RDWR},
                {"/dev/zero", "/dev/zero", O_RDONLY},
                {"/dev/full", "/dev/full", O_RDWR},
                {"/dev/urandom", "/dev/urandom", O_RDWR},
                {"/dev/random", "/dev/random", O_RDWR},
                {"/proc/self/stat", "/proc/self/stat", O_RDONLY},
                {"/proc/version", "/proc/version", O_RDONLY},
                {"/proc/self/maps", "/proc/self/maps", O_RDONLY},
                {"/proc/self", "/proc/self", O_RDONLY},
                {"/proc/sys/kernel/hostname", "/proc/sys/kernel/hostname", O_RDONLY},
                {"/proc/sys/kernel/pid_max", "/proc/sys/kernel/pid_max", O_RDONLY}};
    close(MUST(open("regular", O_RDWR | O_CREAT, 0600)));
    for (size_t i = 0; i < COUNT(list); i++) {
        int fd = open(list[i].path, list[i].flags);
        if (fd == -1) {
            say(list[i].name, "%s", error_name(errno));
            continue;
        }
        look(list[i].name, fd);
        close(fd);
    }
    int memory = MUST((int)syscall(SYS_memfd_create, "x", 0));
    look("memfd", memory);
    close(memory);
    struct pollfd p = {.fd = 900, .events = POLLIN};
    say_call("poll of a closed descriptor", poll(&p, 1, -1));
    say("  tells", "%#x", p.revents);
}

int main(void) {
    pipes();
    terminals();
    streams(SOCK_STREAM, "stream");
    streams(SOCK_SEQPACKET, "seqpacket");
    datagrams();
    urgent();
    events();
    queues();
    files();
    return 0;
}
