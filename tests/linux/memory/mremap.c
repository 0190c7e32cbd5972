// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mremap: growing in place and by moving, shrinking, moving to a given place, errors.
#include "testing.h"

static char *map(size_t pages) {
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static char *gone;

static int touch_gone(void) {
    return *(volatile char *)gone;
}

int main(void) {
    char *area = map(8);
    area[0] = 'a';
    area[PAGE] = 'b';
    say_bool("shrinking stays", mremap(area, 8 * PAGE, 2 * PAGE, 0) == area);
    gone = area + 3 * PAGE;
    say_child("what was cut off is gone", touch_gone);
    say_bool("growing into free space stays", mremap(area, 2 * PAGE, 4 * PAGE, 0) == area);
    say("contents", "%c %c %d", area[0], area[PAGE], area[3 * PAGE]);
    char *blocker = mmap(area + 4 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    (void)blocker;
    say_ok("growing where it cannot, not to be moved", (long)mremap(area, 4 * PAGE, 16 * PAGE, 0));
    char *moved = mremap(area, 4 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
    say_bool("growing by moving", moved != MAP_FAILED && moved != area);
    say("contents", "%c %c %d", moved[0], moved[PAGE], moved[15 * PAGE]);
    gone = area;
    say_child("the old place is gone", touch_gone);
    char *target = map(16);
    char *fixed = mremap(moved, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    say_bool("moving to a given place", fixed == target && fixed[0] == 'a');

    say_ok("odd address", (long)mremap(fixed + 1, PAGE, PAGE, MREMAP_MAYMOVE));
    say_ok("new length 0", (long)mremap(fixed, PAGE, 0, MREMAP_MAYMOVE));
    say_ok("unknown flag", (long)mremap(fixed, PAGE, PAGE, 16));
    say_ok("MREMAP_FIXED alone", (long)mremap(fixed, PAGE, PAGE, MREMAP_FIXED, target));
    say_ok("what is not mapped", (long)mremap((void *)0x10000, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    say_ok("beyond the mapping's end", (long)mremap(fixed + 15 * PAGE, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE));
    say_ok("target that overlaps",
           (long)mremap(fixed, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, fixed + PAGE));
    say_ok("target that is odd", (long)mremap(fixed, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, fixed + 1));

    int fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
    MUST(ftruncate(fd, 4 * PAGE));
    MUST(pwrite(fd, "2", 1, 2 * PAGE));
    char *file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    file = mremap(file, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    say("a file mapping that grew", "%c", file == MAP_FAILED ? '?' : file[2 * PAGE]);
    return 0;
}
