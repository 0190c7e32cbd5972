// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The vDSO: the code that the kernel maps into every process for calls that need no kernel. Runs in user mode, in any thread, also in signal handlers; a
// shared object of its own with the names and the version that C libraries look for. What it cannot answer itself it asks by system call.
#include "vdso_data.h"

#include <stdbool.h>

#define NSEC_PER_SEC      1000000000ull
#define SYS_GETTIMEOFDAY  96
#define SYS_TIME          201
#define SYS_CLOCK_GETTIME 228
#define SYS_CLOCK_GETRES  229
#define CPU_SELECTOR      0x7b // its limit is the processor's number

enum { CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_MONOTONIC_RAW = 4, CLOCK_BOOTTIME = 7 };
#define WALL_CLOCKS      (1u << CLOCK_REALTIME)
#define MONOTONIC_CLOCKS (1u << CLOCK_MONOTONIC | 1u << CLOCK_MONOTONIC_RAW | 1u << CLOCK_BOOTTIME)

struct timespec {
    int64_t tv_sec, tv_nsec;
};
struct timeval {
    int64_t tv_sec, tv_usec;
};
struct timezone {
    int tz_minuteswest, tz_dsttime;
};

extern const struct vdso_data vdso_data_page __attribute__((visibility("hidden"))); // vdso.lds
#define data (&vdso_data_page)

int __vdso_clock_gettime(int clock, struct timespec *ts);
int __vdso_clock_getres(int clock, struct timespec *ts);
int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz);
int64_t __vdso_time(int64_t *t);
long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

static long call2(long number, long a, long b) {
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
    return result;
}

static inline uint64_t load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

// The counter, not read before what stands before it.
static inline uint64_t cycles_ordered(void) {
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

// False: ask the kernel.
static inline __attribute__((always_inline)) bool read_clock(enum vdso_clock clock, uint64_t *out_ns) {
    uint32_t sequence;

    do {
        sequence = atomic_load_explicit(&data->sequence, memory_order_acquire);
        if (__builtin_expect(sequence & 1, 0))
            return false;
        uint64_t offset = load(&data->offset[clock]), mult = load(&data->mult), base = load(&data->base_cycles);
        *out_ns = offset + (uint64_t)((unsigned __int128)(cycles_ordered() - base) * mult >> VDSO_SHIFT);
        atomic_thread_fence(memory_order_acquire);
    } while (__builtin_expect(atomic_load_explicit(&data->sequence, memory_order_relaxed) != sequence, 0));
    return true;
}

static inline bool is_ours(int clock) {
    return (unsigned)clock < 32 && (1u << clock & (WALL_CLOCKS | MONOTONIC_CLOCKS)) != 0;
}

int __vdso_clock_gettime(int clock, struct timespec *ts) {
    uint64_t ns;

    if (__builtin_expect(!is_ours(clock) || !read_clock(clock == CLOCK_REALTIME ? VDSO_WALL : VDSO_MONOTONIC, &ns), 0))
        return (int)call2(SYS_CLOCK_GETTIME, clock, (long)ts);
    ts->tv_sec = (int64_t)(ns / NSEC_PER_SEC);
    ts->tv_nsec = (int64_t)(ns % NSEC_PER_SEC);
    return 0;
}

int __vdso_clock_getres(int clock, struct timespec *ts) {
    if (!is_ours(clock))
        return (int)call2(SYS_CLOCK_GETRES, clock, (long)ts);
    if (ts) {
        ts->tv_sec = 0;
        ts->tv_nsec = 1;
    }
    return 0;
}

int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz) {
    uint64_t ns;

    if (tz || !read_clock(VDSO_WALL, &ns))
        return (int)call2(SYS_GETTIMEOFDAY, (long)tv, (long)tz);
    if (tv) {
        tv->tv_sec = (int64_t)(ns / NSEC_PER_SEC);
        tv->tv_usec = (int64_t)(ns % NSEC_PER_SEC / 1000);
    }
    return 0;
}

int64_t __vdso_time(int64_t *t) {
    uint64_t ns;

    if (!read_clock(VDSO_WALL, &ns))
        return call2(SYS_TIME, (long)t, 0);
    int64_t seconds = (int64_t)(ns / NSEC_PER_SEC);
    if (t)
        *t = seconds;
    return seconds;
}

long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused) {
    unsigned limit;

    (void)unused;
    __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(CPU_SELECTOR));
    if (cpu)
        *cpu = limit;
    if (node)
        *node = 0;
    return 0;
}

// Where handlers without a restorer return to. The image's entry address tells the kernel where it is.
__asm__(".pushsection .text.sigreturn, \"ax\"\n"
        ".globl __vdso_rt_sigreturn\n"
        ".type __vdso_rt_sigreturn, @function\n"
        "nop\n" // unwinders look up the address before
        "__vdso_rt_sigreturn:\n"
        "movl $15, %eax\n"
        "syscall\n"
        ".size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn\n"
        ".popsection\n");
