// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rows that ask how a figure grows: the same row with 10, 1,000 and 10,000 of something.
#ifndef SCALE_H
#define SCALE_H

#include "bench.h"

// The rows NAME_10, NAME_1000 and NAME_10000: run(count) is called with the count, or with a draw near it. `before` and
// `after` stand round the count in what the row says of itself.
#define SCALE_ROWS(name, before, after, run)                 \
    SCALE_ROW(name##_10, 10, before "10" after, run);        \
    SCALE_ROW(name##_1000, 1000, before "1,000" after, run); \
    SCALE_ROW(name##_10000, 10000, before "10,000" after, run)

#define SCALE_ROW(name, count, what, run) \
    static void name##_run(void) {        \
        run(bench_draw(count, 1));        \
    }                                     \
    BENCH_ROW(name, BENCH_SCALE, BENCH_PER_OPERATION, what, name##_run)

#endif
