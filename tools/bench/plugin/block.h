// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Translated blocks as the plugin remembers them, and the guest's address ranges that mean something to it.
#ifndef BLOCK_H
#define BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What an address range of the map file is. Blocks that start in it have that kind.
enum range_kind {
    RANGE_NONE,
    RANGE_IDLE,      // the idle loop: its instructions are no work
    RANGE_EXCEPTION, // entries to the kernel for exceptions, at which the instruction that failed is run again
    RANGE_INTERRUPT, // for interrupts
    RANGE_THREAD,    // where a new thread begins in the kernel
    RANGE_PROGRAM,   // the first instruction of a user program
    RANGE_CLOCK,     // the function that reads the clock round the measured stretches
};

// Reads "START END KIND" lines, hexadecimal, END excluded. false, and a message, when it cannot.
bool ranges_read(const char *path);
enum range_kind range_find(uint64_t address);

// A block, the same for all translations of the same instructions at the same address. Never freed.
struct block {
    uint64_t start, end;
    uint32_t n;     // instructions
    uint32_t seen;  // instructions as translated, one more than n when it was cut
    uint32_t index; // number of this block
    bool kernel;    // in the upper half
    bool pause, hlt, iret, sysret;
    bool cut; // its last instruction may be none of it (block_cut())
    enum range_kind kind;
    uint64_t hash;
    struct block *next;
    struct site *sites; // for those instructions that need to know where they are; one for each instruction, or NULL
    uint16_t offset[];  // of each instruction from start
};

// An instruction in a block, as argument of a callback.
struct site {
    const struct block *block;
    uint32_t index;
};

// The block of that start whose instructions hash to `hash`; *out_new when it was made now, with offset[] to be filled in. Any thread; the caller holds
// block_lock() until it has filled it in. NULL: no memory.
struct block *block_get(uint64_t start, uint32_t n, uint64_t hash, bool *out_new);
void block_lock(void);
void block_unlock(void);

// Takes the last instruction out of a block: QEMU gives up an instruction that crosses the end of a page, but for a block's first, and begins the next block
// with it; the plugin has seen it in both.
void block_cut(const struct block *b);

// The number of the instruction at `address` in the block; -1 when none begins there.
int block_find(const struct block *b, uint64_t address);

#endif
