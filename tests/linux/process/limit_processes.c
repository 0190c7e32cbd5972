// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// RLIMIT_NPROC: a user's processes and threads are counted together, zombies with them; who is exempt; what setuid does to the count, and what exec says of
// a setuid over the limit.
#include "testing.h"

#include <pthread.h>

enum { USER = 4711, OTHER = 4712 };

static int go[2]; // children live until its other end is closed

static int become(unsigned uid, rlim_t processes) {
    struct rlimit limit = {processes, processes};
    if (setrlimit(RLIMIT_NPROC, &limit) == -1) {
        return -1;
    }
    return setresuid(uid, uid, uid);
}

// Forks children that wait; how many could be made.
static int fork_all(pid_t *pids, int most) {
    int made = 0;
    while (made < most && (pids[made] = fork()) != -1) {
        if (pids[made] == 0) {
            char byte;
            close(go[1]);
            while (read(go[0], &byte, 1) == -1 && errno == EINTR) {}
            _exit(0);
        }
        made++;
    }
    return made;
}

static void *thread_end(void *argument) {
    return argument;
}

static int count_of_children(void) {
    MUST(pipe(go));
    pid_t pids[20], extra;
    MUST(become(USER, 5));
    int made = fork_all(pids, 20);
    int error = errno;
    say("children beside the first process, with a limit of 5", "%d, then %s", made, error_name(error));
    pthread_t thread;
    say("a thread counts as well", "%s", error_name(pthread_create(&thread, NULL, thread_end, NULL)));
    kill(pids[0], SIGKILL);
    siginfo_t info;
    MUST(waitid(P_PID, (id_t)pids[0], &info, WEXITED | WNOWAIT));
    extra = fork();
    if (extra == 0) {
        _exit(0);
    }
    say("while a zombie is not waited for", "%s", extra == -1 ? error_name(errno) : "forked");
    MUST(waitpid(pids[0], NULL, 0));
    extra = fork();
    if (extra == 0) {
        _exit(0);
    }
    say("after it was", "%s", extra == -1 ? error_name(errno) : "forked");
    if (extra > 0) {
        MUST(waitpid(extra, NULL, 0));
    }
    int joined = pthread_create(&thread, NULL, thread_end, NULL);
    say("and a thread", "%s", error_name(joined));
    if (joined == 0) {
        pthread_join(thread, NULL);
    }
    struct rlimit none = {0, 5};
    MUST(setrlimit(RLIMIT_NPROC, &none));
    say_call("a limit of none", fork());
    close(go[1]);
    while (wait(NULL) > 0) {}
    return 0;
}

static int root_is_exempt(void) {
    MUST(pipe(go));
    pid_t pids[8];
    struct rlimit limit = {1, 1};
    MUST(setrlimit(RLIMIT_NPROC, &limit));
    say("root forks beyond the limit", "%d", fork_all(pids, 8));
    close(go[1]);
    while (wait(NULL) > 0) {}
    return 0;
}

static int real_user_counts(void) {
    MUST(pipe(go));
    pid_t pids[8];
    struct rlimit limit = {1, 1};
    MUST(setrlimit(RLIMIT_NPROC, &limit));
    MUST(setresuid(0, USER, 0));
    say("effective user other than root", "%d", fork_all(pids, 3));
    close(go[1]);
    while (wait(NULL) > 0) {}
    return 0;
}

static int users_apart(void) {
    MUST(pipe(go));
    pid_t pids[8];
    MUST(become(OTHER, 3));
    say("another user has a count of his own", "%d", fork_all(pids, 8));
    close(go[1]);
    while (wait(NULL) > 0) {}
    return 0;
}

// Two of the user wait; a third becomes the user where one is allowed.
static int exec_over_limit(void) {
    pid_t others[2];
    int ready[2];
    char byte;
    MUST(pipe(go));
    MUST(pipe(ready));
    signal(SIGCHLD, SIG_IGN); // who ends is counted no longer
    for (int i = 0; i < 2; i++) {
        others[i] = fork();
        if (others[i] == 0) {
            close(go[1]);
            MUST(setresuid(USER, USER, USER));
            MUST(write(ready[1], "r", 1));
            while (read(go[0], &byte, 1) == -1 && errno == EINTR) {}
            _exit(0);
        }
    }
    for (int i = 0; i < 2; i++) {
        MUST(read(ready[0], &byte, 1));
    }
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char *)"true", NULL};
        say_call("setuid to a user over the limit", become(USER, 1));
        say_call("exec then", execv("/proc/self/exe.none", argv));
        struct rlimit limit;
        MUST(getrlimit(RLIMIT_NPROC, &limit));
        say("limit", "%lu", (unsigned long)limit.rlim_cur);
        MUST(kill(others[0], SIGKILL));
        MUST(kill(others[1], SIGKILL));
        for (int tries = 0; tries < 500 && (kill(others[0], 0) == 0 || kill(others[1], 0) == 0); tries++) {
            usleep(10000);
        }
        say_call("exec when the others are gone", execv("/proc/self/exe.none", argv));
        _exit(0);
    }
    close(go[1]);
    while (wait(NULL) > 0) {}
    return 0;
}

static int exec_under_limit(void) {
    char *argv[] = {(char *)"true", NULL};
    say_call("setuid to a user with room", become(OTHER, 5));
    say_call("exec then", execv("/proc/self/exe.none", argv));
    return 0;
}

int main(void) {
    static const struct {
        const char *name;
        int (*run)(void);
    } parts[] = {
        {"count", count_of_children},        {"root", root_is_exempt},
        {"real user", real_user_counts},     {"users apart", users_apart},
        {"over the limit", exec_over_limit}, {"under the limit", exec_under_limit},
    };
    for (size_t i = 0; i < COUNT(parts); i++) {
        say_child(parts[i].name, parts[i].run);
    }
    return 0;
}
