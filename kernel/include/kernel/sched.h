// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The scheduler (kernel/sched): per-processor run queues, 256 fixed priorities (higher runs first; FIFO or round robin within one), the fair class at
// one of them, balance between processors, tickless. What is scheduled is a scheduling context; a thread runs on one (its own; calls will pass it on).
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <kernel/cpu.h>
#include <kernel/list.h>
#include <kernel/object.h>
#include <kernel/rbtree.h>
#include <kernel/types.h>

#define PRIORITY_COUNT      256
#define PRIORITY_IDLE       0   // idle threads alone
#define PRIORITY_BATCH      16  // SCHED_IDLE of Linux
#define PRIORITY_FAIR       64  // the fair class: ordinary threads
#define PRIORITY_RT_FIRST   100 // Linux real-time 1..99 are 101..199
#define PRIORITY_KERNEL     210 // reclaim and other kernel workers that must not starve
#define PRIORITY_MAX        255
#define FAIR_WEIGHT_DEFAULT 1024

enum sched_class { SCHED_CLASS_IDLE, SCHED_CLASS_FAIR, SCHED_CLASS_ROUND_ROBIN, SCHED_CLASS_FIFO };

struct thread;
struct mutex_waiter;
extern struct object_type sched_context_type;

struct sched_params {
    enum sched_class class;
    uint8_t priority; // fixed classes: 1..255. Fair: ignored
    uint32_t weight;  // fair: 15 to 88761 (nice 19 to -20)
    nstime_t slice;   // round robin and fair: 0 = default
};

// Those whose fair threads share as one against all others' (sched/group.c): on each processor the groups that want it get equal parts, and within a
// group its threads by weight, so that nobody gains by making many. Counted.
struct sched_group;

struct sched_context {
    struct object obj; // type sched_context_type
    struct sched_params params;
    /* run queue lock of the thread's processor: */
    struct sched_group *group; // counted, never NULL
    struct thread *owner;      // immutable: whose own it is
    struct thread *holder;     // who runs on it: the owner, or the thread that serves him (kernel/sched/lend.c)
    uint32_t queued_weight;    // what group and run queue count for it while it is queued
    uint64_t borrowed;         // virtual time that it was let off while others waited for it; paid back by sched_wanted
    uint64_t virtual_time;     // fair: weighted runtime, on the scale of that run queue
    nstime_t slice_used;       // of the slice begun
    nstime_t runtime;          // total, charged at every switch
    nstime_t last_charged;     // while it runs: when runtime was brought up to date
    uint64_t switches_voluntary, switches_forced;
};

enum thread_state {
    THREAD_NEW,      // created, not started
    THREAD_READY,    // on a run queue
    THREAD_RUNNING,  // on a processor
    THREAD_SLEEPING, // waiting (or about to: state is set before the condition is checked)
    THREAD_STOPPED,  // parked by its personality (job control)
    THREAD_DEAD,
};

// The part of struct thread that belongs to the scheduler (kernel/sched alone writes it).
struct sched_thread {
    struct sched_context *context; // run queue lock: what it runs on, its own or a caller's
    struct sched_context *own;     // immutable, counted
    uint8_t own_priority;          // run queue lock: what goes with own
    struct thread *lender;         // run queue lock: whose call brought the context that it holds; compared only
    struct list_node run_node;     // run queue lock: fixed priorities
    struct rb_node fair_node;      // run queue lock
    union {
        struct {
            _Atomic uint32_t state; // enum thread_state
            _Atomic uint32_t cpu;   // where it runs, is queued or ran last
        };
        _Atomic uint64_t state_at; // both, for a look at both
    };
    // Side by side for the fast path of calls, to which one comparison tells all (hand_fast.h).
    union {
        struct {
            bool
                parked; // asleep in a call or receive, with nothing on its kernel stack that is worth to be returned to
            bool away;  // run queue lock: asleep, and what it ran on is with another thread
            bool moving;       // run queue lock: leaves this processor at its next switch (affinity)
            uint8_t inherited; // thread lock: the most urgent waiter's on a mutex that it holds
        };
        uint16_t parked_away;
        uint32_t handed;
    };
    union {
        struct {
            uint8_t base_priority;    // thread lock: own
            _Atomic uint8_t priority; // run queue lock: effective, the greater of base and inherited
        };
        uint16_t priorities;
    };
    _Atomic uint8_t wait_kind;       // enum wait_kind of the sleep begun
    uint8_t lent[2];                 // thread lock: parts of inherited that mutex_lend set, by enum lender
    _Atomic bool on_cpu;             // true until its registers are saved
    bool queued;                     // run queue lock
    cpuset_t affinity;               // thread lock
    struct list_node contended;      // thread lock: mutexes held that have waiters
    _Atomic bool wanted;             // written under thread lock: contended is not empty
    struct mutex_waiter *blocked_on; // thread lock: its place among the waiters of a mutex, or NULL
    bool slice_over;                 // run queue lock: goes behind its equals at its next preemption
    nstime_t slack; // how much later than asked for a sleep may end, to end with others: its personality's to say
    /* own thread, and the switch to and from it, in cycles (arch_cycles): */
    int64_t kernel_cycles; // spent in the kernel; while it is there, less the counter as it came in, so below 0
    uint64_t switched_at;  // the counter when it last lost the processor
};

