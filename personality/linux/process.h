// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What a Linux process and thread are beyond the core's: identity, family, credentials, signals, times. Shared by the files of this folder.
//
// Lifetimes. A linux_process is counted. Its counts: one for its place in the tree (from clone to the wait that reaps it), one for the core's process
// (dropped by process_delete), and one for each user that looked it up. A linux_thread belongs to its core thread and is freed with it; through the
// process it is reachable only while it is on process->threads, and then only under process->lock.
//
// Invariants:
//   I1 a process is on the tree (parent->children, group->members, pid table) from the end of clone until it is reaped; a zombie has no thread.
//   I2 lp->process is not NULL exactly while a thread may still run in it.
//   I3 lt->blocked is written by its own thread alone, under lp->lock; its own thread reads it freely.
//   I4 THREAD_WORK_PERSONALITY is set whenever a thread has a pending signal that is not blocked, a stop to join or a notice to send; it is cleared
//      only under lp->lock, by the thread itself.
// Locking: linux_tree_lock (spin, PERSONALITY_SPIN) → lp->lock (spin, interrupts off, SIGNAL) → sighand->lock (SIGNAL_ACTION). Fields are grouped by lock.
#ifndef LINUX_PROCESS_H
#define LINUX_PROCESS_H

#include "calls.h"
#include "signal.h"

#include <kernel/string.h>
#include <kernel/wait.h>

#define LINUX_TICK        (NSEC_PER_SEC / 100) // what times are counted in where programs see ticks
#define LINUX_INIT_PID    1
#define LINUX_PID_MAX     32768
#define LINUX_COMM_LENGTH 16
#define LINUX_TIMER_SLACK 50000 // ns

enum { LINUX_MCE_KILL_LATE, LINUX_MCE_KILL_EARLY, LINUX_MCE_KILL_DEFAULT };

struct linux_group {
    struct linux_pid *pid;         // counted; immutable
    struct linux_session *session; // immutable; counted through session->groups
    struct list_node members;      // tree lock: linux_process.group_node
};

struct linux_session {
    struct linux_pid *pid;        // counted; immutable
    unsigned groups;              // tree lock: groups that belong to it; freed at zero
    struct linux_process *leader; // tree lock: NULL once it has ended. Not counted
    // tree lock:
    struct tty *terminal;   // controlling terminal, counted, or NULL
    uint32_t terminal_turn; // counts the terminals that it has had and lost: see linux_process.terminal_turn
    int foreground_hung_up; // the foreground group at a hang-up, for the leader's exit; 0: none
};

// A real user's threads and zombies, and signals queued for them (user.c).
struct linux_user {
    struct linux_user *next; // tree lock
    uint32_t uid;
    _Atomic unsigned tasks;    // written under the tree lock
    _Atomic uint64_t signals;  // queue entries charged to it; any context
    struct sched_group *share; // counted, immutable: its threads' part of the processors
};

// One number in use, whoever uses it: it is given back only when no thread, process, group and session bears it (pid.c).
struct linux_pid {
    int number;
    uint64_t serial; // never given twice, unlike the number; immutable
    unsigned users;  // tree lock
    // Who is charged; NULL when neither thread nor process bears it. Written under the tree lock and, where a thread that can be sent signals bears the
    // number, its process's lock: either is enough to read it.
    struct linux_user *user;
    struct linux_process *process; // tree lock: whose pid it is (also zombies)
    struct linux_thread *thread;   // tree lock: the live thread with this tid
    struct linux_group *group;     // tree lock
    struct linux_session *session; // tree lock
};

struct linux_cpu_times {
    nstime_t user, system;
};

// What read, write and their kin have moved, and how often they were called: /proc/PID/io.
struct linux_io_count {
    uint64_t bytes_read, bytes_written, reads, writes;
};

// Resources of a process or of its reaped children.
struct linux_usage {
    struct linux_cpu_times times;
    struct linux_io_count io;
    uint64_t faults_minor, faults_major, switches_voluntary, switches_forced, resident_peak;
};

