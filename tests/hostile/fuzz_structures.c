// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Structures for the arguments of random calls, filled with what the calls may accept and a little of what they must not.
#define _GNU_SOURCE
#include "fuzz.h"
#include "sentinel.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

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
        data[i] = (int)(one_in(chance, 10) ? extreme(chance) : descriptor(chance, one_in(chance, 2) ? SOCKET : FD));
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

static uint64_t below(struct chance *chance, uint64_t bound) {
    return random_below(&chance->random, bound);
}

static void epoll_event(struct chance *chance, uint32_t *raw) {
    raw[0] = (uint32_t)(PICK(chance, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, EPOLLRDHUP, 0) |
                        PICK(chance, 0, 0, 1U << 31, 1U << 30, 1U << 28, 1U << 29, random_next(&chance->random)));
    raw[1] = raw[2] = (uint32_t)random_next(&chance->random);
}

static void signal_event(struct chance *chance, uint64_t *raw) {
    raw[0] = random_next(&chance->random);
    ((int *)raw)[2] = (int)PICK(chance, SIGUSR1, SIGUSR2, SIGURG, SIGRTMIN, 0, 65);
    ((int *)raw)[3] = (int)PICK(chance, 0, 0, 1, 1, 4, 2, 99);
    ((int *)raw)[4] = (int)PICK(chance, (uint64_t)getpid(), 0, 1, random_next(&chance->random));
}

static void clone_arguments(struct chance *chance, uint64_t *raw) {
    memset(raw, 0, 88);
    raw[0] = PICK(chance, 0, 0, 0x400, 0x200, 0x1000, 0x100000, 0x200000, 0x1000000, 0x8000, few_bits(chance)) &
             ~0x80000100UL & ~0x00014000UL; // no memory in common, no vfork, no thread
    raw[1] = raw[2] = raw[3] = pointer(chance);
    raw[4] = PICK(chance, SIGCHLD, SIGCHLD, 0, SIGUSR1, 70);
    if (one_in(chance, 8)) {
        raw[8] = pointer(chance);
        raw[9] = below(chance, 3);
    }
}

static void futex_waiters(struct chance *chance, uint64_t *raw) {
    for (int i = 0; i < 16; i++) {
        uint64_t at = value_make(chance, WORD);
        raw[3 * i] = one_in(chance, 2) ? 0 : one_in(chance, 2) ? 1 : random_next(&chance->random);
        raw[3 * i + 1] = at;
        raw[3 * i + 2] = one_in(chance, 16) ? random_next(&chance->random) : PICK(chance, 2, 2, 130);
    }
}

static void file_lock(struct chance *chance, struct flock *lock) {
    *lock = (struct flock){.l_type = (short)PICK(chance, F_RDLCK, F_WRLCK, F_WRLCK, F_UNLCK, 7),
                           .l_whence = (short)PICK(chance, 0, 0, 0, 1, 2, 3),
                           .l_start = (off_t)(one_in(chance, 10) ? extreme(chance) : below(chance, 100)),
                           .l_len = (off_t)(one_in(chance, 10) ? extreme(chance) : below(chance, 20)),
                           .l_pid = one_in(chance, 10)};
}

static void sched_attributes(struct chance *chance, uint32_t *raw) {
    memset(raw, 0, 64);
    raw[0] = (uint32_t)(one_in(chance, 8) ? extreme(chance) : PICK(chance, 48, 56));
    raw[1] = (uint32_t)PICK(chance, 0, 3, 5, 1, 2, 6);
    raw[2] = (uint32_t)PICK(chance, 0, 0, 1, few_bits(chance));
    raw[4] = (uint32_t)below(chance, 20);
    raw[5] = (uint32_t)PICK(chance, 0, 0, 1, 99);
}

static void words_fill(struct chance *chance, uint64_t *raw, unsigned count, uint64_t bound) {
    for (unsigned i = 0; i < count; i++) {
        raw[i] = one_in(chance, 12) ? extreme(chance) : below(chance, bound);
    }
}

static void times_fill(struct chance *chance, uint64_t *raw) {
    words_fill(chance, raw, 4, 1000000);
    for (int i = 1; i < 4 && one_in(chance, 4); i += 2) {
        raw[i] = PICK(chance, UTIME_NOW, UTIME_OMIT, 1000000000);
    }
}

static void numbers_fill(struct chance *chance, uint32_t *raw, uint64_t bound) {
    for (int i = 0; i < 16; i++) {
        raw[i] = (uint32_t)(one_in(chance, 12) ? extreme(chance) : below(chance, bound));
    }
}

static void information_fill(struct chance *chance, int *raw) {
    memset(raw, 0, 128);
    raw[0] = (int)value_make(chance, SIGNAL);
    raw[2] = (int)PICK(chance, -1UL, -1UL, -3UL, -60UL, 0, -6UL, 128, random_next(&chance->random));
    raw[4] = getpid();
}

