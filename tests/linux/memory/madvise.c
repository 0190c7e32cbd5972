// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Every advice of madvise: what it does, on which mappings it is refused, holes, and what comes before what.
#include "testing.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif
#ifndef MADV_COLD
#define MADV_COLD    20
#define MADV_PAGEOUT 21
#endif

static const struct {
    const char *name;
    int advice;
} all[] = {
    {"MADV_NORMAL", MADV_NORMAL},
    {"MADV_RANDOM", MADV_RANDOM},
    {"MADV_SEQUENTIAL", MADV_SEQUENTIAL},
    {"MADV_WILLNEED", MADV_WILLNEED},
    {"MADV_DONTNEED", MADV_DONTNEED},
    {"MADV_FREE", MADV_FREE},
    {"MADV_REMOVE", MADV_REMOVE},
    {"MADV_DONTFORK", MADV_DONTFORK},
    {"MADV_DOFORK", MADV_DOFORK},
    {"MADV_MERGEABLE", MADV_MERGEABLE},
    {"MADV_UNMERGEABLE", MADV_UNMERGEABLE},
    {"MADV_HUGEPAGE", MADV_HUGEPAGE},
    {"MADV_NOHUGEPAGE", MADV_NOHUGEPAGE},
    {"MADV_DONTDUMP", MADV_DONTDUMP},
    {"MADV_DODUMP", MADV_DODUMP},
    {"MADV_WIPEONFORK", MADV_WIPEONFORK},
    {"MADV_KEEPONFORK", MADV_KEEPONFORK},
    {"MADV_COLD", MADV_COLD},
    {"MADV_PAGEOUT", MADV_PAGEOUT},
    {"MADV_POPULATE_READ", MADV_POPULATE_READ},
    {"MADV_POPULATE_WRITE", MADV_POPULATE_WRITE},
    {"MADV_DONTNEED_LOCKED", MADV_DONTNEED_LOCKED},
    {"MADV_COLLAPSE", MADV_COLLAPSE},
    {"5", 5},
    {"26", 26},
    {"-1", -1},
};

static int fd;

static char *area(int prot, int flags) {
    void *at = mmap(NULL, 4 * PAGE, prot, flags, flags & MAP_ANONYMOUS ? -1 : fd, 0);
    if (at == MAP_FAILED) {
        say("set-up failed", "%s", error_name(errno));
        _exit(98);
    }
    return at;
}

static void kinds(void) {
    static const struct {
        const char *name;
        int prot, flags;
        bool locked;
    } maps[] = {
        {"private", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, false},
        {"private read-only", PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, false},
        {"private without rights", PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, false},
        {"private locked", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, true},
        {"shared", PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, false},
        {"shared read-only", PROT_READ, MAP_SHARED | MAP_ANONYMOUS, false},
        {"file", PROT_READ | PROT_WRITE, MAP_SHARED, false},
        {"file locked", PROT_READ | PROT_WRITE, MAP_SHARED, true},
        {"private file", PROT_READ | PROT_WRITE, MAP_PRIVATE, false},
    };
    char name[80];
    for (size_t m = 0; m < COUNT(maps); m++) {
        for (size_t i = 0; i < COUNT(all); i++) {
            char *at = area(maps[m].prot, maps[m].flags);
            if (maps[m].locked) {
                MUST(mlock(at, 4 * PAGE));
            }
            snprintf(name, sizeof(name), "%s, %s", maps[m].name, all[i].name);
            say_call(name, madvise(at, 2 * PAGE, all[i].advice));
            munmap(at, 4 * PAGE);
        }
    }
}

