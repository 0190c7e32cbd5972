// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What every differential test program includes: printing of results in a form that is the same on every run and
// every kernel, and a few ways of
// running children and of waiting for them. Header only, so that a test is one file and one static binary.
//
// Rules for a test:
//  - a line is `behaviour: result`; no pid, address, time, inode number or descriptor that depends on the run;
//  - a line leaves the program in one write(2) and is not buffered, so that fork never prints it twice;
//  - nothing is judged here: what Linux does is recorded, and Invar is compared with the record;
//  - times are checked against lower bounds; upper bounds are seconds, because the machine is emulated and shared;
//  - order between processes comes from pipes and wait, never from sleeping, except to let a call block;
//  - a test works in its own empty current folder, and leaves no process behind.
#ifndef TESTS_LINUX_TESTING_H
#define TESTS_LINUX_TESTING_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAYBE_UNUSED __attribute__((unused))
#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))
#define PAGE         4096L

// ---- Printing -------------------------------------------------------------------------------------------------------

// Prints "name: text\n" in one write.
static MAYBE_UNUSED __attribute__((format(printf, 2, 3))) void say(const char *name, const char *format, ...) {
    char line[1024];
    int length = snprintf(line, sizeof(line) - 1, "%s: ", name);
    va_list list;
    va_start(list, format);
    length += vsnprintf(line + length, sizeof(line) - 1 - (size_t)length, format, list);
    va_end(list);
    if (length > (int)sizeof(line) - 2) {
        length = (int)sizeof(line) - 2;
    }
    line[length++] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)length) != length) {
        _exit(99);
    }
}

static MAYBE_UNUSED const char *error_name(int error) {
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EPERM, "EPERM"},
        {ENOENT, "ENOENT"},
        {ESRCH, "ESRCH"},
        {EINTR, "EINTR"},
        {EIO, "EIO"},
        {ENXIO, "ENXIO"},
        {E2BIG, "E2BIG"},
        {ENOEXEC, "ENOEXEC"},
        {EBADF, "EBADF"},
        {ECHILD, "ECHILD"},
        {EAGAIN, "EAGAIN"},
        {ENOMEM, "ENOMEM"},
        {EACCES, "EACCES"},
        {EFAULT, "EFAULT"},
        {EBUSY, "EBUSY"},
        {EEXIST, "EEXIST"},
        {EXDEV, "EXDEV"},
        {ENODEV, "ENODEV"},
        {ENOTDIR, "ENOTDIR"},
        {EISDIR, "EISDIR"},
        {EINVAL, "EINVAL"},
        {ENFILE, "ENFILE"},
        {EMFILE, "EMFILE"},
        {ENOTTY, "ENOTTY"},
        {ETXTBSY, "ETXTBSY"},
        {EFBIG, "EFBIG"},
        {ENOSPC, "ENOSPC"},
        {ESPIPE, "ESPIPE"},
        {EROFS, "EROFS"},
        {EMLINK, "EMLINK"},
        {EPIPE, "EPIPE"},
        {EDOM, "EDOM"},
        {ERANGE, "ERANGE"},
        {EDEADLK, "EDEADLK"},
        {ENAMETOOLONG, "ENAMETOOLONG"},
        {ENOSYS, "ENOSYS"},
        {ENOTEMPTY, "ENOTEMPTY"},
        {ELOOP, "ELOOP"},
        {EOVERFLOW, "EOVERFLOW"},
        {EOPNOTSUPP, "EOPNOTSUPP"},
        {ETIMEDOUT, "ETIMEDOUT"},
        {ENODATA, "ENODATA"},
        {ENOTSOCK, "ENOTSOCK"},
        {EOWNERDEAD, "EOWNERDEAD"},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        if (names[i].number == error) {
            return names[i].name;
        }
    }
    static char text[32];
    snprintf(text, sizeof(text), "errno %d", error);
    return text;
}

// Prints the value that a call returned, or the name of the error. The call is made as an argument of this, so errno
// is fresh.
static MAYBE_UNUSED void say_call(const char *name, long result) {
    if (result == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%ld", result);
    }
}

// The same where the value itself depends on the run (a descriptor, a pid, an address): prints "ok" or the error.
static MAYBE_UNUSED void say_ok(const char *name, long result) {
    say(name, "%s", result == -1 ? error_name(errno) : "ok");
}

static MAYBE_UNUSED void say_bool(const char *name, bool condition) {
    say(name, "%s", condition ? "yes" : "no");
}

static MAYBE_UNUSED const char *signal_name(int signal) {
    static const char *const names[] = {
        "0",         "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
        "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
        "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
        "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS"};
    static char text[32];
    if (signal >= 0 && signal < (int)COUNT(names)) {
        return names[signal];
    }
    snprintf(text, sizeof(text), "signal %d", signal);
    return text;
}

