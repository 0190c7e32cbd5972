// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Exhaustion: a hostile user takes all he can get of one thing (processes, threads, memory, descriptors, names,
// signals, ...) for a second or two. The sentinel must live on, the group must be killable, and what was taken must
// come back.
//
//   exhaustion [--seconds T] [NAME...]
#define _GNU_SOURCE
#include "sentinel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, LEAK_KIB = 24 << 10, SETTLE_MS = 20000 };

static int64_t scenario_ms = 1500;

__attribute__((noreturn)) static void rest(void) {
    for (;;) {
        pause();
    }
}

// --- sockets ---

// One byte with descriptors.
static bool descriptors_send(int socket, const int *fds, unsigned count) {
    char byte = 0, space[CMSG_SPACE(sizeof(int) * 200)];
    struct iovec part = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    memset(space, 0, sizeof(space));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    return sendmsg(socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

// Sockets whose only holders are messages in each other's queues: cycles, chains, and all that may be under way at once.
static void descriptors_in_flight(void) {
    for (;;) {
        int a[2], b[2], last = -1;
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, a) == -1 || socketpair(AF_UNIX, SOCK_DGRAM, 0, b) == -1) {
            rest();
        }
        while (descriptors_send(a[0], (int[]){a[0], a[1], b[0], b[1]}, 4) &&
               descriptors_send(b[0], (int[]){a[1], b[1], b[0]}, 3)) {}
        for (int i = 0; i < 2; i++) {
            close(a[i]);
            close(b[i]);
        }
        for (int i = 0; i < 300 && socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0; i++) {
            bool sent = last == -1 || descriptors_send(a[0], &last, 1);
            close(last);
            close(a[0]);
            last = a[1];
            if (!sent) {
                break;
            }
        }
        close(last);
    }
}

// Queues full of bytes, as many as there can be.
static void socket_hogs(void) {
    static char large[60000];
    int pairs = 0, a[2];
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            break;
        }
    }
    while (socketpair(AF_UNIX, pairs++ % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, a) == 0) {
        while (send(a[0], large, sizeof(large), MSG_DONTWAIT) > 0) {}
        while (send(a[1], large, 1, MSG_DONTWAIT) > 0) {}
    }
    rest();
}

// Connections that nobody accepts, with bytes in them; their clients leave.
static void backlog_hogs(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int listeners = 0, fd;
    while ((fd = socket(AF_UNIX, SOCK_STREAM, 0)) != -1 && listeners < 200) {
        socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                       (size_t)snprintf(name.sun_path + 1, 50, "hog-%d-%d", (int)getpid(),
                                                        listeners++));
        if (bind(fd, (struct sockaddr *)&name, length) == -1 || listen(fd, 4096) == -1) {
            break;
        }
        for (int i = 0; i < 500; i++) {
            int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
            if (client == -1 || connect(client, (struct sockaddr *)&name, length) == -1) {
                close(client);
                break;
            }
            send(client, &name, sizeof(name), 0);
            close(client);
        }
    }
    rest();
}

static void fork_bomb(void) {
    for (;;) {
        if (fork() == -1) {
            usleep(20000);
        }
    }
}

static void fork_and_exec_bomb(void) {
    char *const argv[] = {(char *)"exhaustion", (char *)"--rest", NULL};
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            execv("/proc/self/exe", argv);
            _exit(1);
        }
        if (pid == -1) {
            usleep(20000);
        }
    }
}

static void zombies(void) {
    while (fork() != -1) {
        if (getppid() != 1 && getpid() != getpgrp()) {
            _exit(0);
        }
    }
    rest();
}

static void *thread_rest(void *argument) {
    (void)argument;
    rest();
}

static void thread_bomb(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
    while (pthread_create(&thread, &attributes, thread_rest, NULL) == 0) {}
    rest();
}

static void memory_hog(void) {
    for (;;) {
        char *area = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; area != MAP_FAILED && i < 8 << 20; i += PAGE) {
            area[i] = 1;
        }
        if (area == MAP_FAILED) {
            usleep(20000);
        }
    }
}

static void memory_hogs(void) {
    for (int i = 0; i < 6; i++) {
        if (fork() == 0) {
            break;
        }
    }
    memory_hog();
}

static void shared_memory_hog(void) {
    for (;;) {
        char *area = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; area != MAP_FAILED && i < 8 << 20; i += PAGE) {
            area[i] = 1;
        }
        if (area == MAP_FAILED) {
            usleep(20000);
        }
    }
}

