// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// adjtimex and clock_adjtime: what a time daemon tells the clock. Steps are made; what would change the clock's rate is checked, kept and told, and has no
// effect yet (CAVEATS.md).
//
// Locking: lock (VFS_SPIN would do as well as any: nothing is taken under it but the wall clock's news), over all of state.
#include "clocks.h"
#include "process.h"

#include <executive/event.h>

#define ADJ_OFFSET    0x0001u
#define ADJ_FREQUENCY 0x0002u
#define ADJ_MAXERROR  0x0004u
#define ADJ_ESTERROR  0x0008u
#define ADJ_STATUS    0x0010u
#define ADJ_TIMECONST 0x0020u
#define ADJ_TAI       0x0080u
#define ADJ_SETOFFSET 0x0100u
#define ADJ_MICRO     0x1000u
#define ADJ_NANO      0x2000u
#define ADJ_TICK      0x4000u
#define ADJ_ADJTIME   0x8000u // with ADJ_OFFSET: adjtime(3)
#define ADJ_READ_ONLY 0x2000u // with ADJ_ADJTIME

#define STA_UNSYNC   0x0040
#define STA_NANO     0x2000
#define STA_READABLE 0xff00 // bits that a program cannot set
#define TIME_OK      0
#define TIME_ERROR   5

#define FREQUENCY_MAX 32768000ll // 500 parts in a million, with 16 bits of fraction
#define OFFSET_MAX    500000000ll
#define TIMECONST_MAX 10
#define MAXERROR      16000000ll
#define TICK_USEC     10000
#define PPM_SCALE \
    ((1ll << 32) * 1000000 / 65536 / 1000) // a frequency that Linux could not multiply by its own scale is refused

struct timex {
    uint32_t modes, pad;
    int64_t offset, frequency, maxerror, esterror;
    int32_t status, pad2;
    int64_t constant, precision, tolerance, seconds, fraction, tick, ppsfreq, jitter;
    int32_t shift, pad3;
    int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
    int32_t tai, pad4[11];
};
_Static_assert(sizeof(struct timex) == 208, "timex is ABI");

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_FUTEX_BUCKET);
/* lock: */
static struct {
    int64_t offset, adjust, frequency, maxerror, esterror, constant, tick;
    int32_t status;
} state = {.maxerror = MAXERROR, .esterror = MAXERROR, .constant = 2, .tick = TICK_USEC, .status = STA_UNSYNC};
static _Atomic int32_t tai;

nstime_t linux_wall_tai_offset(void) {
    return (nstime_t)atomic_load_explicit(&tai, memory_order_relaxed) * NSEC_PER_SEC;
}

static int64_t check(const struct timex *x) {
    bool may = token_capable(linux_token(), CAP_SYS_TIME);

    if (x->modes & ADJ_ADJTIME) {
        if (!(x->modes & ADJ_OFFSET))
            return -LINUX_EINVAL;
        if (!(x->modes & ADJ_READ_ONLY) && !may)
            return -LINUX_EPERM;
    } else {
        if (x->modes != 0 && !may)
            return -LINUX_EPERM;
        if ((x->modes & ADJ_TICK) && (x->tick < TICK_USEC * 9 / 10 || x->tick > TICK_USEC * 11 / 10))
            return -LINUX_EINVAL;
    }
    if (x->modes & ADJ_SETOFFSET) {
        if (!may)
            return -LINUX_EPERM;
        if (x->fraction < 0 || x->fraction >= (int64_t)(x->modes & ADJ_NANO ? NSEC_PER_SEC : 1000000))
            return -LINUX_EINVAL;
    }
    if ((x->modes & ADJ_FREQUENCY) && (x->frequency > INT64_MAX / PPM_SCALE || x->frequency < INT64_MIN / PPM_SCALE))
        return -LINUX_EINVAL;
    return 0;
}

// ADJ_SETOFFSET: a step. EINVAL: to before the machine's start, or beyond what the clock can hold.
static int64_t step(const struct timex *x) {
    int64_t wall = (int64_t)clock_wall(), ns, now;

    if (__builtin_mul_overflow(x->seconds, (int64_t)NSEC_PER_SEC, &ns) ||
        __builtin_add_overflow(ns, x->fraction * (x->modes & ADJ_NANO ? 1 : 1000), &ns) ||
        __builtin_add_overflow(wall, ns, &now) || now < (int64_t)clock_monotonic())
        return -LINUX_EINVAL;
    wall_clock_set((nstime_t)now);
    return 0;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most) {
    return value < least ? least : MIN(value, most);
}

