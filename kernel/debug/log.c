// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The log: records from any context go into a ring (log_ring.c), and from there to the console by level, in order. Called by everybody; read by
// /dev/kmsg, the debugger and panic.
//
// Echo: whoever adds a record tries to become the console's owner; the owner prints all records that are not printed yet, others leave theirs to it.
// So nobody waits for a console that another processor is using, and an interrupt that logs while its processor prints does not deadlock. The owner
// looks again after it has given the console up, so no record is forgotten. Preemption is disabled while a thread owns the console.
//
// Wake-ups: the writer may hold any lock, so readers are woken from here only where nothing can be held (thread context, interrupts and preemption
// on); elsewhere a mark is left for the timer that log_waitq() arms as long as somebody waits.
//
// Locking: ring_lock (rank LOG) guards the ring, for the length of one copy. console_lock (rank CONSOLE) is held for at most CONSOLE_PIECE bytes of
// output. After log_enter_panic() neither is waited for: the other processors are stopped, maybe inside.
// Not for NMI handlers, but for panic's.

#include "log_ring.h"

#include "emergency.h"

#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/lock.h>
#include <kernel/page.h>
#include <kernel/platform.h>
#include <kernel/string.h>
#include <kernel/time.h>
#include <kernel/wait.h>

#ifndef CONFIG_LOG_RING_KB
#define CONFIG_LOG_RING_KB 64
#endif
#define RING_SIZE        KIB(CONFIG_LOG_RING_KB)
#define RING_FIRST       KIB(8)  // until memory is there; machines with less than MEMORY_LITTLE keep to it
#define RING_SMALL       KIB(16) // with less than MEMORY_SOME
#define MEMORY_LITTLE    MIB(16)
#define MEMORY_SOME      MIB(64)
#define SLOT_BYTES       64 // of the ring for each slot
#define CONSOLE_PIECE    16
#define LEVEL_MASK       7u
#define WAKE_IDLE_ROUNDS 20
#define WAKE_PERIOD      (50 * NSEC_PER_MSEC)

static char first_bytes[RING_FIRST] aligned_to(8);
static uint32_t first_starts[RING_FIRST / SLOT_BYTES];
static struct spinlock ring_lock = SPINLOCK_INIT(LOCK_RANK_LOG);
static struct log_ring ring = {
    .bytes = first_bytes, .starts = first_starts, .size = RING_FIRST, .slots = RING_FIRST / SLOT_BYTES};

static struct spinlock console_lock = SPINLOCK_INIT(LOCK_RANK_CONSOLE);
static atomic_bool console_owned;
static _Atomic uint32_t console_level = LOG_INFO;
static uint64_t console_sequence;        // console's owner: next record to print
static struct log_record console_record; // console's owner

static struct waitq readers = WAITQ_INIT(readers);
static atomic_bool readers_marked; // a record came where nobody could be woken
static struct ktimer readers_timer;
static atomic_bool readers_timer_armed;
static _Atomic uint32_t readers_idle_rounds; // periods of the timer without a reader
static atomic_bool in_panic;

static irq_flags_t ring_begin(void) {
    return atomic_load_explicit(&in_panic, memory_order_relaxed) ? arch_irq_save() : spin_lock_irq(&ring_lock);
}

static void ring_end(irq_flags_t flags) {
    if (atomic_load_explicit(&in_panic, memory_order_relaxed))
        arch_irq_restore(flags);
    else
        spin_unlock_irq(&ring_lock, flags);
}

irq_flags_t log_console_begin(void) {
    return atomic_load_explicit(&in_panic, memory_order_relaxed) ? arch_irq_save() : spin_lock_irq(&console_lock);
}

void log_console_end(irq_flags_t flags) {
    if (atomic_load_explicit(&in_panic, memory_order_relaxed))
        arch_irq_restore(flags);
    else
        spin_unlock_irq(&console_lock, flags);
}

bool log_console_busy(void) {
    return atomic_load_explicit(&console_owned, memory_order_relaxed);
}

static void console_write(const char *text, size_t n) {
    while (n > 0) {
        size_t piece = MIN(n, (size_t)CONSOLE_PIECE);
        irq_flags_t flags = log_console_begin();

        platform_console_write(text, piece);
        log_console_end(flags);
        text += piece;
        n -= piece;
    }
}

