// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// epoll: what may be watched, how, and what is told: level, edge, one-shot and exclusive watches, changes, the end of files, waiting.
#include "testing.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static int control(int poll, int operation, int fd, uint32_t events) {
    struct epoll_event e = {.events = events, .data.u64 = 0x100000000ull + (unsigned)fd};
    return epoll_ctl(poll, operation, fd, &e);
}

static void say_wait(const char *name, int poll, int most, int timeout) {
    struct epoll_event e[8];
    char text[256];
    int n = epoll_wait(poll, e, most, timeout), length = 0;
    if (n == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    for (int i = 0; i < n; i++) {
        length += snprintf(text + length, sizeof(text) - (size_t)length, " %#x", e[i].events);
    }
    text[length] = 0;
    say(name, "%d%s", n, text);
}

static void give(int fd, uint64_t value) {
    MUST(write(fd, &value, sizeof(value)));
}

static void take(int fd) {
    uint64_t value;
    MUST(read(fd, &value, sizeof(value)));
}

static void arguments(void) {
    struct epoll_event e = {.events = EPOLLIN};
    say_call("epoll_create of 0", syscall(SYS_epoll_create, 0));
    say_call("epoll_create of -1", syscall(SYS_epoll_create, -1));
    int old = MUST((int)syscall(SYS_epoll_create, 1));
    say("epoll_create", "%d", fcntl(old, F_GETFD));
    close(old);
    say_call("epoll_create1, unknown flag", epoll_create1(1));
    say_call("epoll_create1, EPOLL_NONBLOCK", epoll_create1(O_NONBLOCK));
    int poll = MUST(epoll_create1(EPOLL_CLOEXEC)), event = MUST(eventfd(0, EFD_NONBLOCK));
    say("EPOLL_CLOEXEC", "%d %#x", fcntl(poll, F_GETFD), fcntl(poll, F_GETFL));
    char buffer[16];
    say_call("read", read(poll, buffer, 16));
    say_call("write", write(poll, buffer, 16));
    say_call("lseek", lseek(poll, 0, SEEK_SET));
    file_make("file", "x", 0600);
    mkdir("folder", 0700);
    int file = open("file", O_RDWR), folder = open("folder", O_RDONLY), path = open("file", O_PATH);
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    say_call("add a regular file", control(poll, EPOLL_CTL_ADD, file, EPOLLIN));
    say_call("add a directory", control(poll, EPOLL_CTL_ADD, folder, EPOLLIN));
    say_call("add a path", control(poll, EPOLL_CTL_ADD, path, EPOLLIN));
    say_call("add /dev/null", control(poll, EPOLL_CTL_ADD, null, EPOLLIN));
    say_call("add /dev/zero", control(poll, EPOLL_CTL_ADD, zero, EPOLLIN));
    say_call("add nothing open", control(poll, EPOLL_CTL_ADD, 999, EPOLLIN));
    say_call("add to nothing open", control(999, EPOLL_CTL_ADD, event, EPOLLIN));
    say_call("add to what is no epoll", control(event, EPOLL_CTL_ADD, event, EPOLLIN));
    say_call("add a file to what is no epoll", control(event, EPOLL_CTL_ADD, file, EPOLLIN));
    say_call("add itself", control(poll, EPOLL_CTL_ADD, poll, EPOLLIN));
    say_call("add from nowhere", epoll_ctl(poll, EPOLL_CTL_ADD, event, (void *)8));
    say_call("add nothing from nowhere", epoll_ctl(poll, EPOLL_CTL_ADD, 999, (void *)8));
    say_call("change what is not there", control(poll, EPOLL_CTL_MOD, event, EPOLLIN));
    say_call("remove what is not there", control(poll, EPOLL_CTL_DEL, event, EPOLLIN));
    say_call("an unknown operation", control(poll, 4, event, EPOLLIN));
    say_call("an unknown operation from nowhere", epoll_ctl(poll, 0, event, NULL));
    say_call("add", control(poll, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLWAKEUP));
    say_call("add again", control(poll, EPOLL_CTL_ADD, event, EPOLLOUT));
    int copy = dup(event);
    say_call("add the same by another number", control(poll, EPOLL_CTL_ADD, copy, EPOLLIN));
    say_call("remove, no event given", epoll_ctl(poll, EPOLL_CTL_DEL, event, NULL));
    say_call("remove again", epoll_ctl(poll, EPOLL_CTL_DEL, event, NULL));
    say_call("wait for none", epoll_wait(poll, &e, 0, 0));
    say_call("wait for -1", epoll_wait(poll, &e, -1, 0));
    say_call("wait for too many", epoll_wait(poll, &e, 178956971, 0));
    say_call("wait to kernel addresses", syscall(SYS_epoll_wait, poll, 0xffff888000000000ul, 1, 0));
    say_call("wait to nowhere, nothing ready", syscall(SYS_epoll_wait, poll, 8, 1, 0));
    give(event, 1);
    say_call("wait to nowhere, one ready", syscall(SYS_epoll_wait, poll, 8, 1, 0));
    say_wait("it is still there", poll, 1, 0);
    say_call("wait in what is no epoll", epoll_wait(event, &e, 1, 0));
    say_call("wait in nothing open", epoll_wait(999, &e, 1, 0));
    say_call("pwait, mask of 4 bytes", syscall(SYS_epoll_pwait, poll, &e, 1, 0, &e, 4));
    say_call("pwait, mask from nowhere", syscall(SYS_epoll_pwait, poll, &e, 1, 0, 8, 8));
    struct timespec t = {0, 1000000000};
    say_call("pwait2, bad time", syscall(SYS_epoll_pwait2, poll, &e, 1, &t, NULL, 8));
    say_call("pwait2, time from nowhere", syscall(SYS_epoll_pwait2, poll, &e, 1, 8, NULL, 8));
    t = (struct timespec){0, 0};
    say_call("pwait2", syscall(SYS_epoll_pwait2, poll, &e, 1, &t, NULL, 8));
    take(event);
    t = (struct timespec){0, 20000000};
    int64_t start = now_ms();
    say_call("pwait2 until the time is up", syscall(SYS_epoll_pwait2, poll, &e, 1, &t, NULL, 8));
    say_bool("it waited", now_ms() - start >= 19);
    start = now_ms();
    say_wait("wait until the time is up", poll, 1, 20);
    say_bool("it waited", now_ms() - start >= 19);
}

static void modes(void) {
    int poll = MUST(epoll_create1(0)), event = MUST(eventfd(1, EFD_NONBLOCK));
    MUST(control(poll, EPOLL_CTL_ADD, event, EPOLLIN));
    say_wait("level, ready", poll, 8, 0);
    say_wait("level, again", poll, 8, 0);
    take(event);
    say_wait("level, read", poll, 8, 0);
    MUST(control(poll, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLOUT));
    say_wait("changed to both", poll, 8, 0);
    MUST(control(poll, EPOLL_CTL_MOD, event, 0));
    say_wait("changed to nothing", poll, 8, 0);
    MUST(control(poll, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLET));
    say_wait("edge, nothing there", poll, 8, 0);
    give(event, 1);
    say_wait("edge, given", poll, 8, 0);
    say_wait("edge, again", poll, 8, 0);
    give(event, 1);
    say_wait("edge, given more", poll, 8, 0);
    take(event);
    give(event, 1);
    take(event);
    say_wait("edge, given and taken", poll, 8, 0);
    give(event, 1);
    say_wait("edge, given once more", poll, 8, 0);
    MUST(control(poll, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLET));
    say_wait("edge, changed to the same: told again", poll, 8, 0);
    MUST(control(poll, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLONESHOT));
    say_wait("one-shot", poll, 8, 0);
    give(event, 1);
    say_wait("one-shot, spent", poll, 8, 0);
    say_call("one-shot, added again", control(poll, EPOLL_CTL_ADD, event, EPOLLIN));
    MUST(control(poll, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLONESHOT | EPOLLET));
    say_wait("one-shot, set again", poll, 8, 0);
    MUST(control(poll, EPOLL_CTL_DEL, event, 0));
    say_call("exclusive with a band", control(poll, EPOLL_CTL_ADD, event, EPOLLEXCLUSIVE | EPOLLRDNORM));
    say_call("exclusive and one-shot", control(poll, EPOLL_CTL_ADD, event, EPOLLEXCLUSIVE | EPOLLONESHOT | EPOLLIN));
    say_call("exclusive, epoll in epoll",
             control(poll, EPOLL_CTL_ADD, MUST(epoll_create1(0)), EPOLLEXCLUSIVE | EPOLLIN));
    say_call("exclusive",
             control(poll, EPOLL_CTL_ADD, event, EPOLLEXCLUSIVE | EPOLLIN | EPOLLOUT | EPOLLET | EPOLLWAKEUP));
    say_call("exclusive, changed", control(poll, EPOLL_CTL_MOD, event, EPOLLIN));
    say_call("changed to exclusive", control(poll, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLEXCLUSIVE));
    say_wait("exclusive, ready", poll, 8, 0);
    MUST(control(poll, EPOLL_CTL_DEL, event, 0));

    // A pipe, whose two ends tell different things.
    int ends[2];
    MUST(pipe(ends));
    MUST(control(poll, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET));
    MUST(control(poll, EPOLL_CTL_ADD, ends[1], EPOLLOUT | EPOLLWRNORM | EPOLLET));
    say_wait("a new pipe", poll, 8, 0);
    MUST(write(ends[1], "ab", 2));
    say_wait("written", poll, 8, 0);
    MUST(write(ends[1], "cd", 2));
    say_wait("written again", poll, 8, 0);
    char c[4];
    MUST(read(ends[0], c, 1));
    say_wait("read in part", poll, 8, 0);
    close(ends[1]);
    say_wait("the writer closed", poll, 8, 0);
    say_wait("the same", poll, 8, 0);
    close(ends[0]);
    MUST(pipe(ends));
    MUST(control(poll, EPOLL_CTL_ADD, ends[1], 0));
    say_wait("nothing wanted", poll, 8, 0);
    close(ends[0]);
    say_wait("the reader closed", poll, 8, 0);
    close(ends[1]);
    say_wait("both closed", poll, 8, 0);
    MUST(pipe(ends));
    MUST(control(poll, EPOLL_CTL_ADD, ends[1], EPOLLERR | EPOLLHUP | EPOLLRDBAND | EPOLLWRBAND | EPOLLRDNORM));
    say_wait("bands of a pipe", poll, 8, 0);
    close(ends[0]);
    close(ends[1]);

    // Several, in turn.
    int events[4];
    for (int i = 0; i < 4; i++) {
        events[i] = MUST(eventfd(1, 0));
        MUST(control(poll, EPOLL_CTL_ADD, events[i], EPOLLIN));
    }
    struct epoll_event e[2];
    for (int i = 0; i < 3; i++) {
        int n = epoll_wait(poll, e, 2, 0);
        say("two of four in turn", "%d: %d %d", n, (int)(e[0].data.u64 & 0xffffffff) - events[0],
            (int)(e[1].data.u64 & 0xffffffff) - events[0]);
    }
    say("data comes back whole", "%#llx", (unsigned long long)(e[0].data.u64 >> 32));
    MUST(control(poll, EPOLL_CTL_DEL, events[1], 0));
    close(events[2]);
    say_wait("one removed, one closed", poll, 8, 0);
    close(poll);
}

static void ends_of_files(void) {
    int poll = MUST(epoll_create1(0)), event = MUST(eventfd(1, 0)), copy = MUST(dup(event));
    MUST(control(poll, EPOLL_CTL_ADD, event, EPOLLIN));
    close(event);
    say_wait("closed, but a copy is open", poll, 8, 0);
    say_call("removed by the copy", control(poll, EPOLL_CTL_DEL, copy, 0));
    say_call("removed by the closed number", control(poll, EPOLL_CTL_DEL, event, 0));
    MUST(dup2(copy, event));
    say_call("the same description at its number again", control(poll, EPOLL_CTL_ADD, event, EPOLLIN));
    close(event);
    close(copy);
    say_wait("all closed", poll, 8, 0);
    event = MUST(eventfd(1, 0));
    MUST(control(poll, EPOLL_CTL_ADD, event, EPOLLIN));
    pid_t pid = fork();
    if (pid == 0) {
        close(event);
        _exit(epoll_wait(poll, (struct epoll_event[1]){}, 1, 0));
    }
    say("a child closes it: its parent's is open", "%s", status_text(reap(pid)));
    close(poll);
    close(event);
    // Very many watches at once, and their end.
    poll = MUST(epoll_create1(0));
    int many = 0;
    for (int i = 0; i < 900; i++) {
        int fd = eventfd(1, 0);
        many += fd != -1 && control(poll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET) == 0;
    }
    int told = 0, n;
    struct epoll_event e[64];
    while ((n = epoll_wait(poll, e, 64, 0)) > 0) {
        told += n;
    }
    say("watched and told", "%d %d", many, told);
    for (int fd = poll + 1; fd < poll + 901; fd++) {
        close(fd);
    }
    say_wait("all closed", poll, 8, 0);
    close(poll);
}

static void information(void) {
    int poll = MUST(epoll_create1(0)), event = MUST(dup2(MUST(eventfd(0, 0)), 40));
    MUST(control(poll, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLET));
    char path[64], line[160];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", poll);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        char *pos = strstr(line, "  pos:");
        if (pos) {
            *pos = 0;
            say("fdinfo", "%s", line);
        }
    }
    fclose(f);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", poll);
    line[readlink(path, line, sizeof(line) - 1)] = 0;
    say("link in /proc", "%s", line);
    struct stat st;
    fstat(poll, &st);
    say("mode", "%o", st.st_mode);
    struct pollfd p = {.fd = poll, .events = POLLIN | POLLRDNORM | POLLOUT};
    say("poll of an epoll, nothing ready", "%d", poll == -1 ? 0 : (ppoll(&p, 1, &(struct timespec){0, 0}, NULL)));
    give(event, 1);
    int n = ppoll(&p, 1, NULL, NULL);
    say("poll of an epoll, one ready", "%d %#x", n, (unsigned)p.revents);
    close(poll);
    close(event);
}

