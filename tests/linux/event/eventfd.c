// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// eventfd: counting, semaphores, overflow, blocking, poll, what a read and a write may not be.
#include "testing.h"
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static uint64_t got;

static long take(int fd) {
    got = 0;
    return read(fd, &got, sizeof(got));
}

static long give(int fd, uint64_t value) {
    return write(fd, &value, sizeof(value));
}

static void say_take(const char *name, int fd) {
    long result = take(fd);
    if (result == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%ld bytes, value %llu", result, (unsigned long long)got);
    }
}

static void say_poll(const char *name, int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM};
    int n = poll(&p, 1, 0);
    say(name, "%d, %#x", n, (unsigned)p.revents);
}

static int shared;

static int reader(void) {
    if (take(shared) != 8) {
        return 1;
    }
    return (int)got;
}

static int writer(void) {
    return give(shared, 5) == 8 ? 0 : 1;
}

static void handler(int signal) {
    (void)signal;
}

static int interrupted(void) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {{0, 30000}, {0, 30000}}; // again and again: the first may come before the wait
    setitimer(ITIMER_REAL, &soon, NULL);
    return take(shared) == -1 ? errno : 0;
}

int main(void) {
    say_call("eventfd2 with an unknown flag", syscall(SYS_eventfd2, 0, 2));
    say_call("eventfd2 with O_APPEND", syscall(SYS_eventfd2, 0, O_APPEND));
    int fd = MUST(eventfd(7, EFD_NONBLOCK | EFD_CLOEXEC));
    say("EFD_CLOEXEC", "%d", fcntl(fd, F_GETFD));
    say("EFD_NONBLOCK", "%#x", fcntl(fd, F_GETFL));
    say_poll("poll of 7", fd);
    say_take("read of 7", fd);
    say_take("read of 0", fd);
    say_poll("poll of 0", fd);
    say_call("write 0", give(fd, 0));
    say_take("read after write 0", fd);
    say_call("write 3", give(fd, 3));
    say_call("write 4", give(fd, 4));
    say_take("read the sum", fd);
    say_call("write the largest value but one", give(fd, UINT64_MAX - 1));
    say_poll("poll when full", fd);
    say_call("write 0 when full", give(fd, 0));
    say_call("write 1 when full", give(fd, 1));
    say_call("write the largest value", give(fd, UINT64_MAX));
    say_take("read when full", fd);
    say_call("write of 7 bytes", write(fd, &got, 7));
    say_call("read of 7 bytes", read(fd, &got, 7));
    uint64_t pair[2] = {6, 100};
    say_call("write of 16 bytes", write(fd, pair, 16));
    say_call("read of 16 bytes", read(fd, pair, 16));
    say("of which are used", "%llu %llu", (unsigned long long)pair[0], (unsigned long long)pair[1]);
    say_call("write from nowhere", write(fd, (void *)8, 8));
    give(fd, 9);
    say_call("read to nowhere", read(fd, (void *)8, 8));
    say_take("takes the value all the same", fd);
    give(fd, 2);
    uint32_t half[2] = {0, 0};
    struct iovec v[2] = {{&half[0], 4}, {&half[1], 4}};
    say_call("readv in two halves", readv(fd, v, 2));
    say("halves", "%u %u", half[0], half[1]);
    say_call("pread", pread(fd, &got, 8, 0));
    say_call("pwrite", pwrite(fd, &got, 8, 0));
    say_call("lseek", lseek(fd, 0, SEEK_SET));
    say_call("ftruncate", ftruncate(fd, 0));
    say_call("fsync", fsync(fd));
    int n;
    say_call("FIONREAD", ioctl(fd, FIONREAD, &n));
    say_ok("mmap", (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
    struct stat st;
    MUST(fstat(fd, &st));
    say("mode", "%o", st.st_mode);
    say("links and size", "%d %lld", (int)st.st_nlink, (long long)st.st_size);
    char path[64], text[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, text, sizeof(text) - 1);
    text[length > 0 ? length : 0] = 0;
    say("link in /proc", "%s", text);
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    give(fd, 255);
    FILE *info = fopen(path, "r");
    char line[128];
    while (info && fgets(line, sizeof(line), info)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "eventfd-count", 13)) {
            say("fdinfo", "%s", line);
        }
    }
    close(fd);

    fd = MUST(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK));
    say_take("semaphore of 3, read", fd);
    say_take("semaphore, again", fd);
    say_take("semaphore, again", fd);
    say_take("semaphore, empty", fd);
    close(fd);
    fd = MUST((int)syscall(SYS_eventfd, 4));
    say_take("eventfd, the old call", fd);
    say("flags of the old call", "%#x %d", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    close(fd);

    shared = MUST(eventfd(0, 0));
    pid_t pid = spawn(reader);
    await_blocked(pid);
    give(shared, 42);
    say("a blocked reader got", "%s", status_text(reap(pid)));
    give(shared, UINT64_MAX - 3);
    pid = spawn(writer);
    await_blocked(pid);
    say_take("a writer waits for room", shared);
    say("the writer", "%s", status_text(reap(pid)));
    say_take("its value", shared);
    pid = spawn(interrupted);
    say("a read that a signal interrupts", "%s", error_name(WEXITSTATUS(reap(pid))));
    close(shared);
    shared = MUST(eventfd(0, EFD_SEMAPHORE));
    pid_t readers[3];
    for (int i = 0; i < 3; i++) {
        readers[i] = spawn(reader);
        await_blocked(readers[i]);
    }
    give(shared, 3);
    for (int i = 0; i < 3; i++) {
        say("a semaphore's readers", "%s", status_text(reap(readers[i])));
    }
    close(shared);
    struct rlimit limit = {4, 4};
    setrlimit(RLIMIT_NOFILE, &limit);
    while (eventfd(0, 0) != -1) {}
    say("too many files", "%s", error_name(errno));
    return 0;
}