static void page_table_hog(void) {
    // One page in every 2 MiB: each needs a page table of its own.
    for (;;) {
        char *area = mmap(NULL, 1UL << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        for (size_t i = 0; area != MAP_FAILED && i < 1UL << 36; i += 2 << 20) {
            *(volatile char *)(area + i);
        }
        if (area == MAP_FAILED) {
            rest();
        }
    }
}

static void mapping_hog(void) {
    for (int i = 0;; i++) {
        void *page = mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) {
            rest();
        }
    }
}

static void copy_on_write_hog(void) {
    // Children that each write to all of an inherited area: what was one copy becomes many.
    size_t size = 16 << 20;
    char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 1, size);
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            memset(area, 2, size);
            rest();
        }
        if (pid == -1) {
            usleep(20000);
        }
    }
}

static void file_hog(void) {
    static char data[64 << 10];
    int fd = open("hog", O_WRONLY | O_CREAT, 0600);
    memset(data, 1, sizeof(data));
    while (write(fd, data, sizeof(data)) > 0) {}
    rest();
}

static void name_hog(void) {
    char name[256];
    for (int i = 0;; i++) {
        memset(name, 'n', 255);
        snprintf(name, sizeof(name), "%d", i);
        name[strlen(name)] = 'n';
        name[200] = 0;
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd == -1) {
            rest();
        }
        close(fd);
    }
}

static void deep_folders(void) {
    for (int i = 0; i < 5000; i++) {
        if (mkdir("dddddddddddddddddddd", 0700) == -1 || chdir("dddddddddddddddddddd") == -1) {
            break;
        }
    }
    static char path[100000];
    syscall(SYS_getcwd, path, sizeof(path));
    struct stat status;
    for (int i = 0; i < 30000; i += 3) {
        memcpy(path + i, "../", 4);
        if (i % 300 == 0) {
            stat(path, &status);
        }
    }
    // Back out again, so that the judge can remove it.
    while (chdir("..") == 0 && rmdir("dddddddddddddddddddd") == 0) {}
    rest();
}

static void link_maze(void) {
    // Each link is ten times the one before: without a limit a walk would take 10^8 steps.
    char from[200], to[16];
    mkdir("end", 0700);
    symlink("end", "m0");
    for (int i = 1; i < 9; i++) {
        size_t at = 0;
        for (int j = 0; j < 10; j++) {
            at += (size_t)snprintf(from + at, sizeof(from) - at, "m%d/../", i - 1);
        }
        snprintf(to, sizeof(to), "m%d", i);
        symlink(from, to);
    }
    struct stat status;
    for (;;) {
        stat("m8", &status);
    }
}

static void descriptor_hog(void) {
    for (int i = 0; i < 30; i++) {
        if (fork() == 0) {
            while (open("/dev/null", O_RDONLY) != -1) {}
            rest();
        }
    }
    rest();
}

static void pipe_hog(void) {
    static char data[64 << 10];
    for (int i = 0; i < 10; i++) {
        int pipes[2];
        if (fork() == 0) {
            while (pipe2(pipes, O_NONBLOCK) == 0) {
                while (write(pipes[1], data, sizeof(data)) > 0) {}
            }
            rest();
        }
    }
    rest();
}

// Terminals without number, each with as much waiting in both directions as it takes.
static void terminal_hog(void) {
    static char data[64 << 10];
    for (int i = 0; i < 10; i++) {
        int master, unlocked = 0;
        if (fork() == 0) {
            while ((master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)) != -1) {
                ioctl(master, TIOCSPTLCK, &unlocked);
                int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
                while (write(slave, data, sizeof(data)) > 0) {}
                while (write(master, data, sizeof(data)) > 0) {}
            }
            rest();
        }
    }
    rest();
}

// Pages that are in many pipes at once, and fifos.
static void splice_hog(void) {
    static char data[64 << 10];
    for (int i = 0; i < 10; i++) {
        int from[2], to[2];
        char name[32];
        if (fork() == 0) {
            snprintf(name, sizeof(name), "fifo-%d", i);
            mkfifo(name, 0600);
            while (pipe2(from, O_NONBLOCK) == 0 && pipe2(to, O_NONBLOCK) == 0) {
                while (write(from[1], data, sizeof(data)) > 0) {}
                while (tee(from[0], to[1], sizeof(data), 0) > 0) {}
                int fifo = open(name, O_RDWR | O_NONBLOCK);
                splice(to[0], NULL, fifo, NULL, sizeof(data), SPLICE_F_NONBLOCK);
            }
            rest();
        }
    }
    rest();
}

