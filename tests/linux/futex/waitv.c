// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// futex_waitv: several words at once; errors and their order, which index is told, time limits, signals. And robust lists: whose can be read.
#include "testing.h"

#include <pthread.h>

#define SYS_futex_waitv 449
#define FUTEX_32        2
#define PRIVATE         128
enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_WAKE_OP = 5,
    FUTEX_CLOCK_REALTIME = 256
};

struct futex_waitv {
    uint64_t val, uaddr;
    uint32_t flags, reserved;
};

static uint32_t words[200];
static struct futex_waitv list[200];
static _Atomic int ready;
static struct timespec *limit;
static int clock_of_limit = CLOCK_MONOTONIC;

static long waitv(const void *waiters, unsigned n, unsigned flags, const void *time, int clock) {
    return syscall(SYS_futex_waitv, waiters, n, flags, time, clock);
}

static void fill(int n) {
    for (int i = 0; i < n; i++) {
        words[i] = 0;
        list[i] = (struct futex_waitv){0, (uintptr_t)&words[i], FUTEX_32 | PRIVATE, 0};
    }
}

static void *wait_on_list(void *n) {
    ready = (int)syscall(SYS_gettid);
    long result = waitv(list, (unsigned)(long)n, 0, limit, clock_of_limit);
    return (void *)(result == -1 ? -errno : result);
}

static bool blocked(pid_t thread) {
    char path[64], text[512];
    for (int i = 0, looks = 0; i < 2000; i++) {
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
        int fd = open(path, O_RDONLY);
        ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof(text) - 1);
        close(fd);
        text[n > 0 ? n : 0] = 0;
        const char *after = strrchr(text, ')');
        looks = after && after[2] == 'S' ? looks + 1 : 0;
        if (looks == 2) {
            return true;
        }
        sleep_ms(2);
    }
    return false;
}

static long woken_by(int n, int index) {
    pthread_t thread;
    void *result;
    fill(n);
    ready = 0;
    MUST(pthread_create(&thread, NULL, wait_on_list, (void *)(long)n));
    while (ready == 0) {
        sleep_ms(1);
    }
    blocked(ready);
    say_call("WAKE", syscall(SYS_futex, &words[index], FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0));
    pthread_join(thread, &result);
    return (long)result;
}

static void errors(void) {
    struct timespec past = {1, 0}, bad = {0, -1};
    fill(129);
    say_call("no words", waitv(list, 0, 0, NULL, 0));
    say_call("129 words", waitv(list, 129, 0, NULL, 0));
    say_call("no list", waitv(NULL, 1, 0, NULL, 0));
    say_call("flags", waitv(list, 1, 1, NULL, 0));
    say_call("a list at a bad address", waitv((void *)8, 1, 0, NULL, 0));
    say_call("unknown clock", waitv(list, 1, 0, &past, 7));
    say_call("unknown clock without a time", waitv(list, 1, 0, NULL, 7) == -1 && errno == EINTR ? 0 : -2);
    say_call("bad time", waitv(list, 1, 0, &bad, CLOCK_MONOTONIC));
    say_call("a time at a bad address", waitv(list, 1, 0, (void *)8, CLOCK_MONOTONIC));
    say_call("a time in the past", waitv(list, 128, 0, &past, CLOCK_MONOTONIC));
    say_call("a time in the past, wall clock", waitv(list, 128, 0, &past, CLOCK_REALTIME));
    list[2].val = 9;
    say_call("another value in the third", waitv(list, 3, 0, NULL, 0));
    list[2] = list[1];
    list[2].flags = PRIVATE;
    say_call("no size", waitv(list, 3, 0, NULL, 0));
    list[2].flags = FUTEX_32 | 4;
    say_call("unknown flag of a word", waitv(list, 3, 0, NULL, 0));
    list[2].flags = FUTEX_32;
    list[2].reserved = 1;
    say_call("reserved field", waitv(list, 3, 0, NULL, 0));
    list[2].reserved = 0;
    list[2].uaddr = 16;
    say_call("a word at a bad address", waitv(list, 3, 0, NULL, 0));
    list[2].uaddr = (uintptr_t)&words[2] + 2;
    say_call("a word at an odd address", waitv(list, 3, 0, NULL, 0));
}

static void handler(int signal) {
    (void)signal;
}

static void signals(void) {
    struct sigaction action = {.sa_handler = handler};
    pthread_t thread;
    void *result;
    sigaction(SIGUSR1, &action, NULL);
    fill(3);
    ready = 0;
    MUST(pthread_create(&thread, NULL, wait_on_list, (void *)3));
    while (ready == 0) {
        sleep_ms(1);
    }
    blocked(ready);
    syscall(SYS_tkill, (pid_t)ready, SIGUSR1);
    pthread_join(thread, &result);
    say("a handler without SA_RESTART", "%s", (long)result < 0 ? error_name(-(int)(long)result) : "woken");
}

