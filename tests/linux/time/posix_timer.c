// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// timer_create and its kin: clocks, ways of telling, periods and overruns, what a deletion leaves, limits, what a child and a program get.
#include "testing.h"
#include <pthread.h>

// musl's wrappers hide numbers and SIGEV_THREAD: these are the calls.
typedef int timer_number;

static int create(int clock, struct sigevent *event, timer_number *out) {
    return (int)syscall(SYS_timer_create, clock, event, out);
}

static int set(timer_number t, int flags, int64_t value_ns, int64_t interval_ns, struct itimerspec *old) {
    struct itimerspec spec = {{interval_ns / 1000000000, interval_ns % 1000000000},
                              {value_ns / 1000000000, value_ns % 1000000000}};
    return (int)syscall(SYS_timer_settime, t, flags, &spec, old);
}

static struct sigevent event_of(int notify, int signal) {
    struct sigevent e;
    memset(&e, 0, sizeof(e));
    e.sigev_notify = notify;
    e.sigev_signo = signal;
    e.sigev_value.sival_int = 1234;
    return e;
}

static siginfo_t info;

static int take(int signal, int milliseconds) {
    sigset_t waited;
    struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    sigemptyset(&waited);
    sigaddset(&waited, signal);
    memset(&info, 0, sizeof(info));
    return (int)syscall(SYS_rt_sigtimedwait, &waited, &info, &t, 8);
}

static void say_take(const char *name, int signal, int milliseconds) {
    int got = take(signal, milliseconds);
    if (got == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "signal %d code %d timer %d value %d overrun %s", got, info.si_code, info.si_timerid,
            info.si_value.sival_int,
            info.si_overrun == 0  ? "0"
            : info.si_overrun > 0 ? "some"
                                  : "negative");
    }
}

static void clocks(void) {
    static const int ids[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, -1, -2, -6};
    for (size_t i = 0; i < COUNT(ids); i++) {
        timer_number t = -1;
        char name[64];
        snprintf(name, sizeof(name), "create on clock %d", ids[i]);
        say_ok(name, create(ids[i], NULL, &t));
        syscall(SYS_timer_delete, t);
    }
    timer_number t;
    say_ok("on the clock of a process that is not", create((int)(~32767u << 3 | 2), NULL, &t));
    say_ok("on init's clock", create((int)(~1u << 3 | 2), NULL, &t));
}

static void events(void) {
    struct sigevent e;
    timer_number t;
    static const int notifies[] = {SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, 3, 5, -1};
    for (size_t i = 0; i < COUNT(notifies); i++) {
        char name[64];
        e = event_of(notifies[i], SIGUSR1);
        snprintf(name, sizeof(name), "create, notify %d", notifies[i]);
        say_ok(name, create(CLOCK_MONOTONIC, &e, &t));
    }
    e = event_of(SIGEV_SIGNAL, 0);
    say_ok("signal 0", create(CLOCK_MONOTONIC, &e, &t));
    e = event_of(SIGEV_SIGNAL, 65);
    say_ok("signal 65", create(CLOCK_MONOTONIC, &e, &t));
    e = event_of(SIGEV_NONE, 65);
    say_ok("no signal: 65 does not matter", create(CLOCK_MONOTONIC, &e, &t));
    e = event_of(SIGEV_THREAD_ID, SIGUSR1);
    say_ok("thread 0", create(CLOCK_MONOTONIC, &e, &t));
    ((int *)&e)[4] = 1;
    say_ok("a thread of another process", create(CLOCK_MONOTONIC, &e, &t));
    ((int *)&e)[4] = gettid();
    say_ok("this thread", create(CLOCK_MONOTONIC, &e, &t));
    set(t, 0, 1, 0, NULL);
    sleep_ms(10);
    say_take("told to this thread", SIGUSR1, 5000);
    say_ok("event from nowhere", create(CLOCK_MONOTONIC, (void *)8, &t));
    say_ok("number to nowhere", create(CLOCK_MONOTONIC, NULL, (void *)8));
    struct itimerspec spec = {{0, 0}, {0, 0}};
    say_call("settime of no timer", syscall(SYS_timer_settime, 9999, 0, &spec, NULL));
    say_call("settime, no setting", syscall(SYS_timer_settime, t, 0, NULL, NULL));
    say_call("settime from nowhere", syscall(SYS_timer_settime, t, 0, (void *)8, NULL));
    spec.it_value.tv_nsec = 1000000000;
    say_call("settime, nanoseconds too many", syscall(SYS_timer_settime, t, 0, &spec, NULL));
    spec = (struct itimerspec){{0, -1}, {0, 0}};
    say_call("settime, negative interval", syscall(SYS_timer_settime, 9999, 0, &spec, NULL));
    spec.it_interval.tv_nsec = 0;
    say_call("settime, old value to nowhere", syscall(SYS_timer_settime, t, 0, &spec, (void *)8));
    say_call("settime, unknown flag", syscall(SYS_timer_settime, t, 0x7e, &spec, NULL));
    say_call("gettime of no timer", syscall(SYS_timer_gettime, 9999, &spec));
    say_call("gettime to nowhere", syscall(SYS_timer_gettime, t, (void *)8));
    say_call("getoverrun of no timer", syscall(SYS_timer_getoverrun, 9999));
    say_call("delete of no timer", syscall(SYS_timer_delete, 9999));
    say_call("delete", syscall(SYS_timer_delete, t));
    say_call("delete again", syscall(SYS_timer_delete, t));
    timer_number u;
    create(CLOCK_MONOTONIC, NULL, &u);
    say_bool("a number is not used again at once", u > t);
}

