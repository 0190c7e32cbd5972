// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// POSIX timers: timer_create and its kin. A timer expires once, sends its signal, and a periodic one goes on when the signal is taken, which counts the
// periods that were missed: nobody can fill a processor with signals that nobody takes.
//
//   off --settime--> armed --expiry--> signal pending --taken--> armed (periodic) or off
//                      ^                   |
//                      +-- the signal is ignored: the next period, at once
//
// Timers on processor time are looked at when they can have expired at the earliest (clocks.c).
//
// Invariants:
//   I1 a timer is in lp->posix_timers from create to delete, and nobody but its handler touches it without lp->lock;
//   I2 the handler has ended before the timer is freed: delete takes it out of the tree, then cancels and waits.
// Locking: lp->lock. The handler runs in interrupt context and reads the clock before it takes the lock: the clock may be another process's.
#include "posix_timer.h"

#include "clocks.h"

#include <executive/event.h>
#include <kernel/slab.h>

#define SIGEV_SIGNAL    0
#define SIGEV_NONE      1
#define SIGEV_THREAD    2
#define SIGEV_THREAD_ID 4

struct linux_posix_timer {
    struct ktimer timer;
    struct wall_watch watch;
    /* immutable: */
    int id, notify;
    struct linux_process *process; // not counted: it ends its timers
    struct linux_clock clock;
    int target; // SIGEV_THREAD_ID: the thread
    struct job *job;
    /* process lock: */
    struct rb_node node;
    struct linux_sigqueue *entry;     // NULL: SIGEV_NONE
    nstime_t expires, interval, seen; // seen: the clock at the last look
    bool armed, ended, absolute;
    bool requeue; // periodic, and its signal is on the way
    unsigned idle;
    int64_t overrun, overrun_last;
};

// --- time -------------------------------------------------------------------------------------------------------------

// A relative timer on wall time counts time since boot: setting the clock does not move it.
static bool counts_wall(const struct linux_posix_timer *t) {
    return t->clock.kind == LINUX_COUNTS_WALL && t->absolute;
}

static nstime_t now_unlocked(const struct linux_posix_timer *t) {
    nstime_t now;

    if (t->clock.kind != LINUX_COUNTS_PROCESSOR)
        return counts_wall(t) ? clock_wall() + t->clock.offset : clock_monotonic();
    return linux_clock_read(&t->clock, &now) == 0 ? now : 0;
}

static nstime_t now_locked(const struct linux_posix_timer *t) {
    if (t->clock.kind != LINUX_COUNTS_PROCESSOR)
        return now_unlocked(t);
    return t->clock.process == t->process ? linux_clock_read_locked(&t->clock) : t->seen;
}

static void arm_locked(struct linux_posix_timer *t, nstime_t now) {
    t->armed = true;
    if (t->clock.kind == LINUX_COUNTS_PROCESSOR)
        timer_set(&t->timer,
                  deadline_after(linux_clock_look_after(&t->clock, t->expires > now ? t->expires - now : 0, &t->idle)));
    else
        timer_set(&t->timer,
                  counts_wall(t) ? wall_deadline(t->expires - MIN(t->expires, t->clock.offset)) : t->expires);
}

// Moves the expiry of a periodic timer past now. The number of periods.
static uint64_t forward_locked(struct linux_posix_timer *t, nstime_t now) {
    if (now < t->expires)
        return 0;
    uint64_t periods = (now - t->expires) / t->interval + 1;
    nstime_t step;
    if (__builtin_mul_overflow(periods, t->interval, &step) || t->expires + step < t->expires)
        t->expires = NSTIME_NEVER;
    else
        t->expires += step;
    return periods;
}

// --- expiry -----------------------------------------------------------------------------------------------------------

static struct linux_thread *target_locked(struct linux_posix_timer *t) {
    struct linux_thread *thread;

    list_for_each(thread, &t->process->threads, node)
        if (thread->pid != NULL && thread->pid->number == t->target)
            return thread;
    return NULL;
}

static void expire_locked(struct linux_posix_timer *t, nstime_t now) {
    struct linux_thread *thread = NULL;

    t->armed = false;
    if (t->entry == NULL)
        return;
    if (t->notify == SIGEV_THREAD_ID && (thread = target_locked(t)) == NULL)
        return; // nobody is left to be told
    t->requeue = t->interval != 0;
    if (signal_send_entry_locked(t->process, thread, t->entry) != SIGNAL_IGNORED || t->interval == 0)
        return;
    // Nobody will take it. Short periods are stretched meanwhile: looking on costs more than they are worth.
    t->overrun += (int64_t)forward_locked(t, t->interval < LINUX_TICK ? now + LINUX_TICK : now);
    arm_locked(t, now);
}

