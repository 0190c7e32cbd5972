// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// signalfd: which signals a file shows, to whom, and every field of what it tells.
#include "testing.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static sigset_t set_of(int a, int b) {
    sigset_t set;
    sigemptyset(&set);
    if (a) {
        sigaddset(&set, a);
    }
    if (b) {
        sigaddset(&set, b);
    }
    return set;
}

static int make(int fd, sigset_t set, int flags) {
    return (int)syscall(SYS_signalfd4, fd, &set, 8, flags);
}

static void say_read(const char *name, int fd) {
    struct signalfd_siginfo i;
    ssize_t n = read(fd, &i, sizeof(i));
    if (n == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    say(name,
        "%zd bytes: signal %u code %d errno %d pid %s uid %u fd %d tid %u band %u overrun %u trap %u status %d int %d "
        "ptr %#llx addr %#llx",
        n, i.ssi_signo, i.ssi_code, i.ssi_errno,
        i.ssi_pid == (uint32_t)getpid() ? "own"
        : i.ssi_pid == 0                ? "0"
                                        : "other",
        i.ssi_uid, i.ssi_fd, i.ssi_tid, i.ssi_band, i.ssi_overrun, i.ssi_trapno, i.ssi_status, i.ssi_int,
        (unsigned long long)i.ssi_ptr, (unsigned long long)i.ssi_addr);
}

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    return poll(&p, 1, 0) == 1 && p.revents == POLLIN;
}

static int shared;

static int child_exits(void) {
    return 7;
}

static int waits(void) {
    struct signalfd_siginfo i;
    return read(shared, &i, sizeof(i)) == sizeof(i) ? (int)i.ssi_signo : 99;
}

static int sees_nothing(void) {
    return readable(shared) ? 1 : 0;
}

static void *thread_takes(void *argument) {
    struct signalfd_siginfo i;
    (void)argument;
    return (void *)(intptr_t)(read(shared, &i, sizeof(i)) == -1 ? -errno : (int)i.ssi_signo);
}

