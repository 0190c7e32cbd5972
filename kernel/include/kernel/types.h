// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The types and compiler attributes that every kernel file uses. Freestanding: nothing here needs a library.
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <invar/status.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t; // physical address
typedef uint64_t vaddr_t; // virtual address, user or kernel
typedef int64_t ssize_t;
typedef uint64_t nstime_t; // nanoseconds: a duration, or a point on the monotonic clock since boot

#define NSTIME_NEVER  UINT64_MAX // as a deadline: no deadline
#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define GIB(n) ((size_t)(n) << 30)

#define must_check              __attribute__((warn_unused_result))
#define noreturn_fn             __attribute__((noreturn))
#define packed_struct           __attribute__((packed))
#define aligned_to(n)           __attribute__((aligned(n)))
#define printf_like(fmt, first) __attribute__((format(printf, fmt, first)))
#define section_named(name)     __attribute__((section(name), used))
#define always_inline           inline __attribute__((always_inline))
#define cold_fn                 __attribute__((cold))
#define noinline_fn             __attribute__((noinline)) // its frame is not its caller's
#define likely(x)               __builtin_expect(!!(x), 1)
#define unlikely(x)             __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a)                  (((x) + ((a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a)                ((x) & ~((__typeof__(x))(a)-1))
#define IS_ALIGNED(x, a)                (((x) & ((__typeof__(x))(a)-1)) == 0)

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((size_t)1 << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

// A user pointer as the kernel holds it: only the user copy functions may look through it.
#ifdef __CHECKER__
#define user_ptr   __attribute__((noderef, address_space(1)))
#define user_force __attribute__((force)) // in a cast that means what it does
#else
#define user_ptr
#define user_force
#endif

#endif
