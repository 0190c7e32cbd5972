// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// RLIMIT_RTTIME: a thread of a real-time class that does not block is told at the soft limit and ended at the hard one.
#include "../testing.h"

static volatile int told, told_code;
static volatile rlim_t told_soft;

static void on_limit(int signal, siginfo_t *info, void *context) {
    struct rlimit r;
    (void)signal, (void)context;
    getrlimit(RLIMIT_RTTIME, &r);
    told_soft = r.rlim_cur;
    told_code = info->si_code;
    told = told + 1;
}

static void prepare(int policy, rlim_t soft, rlim_t hard) {
    struct sigaction a = {.sa_sigaction = on_limit, .sa_flags = SA_SIGINFO};
    struct sched_param p = {.sched_priority = policy == SCHED_OTHER ? 0 : 2};
    struct rlimit r = {soft, hard};
    MUST(sigaction(SIGXCPU, &a, NULL));
    MUST(setrlimit(RLIMIT_RTTIME, &r));
    MUST(syscall(SYS_sched_setscheduler, 0, policy, &p));
}

static long cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void spin(int ms, bool yield) {
    long end = cpu_ms() + ms;
    while (cpu_ms() < end && !told)
        if (yield)
            sched_yield();
}

static int soft_limit(int policy, bool yield) {
    prepare(policy, 60000, RLIM_INFINITY);
    long start = cpu_ms();
    spin(2000, yield);
    say("  told", "%d, code %d, not too early %d", told, told_code, cpu_ms() - start >= 40);
    say("  the soft limit is then", "%ld", (long)told_soft);
    return 0;
}
static int soft_fifo(void) {
    return soft_limit(SCHED_FIFO, false);
}
static int soft_round_robin(void) {
    return soft_limit(SCHED_RR, false);
}
static int soft_yielding(void) {
    return soft_limit(SCHED_FIFO, true);
}

static int by_default(void) {
    prepare(SCHED_FIFO, 60000, RLIM_INFINITY);
    signal(SIGXCPU, SIG_DFL);
    spin(2000, false);
    return 1;
}

static int hard_limit(void) {
    prepare(SCHED_FIFO, 40000, 700000);
    spin(2000, false);
    say("  told before the end", "%d", told);
    told = 0;
    spin(8000, false); // time in which the machine stands still does not count in full
    return 1;
}

static int hard_ignored(void) {
    prepare(SCHED_FIFO, 40000, 40000);
    signal(SIGXCPU, SIG_IGN);
    spin(2000, false);
    return 1;
}

static int blocking(void) {
    prepare(SCHED_FIFO, 300000, RLIM_INFINITY);
    for (int i = 0; i < 15; i++) {
        long start = cpu_ms();
        spin(45, false);
        if (cpu_ms() - start > 200) // the machine stood still meanwhile: that shows nothing
            told = 0;
        struct timespec moment = {0, 2000000};
        nanosleep(&moment, NULL);
    }
    return told;
}

static int ordinary(void) {
    prepare(SCHED_OTHER, 20000, 20000);
    spin(150, false);
    return told;
}

// The class comes after the limit, by fork.
static int inherited(void) {
    prepare(SCHED_FIFO, 60000, RLIM_INFINITY);
    signal(SIGXCPU, SIG_DFL);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        spin(2000, false);
        _exit(1);
    }
    say("  the child", "%s", status_text(reap(pid)));
    return 0;
}

static int limit_later(void) {
    struct sched_param p = {.sched_priority = 2};
    struct rlimit r = {60000, 60000};
    MUST(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
    MUST(setrlimit(RLIMIT_RTTIME, &r));
    spin(2000, false);
    return 1;
}

int main(void) {
    say_child("FIFO", soft_fifo);
    say_child("RR", soft_round_robin);
    say_child("yields are no sleep", soft_yielding);
    say_child("by default", by_default);
    say_child("hard limit", hard_limit);
    say_child("hard limit with the signal ignored", hard_ignored);
    say_child("blocks now and then", blocking);
    say_child("an ordinary thread", ordinary);
    say_child("after fork", inherited);
    say_child("limit set after the class", limit_later);
    return 0;
}
