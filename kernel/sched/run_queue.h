// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files of kernel/sched share: the run queue of a processor. Nothing outside includes it. docs/scheduling.md tells the whole.
//
// Invariants:
//   I1  a thread's run queue is that of the processor t->sched.cpu; that field changes under the lock of the queue that it names before the change;
//   I2  a thread is, seen under the lock of its run queue, exactly one of: current there; queued there (READY, t->sched.queued); asleep, stopped, new or
//       dead; or in transit: READY, neither current nor queued, in the hands of the one function that took it off or won its wake-up and that will
//       deliver it (sched_deliver) to the queue that t->sched.cpu names;
//   I3  the lock of a run queue is held from the choice of the next thread until the previous one's registers are saved (switch.c), so whoever holds
//       the lock and finds a thread not current may let another processor run it;
//   I4  state SLEEPING is stored by the thread itself alone; whoever makes it READY does so under the run queue's lock, once.
#ifndef SCHED_RUN_QUEUE_H
#define SCHED_RUN_QUEUE_H

#include <kernel/assert.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/time.h>

#define SLICE_DEFAULT    (CONFIG_HZ_FAIR_SLICE_US * NSEC_PER_USEC)
#define SLICE_MIN        (100 * NSEC_PER_USEC)
#define SLICE_MAX        NSEC_PER_SEC
#define WAKE_CREDIT      (SLICE_DEFAULT / 2) // virtual time by which a sleeper may be behind when it wakes
#define WAKE_GRANULARITY (SLICE_DEFAULT / 3) // lag from which a wake preempts within the fair class
#define WEIGHT_MIN       3
#define WEIGHT_MAX       88761
#define BALANCE_INTERVAL (4 * NSEC_PER_MSEC)
#define PRIORITY_WORDS   (PRIORITY_COUNT / 64)

struct run_queue {
    struct spinlock lock; // rank RUN_QUEUE, interrupts off
    unsigned cpu;         // immutable
    uint64_t asleep_here; // immutable: state_at of a thread that sleeps and ran here last
    struct thread *idle;  // immutable once the processor is online
    /* lock: */
    struct thread *current;
    unsigned queued; // threads in fixed and fair: current is in neither
    uint64_t occupied[PRIORITY_WORDS];
    struct list_node fixed[PRIORITY_COUNT];
    struct rb_tree fair; // by virtual time
    struct rb_node *fair_first;
    uint64_t fair_weight;      // of the queued fair threads (group.c)
    unsigned fair_groups;      // groups with a queued fair thread
    uint64_t min_virtual_time; // never falls; where new and waking threads of the fair class begin
    bool slice_armed;
    bool kicked; // a reschedule interrupt is on its way
    struct ktimer slice_timer;
    nstime_t balanced_at;
    /* atomic, written under lock, read anywhere as hints: */
    _Atomic uint32_t load;             // runnable threads, the current one with them
    _Atomic uint32_t running_priority; // of current
};

// A group of the fair class (group.c).
struct sched_group {
    _Atomic uint32_t count;
    // Each under the lock of that processor's run queue. A line apart, since processors write them at every switch.
    struct {
        _Alignas(64) uint64_t weight;
    } cpu[CONFIG_MAX_CPUS];
};

_Static_assert(offsetof(struct run_queue, lock) == 0, "arch_call_leave releases it");
extern cpuset_t sched_idle_cpus;         // processors whose idle thread runs and that nobody has chosen yet
extern _Atomic uint32_t sched_rt_queued; // threads above the fair class that are queued somewhere

static inline struct run_queue *run_queue_of(unsigned cpu) {
    return cpus[cpu].run_queue;
}
static inline bool is_fair(const struct thread *t) {
    return atomic_load_explicit(&t->sched.priority, memory_order_relaxed) == PRIORITY_FAIR;
}
static inline uint8_t priority_of(const struct thread *t) {
    return atomic_load_explicit(&t->sched.priority, memory_order_relaxed);
}
static inline enum thread_state state_of(const struct thread *t) {
    return (enum thread_state)atomic_load_explicit(&t->sched.state, memory_order_relaxed);
}
static inline uint64_t sched_state_at(enum thread_state state, unsigned cpu) {
    struct sched_thread t;

    atomic_init(&t.state, state);
    atomic_init(&t.cpu, cpu);
    return atomic_load_explicit(&t.state_at, memory_order_relaxed);
}
static inline void set_state(struct thread *t, enum thread_state state) {
    atomic_store_explicit(&t->sched.state, state, memory_order_relaxed);
}

