// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Scheduling calls: policies, priorities, nice values, processor sets. Linux's real-time priorities 1 to 99 are the core's 101 to 199; nice is a weight of
// the fair class; SCHED_IDLE is the class below it. Targets are found and counted under the tree lock and changed outside it.
#include "process.h"

#include <arch/usercopy.h>

enum { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE = 5, SCHED_DEADLINE };
#define SCHED_RESET_ON_FORK 0x40000000u
#define RT_PRIORITY_MAX     99
#define RR_INTERVAL         (100 * NSEC_PER_MSEC)
#define WEIGHT_MAX          88761u
#define WEIGHT_MIN          15u

// A thread to look at or to change: its core thread is counted.
struct target {
    struct thread *core;
    struct linux_thread *thread;
    bool same_user;
};

static bool target_get(int tid, struct target *out) {
    const struct token *me = linux_token();

    if (tid < 0)
        return false;
    spin_lock(&linux_tree_lock);
    struct linux_thread *t = tid == 0 ? linux_current() : linux_thread_find_locked(tid);
    if (t != NULL) {
        out->thread = t;
        out->core = t->thread;
        object_get(&t->thread->obj); // keeps the linux_thread too: it is freed with it
        irq_flags_t flags = spin_lock_irq(&t->process->lock);
        out->same_user = me->euid == t->token->euid || me->euid == t->token->uid;
        spin_unlock_irq(&t->process->lock, flags);
    }
    spin_unlock(&linux_tree_lock);
    return t != NULL;
}

static void target_put(struct target *t) {
    object_put(&t->core->obj);
}

// 1024 for nice 0, a quarter more for each step up.
static uint32_t weight_of_nice(int nice) {
    uint64_t w = FAIR_WEIGHT_DEFAULT << 10;

    for (; nice < 0; nice++)
        w += w / 4;
    for (; nice > 0; nice--)
        w = w * 4 / 5;
    return (uint32_t)MIN(MAX(w >> 10, WEIGHT_MIN), WEIGHT_MAX);
}

static int64_t params_apply(struct target *t, int policy, int rt_priority, int nice) {
    struct sched_params p = {.class = SCHED_CLASS_FAIR, .weight = weight_of_nice(nice)};

    if (policy == SCHED_FIFO || policy == SCHED_RR) {
        p.class = policy == SCHED_FIFO ? SCHED_CLASS_FIFO : SCHED_CLASS_ROUND_ROBIN;
        p.priority = (uint8_t)(PRIORITY_RT_FIRST + rt_priority);
    } else if (policy == SCHED_IDLE) {
        p.class = SCHED_CLASS_IDLE;
    }
    int64_t result = linux_result(sched_set_params(t->core, &p));
    if (result == 0) {
        t->thread->policy = policy;
        t->thread->rt_priority = rt_priority;
        t->thread->nice = nice;
        linux_futex_pi_reprioritise(t->thread);
        if (linux_policy_realtime(policy))
            linux_rt_limit_watch(t->thread->process);
    }
    return result;
}

static bool policy_known(int policy) {
    return policy == SCHED_OTHER || policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_BATCH ||
           policy == SCHED_IDLE;
}

// The rules for a change without CAP_SYS_NICE.
static int64_t change_allowed(const struct target *t, int policy, int rt_priority, int nice, bool reset) {
    uint64_t rt_limit = linux_limit(LINUX_RLIMIT_RTPRIO), nice_limit = linux_limit(LINUX_RLIMIT_NICE);

    if (token_capable(linux_token(), CAP_SYS_NICE))
        return 0;
    if (linux_policy_realtime(policy)) {
        if (policy != t->thread->policy && rt_limit == 0)
            return -LINUX_EPERM;
        if (rt_priority > t->thread->rt_priority && (uint64_t)rt_priority > rt_limit)
            return -LINUX_EPERM;
    } else if (nice < t->thread->nice && (uint64_t)(20 - nice) > nice_limit) {
        return -LINUX_EPERM;
    }
    if (t->thread->policy == SCHED_IDLE && policy != SCHED_IDLE && (uint64_t)(20 - t->thread->nice) > nice_limit)
        return -LINUX_EPERM;
    return t->same_user && (reset || !t->thread->reset_on_fork) ? 0 : -LINUX_EPERM;
}