static void console_print(const struct log_record *record) {
    char stamp[32];
    int n = snprintf(stamp, sizeof(stamp), "[%5lu.%06lu] ", (unsigned long)(record->time / NSEC_PER_SEC),
                     (unsigned long)(record->time % NSEC_PER_SEC / NSEC_PER_USEC));

    console_write(stamp, (size_t)n);
    console_write(record->text, record->length);
    console_write("\n", 1);
}

// Takes the next record to print out of the ring. False: there is none.
static bool console_next(void) {
    uint64_t lost;
    irq_flags_t flags = ring_begin();
    inv_status_t status = log_ring_read(&ring, &console_sequence, &console_record, &lost);

    ring_end(flags);
    return status == INV_OK;
}

static bool console_behind(void) {
    irq_flags_t flags = ring_begin();
    bool behind = console_sequence < ring.next;

    ring_end(flags);
    return behind;
}

static void console_drain(void) {
    preempt_disable();
    while (console_behind() && !atomic_exchange_explicit(&console_owned, true, memory_order_acquire)) {
        while (console_next()) {
            if ((console_record.level & LEVEL_MASK) <= atomic_load_explicit(&console_level, memory_order_relaxed))
                console_print(&console_record);
        }
        atomic_store_explicit(&console_owned, false, memory_order_release);
    }
    // Not preempt_enable(): the caller may have interrupts off, and must not be switched away then.
    if (arch_preempt_dec() && arch_irq_enabled())
        sched_preempt();
}

static void readers_wake(bool may_wake) {
    if (may_wake) {
        atomic_store_explicit(&readers_marked, false, memory_order_relaxed);
        if (waitq_active(&readers))
            waitq_wake(&readers, UINT32_MAX, 0);
    } else {
        atomic_store_explicit(&readers_marked, true, memory_order_release);
    }
}

static void readers_timer_fired(struct ktimer *t) {
    if (atomic_exchange_explicit(&readers_marked, false, memory_order_acquire))
        waitq_wake(&readers, UINT32_MAX, 0);
    if (waitq_active(&readers))
        atomic_store_explicit(&readers_idle_rounds, 0, memory_order_relaxed);
    // A reader calls log_waitq() just before it adds itself: the timer goes on for a while without one.
    if (atomic_fetch_add_explicit(&readers_idle_rounds, 1, memory_order_relaxed) < WAKE_IDLE_ROUNDS)
        timer_set(t, deadline_after(WAKE_PERIOD));
    else
        atomic_store_explicit(&readers_timer_armed, false, memory_order_release);
}

static void record_format(struct log_record *record, const char *subsystem, const char *format, va_list args) {
    int n = snprintf(record->text, sizeof(record->text), "%s: ", subsystem);
    size_t used = MIN((size_t)n, sizeof(record->text) - 1);

    n = vsnprintf(record->text + used, sizeof(record->text) - used, format, args);
    used = MIN(used + (size_t)MAX(n, 0), sizeof(record->text) - 1);
    while (used > 0 && record->text[used - 1] == '\n')
        used--;
    record->length = (uint16_t)used;
}

// Adds the record, whose text and length are set, and tells whoever is interested.
static void record_publish(struct log_record *record, uint8_t priority) {
    bool may_wake = preempt_enabled() && arch_irq_enabled() && !arch_in_interrupt();

    record->level = priority;
    record->cpu = arch_cpu_id();
    irq_flags_t flags = ring_begin();
    record->time = clock_monotonic();
    log_ring_add(&ring, record);
    ring_end(flags);
    if (atomic_load_explicit(&in_panic, memory_order_relaxed))
        return;
    console_drain();
    readers_wake(may_wake);
}

void log_write(enum log_level level, const char *subsystem, const char *format, ...) {
    struct log_record record;
    va_list args;

    va_start(args, format);
    record_format(&record, subsystem, format, args);
    va_end(args);
    record_publish(&record, (uint8_t)level);
}

