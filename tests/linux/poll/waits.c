// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Waits in poll and select: what ends them and what does not, what is written back, and what a signal does to each of the calls.
#include "testing.h"

#include <sys/select.h>

static void on_signal(int signal) {
    (void)signal;
}

static void timer_in(int milliseconds) {
    struct itimerval t = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000}};
    setitimer(ITIMER_REAL, &t, NULL);
}

static void handler(int flags) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
}

// Events that are always reported by poll belong to some of select's sets only: a wait for another set goes on.
static void select_waits_on(void) {
    int p[2], q[2];
    fd_set set;
    struct timeval time = {0, 30000};
    MUST(pipe(p));
    MUST(pipe(q));
    close(p[1]);
    close(q[0]);
    int64_t start = now_ms();
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    say_call("select: hung up, waiting to write", select(p[0] + 1, NULL, &set, NULL, &time));
    say_bool("  until the end", now_ms() - start >= 29);
    say_bool("  the bit is gone", !FD_ISSET(p[0], &set));
    start = now_ms();
    time = (struct timeval){0, 30000};
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    say_call("select: hung up, waiting for the exception", select(p[0] + 1, NULL, NULL, &set, &time));
    say_bool("  until the end", now_ms() - start >= 29);
    start = now_ms();
    time = (struct timeval){0, 30000};
    FD_ZERO(&set);
    FD_SET(q[1], &set);
    say_call("select: an error, waiting for the exception", select(q[1] + 1, NULL, NULL, &set, &time));
    say_bool("  until the end", now_ms() - start >= 29);
    time = (struct timeval){0, 30000};
    FD_ZERO(&set);
    FD_SET(q[1], &set);
    say_call("select: an error, waiting to read", select(q[1] + 1, &set, NULL, NULL, &time));
    say_bool("  the bit is there", FD_ISSET(q[1], &set));
    close(p[0]);
    close(q[1]);
}

// The other end goes away while select waits for what that does not bring.
static void woken_for_nothing(void) {
    int p[2];
    fd_set set;
    struct timeval time = {0, 80000};
    MUST(pipe(p));
    pid_t child = MUST(fork());
    if (child == 0) {
        close(p[0]);
        sleep_ms(20);
        _exit(0);
    }
    close(p[1]);
    int64_t start = now_ms();
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    say_call("select: hung up meanwhile, waiting to write", select(p[0] + 1, NULL, &set, NULL, &time));
    say_bool("  until the end", now_ms() - start >= 79);
    reap(child);
    close(p[0]);
}

static long raw_select(struct timeval *t) {
    return syscall(SYS_select, 0, NULL, NULL, NULL, t);
}

static long raw_pselect(struct timespec *t) {
    return syscall(SYS_pselect6, 0, NULL, NULL, NULL, t, NULL);
}

static void signals(int flags, const char *kind) {
    struct timeval tv = {5, 0};
    struct timespec ts = {5, 0};
    char name[80];
#define NAME(text) (snprintf(name, sizeof(name), "%s: %s", kind, text), name)
    handler(flags);
    timer_in(20);
    say_call(NAME("select"), raw_select(&tv));
    say_bool(NAME("select has told what is left"), tv.tv_sec == 4 && tv.tv_usec > 0);
    timer_in(20);
    say_call(NAME("pselect6"), raw_pselect(&ts));
    say_bool(NAME("pselect6 has told what is left"), ts.tv_sec == 4 && ts.tv_nsec > 0);
    ts = (struct timespec){5, 0};
    timer_in(20);
    say_call(NAME("ppoll"), syscall(SYS_ppoll, NULL, 0, &ts, NULL, 8));
    say_bool(NAME("ppoll has told what is left"), ts.tv_sec == 4 && ts.tv_nsec > 0);
    timer_in(20);
    say_call(NAME("poll"), syscall(SYS_poll, NULL, 0, 5000));
}