void linux_sched_reset(struct linux_thread *t, struct sched_params *params) {
    const struct linux_thread *me = linux_current();

    if (!me->reset_on_fork)
        return;
    if (linux_policy_realtime(me->policy)) {
        t->policy = SCHED_OTHER;
        t->rt_priority = 0;
        t->nice = 0;
    }
    t->nice = MAX(t->nice, 0);
    if (t->policy != SCHED_IDLE)
        *params = (struct sched_params){.class = SCHED_CLASS_FAIR, .weight = weight_of_nice(t->nice)};
}

// What is wanted; keep: the thread's own for this part.
struct change {
    int policy, rt_priority, nice; // nice INT32_MIN: keep
    bool keep_policy, keep_params, reset, keep_reset;
};

static int64_t scheduler_set(int tid, struct change c) {
    struct target t;

    if (tid < 0)
        return -LINUX_EINVAL;
    if (!target_get(tid, &t))
        return -LINUX_ESRCH;
    int64_t result = -LINUX_EINVAL;
    if (c.keep_policy || c.keep_params) // a policy is a parameter, too
        c.policy = t.thread->policy;
    if (c.keep_params)
        c.rt_priority = t.thread->rt_priority;
    if (c.nice == INT32_MIN || c.keep_params)
        c.nice = t.thread->nice;
    if (c.keep_reset)
        c.reset = t.thread->reset_on_fork;
    if (policy_known(c.policy) && c.rt_priority >= 0 && c.rt_priority <= RT_PRIORITY_MAX &&
        linux_policy_realtime(c.policy) == (c.rt_priority != 0))
        result = change_allowed(&t, c.policy, c.rt_priority, c.nice, c.reset);
    if (result == 0)
        result = params_apply(&t, c.policy, c.rt_priority, c.nice);
    if (result == 0)
        t.thread->reset_on_fork = c.reset;
    target_put(&t);
    return result;
}

int64_t linux_sched_yield(struct arch_frame *f) {
    const struct sched_context *c = current_thread()->sched.context;
    uint64_t before = c->switches_voluntary;

    sched_yield();
    linux_current()->rt_yields += c->switches_voluntary - before;
    return 0;
}

static int64_t priority_get(uint64_t user, int *out) {
    if (user == 0)
        return -LINUX_EINVAL;
    return arch_user_load32((const uint32_t user_ptr *)user, (uint32_t *)out) == INV_OK ? 0 : -LINUX_EFAULT;
}

int64_t linux_sched_setscheduler(struct arch_frame *f) {
    int policy = (int)((uint32_t)LINUX_ARG(f, 1) & ~SCHED_RESET_ON_FORK), priority;

    if ((int)LINUX_ARG(f, 1) < 0)
        return -LINUX_EINVAL;
    int64_t result = priority_get(LINUX_ARG(f, 2), &priority);
    struct change c = {.policy = policy, .rt_priority = priority, .nice = INT32_MIN};
    c.reset = ((uint32_t)LINUX_ARG(f, 1) & SCHED_RESET_ON_FORK) != 0;
    return result != 0 ? result : scheduler_set((int)LINUX_ARG(f, 0), c);
}

int64_t linux_sched_setparam(struct arch_frame *f) {
    int priority;
    int64_t result = priority_get(LINUX_ARG(f, 1), &priority);

    struct change c = {.keep_policy = true, .rt_priority = priority, .nice = INT32_MIN, .keep_reset = true};
    return result != 0 ? result : scheduler_set((int)LINUX_ARG(f, 0), c);
}

