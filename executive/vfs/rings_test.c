// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
// host-test-sources:
//
// The arithmetic of pipes' slots and of descriptor bitmaps, against plain models.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd_bitmap.h"
#include "pipe_ring.h"

static void bitmaps_agree_with_a_plain_search(void) {
    uint64_t map[4];
    for (int turn = 0; turn < 2000; turn++) {
        for (int i = 0; i < 4; i++)
            map[i] = turn % 5 == 0   ? 0
                     : turn % 5 == 1 ? ~0ull
                                     : (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
        for (unsigned from = 0; from < 256; from += 1 + (unsigned)(turn % 7)) {
            for (int value = 0; value < 2; value++) {
                unsigned n = from;
                while (n < 256 && bitmap_get(map, n) != (value != 0))
                    n++;
                assert(bitmap_find(map, 256, from, value != 0) == n);
            }
        }
    }
    bitmap_clear(map, 200);
    assert(!bitmap_get(map, 200));
    bitmap_set(map, 200);
    assert(bitmap_get(map, 200) && bitmap_find(map, 256, 256, true) == 256);
}

static void slots_are_taken_in_order_over_the_wrap(void) {
    struct pipe_slot slots[4], more[8];
    struct pipe_ring r = {.head = UINT32_MAX - 5, .tail = UINT32_MAX - 5, .slots = 4, .slot = slots};
    uint16_t put = 0, taken = 0;
    for (int turn = 0; turn < 50; turn++) {
        while (!pipe_ring_full(&r)) {
            *pipe_ring_next(&r) = (struct pipe_slot){.length = ++put};
            pipe_ring_pushed(&r);
            assert(pipe_ring_last(&r)->length == put);
        }
        assert(pipe_ring_used(&r) == 4);
        for (int i = 0; i < 1 + turn % 4; i++) {
            assert(pipe_ring_first(&r)->length == ++taken);
            pipe_ring_popped(&r);
        }
    }
    uint32_t used = pipe_ring_used(&r);
    pipe_ring_move(&r, more, 8);
    assert(pipe_ring_used(&r) == used && !pipe_ring_full(&r));
    while (!pipe_ring_empty(&r)) {
        assert(pipe_ring_first(&r)->length == ++taken);
        pipe_ring_popped(&r);
    }
    assert(taken == put);
}

static void only_what_fits_into_the_page_is_merged(void) {
    struct pipe_slot slots[2];
    struct pipe_ring r = {.slots = 2, .slot = slots};
    assert(pipe_ring_mergeable(&r, 1) == NULL);
    *pipe_ring_next(&r) = (struct pipe_slot){.offset = 96, .length = 1000};
    pipe_ring_pushed(&r);
    assert(pipe_ring_mergeable(&r, 3000) == &slots[0] && pipe_ring_mergeable(&r, 3001) == NULL &&
           pipe_ring_mergeable(&r, 0) == NULL);
    slots[0].packet = true;
    assert(pipe_ring_mergeable(&r, 1) == NULL);
}

static void sizes_become_powers_of_two(void) {
    assert(pipe_ring_slots_for(0) == 1 && pipe_ring_slots_for(4096) == 1 && pipe_ring_slots_for(4097) == 2);
    assert(pipe_ring_slots_for(65536) == 16 && pipe_ring_slots_for(65537) == 32);
    assert(pipe_ring_slots_for(1ull << 31) == 1u << 19 && pipe_ring_slots_for((1ull << 31) + 1) == 0);
}

int main(void) {
    bitmaps_agree_with_a_plain_search();
    slots_are_taken_in_order_over_the_wrap();
    only_what_fits_into_the_page_is_merged();
    sizes_become_powers_of_two();
    puts("rings and bitmaps: ok");
    return 0;
}