// The last one is not a program's: it watches RLIMIT_CPU.
enum {
    LINUX_ITIMER_REAL,
    LINUX_ITIMER_VIRTUAL,
    LINUX_ITIMER_PROF,
    LINUX_ITIMERS,
    LINUX_TIMER_LIMIT = LINUX_ITIMERS,
    LINUX_TIMERS
};
// One interval timer (itimer.c). REAL counts the clock; the others processor time, looked at when it could have passed.
struct linux_itimer {
    struct ktimer timer;
    struct linux_process *process;
    nstime_t expires;  // lp->lock: clock or processor time at which it fires, 0: off
    nstime_t interval; // lp->lock
    bool used;         // lp->lock: was ever set, so its handler may be running
};

enum linux_process_state { LINUX_PROCESS_NEW, LINUX_PROCESS_LIVE, LINUX_PROCESS_ZOMBIE, LINUX_PROCESS_REAPED };
// What a stopped or continued process still has to tell its parent (wait) and to notify it of (SIGCHLD).
enum linux_stop_notice { LINUX_NOTICE_NONE, LINUX_NOTICE_STOPPED, LINUX_NOTICE_CONTINUED };

struct linux_process {
    _Atomic uint32_t count;
    int number;            // the pid; immutable after clone
    struct linux_pid *pid; // tree lock: its entry, until it is reaped
    nstime_t start_time;

    /* tree lock: */
    struct linux_process *parent;       // not counted: children are handed on before it goes
    struct linux_thread *parent_thread; // whose child it is among parent's threads; NULL: none is left. Not counted
    struct list_node children;          // linux_process.sibling
    struct list_node sibling;
    struct list_node all_node; // all processes, in the order of creation
    struct linux_group *group;
    struct list_node group_node;
    uint32_t
        terminal_turn; // it has the session's terminal if this is the session's, and not 0: who was there before the terminal has none
    enum linux_process_state state;
    int exit_signal;   // to the parent; 0: none
    bool has_executed; // setpgid by the parent is refused from now on
    struct linux_usage children_usage;

    /* atomic: */
    _Atomic int parent_id;      // for getppid
    _Atomic bool vfork_pending; // the parent waits until exec or exit
    _Atomic uint32_t personality, dumpable;
    _Atomic uint32_t core_filter; // kinds of memory that a core file holds
    _Atomic int oom_score_adj;
    _Atomic uint32_t barriers; // membarrier's registrations
    bool unkillable;           // process 1: signals that it does not handle are not sent; immutable

    struct waitq child_wait; // woken when a child changes state
    struct waitq vfork_wait;
    struct waitq stop_wait;
    struct waitq end_wait; // descriptors of the process: woken when it has ended

    struct spinlock lock; // rank SIGNAL
    /* lock: */
    struct process *process;  // counted, I2
    struct list_node threads; // linux_thread.node
    unsigned thread_count;
    struct linux_sighand *sighand; // counted; replaced by exec alone
    struct linux_pending pending;  // signals to the process as a whole
    struct token *token;           // counted: of the first thread, for checks by others
    struct file *exe;              // counted, or NULL
    struct linux_rlimit limits[LINUX_RLIM_COUNT];
    bool timers_stopped;              // the end has begun: no timer is set any more
    bool group_exit, executing;       // no new thread
    struct linux_thread *core_thread; // who writes the core file, or NULL
    unsigned core_left;               // threads that it still waits for
    bool stop_requested, stopped;     // every thread is to park; all have
    int stop_signal;
    enum linux_stop_notice notice;      // to be sent as SIGCHLD by the next thread that passes user_return
    enum linux_stop_notice wait_notice; // not yet consumed by wait
    int wait_code;                      // stop signal behind wait_notice
    int exit_status;                    // as wait reports it: code << 8 or signal
    char last_name[LINUX_COMM_LENGTH];  // of the first thread, once it has ended: what a zombie is called
    bool child_subreaper;
    bool no_huge_pages;
    struct linux_usage usage; // of threads that have ended
    struct linux_itimer itimers[LINUX_TIMERS];
    struct {
        struct ktimer timer;
        bool watched, used;      // used: ever
    } rt_limit;                  // rt_limit.c
    struct rb_tree posix_timers; // posix_timer.c
    int posix_timer_next;        // number of the next one
};

struct linux_altstack {
    uint64_t sp, size;
    uint32_t flags;
};

struct linux_thread {
    struct thread *thread;         // not counted
    struct linux_process *process; // counted; immutable
    struct linux_pid *pid;         // tree lock and own thread
    unsigned children;             // tree lock: processes whose parent_thread it is
    struct list_node node;         // process lock
    nstime_t start_time;

