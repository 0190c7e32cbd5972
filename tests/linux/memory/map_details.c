// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Flags of mmap, mprotect of stacks, mremap's rarer forms, remap_file_pages, protection keys without a processor that has them, mincore, msync.
#include "testing.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef PKEY_DISABLE_ACCESS
#define PKEY_DISABLE_ACCESS 1L
#define PKEY_DISABLE_WRITE  2L
#endif
#ifndef PROT_SEM
#define PROT_SEM 8
#endif
#ifndef MAP_32BIT
#define MAP_32BIT 0x40
#endif

static int fd;

static void say_map(const char *name, int prot, int flags, int file) {
    void *at = mmap(NULL, 2 * PAGE, prot, flags, file, 0);
    say(name, "%s", at == MAP_FAILED ? error_name(errno) : "ok");
    if (at != MAP_FAILED) {
        munmap(at, 2 * PAGE);
    }
}

static void say_there(const char *name, void *at, int pages) {
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

static void flags(void) {
    int anonymous = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
    void *low = mmap(NULL, PAGE, rw, anonymous | MAP_32BIT, -1, 0);
    say("MAP_32BIT", "%s",
        low == MAP_FAILED            ? error_name(errno)
        : (uintptr_t)low < 1UL << 31 ? "below 2 GiB"
                                     : "above");
    say_map("MAP_NORESERVE", rw, anonymous | MAP_NORESERVE, -1);
    say_map("MAP_GROWSDOWN", rw, anonymous | MAP_GROWSDOWN, -1);
    say_map("MAP_GROWSDOWN of shared memory", rw, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1);
    say_map("MAP_STACK", rw, anonymous | MAP_STACK, -1);
    say_map("MAP_DENYWRITE, MAP_EXECUTABLE", rw, anonymous | MAP_DENYWRITE | MAP_EXECUTABLE, -1);
    say_map("MAP_NONBLOCK", rw, anonymous | MAP_NONBLOCK, -1);
    say_map("MAP_HUGETLB", rw, anonymous | MAP_HUGETLB, -1);
    say_map("MAP_HUGETLB of a plain file", rw, MAP_SHARED | MAP_HUGETLB, fd);
    say_map("MAP_SHARED_VALIDATE", rw, MAP_SHARED_VALIDATE, fd);
    say_map("MAP_SHARED_VALIDATE, unknown flag", rw, MAP_SHARED_VALIDATE | 0x200000, fd);
    say_map("MAP_SHARED, unknown flag", rw, MAP_SHARED | 0x200000, fd);
    say_map("MAP_SHARED_VALIDATE | MAP_SYNC", rw, MAP_SHARED_VALIDATE | MAP_SYNC, fd);
    say_map("MAP_SHARED | MAP_SYNC", rw, MAP_SHARED | MAP_SYNC, fd);
    say_map("MAP_SHARED_VALIDATE of no file", rw, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1);
    say_map("no type", rw, MAP_ANONYMOUS, -1);
    say_map("type 4", rw, 4 | MAP_ANONYMOUS, -1);
    say_map("MAP_DROPPABLE's number", rw, 8 | MAP_ANONYMOUS, -1);
    say_map("unknown rights", rw | 0x10, anonymous, -1);
    say_map("PROT_SEM", rw | PROT_SEM, anonymous, -1);
    say_map("descriptor with MAP_ANONYMOUS", rw, anonymous, 99);
    void *at = mmap(NULL, 4 * PAGE, rw, anonymous | MAP_POPULATE, -1, 0);
    say_there("MAP_POPULATE", at, 4);
    munmap(at, 4 * PAGE);
    at = mmap(NULL, 4 * PAGE, rw, anonymous | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
    say_there("MAP_POPULATE | MAP_NONBLOCK", at, 4);
    void *there = mmap(at, PAGE, rw, anonymous | MAP_FIXED_NOREPLACE, -1, 0);
    say("MAP_FIXED_NOREPLACE over something", "%s", there == MAP_FAILED ? error_name(errno) : "ok");
    munmap(at, PAGE);
    there = mmap(at, PAGE, rw, anonymous | MAP_FIXED_NOREPLACE, -1, 0);
    say("MAP_FIXED_NOREPLACE into a hole", "%s",
        there == at           ? "there"
        : there == MAP_FAILED ? error_name(errno)
                              : "elsewhere");
    there = mmap(at, 2 * PAGE, rw, anonymous | MAP_FIXED_NOREPLACE | MAP_FIXED, -1, 0);
    say("both kinds of MAP_FIXED", "%s", there == MAP_FAILED ? error_name(errno) : "ok");
}

static void protect(void) {
    char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say_call("PROT_GROWSDOWN of plain memory", mprotect(at, PAGE, PROT_READ | PROT_GROWSDOWN));
    say_call("PROT_GROWSUP of plain memory", mprotect(at, PAGE, PROT_READ | PROT_GROWSUP));
    say_call("both", mprotect(at, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
    say_call("PROT_SEM", mprotect(at, PAGE, PROT_READ | PROT_SEM));
    say_call("unknown", mprotect(at, PAGE, PROT_READ | 0x20));
    char local;
    uintptr_t page = (uintptr_t)&local & ~(uintptr_t)(PAGE - 1);
    say_call("PROT_GROWSDOWN of the stack", mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE | PROT_GROWSDOWN));
    say_call("PROT_GROWSDOWN, not mapped", mprotect((void *)0x10000, PAGE, PROT_READ | PROT_GROWSDOWN));
    say_call("PROT_GROWSUP, not mapped", mprotect((void *)0x10000, PAGE, PROT_READ | PROT_GROWSUP));
    say_call("pkey_mprotect -1", syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, -1));
    say_call("pkey_mprotect 0", syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, 0));
    say_call("pkey_mprotect 1", syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, 1));
    say_call("pkey_mprotect 1 of nothing", syscall(SYS_pkey_mprotect, at, 0L, PROT_READ, 1));
    say_call("pkey_mprotect 1, odd address", syscall(SYS_pkey_mprotect, at + 1, PAGE, PROT_READ, 1));
    say_call("pkey_alloc", syscall(SYS_pkey_alloc, 0L, 0L));
    say_call("pkey_alloc, flags", syscall(SYS_pkey_alloc, 1L, 0L));
    say_call("pkey_alloc, rights", syscall(SYS_pkey_alloc, 0L, 4L));
    say_call("pkey_alloc, PKEY_DISABLE_ACCESS", syscall(SYS_pkey_alloc, 0L, PKEY_DISABLE_ACCESS));
    say_call("pkey_alloc, PKEY_DISABLE_WRITE", syscall(SYS_pkey_alloc, 0L, PKEY_DISABLE_WRITE));
    say_call("pkey_free 0", syscall(SYS_pkey_free, 0));
    say_call("pkey_free 1", syscall(SYS_pkey_free, 1));
    say_call("pkey_free -1", syscall(SYS_pkey_free, -1));
}

