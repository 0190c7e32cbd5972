// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// clone: combinations of flags that are refused, and what is shared and what is copied with each.
#include "testing.h"

static char stack[64 * 1024] __attribute__((aligned(64)));

static long raw_clone(unsigned long flags, int *parent_tid, int *child_tid) {
    return syscall(SYS_clone, flags, NULL, parent_tid, child_tid, 0L);
}

static int child_closes(void *argument) {
    close(*(int *)argument);
    return 0;
}

static int child_moves(void *argument) {
    (void)argument;
    return chdir("/");
}

static int child_umask(void *argument) {
    (void)argument;
    umask(077);
    return 0;
}

static int child_handles(void *argument) {
    (void)argument;
    signal(SIGUSR1, SIG_IGN);
    return 0;
}

static void run_clone(const char *name, int (*function)(void *), int flags, void *argument) {
    int pid = clone(function, stack + sizeof(stack), flags, argument);
    if (pid == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    say(name, "%s", status_text(reap(pid)));
}

static volatile int written;

static int child_writes(void *argument) {
    written = *(int *)argument;
    return 0;
}

static void refused(void) {
    say_call("CLONE_SIGHAND without CLONE_VM", raw_clone(CLONE_SIGHAND | SIGCHLD, NULL, NULL));
    say_call("CLONE_THREAD without CLONE_SIGHAND", raw_clone(CLONE_THREAD | CLONE_VM | SIGCHLD, NULL, NULL));
    say_call("CLONE_SETTLS beyond all addresses",
             syscall(SYS_clone, CLONE_SETTLS | (unsigned long)SIGCHLD, NULL, NULL, NULL, 1ul << 63));
    say_call("CLONE_FS with CLONE_NEWNS", raw_clone(CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL));
}

int main(void) {
    refused();
    int fd = MUST(open("/dev/null", O_RDONLY));
    run_clone("without CLONE_FILES", child_closes, SIGCHLD, &fd);
    say_ok("descriptor closed by the child", fcntl(fd, F_GETFD));
    run_clone("CLONE_FILES", child_closes, CLONE_FILES | SIGCHLD, &fd);
    say_ok("descriptor closed by the child", fcntl(fd, F_GETFD));

    char path[256];
    run_clone("without CLONE_FS", child_moves, SIGCHLD, NULL);
    say_bool("parent has moved", strcmp(getcwd(path, sizeof(path)), "/") == 0);
    run_clone("CLONE_FS", child_moves, CLONE_FS | SIGCHLD, NULL);
    say_bool("parent has moved", strcmp(getcwd(path, sizeof(path)), "/") == 0);
    run_clone("CLONE_FS, umask", child_umask, CLONE_FS | SIGCHLD, NULL);
    say("umask of the parent", "%03o", umask(022));

    int value = 5;
    run_clone("without CLONE_VM", child_writes, SIGCHLD, &value);
    say("memory of the parent", "%d", written);
    run_clone("CLONE_VM", child_writes, CLONE_VM | SIGCHLD, &value);
    say("memory of the parent", "%d", written);
    run_clone("CLONE_SIGHAND", child_handles, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    say_bool("handler of the parent is changed", action.sa_handler == SIG_IGN);

    int parent_tid = 0, child_tid = 0;
    long pid = raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &parent_tid, &child_tid);
    if (pid == 0) {
        _exit(child_tid == getpid() && child_tid == syscall(SYS_gettid) ? 0 : 1);
    }
    say_bool("CLONE_PARENT_SETTID", parent_tid == pid);
    say_bool("CLONE_CHILD_SETTID leaves the parent's copy", child_tid == 0);
    say("CLONE_CHILD_SETTID in the child", "%s", status_text(reap((pid_t)pid)));

    pid = raw_clone(0, NULL, NULL);
    if (pid == 0) {
        _exit(0);
    }
    say_call("no exit signal: plain wait does not see it", waitpid((pid_t)pid, NULL, 0));
    say_bool("no exit signal: __WALL does", waitpid((pid_t)pid, NULL, __WALL) == pid);
    return 0;
}
