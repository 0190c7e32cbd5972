// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Values for the arguments of random calls: plausible ones, extremes, and pointers of every bad sort.
#define _GNU_SOURCE
#include "fuzz.h"
#include "sentinel.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { AREA = 256 << 10, PAGE = 4096 };

// Good memory; its last page is followed by nothing. Calls write into it freely.
static char *good;
static char *read_only, *no_rights;
static volatile int word[4];

static void handler(int signal) {
    (void)signal;
}

static void handler_information(int signal, siginfo_t *information, void *context) {
    (void)signal;
    (void)information;
    (void)context;
}

static void restorer(void) {
    __asm__ volatile("mov $15, %eax; syscall");
}

// Pairs of each type at the numbers that a socket argument mostly is.
static void sockets_prepare(void) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, types[i] | SOCK_NONBLOCK, 0, ends) == 0) {
            for (int k = 0; k < 2; k++) {
                dup2(ends[k], 20 + 2 * i + k);
                close(ends[k]);
            }
        }
    }
    // A listener with a client, and a fresh one.
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path + 1, 30, "fuzz-%d", (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0),
        client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&name, 20) == 0 && listen(listener, 5) == 0) {
        connect(client, (struct sockaddr *)&name, 20);
    }
    dup2(listener, 26);
    dup2(client, 27);
    close(listener);
    close(client);
}

