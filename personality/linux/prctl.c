// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// prctl: attributes of a thread or process that have no call of their own. What belongs to other processors, to tracing or to mechanisms that are not there
// gives the error of a kernel built without it.
#include "credentials.h"
#include "process.h"

#include <arch/usercopy.h>

enum {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_GET_TIMING = 13,
    PR_SET_TIMING = 14,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_GET_SECCOMP = 21,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_TSC = 25,
    PR_SET_TSC = 26,
    PR_GET_SECUREBITS = 27,
    PR_SET_SECUREBITS = 28,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_TASK_PERF_EVENTS_DISABLE = 31,
    PR_TASK_PERF_EVENTS_ENABLE = 32,
    PR_MCE_KILL = 33,
    PR_MCE_KILL_GET = 34,
    PR_SET_MM = 35,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
    PR_CAP_AMBIENT = 47,
    PR_GET_SPECULATION_CTRL = 52,
    PR_SET_SPECULATION_CTRL = 53,
    PR_SET_IO_FLUSHER = 57,
    PR_GET_IO_FLUSHER = 58,
    PR_SET_PTRACER = 0x59616d61
};

static int64_t name_set(uint64_t user) {
    char name[LINUX_COMM_LENGTH] = {0};
    size_t length;

    // At most 15 bytes count; a longer name is cut, an unreadable one refused.
    inv_status_t s = arch_string_from_user(name, (const char user_ptr *)user, LINUX_COMM_LENGTH - 1, &length);
    if (s == INV_ERR_FAULT)
        return -LINUX_EFAULT;
    name[LINUX_COMM_LENGTH - 1] = '\0';
    if (s == INV_ERR_RANGE && arch_copy_from_user(name, (const void user_ptr *)user, LINUX_COMM_LENGTH - 1) != INV_OK)
        return -LINUX_EFAULT;
    string_copy(current_thread()->name, name, LINUX_COMM_LENGTH);
    return 0;
}

static int64_t name_get(uint64_t user) {
    char name[LINUX_COMM_LENGTH] = {0};

    string_copy(name, current_thread()->name, sizeof(name));
    return arch_copy_to_user((void user_ptr *)user, name, sizeof(name)) == INV_OK ? 0 : -LINUX_EFAULT;
}

static int64_t store_int(uint64_t user, int value) {
    return arch_user_store32((uint32_t user_ptr *)user, (uint32_t)value) == INV_OK ? 0 : -LINUX_EFAULT;
}

static int64_t flag_set(bool *flag, uint64_t value) {
    *flag = value != 0;
    return 0;
}

static int64_t death_signal_set(uint64_t signal) {
    if (signal != 0 && !signal_valid(signal))
        return -LINUX_EINVAL;
    linux_current()->parent_death_signal = (int)signal;
    return 0;
}

static int64_t dumpable_set(struct linux_process *p, uint64_t value) {
    if (value > 1)
        return -LINUX_EINVAL;
    atomic_store(&p->dumpable, (uint32_t)value);
    return 0;
}

static int64_t timer_slack_set(struct linux_thread *t, uint64_t slack) {
    t->timer_slack = slack != 0 ? slack : t->timer_slack_default;
    t->thread->sched.slack = t->timer_slack;
    return 0;
}

// How a thread is told of memory that the hardware lost. None is ever reported, but the choice is kept.
static int64_t memory_failure_set(struct linux_thread *t, uint64_t command, uint64_t value) {
    enum { CLEAR, SET };

    if (command == CLEAR && value == 0)
        t->memory_failure = LINUX_MCE_KILL_DEFAULT;
    else if (command == SET && value <= LINUX_MCE_KILL_DEFAULT)
        t->memory_failure = (uint8_t)value;
    else
        return -LINUX_EINVAL;
    return 0;
}

// Nothing is done against speculation, and nobody can change that (ENXIO); data of the first cache are not flushed.
static int64_t speculation(bool set, uint64_t which) {
    enum { STORE_BYPASS, INDIRECT_BRANCH, L1D_FLUSH };
    enum { ENABLE = 2, FORCE_DISABLE = 8 };

    switch (which) {
    case STORE_BYPASS:
    case INDIRECT_BRANCH: return set ? -LINUX_ENXIO : ENABLE;
    case L1D_FLUSH: return set ? -LINUX_EPERM : FORCE_DISABLE;
    default: return -LINUX_ENODEV;
    }
}

static int64_t io_flusher(struct linux_thread *t, bool set, uint64_t value, bool rest) {
    if (!token_capable(linux_token(), CAP_SYS_RESOURCE))
        return -LINUX_EPERM;
    if (rest || value > (set ? 1 : 0))
        return -LINUX_EINVAL;
    return set ? flag_set(&t->io_flusher, value) : t->io_flusher;
}

static int64_t tid_address_get(uint64_t user) {
    uint64_t address = linux_current()->clear_child_tid;

    return arch_copy_to_user((void user_ptr *)user, &address, sizeof(address)) == INV_OK ? 0 : -LINUX_EFAULT;
}

