// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// brk: growing, shrinking, what the pages hold, refusals that leave the break where it was.
#include "testing.h"

static uintptr_t brk_raw(uintptr_t address) {
    return (uintptr_t)syscall(SYS_brk, address);
}

static int touch_beyond(void) {
    uintptr_t end = brk_raw(0);
    uintptr_t page = (end + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    *(volatile char *)page = 1;
    return 0;
}

static int touch_after_shrinking(void) {
    uintptr_t start = brk_raw(0);
    start = brk_raw((start + PAGE) & ~(uintptr_t)(PAGE - 1));
    brk_raw(start + 2 * PAGE);
    *(volatile char *)(start + PAGE) = 1;
    brk_raw(start + PAGE);
    *(volatile char *)(start + PAGE) = 1;
    return 0;
}

int main(void) {
    uintptr_t start = brk_raw(0);
    say_bool("there is a break", start != 0);
    say_bool("below the start is refused", brk_raw(4096) == start);
    say_bool("growing by an odd amount is exact", brk_raw(start + 12345) == start + 12345);
    say_bool("0 gives it", brk_raw(0) == start + 12345);
    char *memory = (char *)start;
    bool zero = true;
    for (int i = 0; i < 12345; i++) {
        zero = zero && memory[i] == 0;
    }
    say_bool("new memory is zero", zero);
    memset(memory, 'x', 12345);
    say_bool("shrinking", brk_raw(start + 10) == start + 10);
    say_bool("growing again", brk_raw(start + 12345) == start + 12345);
    say("what was inside the last page stays", "%c", memory[5]);
    say("what was given back is zero", "%d", memory[9000]);
    say_bool("into kernel space is refused", brk_raw(0xffff800000000000UL) == start + 12345);
    say_bool("a terabyte beyond memory is refused", brk_raw(start + (1UL << 46)) == start + 12345);
    struct rlimit limit = {1 << 20, 1 << 20}, old;
    getrlimit(RLIMIT_DATA, &old);
    old.rlim_cur = limit.rlim_cur;
    setrlimit(RLIMIT_DATA, &old);
    say_bool("beyond RLIMIT_DATA is refused", brk_raw(start + (4 << 20)) == start + 12345);
    say_child("touch beyond the break", touch_beyond);
    say_child("touch what was given back", touch_after_shrinking);
    return 0;
}
