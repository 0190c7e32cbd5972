// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Limits in /proc/sys that a user shares among all processes (pages of pipes, watches of epoll), and those of the machine: numbers of processes, threads,
// descriptors. What is set is put back.
#include "testing.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define USER 1234

static void set(const char *path, const char *value) {
    int fd = MUST(open(path, O_WRONLY));
    MUST(write(fd, value, strlen(value)));
    close(fd);
}

static void try(const char *path, const char *value) {
    char name[128];
    int fd = open(path, O_WRONLY);
    snprintf(name, sizeof(name), "%s < \"%s\"", strrchr(path, '/') + 1, value);
    if (fd == -1) {
        say(name, "open: %s", error_name(errno));
        return;
    }
    say_call(name, write(fd, value, strlen(value)));
    close(fd);
    say_file("  is", path);
}

#define SOFT    "/proc/sys/fs/pipe-user-pages-soft"
#define HARD    "/proc/sys/fs/pipe-user-pages-hard"
#define SIZE    "/proc/sys/fs/pipe-max-size"
#define WATCHES "/proc/sys/fs/epoll/max_user_watches"

static void values(void) {
    say_file(SOFT, SOFT);
    say_file(HARD, HARD);
    say_file(SIZE, SIZE);
    try(SIZE, "5000\n");
    try(SIZE, "0");
    try(SIZE, "many");
    try(SIZE, "4294967296");
    try(SIZE, "1048576");
    try(SOFT, "-1");
    try(SOFT, "16384");
}

static void as_user(void) {
    MUST(setgid(USER));
    MUST(setuid(USER));
}

static int new_pipe(int p[2]) {
    p[0] = p[1] = -1;
    return pipe(p);
}

static void say_pipe(const char *name) {
    int p[2];
    if (new_pipe(p) == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%d", fcntl(p[0], F_GETPIPE_SZ));
    }
}

// 40 pages: two pipes and a half.
static int soft(void) {
    int p[2], first[2];
    as_user();
    MUST(pipe(first));
    say_pipe("soft 40: the second");
    say_pipe("soft 40: the third");
    say_pipe("soft 40: the fourth");
    say_call("soft 40: one grows", fcntl(first[0], F_SETPIPE_SZ, 131072));
    say_call("soft 40: one shrinks", fcntl(first[0], F_SETPIPE_SZ, 4096));
    say_call("soft 40: and grows", fcntl(first[0], F_SETPIPE_SZ, 8192));
    say_call("soft 40: beyond", fcntl(first[0], F_SETPIPE_SZ, 131072));
    p[0] = MUST(open("user_fifo", O_RDWR));
    say_call("soft 40: a fifo", fcntl(p[0], F_GETPIPE_SZ));
    return 0;
}

// Another process of the user finds what this one holds.
static int soft_shared(void) {
    as_user();
    int p[2];
    MUST(pipe(p));
    MUST(pipe(p));
    pid_t child = MUST(fork());
    if (child == 0) {
        say_pipe("soft 40: another process of the user");
        _exit(0);
    }
    reap(child);
    return 0;
}

static int hard(void) {
    int p[2], q[2];
    as_user();
    MUST(pipe(p));
    say_pipe("hard 40: the second");
    say_pipe("hard 40: the third");
    say_pipe("hard 40: the fourth");
    say_call("hard 40: one grows", fcntl(p[0], F_SETPIPE_SZ, 131072));
    say_ok("hard 40: a fifo", open("hard_fifo", O_RDWR));
    close(p[0]);
    close(p[1]);
    say_call("hard 40: after one was closed", new_pipe(q));
    return 0;
}

static int sizes(void) {
    int p[2];
    MUST(pipe(p));
    say_call("max-size 32768: root's", fcntl(p[0], F_GETPIPE_SZ));
    say_call("max-size 32768: root grows one", fcntl(p[0], F_SETPIPE_SZ, 131072));
    as_user();
    say_pipe("max-size 32768: a user's");
    say_call("max-size 32768: a user grows root's", fcntl(p[0], F_SETPIPE_SZ, 262144));
    say_call("max-size 32768: and shrinks it", fcntl(p[0], F_SETPIPE_SZ, 65536));
    return 0;
}

static int root_is_free(void) {
    int p[2];
    for (int i = 0; i < 4; i++) {
        MUST(pipe(p));
    }
    say_call("root", fcntl(p[0], F_GETPIPE_SZ));
    say_call("root grows one", fcntl(p[0], F_SETPIPE_SZ, 1 << 21));
    return 0;
}