    /* own thread; others under process lock: */
    struct fd_table *files; // counted
    struct fs_context *fs;  // counted
    struct token *token;    // counted
    linux_sigset_t blocked; // I3
    struct linux_pending pending;
    bool parked;            // in a job control stop
    bool leaving;           // its end has begun
    linux_sigset_t waiting; // rt_sigtimedwait: signals taken although blocked

    /* own thread; others read what was last written: */
    struct linux_io_count io;

    /* own thread: */
    linux_sigset_t saved_blocked;
    bool restore_blocked;
    struct linux_altstack altstack;
    uint64_t clear_child_tid, set_child_tid; // user addresses, 0: none
    uint64_t robust_list;
    struct linux_thread_locks {          // futex_pi.c: under its lock
        struct list_node held;           // locks with waiters that it owns
        struct futex_pi_waiter *blocked; // its place among the waiters of one, or NULL
        bool closed;                     // it is leaving: owns no more
    } locks;
    struct linux_mempolicy {
        uint32_t mode;            // with its flags
        uint64_t nodes;           // as they are told
    } mempolicy;                  // numa.c
    struct linux_undo_list *undo; // semaphore operations to be undone at the end; counted, or NULL
    struct linux_restart restart;
    struct {
        uint64_t vector, error, address;
    } trap; // the last exception, for signal frames
    int exit_status;
    uint8_t memory_failure; // LINUX_MCE_KILL_*
    bool io_flusher;
    uint64_t timer_slack, timer_slack_default; // ns
    int nice, policy, rt_priority;             // as the scheduling calls tell them
    nstime_t rt_seen,
        rt_ran;           // process lock: rt_limit.c: its processor time at the last look, and how much since it slept,
    uint64_t rt_sleeps;   // and how often it had slept
    uint64_t rt_yields;   // own thread: switches that are counted as voluntary, and are no sleep
    bool reset_on_fork;   // children get an ordinary policy
    uint16_t io_priority; // ioprio_set's class and level: kept, and not used yet
    int parent_death_signal; // tree lock: of children that are told; set by itself alone
    bool user_over_limit;    // setuid led to a user with more than RLIMIT_NPROC: the next exec fails
};

extern struct spinlock linux_tree_lock;
extern struct list_node linux_processes; // tree lock: all_node
extern struct linux_process *linux_init; // process 1, from its start on
extern const struct personality_ops linux_ops;

static inline struct linux_thread *linux_current(void) {
    return linux_thread(current_thread());
}
static inline struct linux_process *linux_current_process(void) {
    return linux_thread(current_thread())->process;
}
// A call that reads, or writes, and got as far as the file: result is the number of bytes, or an error.
static inline void linux_count_read(int64_t result) {
    struct linux_io_count *c = &linux_current()->io;
    c->reads++;
    c->bytes_read += result > 0 ? (uint64_t)result : 0;
}
static inline void linux_count_write(int64_t result) {
    struct linux_io_count *c = &linux_current()->io;
    c->writes++;
    c->bytes_written += result > 0 ? (uint64_t)result : 0;
}
static inline struct job *linux_job(void) {
    return current_process()->obj.job;
}

// --- process.c: memory and counts ---
// A process without threads, with one count, nothing but limits, token, sighand, exe copied from parent (NULL: fresh). NULL: no memory.
struct linux_process *linux_process_alloc(const struct linux_process *from);
void linux_process_get(struct linux_process *p);
void linux_process_put(struct linux_process *p); // may sleep
// The core's process, counted, or NULL when it has ended.
struct process *linux_process_core(struct linux_process *p);
// The address space, counted, or NULL.
struct aspace *linux_process_aspace(struct linux_process *p);
struct linux_thread *linux_thread_alloc(struct linux_process *p); // takes a count of p. NULL: no memory
void linux_thread_free(struct linux_thread *t);
void linux_fs_drop(struct fs_context *fs); // a thread's own: one user and one count less
// Some thread of the process: the one that bears the pid if it lives. lp->lock held; NULL: none.
struct linux_thread *linux_process_thread_locked(struct linux_process *p);