// A stop and a continuation end none of them.
static int stopped_poll(void) {
    int64_t start = now_ms();
    long n = syscall(SYS_poll, NULL, 0, 150);
    say("stopped and continued: poll", "%ld, %s", n, now_ms() - start >= 149 ? "in time" : "early");
    return 0;
}

static int stopped_select(void) {
    struct timeval tv = {0, 150000};
    int64_t start = now_ms();
    long n = raw_select(&tv);
    say("stopped and continued: select", "%ld, %s", n, now_ms() - start >= 149 ? "in time" : "early");
    return 0;
}

static void stop_and_go(int (*function)(void)) {
    pid_t child = spawn(function);
    await_blocked(child);
    kill(child, SIGSTOP);
    int status;
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGCONT);
    say("its end", "%s", status_text(reap(child)));
}

static void arguments(void) {
    struct pollfd p[3] = {{.fd = -1, .events = POLLIN, .revents = 7},
                          {.fd = -900, .events = POLLIN, .revents = 7},
                          {.fd = INT32_MIN, .events = POLLIN, .revents = 7}};
    say_call("negative descriptors", poll(p, 3, 0));
    say("  tell", "%d %d %d", p[0].revents, p[1].revents, p[2].revents);
    struct rlimit limit = {3, 1024};
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    say_call("as many as RLIMIT_NOFILE", poll(p, 3, 0));
    limit.rlim_cur = 2;
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    say_call("one more than RLIMIT_NOFILE", poll(p, 3, 0));
    say_call("4294967295", syscall(SYS_poll, p, -1, 0));
    say_call("2^32 more", syscall(SYS_poll, p, (1ul << 32) + 1, 0));
    limit.rlim_cur = 1024;
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    char *area = MUST(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    MUST(munmap(area + PAGE, PAGE));
    struct pollfd *last = (struct pollfd *)(area + PAGE) - 1;
    *last = (struct pollfd){.fd = -1};
    say_call("the last entry of a page", poll(last, 1, 0));
    say_call("one beyond it", poll(last, 2, 0));
    struct pollfd *fixed = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    *fixed = (struct pollfd){.fd = -1};
    MUST(mprotect(fixed, PAGE, PROT_READ));
    say_call("entries that cannot be written", poll(fixed, 1, 0));
    struct timespec odd = {0, 1000000000}, *locked = (struct timespec *)(fixed + 8);
    say_call("ppoll: a thousand million nanoseconds", syscall(SYS_ppoll, NULL, 0, &odd, NULL, 8));
    say_call("ppoll: a time that cannot be written", syscall(SYS_ppoll, NULL, 0, locked, NULL, 8));
    struct timeval micro = {0, 1000000};
    int64_t start = now_ms();
    say_call("select: a million microseconds", raw_select(&micro));
    say_bool("  are a second", now_ms() - start >= 999);
    say("  left", "%ld.%ld", (long)micro.tv_sec, (long)micro.tv_usec);
    fd_set set;
    FD_ZERO(&set);
    struct timeval none = {0, 0};
    say_call("select: 100000 descriptors", syscall(SYS_select, 100000, &set, NULL, NULL, &none));
    say_call("select: INT_MAX, no sets", syscall(SYS_select, INT32_MAX, NULL, NULL, NULL, &none));
    FD_SET(60, &set);
    say_call("select: a closed one within the table", syscall(SYS_select, 61, &set, NULL, NULL, &none));
    memset(&set, 0, sizeof(set));
    FD_SET(1000, &set);
    say_call("select: a closed one beyond the table", syscall(SYS_select, 1001, &set, NULL, NULL, &none));
    int path = MUST(open(".", O_PATH));
    FD_ZERO(&set);
    FD_SET(path, &set);
    say_call("select: O_PATH", select(path + 1, &set, NULL, NULL, &none));
}

int main(void) {
    select_waits_on();
    woken_for_nothing();
    signals(0, "a handler");
    signals(SA_RESTART, "a handler with SA_RESTART");
    stop_and_go(stopped_poll);
    stop_and_go(stopped_select);
    arguments();
    return 0;
}
