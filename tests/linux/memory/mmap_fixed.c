// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// MAP_FIXED replaces what is there, MAP_FIXED_NOREPLACE refuses, a hint is followed where it is free; munmap splits
// mappings.
#include "testing.h"
#include <setjmp.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static sigjmp_buf back;

static void handler(int signal) {
    siglongjmp(back, signal);
}

static bool is_mapped(const char *address) {
    if (sigsetjmp(back, 1) == 0) {
        *(volatile const char *)address;
        return true;
    }
    return false;
}

static void show(const char *name, const char *area, int pages) {
    char text[64];
    for (int i = 0; i < pages; i++) {
        text[i] = is_mapped(area + i * PAGE) ? area[i * PAGE] ? area[i * PAGE] : '0' : '-';
    }
    text[pages] = 0;
    say(name, "%s", text);
}

static char *map(char *address, long pages, int flags) {
    return mmap(address, (size_t)(pages * PAGE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

int main(void) {
    signal(SIGSEGV, handler);
    char *area = map(NULL, 8, 0);
    for (int i = 0; i < 8; i++) {
        area[i * PAGE] = (char)('a' + i);
    }
    show("eight pages", area, 8);
    munmap(area + 2 * PAGE, PAGE);
    show("a hole", area, 8);
    munmap(area + 5 * PAGE, 2 * PAGE);
    show("two holes", area, 8);
    say_bool("MAP_FIXED gives the address", map(area + PAGE, 2, MAP_FIXED) == area + PAGE);
    show("replaced across a hole", area, 8);
    say_ok("MAP_FIXED_NOREPLACE on what is mapped", (long)map(area, 1, MAP_FIXED_NOREPLACE));
    say_ok("MAP_FIXED_NOREPLACE that overlaps one page", (long)map(area + 4 * PAGE, 2, MAP_FIXED_NOREPLACE));
    say_bool("MAP_FIXED_NOREPLACE in a hole", map(area + 5 * PAGE, 2, MAP_FIXED_NOREPLACE) == area + 5 * PAGE);
    show("filled", area, 8);
    munmap(area + 3 * PAGE, PAGE);
    say_bool("a hint that is free is followed", map(area + 3 * PAGE, 1, 0) == area + 3 * PAGE);
    char *other = map(area + 3 * PAGE, 1, 0);
    say_bool("a hint that is taken gives another place", other != area + 3 * PAGE && other != MAP_FAILED);
    show("what was there stays", area, 8);
    munmap(area, 8 * PAGE);
    show("all removed", area, 8);
    munmap(area, 8 * PAGE);

    area = map(NULL, 8, 0);
    memset(area, 'x', 8 * PAGE);
    mprotect(area + 3 * PAGE, 2 * PAGE, PROT_NONE);
    show("a part without rights", area, 8);
    mprotect(area + 3 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
    show("with rights again, contents kept", area, 8);
    munmap(area, 3 * PAGE);
    munmap(area + 5 * PAGE, 3 * PAGE);
    show("both ends removed", area, 8);

    int made = 0;
    char *pages[500];
    for (int i = 0; i < 500; i++) {
        pages[i] = mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        made += pages[i] != MAP_FAILED;
    }
    for (int i = 0; i < 500; i += 3) {
        munmap(pages[i], PAGE);
    }
    int right = 0;
    for (int i = 0; i < 500; i++) {
        right += i % 3 == 0 || is_mapped(pages[i]);
    }
    say("many mappings", "%d made, %d as expected", made, right);
    return 0;
}
