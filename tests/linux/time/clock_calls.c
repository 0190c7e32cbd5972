// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Clocks in their corners: numbers of processes and threads, resolutions, setting and adjusting, sleeping on each.
#include "testing.h"
#include <pthread.h>
#include <sys/timex.h>

static void say_clock(const char *name, int clock) {
    struct timespec t = {-1, -1}, r = {-1, -1};
    char text[64];
    snprintf(text, sizeof(text), "gettime, %s", name);
    say_ok(text, syscall(SYS_clock_gettime, clock, &t));
    snprintf(text, sizeof(text), "getres, %s", name);
    if (syscall(SYS_clock_getres, clock, &r) == 0) {
        say(text, "%ld %ld", (long)r.tv_sec, r.tv_nsec);
    } else {
        say(text, "%s", error_name(errno));
    }
    snprintf(text, sizeof(text), "settime, %s", name);
    t = (struct timespec){0, -1};
    say_call(text, syscall(SYS_clock_settime, clock, &t));
    snprintf(text, sizeof(text), "settime from nowhere, %s", name);
    say_call(text, syscall(SYS_clock_settime, clock, 8));
    snprintf(text, sizeof(text), "sleep, %s", name);
    t = (struct timespec){0, 1};
    say_call(text, clock == -6 || clock == -2 ? 0 : syscall(SYS_clock_nanosleep, clock, TIMER_ABSTIME, &t, NULL));
}

static int processor_clock(int pid, bool thread, int kind) {
    return (int)(~(unsigned)pid << 3 | (thread ? 4 : 0) | (unsigned)kind);
}

static pid_t waiter;

static int child_waits(void) {
    pause();
    return 0;
}

static volatile bool stop;

static void *burns(void *argument) {
    while (!stop) {}
    return argument;
}

static void *sees_thread_clocks(void *argument) {
    struct timespec t;
    (void)argument;
    say_ok("a thread's clock by its number", syscall(SYS_clock_gettime, processor_clock(gettid(), true, 2), &t));
    say_ok("its process's clock by a thread's own number",
           syscall(SYS_clock_gettime, processor_clock(gettid(), false, 2), &t));
    say_ok("the same, resolution", syscall(SYS_clock_getres, processor_clock(gettid(), false, 2), &t));
    return NULL;
}

static void handler(int signal) {
    (void)signal;
}

static int sleeps_on_processor(void) {
    struct timespec t = {100, 0}, rest = {0, 0};
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    int result = syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &t, &rest) == -1 ? errno : 0;
    say("interrupted", "%s, %s", error_name(result), rest.tv_sec >= 98 ? "most is left" : "little is left");
    return 0;
}

static int64_t wall_target;

static int sleeps_to_wall(void) {
    struct timespec t = {wall_target, 0};
    return (int)syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
}