static void ranges(void) {
    char *at = area(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    memset(at, 'x', 4 * PAGE);
    munmap(at + PAGE, PAGE);
    say_call("a hole: MADV_DONTNEED", madvise(at, 4 * PAGE, MADV_DONTNEED));
    say("what is behind the hole", "%d", at[2 * PAGE]);
    say_call("a hole: MADV_DONTFORK", madvise(at, 4 * PAGE, MADV_DONTFORK));
    say_call("a hole: MADV_POPULATE_READ", madvise(at, 4 * PAGE, MADV_POPULATE_READ));
    say_call("a hole first: MADV_POPULATE_WRITE", madvise(at + PAGE, PAGE, MADV_POPULATE_WRITE));
    say_call("length of one byte", madvise(at, 1, MADV_DONTNEED));
    say_call("length 0", madvise(at, 0, MADV_DONTNEED));
    say_call("length 0, odd address", madvise(at + 1, 0, MADV_DONTNEED));
    say_call("length 0, unknown advice", madvise(at, 0, 77));
    say_call("length that wraps", madvise(at, (size_t)-1, MADV_DONTNEED));
    say_call("length that becomes 0", madvise(at, (size_t)-PAGE + 1, MADV_DONTNEED));
    say_call("end that wraps", madvise(at, (size_t)-PAGE, MADV_DONTNEED));
    mprotect(at + 2 * PAGE, PAGE, PROT_NONE);
    say_call("MADV_POPULATE_READ over one without rights", madvise(at + 2 * PAGE, 2 * PAGE, MADV_POPULATE_READ));
    mprotect(at + 2 * PAGE, PAGE, PROT_READ);
    say_call("MADV_POPULATE_WRITE of one to read", madvise(at + 2 * PAGE, PAGE, MADV_POPULATE_WRITE));
    MUST(ftruncate(fd, PAGE));
    char *file = area(PROT_READ | PROT_WRITE, MAP_SHARED);
    say_call("MADV_POPULATE_READ behind the end of the file", madvise(file, 2 * PAGE, MADV_POPULATE_READ));
    MUST(ftruncate(fd, 4 * PAGE));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        MUST(setresuid(1000, 1000, 1000));
        say_call("MADV_HWPOISON, plain user", madvise(at, PAGE, MADV_HWPOISON));
        say_call("MADV_SOFT_OFFLINE, plain user", madvise(at, PAGE, MADV_SOFT_OFFLINE));
        _exit(0);
    }
    reap(pid);
}

static void populated(void) {
    unsigned char there[4];
    char *at = area(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    MUST(mincore(at, 4 * PAGE, there));
    say("fresh memory", "%d%d%d%d", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1);
    MUST(madvise(at + PAGE, 2 * PAGE, MADV_POPULATE_WRITE));
    MUST(mincore(at, 4 * PAGE, there));
    say("populated", "%d%d%d%d", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1);
    MUST(madvise(at, 2 * PAGE, MADV_DONTNEED));
    MUST(mincore(at, 4 * PAGE, there));
    say("given back", "%d%d%d%d", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1);
}

static void removed(void) {
    MUST(pwrite(fd, "abcd", 4, PAGE));
    char *at = area(PROT_READ | PROT_WRITE, MAP_SHARED);
    say("before", "%.4s", at + PAGE);
    struct stat before, after;
    MUST(fstat(fd, &before));
    say_call("MADV_REMOVE of a page of a file", madvise(at + PAGE, PAGE, MADV_REMOVE));
    MUST(fstat(fd, &after));
    say("after", "%d, size kept %d, blocks fewer %d", at[PAGE], before.st_size == after.st_size,
        (int)(before.st_blocks - after.st_blocks));
    char *shared = area(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    shared[PAGE] = 's';
    MUST(madvise(shared + PAGE, PAGE, MADV_REMOVE));
    say("shared memory", "%d", shared[PAGE]);
    int reader = MUST(open("f", O_RDONLY));
    void *read_only = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    say_call("MADV_REMOVE by a reader", madvise(read_only, PAGE, MADV_REMOVE));
}

static int child_looks(char *at) {
    return at[0] == 'x' ? 1 : at[0] == 0 ? 2 : 3;
}

static void say_in_child(const char *name, char *at) {
    pid_t pid = MUST(fork());
    if (pid == 0) {
        _exit(child_looks(at));
    }
    int status = reap(pid);
    say(name, "%s",
        WIFSIGNALED(status)        ? status_text(status)
        : WEXITSTATUS(status) == 1 ? "is there"
        : WEXITSTATUS(status) == 2 ? "is zeros"
                                   : "?");
}

static void forks(void) {
    char *at = area(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    memset(at, 'x', 4 * PAGE);
    say_in_child("in a child", at);
    MUST(madvise(at, PAGE, MADV_WIPEONFORK));
    say_in_child("MADV_WIPEONFORK", at);
    say_in_child("the page behind it", at + PAGE);
    say("in the parent", "%c", at[0]);
    MUST(madvise(at, PAGE, MADV_KEEPONFORK));
    say_in_child("MADV_KEEPONFORK", at);
    MUST(madvise(at, PAGE, MADV_DONTFORK));
    say_in_child("MADV_DONTFORK", at);
    MUST(madvise(at, PAGE, MADV_DOFORK));
    say_in_child("MADV_DOFORK", at);
    char *shared = area(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    shared[0] = 'x';
    MUST(madvise(shared, PAGE, MADV_DONTFORK));
    say_in_child("shared, MADV_DONTFORK", shared);
}

int main(void) {
    fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
    MUST(ftruncate(fd, 4 * PAGE));
    kinds();
    ranges();
    populated();
    removed();
    forks();
    return 0;
}
