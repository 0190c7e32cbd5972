// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A worker's descriptors: one of each sort at a number of its own, so that calls for a sort find it. Random calls close them
// and put others in their place; now and then they are made again.
#define _GNU_SOURCE
#include "fuzz.h"
#include "sentinel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// Numbers. 20 to 27 are sockets.
enum {
    AT_EPOLL = 28, // two
    AT_EVENT = 30, // two
    AT_TIMER = 32, // two
    AT_SIGNAL = 34,
    AT_PROCESS = 35,  // two
    AT_MEMORY = 37,   // two
    AT_TERMINAL = 39, // master, slave
    AT_QUEUE = 41,    // two
    AT_PIPE = 43,     // two pipes and a fifo
    AT_PATH = 48,     // file, folder, link
    AT_FILE = 51,     // plain, append, without a name
    AT_FOLDER = 54,
    AT_PROC = 55, // three
    AT_NAMESPACE = 58,
    AT_DEVICE = 59, // two
};

static pid_t child;

int waiting_child(void) {
    return child;
}

// Moves what a call returned to its number.
static void place(int fd, int at) {
    if (fd >= 0 && fd != at) {
        dup2(fd, at);
        close(fd);
    }
}

// Pairs of each type from 20 on, a listener and its client.
static void sockets_prepare(void) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, types[i] | SOCK_NONBLOCK, 0, ends) == 0) {
            for (int k = 0; k < 2; k++) {
                dup2(ends[k], 20 + 2 * i + k);
                close(ends[k]);
            }
        }
    }
    // A listener with a client, and a fresh one.
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    static unsigned round;
    snprintf(name.sun_path + 1, 30, "fuzz-%d-%u", (int)getpid(), round++);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0),
        client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&name, 28) == 0 && listen(listener, 5) == 0) {
        connect(client, (struct sockaddr *)&name, 28);
    }
    dup2(listener, 26);
    dup2(client, 27);
    close(listener);
    close(client);
}

static void child_prepare(void) {
    if (child > 0 && waitpid(child, NULL, WNOHANG) == 0) {
        return;
    }
    pid_t parent = getpid();
    child = 0;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent) {
            pause();
        }
        _exit(0);
    }
    child = pid > 0 ? pid : 0;
}

static void events_prepare(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    place(epoll_create1(0), AT_EPOLL);
    place(epoll_create1(EPOLL_CLOEXEC), AT_EPOLL + 1);
    place(eventfd(3, EFD_NONBLOCK), AT_EVENT);
    place(eventfd(1, EFD_SEMAPHORE), AT_EVENT + 1);
    place(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), AT_TIMER);
    place(timerfd_create(CLOCK_MONOTONIC, 0), AT_TIMER + 1);
    place(signalfd(-1, &set, SFD_NONBLOCK), AT_SIGNAL);
    place((int)syscall(SYS_pidfd_open, child, 0), AT_PROCESS);
    place((int)syscall(SYS_pidfd_open, getpid(), 0), AT_PROCESS + 1);
    place(memfd_create("fuzz", MFD_ALLOW_SEALING), AT_MEMORY);
    place((int)syscall(447, 0), AT_MEMORY + 1); // memfd_secret
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN | (i ? EPOLLET : 0)};
        for (int at = AT_EVENT; at < AT_SIGNAL; at++) {
            epoll_ctl(AT_EPOLL + i, EPOLL_CTL_ADD, at, &event);
        }
    }
}

static void streams_prepare(void) {
    int pipes[2];
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), unlocked = 0;
    if (master >= 0) {
        ioctl(master, TIOCSPTLCK, &unlocked);
        place(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK), AT_TERMINAL + 1);
        place(master, AT_TERMINAL);
    }
    place((int)syscall(SYS_mq_open, "a", O_RDWR | O_CREAT, 0666, NULL), AT_QUEUE);
    place((int)syscall(SYS_mq_open, "b", O_RDWR | O_CREAT | O_NONBLOCK, 0666, NULL), AT_QUEUE + 1);
    for (int i = 0; i < 2; i++) {
        if (pipe2(pipes, i ? O_NONBLOCK : 0) == 0) {
            place(pipes[0], AT_PIPE + 2 * i);
            place(pipes[1], AT_PIPE + 2 * i + 1);
        }
    }
    place(open("fifo", O_RDWR | O_NONBLOCK), AT_PIPE + 4);
}

static void files_prepare(bool root) {
    place(open("a", O_PATH), AT_PATH);
    place(open("d", O_PATH | O_DIRECTORY), AT_PATH + 1);
    place(open("l", O_PATH | O_NOFOLLOW), AT_PATH + 2);
    place(open("a", O_RDWR | O_CREAT | O_NONBLOCK, 0666), AT_FILE);
    place(open("b", O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, 0666), AT_FILE + 1);
    place(open(".", O_RDWR | O_TMPFILE, 0600), AT_FILE + 2);
    place(open("d", O_RDONLY | O_DIRECTORY), AT_FOLDER);
    place(open("/proc/self/status", O_RDONLY), AT_PROC);
    place(open("/proc/self", O_RDONLY | O_DIRECTORY), AT_PROC + 1); // not /proc, which root might unmount from there
    place(open("/proc/self/mem", O_RDWR), AT_PROC + 2);
    place(open("/proc/self/ns/uts", O_RDONLY), AT_NAMESPACE);
    place(open(root ? "zero" : "/dev/zero", O_RDWR), AT_DEVICE);
    place(open(root ? "null" : "/dev/null", O_RDWR), AT_DEVICE + 1);
}

void descriptors_prepare(bool root) {
    child_prepare();
    sockets_prepare();
    events_prepare();
    streams_prepare();
    files_prepare(root);
}

uint64_t descriptor(struct chance *chance, enum kind kind) {
    uint64_t first = 0, count = DESCRIPTORS_END;
    switch (kind) {
    case SOCKET: first = 20, count = 8; break;
    case FD_EPOLL: first = AT_EPOLL, count = 2; break;
    case FD_TIMER: first = AT_TIMER, count = 2; break;
    case FD_SIGNAL: first = AT_SIGNAL, count = 1; break;
    case FD_PROCESS: first = AT_PROCESS, count = 2; break;
    case FD_MEMORY: first = AT_MEMORY, count = 2; break;
    case FD_QUEUE: first = AT_QUEUE, count = 2; break;
    case FD_PIPE: first = AT_PIPE, count = 5; break;
    case FD_TERMINAL: first = AT_TERMINAL, count = 2; break;
    case FD_NAMESPACE: first = one_in(chance, 2) ? AT_NAMESPACE : AT_PROCESS, count = 1; break;
    default: break;
    }
    if (one_in(chance, 24)) {
        return extreme(chance);
    }
    if (one_in(chance, 8)) {
        first = 0, count = DESCRIPTORS_END;
    }
    return first + random_below(&chance->random, count);
}
