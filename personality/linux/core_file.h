// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Core files: what a process leaves of itself when a signal whose default is to dump core ends it. The process stops and the file is opened in
// core_file.c; what it holds is made in core_file_image.c.
#ifndef LINUX_CORE_FILE_H
#define LINUX_CORE_FILE_H

#include "process.h"

#define CORE_PATTERN_SIZE 128
#define CORE_REGISTERS    27 // of user_regs_struct
// Kinds of memory in /proc/PID/coredump_filter; 4 as well: the first page of programs.
enum {
    CORE_ANONYMOUS_PRIVATE = 1 << 0,
    CORE_ANONYMOUS_SHARED = 1 << 1,
    CORE_FILE_PRIVATE = 1 << 2,
    CORE_FILE_SHARED = 1 << 3,
    CORE_ELF_HEADERS = 1 << 4
};
#define CORE_FILTER_DEFAULT 0x33u
#define CORE_FILTER_ALL     0x1ffu

// --- core_file.c ---
extern struct linux_tunable linux_core_uses_pid;
void linux_core_pattern(char out[CORE_PATTERN_SIZE]);
int64_t linux_core_pattern_set(const char *pattern); // EINVAL: a pipe to a program. Cut to CORE_PATTERN_SIZE - 1 bytes

// The current thread takes a signal whose default is to dump core: stops the others, writes the file where limits and rights allow it, and marks the process
// for its end. lp->lock held; released on the way.
void linux_core_dump(struct linux_process *p, const struct linux_siginfo *info, irq_flags_t *flags);
// A thread leaves: waits while another one writes the core file. Thread context, no lock held.
void linux_core_thread_leaves(struct linux_thread *t);
// SIGKILL of a process that is writing its core file: it stops writing. lp->lock held, any context.
void linux_core_kill_locked(struct linux_process *p);

// --- core_file_image.c ---
struct file;
// Writes the file, up to limit bytes. False: memory was out before anything was written. Current process; its other threads are parked.
bool linux_core_write(struct file *file, const struct linux_siginfo *info, uint64_t limit);

// --- arch_x86_64.c ---
struct thread;
void linux_arch_core_registers(struct thread *t, uint64_t out[CORE_REGISTERS]);
// The thread's save area, brought up to date: *out_legacy bytes of it are the old format, *out_size all of it (0: there is no more).
const uint8_t *linux_arch_core_float(struct thread *t, size_t *out_legacy, size_t *out_size);

#endif
