// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// setitimer and getitimer, all three: what each counts, what is left, periods, what a child and a program get, errors; alarm beside them.
#include "testing.h"

static volatile sig_atomic_t got[65];

static void handler(int signal) {
    got[signal]++;
}

static void burn(int milliseconds) {
    struct timespec t, start;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    } while ((t.tv_sec - start.tv_sec) * 1000 + (t.tv_nsec - start.tv_nsec) / 1000000 < milliseconds);
}

static int set(int which, long value_us, long interval_us, struct itimerval *old) {
    struct itimerval v = {{interval_us / 1000000, interval_us % 1000000}, {value_us / 1000000, value_us % 1000000}};
    return setitimer(which, &v, old);
}

static bool comes(int signal) {
    for (int i = 0; i < 300 && !got[signal]; i++) {
        burn(10);
    }
    bool came = got[signal] > 0;
    got[signal] = 0;
    return came;
}

static int child_has_none(void) {
    struct itimerval v;
    getitimer(ITIMER_REAL, &v);
    return v.it_value.tv_sec == 0 && v.it_value.tv_usec == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    struct itimerval v, old;
    (void)argv;
    if (argc > 1) {
        getitimer(ITIMER_REAL, &v);
        say_bool("a program keeps it", v.it_value.tv_sec > 900 && v.it_interval.tv_sec == 5);
        return 0;
    }
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGVTALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);
    static const struct {
        int which, signal;
        const char *name;
    } timers[] = {{ITIMER_REAL, SIGALRM, "ITIMER_REAL"},
                  {ITIMER_VIRTUAL, SIGVTALRM, "ITIMER_VIRTUAL"},
                  {ITIMER_PROF, SIGPROF, "ITIMER_PROF"}};
    for (size_t i = 0; i < COUNT(timers); i++) {
        int which = timers[i].which;
        char name[64];
        snprintf(name, sizeof(name), "%s, set", timers[i].name);
        say_call(name, set(which, 20000, 0, NULL));
        snprintf(name, sizeof(name), "%s, comes", timers[i].name);
        say_bool(name, comes(timers[i].signal));
        getitimer(which, &v);
        snprintf(name, sizeof(name), "%s, then", timers[i].name);
        say(name, "%ld %ld", (long)v.it_value.tv_sec, (long)v.it_value.tv_usec);
        set(which, 30000, 30000, NULL);
        snprintf(name, sizeof(name), "%s, periodic", timers[i].name);
        bool first = comes(timers[i].signal);
        say(name, "%d %d", first, comes(timers[i].signal));
        set(which, 0, 0, &old);
        snprintf(name, sizeof(name), "%s, its interval was", timers[i].name);
        say(name, "%ld", (long)old.it_interval.tv_usec);
        got[timers[i].signal] = 0;
        set(which, 1000000000, 7000000, NULL);
        set(which, 5000000, 0, &old);
        snprintf(name, sizeof(name), "%s, what was left", timers[i].name);
        say(name, "%s, interval %ld", old.it_value.tv_sec > 990 ? "nearly all" : "less", (long)old.it_interval.tv_sec);
        set(which, 0, 7000000, NULL);
        getitimer(which, &v);
        snprintf(name, sizeof(name), "%s, an interval without a value", timers[i].name);
        say(name, "%ld", (long)v.it_interval.tv_sec);
        if (which != ITIMER_REAL) {
            set(which, 50000, 0, NULL);
            sleep_ms(120);
            snprintf(name, sizeof(name), "%s, sleeping costs nothing", timers[i].name);
            say_bool(name, got[timers[i].signal] == 0);
            getitimer(which, &v);
            snprintf(name, sizeof(name), "%s, something is left", timers[i].name);
            say_bool(name, v.it_value.tv_usec > 0);
            set(which, 0, 0, NULL);
        }
    }
    v = (struct itimerval){{0, 0}, {0, 1000000}};
    say_call("microseconds too many", setitimer(ITIMER_REAL, &v, NULL));
    v = (struct itimerval){{0, -1}, {0, 0}};
    say_call("microseconds negative", setitimer(ITIMER_REAL, &v, NULL));
    v = (struct itimerval){{0, 0}, {-1, 0}};
    say_call("seconds negative", setitimer(ITIMER_REAL, &v, NULL));
    v = (struct itimerval){{0, 0}, {0, 0}};
    say_call("no such timer", syscall(SYS_setitimer, 3, &v, NULL));
    say_call("no such timer to get", syscall(SYS_getitimer, 3, &v));
    say_call("timer -1", syscall(SYS_setitimer, -1, &v, NULL));
    say_call("from nowhere", syscall(SYS_setitimer, ITIMER_REAL, 8, NULL));
    say_call("old value to nowhere", syscall(SYS_setitimer, ITIMER_REAL, &v, 8));
    say_call("get to nowhere", syscall(SYS_getitimer, ITIMER_REAL, 8));
    set(ITIMER_REAL, 500000000, 3000000, NULL);
    say_call("setting of nothing", syscall(SYS_setitimer, ITIMER_REAL, NULL, &old));
    say("is off; what was left", "%s", old.it_value.tv_sec > 490 ? "nearly all" : "less");
    say_call("alarm", alarm(100));
    say_call("alarm, what was left", alarm(0));
    set(ITIMER_REAL, 10300000, 0, NULL);
    say_call("alarm rounds", alarm(0));
    set(ITIMER_REAL, 10900000, 0, NULL);
    say_call("alarm rounds up", alarm(0));
    set(ITIMER_REAL, 300000, 0, NULL);
    say_call("alarm never says 0", alarm(0));
    set(ITIMER_REAL, 1000000000, 5000000, NULL);
    say("a child has none", "%s", status_text(reap(spawn(child_has_none))));
    execl("/proc/self/exe", "itimer", "again", NULL);
    return 1;
}