int64_t linux_sched_getscheduler(struct arch_frame *f) {
    struct target t;

    if ((int)LINUX_ARG(f, 0) < 0)
        return -LINUX_EINVAL;
    if (!target_get((int)LINUX_ARG(f, 0), &t))
        return -LINUX_ESRCH;
    int64_t policy = t.thread->policy | (t.thread->reset_on_fork ? SCHED_RESET_ON_FORK : 0);
    target_put(&t);
    return policy;
}

int64_t linux_sched_getparam(struct arch_frame *f) {
    struct target t;

    if (LINUX_ARG(f, 1) == 0 || (int)LINUX_ARG(f, 0) < 0)
        return -LINUX_EINVAL;
    if (!target_get((int)LINUX_ARG(f, 0), &t))
        return -LINUX_ESRCH;
    uint32_t priority = (uint32_t)t.thread->rt_priority;
    target_put(&t);
    return arch_user_store32((uint32_t user_ptr *)LINUX_ARG(f, 1), priority) == INV_OK ? 0 : -LINUX_EFAULT;
}

struct sched_attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max; // no bounds of utilisation are kept
};

enum { ATTRIBUTE_RESET_ON_FORK = 1, ATTRIBUTE_KEEP_POLICY = 8, ATTRIBUTE_KEEP_PARAMS = 16, ATTRIBUTE_KNOWN = 0x1f };
#define ATTRIBUTE_UTIL 0x60u
#define ATTRIBUTES_V0  48u // without the bounds of utilisation

// Sizes of a later kernel are taken if what is unknown is zero.
static int64_t attributes_get(uint64_t user, struct sched_attributes *a) {
    uint64_t words[PAGE_SIZE / sizeof(uint64_t) / 8];
    uint32_t size;

    if (arch_user_load32((const uint32_t user_ptr *)user, &size) != INV_OK)
        return -LINUX_EFAULT;
    if (size == 0)
        size = ATTRIBUTES_V0;
    bool fits = size >= ATTRIBUTES_V0 && size <= PAGE_SIZE;
    if (fits && arch_copy_from_user(a, (const void user_ptr *)user, MIN(size, (uint32_t)sizeof(*a))) != INV_OK)
        return -LINUX_EFAULT;
    for (uint32_t at = sizeof(*a), n; fits && at < size; at += n) {
        n = MIN(size - at, (uint32_t)sizeof(words));
        memset(words, 0, sizeof(words));
        if (arch_copy_from_user(words, (const void user_ptr *)(user + at), n) != INV_OK)
            return -LINUX_EFAULT;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
            fits = fits && words[i] == 0;
    }
    if (!fits) {
        (void)!arch_user_store32((uint32_t user_ptr *)user, sizeof(*a));
        return -LINUX_E2BIG;
    }
    return (a->flags & ATTRIBUTE_UTIL) && size < sizeof(*a) ? -LINUX_EINVAL : 0;
}

int64_t linux_sched_setattr(struct arch_frame *f) {
    struct sched_attributes a = {0};

    if (LINUX_ARG(f, 1) == 0 || (int)LINUX_ARG(f, 0) < 0 || (unsigned)LINUX_ARG(f, 2) != 0)
        return -LINUX_EINVAL;
    int64_t result = attributes_get(LINUX_ARG(f, 1), &a);
    if (result != 0)
        return result;
    if ((int)a.policy < 0 || (a.flags & ~(uint64_t)(ATTRIBUTE_KNOWN | ATTRIBUTE_UTIL)))
        return -LINUX_EINVAL;
    struct change c = {.policy = (int)a.policy,
                       .rt_priority = (int)a.priority,
                       .nice = MIN(MAX(a.nice, -20), 19),
                       .keep_policy = (a.flags & ATTRIBUTE_KEEP_POLICY) != 0,
                       .keep_params = (a.flags & ATTRIBUTE_KEEP_PARAMS) != 0,
                       .reset = (a.flags & ATTRIBUTE_RESET_ON_FORK) != 0,
                       .keep_reset = (a.flags & ATTRIBUTE_KEEP_POLICY) != 0};
    if (linux_policy_realtime(c.policy) && !c.keep_policy)
        c.nice = INT32_MIN;
    return scheduler_set((int)LINUX_ARG(f, 0), c);
}

