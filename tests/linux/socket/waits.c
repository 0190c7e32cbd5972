// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Waits on sockets: signals and restarts, time limits, several readers and writers, polls that wake, SIGIO, epoll's edges, O_NONBLOCK.
#include "sockets.h"
#include <sys/epoll.h>

static int ends[2];
static volatile int alarms, ios;
static void on_alarm(int signal MAYBE_UNUSED) {
    alarms++;
}
static void on_io(int signal MAYBE_UNUSED) {
    ios++;
}

static void handler(int flags) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
}

// Again and again, until calm(): the first may come before the wait.
static void soon(void) {
    struct itimerval t = {{0, 30000}, {0, 30000}};
    setitimer(ITIMER_REAL, &t, NULL);
}

static void calm(void) {
    struct itimerval t = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &t, NULL);
}

static int send_late(void) {
    await_blocked(getppid());
    sleep_ms(60);
    send(ends[0], "late", 4, 0);
    return 0;
}

static void interrupted(int type) {
    char buffer[8];
    struct timeval tv = {5, 0}, none = {0, 0}, some = {0, 20000};
    say("type", "%d", type);
    pair(type, ends);
    handler(0);
    soon();
    say_call("recv interrupted", recv(ends[1], buffer, 8, 0));
    calm();
    handler(SA_RESTART);
    pid_t pid = spawn(send_late);
    soon();
    say_call("recv restarted", recv(ends[1], buffer, 8, 0));
    calm();
    reap(pid);
    setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    soon();
    say_call("recv with SO_RCVTIMEO is not restarted", recv(ends[1], buffer, 8, 0));
    calm();
    setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &some, sizeof(some));
    int64_t before = now_ms();
    say_call("SO_RCVTIMEO", recv(ends[1], buffer, 8, 0));
    say_bool("the time has passed", now_ms() - before >= 19);
    setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
    send(ends[0], "ab", 2, 0);
    handler(0);
    if (type == SOCK_STREAM) {
        soon();
        say_call("MSG_WAITALL interrupted gives what it has", recv(ends[1], buffer, 8, MSG_WAITALL));
        calm();
        send(ends[0], "abc", 3, 0);
        setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &some, sizeof(some));
        say_call("MSG_WAITALL with SO_RCVTIMEO too", recv(ends[1], buffer, 8, MSG_WAITALL));
    }
    static char large[60000];
    while (send(ends[0], large, sizeof(large), MSG_DONTWAIT) > 0) {}
    soon();
    say_call("send interrupted", send(ends[0], large, 1000, 0));
    calm();
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &some, sizeof(some));
    say_call("SO_SNDTIMEO", send(ends[0], large, 1000, 0));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    say_call("O_NONBLOCK", send(ends[0], large, 1000, 0));
    say_call("MSG_DONTWAIT", send(ends[0], large, 1000, MSG_DONTWAIT));
    close(ends[0]);
    close(ends[1]);
}

static int take_one(void) {
    char buffer[8];
    close(ends[0]);
    return recv(ends[1], buffer, 4, 0) == 4 ? 0 : 1;
}

static void readers(int type) {
    pid_t pids[4];
    pair(type, ends);
    for (int i = 0; i < 4; i++) {
        pids[i] = spawn(take_one);
    }
    for (int i = 0; i < 4; i++) {
        await_blocked(pids[i]);
    }
    send(ends[0], "aaaabbbb", type == SOCK_STREAM ? 8 : 4, 0);
    send(ends[0], "cccc", 4, 0);
    send(ends[0], "dddd", 4, 0);
    if (type != SOCK_STREAM) {
        send(ends[0], "eeee", 4, 0);
    }
    int good = 0;
    for (int i = 0; i < 4; i++) {
        good += reap(pids[i]) == 0;
    }
    say("readers that got theirs", "%d", good);
    close(ends[0]);
    close(ends[1]);
}

enum { WRITERS = 4, MESSAGES = 500, SIZE = 700 };
static int number;
static int write_many(void) {
    char message[SIZE];
    memset(message, 'a' + number, sizeof(message));
    close(ends[1]);
    for (int i = 0; i < MESSAGES; i++) {
        if (send(ends[0], message, sizeof(message), 0) != SIZE) {
            return 1;
        }
    }
    return 0;
}

