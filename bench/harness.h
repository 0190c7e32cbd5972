// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files of the harness share among themselves; rows include bench.h alone.
#ifndef HARNESS_H
#define HARNESS_H

#include "bench.h"

// How a row's process ends, for the process that started it.
enum row_status {
    ROW_DONE = 0,
    ROW_NONE = 10,
    ROW_BROKEN = 11,
};

// --- bench.c: one row in this process ---

// Runs the row in this process, which ends with an enum row_status; the row's line is on standard output by then.
_Noreturn void row_run(const struct bench_row *row);
// The parts of row_run(): makes the row this process's, and calls it and sees that it measured something.
void row_begin(const struct bench_row *row);
void row_perform(const struct bench_row *row);
// Writes to standard output at once, so that the lines of several processes do not mix.
void line_write(const char *text);
// The name for this row's folder on tmpfs, below /tmp, into path.
void row_folder_name(const char *row, char *path, size_t capacity);
// Removes a folder with all in it; what cannot be removed stays.
void tree_remove(const char *path);

// --- parallel.c: several copies of one row at once ---

// Runs `count` copies of the row at once, each bound to processor 0, 1, ...; prints the line "parallel", or one line why not.
_Noreturn void parallel_run(const struct bench_row *row, unsigned count);
// Whether the caller is one of several copies, and which.
bool parallel_copy(unsigned *out_number);
// Whether the caller is the first to say why the row ends: of several copies one may.
bool parallel_may_say(void);
// bench_batches() in a copy, after the warming: batches between the barriers; measures nothing itself.
void parallel_batches(uint64_t (*batch)(unsigned n, void *argument), void *argument, unsigned n, unsigned batches);

// --- draw.c: sizes and counts by seed ---

// From now on bench_draw() draws; the draws depend on the seed, the row and their order.
void draw_start(uint64_t seed, const char *row);

// --- counters.c: the kernel's own events ---

enum { COUNTERS_MAX = 64, COUNTER_NAME_MAX = 32 };

struct counters {
    unsigned count;
    struct {
        char name[COUNTER_NAME_MAX];
        uint64_t value;
    } event[COUNTERS_MAX];
};

// Reads /proc/invar/counters; no events where the kernel has no such file.
void counters_read(struct counters *c);
// Appends " NAME=VALUE" for each event to text: events per operation between `begin` and `end`, with two decimals, less what reading cost (from `idle` to
// `begin`, two readings with nothing between). Events that round to 0.00 are left out.
void counters_print(const struct counters *idle, const struct counters *begin, const struct counters *end, uint64_t operations, char *text,
                    size_t capacity);

// --- init.c: the first process ---

// Mounts what the rows need, brings up the loopback device, opens the console. What a kernel does not have is left out.
void init_prepare(void);
// Prints the lines "env" and the files of /proc/invar.
void init_describe(void);
// The words of /bench/command after `program`, as an argument list with its NULL; *out_count without it. One word, the program, when there is no such file.
char **init_command(char *program, int *out_count);
_Noreturn void init_power_off(void);

#endif
