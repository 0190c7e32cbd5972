// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Checks of the page allocator in debug builds (kernel/vm/page_check.c): poison in free pages, double frees, the TLB
// audit at reuse, allocations that fail on demand. Nothing in other builds. Private to kernel/vm.
#ifndef VM_PAGE_CHECK_H
#define VM_PAGE_CHECK_H

#include <kernel/page.h>

struct slab_cache;

#ifdef CONFIG_DEBUG
bool page_check_inject(void); // true: this allocation shall fail
// Panics if it is free already; poisons it, or, zeroed, panics if it is not.
void page_check_free(struct page *p, unsigned order, bool zeroed);
void page_check_unzero(struct page *p); // a zeroed free page becomes an ordinary one, of unknown contents
void page_check_alloc(
    struct page *p,
    unsigned order); // panics if the poison was written to, or a processor may still have a translation to it
bool slab_check_leak(const struct slab_cache *c); // true: this object shall be lost: a planted bug (planted_leak.c)
#else
static inline bool page_check_inject(void) {
    return false;
}
static inline void page_check_free(struct page *p, unsigned order, bool zeroed) {}
static inline void page_check_unzero(struct page *p) {}
static inline void page_check_alloc(struct page *p, unsigned order) {}
static inline bool slab_check_leak(const struct slab_cache *c) {
    return false;
}
#endif

#endif
