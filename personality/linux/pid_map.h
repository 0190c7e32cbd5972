// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The set of process numbers in use, and the choice of the next one. Pure; the caller locks.
#ifndef LINUX_PID_MAP_H
#define LINUX_PID_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define PID_MAP_SIZE 32768
#define PID_MAP_RESERVED \
    300 // after the first turn the search starts here: low numbers belong to what the machine started first

struct pid_map {
    uint64_t used[PID_MAP_SIZE / 64];
    int last; // given out last
    unsigned count;
};
// The next free number after the last one, going round: a number that was given back is the last to be used again. All are less than
// below, which is at most PID_MAP_SIZE. 0: all are in use.
int pid_map_take(struct pid_map *m, int below);
bool pid_map_take_exact(struct pid_map *m, int number); // false: in use
void pid_map_give_back(struct pid_map *m, int number);
int pid_map_next_used(const struct pid_map *m, int from); // the lowest number in use from from on; 0: none

#endif
