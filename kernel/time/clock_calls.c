// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Native calls on clocks. What each does and which errors it has, in order: abi/idl/core.idl.
#include <kernel/native_calls.h>
#include <kernel/time.h>

inv_status_t sys_clock_read(inv_clock_t clock, uint64_t *out_time) {
    *out_time = (uint64_t)(clock == INV_CLOCK_WALL ? clock_wall() : clock_monotonic());
    return INV_OK;
}
