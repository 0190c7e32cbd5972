// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The benchmark's harness: rows, batches, checks, marks. One static program, the same file on every kernel; under deterministic time its time stamp
// counter counts instructions, and every figure is the median of batches. Each row runs in a process of its own.
//
// A row prepares, calls bench_batches() once (which warms and measures), and cleans up; then its line is printed. Its batch function does n operations and
// CHECKS that they happened: bench_fail() when they did not. A call that the kernel does not have ends the row with bench_none().
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum bench_set {
    BENCH_SCORED, // a row of the published table: one weight each in the score
    BENCH_SHOWN,  // beside them, not in the score
    BENCH_SCALE,  // the same figure with 10, 1,000, 10,000 of something; needs more memory
};

enum bench_unit {
    BENCH_PER_OPERATION, // instructions (under deterministic time: virtual nanoseconds) an operation
    BENCH_PER_KILOBYTE,  // the same per 1,000 bytes; operations are bytes / 1,000
    BENCH_LATE,          // how much later than asked, mean
};

struct bench_row {
    const char *name; // [a-z0-9_]+: in tables, JSON and reference; never changes its meaning
    enum bench_set set;
    enum bench_unit unit;
    const char *what; // one line for people, without a full stop
    void (*run)(void);
    bool threads; // with --parallel the copies are threads of one process, run() is called in each of them
};

// Puts a row into the program's table (a linker set); the order in tables is that of the published table, given in tools, not here.
#define BENCH_ROW(row_name, row_set, row_unit, row_what, row_run)                                                       \
    static const struct bench_row bench_row_##row_name __attribute__((used, section("bench_rows"), aligned(8))) = {     \
        .name = #row_name, .set = row_set, .unit = row_unit, .what = row_what, .run = row_run}

// A row whose copies, with --parallel, are threads of one process.
#define BENCH_THREADS_ROW(row_name, row_set, row_unit, row_what, row_run)                                               \
    static const struct bench_row bench_row_##row_name __attribute__((used, section("bench_rows"), aligned(8))) = {     \
        .name = #row_name, .set = row_set, .unit = row_unit, .what = row_what, .run = row_run, .threads = true}

// The time stamp counter, after what came before it has ended.
uint64_t bench_now(void);

// Runs batch(n, argument) once to warm and then `batches` (odd) times; the row's line is printed when run() has returned. batch returns the cost of its n operations in ticks of
// bench_now(): it reads the clock itself, so that its own set-up is outside. n is as given, or drawn near it when the program was told to draw.
// Call at most once a row.
void bench_batches(uint64_t (*batch)(unsigned n, void *argument), void *argument, unsigned n, unsigned batches);

// For rows with two tasks, before bench_batches(): runs batches of n until 30 million ticks have passed. A fair scheduler favours the older task until the
// younger has worked off what it owes at birth; a wake-up preempts or does not by that debt, and the cost of a round trip differs by up to 40 %.
void bench_settle(uint64_t (*batch)(unsigned n, void *argument), void *argument, unsigned n);

// A size or count that a row uses: nominal, or with --draw SEED something between half and one and a half of it, a multiple of `multiple` and at least one
// of it. The draws of a row depend on the seed, the row and their order only.
size_t bench_draw(size_t nominal, size_t multiple);

// Ends the row: it cannot be had on this kernel (prints "none"), because `what` is missing.
_Noreturn void bench_none(const char *what);
// bench_none() when errno says that the kernel has no such call, protocol, file or option; else bench_fail().
_Noreturn void bench_none_or_fail(const char *what);
// Ends the row as broken: the work was not done. Prints what and errno; the whole run fails.
_Noreturn void bench_fail(const char *what);
#define bench_check(condition)           \
    do {                                 \
        if (!(condition))                \
            bench_fail(#condition);      \
    } while (0)

// Marks for an observer outside the machine (a QEMU plugin): begin and end of the measured stretch of this row. Each is one no-operation instruction with a
// number in its displacement; bench_batches() sets them itself, round its batches without the warming.
#define BENCH_MARK_BEGIN 0x1b4d0001 // nopl 0x1b4d0001(%rax,%rax,1): 0f 1f 84 00 01 00 4d 1b
#define BENCH_MARK_END   0x1b4d0002
#define bench_mark(number) __asm__ volatile("nopl %c0(%%rax,%%rax,1)" ::"i"(number) : "memory")

// A child that runs body(argument) and ends with its result as status; and the check that it did so with status 0.
pid_t bench_child(int (*body)(void *argument), void *argument);
void bench_reap(pid_t pid);

// An empty folder of this row's own on tmpfs, removed with all in it when the row ends; the current folder afterwards.
void bench_folder(void);
// The same, but with --parallel one folder for all copies.
void bench_folder_shared(void);

// The path of a program that stands beside this one ("child"); static storage, until the next call.
const char *bench_program(const char *name);

#endif