static int shared_poll, shared_event;
static atomic_int threads_told;

static void *waits(void *argument) {
    struct epoll_event e;
    (void)argument;
    int n = epoll_wait(shared_poll, &e, 1, 10000);
    threads_told++;
    return (void *)(intptr_t)n;
}

static void handler(int signal) {
    (void)signal;
}

static int interrupted(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    struct epoll_event e;
    return epoll_wait(shared_poll, &e, 1, -1) == -1 ? errno : 0;
}

static int masked(void) {
    struct sigaction action = {.sa_handler = handler};
    sigset_t set, empty;
    sigemptyset(&empty);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    struct epoll_event e;
    say_call("pwait with a pending signal let in", epoll_pwait(shared_poll, &e, 1, 1000, &empty));
    sigprocmask(SIG_BLOCK, NULL, &empty);
    say("mask afterwards", "%s", sigismember(&empty, SIGUSR1) ? "blocked" : "open");
    raise(SIGUSR1);
    give(shared_event, 1);
    sigset_t none;
    sigemptyset(&none);
    say_call("pwait, an event and a signal", epoll_pwait(shared_poll, &e, 1, 1000, &none));
    sigpending(&empty);
    say("the signal", "%s", sigismember(&empty, SIGUSR1) ? "pending" : "taken");
    take(shared_event);
    return 0;
}