static void fired(struct ktimer *timer) {
    struct linux_posix_timer *t = container_of(timer, struct linux_posix_timer, timer);
    nstime_t now = now_unlocked(t);
    irq_flags_t flags = spin_lock_irq(&t->process->lock);

    if (t->armed && !t->ended) {
        if (t->clock.kind != LINUX_COUNTS_PROCESSOR)
            now = now_locked(t); // set anew since, perhaps on the other kind of time
        t->idle = now == t->seen ? t->idle + 1 : 0;
        t->seen = now;
        if (now >= t->expires)
            expire_locked(t, now);
        else
            arm_locked(t, now);
    }
    spin_unlock_irq(&t->process->lock, flags);
}

// The handler looks again, by the new clock.
static void clock_moved(struct wall_watch *w) {
    timer_set(&container_of(w, struct linux_posix_timer, watch)->timer, clock_monotonic());
}

void linux_posix_timer_taken_locked(struct linux_posix_timer *t, struct linux_siginfo *info) {
    nstime_t now = now_locked(t);

    if (!t->requeue)
        return;
    t->requeue = false;
    t->overrun += (int64_t)forward_locked(t, now);
    arm_locked(t, now);
    t->overrun_last = t->overrun;
    t->overrun = -1;
    info->timer.overrun = (int32_t)MIN(t->overrun_last + info->timer.overrun, (int64_t)INT32_MAX);
}

// --- life -------------------------------------------------------------------------------------------------------------

static struct linux_posix_timer *find_locked(struct linux_process *p, int id) {
    struct rb_node *n = p->posix_timers.root;

    while (n != NULL) {
        struct linux_posix_timer *t = rb_entry(n, struct linux_posix_timer, node);
        if (t->id == id)
            return t;
        n = id < t->id ? n->left : n->right;
    }
    return NULL;
}

static void insert_locked(struct linux_process *p, struct linux_posix_timer *t) {
    struct rb_node **link = &p->posix_timers.root, *parent = NULL;

    while (*link != NULL) {
        parent = *link;
        link = t->id < rb_entry(parent, struct linux_posix_timer, node)->id ? &parent->left : &parent->right;
    }
    rb_insert(&p->posix_timers, &t->node, parent, link);
}

// Numbers are not used again until all have been: a number that a program has deleted stays nobody's for long. -1: all are in use.
static int id_next_locked(struct linux_process *p) {
    int id = p->posix_timer_next;

    while (find_locked(p, id) != NULL) {
        id = id == INT32_MAX ? 0 : id + 1;
        if (id == p->posix_timer_next)
            return -1;
    }
    p->posix_timer_next = id == INT32_MAX ? 0 : id + 1;
    return id;
}

// No longer in the tree, or never there.
static void timer_free(struct linux_posix_timer *t) {
    struct linux_process *p = t->process;

    wall_watch_remove(&t->watch);
    timer_cancel_sync(&t->timer);
    irq_flags_t flags = spin_lock_irq(&p->lock);
    if (t->entry != NULL)
        signal_entry_leave_locked(t->entry);
    spin_unlock_irq(&p->lock, flags);
    linux_clock_put(&t->clock);
    event_memory_put(t, sizeof(*t), t->job);
}

void linux_posix_timers_end(struct linux_process *p) {
    for (;;) {
        irq_flags_t flags = spin_lock_irq(&p->lock);
        struct rb_node *n = p->posix_timers.root;
        struct linux_posix_timer *t = n != NULL ? rb_entry(n, struct linux_posix_timer, node) : NULL;
        if (t != NULL) {
            t->ended = true;
            rb_remove(&p->posix_timers, &t->node);
        } else {
            p->posix_timer_next = 0;
        }
        spin_unlock_irq(&p->lock, flags);
        if (t == NULL)
            return;
        timer_free(t);
    }
}

// --- timer_create -----------------------------------------------------------------------------------------------------

struct user_sigevent {
    uint64_t value;
    int32_t signo, notify, thread;
    uint8_t pad[44];
};
_Static_assert(sizeof(struct user_sigevent) == 64, "sigevent is ABI");

