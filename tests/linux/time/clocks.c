// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// clock_gettime, clock_getres, gettimeofday, time: which clocks there are, that they run and never go back, that the
// vDSO and the calls agree.
#include "testing.h"
#include <pthread.h>
#include <sys/times.h>

static int64_t ns(const struct timespec *time) {
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static int64_t clock_call(int clock) {
    struct timespec now;
    MUST(syscall(SYS_clock_gettime, clock, &now));
    return ns(&now);
}

static int64_t clock_library(int clock) {
    struct timespec now;
    MUST(clock_gettime(clock, &now));
    return ns(&now);
}

// The library's clock between two calls must lie between them.
static bool agrees(int clock) {
    for (int i = 0; i < 1000; i++) {
        int64_t before = clock_call(clock), middle = clock_library(clock), after = clock_call(clock);
        if (middle < before || middle > after) {
            return false;
        }
    }
    return true;
}

static void *never_back(void *argument) {
    int64_t last = 0;
    intptr_t back = 0;
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        int64_t now = i % 2 ? clock_library(CLOCK_MONOTONIC) : clock_call(CLOCK_MONOTONIC);
        back += now < last;
        last = now;
    }
    return (void *)back;
}

int main(void) {
    struct timespec time;
    static const struct {
        const char *name;
        int clock;
    } clocks[] = {{"CLOCK_REALTIME", 0},          {"CLOCK_MONOTONIC", 1},     {"CLOCK_PROCESS_CPUTIME_ID", 2},
                  {"CLOCK_THREAD_CPUTIME_ID", 3}, {"CLOCK_MONOTONIC_RAW", 4}, {"CLOCK_REALTIME_COARSE", 5},
                  {"CLOCK_MONOTONIC_COARSE", 6},  {"CLOCK_BOOTTIME", 7},      {"clock 10", 10},
                  {"clock 11, CLOCK_TAI", 11},    {"clock 12", 12},           {"clock 99", 99}};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        say_call(clocks[i].name, syscall(SYS_clock_gettime, clocks[i].clock, &time));
    }
    say_call("bad address", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (void *)8));
    say_call("bad address and unknown clock", syscall(SYS_clock_gettime, 99, (void *)8));
    say_call("clock_getres", syscall(SYS_clock_getres, CLOCK_MONOTONIC, &time));
    say("resolution", "%ld %ld", (long)time.tv_sec, time.tv_nsec);
    say_call("clock_getres without a result", syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL));
    say_call("clock_getres of an unknown clock", syscall(SYS_clock_getres, 99, NULL));
    say_bool("the vDSO's monotonic clock agrees with the call's", agrees(CLOCK_MONOTONIC));
    say_bool("the vDSO's real-time clock agrees with the call's", agrees(CLOCK_REALTIME));
    struct timeval micro, zone;
    int64_t before = clock_call(CLOCK_REALTIME);
    gettimeofday(&micro, NULL);
    int64_t middle = (int64_t)micro.tv_sec * 1000000000 + micro.tv_usec * 1000LL;
    say_bool("gettimeofday agrees", middle >= before - 1000 && middle <= clock_call(CLOCK_REALTIME));
    int64_t seconds = (int64_t)syscall(SYS_time, NULL);
    say_bool("time agrees", llabs(seconds - before / 1000000000) <= 1);
    say_call("gettimeofday with a zone", syscall(SYS_gettimeofday, &micro, &zone));
    say_call("gettimeofday at a bad address", syscall(SYS_gettimeofday, 8, NULL));
    say_bool("real time is after 2020", before > 1577836800LL * 1000000000);

    pthread_t threads[3];
    intptr_t back = 0;
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, never_back, NULL);
    }
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        back += (intptr_t)result;
    }
    say("steps back in three threads", "%d", (int)back);

    int64_t processor = clock_call(CLOCK_PROCESS_CPUTIME_ID);
    sleep_ms(50);
    int64_t slept = clock_call(CLOCK_PROCESS_CPUTIME_ID) - processor;
    say_bool("sleeping takes little processor time", slept < 40000000);
    for (volatile int i = 0; i < 10000000; i++) {}
    say_bool("working takes some", clock_call(CLOCK_PROCESS_CPUTIME_ID) - processor > slept + 1000000);
    struct tms used;
    say_bool("times counts ticks", times(&used) > 0 && used.tms_utime >= 0);
    struct rusage usage;
    say_call("getrusage", getrusage(RUSAGE_SELF, &usage));
    say_bool("it has some time", usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec +
                                         usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec >
                                     0);
    say_call("getrusage of children", getrusage(RUSAGE_CHILDREN, &usage));
    say_call("getrusage of an unknown one", getrusage(9, &usage));
    return 0;
}
