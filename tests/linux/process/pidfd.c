// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Descriptors of processes: pidfd_open, CLONE_PIDFD, poll, fdinfo, waitid with P_PIDFD, pidfd_send_signal, pidfd_getfd; what each says of a running process,
// a zombie, one that is gone, a thread.
#include "testing.h"

#include <pthread.h>
#include <sys/prctl.h>

#define SYS_CLONE3     435
#define PIDFD_NONBLOCK O_NONBLOCK
#define P_PIDFD_       3
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

static long open_pid(pid_t pid, unsigned flags) {
    return syscall(SYS_pidfd_open, pid, flags);
}
static long send(int fd, int signal, siginfo_t *info, unsigned flags) {
    return syscall(SYS_pidfd_send_signal, fd, signal, info, flags);
}

static const char *events(int fd) {
    static char text[40];
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI, 0};
    int n = poll(&p, 1, 0);
    snprintf(text, sizeof(text), "%d, %x", n, (unsigned)p.revents);
    return text;
}

static void show_fdinfo(const char *name, int fd, pid_t pid) {
    char path[64], text[512] = "";
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    int info = MUST(open(path, O_RDONLY));
    read(info, text, sizeof(text) - 1);
    close(info);
    const char *line = strstr(text, "\nPid:"), *second = strstr(text, "\nNSpid:");
    int number = line ? atoi(line + 5) : -2, other = second ? atoi(second + 7) : -2;
    say(name, "Pid %s, NSpid %s",
        number == pid  ? "the process's"
        : number == -1 ? "-1"
                       : "other",
        other == pid  ? "the process's"
        : other == -1 ? "-1"
                      : "other");
}

static int sleeps(void) {
    while (pause() == -1) {}
    return 0;
}

static void errors(void) {
    int file = MUST(open("/dev/null", O_RDONLY));
    siginfo_t info;
    say_call("pidfd_open of 0", open_pid(0, 0));
    say_call("pidfd_open of -1", open_pid(-1, 0));
    say_call("pidfd_open of nobody", open_pid(0x7ffffff0, 0));
    say_call("pidfd_open, unknown flag", open_pid(getpid(), 1));
    say_call("pidfd_send_signal to a closed descriptor", send(999, 0, NULL, 0));
    say_call("pidfd_send_signal to a file", send(file, 0, NULL, 0));
    say_call("pidfd_send_signal, flags before the descriptor", send(999, 0, NULL, 1));
    say_call("pidfd_getfd of a closed descriptor", syscall(SYS_pidfd_getfd, 999, 0, 0));
    say_call("pidfd_getfd of a file", syscall(SYS_pidfd_getfd, file, 0, 0));
    say_call("pidfd_getfd, flags before the descriptor", syscall(SYS_pidfd_getfd, 999, 0, 1));
    say_call("waitid of a closed descriptor", waitid((idtype_t)P_PIDFD_, 999, &info, WEXITED));
    say_call("waitid of a file", waitid((idtype_t)P_PIDFD_, (id_t)file, &info, WEXITED));
    say_call("waitid of -1", waitid((idtype_t)P_PIDFD_, (id_t)-1, &info, WEXITED));
    int self = (int)MUST(open_pid(getpid(), 0));
    say_call("waitid of oneself", waitid((idtype_t)P_PIDFD_, (id_t)self, &info, WEXITED));
    close(self);
    close(file);
}

