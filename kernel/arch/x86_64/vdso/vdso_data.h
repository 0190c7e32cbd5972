// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The page that the kernel writes and every process reads, mapped just below the vDSO's image. Written under a sequence count, which is odd while the page
// changes, and for good where user mode cannot read the counter: a reader that meets an odd one makes the system call.
#ifndef VDSO_DATA_H
#define VDSO_DATA_H

#include <stdatomic.h>
#include <stdint.h>

#define VDSO_SHIFT 32

enum vdso_clock { VDSO_MONOTONIC, VDSO_WALL, VDSO_CLOCKS };

struct vdso_data {
    _Atomic uint32_t sequence;
    // ns = offset[clock] + ((cycles - base_cycles) * mult >> VDSO_SHIFT)
    _Atomic uint64_t base_cycles, mult, offset[VDSO_CLOCKS];
};

#endif
