// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// WAIT_REQUEUE_PI and CMP_REQUEUE_PI: a condition variable whose waiters are made waiters of a lock; errors, time limits, signals, order.
#include "testing.h"

#include <pthread.h>

enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI = 7,
    FUTEX_WAIT_REQUEUE_PI = 11,
    FUTEX_CMP_REQUEUE_PI = 12,
    FUTEX_CLOCK_REALTIME = 256,
    PRIVATE = 128
};
#define FUTEX_WAITERS 0x80000000u

static uint32_t condition, other_condition, lock, other_lock;
static _Atomic int served;
static int order[8];

static long futex(uint32_t *address, int operation, long value, const void *time, uint32_t *other, long value3) {
    return syscall(SYS_futex, address, operation | PRIVATE, value, time, other, value3);
}
static pid_t tid(void) {
    return (pid_t)syscall(SYS_gettid);
}

struct waiter {
    pthread_t thread;
    _Atomic pid_t tid;
    int number, priority, timeout_ms;
    bool realtime, takes;
    long result;
    uint32_t word;
};

static void *wait_on_condition(void *argument) {
    struct waiter *w = argument;
    struct sched_param p = {.sched_priority = w->priority};
    struct timespec t;
    syscall(SYS_sched_setscheduler, 0, w->priority > 0 ? SCHED_FIFO : SCHED_OTHER, &p);
    clock_gettime(w->realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, &t);
    t.tv_nsec += w->timeout_ms * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    w->tid = tid();
    w->result = futex(&condition, FUTEX_WAIT_REQUEUE_PI | (w->realtime ? FUTEX_CLOCK_REALTIME : 0), 0,
                      w->timeout_ms ? &t : NULL, &lock, 0);
    if (w->result == -1) {
        w->result = -errno;
    } else {
        order[served++] = w->number;
        w->word = lock;
        futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    }
    return NULL;
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

static void start(struct waiter *w) {
    w->tid = 0;
    MUST(pthread_create(&w->thread, NULL, wait_on_condition, w));
    while (w->tid == 0) {
        sleep_ms(1);
    }
    blocked(w->tid);
}

static const char *result_text(const struct waiter *w) {
    return w->result < 0 ? error_name((int)-w->result) : "0";
}

static void errors(void) {
    say_call("CMP_REQUEUE_PI to the same word", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &condition, 0));
    say_call("CMP_REQUEUE_PI that wakes 2", futex(&condition, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, &lock, 0));
    say_call("CMP_REQUEUE_PI that wakes 0", futex(&condition, FUTEX_CMP_REQUEUE_PI, 0, (void *)1, &lock, 0));
    say_call("CMP_REQUEUE_PI that moves -1", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)-1, &lock, 0));
    say_call("CMP_REQUEUE_PI with another value", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 7));
    say_call("CMP_REQUEUE_PI without waiters", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0));
    say("lock", "%x", lock);
    say_call("CMP_REQUEUE_PI at a bad address", futex((void *)16, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0));
    say_call("CMP_REQUEUE_PI at an odd address", futex((void *)17, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0));
    say_call("WAIT_REQUEUE_PI on one word", futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &condition, 0));
    say_call("WAIT_REQUEUE_PI with another value", futex(&condition, FUTEX_WAIT_REQUEUE_PI, 5, NULL, &lock, 0));
    say_call("WAIT_REQUEUE_PI at a bad address", futex((void *)16, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0));
    struct timespec past = {1, 0}, bad = {-1, 0};
    say_call("WAIT_REQUEUE_PI until a time in the past", futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, &past, &lock, 0));
    say_call("WAIT_REQUEUE_PI with a bad time", futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, &bad, &lock, 0));
}

static void *plain_wait(void *out) {
    *(_Atomic pid_t *)out = tid();
    futex(&condition, FUTEX_WAIT, 0, NULL, NULL, 0);
    return NULL;
}