static void signal_hog(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    union sigval value = {.sival_int = 1};
    while (sigqueue(getpid(), SIGRTMIN, value) == 0) {}
    rest();
}

// Timers as short as they can be, as many as there may be, in several processes.
static void timer_hog(void) {
    const struct itimerspec soon = {{0, 1}, {0, 1}};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            timer_t timer;
            while (timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0) {
                timer_settime(timer, 0, &soon, NULL);
            }
            int fd;
            while ((fd = timerfd_create(CLOCK_MONOTONIC, 0)) != -1) {
                timerfd_settime(fd, 0, &soon, NULL);
            }
            rest();
        }
    }
    rest();
}

// Watches: each of many epolls watches each of many files, all of them ready.
static void watch_hog(void) {
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            int files[128], poll;
            for (int k = 0; k < 128; k++) {
                files[k] = eventfd(1, 0);
            }
            while ((poll = epoll_create1(0)) != -1) {
                struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
                for (int k = 0; k < 128; k++) {
                    epoll_ctl(poll, EPOLL_CTL_ADD, files[k], &event);
                }
            }
            for (int k = 0;; k++) {
                eventfd_write(files[k % 128], 1);
            }
        }
    }
    rest();
}

__attribute__((noinline)) static int recurse(volatile char *above) {
    volatile char frame[3000];
    frame[0] = above[0];
    return frame[0] ? recurse(frame) + frame[0] : 0;
}

static void stack_hog(void) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_STACK, &limit);
    volatile char start = 1;
    recurse(&start);
}

static void argument_hog(void) {
    static char *argv[40];
    char *text = malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = 0;
    for (int i = 0; i < 19; i++) {
        argv[i] = text;
    }
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            execv("/tests/victim", argv);
            _exit(1);
        }
        while (waitpid(-1, NULL, pid == -1 ? 0 : WNOHANG) > 0) {}
    }
}

static void *thread_map(void *argument) {
    (void)argument;
    for (;;) {
        char *area = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area != MAP_FAILED) {
            area[0] = area[8192] = 1;
            munmap(area, 64 << 10);
        }
    }
    return NULL;
}

static void mapping_storm(void) {
    pthread_t thread;
    for (int i = 0; i < 8; i++) {
        pthread_create(&thread, NULL, thread_map, NULL);
    }
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

static void lock_hog(void) {
    int fd = open("locks", O_RDWR | O_CREAT, 0600);
    for (int i = 0; i < 500000; i++) {
        struct flock range = {.l_type = i % 4 ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET, .l_start = i * 2L, .l_len = 1};
        if (fcntl(fd, F_SETLK, &range) == -1) {
            break;
        }
    }
    rest();
}

// Segments, attached and written: all that may be had.
static void segment_hog(void) {
    for (size_t size = 64 << 20; size >= PAGE;) {
        int id = (int)syscall(SYS_shmget, 0, size, 01600);
        char *at = id == -1 ? (char *)-1 : (char *)syscall(SYS_shmat, id, NULL, 0);
        if (at == (char *)-1) {
            size /= 2;
            continue;
        }
        for (size_t i = 0; i < size; i += PAGE) {
            at[i] = 1;
        }
    }
    rest();
}

static void semaphore_hog(void) {
    for (int size = 32000; size > 0;) {
        if (syscall(SYS_semget, 0, size, 01600) == -1) {
            size /= 2;
        }
    }
    rest();
}

static void message_hog(void) {
    static struct {
        long type;
        char text[8192];
    } message = {.type = 1};
    for (;;) {
        int id = (int)syscall(SYS_msgget, 0, 01600);
        if (id == -1) {
            break;
        }
        for (size_t size = sizeof(message.text); size > 0;) {
            if (syscall(SYS_msgsnd, id, &message, size, 04000) == -1) {
                size /= 2;
            }
        }
    }
    rest();
}

// Files without a name that are written full, and sealed.
static void memory_file_hog(void) {
    static char block[1 << 20];
    memset(block, 'm', sizeof(block));
    for (;;) {
        int fd = memfd_create("hog", MFD_ALLOW_SEALING);
        if (fd == -1 || write(fd, block, sizeof(block)) != (ssize_t)sizeof(block)) {
            break;
        }
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    }
    rest();
}

// Leases and owners on as many open files as can be had, and breakers who wait for them.
static void lease_hog(void) {
    char name[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "lease-%d", i % 500);
        int fd = open(name, O_RDONLY | O_CREAT, 0600);
        if (fd == -1) {
            break;
        }
        fcntl(fd, F_SETLEASE, F_RDLCK);
        fcntl(fd, F_SETSIG, SIGRTMIN);
        if (i % 100 == 0 && fork() == 0) {
            open(name, O_WRONLY);
            rest();
        }
    }
    rest();
}