void values_prepare(void) {
    good = mmap(NULL, AREA + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(good + AREA, PAGE);
    read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    no_rights = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sockets_prepare();
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static uint64_t pick(struct chance *chance, const uint64_t *list, size_t count) {
    return list[random_below(&chance->random, count)];
}

#define PICK(chance, ...) \
    pick(chance, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static bool one_in(struct chance *chance, unsigned n) {
    return random_below(&chance->random, n) == 0;
}

static uint64_t extreme(struct chance *chance) {
    return PICK(chance, 0, 1, -1UL, 0x7fffffff, 0x80000000, 0xffffffff, 1UL << 32, 0x7fffffffffffffff, 1UL << 63,
                -4096UL, 4095, 4097, 0x100000, 1UL << 46, 0xdeadbeefcafef00d);
}

// Memory that holds at least 4 KiB; 16-byte aligned.
static char *plain(struct chance *chance) {
    return good + random_below(&chance->random, (AREA - 8192) / 16) * 16;
}

static uint64_t bad_pointer(struct chance *chance) {
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

static uint64_t pointer(struct chance *chance) {
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
    // Root must not reach the judge and the sentinel: no -1, and no process that is not its own.
    if (chance->root) {
        return PICK(chance, 0, (uint64_t)getpid(), -(uint64_t)getpid(), 999999, 0x7fffffff, 0x80000000);
    }
    return PICK(chance, 0, 1, -1UL, (uint64_t)getpid(), -(uint64_t)getpid(), (uint64_t)getppid(), 2, 3, 4, 5, 999999,
                0x7fffffff, 0x80000000, 0xffffffff);
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

static uint64_t operations(struct chance *chance) {
    struct {
        uint16_t number;
        int16_t change, flags;
    } *list = (void *)plain(chance);
    for (int i = 0; i < 16; i++) {
        list[i].number = (uint16_t)(one_in(chance, 20) ? extreme(chance) : random_below(&chance->random, 4));
        list[i].change = (int16_t)(one_in(chance, 10) ? extreme(chance) : random_below(&chance->random, 5) - 2);
        list[i].flags = (int16_t)PICK(chance, 0, 04000, 0x1000, 0x1000 | 04000, 04000);
    }
    return one_in(chance, 10) ? bad_pointer(chance) : (uint64_t)list;
}

// A type, or attributes of a queue: small numbers.
static uint64_t ipc_message(struct chance *chance) {
    uint64_t *words = (uint64_t *)plain(chance);
    for (int i = 0; i < 8; i++) {
        words[i] = one_in(chance, 10) ? extreme(chance) : 1 + random_below(&chance->random, 12);
    }
    return one_in(chance, 10) ? bad_pointer(chance) : (uint64_t)words;
}

static uint64_t vectors(struct chance *chance) {
    struct iovec *list = (struct iovec *)plain(chance);
    for (int i = 0; i < 8; i++) {
        list[i].iov_base = (void *)pointer(chance);
        list[i].iov_len = one_in(chance, 8) ? extreme(chance) : random_below(&chance->random, 3000);
    }
    return one_in(chance, 10) ? bad_pointer(chance) : (uint64_t)list;
}

static uint64_t polls(struct chance *chance) {
    struct pollfd *list = (struct pollfd *)plain(chance);
    for (int i = 0; i < 16; i++) {
        list[i] = (struct pollfd){(int)random_below(&chance->random, 40) - 2, (short)random_next(&chance->random), 0};
    }
    return one_in(chance, 10) ? bad_pointer(chance) : (uint64_t)list;
}

static uint64_t strings(struct chance *chance) {
    char **list = (char **)plain(chance);
    int count = (int)random_below(&chance->random, 6);
    for (int i = 0; i < count; i++) {
        list[i] = one_in(chance, 8) ? (char *)bad_pointer(chance) : (char *)"string";
    }
    list[count] = NULL;
    return one_in(chance, 10) ? bad_pointer(chance) : (uint64_t)list;
}

static uint64_t action(struct chance *chance) {
    uint64_t *raw = (uint64_t *)plain(chance);
    raw[0] = PICK(chance, 0, 1, (uint64_t)handler, (uint64_t)handler, (uint64_t)handler_information, extreme(chance));
    raw[1] = 0x04000000 | PICK(chance, 0, SA_SIGINFO, SA_RESTART, SA_NODEFER, SA_ONSTACK, SA_NOCLDWAIT,
                               random_next(&chance->random));
    raw[2] = one_in(chance, 12) ? extreme(chance) : (uint64_t)restorer;
    raw[3] = random_next(&chance->random) & random_next(&chance->random);
    return one_in(chance, 8) ? bad_pointer(chance) : (uint64_t)raw;
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

static uint64_t few_bits(struct chance *chance) {
    uint64_t bits = 0;
    for (uint64_t n = random_below(&chance->random, 4); n > 0; n--) {
        bits |= 1UL << random_below(&chance->random, 24);
    }
    return one_in(chance, 16) ? extreme(chance) : bits | random_below(&chance->random, 3);
}

static uint64_t socket_number(struct chance *chance) {
    return one_in(chance, 4) ? random_below(&chance->random, 40) : 20 + random_below(&chance->random, 8);
}

static uint64_t socket_name(struct chance *chance) {
    static const char *const names[] = {"a", "s", "d/s", "t", "l", "", "missing/s"};
    char *raw = plain(chance);
    uint16_t family = one_in(chance, 10) ? (uint16_t)random_next(&chance->random) : AF_UNIX;
    memset(raw, 0, 128);
    memcpy(raw, &family, sizeof(family));
    if (one_in(chance, 2)) {
        strcpy(raw + 2, names[random_below(&chance->random, sizeof(names) / sizeof(names[0]))]);
    } else {
        raw[3] = (char)('a' + random_below(&chance->random, 4)); // abstract
    }
    return one_in(chance, 10) ? bad_pointer(chance) : (uint64_t)raw;
}

static uint64_t control(struct chance *chance, uint64_t *out_length) {
    uint64_t *raw = (uint64_t *)plain(chance);
    int *data = (int *)(raw + 2);
    unsigned count = (unsigned)random_below(&chance->random, one_in(chance, 20) ? 260 : 6);
    raw[0] = one_in(chance, 12) ? extreme(chance) : 16 + 4 * count;
    ((int *)raw)[2] = one_in(chance, 20) ? (int)random_next(&chance->random) : SOL_SOCKET;
    ((int *)raw)[3] = one_in(chance, 8) ? (int)random_below(&chance->random, 5) : 1;
    for (unsigned i = 0; i < count; i++) {
        data[i] = (int)(one_in(chance, 10) ? extreme(chance) : socket_number(chance));
    }
    *out_length = one_in(chance, 12) ? extreme(chance) : (16 + 4 * count + 7) / 8 * 8;
    return one_in(chance, 12) ? bad_pointer(chance) : (uint64_t)raw;
}

static void message_fill(struct chance *chance, uint64_t *raw) { // struct msghdr
    raw[0] = one_in(chance, 3) ? socket_name(chance) : 0;
    raw[1] = one_in(chance, 12) ? extreme(chance) : PICK(chance, 3, 4, 6, 110, 128);
    raw[2] = vectors(chance);
    raw[3] = one_in(chance, 16) ? extreme(chance) : random_below(&chance->random, 5);
    raw[4] = raw[5] = 0;
    if (one_in(chance, 2)) {
        raw[4] = control(chance, &raw[5]);
    }
    raw[6] = 0;
}

static uint64_t messages(struct chance *chance, unsigned count) {
    uint64_t *raw = (uint64_t *)plain(chance);
    for (unsigned i = 0; i < count; i++) {
        message_fill(chance, raw + 8 * i);
    }
    return one_in(chance, 12) ? bad_pointer(chance) : (uint64_t)raw;
}

uint64_t value_make(struct chance *chance, enum kind kind) {
    if (kind != NONE && kind != PROCESS && kind != PATH && one_in(chance, 64)) {
        return extreme(chance);
    }
    switch (kind) {
    case NONE: return 0;
    case FD: return one_in(chance, 12) ? extreme(chance) : random_below(&chance->random, 40);
    case FOLDER: return one_in(chance, 3) ? random_below(&chance->random, 40) : (uint64_t)AT_FDCWD;
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
    case USER: return PICK(chance, 0, 1000, 1001, -1UL, 0xffffffff, 5);
    case ADDRESS: return address(chance);
    case PROTECTION: return one_in(chance, 10) ? few_bits(chance) : random_below(&chance->random, 8);
    case MAPPING:
        return one_in(chance, 6) ? few_bits(chance)
                                 : PICK(chance, 0x22, 0x22, 0x32, 0x21, 0x31, 0x02, 0x01, 0x100022, 0x4022);
    case TIME: return short_time(chance);
    case SET: return pointer(chance);
    case SET_SIZE: return one_in(chance, 10) ? extreme(chance) : 8;
    case ACTION: return action(chance);
    case VECTORS: return vectors(chance);
    case COUNT: return random_below(&chance->random, 16);
    case WORD: return one_in(chance, 6) ? bad_pointer(chance) : (uint64_t)&word[random_below(&chance->random, 4)];
    case FUTEX_OPERATION:
        return one_in(chance, 10) ? random_below(&chance->random, 300)
                                  : PICK(chance, 0, 1, 128, 129, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 134, 135, 136,
                                         137, 138, 139, 140, 141, 256 + 9, 256 + 11, 256 + 13);
    case IOCTL:
        return one_in(chance, 4) ? random_next(&chance->random)
                                 : PICK(chance, 0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5406, 0x5407, 0x5408, 0x5409,
                                        0x540a, 0x540b, 0x540c, 0x540d, 0x540e, 0x540f, 0x5410, 0x5411, 0x5412, 0x5413,
                                        0x5414, 0x5419, 0x541a, 0x541b, 0x541d, 0x5420, 0x5421, 0x5422, 0x5423, 0x5424,
                                        0x5425, 0x5427, 0x5428, 0x5429, 0x5437, 0x5441, 0x5450, 0x5451, 0x5452, 0x5456,
                                        0x5457, 0x802c542a, 0x402c542b, 0x402c542c, 0x402c542d, 0x80045430, 0x40045431,
                                        0x40045431, 0x80045432, 0x40045436, 0x80045438, 0x80045439, 0x80045440);
    case PLACE: return one_in(chance, 3) ? pointer(chance) : 0;
    case FCNTL:
        return one_in(chance, 10) ? extreme(chance)
                                  : PICK(chance, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17, 36, 37, 38, 1024,
                                         1025, 1030, 1031, 1032, 1033, 1034, 1035, 1036);
    case CLOCK: return one_in(chance, 6) ? extreme(chance) : random_below(&chance->random, 13);
    case WHENCE: return random_below(&chance->random, 6);
    case RESOURCE: return random_below(&chance->random, 18);
    case POLLS: return polls(chance);
    case STRINGS: return strings(chance);
    case KIND: return (uint64_t)(one_in(chance, 4) ? "nothing" : one_in(chance, 2) ? "tmpfs" : "proc");
    case ATTRIBUTE:
        return (uint64_t)PICK(chance, (uint64_t) "trusted.a", (uint64_t) "trusted.b", (uint64_t) "security.c",
                              (uint64_t) "security.capability", (uint64_t) "user.d", (uint64_t) "nothing");
    case STACK: return pointer(chance);
    case SOCKET: return one_in(chance, 16) ? extreme(chance) : socket_number(chance);
    case FAMILY: return one_in(chance, 8) ? random_below(&chance->random, 50) : 1;
    case SOCKET_TYPE:
        return one_in(chance, 8) ? few_bits(chance)
                                 : PICK(chance, 1, 2, 5, 1 | 04000, 2 | 04000, 5 | 04000, 3, 1 | 04000 | 02000000);
    case SOCKET_NAME: return socket_name(chance);
    case NAME_LENGTH: return one_in(chance, 8) ? extreme(chance) : PICK(chance, 2, 3, 4, 6, 8, 110);
    case MESSAGE_FLAGS:
        return one_in(chance, 4) ? few_bits(chance)
                                 : PICK(chance, 0x40, 0x42, 0x41, 0x60, 0x140, 0x4040, 0x40000040, 0x10040);
    case MESSAGE: return messages(chance, 1);
    case MESSAGES: return messages(chance, 4);
    case OPTION: return one_in(chance, 8) ? extreme(chance) : random_below(&chance->random, 76);
    case TIMER: return short_timer(chance);
    case IPC_KEY: return one_in(chance, 8) ? extreme(chance) : random_below(&chance->random, 6);
    case IPC_FLAGS: return one_in(chance, 8) ? few_bits(chance) : PICK(chance, 01600, 01666, 0, 03600, 01000, 0600);
    case IPC_ID:
        return one_in(chance, 10) ? extreme(chance)
                                  : random_below(&chance->random, 12) |
                                        (one_in(chance, 3) ? random_below(&chance->random, 3) << 15 : 0);
    case IPC_COMMAND: return one_in(chance, 10) ? extreme(chance) : random_below(&chance->random, 22);
    case SEM_OPS: return operations(chance);
    case IPC_MESSAGE: return ipc_message(chance);
    case ADVICE: return one_in(chance, 10) ? extreme(chance) : random_below(&chance->random, 27);
    }
    return 0;
}
