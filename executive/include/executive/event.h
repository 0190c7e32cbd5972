// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files that are events (executive/event): counters (eventfd), timers (timerfd), and sets of files that are watched together (epoll). Made by the
// personality, then read, written and polled through their file operations. All functions: thread context, may sleep, unless said otherwise.
#ifndef EXECUTIVE_EVENT_H
#define EXECUTIVE_EVENT_H

#include <executive/vfs.h>
#include <kernel/time.h>

// --- memory that a job pays for (event_memory.c) ---
// Zeroed, charged to the current process's job, which is counted. NULL: no memory or no quota.
void *event_memory_get(size_t size, struct job **out_job);
void event_memory_put(void *memory, size_t size, struct job *job);

// --- counters (counter.c) ---
// semaphore: a read takes one, not all. flags: O_NONBLOCK_ or 0, and the access mode. NO_MEMORY, QUOTA.
must_check inv_status_t event_counter_create(uint64_t value, bool semaphore, uint32_t flags, struct file **out);
bool event_counter_is(const struct file *f);
// Adds without waiting, as far as there is room; for notices of the kernel. Any context. f: a counter, counted by the caller.
void event_counter_add(struct file *f, uint64_t value);

// --- the wall clock set (wall_watch.c) ---
// Who must know when the wall clock was set: changed runs under a spin lock, interrupts off, and may take locks from WAITQ on.
struct wall_watch {
    struct list_node node;
    void (*changed)(struct wall_watch *w);
};
void wall_watch_init(struct wall_watch *w, void (*changed)(struct wall_watch *w));
void wall_watch_add(struct wall_watch *w);    // harmless if it is on the list. Any context
void wall_watch_remove(struct wall_watch *w); // harmless if it is not; after it changed does not run
void wall_clock_set(nstime_t wall);           // clock_wall_set, and tells all. Any thread
// A wall time as a deadline of the monotonic clock, as the wall clock stands now. NSTIME_NEVER stays.
nstime_t wall_deadline(nstime_t wall);
// As thread_sleep_until, to a moment of the wall clock, wherever that is moved meanwhile. OK or INTERRUPTED.
must_check inv_status_t wall_sleep_until(nstime_t wall, enum wait_kind kind);

// --- timers (timer_file.c) ---
#define EVENT_TIMER_ABSOLUTE      (1u << 0) // numbers of Linux's TFD_*
#define EVENT_TIMER_CANCEL_ON_SET (1u << 1)
struct event_timer_setting {
    nstime_t value, interval; // value 0: off
};
// clock: its number as the program gave it, for fdinfo; wall: counts wall time, else monotonic time.
must_check inv_status_t event_timer_create(int clock, bool wall, uint32_t flags, struct file **out);
bool event_timer_is(const struct file *f);
int event_timer_clock(const struct file *f);
// *out_old: what is left, as get tells it. CANCELLED: set, but the wall clock was set since the last read (EVENT_TIMER_CANCEL_ON_SET).
must_check inv_status_t event_timer_set(struct file *f, unsigned flags, const struct event_timer_setting *s,
                                        struct event_timer_setting *out_old);
void event_timer_get(struct file *f, struct event_timer_setting *out);

// --- sets of files (epoll.c) ---
#define EPOLL_EXCLUSIVE (1u << 28) // numbers of Linux's EPOLL*
#define EPOLL_WAKEUP    (1u << 29)
#define EPOLL_ONESHOT   (1u << 30)
#define EPOLL_EDGE      (1u << 31)
struct epoll_report { // as Linux has it in user memory on x86-64: 12 bytes
    uint32_t events;
    uint64_t data;
} __attribute__((packed));

must_check inv_status_t epoll_create(struct file **out);
bool epoll_is(const struct file *f);
// Files are known by description and number together. epoll: epoll_is(epoll) && epoll != f; f->ops->poll != NULL.
// EXISTS, NO_SPACE (too many watched by sets of its user), NO_MEMORY, LOOP (f watches epoll already, or too deep below), INVALID (too deep above).
must_check inv_status_t epoll_add(struct file *epoll, struct file *f, int fd, const struct epoll_report *wanted);
must_check inv_status_t epoll_modify(struct file *epoll, struct file *f, int fd,
                                     const struct epoll_report *wanted);          // NOT_FOUND; INVALID: it is exclusive
must_check inv_status_t epoll_remove(struct file *epoll, struct file *f, int fd); // NOT_FOUND
// Up to most reports into user memory at to. deadline 0: no wait. OK with 0: time is up. FAULT, INTERRUPTED.
must_check inv_status_t epoll_wait(struct file *epoll, void user_ptr *to, unsigned most, nstime_t deadline,
                                   unsigned *out_count);
// The file that is watched under the number, of several the one after skip others; for comparison alone: nobody counts it. NULL: there is none.
const struct file *epoll_target(struct file *epoll, int fd, unsigned skip);
void epoll_file_gone(struct file *f); // from file_put: the last count has gone, and with it every watch of f
extern _Atomic uint64_t
    epoll_user_watches_max; // how many the sets of one user may have in all: fs/epoll/max_user_watches

#endif