static void fill(struct chance *chance, enum kind kind, char *raw) {
    uint64_t *words = (uint64_t *)raw;
    switch (kind) {
    case EPOLL_EVENT: epoll_event(chance, (uint32_t *)raw); break;
    case SIGEVENT: signal_event(chance, words); break;
    case SIGINFO: information_fill(chance, (int *)raw); break;
    case HOW:
        words[0] = value_make(chance, OPENING);
        words[1] = (words[0] & O_CREAT) ? 0644 : 0;
        words[2] = one_in(chance, 2) ? 0 : below(chance, 64);
        break;
    case CLONE_ARGS: clone_arguments(chance, words); break;
    case WAITERS: futex_waiters(chance, words); break;
    case CAP_HEADER:
        ((uint32_t *)raw)[0] = (uint32_t)PICK(chance, 0x20080522, 0x20080522, 0x20071026, 0x19980330, 0);
        ((uint32_t *)raw)[1] = (uint32_t)PICK(chance, 0, (uint64_t)getpid(), 1, -1UL);
        break;
    case CAP_DATA:
        for (int i = 0; i < 6; i++) {
            ((uint32_t *)raw)[i] = one_in(chance, 3) ? (uint32_t)random_next(&chance->random) : i % 3 == 2 ? 0 : ~0U;
        }
        break;
    case SCHED_PARAM: *(int *)raw = (int)PICK(chance, 0, 0, 1, 50, 100, -1UL); break;
    case SCHED_ATTR: sched_attributes(chance, (uint32_t *)raw); break;
    case LIMIT: // never so low that the worker is of no more use
        words[0] = PICK(chance, 64 << 20, 256 << 20, ~0UL, 1 << 20);
        words[1] = PICK(chance, 256 << 20, ~0UL, ~0UL, 64 << 20);
        break;
    case NODES:
        memset(raw, 0, 4096);
        words[0] = PICK(chance, 0, 1, 1, 1, 1, 2, 3, random_next(&chance->random));
        words[1] = one_in(chance, 8);
        break;
    case CPUS: words[0] = one_in(chance, 4) ? random_next(&chance->random) : 255; break;
    case INTERVAL:
        *(struct itimerval *)raw = (struct itimerval){{0, (long)below(chance, 3) * 2000},
                                                      {0, (long)below(chance, 5) * 1000}};
        break;
    case TIMES: times_fill(chance, words); break;
    case TIMEX:
        memset(raw, 0, sizeof(struct timex));
        ((struct timex *)raw)->modes = (unsigned)PICK(chance, 0, 0, 0x8001, few_bits(chance));
        break;
    case FD_SETS: memset(raw, one_in(chance, 2) ? 0 : (int)random_next(&chance->random), 128); break;
    case IDS: numbers_fill(chance, (uint32_t *)raw, 2000); break;
    case ROBUST:
        words[0] = one_in(chance, 2) ? (uint64_t)raw : pointer(chance);
        words[1] = one_in(chance, 4) ? extreme(chance) : below(chance, 64);
        words[2] = one_in(chance, 2) ? 0 : pointer(chance);
        break;
    case QUEUE_ATTR:
        words[0] = one_in(chance, 2) ? 0 : O_NONBLOCK;
        words[1] = 1 + below(chance, 10);
        words[2] = 1 + below(chance, 100);
        words[3] = 0;
        break;
    case FLOCK: file_lock(chance, (struct flock *)raw); break;
    case FILE_OWNER:
        ((int *)raw)[0] = (int)below(chance, 4);
        ((int *)raw)[1] = (int)value_make(chance, PROCESS);
        break;
    case SETTINGS:
        if (one_in(chance, 2)) {
            ioctl((int)descriptor(chance, FD_TERMINAL), TCGETS, raw);
            ((uint32_t *)raw)[below(chance, 4)] ^= (uint32_t)few_bits(chance);
            raw[17 + below(chance, 19)] = (char)random_next(&chance->random);
        }
        break;
    case NUMBER_IN:
    case WINDOW_SIZE: numbers_fill(chance, (uint32_t *)raw, 3); break;
    default: break;
    }
}

uint64_t structure_make(struct chance *chance, enum kind kind) {
    switch (kind) {
    case ACTION: return action(chance);
    case VECTORS: return vectors(chance);
    case POLLS: return polls(chance);
    case STRINGS: return strings(chance);
    case SOCKET_NAME: return socket_name(chance);
    case MESSAGE: return messages(chance, 1);
    case MESSAGES: return messages(chance, 4);
    case SEM_OPS: return operations(chance);
    case IPC_MESSAGE: return ipc_message(chance);
    default: break;
    }
    if (one_in(chance, 12)) {
        return bad_pointer(chance);
    }
    if ((kind == QUEUE_ATTR || kind == SIGEVENT || kind == TIMES || kind == FD_SETS) && one_in(chance, 3)) {
        return 0;
    }
    char *raw = plain(chance);
    fill(chance, kind, raw);
    return (uint64_t)raw;
}