static void expiries(void) {
    struct sigevent e = event_of(SIGEV_SIGNAL, SIGUSR2);
    struct itimerspec now, old;
    timer_number t, plain;
    MUST(create(CLOCK_MONOTONIC, &e, &t));
    MUST(create(CLOCK_REALTIME, NULL, &plain));
    int64_t start = now_ms();
    set(t, 0, 30000000, 0, NULL);
    say_bool("taken in time", take(SIGUSR2, 5000) == SIGUSR2);
    say_bool("not early", now_ms() - start >= 29);
    say("its code, value and overrun", "%d %d %d", info.si_code, info.si_value.sival_int, info.si_overrun);
    say_bool("its number", info.si_timerid == t);
    syscall(SYS_timer_gettime, t, &now);
    say("expired", "%ld %ld", (long)now.it_value.tv_sec, now.it_value.tv_nsec);
    say_call("overrun of a single one", syscall(SYS_timer_getoverrun, t));
    set(plain, 0, 1000, 0, NULL);
    say_bool("without an event: SIGALRM", take(SIGALRM, 5000) == SIGALRM);
    say_bool("whose value is the number", info.si_value.sival_int == plain && info.si_timerid == plain);
    // Periodic: one signal, however many periods nobody took.
    set(t, 0, 20000000, 20000000, NULL);
    sleep_ms(130);
    say_take("periodic, after a while", SIGUSR2, 5000);
    MUST(set(t, 0, 0, 0, &old));
    say_bool("its interval was", old.it_interval.tv_nsec == 20000000 && old.it_value.tv_nsec > 0);
    syscall(SYS_timer_gettime, t, &now);
    say("off", "%ld %ld %ld", (long)now.it_value.tv_sec, now.it_value.tv_nsec, now.it_interval.tv_nsec);
    say_take("nothing comes", SIGUSR2, 50);
    set(t, 0, 10000000, 10000000, NULL);
    sleep_ms(65);
    take(SIGUSR2, 5000);
    int in_info = info.si_overrun;
    set(t, 0, 1000000000000, 0, &old);
    say_bool("overruns: at least four", in_info >= 4);
    say_call("set anew: forgotten", syscall(SYS_timer_getoverrun, t));
    set(t, 0, 10000000, 500000000, NULL);
    take(SIGUSR2, 5000);
    say_call("no overrun", syscall(SYS_timer_getoverrun, t));
    syscall(SYS_timer_gettime, t, &now);
    say_bool("half a second to go", now.it_value.tv_sec == 0 && now.it_value.tv_nsec <= 500000000);
    set(t, 0, 0, 7000000000, NULL);
    syscall(SYS_timer_gettime, t, &now);
    say("an interval without a value", "%ld", (long)now.it_interval.tv_sec);
    // Ignored: it goes on by itself.
    signal(SIGUSR2, SIG_IGN);
    sigset_t set_usr;
    sigemptyset(&set_usr);
    sigaddset(&set_usr, SIGUSR2);
    sigprocmask(SIG_UNBLOCK, &set_usr, NULL);
    set(t, 0, 5000000, 20000000, NULL);
    sleep_ms(70);
    syscall(SYS_timer_gettime, t, &now);
    say_bool("ignored: still running", now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20000000);
    sigprocmask(SIG_BLOCK, &set_usr, NULL);
    signal(SIGUSR2, SIG_DFL);
    say_bool("no longer ignored", take(SIGUSR2, 5000) == SIGUSR2);
    set(t, 0, 0, 0, NULL);
    while (take(SIGUSR2, 0) == SIGUSR2) {}
    // The signal outlives the timer.
    set(t, 0, 1, 0, NULL);
    sleep_ms(20);
    say_call("deleted with its signal on the way", syscall(SYS_timer_delete, t));
    say_bool("it still comes", take(SIGUSR2, 1000) == SIGUSR2);
    // Nobody is told.
    e = event_of(SIGEV_NONE, 0);
    MUST(create(CLOCK_MONOTONIC, &e, &t));
    set(t, 0, 10000000, 0, NULL);
    sleep_ms(30);
    syscall(SYS_timer_gettime, t, &now);
    say("silent, expired", "%ld %ld", (long)now.it_value.tv_sec, now.it_value.tv_nsec);
    set(t, 0, 10000000, 1000000000, NULL);
    sleep_ms(30);
    syscall(SYS_timer_gettime, t, &now);
    say_bool("silent, periodic", now.it_value.tv_nsec > 0 && now.it_value.tv_sec == 0);
    syscall(SYS_timer_delete, t);
    // A moment, and one that has passed.
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    set(plain, TIMER_ABSTIME, (int64_t)at.tv_sec * 1000000000 + at.tv_nsec + 20000000, 0, NULL);
    say_bool("at a wall time", take(SIGALRM, 5000) == SIGALRM);
    set(plain, TIMER_ABSTIME, 1, 0, NULL);
    say_bool("at a time long past", take(SIGALRM, 5000) == SIGALRM);
    clock_gettime(CLOCK_REALTIME, &at);
    int64_t far = ((int64_t)at.tv_sec + 1000) * 1000000000;
    set(plain, TIMER_ABSTIME, far, 0, NULL);
    at.tv_sec += 2000;
    MUST(clock_settime(CLOCK_REALTIME, &at));
    say_bool("the clock is set beyond it", take(SIGALRM, 5000) == SIGALRM);
    at.tv_sec -= 2000;
    MUST(clock_settime(CLOCK_REALTIME, &at));
    set(plain, 0, 100000000000, 0, NULL);
    at.tv_sec += 2000;
    clock_settime(CLOCK_REALTIME, &at);
    say_take("a relative one does not care", SIGALRM, 30);
    at.tv_sec -= 2000;
    clock_settime(CLOCK_REALTIME, &at);
    syscall(SYS_timer_delete, plain);
}