void log_add(unsigned priority, const char *text, size_t n) {
    struct log_record record;

    while (n > 0 && text[n - 1] == '\n')
        n--;
    record.length = (uint16_t)MIN(n, sizeof(record.text) - 1);
    memcpy(record.text, text, record.length);
    record_publish(&record, (uint8_t)priority);
}

bool log_limit_pass(_Atomic nstime_t *next, nstime_t interval) {
    nstime_t now = clock_monotonic();
    nstime_t due = atomic_load_explicit(next, memory_order_relaxed);

    return now >= due && atomic_compare_exchange_strong_explicit(next, &due, now + interval, memory_order_relaxed,
                                                                 memory_order_relaxed);
}

inv_status_t log_read(uint64_t *sequence, struct log_record *out, uint64_t *out_lost) {
    irq_flags_t flags = ring_begin();
    inv_status_t status = log_ring_read(&ring, sequence, out, out_lost);

    ring_end(flags);
    return status;
}

uint64_t log_first_sequence(void) {
    irq_flags_t flags = ring_begin();
    uint64_t first = ring.first;

    ring_end(flags);
    return first;
}

uint64_t log_next_sequence(void) {
    irq_flags_t flags = ring_begin();
    uint64_t next = ring.next;

    ring_end(flags);
    return next;
}

struct waitq *log_waitq(void) {
    atomic_store_explicit(&readers_idle_rounds, 0, memory_order_relaxed);
    if (!atomic_exchange_explicit(&readers_timer_armed, true, memory_order_acquire))
        timer_set(&readers_timer, deadline_after(WAKE_PERIOD));
    return &readers;
}

enum log_level log_console_level(void) {
    return (enum log_level)atomic_load_explicit(&console_level, memory_order_relaxed);
}

void log_set_console_level(enum log_level level) {
    atomic_store_explicit(&console_level, level, memory_order_relaxed);
}

void log_enter_panic(void) {
    atomic_store_explicit(&in_panic, true, memory_order_relaxed);
}

void log_print_tail(unsigned records) {
    static struct log_record record;
    uint64_t sequence = ring.next > records ? ring.next - records : 0, lost;

    while (log_ring_read(&ring, &sequence, &record, &lost) == INV_OK)
        emergency_print("[%5lu.%06lu] %s\n", (unsigned long)(record.time / NSEC_PER_SEC),
                        (unsigned long)(record.time % NSEC_PER_SEC / NSEC_PER_USEC), record.text);
}

// The records are in the ring from the first call of log_write on; this only applies the command line.
void log_init(void) {
    char value[8];
    const char *end;
    uint64_t level;

    timer_init(&readers_timer, readers_timer_fired);
    if (boot_option("quiet", NULL, 0))
        log_set_console_level(LOG_ERROR);
    if (boot_option("debug", NULL, 0))
        log_set_console_level(LOG_DEBUG);
    if (boot_option("loglevel", value, sizeof(value)) && string_to_u64(value, &end, 10, &level) == INV_OK &&
        level <= LOG_DEBUG)
        log_set_console_level((enum log_level)level);
}

static void *block_alloc(size_t bytes) {
    unsigned order = 0;

    while (PAGE_SIZE << order < bytes)
        order++;
    struct page *page = order <= PAGE_MAX_ORDER ? page_alloc(order, 0, PAGE_LOG, NULL) : NULL;
    return page ? page_to_virt(page) : NULL;
}

void log_grow(void) {
    size_t size = boot_info.ram_bytes < MEMORY_LITTLE ? 0 : boot_info.ram_bytes < MEMORY_SOME ? RING_SMALL : RING_SIZE;
    uint32_t slots = (uint32_t)(size / SLOT_BYTES);
    struct log_ring larger;

    if (size <= RING_FIRST)
        return;
    char *bytes = block_alloc(size);
    uint32_t *starts = block_alloc(slots * sizeof(starts[0]));
    if (!bytes || !starts) {
        if (bytes)
            page_put(page_at(virt_to_phys(bytes)));
        if (starts)
            page_put(page_at(virt_to_phys(starts)));
        return;
    }
    log_ring_init(&larger, bytes, (uint32_t)size, starts, slots);
    irq_flags_t flags = ring_begin();
    log_ring_move(&ring, &larger);
    ring = larger;
    ring_end(flags);
}