static bool event_valid(const struct user_sigevent *e) {
    switch (e->notify) {
    case SIGEV_NONE: return true;
    case SIGEV_THREAD_ID: {
        spin_lock(&linux_tree_lock);
        struct linux_thread *t = linux_thread_find_locked(e->thread);
        bool own = t != NULL && t->process == linux_current_process();
        spin_unlock(&linux_tree_lock);
        return own && signal_valid((uint64_t)(int64_t)e->signo);
    }
    case SIGEV_SIGNAL:
    case SIGEV_THREAD: return signal_valid((uint64_t)(int64_t)e->signo);
    default: return false;
    }
}

// The number and the entry; the limit on queued signals binds here. EAGAIN.
static int64_t number_take(struct linux_posix_timer *t) {
    struct linux_process *p = t->process;
    irq_flags_t flags = spin_lock_irq(&p->lock);

    t->entry = signal_entry_create_locked();
    t->id = t->entry != NULL ? id_next_locked(p) : -1;
    spin_unlock_irq(&p->lock, flags);
    return t->id >= 0 ? 0 : -LINUX_EAGAIN;
}

static void event_apply(struct linux_posix_timer *t, const struct user_sigevent *e, bool given) {
    struct linux_siginfo *info = &t->entry->info;

    t->notify = e->notify;
    t->target = e->thread;
    *info = (struct linux_siginfo){.signo = e->signo, .code = LINUX_SI_TIMER};
    info->timer.id = t->id;
    info->timer.value = given ? e->value : (uint64_t)t->id;
    t->entry->timer = t;
}

static int64_t create(struct linux_posix_timer *t, const struct user_sigevent *e, bool given, uint64_t user_id) {
    struct linux_process *p = t->process;
    int64_t result = number_take(t);

    if (result != 0)
        return result;
    event_apply(t, e, given);
    if (given && !event_valid(e))
        return -LINUX_EINVAL;
    if (arch_user_store32((uint32_t user_ptr *)user_id, (uint32_t)t->id) != INV_OK)
        return -LINUX_EFAULT;
    // Whose processor time it is is asked last, as Linux does.
    result = linux_clock_get(t->clock.id, false, &t->clock);
    if (result != 0)
        return result;
    if (linux_clock_is_alarm(t->clock.id) && !token_capable(linux_token(), CAP_WAKE_ALARM))
        return -LINUX_EPERM;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    insert_locked(p, t);
    spin_unlock_irq(&p->lock, flags);
    return 0;
}

static int64_t clock_check(int id) {
    if (id < 0)
        return linux_clock_of_descriptor(id) ? -LINUX_EOPNOTSUPP : 0;
    if (id > LINUX_CLOCK_TAI || id == LINUX_CLOCK_TAI - 1)
        return -LINUX_EINVAL;
    bool none = id == LINUX_CLOCK_MONOTONIC_RAW || id == LINUX_CLOCK_REALTIME_COARSE ||
                id == LINUX_CLOCK_MONOTONIC_COARSE;
    return none ? -LINUX_EOPNOTSUPP : 0;
}

int64_t linux_timer_create(struct arch_frame *f) {
    struct user_sigevent e = {.signo = LINUX_SIGALRM, .notify = SIGEV_SIGNAL};
    bool given = LINUX_ARG(f, 1) != 0;
    int clock = (int)LINUX_ARG(f, 0);
    struct job *job;

    if (given && arch_copy_from_user(&e, (const void user_ptr *)LINUX_ARG(f, 1), sizeof(e)) != INV_OK)
        return -LINUX_EFAULT;
    int64_t result = clock_check(clock);
    if (result != 0)
        return result;
    struct linux_posix_timer *t = event_memory_get(sizeof(*t), &job);
    if (t == NULL)
        return -LINUX_EAGAIN;
    t->job = job;
    t->process = linux_current_process();
    t->clock.id = clock;
    t->overrun = -1;
    timer_init(&t->timer, fired);
    wall_watch_init(&t->watch, clock_moved);
    result = create(t, &e, given, LINUX_ARG(f, 2));
    if (result != 0)
        timer_free(t);
    return result;
}

// --- the other calls --------------------------------------------------------------------------------------------------

static void setting_locked(struct linux_posix_timer *t, nstime_t now, nstime_t *out_left, nstime_t *out_interval) {
    bool silent = t->notify == SIGEV_NONE;

    *out_left = 0;
    *out_interval = t->interval;
    if (t->expires == 0 || (t->interval == 0 && !t->armed && !silent))
        return;
    if (t->interval != 0 && (t->requeue || silent))
        t->overrun += (int64_t)forward_locked(t, now);
    if (t->expires > now)
        *out_left = t->expires - now;
    else
        *out_left = silent ? 0 : 1;
}

