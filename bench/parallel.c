// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// --parallel N: the same row N times at once, each copy bound to a processor of its own, counted by an observer outside the machine. Called by main.c in
// the process that it started for the row, and by bench.c where a copy behaves otherwise than a row that is alone.
//
// The copies are processes, or threads of this one where the row says so. They are started one after the other, each when the one before is warm: what they
// prepare, and what they draw, comes in a fixed order.
//
//     copy:    prepare, warm --report--> wait --go--> all batches --report--> wait --leave--> clean up
//     parent:  start the next ......... BEGIN, go .................. END, leave ......... reap, print
//
// Who waits sleeps in a read: nobody spins. A copy that ends early ends its report pipe; the row is broken then, or none.
#define _GNU_SOURCE
#include "harness.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COPIES_MAX = 64 };

// What all copies and the parent see.
struct board {
    atomic_bool said;                // one of them has printed why the row ends
    uint64_t operations[COPIES_MAX]; // of each copy's batches, when it reports the second time
};

struct copy {
    const struct bench_row *row;
    unsigned number;
    int report[2]; // pipe to the parent
    pid_t pid;     // processes
    bool ended;    // by itself: its report pipe did; the pid still has its status
    pthread_t thread;
};

static struct board *board; // there while this process is the parent or one of the copies
static int go[2], leave[2]; // pipes to all copies, a byte each
static _Thread_local const struct copy *self;

bool parallel_copy(unsigned *out_number) {
    if (self == NULL) {
        return false;
    }
    *out_number = self->number;
    return true;
}

bool parallel_may_say(void) {
    return board == NULL || !atomic_exchange(&board->said, true);
}

// --- a copy -------------------------------------------------------------------------------------------------------------

void parallel_batches(uint64_t (*batch)(unsigned n, void *argument), void *argument, unsigned n, unsigned batches) {
    char byte = 'r';

    bench_check(write(self->report[1], &byte, 1) == 1);
    bench_check(read(go[0], &byte, 1) == 1);
    for (unsigned i = 0; i < batches; i++) {
        batch(n, argument);
    }
    board->operations[self->number] = (uint64_t)n * batches;
    bench_check(write(self->report[1], &byte, 1) == 1);
    bench_check(read(leave[0], &byte, 1) == 1);
}

// What the copy starts itself stays on its processor, too.
static void processor_bind(unsigned number) {
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(number, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
        bench_none("a processor for each copy");
    }
}

static _Noreturn void copy_process(const struct copy *copy) {
    self = copy;
    row_begin(copy->row);
    close(copy->report[0]);
    close(go[1]);
    close(leave[1]);
    processor_bind(copy->number);
    row_perform(copy->row);
    _exit(ROW_DONE);
}

static void *copy_thread(void *argument) {
    self = argument;
    processor_bind(self->number);
    row_perform(self->row);
    return NULL;
}

// --- the parent ---------------------------------------------------------------------------------------------------------

// Starts a copy, and waits until it is warm; false when it ended before.
static bool copy_start(struct copy *copy) {
    char byte;

    bench_check(pipe(copy->report) == 0);
    if (copy->row->threads) {
        errno = pthread_create(&copy->thread, NULL, copy_thread, copy);
        bench_check(errno == 0);
    } else {
        copy->pid = fork();
        bench_check(copy->pid >= 0);
        if (copy->pid == 0) {
            copy_process(copy);
        }
        close(copy->report[1]);
    }
    copy->ended = read(copy->report[0], &byte, 1) != 1;
    return !copy->ended;
}

// The measured stretch, from the first copy's release to the last one's end; false when one of them ended within.
static bool copies_measure(struct copy *copies, unsigned count) {
    static const char bytes[COPIES_MAX];
    bool good;
    char byte;

    bench_mark(BENCH_MARK_BEGIN);
    good = write(go[1], bytes, count) == (ssize_t)count;
    for (unsigned i = 0; good && i < count; i++) {
        good = read(copies[i].report[0], &byte, 1) == 1;
        copies[i].ended = !good;
    }
    bench_mark(BENCH_MARK_END);
    return good && write(leave[1], bytes, count) == (ssize_t)count;
}

// Waits for the `started` copies to end; the worst of their endings. After a failure the others are ended.
static int copies_end(struct copy *copies, unsigned started, bool good) {
    int worst = ROW_DONE, status;

    for (unsigned i = 0; i < started; i++) {
        if (copies[i].row->threads) {
            bench_check(pthread_join(copies[i].thread, NULL) == 0); // a thread that fails ends the process
            continue;
        }
        if (waitpid(copies[i].pid, &status, good || copies[i].ended ? 0 : WNOHANG) == 0) {
            kill(copies[i].pid, SIGKILL);
            waitpid(copies[i].pid, &status, 0);
            continue;
        }
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : ROW_BROKEN;
        worst = code > worst ? code : worst;
    }
    return worst;
}

static void parallel_print(const struct bench_row *row, unsigned count) {
    char line[128];
    uint64_t total = 0;

    for (unsigned i = 0; i < count; i++) {
        total += board->operations[i];
    }
    snprintf(line, sizeof(line), "parallel %s processors=%u ops=%" PRIu64 "\n", row->name, count, total);
    line_write(line);
}

void parallel_run(const struct bench_row *row, unsigned count) {
    static struct copy copies[COPIES_MAX];
    unsigned started = 0;
    bool good = true;

    row_begin(row);
    bench_check(count >= 1 && count <= COPIES_MAX);
    bench_check(pipe(go) == 0 && pipe(leave) == 0);
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bench_check(board != MAP_FAILED);
    for (; good && started < count; started++) {
        copies[started] = (struct copy){.row = row, .number = started};
        good = copy_start(&copies[started]);
    }
    good = good && copies_measure(copies, count);
    int worst = copies_end(copies, started, good);
    if (worst == ROW_DONE && !good) {
        worst = ROW_BROKEN;
    }
    if (worst == ROW_DONE) {
        parallel_print(row, count);
    } else if (worst == ROW_BROKEN) {
        errno = 0;
        bench_fail("a copy ended before its time"); // says so if no copy has said why
    }
    _exit(worst);
}