// A wait status in words. The text lives until the next call.
static MAYBE_UNUSED const char *status_text(int status) {
    static char text[64];
    if (WIFEXITED(status)) {
        snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        snprintf(text, sizeof(text), "killed by %s%s", signal_name(WTERMSIG(status)),
                 WCOREDUMP(status) ? " (core)" : "");
    } else if (WIFSTOPPED(status)) {
        snprintf(text, sizeof(text), "stopped by %s", signal_name(WSTOPSIG(status)));
    } else if (WIFCONTINUED(status)) {
        snprintf(text, sizeof(text), "continued");
    } else {
        snprintf(text, sizeof(text), "status %#x", (unsigned)status);
    }
    return text;
}

// The test itself could not be set up: says where, and ends.
#define MUST(expression)                                                    \
    ({                                                                      \
        __auto_type must_result = (expression);                             \
        if ((long)must_result == -1) {                                      \
            say("set-up failed", "%s: %s", #expression, error_name(errno)); \
            _exit(98);                                                      \
        }                                                                   \
        must_result;                                                        \
    })

// ---- Time -----------------------------------------------------------------------------------------------------------

static MAYBE_UNUSED int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Sleeps for the whole time, whatever signals arrive.
static MAYBE_UNUSED void sleep_ms(int milliseconds) {
    struct timespec rest = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
    while (nanosleep(&rest, &rest) == -1 && errno == EINTR) {}
}

// ---- Children -------------------------------------------------------------------------------------------------------

// Waits for one child for good and returns its status.
static MAYBE_UNUSED int reap(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) == -1) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

// Runs the function in a child (its return value is the exit status), and returns the child's pid at once.
static MAYBE_UNUSED pid_t spawn(int (*function)(void)) {
    pid_t pid = MUST(fork());
    if (pid == 0) {
        _exit(function());
    }
    return pid;
}

// Runs the function in a child and prints how the child ended.
static MAYBE_UNUSED void say_child(const char *name, int (*function)(void)) {
    say(name, "%s", status_text(reap(spawn(function))));
}

// A one-way signal between processes that share it over fork: one side raises, the other waits.
struct gate {
    int pipe[2];
};

static MAYBE_UNUSED struct gate gate_create(void) {
    struct gate gate;
    MUST(pipe2(gate.pipe, O_CLOEXEC));
    return gate;
}

static MAYBE_UNUSED void gate_raise(const struct gate *gate) {
    char byte = 'x';
    while (write(gate->pipe[1], &byte, 1) == -1 && errno == EINTR) {}
}

static MAYBE_UNUSED void gate_wait(const struct gate *gate) {
    char byte;
    while (read(gate->pipe[0], &byte, 1) == -1 && errno == EINTR) {}
}

// The state letter of a process in /proc/PID/stat, or '-' where it is gone.
static MAYBE_UNUSED char process_state(pid_t pid) {
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return '-';
    }
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length <= 0) {
        return '-';
    }
    text[length] = 0;
    const char *after = strrchr(text, ')');
    return after && after[1] == ' ' ? after[2] : '-';
}

// A wait that ends by its limit would only make the test slow, and flaky under load: it is told, and the record differs.
static MAYBE_UNUSED bool await_failed(pid_t pid, const char *wanted) {
    say("set-up failed", "a process should have come to be %s, and is %c", wanted, process_state(pid));
    return false;
}

// Waits until a process is in the state, at most ten seconds.
static MAYBE_UNUSED bool await_state(pid_t pid, char state) {
    for (int i = 0; i < 1000; i++) {
        if (process_state(pid) == state) {
            return true;
        }
        sleep_ms(10);
    }
    return await_failed(pid, (char[2]){state, 0});
}

// Waits until a process has blocked in a call: it sleeps in several looks one after another, so that a short wait on
// the way there does not count.
static MAYBE_UNUSED bool await_blocked(pid_t pid) {
    int looks = 0;
    for (int i = 0; i < 2000 && looks < 3; i++) {
        looks = process_state(pid) == 'S' ? looks + 1 : 0;
        sleep_ms(4);
    }
    return looks == 3 || await_failed(pid, "blocked");
}

// ---- Files ----------------------------------------------------------------------------------------------------------

// Makes a file with the text in it, replacing one that is there.
static MAYBE_UNUSED void file_make(const char *path, const char *text, mode_t mode) {
    int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    MUST(write(fd, text, strlen(text)));
    MUST(fchmod(fd, mode));
    MUST(close(fd));
}

// Prints what a file holds (up to 200 bytes), unprintable bytes as dots.
static MAYBE_UNUSED void say_file(const char *name, const char *path) {
    char text[201];
    int fd = open(path, O_RDONLY);
    ssize_t length = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
    if (length == -1) {
        say(name, "%s", error_name(errno));
    } else {
        for (ssize_t i = 0; i < length; i++) {
            text[i] = text[i] < ' ' || text[i] > '~' ? '.' : text[i];
        }
        text[length] = 0;
        say(name, "\"%s\"", text);
    }
    if (fd != -1) {
        close(fd);
    }
}

#endif
