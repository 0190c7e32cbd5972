// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The page that the kernel writes and every process reads, mapped just below the vDSO's image. Written under a sequence count: odd while it changes.
#ifndef VDSO_DATA_H
#define VDSO_DATA_H

#include <stdatomic.h>
#include <stdint.h>

struct vdso_data {
    _Atomic uint32_t sequence;
    uint32_t shift;
    _Atomic uint64_t mult;        // 0: user mode cannot read the counter; make the system call
    _Atomic uint64_t base_cycles; // monotonic ns = base_ns + ((cycles - base_cycles) * mult >> shift)
    _Atomic uint64_t base_ns;
    _Atomic uint64_t wall_offset; // wall ns = monotonic ns + wall_offset
};

#endif