static void apply_locked(const struct timex *x) {
    if (x->modes & ADJ_STATUS)
        state.status = (state.status & STA_READABLE) | (x->status & ~STA_READABLE);
    if (x->modes & ADJ_NANO)
        state.status |= STA_NANO;
    if (x->modes & ADJ_MICRO)
        state.status &= ~STA_NANO;
    if (x->modes & ADJ_FREQUENCY)
        state.frequency = clamp(x->frequency, -FREQUENCY_MAX, FREQUENCY_MAX);
    if (x->modes & ADJ_MAXERROR)
        state.maxerror = clamp(x->maxerror, 0, MAXERROR);
    if (x->modes & ADJ_ESTERROR)
        state.esterror = clamp(x->esterror, 0, MAXERROR);
    if (x->modes & ADJ_TIMECONST)
        state.constant = clamp(x->constant + (state.status & STA_NANO ? 0 : 4), 0, TIMECONST_MAX);
    if ((x->modes & ADJ_TAI) && x->constant >= 0 && x->constant <= 100000)
        atomic_store_explicit(&tai, (int32_t)x->constant, memory_order_relaxed);
    if (x->modes & ADJ_TICK)
        state.tick = x->tick;
}

static void report_locked(struct timex *x) {
    if (x->modes & ADJ_ADJTIME) {
        int64_t old = state.adjust;
        if (!(x->modes & ADJ_READ_ONLY))
            state.adjust = x->offset;
        x->offset = old;
    } else {
        apply_locked(x);
        x->offset = state.offset;
    }
    x->frequency = state.frequency;
    x->maxerror = state.maxerror;
    x->esterror = state.esterror;
    x->status = state.status;
    x->constant = state.constant;
    x->precision = 1;
    x->tolerance = FREQUENCY_MAX;
    x->tick = state.tick;
    x->tai = atomic_load_explicit(&tai, memory_order_relaxed);
    x->ppsfreq = x->jitter = x->stabil = x->jitcnt = x->calcnt = x->errcnt = x->stbcnt = 0;
    x->shift = 0;
}

static int64_t adjust(uint64_t user) {
    struct timex x;

    if (arch_copy_from_user(&x, (const void user_ptr *)user, sizeof(x)) != INV_OK)
        return -LINUX_EFAULT;
    int64_t result = check(&x);
    if (result == 0 && (x.modes & ADJ_SETOFFSET))
        result = step(&x);
    if (result != 0)
        return result;
    irq_flags_t flags = spin_lock_irq(&lock);
    report_locked(&x);
    bool synchronised = !(state.status & STA_UNSYNC), nano = (state.status & STA_NANO) != 0;
    spin_unlock_irq(&lock, flags);
    nstime_t now = clock_wall();
    x.seconds = (int64_t)(now / NSEC_PER_SEC);
    x.fraction = (int64_t)(now % NSEC_PER_SEC / (nano ? 1 : 1000));
    if (arch_copy_to_user((void user_ptr *)user, &x, sizeof(x)) != INV_OK)
        return -LINUX_EFAULT;
    return synchronised ? TIME_OK : TIME_ERROR;
}

int64_t linux_adjtimex(struct arch_frame *f) {
    return adjust(LINUX_ARG(f, 0));
}

int64_t linux_clock_adjtime(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    struct linux_clock clock;
    struct timex x;

    // Whatever clock it is, the argument is read first.
    if (arch_copy_from_user(&x, (const void user_ptr *)LINUX_ARG(f, 1), sizeof(x)) != INV_OK)
        return -LINUX_EFAULT;
    if (id == LINUX_CLOCK_REALTIME)
        return adjust(LINUX_ARG(f, 1));
    if (id < 0)
        return linux_clock_of_descriptor(id) ? -LINUX_EINVAL : -LINUX_EOPNOTSUPP;
    int64_t result = linux_clock_get(id, false, &clock);
    linux_clock_put(&clock);
    return result != 0 ? result : -LINUX_EOPNOTSUPP;
}