static void writers(int type) {
    static char message[SIZE];
    pid_t pids[WRITERS];
    int counts[WRITERS] = {0}, mixed = 0, total = 0;
    pair(type, ends);
    for (number = 0; number < WRITERS; number++) {
        pids[number] = spawn(write_many);
    }
    close(ends[0]);
    while (recv(ends[1], message, SIZE, MSG_WAITALL) == SIZE) {
        for (int i = 1; i < SIZE; i++) {
            mixed += message[i] != message[0];
        }
        counts[message[0] - 'a']++;
        if (++total == WRITERS * MESSAGES) {
            break;
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        say("a writer", "%s, %d messages", status_text(reap(pids[i])), counts[i]);
    }
    say("mixed bytes", "%d", mixed);
    close(ends[1]);
}

static void polls(int type) {
    say("type", "%d", type);
    pair(type, ends);
    say_poll("fresh", ends[0]);
    send(ends[1], "x", 1, 0);
    say_poll("with input", ends[0]);
    int count = 0;
    static char large[20000];
    while (send(ends[0], large, sizeof(large), MSG_DONTWAIT) == (int)sizeof(large)) {
        count++;
        struct pollfd p = {.fd = ends[0], .events = POLLOUT};
        poll(&p, 1, 0);
        say("writable", "%s after %d", p.revents ? "yes" : "no", count);
        if (count == 3) {
            break;
        }
    }
    pid_t pid = fork();
    if (pid == 0) {
        await_blocked(getppid());
        recv(ends[1], large, sizeof(large), 0);
        recv(ends[1], large, sizeof(large), 0);
        _exit(0);
    }
    struct pollfd p = {.fd = ends[0], .events = POLLOUT};
    say_call("poll waits for room", poll(&p, 1, 5000));
    reap(pid);
    shutdown(ends[1], SHUT_WR);
    say_poll("the peer sends no more", ends[0]);
    shutdown(ends[0], SHUT_WR);
    say_poll("nor do we", ends[0]);
    say_poll("the peer", ends[1]);
    close(ends[1]);
    say_poll("the peer is gone", ends[0]);
    close(ends[0]);
    pair(type, ends);
    shutdown(ends[0], SHUT_RD);
    say_poll("we read no more", ends[0]);
    say_poll("the peer of one that reads no more", ends[1]);
    close(ends[0]);
    close(ends[1]);
    pair(type, ends);
    send(ends[0], "x", 1, 0);
    close(ends[1]);
    say_poll("reset", ends[0]);
    close(ends[0]);
    int fd = MUST(socket(AF_UNIX, type, 0));
    say_poll("unconnected", fd);
    close(fd);
}

static void edges(void) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLET | EPOLLRDHUP};
    int ep = MUST(epoll_create1(0));
    char buffer[8];
    pair(SOCK_STREAM, ends);
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], &e));
    say_call("nothing", epoll_wait(ep, &e, 1, 0));
    send(ends[0], "a", 1, 0);
    say_call("an edge", epoll_wait(ep, &e, 1, 1000));
    say_call("no second one", epoll_wait(ep, &e, 1, 0));
    send(ends[0], "b", 1, 0);
    say_call("another edge", epoll_wait(ep, &e, 1, 1000));
    recv(ends[1], buffer, 8, 0);
    say_call("reading is none", epoll_wait(ep, &e, 1, 0));
    close(ends[0]);
    say_call("the close is one", epoll_wait(ep, &e, 1, 1000));
    say("events", "%#x", (unsigned)e.events);
    close(ends[1]);
    say_call("a closed socket is not there", epoll_wait(ep, &e, 1, 0));
    close(ep);
}

static void signals(void) {
    signal(SIGIO, on_io);
    pair(SOCK_STREAM, ends);
    fcntl(ends[1], F_SETOWN, getpid());
    fcntl(ends[1], F_SETFL, O_ASYNC);
    send(ends[0], "x", 1, 0);
    say_bool("SIGIO at input", ios > 0);
    ios = 0;
    close(ends[0]);
    say_bool("SIGIO at the close", ios > 0);
    close(ends[1]);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    interrupted(SOCK_STREAM);
    interrupted(SOCK_DGRAM);
    readers(SOCK_STREAM);
    readers(SOCK_SEQPACKET);
    writers(SOCK_STREAM);
    writers(SOCK_DGRAM);
    polls(SOCK_STREAM);
    polls(SOCK_DGRAM);
    polls(SOCK_SEQPACKET);
    edges();
    signals();
    return 0;
}
