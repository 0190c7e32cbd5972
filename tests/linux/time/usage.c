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

// What each source of times tells.
struct told {
    struct rusage self, thread;
    struct tms ticks;
    int64_t clock;
    long user, system; // /proc/self/stat
};

static struct told ask(void) {
    struct told t = {0};
    char text[512];
    getrusage(RUSAGE_SELF, &t.self);
    t.clock = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    getrusage(RUSAGE_THREAD, &t.thread);
    times(&t.ticks);
    int fd = MUST(open("/proc/self/stat", O_RDONLY));
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    const char *at = strrchr(text, ')');
    if (at) {
        sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &t.user, &t.system);
    }
    return t;
}

static bool sums_agree(const struct told *t) {
    int64_t sum = us(&t->self.ru_utime) + us(&t->self.ru_stime);
    return sum <= t->clock && t->clock - sum < 100000;
}

static bool unclear(int64_t user, int64_t system) {
    return greater(user, system)[0] == 'b';
}

static bool any_unclear(const struct told *t) {
    return unclear(us(&t->self.ru_utime), us(&t->self.ru_stime)) ||
           unclear(us(&t->thread.ru_utime), us(&t->thread.ru_stime)) ||
           unclear(t->ticks.tms_utime, t->ticks.tms_stime) || unclear(t->user, t->system) || !sums_agree(t);
}

static int works(void (*function)(void), const char *name) {
    struct told t;
    char label[64];
    // A processor of an emulated machine may stand still in the middle of a call, and the time counts where it stood: more work then shows what it is.
    int tries = 0;
    do {
        function();
        t = ask();
    } while (any_unclear(&t) && ++tries < 8);
    snprintf(label, sizeof(label), "%s, getrusage", name);
    say(label, "%s", greater(us(&t.self.ru_utime), us(&t.self.ru_stime)));
    snprintf(label, sizeof(label), "%s, getrusage of the thread", name);
    say(label, "%s", greater(us(&t.thread.ru_utime), us(&t.thread.ru_stime)));
    snprintf(label, sizeof(label), "%s, times", name);
    say(label, "%s", greater(t.ticks.tms_utime, t.ticks.tms_stime));
    snprintf(label, sizeof(label), "%s, the sum is the clock's", name);
    say_bool(label, sums_agree(&t));
    snprintf(label, sizeof(label), "%s, /proc/self/stat", name);
    say(label, "%s", greater(t.user, t.system));
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
    int tries = 0;
    do {
        pthread_create(&thread, NULL, ends_after_work, NULL);
        pthread_join(thread, NULL);
        getrusage(RUSAGE_SELF, &self);
    } while (unclear(us(&self.ru_utime), us(&self.ru_stime)) && ++tries < 8);
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
