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
// Runs `copies` of the row at once, each in a process of its own, bound to processor 0, 1, ... as far as there are so many; prints the line "parallel".
_Noreturn void row_run_parallel(const struct bench_row *row, unsigned copies);
// The name for this row's folder on tmpfs, below /tmp, into path.
void row_folder_name(const char *row, char *path, size_t capacity);
// Removes a folder with all in it; what cannot be removed stays.
void tree_remove(const char *path);

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
