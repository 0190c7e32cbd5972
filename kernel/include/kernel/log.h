// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The log: a ring of records in memory, with level, time and processor; echoed to the console by level. Any context. Readable as /dev/kmsg and after a crash.
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <arch/cpu.h>
#include <kernel/types.h>

enum log_level {
    LOG_EMERGENCY,
    LOG_ALERT,
    LOG_CRITICAL,
    LOG_ERROR,
    LOG_WARNING,
    LOG_NOTICE,
    LOG_INFO,
    LOG_DEBUG
}; // numbers of syslog
void log_write(enum log_level level, const char *subsystem, const char *format, ...) printf_like(3, 4);
// Adds n bytes as they are, without a subsystem; priority is facility << 3 | level (what programs write to /dev/kmsg). Thread context.
void log_add(unsigned priority, const char *text, size_t n);
// A file defines LOG_SUBSYSTEM before the include, or gives the name itself.
#define log_error(subsystem, ...)   log_write(LOG_ERROR, subsystem, __VA_ARGS__)
#define log_warning(subsystem, ...) log_write(LOG_WARNING, subsystem, __VA_ARGS__)
#define log_info(subsystem, ...)    log_write(LOG_INFO, subsystem, __VA_ARGS__)
#define log_debug(subsystem, ...)   log_write(LOG_DEBUG, subsystem, __VA_ARGS__)
// At most one line in interval for each call site.
#define log_limited(level, subsystem, interval, ...)       \
    do {                                                   \
        static _Atomic nstime_t log_limited_next;          \
        if (log_limit_pass(&log_limited_next, (interval))) \
            log_write(level, subsystem, __VA_ARGS__);      \
    } while (0)
bool log_limit_pass(_Atomic nstime_t *next, nstime_t interval);

// level: facility << 3 | level; the kernel's facility is 0.
struct log_record {
    uint64_t sequence;
    nstime_t time;
    uint8_t level;
    uint32_t cpu;
    uint16_t length;
    char text[488];
};
// Reads the record with *sequence or the oldest newer one; advances *sequence past it. NOT_FOUND: none yet. *out_lost: records overwritten before.
must_check inv_status_t log_read(uint64_t *sequence, struct log_record *out, uint64_t *out_lost);
struct waitq;
struct waitq *log_waitq(void); // woken when a record is added (deferred to thread context)
uint64_t log_first_sequence(void);
uint64_t log_next_sequence(void);
enum log_level log_console_level(void);
void log_set_console_level(enum log_level level); // records above it are not echoed ("quiet": LOG_ERROR)
void log_init(void);
void log_grow(
    void); // boot, after page_init: a ring for the machine's memory in place of the first one; its records stay

// For the driver of the serial line that is the console too: between begin and end the kernel's own output does not touch the line. Short, any context.
must_check irq_flags_t log_console_begin(void);
void log_console_end(irq_flags_t flags);
// True while a processor is printing records: a driver that wants to keep lines whole tries again later.
bool log_console_busy(void);

#endif
