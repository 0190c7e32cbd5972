// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the parts of the churn share: its judge (churn.c) and what the workers do (churn_acts.c).
#ifndef TESTS_HOSTILE_CHURN_H
#define TESTS_HOSTILE_CHURN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHURN_WORKERS_MOST = 32, CHURN_ACTS_MOST = 32 };

// Shared by the judge and all workers.
struct churn_board {
    _Atomic uint64_t done[CHURN_ACTS_MOST]; // by act
    _Atomic uint64_t progress[CHURN_WORKERS_MOST];
    _Atomic int pids[CHURN_WORKERS_MOST];
    _Atomic int at[CHURN_WORKERS_MOST]; // the act that it is in
    _Atomic int wrong;                  // 1: text is being written, 2: it stands
    char text[120];                     // what an act found broken
};

extern struct churn_board *board;

struct act {
    const char *name;
    void (*function)(uint64_t *random);
    int weight;
};
extern const struct act acts[];
extern const int acts_count;

// Says that the machine has done something wrong. The first to say so is heard.
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
