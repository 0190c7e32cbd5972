// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// User and system time, told apart: by getrusage, times, /proc/PID/stat and the clocks of a process, of itself, a thread, and children that were waited for.
#include "testing.h"
#include <pthread.h>
#include <sys/times.h>

static int64_t us(const struct timeval *t) {
    return (int64_t)t->tv_sec * 1000000 + t->tv_usec;
}

static int64_t clock_us(int clock) {
    struct timespec t;
    MUST(clock_gettime(clock, &t));
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void burn_user(void) {
    int64_t end = clock_us(CLOCK_THREAD_CPUTIME_ID) + 120000;
    volatile unsigned n = 0;
    while (clock_us(CLOCK_THREAD_CPUTIME_ID) < end) {
        for (int i = 0; i < 200000; i++) {
            n += (unsigned)i;
        }
    }
}

static char block[1 << 20];

static void burn_kernel(void) {
    int zero = MUST(open("/dev/zero", O_RDONLY));
    int64_t end = clock_us(CLOCK_THREAD_CPUTIME_ID) + 120000;
    while (clock_us(CLOCK_THREAD_CPUTIME_ID) < end) {
        MUST(read(zero, block, sizeof(block)));
    }
    close(zero);
}

static const char *greater(int64_t user, int64_t system) {
    return user > 3 * system ? "mostly user" : system > 3 * user ? "mostly system" : "both";
}

static int works(void (*function)(void), const char *name) {
    struct rusage self, thread;
    struct tms ticks;
    char text[512], label[64];
    function();
    getrusage(RUSAGE_SELF, &self);
    int64_t sum = us(&self.ru_utime) + us(&self.ru_stime), clock = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    getrusage(RUSAGE_THREAD, &thread);
    times(&ticks);
    snprintf(label, sizeof(label), "%s, getrusage", name);
    say(label, "%s", greater(us(&self.ru_utime), us(&self.ru_stime)));
    snprintf(label, sizeof(label), "%s, getrusage of the thread", name);
    say(label, "%s", greater(us(&thread.ru_utime), us(&thread.ru_stime)));
    snprintf(label, sizeof(label), "%s, times", name);
    say(label, "%s", greater(ticks.tms_utime, ticks.tms_stime));
    snprintf(label, sizeof(label), "%s, the sum is the clock's", name);
    say_bool(label, sum <= clock && clock - sum < 100000);
    int fd = MUST(open("/proc/self/stat", O_RDONLY));
    ssize_t length = read(fd, text, sizeof(text) - 1);
    text[length > 0 ? length : 0] = 0;
    const char *at = strrchr(text, ')');
    long user = 0, system = 0;
    if (at) {
        sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system);
    }
    snprintf(label, sizeof(label), "%s, /proc/self/stat", name);
    say(label, "%s", greater(user, system));
    return 0;
}

static int user_child(void) {
    return works(burn_user, "a program that counts");
}

static int kernel_child(void) {
    return works(burn_kernel, "a program that reads");
}

static void *ends_after_work(void *argument) {
    burn_kernel();
    return argument;
}

static int ended_thread(void) {
    pthread_t thread;
    struct rusage self;
    memset(block, 1, sizeof(block));
    pthread_create(&thread, NULL, ends_after_work, NULL);
    pthread_join(thread, NULL);
    getrusage(RUSAGE_SELF, &self);
    say("a thread that has ended", "%s", greater(us(&self.ru_utime), us(&self.ru_stime)));
    return 0;
}

int main(void) {
    struct rusage children;
    struct tms ticks;
    reap(spawn(user_child));
    reap(spawn(kernel_child));
    getrusage(RUSAGE_CHILDREN, &children);
    say_bool("both children", us(&children.ru_utime) > 60000 && us(&children.ru_stime) > 60000);
    times(&ticks);
    say_bool("by times", ticks.tms_cutime >= 6 && ticks.tms_cstime >= 6);
    reap(spawn(ended_thread));
    // Sleeping inside a call is nobody's time.
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    sleep_ms(200);
    getrusage(RUSAGE_SELF, &after);
    say_bool("sleeping is free", us(&after.ru_stime) - us(&before.ru_stime) < 100000);
    return 0;
}