int64_t linux_sched_getattr(struct arch_frame *f) {
    struct sched_attributes a = {.size = sizeof(a)};
    struct target t;

    if (LINUX_ARG(f, 1) == 0 || (int)LINUX_ARG(f, 0) < 0 || (uint32_t)LINUX_ARG(f, 2) < ATTRIBUTES_V0 ||
        (uint32_t)LINUX_ARG(f, 2) > PAGE_SIZE || (unsigned)LINUX_ARG(f, 3) != 0)
        return -LINUX_EINVAL;
    a.size = MIN((uint32_t)LINUX_ARG(f, 2), (uint32_t)sizeof(a));
    if (!target_get((int)LINUX_ARG(f, 0), &t))
        return -LINUX_ESRCH;
    a.policy = (uint32_t)t.thread->policy;
    a.priority = (uint32_t)t.thread->rt_priority;
    a.flags = t.thread->reset_on_fork ? ATTRIBUTE_RESET_ON_FORK : 0;
    a.nice = linux_policy_realtime(t.thread->policy) ? 0 : t.thread->nice;
    target_put(&t);
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &a, a.size) == INV_OK ? 0 : -LINUX_EFAULT;
}

int64_t linux_sched_get_priority_max(struct arch_frame *f) {
    int policy = (int)LINUX_ARG(f, 0);
    return linux_policy_realtime(policy)                      ? RT_PRIORITY_MAX
           : policy_known(policy) || policy == SCHED_DEADLINE ? 0
                                                              : -LINUX_EINVAL;
}

int64_t linux_sched_get_priority_min(struct arch_frame *f) {
    int policy = (int)LINUX_ARG(f, 0);
    return linux_policy_realtime(policy) ? 1 : policy_known(policy) || policy == SCHED_DEADLINE ? 0 : -LINUX_EINVAL;
}

int64_t linux_sched_rr_get_interval(struct arch_frame *f) {
    struct target t;

    if ((int)LINUX_ARG(f, 0) < 0)
        return -LINUX_EINVAL;
    if (!target_get((int)LINUX_ARG(f, 0), &t))
        return -LINUX_ESRCH;
    nstime_t slice = t.thread->policy == SCHED_RR     ? RR_INTERVAL
                     : t.thread->policy == SCHED_FIFO ? 0
                                                      : 4 * NSEC_PER_MSEC;
    target_put(&t);
    struct linux_timespec ts = {0, (int64_t)slice};
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &ts, sizeof(ts)) == INV_OK ? 0 : -LINUX_EFAULT;
}

// --- processor sets ---

int64_t linux_sched_setaffinity(struct arch_frame *f) {
    uint64_t words[CONFIG_MAX_CPUS / 64 + 1] = {0};
    size_t size = MIN(LINUX_ARG(f, 1), sizeof(words));
    cpuset_t set = {0};
    struct target t;

    if (arch_copy_from_user(words, (const void user_ptr *)LINUX_ARG(f, 2), size) != INV_OK)
        return -LINUX_EFAULT;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (words[cpu / 64] >> (cpu % 64) & 1)
            cpuset_add(&set, cpu);
    if (!target_get((int)LINUX_ARG(f, 0), &t))
        return -LINUX_ESRCH;
    int64_t result = t.same_user || token_capable(linux_token(), CAP_SYS_NICE)
                         ? linux_result(sched_set_affinity(t.core, &set))
                         : -LINUX_EPERM;
    target_put(&t);
    return result;
}

int64_t linux_sched_getaffinity(struct arch_frame *f) {
    uint64_t length = (uint32_t)LINUX_ARG(f, 1), words[CONFIG_MAX_CPUS / 64 + 1] = {0};
    size_t size = (cpu_count + 63) / 64 * sizeof(uint64_t);
    struct target t;

    if (length * 8 < cpu_count || (length & 7))
        return -LINUX_EINVAL;
    if (!target_get((int)LINUX_ARG(f, 0), &t))
        return -LINUX_ESRCH;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (cpuset_has(&t.core->sched.affinity, cpu) && cpuset_has(&cpu_online, cpu))
            words[cpu / 64] |= 1ull << (cpu % 64);
    target_put(&t);
    size = MIN(size, length);
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 2), words, size) == INV_OK ? (int64_t)size : -LINUX_EFAULT;
}

