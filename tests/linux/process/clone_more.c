// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// clone's less common flags, execveat, and calls on identity, priority and limits in the forms that other tests do not use.
#include "testing.h"

#include <sys/fsuid.h>

struct clone_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ull
#endif

static long clone3(struct clone_arguments a, size_t size) {
    return syscall(SYS_clone3, &a, size);
}

static void handler(int signal) {
    (void)signal;
}

static void flags(void) {
    static const struct {
        const char *name;
        unsigned long flag;
    } accepted[] = {{"CLONE_IO", CLONE_IO},
                    {"CLONE_SYSVSEM", CLONE_SYSVSEM},
                    {"CLONE_PTRACE", CLONE_PTRACE},
                    {"CLONE_UNTRACED", CLONE_UNTRACED},
                    {"CLONE_DETACHED", CLONE_DETACHED},
                    {"CLONE_VFORK", CLONE_VFORK}};
    for (size_t i = 0; i < COUNT(accepted); i++) {
        long pid = syscall(SYS_clone, accepted[i].flag | SIGCHLD, NULL, NULL, NULL, 0);
        if (pid == 0) {
            _exit(2);
        }
        say(accepted[i].name, "%s", status_text(reap((pid_t)pid)));
    }
    int *word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *word = 5;
    long pid = syscall(SYS_clone, CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, NULL, word, 0);
    if (pid == 0) {
        _exit(*word == getpid() ? 0 : 1);
    }
    say("CLONE_CHILD_SETTID", "%s", status_text(reap((pid_t)pid)));
    say_bool("CLONE_CHILD_CLEARTID of memory that is not shared", *word == (int)pid);
}

static void third_form(void) {
    struct sigaction action = {.sa_handler = handler}, seen;
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGUSR2, SIG_IGN);
    long pid = clone3((struct clone_arguments){.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD}, 88);
    if (pid == 0) {
        struct sigaction other;
        sigaction(SIGUSR1, NULL, &seen);
        sigaction(SIGUSR2, NULL, &other);
        _exit((seen.sa_handler == SIG_DFL) + 2 * (other.sa_handler == SIG_IGN));
    }
    say("CLONE_CLEAR_SIGHAND", "%s", status_text(reap((pid_t)pid)));
    say_call("with CLONE_SIGHAND",
             clone3((struct clone_arguments){.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM}, 88));
    say_call("CLONE_INTO_CGROUP of a closed descriptor",
             clone3((struct clone_arguments){.flags = CLONE_INTO_CGROUP, .cgroup = 999, .exit_signal = SIGCHLD}, 88));
    say_call("size 63", clone3((struct clone_arguments){0}, 63));
    say_call("size 5000", clone3((struct clone_arguments){0}, 5000));
    say_call("exit signal 65", clone3((struct clone_arguments){.exit_signal = 65}, 88));
    say_call("a signal among the flags", clone3((struct clone_arguments){.flags = 17}, 88));
    say_call("a stack without size", clone3((struct clone_arguments){.stack = 4096}, 88));
    say_call("a size without stack", clone3((struct clone_arguments){.stack_size = 4096}, 88));
    int number = 0;
    say_call(
        "set_tid 0",
        clone3((struct clone_arguments){.set_tid = (uintptr_t)&number, .set_tid_size = 1, .exit_signal = SIGCHLD}, 88));
    number = 1;
    say_call(
        "set_tid of a number in use",
        clone3((struct clone_arguments){.set_tid = (uintptr_t)&number, .set_tid_size = 1, .exit_signal = SIGCHLD}, 88));
    say_call("set_tid without size", clone3((struct clone_arguments){.set_tid = (uintptr_t)&number}, 88));
    say_call("set_tid of 33", clone3((struct clone_arguments){.set_tid = (uintptr_t)&number, .set_tid_size = 33}, 88));
    number = 31999;
    pid = clone3((struct clone_arguments){.set_tid = (uintptr_t)&number, .set_tid_size = 1, .exit_signal = SIGCHLD},
                 88);
    if (pid == 0) {
        _exit(getpid() == 31999 ? 0 : 1);
    }
    say("set_tid", "%ld: %s", pid, status_text(reap((pid_t)pid)));
}

