// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mlock, mlock2, munlock, mlockall, munlockall: accounting (VmLck), limits, faulting in, what fork and mremap make of it.
#include "testing.h"

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static long locked(void) {
    char text[4096];
    int fd = MUST(open("/proc/self/status", O_RDONLY));
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strstr(text, "VmLck:");
    return at ? atol(at + 6) : -1;
}

static char *area(size_t pages) {
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void say_there(const char *name, char *at, int pages) {
    unsigned char there[16];
    char text[17] = "";
    if (mincore(at, (size_t)pages * PAGE, there) == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    for (int i = 0; i < pages; i++) {
        text[i] = (char)('0' + (there[i] & 1));
    }
    say(name, "%s", text);
}

static int child(void) {
    say("a child has", "%ld kB", locked());
    return 0;
}

static void basics(void) {
    char *at = area(8);
    say("at first", "%ld kB", locked());
    say_call("mlock of two pages", mlock(at + PAGE, 2 * PAGE));
    say("VmLck", "%ld kB", locked());
    say_there("faulted in", at, 8);
    say_call("of parts of two", mlock(at + 4 * PAGE + 100, PAGE));
    say("VmLck", "%ld kB", locked());
    say_call("again", mlock(at, 8 * PAGE));
    say("VmLck", "%ld kB", locked());
    reap(spawn(child));
    say_call("munlock of some", munlock(at + 2 * PAGE, PAGE));
    say("VmLck", "%ld kB", locked());
    munmap(at, PAGE);
    say("after munmap of one", "%ld kB", locked());
    say_call("mlock over the hole", mlock(at, 8 * PAGE));
    say_call("munlock over the hole", munlock(at, 8 * PAGE));
    munmap(at + 7 * PAGE, PAGE);
    say_call("munlock up to a hole", munlock(at + PAGE, 7 * PAGE));
    say("VmLck", "%ld kB", locked());
    char *fresh = area(4);
    say_call("mlock2 MLOCK_ONFAULT", syscall(SYS_mlock2, fresh, 4 * PAGE, MLOCK_ONFAULT));
    say("VmLck", "%ld kB", locked());
    say_there("nothing is faulted in", fresh, 4);
    say_call("mlock2 0", syscall(SYS_mlock2, fresh, 2 * PAGE, 0));
    say_there("but then", fresh, 4);
    say_call("mlock2 2", syscall(SYS_mlock2, fresh, PAGE, 2));
    say_call("length 0", mlock(fresh, 0));
    say_call("length 0, not mapped", mlock((void *)0x10000, 0));
    say_call("length that wraps", mlock(fresh, (size_t)-PAGE * 2));
    say_call("munlock, length that wraps", munlock(fresh, (size_t)-PAGE * 2));
    say_call("mlock of what is not mapped", mlock((void *)0x10000, PAGE));
    char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say_call("mlock of memory without rights", mlock(none, PAGE));
    say_call("msync MS_INVALIDATE of locked memory", msync(fresh, PAGE, MS_INVALIDATE));
    say_call("msync MS_SYNC of it", msync(fresh, PAGE, MS_SYNC));
    munlockall();
    say("after munlockall", "%ld kB", locked());
    say_call("msync MS_INVALIDATE now", msync(fresh, PAGE, MS_INVALIDATE));
}

static void remaps(void) {
    char *at = area(2);
    long before = locked();
    MUST(mlock(at, 2 * PAGE));
    at = mremap(at, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
    say("grown", "%ld kB", locked() - before);
    say_there("what was added is faulted in", at, 5);
    at = mremap(at, 5 * PAGE, PAGE, 0);
    say("shrunk", "%ld kB", locked() - before);
    munmap(at, PAGE);
    at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    say("MAP_LOCKED", "%ld kB", locked() - before);
    say_there("faulted in", at, 3);
    munmap(at, 3 * PAGE);
    say("unmapped", "%ld kB", locked() - before);
}

static void everything(void) {
    char *at = area(4);
    say_call("mlockall 0", mlockall(0));
    say_call("mlockall 8", mlockall(8));
    say_call("mlockall MCL_ONFAULT", mlockall(MCL_ONFAULT));
    say_call("mlockall MCL_FUTURE", mlockall(MCL_FUTURE));
    say("locks nothing that is there", "%ld kB", locked());
    char *future = area(3);
    say("but what comes", "%ld kB", locked());
    say_there("faulted in", future, 3);
    say_call("mlockall MCL_FUTURE | MCL_ONFAULT", mlockall(MCL_FUTURE | MCL_ONFAULT));
    char *later = area(3);
    say("what comes now", "%ld kB", locked());
    say_there("is not faulted in", later, 3);
    char *end = sbrk(0);
    say_ok("brk", (long)sbrk(2 * PAGE));
    say("counts, too", "%ld kB", locked());
    (void)!brk(end);
    say_call("munlockall", munlockall());
    say("nothing is locked", "%ld kB", locked());
    area(2);
    say("nor what comes", "%ld kB", locked());
    say_call("mlockall MCL_CURRENT | MCL_ONFAULT", mlockall(MCL_CURRENT | MCL_ONFAULT));
    say_bool("locks what is there", locked() >= 60);
    say_there("without faulting in", at, 4);
    say_call("mlockall MCL_CURRENT", mlockall(MCL_CURRENT));
    say_there("and with", at, 4);
    say_call("munlockall", munlockall());
}

static int limited(void) {
    struct rlimit limit = {4 * PAGE, 4 * PAGE};
    MUST(setrlimit(RLIMIT_MEMLOCK, &limit));
    MUST(setresuid(1000, 1000, 1000));
    char *at = area(8);
    say_call("four pages of four", mlock(at, 4 * PAGE));
    say_call("the same again", mlock(at, 4 * PAGE));
    say_call("a fifth", mlock(at + 4 * PAGE, PAGE));
    say_call("overlapping", mlock(at + 2 * PAGE, 4 * PAGE));
    say_call("MLOCK_ONFAULT counts, too", syscall(SYS_mlock2, at + 4 * PAGE, PAGE, MLOCK_ONFAULT));
    void *map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    say_ok("MAP_LOCKED", (long)map);
    say_ok("mremap of what is locked", (long)mremap(at, 4 * PAGE, 9 * PAGE, MREMAP_MAYMOVE));
    say_call("mlockall MCL_CURRENT", mlockall(MCL_CURRENT));
    say_call("mlockall MCL_FUTURE", mlockall(MCL_FUTURE));
    say_ok("mmap then", (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munlockall();
    say_call("after munlockall", mlock(at + 4 * PAGE, 4 * PAGE));
    limit.rlim_cur = limit.rlim_max = 0;
    MUST(setrlimit(RLIMIT_MEMLOCK, &limit));
    say_call("limit 0: mlock", mlock(at, PAGE));
    say_call("limit 0: mlock of nothing", mlock(at, 0));
    say_call("limit 0: mlockall", mlockall(MCL_FUTURE));
    say_call("limit 0: mlockall of nothing", mlockall(0));
    say_ok("limit 0: MAP_LOCKED", (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    say_call("limit 0: munlock", munlock(at, 8 * PAGE));
    say_call("limit 0: munlockall", munlockall());
    return 0;
}

int main(void) {
    basics();
    remaps();
    everything();
    reap(spawn(limited));
    return 0;
}
