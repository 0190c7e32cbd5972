// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Resource limits and usage: getrlimit, setrlimit, prlimit64, getrusage. Limits are the process's, under its lock; who enforces one reads it there.
#include "process.h"
#include "system.h"

#include <arch/usercopy.h>

struct linux_tunable linux_descriptor_limit = {.value = 1u << 20, .minimum = 64, .maximum = 1u << 20};

static int64_t limit_set_check(const struct linux_process *p, unsigned resource, const struct linux_rlimit *fresh) {
    if (fresh->current > fresh->maximum)
        return -LINUX_EINVAL;
    if (resource == LINUX_RLIMIT_NOFILE && fresh->maximum > atomic_load(&linux_descriptor_limit.value))
        return -LINUX_EPERM;
    if (fresh->maximum > p->limits[resource].maximum && !token_capable(linux_token(), CAP_SYS_RESOURCE))
        return -LINUX_EPERM;
    return 0;
}

// What the address space keeps a copy of.
static void limit_apply(struct linux_process *p, unsigned resource) {
    struct aspace *as;

    if (resource == LINUX_RLIMIT_CPU)
        linux_cpu_limit_watch(p);
    if (resource == LINUX_RLIMIT_RTTIME)
        linux_rt_limit_watch(p);
    if (resource != LINUX_RLIMIT_STACK && resource != LINUX_RLIMIT_AS)
        return;
    as = linux_process_aspace(p);
    if (as == NULL)
        return;
    mutex_lock(&as->lock);
    as->stack_limit = p->limits[LINUX_RLIMIT_STACK].current;
    as->address_limit = p->limits[LINUX_RLIMIT_AS].current;
    mutex_unlock(&as->lock);
    aspace_put(as);
}

// fresh and old may be NULL.
static int64_t limit_exchange(struct linux_process *p, unsigned resource, const struct linux_rlimit *fresh,
                              struct linux_rlimit *old) {
    int64_t result = 0;

    if (resource >= LINUX_RLIM_COUNT)
        return -LINUX_EINVAL;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    if (fresh != NULL)
        result = limit_set_check(p, resource, fresh);
    if (result == 0 && old != NULL)
        *old = p->limits[resource];
    if (result == 0 && fresh != NULL)
        p->limits[resource] = *fresh;
    spin_unlock_irq(&p->lock, flags);
    if (result == 0 && fresh != NULL)
        limit_apply(p, resource);
    return result;
}

int64_t linux_getrlimit(struct arch_frame *f) {
    struct linux_rlimit old;
    int64_t result = limit_exchange(linux_current_process(), (unsigned)LINUX_ARG(f, 0), NULL, &old);

    if (result != 0)
        return result;
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &old, sizeof(old)) == INV_OK ? 0 : -LINUX_EFAULT;
}

int64_t linux_setrlimit(struct arch_frame *f) {
    struct linux_rlimit fresh;

    if (arch_copy_from_user(&fresh, (const void user_ptr *)LINUX_ARG(f, 1), sizeof(fresh)) != INV_OK)
        return -LINUX_EFAULT;
    return limit_exchange(linux_current_process(), (unsigned)LINUX_ARG(f, 0), &fresh, NULL);
}

// prlimit of another: same user and group in every form, or CAP_SYS_RESOURCE.
static bool limits_accessible(struct linux_process *p) {
    const struct token *me = linux_token();

    if (p == linux_current_process() || token_capable(me, CAP_SYS_RESOURCE))
        return true;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    const struct token *t = p->token;
    bool same = me->uid == t->uid && me->uid == t->euid && me->uid == t->suid && me->gid == t->gid &&
                me->gid == t->egid && me->gid == t->sgid;
    spin_unlock_irq(&p->lock, flags);
    return same;
}

int64_t linux_prlimit64(struct arch_frame *f) {
    uint64_t in = LINUX_ARG(f, 2), out = LINUX_ARG(f, 3);
    struct linux_rlimit fresh, old;

    if (in != 0 && arch_copy_from_user(&fresh, (const void user_ptr *)in, sizeof(fresh)) != INV_OK)
        return -LINUX_EFAULT;
    struct linux_process *p = (int)LINUX_ARG(f, 0) < 0 ? NULL : linux_process_of_tid((int)LINUX_ARG(f, 0));
    if (p == NULL)
        return -LINUX_ESRCH;
    int64_t result = limits_accessible(p) ? limit_exchange(p, (unsigned)LINUX_ARG(f, 1), in != 0 ? &fresh : NULL, &old)
                                          : -LINUX_EPERM;
    linux_process_put(p);
    if (result == 0 && out != 0 && arch_copy_to_user((void user_ptr *)out, &old, sizeof(old)) != INV_OK)
        result = -LINUX_EFAULT;
    return result;
}

int64_t linux_getrusage(struct arch_frame *f) {
    struct linux_process *p = linux_current_process();
    struct linux_usage u = {0};
    struct linux_rusage out;
    irq_flags_t flags;

    switch ((int)LINUX_ARG(f, 0)) {
    case 0: { // RUSAGE_SELF
        struct aspace *as = current_process()->aspace;
        flags = spin_lock_irq(&p->lock);
        linux_process_usage_locked(p, &u);
        spin_unlock_irq(&p->lock, flags);
        u.faults_minor += atomic_load(&as->faults_minor);
        u.faults_major += atomic_load(&as->faults_major);
        u.resident_peak = MAX(u.resident_peak, atomic_load(&as->resident_peak));
        break;
    }
    case -1: // RUSAGE_CHILDREN
        spin_lock(&linux_tree_lock);
        u = p->children_usage;
        spin_unlock(&linux_tree_lock);
        break;
    case 1: // RUSAGE_THREAD
        linux_usage_of_thread(linux_current(), &u);
        break;
    default: return -LINUX_EINVAL;
    }
    linux_rusage_fill(&out, &u);
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &out, sizeof(out)) == INV_OK ? 0 : -LINUX_EFAULT;
}
