// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The sentinel: a bystander process that must come to no harm whatever hostile programs do beside it. It holds a
// megabyte of memory and a file with a known pattern, and answers questions. Used by the judges (fuzz, elf,
// exhaustion), which are root, run in the machine and print their verdicts as `ok NAME` and `FAIL NAME: reason`.
#ifndef TESTS_HOSTILE_SENTINEL_H
#define TESTS_HOSTILE_SENTINEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// Starts the sentinel. Ends the program where that is impossible.
void sentinel_start(uint64_t seed);

// Asks the sentinel: it checks its memory and its file, makes a child and waits for it. Returns NULL or what is wrong.
// At most ten seconds.
const char *sentinel_check(void);

// Ends the sentinel and prints `ok` or `FAIL` for it.
void sentinel_stop(void);

// Prints a verdict. Returns whether it was good.
bool verdict(const char *name, const char *wrong);

// How many verdicts were bad: the exit status of a judge is 1 if there were any.
int verdicts_bad(void);

// A pseudo-random number; the state is never zero (splitmix64, by its published constants).
uint64_t random_next(uint64_t *state);

static inline uint64_t random_below(uint64_t *state, uint64_t bound) {
    return bound == 0 ? 0 : random_next(state) % bound;
}

// MemFree of /proc/meminfo in KiB.
long memory_free(void);

// Milliseconds of CLOCK_MONOTONIC.
int64_t now_ms(void);

// Gives up root for good: user and group 1000.
void become_user(void);

// Removes a folder and all in it.
void remove_tree(const char *path);

// Kills a process group until none of it is left, and reaps our children of it. Returns NULL or what is wrong.
const char *group_end(pid_t group);

// Removes all System V IPC objects and the message queues of names that hostile programs use: they outlive their makers. Root.
void ipc_remove_all(void);

#endif
