// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// prctl: attributes of a thread or process that have no call of their own.
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
    PR_GET_SECUREBITS = 27,
    PR_SET_SECUREBITS = 28,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
    PR_CAP_AMBIENT = 47
};
#define TIMER_SLACK_DEFAULT 50000

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

// A change of the token that only takes away or sets a mark.
static int64_t token_change(uint64_t drop, bool no_new_privs) {
    struct token *t;
    int64_t result = linux_result(token_clone(linux_token(), linux_job(), &t));

    if (result != 0)
        return result;
    t->cap_bounding &= ~drop;
    t->no_new_privs = t->no_new_privs || no_new_privs;
    linux_token_install(t);
    return 0;
}

static int64_t capability_bound(uint64_t cap, bool drop) {
    if (cap > CAP_LAST)
        return -LINUX_EINVAL;
    if (!drop)
        return (int64_t)(linux_token()->cap_bounding >> cap & 1);
    if (!token_capable(linux_token(), CAP_SETPCAP))
        return -LINUX_EPERM;
    return token_change(1ull << cap, false);
}

static int64_t securebits_set(uint64_t bits) {
    struct token *t;

    if (bits & ~0xffull)
        return -LINUX_EINVAL;
    if (!token_capable(linux_token(), CAP_SETPCAP))
        return -LINUX_EPERM;
    int64_t result = linux_result(token_clone(linux_token(), linux_job(), &t));
    if (result != 0)
        return result;
    t->securebits = (uint32_t)bits;
    linux_token_install(t);
    return 0;
}

// PR_CAP_AMBIENT: is set, raise, lower, clear all.
static int64_t ambient(uint64_t what, uint64_t cap) {
    const struct token *me = linux_token();
    struct token *t;

    if (what < 1 || what > 4 || (what == 4 ? cap != 0 : cap > CAP_LAST))
        return -LINUX_EINVAL;
    if (what == 1)
        return (int64_t)(me->cap_ambient >> cap & 1);
    if (what == 2 && !((me->cap_permitted & me->cap_inheritable) >> cap & 1))
        return -LINUX_EPERM;
    int64_t result = linux_result(token_clone(me, linux_job(), &t));
    if (result != 0)
        return result;
    if (what == 4)
        t->cap_ambient = 0;
    else
        t->cap_ambient = what == 2 ? t->cap_ambient | 1ull << cap : t->cap_ambient & ~(1ull << cap);
    linux_token_install(t);
    return 0;
}

int64_t linux_prctl(struct arch_frame *f) {
    struct linux_thread *t = linux_current();
    struct linux_process *p = t->process;
    uint64_t a = LINUX_ARG(f, 1);
    bool rest = LINUX_ARG(f, 2) != 0 || LINUX_ARG(f, 3) != 0 || LINUX_ARG(f, 4) != 0;

    switch ((int)LINUX_ARG(f, 0)) {
    case PR_SET_PDEATHSIG:
        if (a != 0 && !signal_valid(a))
            return -LINUX_EINVAL;
        p->parent_death_signal = (int)a;
        return 0;
    case PR_GET_PDEATHSIG: return store_int(a, p->parent_death_signal);
    case PR_GET_DUMPABLE: return (int64_t)atomic_load(&p->dumpable);
    case PR_SET_DUMPABLE:
        if (a > 1)
            return -LINUX_EINVAL;
        atomic_store(&p->dumpable, (uint32_t)a);
        return 0;
    case PR_GET_KEEPCAPS: return t->keep_capabilities;
    case PR_SET_KEEPCAPS:
        if (a > 1)
            return -LINUX_EINVAL;
        t->keep_capabilities = a != 0;
        return 0;
    case PR_GET_TIMING: return 0;
    case PR_SET_TIMING: return a == 0 ? 0 : -LINUX_EINVAL;
    case PR_SET_NAME: return name_set(a);
    case PR_GET_NAME: return name_get(a);
    case PR_GET_SECCOMP: return 0;
    case PR_CAPBSET_READ: return capability_bound(a, false);
    case PR_CAPBSET_DROP: return capability_bound(a, true);
    case PR_GET_SECUREBITS: return linux_token()->securebits;
    case PR_SET_SECUREBITS: return securebits_set(a);
    case PR_SET_TIMERSLACK: return 0; // timers are exact: there is no slack to give
    case PR_GET_TIMERSLACK: return TIMER_SLACK_DEFAULT;
    case PR_SET_CHILD_SUBREAPER: p->child_subreaper = a != 0; return 0;
    case PR_GET_CHILD_SUBREAPER: return store_int(a, p->child_subreaper);
    case PR_SET_NO_NEW_PRIVS: return a != 1 || rest ? -LINUX_EINVAL : token_change(0, true);
    case PR_GET_NO_NEW_PRIVS: return a != 0 || rest ? -LINUX_EINVAL : (int64_t)linux_token()->no_new_privs;
    case PR_SET_THP_DISABLE: return rest ? -LINUX_EINVAL : 0;
    case PR_GET_THP_DISABLE: return a != 0 || rest ? -LINUX_EINVAL : 0;
    case PR_CAP_AMBIENT:
        return LINUX_ARG(f, 3) != 0 || LINUX_ARG(f, 4) != 0 ? -LINUX_EINVAL : ambient(a, LINUX_ARG(f, 2));
    default: return -LINUX_EINVAL;
    }
}