void sched_context_init_boot(void); // after job_init_boot, before the first thread
void sched_init(void);              // boot processor, before the first thread
// Makes processor cpu's run queue and idle thread (cpus[cpu].idle), with a kernel stack, on which the processor is to enter cpu_main(). Boot thread.
must_check inv_status_t sched_idle_create(unsigned cpu);
void sched_cpu_start(
    struct thread
        *idle); // each processor, on idle's stack, interrupts off: becomes its idle thread, is online from now on
noreturn_fn void sched_idle_loop(void);
bool sched_started(void);                  // the boot processor has its idle thread: sleeping is possible from now on
void sched_first_run(struct thread *prev); // a new thread's first step, from arch code: finishes the switch

// The scheduler's part of a new thread, with a context of its own charged to job. NO_MEMORY, QUOTA; undone by sched_thread_fini when the thread is freed.
must_check inv_status_t sched_thread_init(struct thread *t, const struct sched_params *params, struct job *job);
void sched_thread_fini(struct thread *t);
void sched_start(struct thread *t); // NEW → READY
bool sched_wake(
    struct thread *
        t); // SLEEPING → READY; false if it was not asleep (a wake between prepare and sleep is remembered). Any context
// Wakes t if its sleep is of a kind that may be interrupted by bits newly set in thread->user_work. Any context.
void sched_interrupt(struct thread *t);
// A new group, with one count. NULL: no memory. Any context.
struct sched_group *sched_group_create(void);
struct sched_group *sched_group_system(void); // the one that the first threads are in; for ever, not counted by this
void sched_group_put(struct sched_group *g);  // any context
// Moves t's context to g, which it counts. A new thread begins in its maker's group. Any context, t->lock not needed.
void sched_set_group(struct thread *t, struct sched_group *g);
// Scheduling contexts travel with calls (kernel/sched/lend.c). The current thread is prepared to sleep (thread_sleep_prepare), and gives processor and context
// straight to to, which sleeps in a wait for a message, without a decision by the scheduler. SCHED_LEND: as a caller to its server; SCHED_GIVE_BACK: as a
// server to its caller. True: it did, and has run again since. False: nothing happened (to is pinned elsewhere, awake already, or somebody more urgent
// is queued): the caller wakes to in the ordinary way. Interrupts off, which keeps to in memory; no lock held. deadline: when it is woken at the latest.
enum sched_hand { SCHED_LEND, SCHED_GIVE_BACK };
bool sched_hand_over(struct thread *to, enum sched_hand how, nstime_t deadline);
// The current thread goes on, on its own context; the one that it held for to, if any, is to's again. to is asleep, and woken by the caller.
void sched_give_back(struct thread *to);
// The current thread runs on its own context again; one that it held goes to its owner. Thread context.
void sched_drop_borrowed(void);
// The current thread takes over what from, which sleeps in a call, ran on. False if from is not asleep yet, or no context of its is at hand.
bool sched_borrow(struct thread *from);
void sched_yield(void);            // to others of the same priority; fair: to the one with the least virtual time
noreturn_fn void sched_exit(void); // the current thread never runs again; its stack is freed by the next
void sched_preempt(void);
// Changes class, priority, weight. INVALID for values out of range. Effective at once.
must_check inv_status_t sched_set_params(struct thread *t, const struct sched_params *p);
void sched_get_params(struct thread *t, struct sched_params *out);
// INVALID if no online processor is in the set. Moves t if needed before it returns.
must_check inv_status_t sched_set_affinity(struct thread *t, const cpuset_t *set);
// Inheritance, from kernel/sync, with t->lock held: the most urgent waiter has priority (0: none). True if the effective priority changed.
bool sched_boost(struct thread *t, uint8_t priority);
// Inheritance within the fair class, from kernel/sync, with t->lock held: whether others wait for mutexes that t holds. While they do, t is queued in front of
// the others of its class; the virtual time that it is let off for that is added again afterwards.
void sched_wanted(struct thread *t, bool wanted);
nstime_t sched_runtime(struct thread *t); // processor time so far
// The same, and how much of it was spent in the kernel on the thread's behalf: calls and faults, between kernel_time_begin and _end.
struct sched_times {
    nstime_t total, kernel;
};
void sched_get_times(struct thread *t, struct sched_times *out);
void sched_load(uint64_t out_load[3], unsigned *out_running, unsigned *out_total); // load averages, fixed point 16.16

void cpuset_add(cpuset_t *s, unsigned cpu);
void cpuset_remove(cpuset_t *s, unsigned cpu);
static inline bool cpuset_has(const cpuset_t *s, unsigned cpu) {
    return (atomic_load_explicit(&s->bits[ARRAY_SIZE(s->bits) == 1 ? 0 : cpu / 64], memory_order_relaxed) >>
            (cpu % 64)) &
           1;
}
static inline unsigned cpuset_count(const cpuset_t *s) {
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(s->bits); i++)
        for (uint64_t bits = atomic_load_explicit(&s->bits[i], memory_order_relaxed); bits; bits &= bits - 1)
            n++;
    return n;
}
extern cpuset_t cpu_online;

#endif