static int unprivileged(void) {
    static const struct {
        const char *name;
        unsigned long flag;
    } spaces[] = {{"CLONE_NEWUTS", CLONE_NEWUTS}, {"CLONE_NEWIPC", CLONE_NEWIPC},       {"CLONE_NEWNET", CLONE_NEWNET},
                  {"CLONE_NEWPID", CLONE_NEWPID}, {"CLONE_NEWCGROUP", CLONE_NEWCGROUP}, {"CLONE_NEWNS", CLONE_NEWNS}};
    MUST(setregid((gid_t)-1, 77));
    say("setregid", "%d %d", (int)getgid(), (int)getegid());
    say("setfsgid", "%d, then %d", setfsgid(88), setfsgid((gid_t)-1));
    MUST(setresgid(1000, 1000, 1000));
    MUST(setresuid(1000, 1000, 1000));
    for (size_t i = 0; i < COUNT(spaces); i++) {
        say_call(spaces[i].name, syscall(SYS_clone, spaces[i].flag | SIGCHLD, NULL, NULL, NULL, 0));
    }
    int number = 31998;
    say_call(
        "user: set_tid",
        clone3((struct clone_arguments){.set_tid = (uintptr_t)&number, .set_tid_size = 1, .exit_signal = SIGCHLD}, 88));
    say("user: setfsgid to another", "%d, then %d", setfsgid(1), setfsgid((gid_t)-1));
    say_call("user: setregid to another", setregid(1, 1));
    struct sched_param p = {.sched_priority = 5};
    struct rlimit limit;
    getrlimit(RLIMIT_RTPRIO, &limit);
    say("RLIMIT_RTPRIO", "%ld", (long)limit.rlim_cur);
    say_call("user: FIFO", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
    getrlimit(RLIMIT_NICE, &limit);
    say("RLIMIT_NICE", "%ld", (long)limit.rlim_cur);
    say_call("user: nice -1", setpriority(PRIO_PROCESS, 0, -1));
    say_call("user: PRIO_USER", setpriority(PRIO_USER, 0, 3));
    say_call("user: getpriority of it", getpriority(PRIO_USER, 1000));
    p.sched_priority = 0;
    say_call("user: BATCH", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &p));
    say_call("user: IDLE", syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &p));
    say_call("user: back from IDLE", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p));
    return 0;
}

static int with_limits(void) {
    struct rlimit limit = {10, 10}, nice = {25, 25};
    struct sched_param p = {.sched_priority = 10};
    MUST(setrlimit(RLIMIT_RTPRIO, &limit));
    MUST(setrlimit(RLIMIT_NICE, &nice));
    MUST(setresuid(1000, 1000, 1000));
    say_call("RLIMIT_RTPRIO 10: FIFO 10", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
    p.sched_priority = 11;
    say_call("RLIMIT_RTPRIO 10: FIFO 11", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
    p.sched_priority = 0;
    say_call("back", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p));
    say_call("RLIMIT_NICE 25: nice -5", setpriority(PRIO_PROCESS, 0, -5));
    say_call("RLIMIT_NICE 25: nice -6", setpriority(PRIO_PROCESS, 0, -6));
    return 0;
}

static int spins(void) {
    struct rlimit limit = {1, 1};
    MUST(setrlimit(RLIMIT_CPU, &limit));
    for (volatile unsigned long i = 0;; i++) {}
    return 0;
}

static void queued(void) {
    sigset_t set;
    siginfo_t info = {.si_signo = SIGRTMIN, .si_code = SI_QUEUE};
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    info.si_value.sival_int = 42;
    say_call("rt_tgsigqueueinfo", syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGRTMIN, &info));
    struct timespec none = {0, 0};
    say_bool("it has come", sigtimedwait(&set, &info, &none) == SIGRTMIN);
    say("with", "value %d, code %d", info.si_value.sival_int, info.si_code);
    say_call("of another process's thread", syscall(SYS_rt_tgsigqueueinfo, getpid(), getppid(), SIGRTMIN, &info));
    info.si_code = SI_USER;
    say_call("as if by kill, to another", syscall(SYS_rt_tgsigqueueinfo, getppid(), getppid(), 0, &info));
    say_call("thread 0", syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGRTMIN, &info));
    say_call("information at a bad address", syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGRTMIN, 8));
}

static void execute(const char *name, int dir, const char *path, int flags) {
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char *argv[] = {"program", "executed", NULL}, *envp[] = {NULL};
        syscall(SYS_execveat, dir, path, argv, envp, flags);
        say(name, "%s", error_name(errno));
        _exit(1);
    }
    say(name, "%s", status_text(reap(pid)));
}

static void executing(void) {
    int self = MUST(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)), folder = MUST(open(".", O_RDONLY | O_DIRECTORY));
    MUST(symlink("/proc/self/exe", "link"));
    execute("execveat of a descriptor", self, "", AT_EMPTY_PATH);
    execute("execveat of a descriptor, flag missing", self, "", 0);
    execute("execveat in a folder, through a link", folder, "link", 0);
    execute("execveat of a link itself", folder, "link", AT_SYMLINK_NOFOLLOW);
    execute("execveat, unknown flag", folder, "link", 1);
    execute("execveat of a closed descriptor", 999, "link", 0);
    execute("execveat in a file", self, "link", 0);
    execute("execveat of a folder", folder, "", AT_EMPTY_PATH);
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        return 6;
    }
    struct rusage usage;
    struct timespec slice = {-1, -1};
    flags();
    third_form();
    say_child("unprivileged", unprivileged);
    say_child("with limits", with_limits);
    say_child("RLIMIT_CPU", spins);
    queued();
    executing();
    say_call("RUSAGE_THREAD", getrusage(RUSAGE_THREAD, &usage));
    say_call("sched_rr_get_interval", syscall(SYS_sched_rr_get_interval, 0, &slice));
    say_bool("it is a time", slice.tv_sec == 0 && slice.tv_nsec > 0);
    say_call("sched_rr_get_interval of nobody", syscall(SYS_sched_rr_get_interval, 0x7ffffff0, &slice));
    say_call("sched_rr_get_interval of -1", syscall(SYS_sched_rr_get_interval, -1, &slice));
    return 0;
}