static void remap(void) {
    char *at = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(at, 'm', 2 * PAGE);
    char *to = mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    say("MREMAP_DONTUNMAP", "%s", to == MAP_FAILED ? error_name(errno) : "ok");
    say("moved", "%c", to[PAGE]);
    say("left behind", "%d", at[PAGE]);
    at[0] = 'n';
    say("both are memory", "%c %c", at[0], to[0]);
    say_ok("MREMAP_DONTUNMAP without MREMAP_MAYMOVE", (long)mremap(at, PAGE, PAGE, MREMAP_DONTUNMAP, NULL));
    say_ok("MREMAP_DONTUNMAP with another length",
           (long)mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
    char *fixed = mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, at + 6 * PAGE);
    say("with MREMAP_FIXED", "%s", fixed == at + 6 * PAGE ? "there" : error_name(errno));
    say("moved", "%c, left %d", at[6 * PAGE], at[0]);
    say_ok("MREMAP_FIXED over itself", (long)mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE));
    say_ok("unknown flag", (long)mremap(at, PAGE, PAGE, 8));
    say_ok("old length 0 of private memory", (long)mremap(at, 0, PAGE, MREMAP_MAYMOVE));
    char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    shared[0] = 'a';
    shared[PAGE] = 'b';
    char *twin = mremap(shared, 0, 2 * PAGE, MREMAP_MAYMOVE);
    say("old length 0 of shared memory", "%s", twin == MAP_FAILED ? error_name(errno) : "ok");
    twin[0] = 'z';
    say("is the same memory", "%c %c", shared[0], twin[PAGE]);
    say_ok("old length 0 without MREMAP_MAYMOVE", (long)mremap(shared, 0, PAGE, 0));
    char *kept = mremap(shared, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    say("MREMAP_DONTUNMAP of a file", "%s", kept == MAP_FAILED ? error_name(errno) : "ok");
    say("both show it", "%c %c", shared[0], kept[0]);
    say_ok("over two mappings", (long)mremap(shared + 3 * PAGE, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
    say_ok("not mapped", (long)mremap((void *)0x10000, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    say_ok("odd address", (long)mremap(at + 1, PAGE, PAGE, 0));
    say_ok("new length 0", (long)mremap(at, PAGE, 0, 0));
}

static void file_pages(void) {
    char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int i = 0; i < 4; i++) {
        at[i * PAGE] = (char)('0' + i);
    }
    say_call("remap_file_pages", syscall(SYS_remap_file_pages, at, PAGE, 0, 3, 0));
    say("the first page is the fourth", "%c%c%c%c", at[0], at[PAGE], at[2 * PAGE], at[3 * PAGE]);
    say_call("with rights", syscall(SYS_remap_file_pages, at, PAGE, PROT_READ, 3, 0));
    say_call("no length", syscall(SYS_remap_file_pages, at, 0L, 0, 3, 0));
    say_call("page that wraps", syscall(SYS_remap_file_pages, at, PAGE, 0, -1L, 0));
    say_call("not mapped", syscall(SYS_remap_file_pages, 0x10000, PAGE, 0, 0, 0));
    char *private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    say_call("private", syscall(SYS_remap_file_pages, private, PAGE, 0, 0, 0));
}

static int faults(void) {
    char *at = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    MUST(ftruncate(fd, PAGE + 10));
    say("behind the end, in the last page", "%d", at[PAGE + 100]);
    return at[3 * PAGE];
}

static void states(void) {
    MUST(ftruncate(fd, 0));
    MUST(ftruncate(fd, 4 * PAGE));
    MUST(pwrite(fd, "x", 1, 2 * PAGE));
    char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    say_there("a file's pages", at, 4);
    char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    private[0] = 'p';
    say_there("a private mapping's", private, 4);
    say_call("mincore of nothing", mincore(at, 0, NULL));
    unsigned char one;
    say_call("mincore of an odd address", mincore(at + 1, PAGE, &one));
    say_call("mincore to a bad address", mincore(at, PAGE, (unsigned char *)8));
    say_call("mincore beyond user memory", mincore((void *)(1UL << 62), PAGE, &one));
    at[0] = 'x';
    munmap(at + PAGE, PAGE);
    unsigned char there[4] = {9, 9, 9, 9};
    say_call("mincore over a hole", mincore(at, 4 * PAGE, there));
    say("told before it", "%d", there[0] & 1);
    say_call("msync MS_ASYNC", msync(at, PAGE, MS_ASYNC));
    say_call("msync MS_SYNC", msync(at, PAGE, MS_SYNC));
    say_call("msync 0", msync(at, PAGE, 0));
    say_call("msync both", msync(at, PAGE, MS_SYNC | MS_ASYNC));
    say_call("msync MS_INVALIDATE", msync(at, PAGE, MS_INVALIDATE));
    say_call("msync unknown", msync(at, PAGE, 8));
    say_call("msync over a hole", msync(at, 4 * PAGE, MS_SYNC));
    say_call("msync of a hole", msync(at + PAGE, PAGE, MS_SYNC));
    say_call("msync of nothing there", msync(at + PAGE, 0, MS_SYNC));
    say_call("msync of an odd address", msync(at + 1, 0, MS_SYNC));
    say_call("msync that wraps", msync(at, (size_t)-PAGE, MS_SYNC));
    say_child("behind the end, in the next page", faults);
}

int main(void) {
    fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
    MUST(ftruncate(fd, 4 * PAGE));
    flags();
    protect();
    remap();
    file_pages();
    states();
    return 0;
}