// --- pid.c --- (tree lock held unless said otherwise)
// A new number with one user, not in the table's view of any process yet. NULL: none free, or no memory. Lock not held.
struct linux_pid *linux_pid_alloc(void);
void linux_pid_get_locked(struct linux_pid *p);
void linux_pid_put_locked(struct linux_pid *p);
struct linux_pid *linux_pid_find_locked(int number);
struct linux_process *linux_process_find_locked(int number); // not counted
int linux_process_next_locked(int from);                     // the lowest number of a process from from on; 0: none
struct linux_thread *linux_thread_find_locked(int number);   // live; not counted
// Counted, or NULL. Lock not held. 0 means the caller.
struct linux_process *linux_process_find(int number);
// The process of a pid or of a tid, counted, or NULL. Lock not held. 0 means the caller.
struct linux_process *linux_process_of_tid(int number);
int linux_pid_last(void);
unsigned linux_pid_count(void);

// A number of the caller's choice, as linux_pid_alloc. EINVAL: out of range; EEXIST; ENOMEM.
int64_t linux_pid_alloc_exact(int number, struct linux_pid **out);

// --- user.c: threads and queued signals a user ---
// The entry of a real user, charged with one more. Under the tree lock. NULL: no memory.
struct linux_user *linux_user_get_locked(uint32_t uid);
static inline void linux_user_charge_locked(struct linux_user *u) {
    atomic_store_explicit(&u->tasks, atomic_load_explicit(&u->tasks, memory_order_relaxed) + 1, memory_order_relaxed);
}
void linux_user_put_locked(struct linux_user *u); // one less
// May the current thread's user have one more (RLIMIT_NPROC), and the machine? As Linux looks: before the clone, so that those at it at once may pass together.
bool linux_user_may_clone(void);
// The current thread's charge goes to another real user. 0, or -EAGAIN: no memory.
int64_t linux_user_change(uint32_t uid);
// False: since its setuid the current thread's user is over its limit (execve(2), EAGAIN).
bool linux_user_may_execute(void);
// One more queued signal is charged to the user, who keeps the entry in the table until it is given back. False: there are limit already. The user has
// tasks. Any context.
must_check bool linux_user_signal_charge(struct linux_user *u, uint64_t limit);
void linux_user_signal_uncharge(struct linux_user *u); // any context
unsigned linux_threads_max(void); // the machine's limit, by its memory: /proc/sys/kernel/threads-max

// --- group.c ---
int linux_group_number(struct linux_process *p);
int64_t linux_group_create_first(struct linux_process *p); // process 1: its own group and session
void linux_group_join_locked(struct linux_process *p, struct linux_group *g);
// Takes p out of its group; what became empty is returned in *out_... to be freed after the lock.
struct linux_group_waste {
    struct linux_group *group;
    struct linux_session *session;
};
// The terminal that p has, not counted. Tree lock held.
struct tty *linux_terminal_locked(const struct linux_process *p);
void linux_group_leave_locked(struct linux_process *p, struct linux_group_waste *waste);
void linux_group_waste_free(struct linux_group_waste *waste);
// Exit of a session leader: hangs its terminal up. Lock not held.
void linux_session_leader_exit(struct linux_process *p);
// True if no member of g has a parent in another group of the same session. leaving: a process counted as gone, or NULL.
bool linux_group_orphaned_locked(struct linux_group *g, const struct linux_process *leaving);
// p ends, or its parent does: SIGHUP and SIGCONT to a group that has just become orphaned and has stopped members.
void linux_group_check_orphan_locked(struct linux_process *p, struct linux_process *parent,
                                     const struct linux_process *leaving);

// --- exit.c ---
// Ends the calling thread's process with a wait status. Never returns.
noreturn_fn void linux_exit_group_status(int status);
// Marks the process for its end with that status and makes its threads leave. lp->lock held, any context.
void linux_process_end_locked(struct linux_process *p, int status);
void linux_thread_exit(struct thread *t);
void linux_process_exit(struct process *core);
// Tells the parent of a stop or continuation: SIGCHLD by its rules, and wakes its waits. Tree lock not held.
void linux_notify_parent_of_stop(struct linux_process *p, enum linux_stop_notice notice, int signal);
// Takes a zombie off the tree. Tree lock held; the caller puts the tree's count and frees waste after it.
void linux_process_release_locked(struct linux_process *p, struct linux_group_waste *waste);
void linux_vfork_done(struct linux_process *p);
void linux_memory_account(struct linux_process *p, struct aspace *as); // before the process leaves the address space