// Until the process has worked so much longer.
static void burn(int milliseconds) {
    struct timespec t, start;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    } while ((t.tv_sec - start.tv_sec) * 1000 + (t.tv_nsec - start.tv_nsec) / 1000000 < milliseconds);
}

static int processor_time(void) {
    struct sigevent e = event_of(SIGEV_SIGNAL, SIGUSR2);
    timer_number t, thread;
    struct itimerspec now;
    MUST(create(CLOCK_PROCESS_CPUTIME_ID, &e, &t));
    e.sigev_signo = SIGUSR1;
    MUST(create(CLOCK_THREAD_CPUTIME_ID, &e, &thread));
    set(t, 0, 800000000, 0, NULL);
    sleep_ms(900);
    say_take("sleeping costs nothing", SIGUSR2, 0);
    syscall(SYS_timer_gettime, t, &now);
    say_bool("something is left", now.it_value.tv_nsec > 0);
    set(t, 0, 30000000, 0, NULL);
    set(thread, 0, 20000000, 0, NULL);
    burn(60);
    say_bool("the process has worked", take(SIGUSR2, 1000) == SIGUSR2);
    say_bool("and its thread", take(SIGUSR1, 1000) == SIGUSR1);
    set(t, TIMER_ABSTIME, 10000000, 0, NULL);
    say_bool("an amount that has passed", take(SIGUSR2, 1000) == SIGUSR2);
    return 0;
}

static int limited(void) {
    struct rlimit limit = {5, 5};
    timer_number t;
    setrlimit(RLIMIT_SIGPENDING, &limit);
    setuid(4242);
    int n = 0;
    while (n < 100 && create(CLOCK_MONOTONIC, NULL, &t) == 0) {
        n++;
    }
    say("timers under RLIMIT_SIGPENDING of 5", "%d, then %s", n, error_name(errno));
    return 0;
}

static timer_number inherited;

static int child_has_none(void) {
    struct itimerspec now;
    return syscall(SYS_timer_gettime, inherited, &now) == -1 ? errno : 0;
}

static timer_number told;

static void *other_thread(void *argument) {
    sigset_t usr;
    (void)argument;
    struct sigevent e = event_of(SIGEV_THREAD_ID, SIGUSR1);
    ((int *)&e)[4] = gettid();
    MUST(create(CLOCK_MONOTONIC, &e, &told));
    set(told, 0, 10000000, 0, NULL);
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    struct timespec t = {5, 0};
    return (void *)(intptr_t)(syscall(SYS_rt_sigtimedwait, &usr, &info, &t, 8) == SIGUSR1);
}

int main(int argc, char **argv) {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGTERM);
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (argc > 1) {
        inherited = atoi(argv[1]);
        say("after execve", "%s", error_name(child_has_none()));
        return 0;
    }
    clocks();
    events();
    expiries();
    say_child("on processor time", processor_time);
    say_child("limits", limited);
    MUST(create(CLOCK_MONOTONIC, NULL, &inherited));
    say("a child has no timers", "%s", error_name(WEXITSTATUS(reap(spawn(child_has_none)))));
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, &result);
    say_bool("told to another thread", result != NULL);
    say_call("its timer stays", set(told, 0, 1, 0, NULL));
    say_take("but nobody is told any more", SIGUSR1, 30);
    char number[16];
    snprintf(number, sizeof(number), "%d", inherited);
    execl("/proc/self/exe", "posix_timer", number, NULL);
    return 1;
}