int main(void) {
    sigset_t usr = set_of(SIGUSR1, SIGUSR2), all;
    sigfillset(&all);
    sigdelset(&all, SIGTERM);
    sigprocmask(SIG_BLOCK, &all, NULL);
    say_call("a set of 4 bytes", syscall(SYS_signalfd4, -1, &usr, 4, 0));
    say_call("a set from nowhere", syscall(SYS_signalfd4, -1, (void *)8, 8, 0));
    say_call("an unknown flag", syscall(SYS_signalfd4, -1, &usr, 8, 1));
    say_call("change of nothing open", make(999, usr, 0));
    say_call("change of another file", make(1, usr, 0));
    int fd = MUST(make(-1, usr, SFD_NONBLOCK | SFD_CLOEXEC));
    say("SFD_NONBLOCK and SFD_CLOEXEC", "%#x %d", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    char buffer[512];
    say_call("read of 127 bytes", read(fd, buffer, 127));
    say_call("write", write(fd, buffer, 128));
    say_read("nothing is pending", fd);
    say_bool("not readable", readable(fd));
    raise(SIGUSR1);
    say_bool("readable", readable(fd));
    say_read("raise", fd);
    kill(getpid(), SIGUSR2);
    say_read("kill", fd);
    union sigval value = {.sival_ptr = (void *)0x123456789};
    sigqueue(getpid(), SIGUSR1, value);
    say_read("sigqueue", fd);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    say_call("read of 500 bytes takes", read(fd, buffer, 500));
    kill(getpid(), SIGHUP);
    say_bool("a signal that is not in the set", readable(fd));
    say_call("change the set", make(fd, set_of(SIGHUP, SIGCHLD), 0) == fd ? 0 : 1);
    say_bool("now it is", readable(fd));
    say_read("read it", fd);
    reap(spawn(child_exits));
    say_read("SIGCHLD", fd);
    make(fd, set_of(SIGRTMIN + 1, SIGRTMIN), 0);
    for (int i = 0; i < 3; i++) {
        value.sival_ptr = NULL;
        value.sival_int = i;
        sigqueue(getpid(), SIGRTMIN + (i == 1), value);
    }
    say_read("real-time signals", fd);
    say_read("real-time signals", fd);
    say_read("real-time signals", fd);
    say_read("real-time signals", fd);
    raise(SIGRTMIN);
    say_call("read to nowhere", read(fd, (void *)8, 128));
    say_read("the signal is lost", fd);
    // Codes that nobody but the sender knows.
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_code = SI_TIMER;
    info.si_timerid = 3;
    info.si_overrun = 4;
    info.si_value.sival_int = 5;
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info);
    say_read("SI_TIMER", fd);
    memset(&info, 0, sizeof(info));
    info.si_code = SI_SIGIO;
    info.si_band = 6;
    info.si_fd = 7;
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info);
    say_read("SI_SIGIO", fd);
    info.si_code = SI_MESGQ;
    info.si_pid = getpid();
    info.si_uid = 9;
    info.si_value.sival_ptr = (void *)0x77;
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info);
    say_read("SI_MESGQ", fd);
    make(fd, set_of(SIGSEGV, SIGILL), 0);
    memset(&info, 0, sizeof(info));
    info.si_code = SEGV_MAPERR;
    info.si_addr = (void *)0x4444;
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &info);
    say_read("SEGV_MAPERR", fd);
    make(fd, set_of(SIGKILL, SIGSTOP), 0);
    char path[64], line[128];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    make(fd, all, 0);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "sigmask", 7)) {
            say("fdinfo", "%s", line);
        }
    }
    fclose(f);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    line[readlink(path, line, sizeof(line) - 1)] = 0;
    say("link in /proc", "%s", line);
    close(fd);

    // The signals are the reader's own.
    shared = MUST((int)syscall(SYS_signalfd, -1, &usr, 8));
    say("the old call", "%#x", fcntl(shared, F_GETFL));
    raise(SIGUSR1);
    say("a child sees its parent's signal", "%s", status_text(reap(spawn(sees_nothing))));
    say_bool("the parent does", readable(shared));
    pthread_t thread;
    say("whose is a signal to one thread", "%s", readable(shared) ? "its own" : "nobody's");
    make(shared, usr, 0);
    pthread_create(&thread, NULL, thread_takes, NULL);
    sleep_ms(50);
    kill(getpid(), SIGUSR2);
    void *result;
    pthread_join(thread, &result);
    say("another thread took", "%s", signal_name((int)(intptr_t)result));
    say_read("left for this one", shared);
    pid_t pid = spawn(waits);
    await_blocked(pid);
    kill(pid, SIGUSR2);
    say("a read that waited got", "%s", signal_name(WEXITSTATUS(reap(pid))));

    // In an epoll: edge by edge.
    int poll = MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}, out;
    MUST(epoll_ctl(poll, EPOLL_CTL_ADD, shared, &event));
    say_call("epoll, nothing pending", epoll_wait(poll, &out, 1, 0));
    raise(SIGUSR1);
    say_call("epoll, pending", epoll_wait(poll, &out, 1, 1000));
    say_call("epoll, the same", epoll_wait(poll, &out, 1, 0));
    raise(SIGUSR2);
    say_call("epoll, another", epoll_wait(poll, &out, 1, 1000));
    pid = fork();
    if (pid == 0) {
        raise(SIGUSR1);
        _exit(epoll_wait(poll, &out, 1, 50));
    }
    say("a child in its parent's epoll", "%s", status_text(reap(pid)));
    // Who registered it ends first.
    int other = MUST(epoll_create1(0));
    pid = fork();
    if (pid == 0) {
        _exit(epoll_ctl(other, EPOLL_CTL_ADD, shared, &event) == 0 ? 0 : 1);
    }
    say("registered by a child", "%s", status_text(reap(pid)));
    raise(SIGUSR1);
    say_call("what is left is told", epoll_wait(other, &out, 1, 20));
    say_call("it can be taken out", epoll_ctl(other, EPOLL_CTL_DEL, shared, NULL));
    return 0;
}
