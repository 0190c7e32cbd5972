// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Instructions and events by processor, within the windows that the guest's marks open and close.
//
// A block is counted as a whole when it begins. What an exception left undone is taken back when the guest returns into the middle of the block.
#ifndef COUNT_H
#define COUNT_H

#include "block.h"
#include "decode.h"

#include <stdio.h>

enum { PROCESSORS_MAX = 64 };

// How the instructions of a block count.
enum work {
    WORK_USER,
    WORK_KERNEL,
    WORK_SPIN, // waiting with PAUSE: the blocks that hold it, and what lies between two runs of the same one if that is short
    WORK_IDLE, // blocks with HLT, and the ranges of the idle loop
    WORK_COUNT,
};

// profile: keep stacks, for the one processor. clock: a window is counted only between every first and second reading of the clock (a RANGE_CLOCK).
void count_start(bool profile, bool clock);

// Callbacks, on the thread of that processor.
void count_block(unsigned processor, const struct block *b);
// Whether the instruction at that address lies in the block that the processor is in.
bool count_is_current(unsigned processor, uint64_t address);
void count_event(unsigned processor, enum event event, uint64_t n);
void count_mark(unsigned processor, const struct site *site, enum mark mark);
void count_clock(unsigned processor, const struct site *site);

// Writes what all windows held: "window I readings=R stretches=N,N,..." (clock readings; instructions of each stretch that was counted) and below it
// "cpu P NAME=VALUE..." for each processor that ran.
void count_write(FILE *file);

#endif