static void wrong_kinds(void) {
    struct waiter w = {.number = 1};
    pthread_t thread;
    _Atomic pid_t other = 0;
    start(&w);
    say_call("WAKE", futex(&condition, FUTEX_WAKE, 1, NULL, NULL, 0));
    say_call("REQUEUE", futex(&condition, FUTEX_REQUEUE, 0, (void *)1, &other_condition, 0));
    say_call("CMP_REQUEUE", futex(&condition, FUTEX_CMP_REQUEUE, 0, (void *)1, &lock, 0));
    say_call("CMP_REQUEUE_PI to another lock", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)0, &other_lock, 0));
    say_call("CMP_REQUEUE_PI", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)0, &lock, 0));
    pthread_join(w.thread, NULL);
    say("waiter", "%s, it owned the lock: %s", result_text(&w),
        (w.word & 0x3fffffff) == (uint32_t)w.tid ? "yes" : "no");
    say("word had the mark of waiters", "%s", w.word & FUTEX_WAITERS ? "yes" : "no");
    MUST(pthread_create(&thread, NULL, plain_wait, (void *)&other));
    while (other == 0) {
        sleep_ms(1);
    }
    blocked(other);
    say_call("CMP_REQUEUE_PI of a plain waiter", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0));
    say_call("WAKE", futex(&condition, FUTEX_WAKE, 1, NULL, NULL, 0));
    pthread_join(thread, NULL);
}

static void broadcast(const char *name, bool locked, long move) {
    struct waiter w[4] = {{.number = 1}, {.number = 2, .priority = 20}, {.number = 3, .priority = 10}, {.number = 4}};
    int expected = move >= 3 ? 4 : (int)move + 1;
    lock = 0;
    served = 0;
    if (locked) {
        futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    }
    for (int i = 0; i < 4; i++) {
        start(&w[i]);
    }
    say(name, "%ld", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)move, &lock, 0));
    if (locked) {
        say("served while it is held", "%d", served);
        say_call("UNLOCK_PI", futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    }
    for (int i = 0; i < 2000 && served < expected; i++) {
        sleep_ms(1);
    }
    say("served", "%d", served);
    for (int i = 0; served < 4 && i < 10; i++) {
        futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)4, &lock, 0);
        sleep_ms(5);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(w[i].thread, NULL);
    }
    say("order", "%d %d %d %d", order[0], order[1], order[2], order[3]);
    say("word", "%x", lock & 0x3fffffff);
}

static void limits(void) {
    struct waiter w = {.number = 1, .timeout_ms = 60};
    lock = 0;
    futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    start(&w);
    pthread_join(w.thread, NULL);
    say("time is over before the requeue", "%s", result_text(&w));
    w.realtime = true;
    start(&w);
    pthread_join(w.thread, NULL);
    say("the same on the other clock", "%s", result_text(&w));
    w.timeout_ms = 150;
    start(&w);
    say_call("CMP_REQUEUE_PI", futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0));
    pthread_join(w.thread, NULL);
    say("time is over behind the lock", "%s", result_text(&w));
    say_call("UNLOCK_PI", futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

static _Atomic int caught;
static void handler(int signal) {
    (void)signal;
    caught++;
}

static void signals(void) {
    struct sigaction action = {.sa_handler = handler};
    struct waiter w = {.number = 1};
    sigaction(SIGUSR1, &action, NULL);
    lock = 0;
    futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    start(&w);
    syscall(SYS_tkill, w.tid, SIGUSR1);
    while (caught < 1) {
        sleep_ms(1);
    }
    blocked(w.tid);
    say_call("after a signal it waits again: CMP_REQUEUE_PI",
             futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0));
    blocked(w.tid);
    syscall(SYS_tkill, w.tid, SIGUSR1);
    pthread_join(w.thread, NULL);
    say("a signal behind the lock", "%s", result_text(&w));
    say_call("UNLOCK_PI", futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

int main(void) {
    errors();
    wrong_kinds();
    broadcast("all, the lock is free", false, 100);
    broadcast("all, the lock is held", true, 100);
    broadcast("one, the lock is free", false, 0);
    broadcast("two, the lock is held", true, 1);
    limits();
    signals();
    return 0;
}