// --- usage.c ---
nstime_t linux_process_runtime_locked(struct linux_process *p); // lp->lock
void linux_usage_of_thread(struct linux_thread *t, struct linux_usage *out);
void linux_usage_add(struct linux_usage *to, const struct linux_usage *from);
void linux_process_usage_locked(struct linux_process *p, struct linux_usage *out); // lp->lock: ended and live threads
struct linux_rusage {                                                              // as user memory has it
    int64_t user_seconds, user_microseconds, system_seconds, system_microseconds;
    int64_t resident_peak, shared, data, stack, faults_minor, faults_major, swaps, blocks_in, blocks_out, messages_sent,
        messages_received, signals, switches_voluntary, switches_forced;
};
void linux_rusage_fill(struct linux_rusage *out, const struct linux_usage *u);

// --- itimer.c ---
void linux_itimers_init(struct linux_process *p);
void linux_cpu_limit_watch(struct linux_process *p); // after RLIMIT_CPU was set or inherited
void linux_itimers_stop(struct linux_process *p);    // waits for a handler that runs; thread context
int64_t linux_alarm_set(uint64_t seconds);           // returns the seconds that were left

// --- rt_limit.c ---
void linux_rt_limit_init(struct linux_process *p);
void linux_rt_limit_watch(struct linux_process *p); // after RLIMIT_RTTIME or a thread's class was set or inherited
void linux_rt_limit_stop(struct linux_process *p);  // after timers_stopped; waits for a look that runs; thread context

// --- signal.c ---
// Sends with the rules for the current thread; signo 0: only those. Tree lock held. EINVAL, EPERM, EAGAIN.
int64_t linux_signal_process_locked(struct linux_process *p, const struct linux_siginfo *info);

// --- sched.c ---
static inline bool linux_policy_realtime(int policy) {
    return policy == 1 || policy == 2; // SCHED_FIFO, SCHED_RR
}
// What a new thread is given instead of the caller's policy and priority, where the caller chose so (SCHED_RESET_ON_FORK).
void linux_sched_reset(struct linux_thread *t, struct sched_params *params);

// --- futex.c ---
void linux_robust_list_exit(struct linux_thread *t);
// The current thread gives up what it owns of locks with priority inheritance, and can own no more until it begins anew (exec).
void linux_futex_pi_exit(struct linux_thread *t);
void linux_futex_pi_begin(struct linux_thread *t);
// The priority of t changed by a call: passed on to the owners of the locks that it waits for.
void linux_futex_pi_reprioritise(struct linux_thread *t);
// Wakes waiters of a shared or private futex word of the current address space.
void linux_futex_wake_address(uint64_t address, unsigned count);

// --- credentials.c ---
// Makes token the current thread's (takes over the count).
void linux_token_install(struct token *token);
// The rules of Linux for signals from the current thread to p.
bool linux_may_signal(const struct token *sender, const struct token *target);
// May the current thread look into p (ptrace rules, /proc)?
bool linux_may_inspect(struct linux_process *p);
bool linux_may_attach(struct linux_process *p); // the same by the real ids: to change it, or take something of it

// --- arch_x86_64.c ---
void linux_arch_clone_frame(struct arch_frame *f,
                            uint64_t stack); // a child's registers: result 0, stack pointer if not 0
void linux_arch_clone_thread(struct thread *child, bool new_tls,
                             uint64_t tls); // FPU state, TLS bases from the current thread
void linux_arch_exec_reset(void);           // FPU, TLS bases of the current thread
uint64_t linux_arch_hwcap(void);
uint64_t linux_arch_frame_minimum(void); // AT_MINSIGSTKSZ
// True, with the result, if the frame is that of a call whose result nobody has looked at; resolved: it is an ordinary frame from now on.
bool linux_arch_call_result(const struct arch_frame *f, int64_t *out_result);
void linux_arch_call_resolved(struct arch_frame *f);
void linux_arch_exception(struct arch_frame *frame, const struct exception *e);

// --- ipc/sem_undo.c ---
// A new thread shares the caller's list of what is to be undone (CLONE_SYSVSEM), or has none. 0, ENOMEM.
int64_t linux_sem_clone(struct linux_thread *child, bool share);
void linux_sem_exit(struct linux_thread *t); // applies the list if t was its last thread

// For /proc/cpuinfo.
void linux_arch_cpu_names(char vendor[16], char model[64], unsigned *family, unsigned *number, unsigned *stepping);
void linux_arch_cpu_flags(void *arg, void (*emit)(void *arg, const char *word));

#endif