static int watches(void) {
    struct epoll_event event = {.events = EPOLLIN};
    as_user();
    int a = MUST(epoll_create1(0)), b = MUST(epoll_create1(0)), e = MUST(eventfd(0, 0)), g = MUST(eventfd(0, 0)),
        h = MUST(eventfd(0, 0));
    say_call("watches 3: the first", epoll_ctl(a, EPOLL_CTL_ADD, e, &event));
    say_call("watches 3: the second", epoll_ctl(a, EPOLL_CTL_ADD, g, &event));
    say_call("watches 3: the third, in another set", epoll_ctl(b, EPOLL_CTL_ADD, e, &event));
    say_call("watches 3: a fourth", epoll_ctl(b, EPOLL_CTL_ADD, g, &event));
    say_call("watches 3: one that is there", epoll_ctl(a, EPOLL_CTL_ADD, e, &event));
    pid_t child = MUST(fork());
    if (child == 0) {
        int c = MUST(epoll_create1(0));
        say_call("watches 3: in another process", epoll_ctl(c, EPOLL_CTL_ADD, h, &event));
        _exit(0);
    }
    reap(child);
    say_call("watches 3: one is removed", epoll_ctl(a, EPOLL_CTL_DEL, e, NULL));
    say_call("watches 3: and another added", epoll_ctl(b, EPOLL_CTL_ADD, h, &event));
    close(a);
    say_call("watches 3: a set is closed", epoll_ctl(b, EPOLL_CTL_ADD, g, &event));
    close(h);
    int k = MUST(eventfd(0, 0));
    say_call("watches 3: a file is closed", epoll_ctl(b, EPOLL_CTL_ADD, k, &event));
    return 0;
}

static int nothing(void) {
    return 0;
}

static void machine(void) {
    say_file("pid_max", "/proc/sys/kernel/pid_max");
    try("/proc/sys/kernel/pid_max", "300");
    try("/proc/sys/kernel/pid_max", "301");
    int most = 0;
    for (int i = 0; i < 320; i++) {
        pid_t pid = spawn(nothing);
        reap(pid);
        most = pid > most ? pid : most;
    }
    say_bool("all numbers are less", most > 0 && most <= 301);
    set("/proc/sys/kernel/pid_max", "32768");
    char old[32] = {0};
    int fd = MUST(open("/proc/sys/kernel/threads-max", O_RDONLY));
    MUST(read(fd, old, sizeof(old) - 1));
    close(fd);
    fd = MUST(open("/proc/sys/kernel/threads-max", O_WRONLY));
    say_call("threads-max < 0", write(fd, "0", 1));
    say_call("threads-max < 1", write(fd, "1", 1));
    close(fd);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    say_ok("fork beyond threads-max", pid);
    set("/proc/sys/kernel/threads-max", old);
    say_child("fork again", nothing);
    struct rlimit limit;
    say_file("nr_open", "/proc/sys/fs/nr_open");
    try("/proc/sys/fs/nr_open", "63");
    try("/proc/sys/fs/nr_open", "2048");
    getrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit more = {1024, 2049};
    say_call("RLIMIT_NOFILE beyond", setrlimit(RLIMIT_NOFILE, &more));
    more.rlim_max = 2048;
    say_call("RLIMIT_NOFILE as much", setrlimit(RLIMIT_NOFILE, &more));
    set("/proc/sys/fs/nr_open", "1048576");
    more.rlim_max = 1048577;
    say_call("RLIMIT_NOFILE beyond a million", setrlimit(RLIMIT_NOFILE, &more));
}

static int not_root(void) {
    as_user();
    try(SOFT, "1");
    try("/proc/sys/kernel/pid_max", "301");
    try(WATCHES, "1");
    return 0;
}

int main(void) {
    MUST(mkfifo("user_fifo", 0666));
    MUST(mkfifo("hard_fifo", 0666));
    MUST(chmod("user_fifo", 0666));
    MUST(chmod("hard_fifo", 0666));
    values();
    set(SOFT, "40");
    say_child("soft limit", soft);
    say_child("soft limit, shared", soft_shared);
    say_child("root", root_is_free);
    set(SOFT, "0");
    set(HARD, "40");
    say_child("hard limit", hard);
    say_child("root", root_is_free);
    set(HARD, "0");
    set(SIZE, "32768");
    say_child("largest size", sizes);
    set(SIZE, "1048576");
    set(SOFT, "16384");
    char old[32] = {0};
    int fd = MUST(open(WATCHES, O_RDONLY));
    MUST(read(fd, old, sizeof(old) - 1));
    close(fd);
    say_bool("watches: a limit by memory", atol(old) > 1000);
    set(WATCHES, "3");
    say_child("watches", watches);
    set(WATCHES, old);
    machine();
    say_child("not root", not_root);
    return 0;
}
