// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The arithmetic of handles: pure functions, without state, that every part of the handle table is built on. Any context.
//
//  31        24 23                   4 3        0
// +------------+----------------------+----------+    A handle. Its slot is where a byte offset of entries of 16 bytes has it, so that a mask is all a
// | generation |         slot         |generation|    lookup needs. Generations go from 1 to 4,095 and round again, so 0 is never a handle, nor is
// |    high    |                      |   low    |    any number with a slot alone.
// +------------+----------------------+----------+
//
//  31           20 19                           0
// +---------------+------------------------------+    What stands beside it in the table.
// |  generation   |            rights            |
// +---------------+------------------------------+
#ifndef KERNEL_HANDLE_NUMBER_H
#define KERNEL_HANDLE_NUMBER_H

#include <invar/rights.h>
#include <stdbool.h>
#include <stdint.h>

#define HANDLE_SLOTS_MAX       ((uint32_t)1 << 20)
#define HANDLE_SLOT_SHIFT      4
#define HANDLE_GENERATION_LAST ((uint32_t)4095)
#define HANDLE_WORD_SHIFT      20

_Static_assert(INV_RIGHTS_ALL < (uint32_t)1 << HANDLE_WORD_SHIFT, "rights and generation share a word");

// The handle of slot (less than HANDLE_SLOTS_MAX) in a generation from 1 to HANDLE_GENERATION_LAST; generation 0: a number that no handle has.
static inline inv_handle_t handle_number(uint32_t slot, uint32_t generation) {
    return (generation >> 4) << 24 | slot << HANDLE_SLOT_SHIFT | (generation & 15);
}
static inline uint32_t handle_slot(inv_handle_t h) {
    return (h >> HANDLE_SLOT_SHIFT) & (HANDLE_SLOTS_MAX - 1);
}
static inline uint32_t handle_generation(inv_handle_t h) {
    return (h >> 24) << 4 | (h & 15);
}
// 0 is the generation of a slot that was never used.
static inline uint32_t handle_generation_after(uint32_t generation) {
    return generation >= HANDLE_GENERATION_LAST ? 1 : generation + 1;
}
static inline uint32_t handle_word(inv_rights_t rights, uint32_t generation) {
    return generation << HANDLE_WORD_SHIFT | (rights & INV_RIGHTS_ALL);
}
static inline inv_rights_t handle_word_rights(uint32_t word) {
    return word & INV_RIGHTS_ALL;
}
static inline uint32_t handle_word_generation(uint32_t word) {
    return word >> HANDLE_WORD_SHIFT;
}
// had may be a word of the table: nothing above the rights is ever wanted.
static inline bool rights_include(uint32_t had, inv_rights_t wanted) {
    return (wanted & ~had) == 0;
}
// The rights of a handle made from one that has had: all of them, if wanted is INV_RIGHTS_SAME.
static inline inv_rights_t rights_wanted(inv_rights_t had, inv_rights_t wanted) {
    return wanted == INV_RIGHTS_SAME ? had : wanted;
}
// The offset mask of a table of size slots, a power of two from 2 to HANDLE_SLOTS_MAX: what it leaves of a handle is less than size << HANDLE_SLOT_SHIFT.
static inline uint32_t handle_mask(uint32_t size) {
    return (size - 1) << HANDLE_SLOT_SHIFT;
}
// Slots of the table that follows one of size slots (0: the first).
static inline uint32_t handle_table_next_size(uint32_t size) {
    return size == 0 ? 16 : size * 2;
}

#endif
