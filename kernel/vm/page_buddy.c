// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The binary buddy system: free blocks of 2^order pages, each at a frame that is a multiple of its size, on a list an
// order. Called by page.c alone. Pure: it touches struct page and nothing else, so that it runs on the host too.
//
// Invariants:
//  I1. state is PAGE_FREE at the first page of each block on a list and at no other page; order is the list's.
//  I2. Two buddies of one order are never both on lists, but for order PAGE_MAX_ORDER.
//  I3. free_pages is the sum over the lists.
//  I4. state is PAGE_UNTOUCHED at the first page of a block of PAGE_MAX_ORDER, on that list, whose other struct pages
//      were never written: a machine's memory is handed over by touching one struct page for 4 MiB, and those of memory
//      that is never needed are neither cleared nor, under a hypervisor, backed.
// Pages inside another block keep whatever state is not PAGE_FREE.
// Locking: the caller's (page_lock).

#include "page_buddy.h"

#include <kernel/assert.h>
#include <kernel/string.h>

struct page *page_array;
uint64_t page_array_base, page_array_length;

void buddy_init(struct buddy *b) {
    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++)
        list_init(&b->blocks[order]);
    b->free_pages = 0;
}

static void block_push(struct buddy *b, struct page *p, unsigned order) {
    p->state = PAGE_FREE;
    p->order = (uint8_t)order;
    list_push_front(&b->blocks[order], &p->node);
}

struct page *buddy_take(struct buddy *b, unsigned order) {
    unsigned found = order;

    while (found <= PAGE_MAX_ORDER && list_empty(&b->blocks[found]))
        found++;
    if (found > PAGE_MAX_ORDER)
        return NULL;
    struct page *p = list_first(&b->blocks[found], struct page, node);
    list_remove(&p->node);
    if (unlikely(p->state == PAGE_UNTOUCHED)) {
        memset(p, 0, sizeof(*p) << PAGE_MAX_ORDER);
        p->state = PAGE_FREE;
    }
    while (found > order) {
        found--;
        block_push(b, p + ((size_t)1 << found), found); // the upper half stays
    }
    p->order = (uint8_t)order;
    b->free_pages -= (uint64_t)1 << order;
    return p;
}

// The neighbour that p of this order would merge with, if it is free as a whole.
static struct page *free_buddy(struct page *p, unsigned order) {
    uint64_t index = (uint64_t)(p - page_array) ^ ((uint64_t)1 << order);

    if (index >= page_array_length)
        return NULL;
    struct page *other = &page_array[index];
    return other->state == PAGE_FREE && other->order == order ? other : NULL;
}

void buddy_give(struct buddy *b, struct page *p, unsigned order) {
    b->free_pages += (uint64_t)1 << order;
    while (order < PAGE_MAX_ORDER) {
        struct page *other = free_buddy(p, order);
        if (!other)
            break;
        list_remove(&other->node);
        other->state = PAGE_RESERVED;
        p->state = PAGE_RESERVED;
        if (other < p)
            p = other;
        order++;
    }
    block_push(b, p, order);
}

// Behind the others, so that what is in use already is taken first.
void buddy_give_untouched(struct buddy *b, struct page *p) {
    p->state = PAGE_UNTOUCHED;
    p->order = PAGE_MAX_ORDER;
    list_push_back(&b->blocks[PAGE_MAX_ORDER], &p->node);
    b->free_pages += (uint64_t)1 << PAGE_MAX_ORDER;
}

void buddy_give_range(struct buddy *b, uint64_t first, uint64_t last) {
    while (first < last) {
        unsigned order = first ? (unsigned)__builtin_ctzll(first) : PAGE_MAX_ORDER;
        order = MIN(order, (unsigned)PAGE_MAX_ORDER);
        while (order > 0 && ((uint64_t)1 << order) > last - first)
            order--;
        buddy_give(b, &page_array[first - page_array_base], order);
        first += (uint64_t)1 << order;
    }
}
