// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The processor's own source of randomness.
#ifndef ARCH_RANDOM_H
#define ARCH_RANDOM_H

#include <kernel/types.h>

// 64 bits from the processor's entropy source (or the generator behind it). False: it has none, or none ready after a bounded number of tries. Any context.
must_check bool arch_random_seed(uint64_t *out);

#endif