// Who else may trace this process. Nobody traces, so the choice is checked and has nothing to change: none, everybody, or a process that is there.
static int64_t tracer_set(uint64_t who) {
    struct linux_process *p;

    if (who == 0 || (int)who == -1)
        return 0;
    p = (int)who > 0 ? linux_process_of_tid((int)who) : NULL;
    if (p == NULL)
        return -LINUX_EINVAL;
    linux_process_put(p);
    return 0;
}

// What is said of a thread's or a process's identity.
static int64_t prctl_identity(const uint64_t *a, bool rest) {
    switch ((int)a[0]) {
    case PR_GET_KEEPCAPS: return (linux_token()->securebits & SECURE_KEEP_CAPS) != 0;
    case PR_SET_KEEPCAPS: return a[1] > 1 ? -LINUX_EINVAL : linux_keep_capabilities(a[1] != 0);
    case PR_CAPBSET_READ: return linux_capability_bound_read(a[1]);
    case PR_CAPBSET_DROP: return linux_capability_bound_drop(a[1]);
    case PR_GET_SECUREBITS: return linux_token()->securebits;
    case PR_SET_SECUREBITS: return linux_securebits_set(a[1]);
    case PR_SET_NO_NEW_PRIVS: return a[1] != 1 || rest ? -LINUX_EINVAL : linux_no_new_privileges();
    case PR_GET_NO_NEW_PRIVS: return a[1] != 0 || rest ? -LINUX_EINVAL : (int64_t)linux_token()->no_new_privs;
    case PR_CAP_AMBIENT: return a[3] != 0 || a[4] != 0 ? -LINUX_EINVAL : linux_capability_ambient(a[1], a[2]);
    default: return -LINUX_EINVAL;
    }
}

// What stands for mechanisms that are always on, always off, or left to choice without effect here.
static int64_t prctl_mechanism(const uint64_t *a, bool rest) {
    struct linux_thread *t = linux_current();
    struct linux_process *p = t->process;

    switch ((int)a[0]) {
    case PR_GET_TIMING: return 0;
    case PR_SET_TIMING: return a[1] == 0 ? 0 : -LINUX_EINVAL;
    case PR_GET_SECCOMP: return 0;
    case PR_GET_TSC: return store_int(a[1], 1);
    case PR_SET_TSC: return a[1] == 1 ? 0 : -LINUX_EINVAL; // readable: the other is not offered
    case PR_SET_TIMERSLACK: return timer_slack_set(t, a[1]);
    case PR_GET_TIMERSLACK: return (int64_t)t->timer_slack;
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE: return 0; // of all events that there are: none
    case PR_MCE_KILL: return a[3] != 0 || a[4] != 0 ? -LINUX_EINVAL : memory_failure_set(t, a[1], a[2]);
    case PR_MCE_KILL_GET: return a[1] != 0 || rest ? -LINUX_EINVAL : t->memory_failure;
    case PR_SET_MM: return token_capable(linux_token(), CAP_SYS_RESOURCE) ? -LINUX_EINVAL : -LINUX_EPERM;
    case PR_SET_THP_DISABLE: return rest ? -LINUX_EINVAL : flag_set(&p->no_huge_pages, a[1]);
    case PR_GET_THP_DISABLE: return a[1] != 0 || rest ? -LINUX_EINVAL : p->no_huge_pages;
    case PR_GET_SPECULATION_CTRL: return rest ? -LINUX_EINVAL : speculation(false, a[1]);
    case PR_SET_SPECULATION_CTRL: return a[3] != 0 || a[4] != 0 ? -LINUX_EINVAL : speculation(true, a[1]);
    case PR_SET_PTRACER: return tracer_set(a[1]);
    case PR_SET_IO_FLUSHER: return io_flusher(t, true, a[1], rest);
    case PR_GET_IO_FLUSHER: return io_flusher(t, false, a[1], rest);
    default: return prctl_identity(a, rest);
    }
}

int64_t linux_prctl(struct arch_frame *f) {
    const uint64_t a[5] = {LINUX_ARG(f, 0), LINUX_ARG(f, 1), LINUX_ARG(f, 2), LINUX_ARG(f, 3), LINUX_ARG(f, 4)};
    struct linux_process *p = linux_current_process();
    bool rest = a[2] != 0 || a[3] != 0 || a[4] != 0;

    switch ((int)a[0]) {
    case PR_SET_PDEATHSIG: return death_signal_set(a[1]);
    case PR_GET_PDEATHSIG: return store_int(a[1], linux_current()->parent_death_signal);
    case PR_GET_DUMPABLE: return (int64_t)atomic_load(&p->dumpable);
    case PR_SET_DUMPABLE: return dumpable_set(p, a[1]);
    case PR_SET_NAME: return name_set(a[1]);
    case PR_GET_NAME: return name_get(a[1]);
    case PR_SET_CHILD_SUBREAPER: return flag_set(&p->child_subreaper, a[1]);
    case PR_GET_CHILD_SUBREAPER: return store_int(a[1], p->child_subreaper);
    case PR_GET_TID_ADDRESS: return tid_address_get(a[1]);
    default: return prctl_mechanism(a, rest);
    }
}
