// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Where the core enters the Linux personality: the dispatch of system calls through a dense table made from syscalls.def, and the table of operations.
// Context: the calling thread, interrupts on.
//
// A call that was interrupted returns one of Linux's internal numbers (-512 to -516): then the way back to user mode must pass linux_user_return, which
// turns it into a restart or EINTR, even if another thread has taken the signal meanwhile.
#include "process.h"

#include <kernel/log.h>
#include <kernel/syscall.h>

#define CALL_LIMIT 512

static const linux_call_fn calls[CALL_LIMIT] = {
#define X(number, name) [number] = linux_##name,
#include "syscalls.def"
#undef X
};

// One line for each number, ever.
static cold_fn int64_t call_unknown(struct arch_frame *f, uint64_t number) {
    static _Atomic uint64_t told[CALL_LIMIT / 64];
    uint64_t slot = number < CALL_LIMIT ? number : 0; // all numbers beyond the table share a line
    uint64_t bit = 1ull << (slot % 64);

    if (!(atomic_fetch_or_explicit(&told[slot / 64], bit, memory_order_relaxed) & bit))
        log_info("linux", "system call %lu is not there (pid %d, %s)", (unsigned long)number,
                 linux_current_process()->number, current_thread()->name);
    return -LINUX_ENOSYS;
}

static void linux_syscall(struct arch_frame *f) {
    uint64_t number = arch_syscall_number(f);
    linux_call_fn call = number < CALL_LIMIT ? calls[number] : NULL;
    int64_t result = likely(call != NULL) ? call(f) : call_unknown(f, number);

    arch_syscall_set_result(f, result);
    if (unlikely(result <= -LINUX_ERESTARTSYS && result >= -LINUX_ERESTART_RESTARTBLOCK))
        thread_set_work(current_thread(), THREAD_WORK_PERSONALITY);
}

static void thread_delete(struct thread *t) {
    if (t->personality_data != NULL)
        linux_thread_free(t->personality_data);
    t->personality_data = NULL;
}

static void process_delete(struct process *p) {
    if (p->personality_data != NULL)
        linux_process_put(p->personality_data);
    p->personality_data = NULL;
}

// Any thread: the kill is asked for, and memory comes back when the threads have left.
static void kill_process(struct process *p) {
    struct linux_process *lp = linux_process(p);

    irq_flags_t flags = spin_lock_irq(&lp->lock);
    linux_process_end_locked(lp, LINUX_SIGKILL);
    spin_unlock_irq(&lp->lock, flags);
}

static void out_of_memory(struct process *p) {
    log_error("linux", "out of memory: pid %d (%s) is killed", linux_process(p)->number, p->name);
    kill_process(p);
}

const struct personality_ops linux_ops = {
    .name = "linux",
    .syscall = linux_syscall,
    .exception = linux_arch_exception,
    .user_return = linux_user_return,
    .thread_exit = linux_thread_exit,
    .process_exit = linux_process_exit,
    .thread_delete = thread_delete,
    .process_delete = process_delete,
    .out_of_memory = out_of_memory,
    .kill = kill_process,
    .token = linux_token,
};

void linux_caller(struct vfs_caller *out) {
    struct linux_thread *t = linux_current();

    out->fs = t->fs;
    out->fds = t->files;
    out->token = t->token;
    out->job = linux_job();
}

struct fd_table *linux_fds(void) {
    return linux_current()->files;
}

struct fs_context *linux_fs(void) {
    return linux_current()->fs;
}

struct token *linux_token(void) {
    return linux_current()->token;
}

uint64_t linux_limit(unsigned resource) {
    return atomic_load_explicit((_Atomic uint64_t *)&linux_current_process()->limits[resource].current,
                                memory_order_relaxed);
}
