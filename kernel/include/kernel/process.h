// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Processes and threads of the core (kernel/process). A process is an address space, a handle table, a job and its threads; what a Linux process is beyond
// that (pid, parent, signals, descriptors) hangs from process->personality and thread->personality_data and is known to the personality alone.
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <arch/context.h>
#include <kernel/aspace.h>
#include <kernel/handle.h>
#include <kernel/ipc.h>
#include <kernel/irq.h>
#include <kernel/job.h>
#include <kernel/mutex.h>
#include <kernel/object.h>
#include <kernel/sched.h>
#include <kernel/signals.h>
#include <kernel/token.h>
#include <kernel/wait.h>

struct process;
struct thread;

// What the core calls upward; one static table a personality. Context: the thread concerned, may sleep, unless said otherwise.
struct personality_ops {
    const char *name;
    void (*syscall)(struct arch_frame *frame); // any call that is not a native one the job allows. Never NULL
    void (*exception)(struct arch_frame *frame,
                      const struct exception *e);  // user-mode fault the core could not resolve
    void (*user_return)(struct arch_frame *frame); // thread->user_work had THREAD_WORK_PERSONALITY; clears what it did
    void (*thread_exit)(struct thread *t);         // the last act of a thread, on itself, before it leaves its process
    void (*process_exit)(struct process *p); // the last thread is leaving (on that thread): address space still there
    void (*thread_delete)(struct thread *t); // last reference gone: free personality_data
    void (*process_delete)(struct process *p);
    void (*out_of_memory)(struct process *p); // kill it by policy; any thread
    void (*kill)(struct process *p);          // its job is killed; any thread. NULL: process_kill
    struct token *(*token)(void); // who the current thread acts as; stays until it returns to user mode. NULL: nobody
};
// Of processes that use native calls alone, and of the kernel's own (kernel/syscall/native.c).
extern const struct personality_ops native_personality;

struct process {
    struct object obj;
    struct mutex lock; // rank PROCESS
    /* lock: */
    struct list_node threads; // thread->process_node
    unsigned thread_count;
    struct aspace *aspace; // counted. Changed by exec on the only thread, with lock held; read by own threads freely
    /* atomic: */
    _Atomic bool exiting;            // kill was asked for: threads leave at their next return to user mode
    _Atomic bool oom_protected;      // chosen last when memory runs out: the first user process
    _Atomic(struct thread *) single; // the thread that goes on alone (exec); all others leave
    struct waitq thread_left;        // woken when thread_count falls
    struct list_node job_node;       // job lock
    struct signals signals;          // TERMINATED

    bool job_killed; // job lock: job_kill has been here
    /* immutable after create: */
    struct handle_table handles;       // own lock
    const struct personality_ops *ops; // never NULL
    void *personality_data;
    char name[16];
};
extern struct object_type process_type, thread_type;
extern struct process *kernel_process;

// Bits of thread->user_work: looked at before every return to user mode; any bit also ends interruptible sleeps.
#define THREAD_WORK_PERSONALITY (1u << 0) // signals, stops: ops->user_return
#define THREAD_WORK_KILL        (1u << 1) // leave: ends killable sleeps as well

struct thread {
    struct object obj;
    struct arch_thread arch;
    struct sched_thread sched;
    struct thread_ipc ipc;
    struct signals signals;        // TERMINATED
    struct process *process;       // counted; immutable
    struct list_node process_node; // process lock
    struct list_node all_node;     // all_threads lock (debugger, counting)
    struct spinlock lock;          // rank THREAD
    _Atomic uint32_t user_work;    // THREAD_WORK_*
    atomic_bool exited;
    atomic_bool left; // is on its process's list no more while others are: the address space may go before it
    void *stack;      // kernel stack (kstack_alloc); NULL once it has ended
    void *personality_data;
    void (*kernel_entry)(void *); // kernel threads
    void *kernel_arg;
    uint64_t id; // unique, never reused
    struct thread_lock_debug {
        uint8_t depth;
        struct {
            const void *lock, *at;
            uint8_t rank;
        } held[16];
    } locks; // sleeping locks held (debug builds)
    char name[16];
};

// A process with an address space of its own (as counted is taken over) and no thread. ops NULL: native_personality. NO_MEMORY, QUOTA.
must_check inv_status_t process_create(struct job *job, struct aspace *as, const struct personality_ops *ops,
                                       const char *name, struct process **out);
// A thread in NEW state with a kernel stack; user ones start at frame (copied). The caller holds one pointer; the thread itself holds another until it has ended.
must_check inv_status_t thread_create_user(struct process *p, const struct arch_frame *frame, const char *name,
                                           struct thread **out);
must_check inv_status_t thread_create_kernel(void (*entry)(void *), void *arg, const char *name, uint8_t priority,
                                             struct thread **out);
// Starts it: from now on it may run before this returns.
void thread_start(struct thread *t);
// Throws a thread that was never started away.
void thread_discard(struct thread *t);
// Ends the calling thread: personality's thread_exit; if it is the last, process_exit, handles closed, address space dropped. Never returns.
noreturn_fn void thread_exit(void);
// Marks the process as exiting and makes every other thread leave at its next return to user mode. Does not wait.
void process_kill(struct process *p);
// Ends it, the calling thread included, as its personality ends what is killed. Does not wait. Thread context.
void process_end(struct process *p);
// Makes every other thread of the process leave and waits for it (exec). INTERRUPTED if the process is being killed.
must_check inv_status_t process_single_thread(struct process *p);
// The address space of p, counted; NULL: it has ended. May sleep.
struct aspace *process_aspace_get(struct process *p);
// Replaces the address space of the current, only, thread's process by as (takes over the count) and loads it.
void process_set_aspace(struct process *p, struct aspace *as);
// Around what the current thread does in the kernel for its program. An interrupt's time stays with what it interrupted.
static inline void kernel_time_begin(struct thread *t) {
    t->sched.kernel_cycles -= (int64_t)arch_cycles();
}
static inline void kernel_time_end(struct thread *t) {
    t->sched.kernel_cycles += (int64_t)arch_cycles();
}
// Sets bits in user_work and interrupts the thread's sleep if it may be. Any context.
void thread_set_work(struct thread *t, uint32_t bits);
static inline bool thread_killed(struct thread *t) {
    return (atomic_load_explicit(&t->user_work, memory_order_relaxed) & THREAD_WORK_KILL) != 0;
}
// From arch exit code, interrupts on: does the work of user_work (may not return if the thread was killed).
void thread_return_to_user(struct arch_frame *frame);
static inline struct process *current_process(void) {
    return current_thread()->process;
}
// Calls fn for every thread (debugger: locked false and the machine stopped).
void thread_for_each(bool (*fn)(struct thread *t, void *arg), void *arg, bool locked);
// For the scheduler. An idle thread of processor cpu, on no queue. thread_reap: t is dead and off its stack; interrupts off, never sleeps: it is freed later.
must_check inv_status_t thread_create_idle(unsigned cpu, struct thread **out);
void thread_reap(struct thread *t);
// Frees the dead threads that wait for it now. May sleep.
void thread_reap_pending(void);
void process_init_boot(
    void); // types, kernel process; turns the boot stack into the idle thread of processor 0 (cpus[0].idle, current)
void process_start_reaper(void); // once threads run

#endif
