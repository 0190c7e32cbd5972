// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The address sanitizer (kernel/debug/kasan.c, CONFIG_KASAN): allocators say which bytes may be touched; every access of instrumented code to the direct map is
// checked. Without it these are nothing.
#ifndef KERNEL_KASAN_H
#define KERNEL_KASAN_H

#include <kernel/types.h>

enum kasan_reason {
    KASAN_FREED = 0xfd,   // an object or page that was given back
    KASAN_REDZONE = 0xfc, // between objects
};

#ifdef CONFIG_KASAN
// start is 8-byte aligned. Bytes of a last partial granule stay as they are when it is poisoned. Any context, no lock.
void kasan_poison(const void *start, size_t n, enum kasan_reason reason);
// start is 8-byte aligned; exactly n bytes may be touched from now on.
void kasan_unpoison(const void *start, size_t n);
// Boot, once pages can be allocated: from now on accesses are checked. Nothing is poisoned yet.
void kasan_init(void);
#else
#define kasan_poison(start, n, reason) ((void)0)
#define kasan_unpoison(start, n)       ((void)0)
#define kasan_init()                   ((void)0)
#endif

#endif
