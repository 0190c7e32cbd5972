// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources: kernel/vm/page_buddy.c
//
// Host test of the buddy system: blocks never overlap, merge again, and its invariants hold after each of many random
// steps.

#include "../page_buddy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 8192u
static struct page frames[FRAMES];
static struct buddy b;

void assert_failed(const char *e, const char *file, int line) {
    printf("FAIL %s %s:%d\n", e, file, line);
    exit(1);
}
#define CHECK(e) ((e) ? (void)0 : assert_failed(#e, __FILE__, __LINE__))

static void check_invariants(void) {
    uint64_t sum = 0;

    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
        struct page *p;
        list_for_each(p, &b.blocks[order], node) {
            uint64_t index = (uint64_t)(p - frames);
            CHECK(p->state == PAGE_FREE && p->order == order && index % (1u << order) == 0);
            if (order < PAGE_MAX_ORDER) {
                struct page *other = &frames[index ^ (1u << order)];
                CHECK(other >= &frames[FRAMES] || !(other->state == PAGE_FREE && other->order == order));
            }
            sum += 1u << order;
        }
    }
    CHECK(sum == b.free_pages);
}

static void start(uint64_t first, uint64_t last) {
    memset(frames, 0, sizeof(frames));
    page_array = frames;
    page_array_base = 0;
    page_array_length = FRAMES;
    buddy_init(&b);
    buddy_give_range(&b, first, last);
    check_invariants();
}

static void random_steps(void) {
    struct {
        struct page *p;
        unsigned order;
    } held[500];
    unsigned count = 0;
    uint64_t out = 0;

    start(300, 8001);
    for (unsigned step = 0; step < 20000; step++) {
        if (count < 500 && rand() % 2) {
            unsigned order = (unsigned)rand() % 6;
            struct page *p = buddy_take(&b, order);
            if (!p)
                continue;
            uint64_t index = (uint64_t)(p - frames);
            CHECK(index >= 300 && index + (1u << order) <= 8001);
            for (unsigned i = 0; i < 1u << order; i++) {
                CHECK(p[i].pins == 0);
                p[i].pins = 1;
                p[i].state = PAGE_KERNEL;
            }
            held[count].p = p;
            held[count++].order = order;
            out += 1u << order;
        } else if (count > 0) {
            unsigned i = (unsigned)rand() % count;
            for (unsigned k = 0; k < 1u << held[i].order; k++) {
                held[i].p[k].pins = 0;
                held[i].p[k].state = PAGE_RESERVED;
            }
            buddy_give(&b, held[i].p, held[i].order);
            out -= 1u << held[i].order;
            held[i] = held[--count];
        }
        CHECK(b.free_pages + out == 8001 - 300);
        if (step % 100 == 0)
            check_invariants();
    }
}

static void everything_merges_again(void) {
    static struct page *taken[FRAMES + 1];
    unsigned n = 0;

    start(0, FRAMES);
    while ((taken[n] = buddy_take(&b, 0))) {
        taken[n]->state = PAGE_KERNEL;
        n++;
    }
    CHECK(n == FRAMES && b.free_pages == 0);
    for (unsigned i = 0; i < n; i++)
        buddy_give(&b, taken[(i * 4099u) % n], 0);
    check_invariants();
    for (unsigned i = 0; i < FRAMES >> PAGE_MAX_ORDER; i++) {
        struct page *p = buddy_take(&b, PAGE_MAX_ORDER);
        CHECK(p);
        p->state = PAGE_KERNEL;
    }
    CHECK(!buddy_take(&b, 0));
}

// Blocks whose struct pages hold garbage: they come out clear, piece by piece or whole, and merge like others.
static void untouched_blocks_are_cleared_when_taken(void) {
    static const struct page clear;
    const unsigned pages = 1u << PAGE_MAX_ORDER;

    start(0, 100);
    memset(&frames[pages], 0xee, 2 * pages * sizeof(struct page));
    buddy_give_untouched(&b, &frames[pages]);
    buddy_give_untouched(&b, &frames[2 * pages]);
    CHECK(b.free_pages == 100 + 2 * pages);
    struct page *whole = buddy_take(&b, PAGE_MAX_ORDER), *one = NULL;
    CHECK(whole && whole->order == PAGE_MAX_ORDER);
    whole->state = PAGE_KERNEL;
    for (unsigned i = 1; i < pages; i++)
        CHECK(memcmp(&whole[i], &clear, sizeof(clear)) == 0);
    while (b.free_pages > pages - 1) { // what is in use already goes first, then the other block is broken up
        one = buddy_take(&b, 0);
        CHECK(one);
        one->state = PAGE_KERNEL;
    }
    struct page *other = whole == &frames[pages] ? &frames[2 * pages] : &frames[pages];
    CHECK(one == other && memcmp(&other[3], &clear, sizeof(clear)) == 0);
    check_invariants();
    buddy_give(&b, one, 0);
    CHECK(other->state == PAGE_FREE && other->order == PAGE_MAX_ORDER);
}

int main(void) {
    random_steps();
    printf("ok page_buddy/blocks_stay_apart\n");
    everything_merges_again();
    printf("ok page_buddy/everything_merges_again\n");
    untouched_blocks_are_cleared_when_taken();
    printf("ok page_buddy/untouched_blocks_are_cleared_when_taken\n");
    return 0;
}
