// host-test-sources: kernel/arch/x86_64/boot_ranges.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory maps as firmware writes them, overlaps and nonsense included.

#include "arch_private.h"

#include <kernel/boot.h>
#include <kernel/string.h>
#include <stdio.h>

static int failures;

static void check(bool ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "FAIL", name);
    failures += !ok;
}

static bool range_is(unsigned i, paddr_t start, paddr_t end, bool usable) {
    const struct boot_range *r = &boot_info.ranges[i];
    return i < boot_info.range_count && r->start == start && r->end == end && r->usable == usable;
}

static bool sane(void) {
    for (unsigned i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *r = &boot_info.ranges[i];
        if (r->start >= r->end || !IS_ALIGNED(r->start | r->end, PAGE_SIZE) || (i > 0 && r->start < r[-1].end))
            return false;
    }
    return true;
}

static bool usable_at(paddr_t pa) {
    for (unsigned i = 0; i < boot_info.range_count; i++)
        if (pa >= boot_info.ranges[i].start && pa < boot_info.ranges[i].end)
            return boot_info.ranges[i].usable;
    return false;
}

static void reset(void) {
    memset(&boot_info, 0, sizeof(boot_info));
}

static void ordinary(void) {
    reset();
    boot_range_add(0x100000, 0x8000000, true);
    boot_range_add(0, 0x9fc00, true);
    boot_range_add(0x9fc00, 0xa0000, false);
    boot_ranges_finish();
    check(boot_info.range_count == 3 && range_is(0, 0, 0x9f000, true) && range_is(1, 0x9f000, 0xa0000, false) &&
              range_is(2, 0x100000, 0x8000000, true),
          "sorted_and_aligned_inwards");
    boot_range_reserve(0x200000, 0x300000);
    check(boot_info.range_count == 5 && range_is(3, 0x200000, 0x300000, false) &&
              range_is(4, 0x300000, 0x8000000, true),
          "reserved_is_cut_out");
    boot_info.image_start = 0x100000;
    boot_info.image_end = 0x180000;
    boot_info.archive_start = 0x300000;
    boot_info.archive_end = 0x3ff123;
    check(boot_range_find(0x80000, GIB(4)) == 0x180000, "found_behind_the_image");
    check(boot_range_find(0x100000, GIB(4)) == 0x400000, "found_behind_the_archive");
    check(boot_range_find(GIB(1), GIB(4)) == 0, "not_found_when_too_large");
}

static void overlapping(void) {
    reset();
    boot_range_add(0x100000, 0x900000, true);
    boot_range_add(0x200000, 0x300000, false);
    boot_range_add(0x280000, 0x700000, true);
    boot_range_add(0x800000, 0x700000, true); // backwards
    boot_range_add(0x250001, 0x250002, false);
    boot_ranges_finish();
    check(sane() && !usable_at(0x280000) && !usable_at(0x2fffff) && usable_at(0x300000) && usable_at(0x8ff000),
          "unusable_wins");
}

// Any list of ranges leaves the map sane, and never makes usable what one entry calls unusable.
static void random_maps(void) {
    uint64_t seed = 1;
    bool ok = true;

    for (unsigned round = 0; round < 2000; round++) {
        paddr_t bad = 0;
        reset();
        for (unsigned i = 0; i < 30; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            paddr_t start = seed >> 40, end = start + (seed >> 20 & 0xfffff);
            bool usable = (seed & 0x30000) != 0;
            boot_range_add(start, end, usable);
            if (!usable && start < end)
                bad = start;
        }
        boot_ranges_finish();
        ok = ok && sane() && !(bad && usable_at(bad));
        boot_range_reserve(0x400000, 0x500000);
        ok = ok && sane() && !usable_at(0x480000);
    }
    check(ok, "any_map_is_made_sane");
}

int main(void) {
    ordinary();
    overlapping();
    random_maps();
    return failures != 0;
}
