// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// execve in a process of several threads: the others end, the pid stays, also when the caller was not the first thread.
#include "testing.h"
#include <pthread.h>

static char **arguments;

static void *block(void *argument) {
    (void)argument;
    for (;;) {
        pause();
    }
    return NULL;
}

static void *spin(void *argument) {
    (void)argument;
    for (volatile unsigned i = 0;; i++) {}
    return NULL;
}

static void *execute(void *argument) {
    (void)argument;
    execv(arguments[0], arguments);
    return NULL;
}

static void start_others(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, block, NULL);
    pthread_create(&thread, NULL, spin, NULL);
}

static int execute_in_main(void) {
    start_others();
    execute(NULL);
    return 1;
}

static int execute_in_other(void) {
    pthread_t thread;
    start_others();
    pthread_create(&thread, NULL, execute, NULL);
    pthread_join(thread, NULL);
    return 1;
}

int main(int argc, char **argv) {
    static char *list[3];
    static char pid[16];
    if (argc > 1) {
        // The new program: one thread that has the old pid, and nothing else alive in the process.
        bool alone = access("/proc/self/task", F_OK) == 0;
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/task/%d", getpid());
        alone = alone && access(path, F_OK) == 0;
        struct stat status;
        MUST(stat("/proc/self/task", &status));
        say("links of /proc/self/task in the new program", "%d", (int)status.st_nlink);
        return syscall(SYS_gettid) == getpid() && alone ? 7 : 8;
    }
    snprintf(pid, sizeof(pid), "again");
    list[0] = argv[0];
    list[1] = pid;
    arguments = list;
    pid_t child = spawn(execute_in_main);
    say("exec by the first thread", "%s", status_text(reap(child)));
    child = spawn(execute_in_other);
    say("exec by another thread", "%s", status_text(reap(child)));
    return 0;
}