static int unprivileged(void) {
    struct timespec t;
    struct timeval tv = {1000000000, 0};
    struct timex x;
    setuid(4242);
    clock_gettime(CLOCK_REALTIME, &t);
    say_call("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
    t.tv_nsec = -1;
    say_call("clock_settime, bad time", syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
    say_call("settimeofday", syscall(SYS_settimeofday, &tv, NULL));
    say_call("settimeofday of nothing", syscall(SYS_settimeofday, NULL, NULL));
    memset(&x, 0, sizeof(x));
    say_ok("adjtimex, reading", adjtimex(&x));
    x.modes = ADJ_FREQUENCY;
    say_ok("adjtimex, writing", adjtimex(&x));
    x.modes = ADJ_OFFSET_SS_READ;
    say_ok("adjtimex, reading what adjtime does", adjtimex(&x));
    x.modes = ADJ_OFFSET_SINGLESHOT;
    say_ok("adjtimex as adjtime", adjtimex(&x));
    return 0;
}

static void adjusting(void) {
    struct timex x;
    struct timespec before, after;
    memset(&x, 0, sizeof(x));
    say_call("adjtimex from nowhere", syscall(SYS_adjtimex, 8));
    say_call("adjtimex", syscall(SYS_adjtimex, &x));
    say("tolerance, tick, precision", "%ld %ld %ld", x.tolerance, x.tick, x.precision);
    say_bool("it tells the time", x.time.tv_sec > 1000000000 && x.time.tv_usec < 1000000);
    say("status", "%#x", (unsigned)x.status & STA_UNSYNC);
    x.modes = ADJ_TICK;
    x.tick = 8999;
    say_call("tick too short", syscall(SYS_adjtimex, &x));
    x.tick = 11001;
    say_call("tick too long", syscall(SYS_adjtimex, &x));
    x.modes = 0x8000;
    say_call("adjtime without an offset", syscall(SYS_adjtimex, &x));
    x.modes = ADJ_FREQUENCY;
    x.freq = INT64_MAX;
    say_call("frequency beyond all", syscall(SYS_adjtimex, &x));
    x.freq = 1 << 30;
    say_ok("frequency too high", syscall(SYS_adjtimex, &x));
    say("is clamped", "%ld", x.freq);
    x.freq = 0;
    say_ok("frequency back", syscall(SYS_adjtimex, &x));
    x.modes = ADJ_MAXERROR | ADJ_ESTERROR | ADJ_TIMECONST | ADJ_NANO;
    x.maxerror = 1000;
    x.esterror = 2000;
    x.constant = 3;
    say_ok("errors and time constant", syscall(SYS_adjtimex, &x));
    say("are kept", "%d %ld %ld", x.maxerror >= 1000 && x.maxerror < 20000, x.esterror, x.constant);
    say("nanoseconds", "%#x", (unsigned)x.status & STA_NANO);
    x.modes = ADJ_MICRO;
    say_ok("microseconds", syscall(SYS_adjtimex, &x));
    say("again", "%#x", (unsigned)x.status & STA_NANO);
    x.modes = ADJ_STATUS;
    x.status = 0;
    say_call("synchronised", syscall(SYS_adjtimex, &x));
    x.modes = ADJ_STATUS;
    x.status = STA_UNSYNC;
    say_call("and not", syscall(SYS_adjtimex, &x));
    x.modes = ADJ_TAI;
    x.constant = 37;
    syscall(SYS_adjtimex, &x);
    clock_gettime(CLOCK_REALTIME, &before);
    syscall(SYS_clock_gettime, CLOCK_TAI, &after);
    x.modes = 0;
    syscall(SYS_adjtimex, &x);
    say("TAI", "%d, %s", x.tai,
        after.tv_sec - before.tv_sec >= 37 && after.tv_sec - before.tv_sec < 40 ? "ahead" : "not ahead");
    x.modes = ADJ_TAI;
    x.constant = 0;
    syscall(SYS_adjtimex, &x);
    x.modes = ADJ_SETOFFSET | ADJ_NANO;
    x.time.tv_sec = 100;
    x.time.tv_usec = 1000000000;
    say_call("a step, nanoseconds too many", syscall(SYS_adjtimex, &x));
    x.time.tv_usec = 5;
    clock_gettime(CLOCK_REALTIME, &before);
    say_ok("a step", syscall(SYS_adjtimex, &x));
    clock_gettime(CLOCK_REALTIME, &after);
    say_bool("was made", after.tv_sec - before.tv_sec >= 100 && after.tv_sec - before.tv_sec < 110);
    x.modes = ADJ_SETOFFSET | ADJ_MICRO;
    x.time.tv_sec = -101;
    x.time.tv_usec = 999999;
    say_ok("a step back", syscall(SYS_adjtimex, &x));
    clock_gettime(CLOCK_REALTIME, &after);
    say_bool("was made", after.tv_sec - before.tv_sec < 20);
    x.modes = ADJ_OFFSET_SINGLESHOT;
    x.offset = 0;
    say_ok("adjtime of nothing", syscall(SYS_adjtimex, &x));
    x.modes = ADJ_OFFSET_SS_READ;
    say_ok("what is left of it", syscall(SYS_adjtimex, &x));
    say("is", "%ld", x.offset);
    memset(&x, 0, sizeof(x));
    say_call("clock_adjtime, CLOCK_REALTIME", syscall(SYS_clock_adjtime, CLOCK_REALTIME, &x));
    say_call("clock_adjtime, CLOCK_MONOTONIC", syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &x));
    say_call("clock_adjtime, CLOCK_TAI", syscall(SYS_clock_adjtime, CLOCK_TAI, &x));
    say_call("clock_adjtime, a process's", syscall(SYS_clock_adjtime, CLOCK_PROCESS_CPUTIME_ID, &x));
    say_call("clock_adjtime, unknown", syscall(SYS_clock_adjtime, 99, &x));
    say_call("clock_adjtime, unknown from nowhere", syscall(SYS_clock_adjtime, 99, 8));
}

static void setting(void) {
    struct timespec t;
    struct timeval tv;
    struct timezone zone = {-120, 1}, got = {0, 0};
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 500;
    say_call("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
    gettimeofday(&tv, NULL);
    say_bool("seen", tv.tv_sec >= t.tv_sec && tv.tv_sec < t.tv_sec + 10);
    say_bool("by time", time(NULL) >= t.tv_sec);
    tv.tv_sec -= 500;
    say_call("settimeofday", syscall(SYS_settimeofday, &tv, NULL));
    gettimeofday(&tv, NULL);
    say_bool("seen", tv.tv_sec < t.tv_sec);
    t.tv_sec = 0;
    t.tv_nsec = 0;
    say_call("to before the machine's start", syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
    t.tv_sec = INT64_MAX / 1000000000;
    say_call("to the end of time", syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
    t.tv_sec = -1;
    say_call("to a negative time", syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
    tv = (struct timeval){1000000000, 1000000};
    say_call("settimeofday, microseconds too many", syscall(SYS_settimeofday, &tv, NULL));
    tv.tv_usec = -1;
    say_call("settimeofday, microseconds negative", syscall(SYS_settimeofday, &tv, NULL));
    say_call("settimeofday from nowhere", syscall(SYS_settimeofday, 8, NULL));
    say_call("settimeofday, zone from nowhere", syscall(SYS_settimeofday, NULL, 8));
    zone.tz_minuteswest = 15 * 60 + 1;
    say_call("settimeofday, zone too far", syscall(SYS_settimeofday, NULL, &zone));
    zone.tz_minuteswest = 0;
    say_call("settimeofday, zone 0", syscall(SYS_settimeofday, NULL, &zone));
    clock_gettime(CLOCK_REALTIME, &t);
    zone.tz_minuteswest = -120;
    say_call("settimeofday, zone", syscall(SYS_settimeofday, NULL, &zone));
    gettimeofday(&tv, NULL);
    say_bool("the clock stays", tv.tv_sec - t.tv_sec < 60);
    syscall(SYS_gettimeofday, NULL, &got);
    say("the zone", "%d %d", got.tz_minuteswest, got.tz_dsttime);
    zone = (struct timezone){0, 0};
    syscall(SYS_settimeofday, NULL, &zone);
    say_call("gettimeofday to nowhere", syscall(SYS_gettimeofday, 8, NULL));
    say_call("gettimeofday, zone to nowhere", syscall(SYS_gettimeofday, NULL, 8));
    say_call("gettimeofday of nothing", syscall(SYS_gettimeofday, NULL, NULL));
    say_call("time to nowhere", syscall(SYS_time, 8));
}

static void sleeping(void) {
    struct timespec t = {0, 20000000}, cpu, now;
    stop = false;
    pthread_t thread;
    pthread_create(&thread, NULL, burns, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    say_call("sleep while a thread works", syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    say_bool("it worked as long", (now.tv_sec - cpu.tv_sec) * 1000000000 + now.tv_nsec - cpu.tv_nsec >= 19000000);
    t = now;
    t.tv_nsec += 10000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    say_call("to an amount of work", syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &t, NULL));
    stop = true;
    pthread_join(thread, NULL);
    t = (struct timespec){0, 1000};
    say_call("on the own thread's clock", syscall(SYS_clock_nanosleep, -2, 0, &t, NULL));
    say_call("on a clock of nobody", syscall(SYS_clock_nanosleep, processor_clock(32767, false, 2), 0, &t, NULL));
    say_call("on a descriptor's clock", syscall(SYS_clock_nanosleep, -5, 0, &t, NULL));
    pid_t pid = spawn(sleeps_on_processor);
    await_blocked(pid);
    kill(pid, SIGUSR1);
    reap(pid);
    t = (struct timespec){0, 1000000000};
    say_call("bad time", syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &t, NULL));
    say_call("from nowhere", syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, 8, NULL));
    // The clock is set while somebody waits for a time of it.
    clock_gettime(CLOCK_REALTIME, &now);
    wall_target = now.tv_sec + 1000;
    pid = spawn(sleeps_to_wall);
    await_blocked(pid);
    now.tv_sec += 2000;
    syscall(SYS_clock_settime, CLOCK_REALTIME, &now);
    say("a sleep to a wall time, the clock set past it", "%s", status_text(reap(pid)));
    now.tv_sec -= 2000;
    syscall(SYS_clock_settime, CLOCK_REALTIME, &now);
}

int main(void) {
    struct timespec t;
    const struct {
        const char *name;
        int clock;
    } clocks[] = {{"CLOCK_MONOTONIC", CLOCK_MONOTONIC},
                  {"CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID},
                  {"CLOCK_THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID},
                  {"CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW},
                  {"CLOCK_REALTIME_COARSE", CLOCK_REALTIME_COARSE},
                  {"CLOCK_MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE},
                  {"CLOCK_BOOTTIME", CLOCK_BOOTTIME},
                  {"clock 10", 10},
                  {"CLOCK_TAI", CLOCK_TAI},
                  {"clock 12", 12},
                  {"own process, prof", processor_clock(0, false, 0)},
                  {"own process, virtual", processor_clock(0, false, 1)},
                  {"own process, scheduled", processor_clock(0, false, 2)},
                  {"a descriptor", -5},
                  {"own thread, scheduled", processor_clock(0, true, 2)}};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        say_clock(clocks[i].name, clocks[i].clock);
    }
    say_call("getres to nothing", syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL));
    say_call("getres to nowhere", syscall(SYS_clock_getres, CLOCK_MONOTONIC, 8));
    say_call("gettime to nowhere", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8));
    waiter = spawn(child_waits);
    await_blocked(waiter);
    say_ok("a child's clock", syscall(SYS_clock_gettime, processor_clock(waiter, false, 2), &t));
    say_bool("has little on it", t.tv_sec == 0);
    say_ok("a child's thread's clock", syscall(SYS_clock_gettime, processor_clock(waiter, true, 2), &t));
    say_ok("clock of init", syscall(SYS_clock_gettime, processor_clock(1, false, 2), &t));
    kill(waiter, SIGKILL);
    reap(waiter);
    say_ok("clock of a process that has gone", syscall(SYS_clock_gettime, processor_clock(waiter, false, 2), &t));
    pthread_t thread;
    pthread_create(&thread, NULL, sees_thread_clocks, NULL);
    pthread_join(thread, NULL);
    setting();
    adjusting();
    say_child("without privilege", unprivileged);
    sleeping();
    return 0;
}