int64_t linux_getcpu(struct arch_frame *f) {
    if (LINUX_ARG(f, 0) != 0 && arch_user_store32((uint32_t user_ptr *)LINUX_ARG(f, 0), arch_cpu_id()) != INV_OK)
        return -LINUX_EFAULT;
    if (LINUX_ARG(f, 1) != 0 && arch_user_store32((uint32_t user_ptr *)LINUX_ARG(f, 1), 0) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}

// --- nice ---

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

// Calls fn for every thread that (which, who) names, in steps that count each thread. Returns how many there were.
struct nice_visit {
    int which;
    uint32_t who;
    int set, best;  // set: the new value; best: the lowest found
    int64_t result; // of setting
    unsigned found;
};

static bool nice_matches_locked(const struct nice_visit *v, struct linux_process *p) {
    if (v->which == PRIO_PGRP)
        return p->group != NULL && (uint32_t)p->group->pid->number == v->who;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    bool matches = p->token->uid == v->who;
    spin_unlock_irq(&p->lock, flags);
    return matches;
}

static void nice_change(struct nice_visit *v, struct target *t) {
    const struct token *me = linux_token();
    bool capable = token_capable(me, CAP_SYS_NICE);

    v->found++;
    if (!t->same_user && !capable)
        v->result = -LINUX_EPERM;
    else if (v->set < t->thread->nice && !capable && (uint64_t)(20 - v->set) > linux_limit(LINUX_RLIMIT_NICE))
        v->result = -LINUX_EACCES;
    else if (v->result == -LINUX_ESRCH || v->result == 0)
        v->result = linux_policy_realtime(t->thread->policy) ? (t->thread->nice = v->set, 0)
                                                             : params_apply(t, t->thread->policy, 0, v->set);
}

// The next process after number that matches, or 0.
static int nice_next(const struct nice_visit *v, int after) {
    struct linux_process *p;
    int best = 0;

    spin_lock(&linux_tree_lock);
    list_for_each(p, &linux_processes, all_node) {
        if (p->number > after && (best == 0 || p->number < best) && p->state == LINUX_PROCESS_LIVE &&
            nice_matches_locked(v, p))
            best = p->number;
    }
    spin_unlock(&linux_tree_lock);
    return best;
}

static void nice_for_each(struct nice_visit *v, void (*fn)(struct nice_visit *, struct target *)) {
    struct target t;

    if (v->which == PRIO_PROCESS) {
        if (target_get((int)v->who, &t)) {
            fn(v, &t);
            target_put(&t);
        }
        return;
    }
    for (int pid = nice_next(v, 0); pid != 0; pid = nice_next(v, pid)) {
        if (target_get(pid, &t)) {
            fn(v, &t);
            target_put(&t);
        }
    }
}

static bool nice_decode(struct nice_visit *v, uint64_t which, uint64_t who) {
    v->which = (int)which;
    v->who = (uint32_t)who;
    if (v->which < PRIO_PROCESS || v->which > PRIO_USER)
        return false;
    if (v->who == 0 && v->which == PRIO_PGRP)
        v->who = (uint32_t)linux_group_number(linux_current_process());
    if (v->who == 0 && v->which == PRIO_USER)
        v->who = linux_token()->uid;
    return true;
}

static void nice_look(struct nice_visit *v, struct target *t) {
    v->best = v->found == 0 ? t->thread->nice : MIN(v->best, t->thread->nice);
    v->found++;
}

int64_t linux_getpriority(struct arch_frame *f) {
    struct nice_visit v = {0};

    if (!nice_decode(&v, LINUX_ARG(f, 0), LINUX_ARG(f, 1)))
        return -LINUX_EINVAL;
    nice_for_each(&v, nice_look);
    return v.found == 0 ? -LINUX_ESRCH : 20 - v.best; // so that no value looks like an error
}

int64_t linux_setpriority(struct arch_frame *f) {
    int value = (int)LINUX_ARG(f, 2);
    struct nice_visit v = {.set = MIN(MAX(value, -20), 19), .result = -LINUX_ESRCH};

    if (!nice_decode(&v, LINUX_ARG(f, 0), LINUX_ARG(f, 1)))
        return -LINUX_EINVAL;
    nice_for_each(&v, nice_change);
    return v.result;
}

// --- priorities of input and output: chosen, inherited, shown; there is no queue yet that looks at them ---

enum { IO_CLASS_NONE, IO_CLASS_RT, IO_CLASS_BE, IO_CLASS_IDLE, IO_CLASS_SHIFT = 13, IO_LEVELS = 8 };

static int64_t io_priority_check(int priority) {
    int level = priority & (IO_LEVELS - 1); // what stands between level and class is a hint

    switch (priority >> IO_CLASS_SHIFT) {
    case IO_CLASS_RT:
        if (!token_capable(linux_token(), CAP_SYS_ADMIN) && !token_capable(linux_token(), CAP_SYS_NICE))
            return -LINUX_EPERM;
        return 0;
    case IO_CLASS_BE:
    case IO_CLASS_IDLE: return 0;
    case IO_CLASS_NONE: return level == 0 ? 0 : -LINUX_EINVAL;
    default: return -LINUX_EINVAL;
    }
}

static void io_priority_change(struct nice_visit *v, struct target *t) {
    const struct token *me = linux_token();

    v->found++;
    irq_flags_t flags = spin_lock_irq(&t->thread->process->lock);
    bool allowed = t->thread->token->uid == me->euid || t->thread->token->uid == me->uid;
    spin_unlock_irq(&t->thread->process->lock, flags);
    if (!allowed && !token_capable(me, CAP_SYS_NICE)) {
        v->result = -LINUX_EPERM;
    } else {
        t->thread->io_priority = (uint16_t)v->set;
        if (v->result == -LINUX_ESRCH)
            v->result = 0;
    }
}

// A class that was not chosen follows from the policy and the nice value; of several the most urgent counts.
static void io_priority_look(struct nice_visit *v, struct target *t) {
    int own = t->thread->io_priority;

    if (own >> IO_CLASS_SHIFT == IO_CLASS_NONE && v->which != PRIO_PROCESS) {
        int class = t->thread->policy == SCHED_IDLE            ? IO_CLASS_IDLE
                    : linux_policy_realtime(t->thread->policy) ? IO_CLASS_RT
                                                               : IO_CLASS_BE;
        own = class << IO_CLASS_SHIFT | (t->thread->nice + 20) / 5;
    }
    v->best = v->found == 0 ? own : MIN(v->best, own);
    v->found++;
}

// ioprio's kinds count from 1, in the order of getpriority's.
int64_t linux_ioprio_set(struct arch_frame *f) {
    int priority = (int)LINUX_ARG(f, 2);
    struct nice_visit v = {.set = priority, .result = -LINUX_ESRCH};
    int64_t result = io_priority_check(priority);

    if (result != 0)
        return result;
    if (!nice_decode(&v, (uint32_t)LINUX_ARG(f, 0) - 1, LINUX_ARG(f, 1)))
        return -LINUX_EINVAL;
    nice_for_each(&v, io_priority_change);
    return v.result;
}

int64_t linux_ioprio_get(struct arch_frame *f) {
    struct nice_visit v = {0};

    if (!nice_decode(&v, (uint32_t)LINUX_ARG(f, 0) - 1, LINUX_ARG(f, 1)))
        return -LINUX_EINVAL;
    nice_for_each(&v, io_priority_look);
    return v.found == 0 ? -LINUX_ESRCH : v.best;
}