static void waiting(void) {
    shared_poll = MUST(epoll_create1(0));
    shared_event = MUST(eventfd(0, 0));
    MUST(control(shared_poll, EPOLL_CTL_ADD, shared_event, EPOLLIN | EPOLLET));
    pthread_t threads[3];
    // Of several threads in one epoll an edge wakes one.
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, waits, NULL);
    }
    sleep_ms(60);
    int told = 0;
    for (int i = 0; i < 3; i++) {
        give(shared_event, 1);
        // Two edges before the first is told are one. More than one thread for an edge would show as a thread that is told nothing.
        for (int tries = 0; tries < 5000 && threads_told <= i; tries++) {
            sleep_ms(1);
        }
        sleep_ms(20);
    }
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        told += (int)(intptr_t)result;
    }
    say("three edges for three threads", "%d", told);
    take(shared_event);
    pid_t pid = spawn(interrupted);
    await_blocked(pid);
    kill(pid, SIGSTOP);
    await_state(pid, 'T');
    kill(pid, SIGCONT);
    int status;
    bool ended = waitpid(pid, &status, WNOHANG) == pid;
    if (!ended) {
        sleep_ms(50);
        kill(pid, SIGUSR1);
        status = reap(pid);
    }
    say("a signal ends the wait, SA_RESTART or not", "%s", error_name(WEXITSTATUS(status)));
    masked();
    MUST(control(shared_poll, EPOLL_CTL_DEL, shared_event, 0));
    // What is added while a thread waits is told.
    pthread_create(&threads[0], NULL, waits, NULL);
    sleep_ms(40);
    give(shared_event, 1);
    MUST(control(shared_poll, EPOLL_CTL_ADD, shared_event, EPOLLIN));
    void *result;
    pthread_join(threads[0], &result);
    say("added while waited for", "%d", (int)(intptr_t)result);
    MUST(control(shared_poll, EPOLL_CTL_MOD, shared_event, 0));
    pthread_create(&threads[0], NULL, waits, NULL);
    sleep_ms(40);
    MUST(control(shared_poll, EPOLL_CTL_MOD, shared_event, EPOLLIN));
    pthread_join(threads[0], &result);
    say("changed while waited for", "%d", (int)(intptr_t)result);
}

int main(void) {
    arguments();
    modes();
    ends_of_files();
    information();
    waiting();
    return 0;
}
