// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// timerfd: arming, reading, periods, absolute times, the clock being set, what is refused.
#include "testing.h"
#include <sys/ioctl.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <stdio.h>
#include <fcntl.h>
#include <sys/timerfd.h>

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW(0x54, 0, uint64_t)
#endif

static uint64_t got;

static void say_read(const char *name, int fd) {
    got = 0;
    ssize_t n = read(fd, &got, sizeof(got));
    if (n == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%zd bytes, %llu", n, (unsigned long long)got);
    }
}

static int set(int fd, int flags, long value_ns, long interval_ns) {
    struct itimerspec spec = {{interval_ns / 1000000000, interval_ns % 1000000000},
                              {value_ns / 1000000000, value_ns % 1000000000}};
    return timerfd_settime(fd, flags, &spec, NULL);
}

static bool readable(int fd, int timeout) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout) == 1 && p.revents == POLLIN;
}

static void say_info(const char *name, int fd) {
    char path[64], line[128];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    FILE *f = fopen(path, "r");
    for (int i = 0; f && fgets(line, sizeof(line), f); i++) {
        line[strcspn(line, "\n")] = 0;
        if (i >= 4 && (i != 7 || strstr(line, "(0, 0)"))) {
            say(name, "%s", line);
        }
    }
    if (f) {
        fclose(f);
    }
}

static void arguments(void) {
    static const int clocks[] = {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, -1};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        char name[64];
        snprintf(name, sizeof(name), "create with clock %d", clocks[i]);
        int fd = timerfd_create(clocks[i], 0);
        say_ok(name, fd);
        close(fd);
    }
    say_ok("create with an unknown flag", timerfd_create(1, 1));
    int fd = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    say("TFD_NONBLOCK and TFD_CLOEXEC", "%#x %d", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    struct itimerspec bad = {{0, 0}, {0, 1000000000}}, good = {{0, 0}, {100, 5}}, old;
    say_call("settime, nanoseconds too many", timerfd_settime(fd, 0, &bad, NULL));
    bad = (struct itimerspec){{0, -1}, {1, 0}};
    say_call("settime, negative interval", timerfd_settime(fd, 0, &bad, NULL));
    bad = (struct itimerspec){{0, 0}, {-1, 0}};
    say_call("settime, negative seconds", timerfd_settime(fd, 0, &bad, NULL));
    say_call("settime, unknown flag", timerfd_settime(fd, 4, &good, NULL));
    say_call("settime, no setting", timerfd_settime(fd, 0, NULL, NULL));
    say_call("settime of nothing open", timerfd_settime(999, 0, &good, NULL));
    say_call("settime of another file", timerfd_settime(1, 0, &good, NULL));
    say_call("gettime of another file", timerfd_gettime(1, &old));
    say_call("gettime of nothing open", timerfd_gettime(999, &old));
    say_call("settime", timerfd_settime(fd, 0, &good, NULL));
    say_call("settime, old value to nowhere", timerfd_settime(fd, 0, &good, (void *)8));
    say_call("gettime to nowhere", timerfd_gettime(fd, (void *)8));
    say_call("read of 7 bytes", read(fd, &got, 7));
    say_read("read before it expires", fd);
    say_call("write", write(fd, &got, 8));
    say_call("lseek", lseek(fd, 0, SEEK_CUR));
    say_bool("poll before it expires", readable(fd, 0));
    say_call("gettime", timerfd_gettime(fd, &old));
    say("what is left", "%s, interval %ld", old.it_value.tv_sec == 99 ? "some 99 s" : "other", old.it_interval.tv_nsec);
    good.it_value.tv_sec = 0;
    good.it_value.tv_nsec = 0;
    good.it_interval.tv_sec = 7;
    say_call("settime to 0", timerfd_settime(fd, 0, &good, &old));
    say("what was left", "%s", old.it_value.tv_sec == 99 ? "some 99 s" : "other");
    timerfd_gettime(fd, &old);
    say("off", "%ld %ld, interval %ld", (long)old.it_value.tv_sec, old.it_value.tv_nsec, (long)old.it_interval.tv_sec);
    close(fd);
}

