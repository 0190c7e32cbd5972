// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// One row in a process of its own: batches, their median, checks, folders, children. Called by main.c in the process that it started for the row, and by
// the rows through bench.h.
//
// A row's process prints exactly one line and ends with an enum row_status. With --parallel (parallel.c) there are several copies of it.
#define _GNU_SOURCE
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCHES_MAX = 101, LINE_MAX_BYTES = 4096, SETTLE_TICKS = 30000000 };

static const struct bench_row *current;
static _Thread_local bool measured; // bench_batches() has been called
static char row_line[LINE_MAX_BYTES];
static pid_t row_pid; // the process that ends the row; its children end themselves only

uint64_t bench_now(void) {
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

// --- lines ------------------------------------------------------------------------------------------------------------

void line_write(const char *text) {
    size_t length = strlen(text);

    while (length > 0) {
        ssize_t n = write(1, text, length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            _exit(ROW_BROKEN);
        }
        text += n;
        length -= (size_t)n;
    }
}

// Ends the row. In a child of the row's process only the child ends; the row's process finds that out when it reaps the child.
static _Noreturn void row_end(const char *word, const char *what, const char *reason, int status) {
    char line[LINE_MAX_BYTES];

    bool child = getpid() != row_pid;

    snprintf(line, sizeof(line), "%s %s %s%s%s\n", child ? "note" : word, current->name, what, *reason ? ": " : "",
             reason);
    if (child || parallel_may_say()) {
        line_write(line);
    }
    _exit(status);
}

void bench_none(const char *what) {
    row_end("none", what, "", ROW_NONE);
}

void bench_fail(const char *what) {
    row_end("broken", what, errno != 0 ? strerror(errno) : "", ROW_BROKEN);
}

void bench_none_or_fail(const char *what) {
    switch (errno) {
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENODEV:
    case ENOENT:
    case EINVAL: row_end("none", what, strerror(errno), ROW_NONE);
    default: bench_fail(what);
    }
}

// --- batches ----------------------------------------------------------------------------------------------------------

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static const char *unit_name(enum bench_unit unit) {
    switch (unit) {
    case BENCH_PER_KILOBYTE: return "kB";
    case BENCH_LATE: return "late";
    default: return "op";
    }
}

// A cost in hundredths of a tick for one of n operations, rounded.
static uint64_t hundredths(uint64_t cost, unsigned n) {
    return (cost * 100 + n / 2) / n;
}

// Makes the row's line; it is printed when the row has ended well.
static void row_format(uint64_t *cost, unsigned batches, unsigned n, const char *events) {
    uint64_t median, min, max;

    qsort(cost, batches, sizeof(cost[0]), compare);
    median = hundredths(cost[batches / 2], n);
    min = hundredths(cost[0], n);
    max = hundredths(cost[batches - 1], n);
    snprintf(row_line, sizeof(row_line),
             "row %s %s %" PRIu64 ".%02u %" PRIu64 ".%02u %" PRIu64 ".%02u batches=%u ops=%u%s\n", current->name,
             unit_name(current->unit), median / 100, (unsigned)(median % 100), min / 100, (unsigned)(min % 100),
             max / 100, (unsigned)(max % 100), batches, n, events);
}

void bench_settle(uint64_t (*batch)(unsigned n, void *argument), void *argument, unsigned n) {
    uint64_t start = bench_now();

    while (bench_now() - start < SETTLE_TICKS) {
        batch(n, argument);
    }
}

void bench_batches(uint64_t (*batch)(unsigned n, void *argument), void *argument, unsigned n, unsigned batches) {
    static struct counters idle, begin, end;
    uint64_t cost[BATCHES_MAX];
    char events[LINE_MAX_BYTES / 2] = "";
    unsigned number;

    if (measured || n == 0 || batches % 2 == 0 || batches > BATCHES_MAX) {
        errno = 0;
        bench_fail("the row calls bench_batches() wrongly");
    }
    measured = true;
    n = (unsigned)bench_draw(n, 1);
    batch(n, argument);
    if (parallel_copy(&number)) {
        parallel_batches(batch, argument, n, batches);
        return;
    }
    counters_read(&idle);
    counters_read(&begin);
    bench_mark(BENCH_MARK_BEGIN);
    for (unsigned i = 0; i < batches; i++) {
        cost[i] = batch(n, argument);
    }
    bench_mark(BENCH_MARK_END);
    counters_read(&end);
    counters_print(&idle, &begin, &end, (uint64_t)n * batches, events, sizeof(events));
    row_format(cost, batches, n, events);
}

// --- the row's process --------------------------------------------------------------------------------------------------

void row_begin(const struct bench_row *row) {
    current = row;
    row_pid = getpid();
    errno = 0;
}

void row_perform(const struct bench_row *row) {
    row->run();
    if (!measured) {
        errno = 0;
        bench_fail("the row measured nothing");
    }
}

void row_run(const struct bench_row *row) {
    row_begin(row);
    row_perform(row);
    line_write(row_line);
    _exit(ROW_DONE);
}

// --- children and folders -----------------------------------------------------------------------------------------------

pid_t bench_child(int (*body)(void *argument), void *argument) {
    pid_t pid = fork();

    bench_check(pid >= 0);
    if (pid == 0) {
        _exit(body(argument));
    }
    return pid;
}

void bench_reap(pid_t pid) {
    int status = 0;
    pid_t got;

    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    bench_check(got == pid);
    if (status != 0) {
        errno = 0;
        bench_fail("a child of the row ended with another status than 0");
    }
}

void row_folder_name(const char *row, char *path, size_t capacity) {
    snprintf(path, capacity, "/tmp/bench.%s", row);
}

void bench_folder_shared(void) {
    char path[128];

    row_folder_name(current->name, path, sizeof(path));
    bench_check(mkdir(path, 0755) == 0 || errno == EEXIST);
    bench_check(chdir(path) == 0);
}

void bench_folder(void) {
    char path[32];
    unsigned number;

    bench_folder_shared();
    if (parallel_copy(&number)) {
        snprintf(path, sizeof(path), "copy%u", number);
        bench_check(mkdir(path, 0755) == 0 && chdir(path) == 0);
    }
}

static int entry_remove(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st, (void)kind, (void)where;
    (void)remove(path);
    return 0;
}

void tree_remove(const char *path) {
    (void)nftw(path, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

const char *bench_program(const char *name) {
    static char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    if (folder == 0) {
        folder = (size_t)snprintf(path, sizeof(path), "/bench/");
    }
    snprintf(path + folder, sizeof(path) - folder, "%s", name);
    return path;
}