// The timer of that number with the process locked, and its clock's time; the clock is read without the lock, so the timer is looked up again.
static struct linux_posix_timer *timer_lock(int id, irq_flags_t *out_flags, nstime_t *out_now) {
    struct linux_process *p = linux_current_process();
    struct linux_posix_timer *t;

    *out_flags = spin_lock_irq(&p->lock);
    t = find_locked(p, id);
    if (t != NULL && t->clock.kind == LINUX_COUNTS_PROCESSOR && t->clock.process != p) {
        struct linux_clock clock = t->clock;
        nstime_t now = 0;
        linux_process_get(clock.process);
        spin_unlock_irq(&p->lock, *out_flags);
        (void)linux_clock_read(&clock, &now);
        linux_clock_put(&clock);
        *out_flags = spin_lock_irq(&p->lock);
        t = find_locked(p, id);
        if (t != NULL)
            t->seen = now;
    }
    if (t == NULL)
        spin_unlock_irq(&p->lock, *out_flags);
    else
        *out_now = now_locked(t);
    return t;
}

static void timer_unlock(irq_flags_t flags) {
    spin_unlock_irq(&linux_current_process()->lock, flags);
}

int64_t linux_timer_settime(struct arch_frame *f) {
    bool absolute = (LINUX_ARG(f, 1) & LINUX_TIMER_ABSTIME) != 0;
    nstime_t value, interval, left, old_interval, now;
    struct linux_itimerspec spec;
    irq_flags_t flags;

    if (LINUX_ARG(f, 2) == 0)
        return -LINUX_EINVAL;
    if (arch_copy_from_user(&spec, (const void user_ptr *)LINUX_ARG(f, 2), sizeof(spec)) != INV_OK)
        return -LINUX_EFAULT;
    if (linux_timespec_check(&spec.value, &value) != 0 || linux_timespec_check(&spec.interval, &interval) != 0)
        return -LINUX_EINVAL;
    struct linux_posix_timer *t = timer_lock((int)LINUX_ARG(f, 0), &flags, &now);
    if (t == NULL)
        return -LINUX_EINVAL;
    setting_locked(t, now, &left, &old_interval);
    t->armed = t->requeue = false;
    t->overrun_last = 0;
    t->overrun = -1;
    t->expires = 0;
    t->interval = value != 0 ? interval : 0;
    t->absolute = absolute;
    t->idle = 0;
    if (value != 0) {
        now = now_locked(t); // perhaps of the other kind of time than before
        t->expires = absolute || value >= NSTIME_NEVER - now ? value : now + value;
        if (counts_wall(t))
            wall_watch_add(&t->watch);
        if (t->notify != SIGEV_NONE)
            arm_locked(t, now);
    } else {
        timer_cancel(&t->timer);
    }
    timer_unlock(flags);
    return LINUX_ARG(f, 3) != 0 ? linux_itimerspec_put(LINUX_ARG(f, 3), left, old_interval) : 0;
}

int64_t linux_timer_gettime(struct arch_frame *f) {
    nstime_t left, interval, now;
    irq_flags_t flags;
    struct linux_posix_timer *t = timer_lock((int)LINUX_ARG(f, 0), &flags, &now);

    if (t == NULL)
        return -LINUX_EINVAL;
    setting_locked(t, now, &left, &interval);
    timer_unlock(flags);
    return linux_itimerspec_put(LINUX_ARG(f, 1), left, interval);
}

int64_t linux_timer_getoverrun(struct arch_frame *f) {
    irq_flags_t flags;
    nstime_t now;
    struct linux_posix_timer *t = timer_lock((int)LINUX_ARG(f, 0), &flags, &now);

    if (t == NULL)
        return -LINUX_EINVAL;
    int64_t overrun = MIN(t->overrun_last, (int64_t)INT32_MAX);
    timer_unlock(flags);
    return overrun;
}

int64_t linux_timer_delete(struct arch_frame *f) {
    irq_flags_t flags;
    nstime_t now;
    struct linux_posix_timer *t = timer_lock((int)LINUX_ARG(f, 0), &flags, &now);

    if (t == NULL)
        return -LINUX_EINVAL;
    t->ended = true;
    t->armed = t->requeue = false;
    rb_remove(&t->process->posix_timers, &t->node);
    timer_unlock(flags);
    timer_free(t);
    return 0;
}
