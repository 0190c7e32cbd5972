// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Call stacks of the guest, followed from outside, and instructions counted by stack. One processor only.
//
// A shadow stack is a list of frames, each with the address at which its return address lies. It is repaired by that address: a call or return at address A
// drops every frame at or below A. A kernel stack is told by its pages; each has beside it the shadow of the user stack of its thread. So the shadow that is
// in use follows a switch of threads as soon as the new stack is touched, and tail calls, long jumps and signal handlers put themselves right.
//
// Roots: user code; an entry to the kernel (by its first address); the beginning of a new thread. An exception in the kernel is a frame of the stack that it
// interrupts; an interrupt has a root of its own.
#ifndef STACKS_H
#define STACKS_H

#include "block.h"

#include <stdio.h>

// A stack as a whole: the number of a node in the tree of stacks. 0: nothing known.
typedef uint32_t stack_id;

// The processor goes on at block b; `last` was before it. Returns the stack that b runs on.
stack_id stacks_block(const struct block *last, const struct block *b);
// The stack addresses that instructions used.
void stacks_call(uint64_t address, uint64_t return_address);
void stacks_return(uint64_t address);
void stacks_touch(uint64_t address);

// Counts n (also negative) instructions of b on that stack.
void stacks_count(stack_id stack, const struct block *b, int64_t n);

// Writes "COUNT FRAME;FRAME;...;FRAME" lines, outermost first. Frames: `user`, `eADDRESS` entry, `tADDRESS` beginning of a thread, `cADDRESS` the address
// after a call, `bADDRESS` a block: the last frame, and before an entry the block that it interrupted.
void stacks_write(FILE *file);

#endif
