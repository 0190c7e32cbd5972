// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// POSIX timers, as the signal queue sees them.
#ifndef LINUX_POSIX_TIMER_H
#define LINUX_POSIX_TIMER_H

#include "process.h"

struct linux_posix_timer;

// --- posix_timer.c ---
// The timer's signal, which had the queue entry, is taken by a thread: counts what was missed into info and arms the timer again. lp->lock held.
void linux_posix_timer_taken_locked(struct linux_posix_timer *t, struct linux_siginfo *info);
// exec and the end of the process: deletes all. Thread context.
void linux_posix_timers_end(struct linux_process *p);

// --- signal_send.c ---
enum signal_sent { SIGNAL_SENT, SIGNAL_PENDING_ALREADY, SIGNAL_IGNORED };
// Sends with an entry that the sender owns: a timer's. One that is still in a queue counts an overrun instead. wanted: a thread of p, or NULL. lp->lock held.
enum signal_sent signal_send_entry_locked(struct linux_process *p, struct linux_thread *wanted,
                                          struct linux_sigqueue *entry);

// --- signal_queue.c ---
// An entry, charged to the current thread's user. NULL: memory is out, or the limit is reached. The current process's lock held.
struct linux_sigqueue *signal_entry_create_locked(void);
// Its owner goes: the entry goes with it, or when its signal is taken. lp->lock held.
void signal_entry_leave_locked(struct linux_sigqueue *entry);

#endif
