// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Panic and assertions. ASSERT is for invariants that must hold whatever a user does and is cheap enough to stay in release builds; DEBUG_ASSERT is
// compiled to nothing without CONFIG_DEBUG, but its expression is always type-checked.
#ifndef KERNEL_ASSERT_H
#define KERNEL_ASSERT_H

#include <kernel/types.h>

// Stops the machine: prints the message, a symbolised backtrace of every processor, the tail of the log, then resets or halts by policy. Any context.
noreturn_fn cold_fn void panic(const char *format, ...) printf_like(1, 2);
noreturn_fn cold_fn void assert_failed(const char *expression, const char *file, int line);

#define ASSERT(e) ((void)(likely(e) || (assert_failed(#e, __FILE__, __LINE__), 0)))
#ifdef CONFIG_DEBUG
#define DEBUG_ASSERT(e) ASSERT(e)
#else
#define DEBUG_ASSERT(e) ((void)sizeof(e))
#endif
#define STATIC_ASSERT(e, text) _Static_assert(e, text)

#endif
