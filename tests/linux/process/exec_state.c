// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// execve: what of a process's state survives it (pid, mask, ignored and pending signals, folder, umask, alarm) and
// what does not.
#include "testing.h"

static void handler(int signal) {
    (void)signal;
}

static void show_after(void) {
    struct sigaction action;
    sigset_t set;
    sigaction(SIGUSR1, NULL, &action);
    say_bool("handled signal is at its default", action.sa_handler == SIG_DFL);
    say_bool("its flags are cleared", action.sa_flags == 0);
    sigaction(SIGUSR2, NULL, &action);
    say_bool("ignored signal is still ignored", action.sa_handler == SIG_IGN);
    sigprocmask(SIG_BLOCK, NULL, &set);
    say_bool("blocked signal is still blocked", sigismember(&set, SIGTERM));
    sigpending(&set);
    say_bool("pending signal is still pending", sigismember(&set, SIGTERM));
    stack_t stack;
    sigaltstack(NULL, &stack);
    say_bool("alternate stack is gone", stack.ss_flags == SS_DISABLE);
    say_ok("descriptor 20", fcntl(20, F_GETFD));
    say_ok("descriptor 21 with FD_CLOEXEC", fcntl(21, F_GETFD));
    say_call("offset of descriptor 20", lseek(20, 0, SEEK_CUR));
    char path[256];
    say_bool("current folder", getcwd(path, sizeof(path)) && strcmp(strrchr(path, '/'), "/inside") == 0);
    say("umask", "%03o", umask(0));
    struct itimerval timer;
    getitimer(ITIMER_REAL, &timer);
    say_bool("alarm still runs", timer.it_value.tv_sec > 50);
    say("nice", "%d", getpriority(PRIO_PROCESS, 0));
}

int main(int argc, char **argv) {
    if (argc > 1) {
        say_bool("pid is the same", atoi(argv[1]) == getpid());
        show_after();
        return 0;
    }
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER};
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGUSR2, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTERM);
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    MUST(sigaltstack(&stack, NULL));
    file_make("f", "0123456789", 0644);
    int fd = MUST(open("f", O_RDONLY));
    MUST(lseek(fd, 4, SEEK_SET));
    MUST(dup2(fd, 20));
    MUST(dup3(fd, 21, O_CLOEXEC));
    MUST(mkdir("inside", 0755));
    MUST(chdir("inside"));
    umask(027);
    alarm(100);
    setpriority(PRIO_PROCESS, 0, 3);
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", getpid());
    execl(argv[0], argv[0], pid, (char *)NULL);
    say("exec", "%s", error_name(errno));
    return 1;
}
