// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// madvise, mincore and mlock as far as ordinary programs and allocators use them.
#include "testing.h"

int main(void) {
    char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'x', 4 * PAGE);
    say_call("MADV_DONTNEED", madvise(area + PAGE, 2 * PAGE, MADV_DONTNEED));
    say("contents afterwards", "%c %d %d %c", area[0], area[PAGE], area[2 * PAGE], area[3 * PAGE]);
    say_call("MADV_NORMAL", madvise(area, PAGE, MADV_NORMAL));
    say_call("MADV_WILLNEED", madvise(area, PAGE, MADV_WILLNEED));
    say_call("MADV_FREE", madvise(area, PAGE, MADV_FREE));
    say_call("unknown advice", madvise(area, PAGE, 999));
    say_call("odd address", madvise(area + 1, PAGE, MADV_DONTNEED));
    say_call("length 0", madvise(area, 0, MADV_DONTNEED));
    say_call("what is not mapped", madvise((void *)0x10000, PAGE, MADV_DONTNEED));
    say_call("mlock", mlock(area, PAGE));
    say_call("munlock", munlock(area, PAGE));
    say_call("mlock of what is not mapped", mlock((void *)0x10000, PAGE));

    file_make("f", "file contents", 0644);
    int fd = MUST(open("f", O_RDWR));
    char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    private[0] = 'F';
    madvise(private, PAGE, MADV_DONTNEED);
    say("MADV_DONTNEED of a private file page gives the file again", "%.4s", private);
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared[0] = 's';
    madvise(shared, PAGE, MADV_DONTNEED);
    say("of a shared page keeps it", "%c", shared[0]);
    return 0;
}
