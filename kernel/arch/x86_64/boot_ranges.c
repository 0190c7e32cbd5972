// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Builds boot_info.ranges from what a boot protocol reports: entries in any order, overlapping, unaligned, or nonsense. Boot processor only. Pure but for
// boot_info.
//
// Invariants after boot_ranges_finish: sorted by start, not overlapping, page aligned, none empty; an address that any entry calls unusable is not usable.
#include "arch_private.h"

#include <kernel/boot.h>
#include <kernel/string.h>

struct boot_info boot_info;

#define MAX_PHYSICAL (1ull << 46) // half of the direct map

void boot_range_add(paddr_t start, paddr_t end, bool usable) {
    if (usable) {
        start = ALIGN_UP(start, PAGE_SIZE);
        end = ALIGN_DOWN(MIN(end, MAX_PHYSICAL), PAGE_SIZE);
    } else {
        start = ALIGN_DOWN(start, PAGE_SIZE);
        end = ALIGN_UP(MIN(end, MAX_PHYSICAL), PAGE_SIZE);
    }
    if (start >= end || boot_info.range_count == BOOT_MAX_RANGES)
        return;
    boot_info.ranges[boot_info.range_count++] = (struct boot_range){start, end, usable};
}

static void remove_at(unsigned i) {
    boot_info.range_count--;
    memmove(&boot_info.ranges[i], &boot_info.ranges[i + 1], (boot_info.range_count - i) * sizeof(boot_info.ranges[0]));
}

// False when the table is full; the caller then keeps less RAM, never more.
static bool insert_at(unsigned i, struct boot_range r) {
    if (boot_info.range_count == BOOT_MAX_RANGES)
        return false;
    memmove(&boot_info.ranges[i + 1], &boot_info.ranges[i], (boot_info.range_count - i) * sizeof(boot_info.ranges[0]));
    boot_info.ranges[i] = r;
    boot_info.range_count++;
    return true;
}

static void sort(void) {
    for (unsigned i = 1; i < boot_info.range_count; i++) {
        struct boot_range r = boot_info.ranges[i];
        unsigned j = i;
        for (; j > 0 && boot_info.ranges[j - 1].start > r.start; j--)
            boot_info.ranges[j] = boot_info.ranges[j - 1];
        boot_info.ranges[j] = r;
    }
}

// Takes [start, end) out of every usable range.
static void subtract(paddr_t start, paddr_t end) {
    for (unsigned i = 0; i < boot_info.range_count; i++) {
        struct boot_range *r = &boot_info.ranges[i];
        if (!r->usable || r->end <= start || r->start >= end)
            continue;
        struct boot_range above = {end, r->end, true};
        r->end = MAX(r->start, start);
        if (above.start < above.end)
            (void)insert_at(i + 1, above);
        if (boot_info.ranges[i].start == boot_info.ranges[i].end)
            remove_at(i--);
    }
}

// Overlaps of one kind are cut off the later entry.
static void cut_overlaps(void) {
    for (unsigned i = 1; i < boot_info.range_count;) {
        struct boot_range *before = &boot_info.ranges[i - 1], *r = &boot_info.ranges[i];
        if (r->start < before->end)
            r->start = before->end;
        if (r->start >= r->end)
            remove_at(i);
        else
            i++;
    }
}

// Unusable entries to the front, where subtract leaves them alone. Returns their number.
static unsigned partition(void) {
    unsigned count = 0;

    for (unsigned i = 0; i < boot_info.range_count; i++) {
        struct boot_range r = boot_info.ranges[i];
        if (r.usable)
            continue;
        boot_info.ranges[i] = boot_info.ranges[count];
        boot_info.ranges[count++] = r;
    }
    return count;
}

static void count(void) {
    for (unsigned i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *r = &boot_info.ranges[i];
        if (!r->usable)
            continue;
        boot_info.ram_bytes += r->end - r->start;
        if (r->start < MIB(1))
            boot_info.low_bytes += MIN(r->end, (paddr_t)MIB(1)) - r->start;
    }
}

void boot_ranges_finish(void) {
    unsigned unusable = partition();

    for (unsigned i = 0; i < unusable; i++)
        subtract(boot_info.ranges[i].start, boot_info.ranges[i].end);
    sort();
    cut_overlaps();
    count();
}

void boot_range_reserve(paddr_t start, paddr_t end) {
    if (start >= end)
        return;
    subtract(start, end);
    boot_range_add(start, end, false);
    sort();
    cut_overlaps();
}

static bool overlaps(paddr_t start, size_t size, paddr_t other_start, paddr_t other_end) {
    return start < other_end && other_start < start + size;
}

// Not below 1 MiB: firmware may still look there.
paddr_t boot_range_find(size_t size, paddr_t below) {
    for (unsigned i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *r = &boot_info.ranges[i];
        paddr_t start = MAX(r->start, (paddr_t)MIB(1)), end = MIN(r->end, below);
        while (r->usable && start < end && end - start >= size) {
            if (overlaps(start, size, boot_info.image_start, boot_info.image_end))
                start = boot_info.image_end;
            else if (overlaps(start, size, boot_info.archive_start, boot_info.archive_end))
                start = ALIGN_UP(boot_info.archive_end, PAGE_SIZE);
            else
                return start;
        }
    }
    return 0;
}

void boot_copy_cmdline(const char *text, size_t max) {
    size_t n = strnlen(text, MIN(max, BOOT_MAX_CMDLINE - 1));

    memcpy(boot_info.cmdline, text, n);
    boot_info.cmdline[n] = 0;
}