// run_queue.c. All with the queue's lock held unless said otherwise.
void run_queue_init(struct run_queue *q, unsigned cpu);
// Locks the queue of t (I1).
must_check struct run_queue *run_queue_lock_thread(struct thread *t, irq_flags_t *out_flags);
// Locks the queue of the thread that holds c, which the caller keeps in memory.
must_check struct run_queue *context_lock(struct sched_context *c, irq_flags_t *out_flags);
void run_queue_insert(struct run_queue *q, struct thread *t, bool front);
void run_queue_remove(struct run_queue *q, struct thread *t);
struct thread *run_queue_first(struct run_queue *q);   // most urgent queued thread, or NULL
struct thread *run_queue_take(struct run_queue *q);    // removes and returns it; the idle thread if there is none
int run_queue_top_priority(const struct run_queue *q); // of the queued ones; -1: none
// Puts t, which is on no queue, in transit to processor cpu, which is to deliver it.
void run_queue_detach(struct run_queue *q, struct thread *t, unsigned cpu);
void run_queue_charge(struct run_queue *q, nstime_t now);   // brings the account of current up to now
static inline void run_queue_publish(struct run_queue *q) { // load and running_priority
    bool busy = q->current != q->idle;
    atomic_store_explicit(&q->load, q->queued + busy, memory_order_relaxed);
    atomic_store_explicit(&q->running_priority, q->current ? priority_of(q->current) : 0, memory_order_relaxed);
}
nstime_t run_queue_slice(const struct thread *t);
bool run_queue_rotates(const struct run_queue *q); // current shares its priority by slices with a queued thread
void run_queue_arm_slice(struct run_queue *q, nstime_t now); // on its own processor

// group.c. With the queue's lock held.
static inline void group_count(struct run_queue *q,
                               struct sched_context *c) { // c's thread was queued among the fair ones
    uint64_t *weight = &c->group->cpu[q->cpu].weight;

    c->queued_weight = c->params.weight;
    q->fair_groups += *weight == 0;
    *weight += c->queued_weight;
    q->fair_weight += c->queued_weight;
}
static inline void group_uncount(struct run_queue *q, struct sched_context *c) { // and taken off
    uint64_t *weight = &c->group->cpu[q->cpu].weight;

    DEBUG_ASSERT(*weight >= c->queued_weight && q->fair_weight >= *weight);
    *weight -= c->queued_weight;
    q->fair_weight -= c->queued_weight;
    q->fair_groups -= *weight == 0;
}
// How fast c's virtual time runs on q, beside what its weight says: fixed point, GROUP_PACE_ONE where only its own group wants the processor.
#define GROUP_PACE_SHIFT 10
#define GROUP_PACE_ONE   (1u << GROUP_PACE_SHIFT)
static inline uint64_t group_pace(const struct run_queue *q, const struct sched_context *c) {
    uint64_t own = c->group->cpu[q->cpu].weight;

    if (likely(own == q->fair_weight))
        return GROUP_PACE_ONE;
    uint64_t groups = q->fair_groups + (own == 0);
    return MAX((own + c->params.weight) * groups * GROUP_PACE_ONE / (q->fair_weight + c->params.weight), 1u);
}

// The group of the current thread (before there is one: the system's), counted once more.
struct sched_group *sched_group_inherit(void);

// wake.c
void sched_deliver(struct thread *t); // ends t's transit. No lock held, interrupts off
void sched_kick(struct run_queue *q); // lock held: makes its processor look at its queue

// place.c
unsigned sched_place(const struct thread *t, unsigned last); // where a thread that becomes runnable should run
bool sched_find_lower(const struct thread *t,
                      unsigned *out_cpu); // a processor that t may use and that runs less urgent work

// lend.c. What t ran on is with another thread, and t is about to be woken: it runs on its own context again, taken from who holds it. No lock held.
void sched_recover(struct thread *t);
// t, asleep on its own context, has the priority that goes with it. Its queue is locked.
void sched_settle_own(struct thread *t);

// context.c. Returns the priority that goes with p.
uint8_t sched_adopt_params(struct sched_context *c, const struct sched_params *p);

// balance.c. No lock held, interrupts off.
bool sched_pull(struct run_queue *q);    // takes work from the busiest other processor. True if it got any
void sched_pull_rt(struct run_queue *q); // takes a queued thread above the fair class that is more urgent than all here
void sched_push(struct run_queue *q);    // gives work away if another processor has clearly less

// load.c
void sched_load_notice(void); // there is load: sampling goes on. Any lock below TIMER_QUEUE
void sched_load_init(void);

// sleep.c. Wakes t at the deadline. Disarmed by timer_cancel_sync, before it goes.
struct sleep_timer {
    struct ktimer timer;
    struct thread *thread;
};
void sleep_timer_arm(struct sleep_timer *s, struct thread *t, nstime_t deadline);

// switch.c
// The current thread's queue is locked, interrupts off, preempt_count 1.
void sched_switch_lent(struct run_queue *q, struct thread *prev, struct thread *next);
void sched_sleep_now(void); // gives the processor up if the state is still SLEEPING

#endif
