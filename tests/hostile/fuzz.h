// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the parts of the random system-call tester share: the table of calls (fuzz_calls.c), of the commands of calls with
// many (fuzz_commands.c) and of sequences of calls (fuzz_sequences.c); the values of arguments (fuzz_values.c,
// fuzz_structures.c, fuzz_descriptors.c); the workers and their judge (fuzz.c).
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
    USER_ID,
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
    FIXED,       // the call's own value
    POINTER,     // memory that is read or written, or a number
    SMALL,       // a length of a few bytes
    SMALL_COMMAND,
    SMALL_SIZE, // of a structure that is written
    FD_EPOLL,   // descriptors of a sort (fuzz_descriptors.c), or any
    FD_TIMER,
    FD_SIGNAL,
    FD_PROCESS,
    FD_MEMORY,
    FD_QUEUE,
    FD_PIPE,
    FD_TERMINAL,
    FD_NAMESPACE,
    OPENING_FEW, // O_CLOEXEC, O_NONBLOCK and their kin
    CLONING,     // CLONE_*
    CLOSING,     // CLOSE_RANGE_*
    MOUNTING,    // MS_*
    MOUNT_DATA,
    BARRIER, // MEMBARRIER_CMD_*
    ARCH,    // ARCH_*
    PRIORITY,
    DEADLINE, // a point of the wall clock, now or soon
    EXECUTABLE,
    QUEUE_NAME,
    QUEUE_ATTR,
    EPOLL_EVENT,
    SIGEVENT,
    SIGINFO,
    HOW, // struct open_how
    HOW_SIZE,
    CLONE_ARGS, // never with memory in common: the child would have no stack of its own
    CLONE_SIZE,
    WAITERS, // struct futex_waitv list
    CAP_HEADER,
    CAP_DATA,
    SCHED_PARAM,
    SCHED_ATTR,
    LIMIT, // struct rlimit
    CPUS,
    INTERVAL, // struct itimerval of a short time
    TIMES,    // of a file
    TIMEX,
    FD_SETS,
    IDS, // list of 32-bit numbers
    ROBUST,
    ROBUST_SIZE,
    SOCKET_LEVEL,
    FLOCK,       // struct flock
    FILE_OWNER,  // struct f_owner_ex
    SETTINGS,    // struct termios, read or written
    WINDOW_SIZE, // struct winsize
    NUMBER_IN,   // address of a small int
    POLICY,      // MPOL_* with its flags
    NODES,       // mask of memory nodes: the one, or any
    NODE_BITS,   // length of it
};

struct chance;

// A call, a command of a call, or a sequence of calls.
struct call {
    int number;
    const char *name;
    int weight;           // 10 is usual; 1 for what ends or replaces the worker
    const char *root_not; // why root leaves it out: it must not harm the judge by what root may do. NULL: it does not
    uint64_t fixed;       // value of FIXED
    long (*sequence)(struct chance *chance); // instead of the call; what it returns is tallied
    enum kind kinds[6];
};

extern const struct call calls_plain[], calls_commands[], calls_sequences[];
extern const int calls_plain_count, calls_commands_count, calls_sequences_count;

// Why a call of the table cannot succeed. NULL: it can.
const char *call_unsuccessful(const char *name);

// Compares the table with the calls that the system has. Prints what is missing and returns how much.
int table_check(void);

// A worker's random state and its surroundings.
struct chance {
    uint64_t random;
    bool root;
};

// Makes the areas that arguments point into. Once a worker.
void values_prepare(void);

// A value for an argument.
uint64_t value_make(struct chance *chance, enum kind kind);

// Structures: value_make's second half. Returns a pointer, mostly a good one.
uint64_t structure_make(struct chance *chance, enum kind kind);

// Opens a file of each sort at its number, 20 to DESCRIPTORS_END, instead of what is there; and a child that waits. Once a
// worker, and again now and then.
enum { DESCRIPTORS_END = 64 };
void descriptors_prepare(bool root);

// A descriptor of the sort; FD: of any.
uint64_t descriptor(struct chance *chance, enum kind kind);

// The child that waits, or 0.
int waiting_child(void);

// Makes a few calls by chance, none that makes processes.
void calls_few(struct chance *chance);

// Words for futexes that all workers share. Made by the judge.
extern volatile int *shared_words;

// ---- Of the makers of values ----

#define AREA_SIZE (256 << 10)
#define PAGE      4096

uint64_t pick(struct chance *chance, const uint64_t *list, unsigned count);
#define PICK(chance, ...) \
    pick(chance, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))
bool one_in(struct chance *chance, unsigned n);
uint64_t extreme(struct chance *chance);
char *plain(struct chance *chance); // memory that holds at least 4 KiB; 16-byte aligned
uint64_t bad_pointer(struct chance *chance);
uint64_t pointer(struct chance *chance);
uint64_t few_bits(struct chance *chance);

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
