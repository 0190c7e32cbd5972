// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The clocks that can wake a sleeping machine, which take a capability: read, slept on, timed on; and what the steering of the clock refuses.
#include "testing.h"

#include <sys/timerfd.h>
#include <sys/timex.h>

#ifndef CLOCK_SGI_CYCLE
#define CLOCK_SGI_CYCLE 10
#endif

static const struct {
    const char *name;
    clockid_t clock, like;
} clocks[] = {
    {"CLOCK_REALTIME_ALARM", CLOCK_REALTIME_ALARM, CLOCK_REALTIME},
    {"CLOCK_BOOTTIME_ALARM", CLOCK_BOOTTIME_ALARM, CLOCK_BOOTTIME},
};

static int64_t ns(const struct timespec *t) {
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static void clock_calls(int i, const char *who) {
    struct timespec a, b, short_time = {0, 3000000}, rest = {-1, -1};
    struct itimerspec in = {.it_value = {0, 4000000}}, out;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    char name[100];
    timer_t timer;
#define NAME(text) (snprintf(name, sizeof(name), "%s %s: %s", who, clocks[i].name, text), name)
    say_call(NAME("clock_gettime"), clock_gettime(clocks[i].clock, &a));
    clock_gettime(clocks[i].like, &b);
    say_bool(NAME("it is the clock's"), ns(&b) - ns(&a) >= 0 && ns(&b) - ns(&a) < 2000000000);
    say_call(NAME("clock_getres"), clock_getres(clocks[i].clock, &a));
    say(NAME("resolution"), "%lld", (long long)ns(&a));
    say_call(NAME("clock_settime"), clock_settime(clocks[i].clock, &b));
    say_call(NAME("clock_nanosleep"), syscall(SYS_clock_nanosleep, clocks[i].clock, 0, &short_time, &rest));
    say_call(NAME("clock_nanosleep, flags 2"), syscall(SYS_clock_nanosleep, clocks[i].clock, 2, &short_time, NULL));
    clock_gettime(clocks[i].like, &a);
    a.tv_nsec += 5000000;
    if (a.tv_nsec >= 1000000000) {
        a.tv_nsec -= 1000000000;
        a.tv_sec++;
    }
    say_call(NAME("clock_nanosleep until"), syscall(SYS_clock_nanosleep, clocks[i].clock, TIMER_ABSTIME, &a, NULL));
    clock_gettime(clocks[i].like, &b);
    say_bool(NAME("it has come"), ns(&b) >= ns(&a) || getuid() != 0);
    long made = syscall(SYS_timer_create, clocks[i].clock, &event, &timer);
    say_call(NAME("timer_create"), made);
    if (made == 0) {
        say_call(NAME("timer_settime"), timer_settime(timer, 0, &in, NULL));
        sleep_ms(10);
        say_call(NAME("timer_gettime"), timer_gettime(timer, &out));
        say(NAME("left"), "%ld", out.it_value.tv_nsec);
        timer_delete(timer);
    }
    int fd = timerfd_create(clocks[i].clock, 0);
    say_ok(NAME("timerfd_create"), fd);
    if (fd != -1) {
        uint64_t ticks = 0;
        say_call(NAME("timerfd_settime"), timerfd_settime(fd, 0, &in, NULL));
        say_call(NAME("read"), read(fd, &ticks, sizeof(ticks)));
        say(NAME("ticks"), "%d", (int)ticks);
        say_call(NAME("timerfd_gettime"), timerfd_gettime(fd, &out));
        close(fd);
    }
}

static int without(void) {
    int fd = timerfd_create(CLOCK_BOOTTIME_ALARM, 0);
    struct itimerspec in = {.it_value = {0, 4000000}};
    MUST(setuid(1000));
    for (int i = 0; i < (int)COUNT(clocks); i++) {
        clock_calls(i, "user's");
    }
    if (fd != -1) {
        say_call("a timer made before", timerfd_settime(fd, 0, &in, NULL));
    }
    return 0;
}

static int interrupted(void) {
    struct timespec t = {20, 0}, rest = {-1, -1};
    struct sigaction action = {.sa_handler = SIG_IGN};
    struct itimerval soon = {.it_value = {0, 20000}};
    extern void nothing(int);
    action.sa_handler = nothing;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    say_call("an alarm sleep and a signal", syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME_ALARM, 0, &t, &rest));
    say_bool("time is left", rest.tv_sec == 19);
    return 0;
}

void nothing(int signal) {
    (void)signal;
}

static void steering(void) {
    struct timex t = {.modes = ADJ_OFFSET, .offset = 0};
    struct timespec now;
    say_bool("ADJ_OFFSET 0", adjtimex(&t) >= 0);
    say("the offset", "%ld", t.offset);
    memset(&t, 0, sizeof(t));
    t.modes = ADJ_OFFSET_SS_READ;
    say_bool("ADJ_OFFSET_SS_READ", adjtimex(&t) >= 0);
    say("what is left of a slow step", "%ld", t.offset);
    say_call("CLOCK_SGI_CYCLE", clock_gettime(CLOCK_SGI_CYCLE, &now));
    say_call("restart_syscall, and nothing to go on with", syscall(SYS_restart_syscall));
}

int main(void) {
    for (int i = 0; i < (int)COUNT(clocks); i++) {
        clock_calls(i, "root's");
    }
    say_child("without the capability", without);
    say_child("interrupted", interrupted);
    steering();
    return 0;
}