static void one_call(void) {
    struct timespec past = {0, 0}, none = {0, 0};
    uint32_t other = 5;
    words[0] = 0;
    say_call("WAIT with FUTEX_CLOCK_REALTIME",
             syscall(SYS_futex, words, FUTEX_WAIT | PRIVATE | FUTEX_CLOCK_REALTIME, 0, &none, NULL, 0));
    say_call("WAIT_BITSET until a time in the past, wall clock",
             syscall(SYS_futex, words, FUTEX_WAIT_BITSET | PRIVATE | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 1));
    say_call("WAKE with FUTEX_CLOCK_REALTIME",
             syscall(SYS_futex, words, FUTEX_WAKE | PRIVATE | FUTEX_CLOCK_REALTIME, 1));
    say_call("WAIT_BITSET without bits", syscall(SYS_futex, words, FUTEX_WAIT_BITSET | PRIVATE, 0, NULL, NULL, 0));
    say_call("WAKE_BITSET without bits", syscall(SYS_futex, words, FUTEX_WAKE_BITSET | PRIVATE, 1, NULL, NULL, 0));
    say_call("FUTEX_FD", syscall(SYS_futex, words, 2, 0, NULL, NULL, 0));
    say_call("operation 14", syscall(SYS_futex, words, 14, 0, NULL, NULL, 0));
    static const struct {
        const char *name;
        unsigned code;
    } operations[] = {{"set", 0x00003000}, {"add", 0x10003000},   {"or", 0x20003000},         {"andn", 0x30001000},
                      {"xor", 0x40007000}, {"shift", 0x80004000}, {"shifted or", 0xa0004000}, {"negative", 0x10fff000}};
    for (size_t i = 0; i < COUNT(operations); i++) {
        other = 5;
        long result = syscall(SYS_futex, words, FUTEX_WAKE_OP | PRIVATE, 1, (void *)1, &other, operations[i].code);
        say("WAKE_OP", "%s: %ld, word %d", operations[i].name, result, (int)other);
    }
    say_call("WAKE_OP, unknown operation",
             syscall(SYS_futex, words, FUTEX_WAKE_OP | PRIVATE, 1, (void *)1, &other, 0x50000000));
    say_call("WAKE_OP, bad address", syscall(SYS_futex, words, FUTEX_WAKE_OP | PRIVATE, 1, (void *)1, (void *)16, 0));
}

static void *give_list(void *out) {
    ((void **)out)[0] = (void *)syscall(SYS_gettid);
    syscall(SYS_set_robust_list, out, (size_t)24);
    ready = (int)syscall(SYS_gettid);
    while (ready != 0) {
        sleep_ms(1);
    }
    return NULL;
}

static int look_at_parent(void) {
    void *head;
    size_t size;
    MUST(setresuid(1000, 1000, 1000));
    say_call("user: list of root's process", syscall(SYS_get_robust_list, getppid(), &head, &size));
    say_call("user: list of nobody", syscall(SYS_get_robust_list, 0x7ffffff0, &head, &size));
    say_call("user: list of oneself", syscall(SYS_get_robust_list, 0, &head, &size));
    return 0;
}

static void robust_lists(void) {
    static void *memory[4];
    void *head = NULL;
    size_t size = 0;
    pthread_t thread;
    ready = 0;
    MUST(pthread_create(&thread, NULL, give_list, memory));
    while (ready == 0) {
        sleep_ms(1);
    }
    say_call("another thread's list", syscall(SYS_get_robust_list, (pid_t)ready, &head, &size));
    say("is its own", "%s, size %zu", head == memory ? "yes" : "no", size);
    memory[0] = memory;
    ready = 0;
    pthread_join(thread, NULL);
    say_call("set_robust_list of another size", syscall(SYS_set_robust_list, memory, (size_t)23));
    say_call("get_robust_list at a bad address", syscall(SYS_get_robust_list, 0, (void *)8, &size));
    say_call("get_robust_list, size at a bad address", syscall(SYS_get_robust_list, 0, &head, (void *)8));
    say_child("another user", look_at_parent);
}

static void wake_ourselves(int signal) {
    (void)signal;
}

int main(void) {
    struct sigaction action = {.sa_handler = wake_ourselves};
    struct itimerval soon = {{0, 20000}, {0, 20000}}, off = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    errors();
    setitimer(ITIMER_REAL, &off, NULL);
    say("first of three", "%ld", woken_by(3, 0));
    say("last of 128", "%ld", woken_by(128, 127));
    signals();
    one_call();
    robust_lists();
    return 0;
}
