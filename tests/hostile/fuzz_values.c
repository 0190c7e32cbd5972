// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Values for the arguments of random calls: plausible ones, extremes, and pointers of every bad sort.
#define _GNU_SOURCE
#include "fuzz.h"
#include "sentinel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { AREA = AREA_SIZE };

// Good memory; its last page is followed by nothing. Calls write into it freely.
static char *good;
static char *read_only, *no_rights;
static volatile int word[4];
volatile int *shared_words;

void values_prepare(void) {
    good = mmap(NULL, AREA + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(good + AREA, PAGE);
    read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    no_rights = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

uint64_t pick(struct chance *chance, const uint64_t *list, unsigned count) {
    return list[random_below(&chance->random, count)];
}

bool one_in(struct chance *chance, unsigned n) {
    return random_below(&chance->random, n) == 0;
}

uint64_t extreme(struct chance *chance) {
    return PICK(chance, 0, 1, -1UL, 0x7fffffff, 0x80000000, 0xffffffff, 1UL << 32, 0x7fffffffffffffff, 1UL << 63,
                -4096UL, 4095, 4097, 0x100000, 1UL << 46, 0xdeadbeefcafef00d);
}

char *plain(struct chance *chance) {
    return good + random_below(&chance->random, (AREA - 8192) / 16) * 16;
}

uint64_t bad_pointer(struct chance *chance) {
    switch (random_below(&chance->random, 8)) {
    case 0: return (uint64_t)good + AREA - random_below(&chance->random, 64);
    case 1: return (uint64_t)plain(chance) + 1 + random_below(&chance->random, 14);
    case 2: return (uint64_t)read_only + random_below(&chance->random, PAGE);
    case 3: return (uint64_t)no_rights + random_below(&chance->random, PAGE);
    case 4: return 0;
    default:
        return PICK(chance, 8, 0xffff800000000000, 0xffffffff80000000, 0xffffffff80100000, 0x8000000000000000, -1UL,
                    -8UL, -4096UL, 0x7ffffffff000, 0x7fffffffefff, 0x7ffffffffff8, 0x10000, 0x800000000000);
    }
}

uint64_t pointer(struct chance *chance) {
    return one_in(chance, 4) ? bad_pointer(chance) : (uint64_t)plain(chance);
}

static uint64_t path(struct chance *chance) {
    static const char *const inside[] = {"a",        "b", "c",         "d",     "d/a",       "d/b", "d/d",
                                         "d/d/a",    "l", "l/a",       "fifo",  "a/",        "d/.", ".",
                                         "./d/../a", "",  "missing/x", "d/e/f", "self-loop", "a/b"};
    static const char *const harmless[] = {"/proc/self/stat", "/proc/self/maps", "/proc/self/fd/3", "/proc/self/exe",
                                           "/proc/1/status",  "/proc/meminfo",   "/proc/mounts",    "/proc/self/fd",
                                           "/dev/ptmx",       "/dev/ptmx",       "/dev/pts/0",      "/dev/pts/1",
                                           "/dev/pts/2",      "/dev/pts",        "/proc/self/fd/5", "/dev/tty"};
    if (one_in(chance, 16)) {
        char *link = plain(chance);
        snprintf(link, 60, one_in(chance, 2) ? "/proc/self/fd/%d" : "/proc/self/fdinfo/%d",
                 (int)random_below(&chance->random, DESCRIPTORS_END));
        return (uint64_t)link;
    }
    static const char *const outside[] = {
        "/",    "..",     "/dev/null", "/dev/zero", "/dev/full",     "/dev/urandom", "/tmp",        "/proc",
        "/dev", "/tests", "/dev/tty",  "/init",     "/tmp/sentinel", "../../..",     "/dev/console"};
    char *name = plain(chance);
    if (one_in(chance, 12)) {
        return bad_pointer(chance);
    }
    if (one_in(chance, 20)) {
        // A long name or a long path; without an end where it reaches the edge of memory.
        size_t length = (size_t)PICK(chance, 255, 256, 1000, 4094, 4095, 4096);
        bool slashes = one_in(chance, 2);
        for (size_t i = 0; i < length; i++) {
            // Nothing but slashes is the root folder: root may rightly unmount all from there, and the judge would see nothing more.
            name[i] = !slashes ? 'n' : chance->root && i % 2 == 0 ? '.' : '/';
        }
        name[length] = 0;
        return (uint64_t)name;
    }
    const char *chosen = inside[random_below(&chance->random, sizeof(inside) / sizeof(inside[0]))];
    if (one_in(chance, 8)) {
        chosen = harmless[random_below(&chance->random, sizeof(harmless) / sizeof(harmless[0]))];
    } else if (!chance->root && one_in(chance, 6)) {
        chosen = outside[random_below(&chance->random, sizeof(outside) / sizeof(outside[0]))];
    }
    if (one_in(chance, 10)) {
        name = good + AREA - strlen(chosen) - 1;
    }
    strcpy(name, chosen);
    return (uint64_t)name;
}

static uint64_t process(struct chance *chance) {
    uint64_t child = (uint64_t)waiting_child();
    // Root must not reach the judge and the sentinel: no -1, and no process that is not its own.
    if (chance->root) {
        return PICK(chance, 0, (uint64_t)getpid(), (uint64_t)getpid(), -(uint64_t)getpid(), child, child, 999999,
                    0x7fffffff, 0x80000000);
    }
    return PICK(chance, 0, 1, -1UL, (uint64_t)getpid(), (uint64_t)getpid(), -(uint64_t)getpid(), child, child,
                (uint64_t)getppid(), 2, 3, 4, 5, 999999, 0x7fffffff, 0x80000000, 0xffffffff);
}

static uint64_t signal_number(struct chance *chance) {
    return one_in(chance, 6) ? PICK(chance, 1, 2, 3, 4, 6, 8, 9, 11, 13, 15, 19, 20, 64, 65, -1UL, 33, 40, 0x7fffffff)
                             : PICK(chance, 0, SIGUSR1, SIGUSR2, SIGCHLD, SIGURG, SIGWINCH, SIGCONT, 35);
}

static uint64_t short_time(struct chance *chance) {
    struct timespec *time = (struct timespec *)plain(chance);
    time->tv_sec = 0;
    time->tv_nsec = (long)random_below(&chance->random, 3000000);
    if (one_in(chance, 10)) {
        time->tv_sec = (time_t)extreme(chance);
        // No call that takes a time may then be long: the kernel must refuse it, or the judge ends the worker.
        time->tv_nsec = (long)extreme(chance);
    }
    return one_in(chance, 8) ? bad_pointer(chance) : (uint64_t)time;
}

static uint64_t short_timer(struct chance *chance) {
    struct itimerspec *s = (struct itimerspec *)plain(chance);
    if (one_in(chance, 8)) {
        return pointer(chance);
    }
    *s = (struct itimerspec){{0, (long)random_below(&chance->random, 3) * 2000000},
                             {0, (long)random_below(&chance->random, 5) * 1000000}};
    return (uint64_t)s;
}

static uint64_t address(struct chance *chance) {
    switch (random_below(&chance->random, 10)) {
    case 0: return 0;
    case 1: return extreme(chance);
    case 2: return bad_pointer(chance);
    case 3: return 0x200000000000 + random_below(&chance->random, 64) * PAGE;
    default: return 0x100000000000 + random_below(&chance->random, 24) * PAGE;
    }
}

static uint64_t length(struct chance *chance) {
    return one_in(chance, 8) ? extreme(chance)
                             : PICK(chance, 0, 1, 7, 8, 16, 24, 100, 4095, 4096, 4097, 8192, 20000, 65536, 200000);
}

uint64_t few_bits(struct chance *chance) {
    uint64_t bits = 0;
    for (uint64_t n = random_below(&chance->random, 4); n > 0; n--) {
        bits |= 1UL << random_below(&chance->random, 24);
    }
    return one_in(chance, 16) ? extreme(chance) : bits | random_below(&chance->random, 3);
}

// Of this process, or of all; free, the caller's, a stranger's, or left by the dead.
static uint64_t futex_word(struct chance *chance) {
    volatile int *at = (one_in(chance, 3) ? shared_words : word) + random_below(&chance->random, 4);
    if (one_in(chance, 6)) {
        return bad_pointer(chance);
    }
    if (one_in(chance, 4)) {
        int self = (int)syscall(SYS_gettid);
        *at = (int)PICK(chance, 0, 0, 0, (uint64_t)self, (uint64_t)self | 0x80000000, 0x40000000, 1,
                        random_next(&chance->random));
    }
    return (uint64_t)at;
}

static uint64_t deadline(struct chance *chance) {
    struct timespec *time = (struct timespec *)plain(chance);
    clock_gettime(one_in(chance, 2) ? CLOCK_REALTIME : CLOCK_MONOTONIC, time);
    time->tv_nsec = (time->tv_nsec + (long)random_below(&chance->random, 3000000)) % 1000000000;
    return one_in(chance, 8) ? short_time(chance) : (uint64_t)time;
}

// What may be executed: the worker's copy of a small program, a script, an empty name for a descriptor, or anything.
static uint64_t executable(struct chance *chance) {
    static const char *const names[] = {"x", "x", "x", "script", "", "loop"};
    char *name = plain(chance);
    if (one_in(chance, 4)) {
        return path(chance);
    }
    strcpy(name, names[random_below(&chance->random, sizeof(names) / sizeof(names[0]))]);
    return (uint64_t)name;
}

static uint64_t queue_name(struct chance *chance) {
    static const char *const names[] = {"a", "b", "c", "d"};
    char *name = plain(chance);
    if (one_in(chance, 8)) {
        return path(chance);
    }
    strcpy(name, names[random_below(&chance->random, sizeof(names) / sizeof(names[0]))]);
    return (uint64_t)name;
}

uint64_t value_make(struct chance *chance, enum kind kind) {
    if (kind != NONE && kind != PROCESS && kind != PATH && one_in(chance, 64)) {
        return extreme(chance);
    }
    switch (kind) {
    case NONE: return 0;
    case FD:
    case FD_EPOLL:
    case FD_TIMER:
    case FD_SIGNAL:
    case FD_PROCESS:
    case FD_MEMORY:
    case FD_QUEUE:
    case FD_PIPE:
    case FD_TERMINAL:
    case FD_NAMESPACE:
    case SOCKET: return descriptor(chance, kind);
    case FOLDER: return one_in(chance, 3) ? descriptor(chance, FD) : (uint64_t)AT_FDCWD;
    case PATH: return path(chance);
    case OUT:
    case IN: return pointer(chance);
    case LENGTH: return length(chance);
    case FLAGS: return few_bits(chance);
    case AT: return one_in(chance, 5) ? few_bits(chance) : PICK(chance, 0, 0, 0, 0x100, 0x200, 0x400, 0x800, 0x1000);
    case OPENING:
        return one_in(chance, 4) ? few_bits(chance)
                                 : PICK(chance, 0, O_RDWR, O_WRONLY, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
                                        O_WRONLY | O_TRUNC, O_DIRECTORY, O_PATH, O_RDONLY | O_NONBLOCK,
                                        O_RDWR | O_NONBLOCK | O_CLOEXEC, O_WRONLY | O_APPEND, O_NOFOLLOW);
    case MOVING: return one_in(chance, 10) ? few_bits(chance) : random_below(&chance->random, 8);
    case WAITING:
        return one_in(chance, 8) ? few_bits(chance) : PICK(chance, 1, 1, 3, 5, 7, 9, 0x1000005, 0x40000001, 4, 0);
    case INTEGER: return one_in(chance, 3) ? extreme(chance) : random_below(&chance->random, 70);
    case OFFSET: return one_in(chance, 6) ? extreme(chance) : random_below(&chance->random, 300000);
    case MODE:
        return one_in(chance, 6) ? random_next(&chance->random)
                                 : PICK(chance, 0644, 0755, 0777, 0, 0100644, 0010644, 0020666, 0040755, 04755);
    case SIGNAL: return signal_number(chance);
    case PROCESS: return process(chance);
    case USER_ID: return PICK(chance, 0, 1000, 1001, -1UL, 0xffffffff, 5);
    case ADDRESS: return address(chance);
    case PROTECTION: return one_in(chance, 10) ? few_bits(chance) : random_below(&chance->random, 8);
    case MAPPING:
        return one_in(chance, 6) ? few_bits(chance)
                                 : PICK(chance, 0x22, 0x22, 0x32, 0x21, 0x31, 0x02, 0x01, 0x100022, 0x4022);
    case TIME: return short_time(chance);
    case SET: return pointer(chance);
    case SET_SIZE: return one_in(chance, 10) ? extreme(chance) : 8;
    case COUNT: return random_below(&chance->random, 16);
    case WORD: return futex_word(chance);
    case FUTEX_OPERATION:
        return one_in(chance, 10) ? random_below(&chance->random, 300)
                                  : PICK(chance, 0, 1, 128, 129, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 134, 135, 136,
                                         137, 138, 139, 140, 141, 256 + 9, 256 + 11, 256 + 13);
    case PLACE: return one_in(chance, 3) ? pointer(chance) : 0;
    case CLOCK: return one_in(chance, 6) ? extreme(chance) : random_below(&chance->random, 13);
    case WHENCE: return random_below(&chance->random, 6);
    case RESOURCE: return random_below(&chance->random, 18);
    case KIND: return (uint64_t)(one_in(chance, 4) ? "nothing" : one_in(chance, 2) ? "tmpfs" : "proc");
    case ATTRIBUTE:
        return (uint64_t)PICK(chance, (uint64_t) "trusted.a", (uint64_t) "trusted.b", (uint64_t) "security.c",
                              (uint64_t) "security.capability", (uint64_t) "user.d", (uint64_t) "nothing",
                              (uint64_t) "system.posix_acl_access", (uint64_t) "system.posix_acl_default");
    case STACK: return pointer(chance);
    case FAMILY: return one_in(chance, 8) ? random_below(&chance->random, 50) : 1;
    case SOCKET_TYPE:
        return one_in(chance, 8) ? few_bits(chance)
                                 : PICK(chance, 1, 2, 5, 1 | 04000, 2 | 04000, 5 | 04000, 3, 1 | 04000 | 02000000);
    case NAME_LENGTH: return one_in(chance, 8) ? extreme(chance) : PICK(chance, 2, 3, 4, 6, 8, 110);
    case MESSAGE_FLAGS:
        return one_in(chance, 4) ? few_bits(chance)
                                 : PICK(chance, 0x40, 0x42, 0x41, 0x60, 0x140, 0x4040, 0x40000040, 0x10040);
    case OPTION: return one_in(chance, 8) ? extreme(chance) : random_below(&chance->random, 76);
    case TIMER: return short_timer(chance);
    case IPC_KEY: return one_in(chance, 8) ? extreme(chance) : random_below(&chance->random, 6);
    case IPC_FLAGS: return one_in(chance, 8) ? few_bits(chance) : PICK(chance, 01600, 01666, 0, 03600, 01000, 0600);
    case IPC_ID:
        return one_in(chance, 10) ? extreme(chance)
                                  : random_below(&chance->random, 12) |
                                        (one_in(chance, 3) ? random_below(&chance->random, 3) << 15 : 0);
    case IPC_COMMAND: return one_in(chance, 10) ? extreme(chance) : random_below(&chance->random, 22);
    case ADVICE: return one_in(chance, 10) ? extreme(chance) : random_below(&chance->random, 27);
    case FIXED: return 0; // the caller puts it in
    case POINTER: return one_in(chance, 2) ? pointer(chance) : random_below(&chance->random, 8);
    case SMALL: return one_in(chance, 12) ? extreme(chance) : random_below(&chance->random, 65);
    case SMALL_COMMAND: return one_in(chance, 12) ? few_bits(chance) : random_below(&chance->random, 9);
    case SMALL_SIZE: return one_in(chance, 8) ? extreme(chance) : PICK(chance, 8, 16, 48, 56, 64, 128, 1024, 4096);
    case OPENING_FEW:
        return one_in(chance, 8) ? few_bits(chance) : PICK(chance, 0, O_NONBLOCK, O_CLOEXEC, O_NONBLOCK | O_CLOEXEC, 1);
    case CLONING:
        return one_in(chance, 3) ? few_bits(chance)
                                 : PICK(chance, 0, SIGCHLD, 0x200, 0x400, 0x600, 0x40000, 0x1000, 0x8000, 0x80000000,
                                        0x100000 | SIGCHLD, 0x200000, 0x1000000 | SIGCHLD, SIGCHLD, 0x20000, 0x4000000);
    case CLOSING: return one_in(chance, 4) ? few_bits(chance) : PICK(chance, 0, 4, 4, 4, 2, 6);
    case MOUNTING:
        return one_in(chance, 8) ? few_bits(chance)
                                 : PICK(chance, 0, 0, 1, 0x1000, 0x1000, 0x5000, 0x20, 0x1021, 0x2000, 0x20000, 0x40000,
                                        0x80000, 0x100000, 0x80000 | 0x4000, 14);
    case MOUNT_DATA:
        return (uint64_t)PICK(chance, 0, 0, (uint64_t) "size=64k", (uint64_t) "mode=700", (uint64_t) "nr_inodes=9",
                              (uint64_t) "size=,", bad_pointer(chance));
    case POLICY:
        return one_in(chance, 8)
                   ? few_bits(chance)
                   : random_below(&chance->random, 7) | PICK(chance, 0, 0, 0, 0x8000, 0x4000, 0x2000, 0xc000);
    case NODE_BITS:
        return one_in(chance, 8) ? extreme(chance) : PICK(chance, 0, 1, 2, 2, 64, 65, 65, 1025, 4096, 32769);
    case BARRIER: return one_in(chance, 8) ? extreme(chance) : PICK(chance, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256);
    case ARCH:
        return one_in(chance, 8) ? few_bits(chance)
                                 : PICK(chance, 0x1001, 0x1003, 0x1003, 0x1004, 0x1011, 0x1012, 0x1021, 0x1022, 0x1023);
    case PRIORITY: return one_in(chance, 6) ? extreme(chance) : (1 + random_below(&chance->random, 3)) << 13 | 4;
    case DEADLINE: return deadline(chance);
    case EXECUTABLE: return executable(chance);
    case QUEUE_NAME: return queue_name(chance);
    case HOW_SIZE: return one_in(chance, 6) ? length(chance) : 24;
    case CLONE_SIZE: return one_in(chance, 6) ? length(chance) : PICK(chance, 64, 80, 88);
    case ROBUST_SIZE: return one_in(chance, 8) ? extreme(chance) : 24;
    case SOCKET_LEVEL: return one_in(chance, 8) ? few_bits(chance) : 1;
    default: return structure_make(chance, kind);
    }
}
