// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// nanosleep and clock_nanosleep: at least as long as asked, absolute times, errors, many sleepers.
#include "testing.h"

static int64_t elapsed(int64_t since) {
    return now_ms() - since;
}

static int milliseconds;

static int sleep_some(void) {
    int64_t start = now_ms();
    sleep_ms(milliseconds);
    return elapsed(start) >= milliseconds - 1 ? 0 : 1;
}

int main(void) {
    struct timespec time = {0, 30000000}, rest = {7, 7}, until;
    int64_t start = now_ms();
    say_call("nanosleep", nanosleep(&time, &rest));
    say_bool("at least as long", elapsed(start) >= 29);
    say("the rest is left alone", "%d %d", (int)rest.tv_sec, (int)rest.tv_nsec);
    time = (struct timespec){0, 0};
    say_call("nothing", nanosleep(&time, NULL));
    time = (struct timespec){0, 1};
    say_call("a nanosecond", nanosleep(&time, NULL));
    time = (struct timespec){0, 1000000000};
    say_call("nanoseconds too many", nanosleep(&time, NULL));
    time = (struct timespec){0, -1};
    say_call("nanoseconds negative", nanosleep(&time, NULL));
    time = (struct timespec){-1, 0};
    say_call("seconds negative", nanosleep(&time, NULL));
    say_call("bad address", syscall(SYS_nanosleep, 8, NULL));

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 30000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    start = now_ms();
    say("to a time", "%d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
    say_bool("at least as long", elapsed(start) >= 28);
    say("to a time that has passed", "%d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    say("to a real time", "%d", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL));
    time = (struct timespec){0, 1000000};
    say_call("unknown clock", syscall(SYS_clock_nanosleep, 99, 0, &time, NULL));
    say_call("the thread's own clock", syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL));
    say_call("raw clock", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &time, NULL));
    say_call("unknown flag is ignored", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 2, &time, NULL));

    pid_t pids[20];
    for (int i = 0; i < 20; i++) {
        milliseconds = 10 + i * 5;
        pids[i] = spawn(sleep_some);
    }
    int early = 0;
    for (int i = 0; i < 20; i++) {
        early += reap(pids[i]) != 0;
    }
    say("of twenty sleepers too early", "%d", early);
    start = now_ms();
    for (int i = 0; i < 20; i++) {
        sleep_ms(1);
    }
    say_bool("twenty times a millisecond", elapsed(start) >= 19);
    return 0;
}
