// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Free blocks of physical pages: the binary buddy system under kernel/vm/page.c (kernel/vm/page_buddy.c). Private to
// kernel/vm.
#ifndef VM_PAGE_BUDDY_H
#define VM_PAGE_BUDDY_H

#include <kernel/page.h>

static inline uint64_t page_frame(const struct page *p) {
    return page_array_base + (uint64_t)(p - page_array);
}

struct buddy {
    struct list_node blocks[PAGE_MAX_ORDER + 1]; // by order
    uint64_t free_pages;
};
void buddy_init(struct buddy *b);
// A block of 2^order pages, or NULL. Its state is left PAGE_FREE for the caller to change before it drops the lock.
struct page *buddy_take(struct buddy *b, unsigned order);
// Gives a block back and merges it with its free neighbours.
void buddy_give(struct buddy *b, struct page *p, unsigned order);
// Gives a block of PAGE_MAX_ORDER at boot whose struct pages hold anything: they are cleared when it is first taken.
void buddy_give_untouched(struct buddy *b, struct page *p);
// Gives frames [first, last) in the largest blocks that fit.
void buddy_give_range(struct buddy *b, uint64_t first, uint64_t last);

#endif