static void queue_hog(void) {
    char name[16], text[8192] = {0};
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "hog%d", i);
        int fd = (int)syscall(SYS_mq_open, name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, NULL);
        while (fd >= 0 && syscall(SYS_mq_timedsend, fd, text, sizeof(text), 1, NULL) == 0) {}
    }
    rest();
}

static const struct {
    const char *name;
    void (*function)(void);
} scenarios[] = {
    {"fork-bomb", fork_bomb},
    {"fork-and-exec-bomb", fork_and_exec_bomb},
    {"zombies", zombies},
    {"thread-bomb", thread_bomb},
    {"memory-hog", memory_hog},
    {"memory-hogs", memory_hogs},
    {"shared-memory-hog", shared_memory_hog},
    {"page-table-hog", page_table_hog},
    {"mapping-hog", mapping_hog},
    {"copy-on-write-hog", copy_on_write_hog},
    {"file-hog", file_hog},
    {"name-hog", name_hog},
    {"deep-folders", deep_folders},
    {"link-maze", link_maze},
    {"descriptor-hog", descriptor_hog},
    {"pipe-hog", pipe_hog},
    {"terminal-hog", terminal_hog},
    {"splice-hog", splice_hog},
    {"signal-hog", signal_hog},
    {"stack-hog", stack_hog},
    {"argument-hog", argument_hog},
    {"mapping-storm", mapping_storm},
    {"lock-hog", lock_hog},
    {"descriptors-in-flight", descriptors_in_flight},
    {"socket-hogs", socket_hogs},
    {"backlog-hogs", backlog_hogs},
    {"timer-hog", timer_hog},
    {"watch-hog", watch_hog},
    {"segment-hog", segment_hog},
    {"semaphore-hog", semaphore_hog},
    {"message-hog", message_hog},
    {"queue-hog", queue_hog},
    {"lease-hog", lease_hog},
    {"memory-file-hog", memory_file_hog},
};

static void scenario_main(void (*function)(void), const struct rlimit *files) {
    setsid();
    for (int fd = 0; fd < 3; fd++) {
        close(fd);
        open("/dev/null", O_RDWR);
    }
    setrlimit(RLIMIT_NOFILE, files);
    become_user();
    if (chdir("/tmp/hostile") == -1) {
        _exit(1);
    }
    function();
    _exit(0);
}

// Waits for what was taken to come back.
static const char *memory_back(long before) {
    static char text[80];
    int64_t deadline = now_ms() + SETTLE_MS;
    long missing;
    while ((missing = before - memory_free()) > LEAK_KIB) {
        if (now_ms() > deadline) {
            snprintf(text, sizeof(text), "%ld KiB of memory have not come back", missing);
            return text;
        }
        usleep(20000);
    }
    return NULL;
}

static const char *scenario_run(void (*function)(void)) {
    struct rlimit files = {1024, 1024};
    umask(0);
    mkdir("/tmp/hostile", 0777);
    long before = memory_free();
    pid_t pid = fork();
    if (pid == -1) {
        return "cannot be started";
    }
    if (pid == 0) {
        scenario_main(function, &files);
    }
    const char *wrong = NULL;
    int64_t end = now_ms() + scenario_ms;
    usleep(100000);
    while (!wrong && now_ms() < end) {
        wrong = sentinel_check();
        usleep(100000);
    }
    const char *killed = group_end(pid);
    waitpid(pid, NULL, 0);
    wrong = wrong ? wrong : killed;
    remove_tree("/tmp/hostile");
    ipc_remove_all();
    wrong = wrong ? wrong : sentinel_check();
    return wrong ? wrong : memory_back(before);
}

static bool wanted(const char *name, int argc, char **argv) {
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') {
            i++;
            continue;
        }
        any = true;
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return !any;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--rest") == 0) {
        rest();
    }
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--milliseconds") == 0) {
            scenario_ms = atol(argv[i + 1]);
        }
    }
    signal(SIGPIPE, SIG_IGN);
    sentinel_start(1);
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (wanted(scenarios[i].name, argc, argv)) {
            printf("begin %s\n", scenarios[i].name);
            fflush(stdout);
            verdict(scenarios[i].name, scenario_run(scenarios[i].function));
        }
    }
    sentinel_stop();
    return verdicts_bad() > 0;
}
