// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the parts of the random system-call tester share: the table of calls (fuzz_calls.c), the values of arguments
// (fuzz_values.c), the workers and their judge (fuzz.c).
#ifndef TESTS_HOSTILE_FUZZ_H
#define TESTS_HOSTILE_FUZZ_H

#include <stdbool.h>
#include <stdint.h>

// Kinds of arguments. A value is mostly a plausible one of its kind, sometimes an extreme, sometimes one of another
// kind.
enum kind {
    NONE,
    FD,
    FOLDER, // AT_FDCWD or a descriptor
    PATH,
    OUT, // memory that the call writes
    IN,  // memory that the call reads
    LENGTH,
    FLAGS,   // random bits, few of them set
    AT,      // flags of the calls with a folder
    OPENING, // flags of open
    MOVING,  // flags of mremap
    WAITING, // options of the wait calls
    INTEGER, // small, or an extreme
    OFFSET,
    MODE,
    SIGNAL,
    PROCESS,
    USER,
    ADDRESS, // where something is or may be mapped
    PROTECTION,
    MAPPING,
    TIME,     // struct timespec or timeval of a short time
    SET,      // signal set
    SET_SIZE, // 8, or wrong
    ACTION,   // struct sigaction of the kernel
    VECTORS,  // struct iovec list
    COUNT,    // a small count
    WORD,     // futex word
    FUTEX_OPERATION,
    IOCTL,
    PLACE, // the address of an offset, mostly none
    FCNTL,
    CLOCK,
    WHENCE,
    RESOURCE,
    POLLS,     // struct pollfd list
    STRINGS,   // NULL-terminated list of strings
    KIND,      // name of a file system
    ATTRIBUTE, // name of an extended attribute
    STACK,     // struct for sigaltstack
    SOCKET,    // a socket (values_prepare makes some), or any descriptor
    FAMILY,
    SOCKET_TYPE,
    SOCKET_NAME,   // an address
    NAME_LENGTH,   // of it
    MESSAGE_FLAGS, // MSG_*
    MESSAGE,       // struct msghdr with descriptors and credentials
    MESSAGES,      // list of struct mmsghdr
    OPTION,        // SO_*
    TIMER,         // struct itimerspec of short times
    IPC_KEY,
    IPC_FLAGS,   // of the get calls
    IPC_ID,      // number of an IPC object, or an index
    IPC_COMMAND, // of the ctl calls
    SEM_OPS,     // struct sembuf list
    IPC_MESSAGE, // struct msgbuf, or struct mq_attr
    ADVICE,      // of madvise
};

// What a worker may do: root must not harm the judge by what root may do.
struct call {
    int number;
    const char *name;
    int weight;     // 10 is usual; 1 for what ends or replaces the worker
    bool user_only; // only without privilege
    enum kind kinds[6];
};

extern const struct call calls[];
extern const int calls_count;

// A worker's random state and its surroundings.
struct chance {
    uint64_t random;
    bool root;
};

// Makes the areas that arguments point into. Once a worker.
void values_prepare(void);

// A value for an argument.
uint64_t value_make(struct chance *chance, enum kind kind);

// A call with no library in between. Returns what the kernel returned.
static inline long raw_call(long number, const uint64_t *values) {
    register uint64_t r10 __asm__("r10") = values[3];
    register uint64_t r8 __asm__("r8") = values[4];
    register uint64_t r9 __asm__("r9") = values[5];
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(values[0]), "S"(values[1]), "d"(values[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#endif
