// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// alarm and setitimer: delivery, what is left, cancelling, intervals, inheritance, errors.
#include "testing.h"

static volatile int taken;

static void handler(int signal) {
    (void)signal;
    taken++;
}

static int alarm_in_child(void) {
    struct itimerval timer;
    getitimer(ITIMER_REAL, &timer);
    return timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0 ? 0 : 1;
}

static int die_of_alarm(void) {
    signal(SIGALRM, SIG_DFL);
    struct itimerval timer = {{0, 0}, {0, 10000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    for (;;) {
        pause();
    }
    return 0;
}

static int burn_processor(void) {
    signal(SIGVTALRM, SIG_DFL);
    struct itimerval timer = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
    for (;;) {}
    return 0;
}

int main(void) {
    signal(SIGALRM, handler);
    say_call("first alarm", alarm(100));
    unsigned left = alarm(50);
    say_bool("a second one gives what is left of the first", left >= 90 && left <= 100);
    left = alarm(0);
    say_bool("cancelling gives what is left", left >= 40 && left <= 50);
    say_call("nothing is left", alarm(0));

    struct itimerval timer = {{0, 0}, {0, 20000}}, old;
    // Blocked until the wait, so that a late wait does not miss it.
    sigset_t alarm_only, none;
    sigemptyset(&none);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm_only, NULL);
    int64_t start = now_ms();
    say_call("timer of 20 ms", setitimer(ITIMER_REAL, &timer, NULL));
    say_call("sigsuspend", sigsuspend(&none));
    sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
    say_bool("it came, not before its time", taken == 1 && now_ms() - start >= 19);
    getitimer(ITIMER_REAL, &old);
    say("afterwards", "%d %d", (int)old.it_value.tv_sec, (int)old.it_value.tv_usec);

    taken = 0;
    timer = (struct itimerval){{0, 10000}, {0, 10000}};
    start = now_ms();
    setitimer(ITIMER_REAL, &timer, NULL);
    while (taken < 5) {
        pause();
    }
    say_bool("an interval of 10 ms comes five times in at least 49 ms", now_ms() - start >= 49);
    getitimer(ITIMER_REAL, &old);
    say("interval reads back", "%d", (int)old.it_interval.tv_usec);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &timer, &old);
    say("setitimer gives the old interval", "%d", (int)old.it_interval.tv_usec);
    int before = taken;
    sleep_ms(40);
    say_bool("no more after it is cancelled", taken == before);

    alarm(100);
    say_child("a child has no alarm", alarm_in_child);
    alarm(0);
    say_child("the default action", die_of_alarm);
    say_child("virtual time", burn_processor);
    timer.it_value.tv_usec = 1000000;
    say_call("microseconds too many", setitimer(ITIMER_REAL, &timer, NULL));
    timer.it_value.tv_usec = -1;
    say_call("microseconds negative", setitimer(ITIMER_REAL, &timer, NULL));
    timer.it_value.tv_usec = 0;
    say_call("unknown timer", setitimer((__typeof__(ITIMER_REAL))3, &timer, NULL));
    say_call("unknown timer, read", getitimer((__typeof__(ITIMER_REAL))3, &timer));
    say_call("bad address", syscall(SYS_setitimer, 0, (void *)8, NULL));
    return 0;
}
