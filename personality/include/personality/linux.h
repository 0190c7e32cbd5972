// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The Linux personality's own structures: what a Linux process and thread are beyond the core's, and what its families of calls share. Each family is a file
// (process.c, exec.c, signal.c, futex.c, time.c, memory.c, file.c, fd.c, name.c, mount.c, ...); each call is a function in decode, check, do form, listed by
// number in syscalls.def.
//
// A call: int64_t linux_NAME(struct arch_frame *f). Arguments by LINUX_ARG(f, n); the result is a value or -errno. Statuses are mapped by linux_result().
#ifndef PERSONALITY_LINUX_H
#define PERSONALITY_LINUX_H

#include <executive/vfs.h>
#include <kernel/process.h>
#include <kernel/time.h>

struct tty;

#define LINUX_ARG(f, n) arch_syscall_arg((f), (n))
typedef int64_t (*linux_call_fn)(struct arch_frame *f);

// 0 for OK, else -errno (errno.c, the one place). INV_ERR_RESTART and its like become Linux's internal -512 to -516, which signal.c turns into a restart or EINTR.
int64_t linux_result(inv_status_t s);
#define LINUX_ERESTARTSYS           512
#define LINUX_ERESTARTNOINTR        513
#define LINUX_ERESTARTNOHAND        514
#define LINUX_ERESTART_RESTARTBLOCK 516

#define LINUX_SIGNALS 64
typedef uint64_t linux_sigset_t; // bit n - 1: signal n

struct linux_rlimit {
    uint64_t current, maximum;
};
#define LINUX_RLIM_COUNT    16
#define LINUX_RLIM_INFINITY UINT64_MAX
enum {
    LINUX_RLIMIT_CPU,
    LINUX_RLIMIT_FSIZE,
    LINUX_RLIMIT_DATA,
    LINUX_RLIMIT_STACK,
    LINUX_RLIMIT_CORE,
    LINUX_RLIMIT_RSS,
    LINUX_RLIMIT_NPROC,
    LINUX_RLIMIT_NOFILE,
    LINUX_RLIMIT_MEMLOCK,
    LINUX_RLIMIT_AS,
    LINUX_RLIMIT_LOCKS,
    LINUX_RLIMIT_SIGPENDING,
    LINUX_RLIMIT_MSGQUEUE,
    LINUX_RLIMIT_NICE,
    LINUX_RLIMIT_RTPRIO,
    LINUX_RLIMIT_RTTIME,
};

struct linux_session; // process.c
struct linux_group;
struct linux_signals; // signal.c: actions, shared by CLONE_SIGHAND
struct linux_pending; // signal.c: pending set and queue

struct linux_process; // process.c: full definition in personality/linux/process.h
struct linux_thread;

static inline struct linux_process *linux_process(const struct process *p) {
    return p->personality_data;
}
static inline struct linux_thread *linux_thread(const struct thread *t) {
    return t->personality_data;
}

// The current thread's descriptor table, place in the tree and token as vfs functions want them. Borrowed: valid for the length of the call.
void linux_caller(struct vfs_caller *out);
struct fd_table *linux_fds(void);
struct fs_context *linux_fs(void);
struct token *linux_token(void);
uint64_t linux_limit(unsigned resource); // the current process's soft limit
// Copies a path in. On failure -errno (ENAMETOOLONG, EFAULT, ENOENT for ""; allow_empty: "" is fine). The buffer has PATH_MAX_BYTES, from linux_path_get.
struct linux_path {
    char *text;
};
int64_t linux_path_get(uint64_t user, bool allow_empty, struct linux_path *out);
void linux_path_put(struct linux_path *p);
// Sends a signal to the current thread (SIGPIPE, SIGXFSZ): signal.c.
void linux_raise(int signal);
// True if a signal that is not blocked is pending for the current thread.
bool linux_signal_pending(void);
// Timespecs as user memory has them.
struct linux_timespec {
    int64_t seconds, nanoseconds;
};
// A structure whose size the caller states: a shorter one is filled with zeros, a longer one must be zero beyond what is known. EFAULT, E2BIG.
int64_t linux_struct_get(void *to, size_t known, uint64_t user, uint64_t size);
int64_t linux_timespec_get(uint64_t user, nstime_t *out_duration); // EFAULT, EINVAL
int64_t linux_timespec_check(const struct linux_timespec *ts,
                             nstime_t *out_duration); // EINVAL. Too long to count: NSTIME_NEVER
// A temporary signal mask for ppoll, pselect6, sigsuspend: set before the wait; restored at the return to user mode if a handler ran, else by end.
int64_t linux_sigmask_begin(uint64_t user_set, uint64_t size);
void linux_sigmask_end(bool interrupted);
// A call that is to be continued after a stop with what is left of its time (nanosleep, poll, futex): the function runs when restart_syscall is made.
struct linux_restart {
    int64_t (*fn)(struct linux_restart *r);
    uint64_t args[6];
};
int64_t linux_set_restart(const struct linux_restart *r); // returns -LINUX_ERESTART_RESTARTBLOCK

#endif