static void expiries(void) {
    int fd = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    int64_t start = now_ms();
    set(fd, 0, 20000000, 0);
    say_bool("readable in time", readable(fd, 5000));
    say_bool("not early", now_ms() - start >= 19);
    struct itimerspec now;
    timerfd_gettime(fd, &now);
    say("expired, once", "%ld %ld", (long)now.it_value.tv_sec, now.it_value.tv_nsec);
    say_info("fdinfo of an expired one", fd);
    say_read("read", fd);
    say_read("read again", fd);
    set(fd, 0, 1, 0);
    readable(fd, 5000);
    set(fd, 0, 1000000000000, 0);
    say_bool("set anew, the old expiry is gone", !readable(fd, 0));
    // Periods that nobody reads are counted.
    set(fd, 0, 100000000, 100000000);
    sleep_ms(250);
    got = 0;
    MUST(read(fd, &got, 8));
    say_bool("two periods or more", got >= 2);
    timerfd_gettime(fd, &now);
    say_bool("goes on", now.it_value.tv_sec == 0 && now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 100000000);
    sleep_ms(150);
    timerfd_gettime(fd, &now);
    say_bool("gettime counts periods", now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 100000000);
    MUST(read(fd, &got, 8));
    say_bool("and read tells them", got >= 1);
    set(fd, 0, 10000000, 1000000000000);
    readable(fd, 5000);
    struct itimerspec off = {{0, 0}, {0, 0}}, old;
    MUST(timerfd_settime(fd, 0, &off, &old));
    say("interval of an expired one, seconds", "%ld", (long)old.it_interval.tv_sec);
    say_bool("its next expiry", old.it_value.tv_sec > 900);
    say_bool("off now", !readable(fd, 30));
    // Absolute times.
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    set(fd, TFD_TIMER_ABSTIME, t.tv_sec * 1000000000 + t.tv_nsec + 20000000, 0);
    say_bool("absolute, not yet", !readable(fd, 0));
    say_bool("absolute, then", readable(fd, 5000));
    set(fd, TFD_TIMER_ABSTIME, 1, 0);
    say_bool("a moment long past", readable(fd, 5000));
    say_read("read", fd);
    set(fd, TFD_TIMER_ABSTIME, 1, 1000000000);
    readable(fd, 5000);
    got = 0;
    MUST(read(fd, &got, 8));
    say_bool("periods since a moment long past", got >= 1);
    close(fd);
    fd = MUST(timerfd_create(CLOCK_REALTIME, 0));
    start = now_ms();
    set(fd, 0, 30000000, 0);
    say_read("a read that waits", fd);
    say_bool("it waited", now_ms() - start >= 29);
    clock_gettime(CLOCK_REALTIME, &t);
    set(fd, TFD_TIMER_ABSTIME, t.tv_sec * 1000000000 + t.tv_nsec + 30000000, 0);
    say_read("a read until a wall time", fd);
    clock_gettime(CLOCK_REALTIME, &old.it_value);
    say_bool("it is past", old.it_value.tv_sec > t.tv_sec || old.it_value.tv_nsec - t.tv_nsec >= 30000000);
    uint64_t ticks = 12;
    say_call("TFD_IOC_SET_TICKS", ioctl(fd, TFD_IOC_SET_TICKS, &ticks));
    say_read("ticks that were set", fd);
    ticks = 0;
    say_call("no ticks", ioctl(fd, TFD_IOC_SET_TICKS, &ticks));
    say_call("ticks from nowhere", ioctl(fd, TFD_IOC_SET_TICKS, (void *)8));
    say_call("another ioctl", ioctl(fd, FIONREAD, &ticks));
    close(fd);
    fd = MUST(timerfd_create(CLOCK_BOOTTIME, 0));
    set(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, 5, 3000000000);
    say_bool("boot time has come so far", readable(fd, 10000));
    close(fd);
}

// Moves the wall clock and back again.
static void move_clock(long seconds) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += seconds;
    MUST(clock_settime(CLOCK_REALTIME, &t));
}

static int shared;

static int waits(void) {
    return read(shared, &got, 8) == -1 ? errno : (int)got;
}

static void clock_set(void) {
    struct timespec t;
    int fd = MUST(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK)),
        mono = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    clock_gettime(CLOCK_REALTIME, &t);
    long far = (t.tv_sec + 3600) * 1000000000;
    set(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, far, 0);
    set(mono, TFD_TIMER_CANCEL_ON_SET, 3600 * 1000000000L, 0);
    say_info("fdinfo with both flags", fd);
    move_clock(10);
    say_bool("the clock was set: readable", readable(fd, 1000));
    say_bool("a relative one does not care", !readable(mono, 0));
    say_read("the read says so", fd);
    say_read("once", fd);
    move_clock(-10);
    readable(fd, 1000);
    say_call("set again without reading", set(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, far, 0));
    say_read("the news was told", fd);
    set(fd, TFD_TIMER_ABSTIME, far, 0);
    move_clock(20);
    say_bool("without the flag nobody is told", !readable(fd, 30));
    move_clock(4000);
    say_bool("but a wall time that has come is noticed", readable(fd, 1000));
    say_read("as an expiry", fd);
    move_clock(-4020);
    set(fd, TFD_TIMER_ABSTIME, far, 0);
    shared = MUST(timerfd_create(CLOCK_REALTIME, 0));
    set(shared, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, far, 0);
    pid_t pid = spawn(waits);
    await_blocked(pid);
    move_clock(5);
    say("a read that waited", "%s", error_name(WEXITSTATUS(reap(pid))));
    move_clock(-5);
    close(fd);
    close(mono);
    close(shared);
}

// A file without a place in the tree cannot be opened through its name in /proc.
static void opened_by_name(void) {
    char path[64];
    int fds[] = {timerfd_create(CLOCK_MONOTONIC, 0), eventfd(0, 0), epoll_create1(0)};
    const char *const names[] = {"a timer", "an event", "an epoll"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
        say_call(names[i], open(path, O_RDONLY));
        close(fds[i]);
    }
}

int main(void) {
    opened_by_name();
    arguments();
    expiries();
    clock_set();
    return 0;
}