static void as_a_file(void) {
    int fd = (int)MUST(open_pid(getpid(), PIDFD_NONBLOCK)), other = (int)MUST(open_pid(getpid(), 0));
    char byte;
    struct stat st;
    say("F_GETFL", "%x, %x", (unsigned)fcntl(fd, F_GETFL), (unsigned)fcntl(other, F_GETFL));
    say_call("F_GETFD", fcntl(fd, F_GETFD));
    say_call("read", read(fd, &byte, 1));
    say_call("write", write(fd, &byte, 1));
    say_call("lseek", lseek(fd, 0, SEEK_SET));
    say_call("ioctl", syscall(SYS_ioctl, fd, 0x5401, &byte));
    say_call("mmap", (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    say_call("ftruncate", ftruncate(fd, 0));
    say_call("fstat", fstat(fd, &st));
    say("mode", "%o", st.st_mode & 07777);
    show_fdinfo("fdinfo", fd, getpid());
    char path[64], target[64] = "";
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    MUST(readlink(path, target, sizeof(target) - 1));
    say("link", "%s", target);
    close(fd);
    close(other);
}

static void life(void) {
    siginfo_t info = {0};
    pid_t pid = spawn(sleeps);
    int fd = (int)MUST(open_pid(pid, 0)), nonblocking = (int)MUST(open_pid(pid, PIDFD_NONBLOCK));
    say("poll while it runs", "%s", events(fd));
    say_call("signal 0", send(fd, 0, NULL, 0));
    say_call("signal 65", send(fd, 65, NULL, 0));
    say_call("signal -1", send(fd, -1, NULL, 0));
    say_call("waitid WNOHANG", waitid((idtype_t)P_PIDFD_, (id_t)fd, &info, WEXITED | WNOHANG));
    say("siginfo", "%d %d", info.si_signo, info.si_pid);
    say_call("waitid of a descriptor that does not block",
             waitid((idtype_t)P_PIDFD_, (id_t)nonblocking, &info, WEXITED));
    say_call("the same with WNOHANG", waitid((idtype_t)P_PIDFD_, (id_t)nonblocking, &info, WEXITED | WNOHANG));
    say_call("SIGSTOP", send(fd, SIGSTOP, NULL, 0));
    say_call("waitid WSTOPPED", waitid((idtype_t)P_PIDFD_, (id_t)fd, &info, WSTOPPED));
    say("siginfo", "%s, code %d, status %d", info.si_pid == pid ? "its pid" : "another", info.si_code, info.si_status);
    say("poll while it is stopped", "%s", events(fd));
    say_call("SIGKILL", send(fd, SIGKILL, NULL, 0));
    struct pollfd p = {fd, POLLIN, 0};
    say("poll waits for the end", "%d", poll(&p, 1, 10000));
    say("poll of a zombie", "%s", events(fd));
    say_call("signal to a zombie", send(fd, SIGTERM, NULL, 0));
    show_fdinfo("fdinfo of a zombie", fd, pid);
    say_call("waitid WNOWAIT", waitid((idtype_t)P_PIDFD_, (id_t)fd, &info, WEXITED | WNOWAIT));
    int second = (int)open_pid(pid, 0);
    say_bool("pidfd_open of a zombie", second >= 0);
    close(second);
    say_call("waitid", waitid((idtype_t)P_PIDFD_, (id_t)fd, &info, WEXITED));
    say("siginfo", "code %d, status %d", info.si_code, info.si_status);
    say_call("waitid again", waitid((idtype_t)P_PIDFD_, (id_t)fd, &info, WEXITED));
    say("siginfo after the error", "%d %d %d", info.si_signo, info.si_code, info.si_pid);
    say("poll of one that is gone", "%s", events(fd));
    say_call("signal to one that is gone", send(fd, SIGTERM, NULL, 0));
    say_call("signal 0 to one that is gone", send(fd, 0, NULL, 0));
    say_call("pidfd_getfd of one that is gone", syscall(SYS_pidfd_getfd, fd, 0, 0));
    show_fdinfo("fdinfo of one that is gone", fd, pid);
    close(fd);
    close(nonblocking);
}

static volatile int caught, caught_code, caught_value;
static void handler(int signal, siginfo_t *info, void *context) {
    (void)context;
    caught = signal;
    caught_code = info->si_code;
    caught_value = info->si_value.sival_int;
}

static int without_right(void) {
    int fd = (int)MUST(open_pid(getppid(), 0));
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    MUST(setresuid(1000, 1000, 1000));
    say_call("user: signal to root", send(fd, SIGUSR1, NULL, 0));
    say_call("user: queued signal to root", send(fd, SIGUSR1, &info, 0));
    say_call("user: signal 0 to root", send(fd, 0, NULL, 0));
    say_call("user: pidfd_getfd of root", syscall(SYS_pidfd_getfd, fd, 0, 0));
    say_ok("user: pidfd_open of process 1", open_pid(1, 0));
    return 0;
}

static void information(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    int self = (int)MUST(open_pid(getpid(), 0)), parent = (int)MUST(open_pid(getppid(), 0));
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    info.si_value.sival_int = 77;
    say_call("with information", send(self, SIGUSR1, &info, 0));
    say("caught", "%d, code %d, value %d", caught, caught_code, caught_value);
    say_call("another number than the information's", send(self, SIGUSR2, &info, 0));
    say_call("information at a bad address", send(self, SIGUSR1, (siginfo_t *)8, 0));
    info.si_code = SI_USER;
    say_call("as if by kill, to oneself", send(self, SIGUSR1, &info, 0));
    say("caught", "code %d", caught_code);
    say_call("as if by kill, to another", send(parent, SIGUSR1, &info, 0));
    info.si_code = -6;
    say_call("as if by tkill, to another", send(parent, SIGUSR1, &info, 0));
    say_call("without information", send(self, SIGUSR1, NULL, 0));
    say("caught", "code %d", caught_code);
    say_child("without the right", without_right);
    close(self);
    close(parent);
}

static struct gate ready, done;
static int holder(void) {
    int fd = MUST(open("held", O_RDWR | O_CREAT, 0600));
    MUST(dup2(fd, 50));
    write(50, "hello", 5);
    gate_raise(&ready);
    gate_wait(&done);
    say("offset after the other's seek", "%ld", (long)lseek(50, 0, SEEK_CUR));
    return 0;
}

static void get_descriptor(void) {
    ready = gate_create();
    done = gate_create();
    pid_t pid = spawn(holder);
    gate_wait(&ready);
    int fd = (int)MUST(open_pid(pid, 0));
    say_call("pidfd_getfd of a closed one", syscall(SYS_pidfd_getfd, fd, 51, 0));
    say_call("pidfd_getfd of -1", syscall(SYS_pidfd_getfd, fd, -1, 0));
    int mine = (int)MUST(syscall(SYS_pidfd_getfd, fd, 50, 0));
    say_call("close on exec", fcntl(mine, F_GETFD));
    say("offset", "%ld", (long)lseek(mine, 0, SEEK_CUR));
    lseek(mine, 2, SEEK_SET);
    gate_raise(&done);
    siginfo_t info;
    MUST(waitid((idtype_t)P_PIDFD_, (id_t)fd, &info, WEXITED | WNOWAIT));
    say_call("pidfd_getfd of a zombie", syscall(SYS_pidfd_getfd, fd, 50, 0));
    reap(pid);
    close(mine);
    close(fd);
}

struct clone_args_ {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static long clone3(struct clone_args_ *args) {
    long pid = syscall(SYS_CLONE3, args, sizeof(*args));
    if (pid == 0) {
        _exit(3);
    }
    return pid;
}

static void by_clone(void) {
    int fd = -1, tid = -1;
    long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &fd, NULL, 0);
    if (pid == 0) {
        _exit(4);
    }
    say_bool("clone with CLONE_PIDFD", pid > 0 && fd >= 0);
    show_fdinfo("fdinfo", fd, (pid_t)pid);
    say("flags", "%x, %d", (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    siginfo_t info;
    say_call("waitid", waitid((idtype_t)P_PIDFD_, (id_t)fd, &info, WEXITED));
    say("status", "%d", info.si_status);
    close(fd);
    say_call("clone with CLONE_PIDFD and CLONE_PARENT_SETTID",
             syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &fd, NULL, 0));
    say_call("clone with CLONE_PIDFD and CLONE_DETACHED",
             syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, NULL, &fd, NULL, 0));
    say_call("clone with CLONE_PIDFD at a bad address",
             syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, (void *)8, NULL, 0));
    struct clone_args_ args = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID,
                               .pidfd = (uintptr_t)&fd,
                               .parent_tid = (uintptr_t)&tid,
                               .exit_signal = SIGCHLD};
    fd = -1;
    pid = clone3(&args);
    say_bool("clone3 with both", pid > 0 && fd >= 0 && tid == pid);
    say_call("waitid", waitid((idtype_t)P_PIDFD_, (id_t)fd, &info, WEXITED));
    close(fd);
    args.parent_tid = args.pidfd;
    say_call("clone3 with both at one address", clone3(&args));
    args.flags = CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    args.exit_signal = 0;
    say_call("clone3 with CLONE_PIDFD and CLONE_THREAD", clone3(&args));
    struct rlimit limit = {3, 4096}, old;
    getrlimit(RLIMIT_NOFILE, &old);
    for (int i = 3; i < 64; i++) {
        close(i);
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    args = (struct clone_args_){.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD};
    say_call("clone3 without a free descriptor", clone3(&args));
    say_call("pidfd_open without a free descriptor", open_pid(getpid(), 0));
    setrlimit(RLIMIT_NOFILE, &old);
    say_call("no child is left of it", waitpid(-1, NULL, __WALL));
}

static pid_t thread_tid;
static void *thread_main(void *arg) {
    int *fd = arg;
    char byte;
    prctl(PR_SET_NAME, "second");
    thread_tid = (pid_t)syscall(SYS_gettid);
    write(fd[1], "x", 1);
    read(fd[2], &byte, 1);
    return NULL;
}

static int ends_in_a_thread(void) {
    int fd[4];
    pthread_t thread;
    prctl(PR_SET_NAME, "first");
    MUST(pipe(fd));
    MUST(pipe(fd + 2));
    MUST(pthread_create(&thread, NULL, thread_main, fd));
    char byte;
    read(fd[0], &byte, 1);
    say_call("pidfd_open of a thread", open_pid(thread_tid, 0));
    gate_raise(&ready);
    syscall(SYS_exit, 0);
    return 0;
}

// What /proc tells of a process whose first thread has ended.
static void show_status(const char *name, pid_t pid) {
    char path[64], text[2048] = "", state[32] = "", called[32] = "";
    int threads = -1;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    int fd = MUST(open(path, O_RDONLY));
    read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *line = strstr(text, "\nState:"), *number = strstr(text, "\nThreads:");
    sscanf(text, "Name:\t%31[^\n]", called);
    if (line) {
        sscanf(line, "\nState:\t%31[^\n]", state);
    }
    if (number) {
        sscanf(number, "\nThreads:\t%d", &threads);
    }
    say(name, "%s, %s, threads %d", called, state, threads);
}

static void threads(void) {
    ready = gate_create();
    pid_t pid = spawn(ends_in_a_thread);
    gate_wait(&ready);
    int fd = (int)MUST(open_pid(pid, 0));
    say_bool("the first thread ends and is a zombie while another runs", await_state(pid, 'Z'));
    show_status("its status", pid);
    say("poll when the first thread has ended and another runs", "%s", events(fd));
    kill(pid, SIGKILL);
    struct pollfd p = {fd, POLLIN, 0};
    say("poll when all have", "%d", poll(&p, 1, 10000));
    show_status("its status", pid);
    reap(pid);
}

int main(void) {
    errors();
    as_a_file();
    life();
    information();
    get_descriptor();
    threads();
    by_clone();
    return 0;
}
