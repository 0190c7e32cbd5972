// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Whom a file signals: F_SETOWN and its kin, O_ASYNC, and the SIGIO (or what F_SETSIG says) itself. Called by fcntl and ioctl, and by the executive when a
// file on an async list becomes ready or a lease is to be broken. Thread context.
//
// Invariants: I1. A file gets its owner structure once and keeps it until its end; an owner that names nobody has number 0.
//             I2. An owner is remembered by its number's entry: number and serial together never mean anybody else.
// Locking: linux_tree_lock for the contents.
#include "file_owner.h"

#include "process.h"

#include <arch/usercopy.h>
#include <kernel/boot.h>
#include <kernel/job.h>
#include <kernel/slab.h>

enum owner_type { OWNER_THREAD, OWNER_PROCESS, OWNER_GROUP }; // F_OWNER_TID, _PID, _PGRP

struct file_owner {
    int type, number;
    uint64_t serial;    // of the entry of number
    uint32_t uid, euid; // who set it: may he signal?
    int signal;         // 0: SIGIO without a word of where it comes from
    struct job *job;    // charged; counted; immutable
};

// --- life -------------------------------------------------------------------------------------------------------------

static void owner_free(struct file_owner *o) {
    job_uncharge(o->job, JOB_MEMORY, sizeof(*o));
    object_put(&o->job->obj);
    kfree(o);
}

// The file's owner structure, made at the first need. NULL: no memory.
static struct file_owner *owner_of(struct file *file) {
    struct file_owner *there = atomic_load_explicit(&file->signal_owner, memory_order_acquire), *fresh;
    if (there != NULL)
        return there;
    if (job_charge(linux_job(), JOB_MEMORY, sizeof(*fresh)) != INV_OK)
        return NULL;
    fresh = kzalloc(sizeof(*fresh));
    if (fresh == NULL) {
        job_uncharge(linux_job(), JOB_MEMORY, sizeof(*fresh));
        return NULL;
    }
    fresh->job = linux_job();
    object_get(&fresh->job->obj);
    if (!atomic_compare_exchange_strong(&file->signal_owner, &there, fresh)) {
        owner_free(fresh); // another thread was faster
        return there;
    }
    return fresh;
}

// --- sending ----------------------------------------------------------------------------------------------------------

static uint64_t band_of(enum async_reason reason) {
    static const uint16_t bands[] = {
        [ASYNC_IN] = POLL_IN | POLL_RDNORM,
        [ASYNC_OUT] = POLL_OUT | POLL_WRNORM | POLL_WRBAND,
        [ASYNC_MESSAGE] = POLL_IN | POLL_RDNORM | 0x400u, // POLLMSG
        [ASYNC_ERROR] = POLL_ERR,
        [ASYNC_PRIORITY] = POLL_PRI | POLL_RDBAND,
        [ASYNC_HANGUP] = POLL_HUP | POLL_ERR,
    };
    return bands[reason];
}

// Signals whose codes have meanings of their own tell by SI_SIGIO that this is none of them.
static bool has_own_codes(int signal) {
    return signal_set_has(SIGNAL_BIT(LINUX_SIGILL) | SIGNAL_BIT(LINUX_SIGFPE) | SIGNAL_BIT(LINUX_SIGSEGV) |
                              SIGNAL_BIT(LINUX_SIGBUS) | SIGNAL_BIT(LINUX_SIGTRAP) | SIGNAL_BIT(LINUX_SIGCHLD) |
                              SIGNAL_BIT(LINUX_SIGSYS),
                          signal);
}

static bool may_send_locked(const struct file_owner *o, struct linux_process *p) {
    irq_flags_t flags = spin_lock_irq(&p->lock);
    const struct token *t = p->token;
    bool may = t != NULL &&
               (o->euid == 0 || o->euid == t->suid || o->euid == t->uid || o->uid == t->suid || o->uid == t->uid);
    spin_unlock_irq(&p->lock, flags);
    return may;
}

static int64_t send_one(struct linux_process *p, struct linux_thread *thread, const struct linux_siginfo *info) {
    return thread != NULL ? signal_send_thread(thread, info) : signal_send_process(p, info);
}

static void signal_one_locked(const struct file_owner *o, struct linux_process *p, struct linux_thread *thread, int fd,
                              enum async_reason reason) {
    struct linux_siginfo info;
    if (!may_send_locked(o, p))
        return;
    if (reason == ASYNC_URGENT) {
        siginfo_from_kernel(&info, LINUX_SIGURG);
        (void)send_one(p, thread, &info);
        return;
    }
    if (o->signal != 0) {
        info = (struct linux_siginfo){.signo = o->signal,
                                      .code = has_own_codes(o->signal) ? LINUX_SI_SIGIO : (int)reason};
        info.words[0] = band_of(reason);
        info.words[1] = (uint32_t)fd;
        if (send_one(p, thread, &info) == 0)
            return;
    }
    siginfo_from_kernel(&info, LINUX_SIGIO); // also when the queue is full: then programs look at all their files
    (void)send_one(p, thread, &info);
}

static struct linux_pid *entry_locked(const struct file_owner *o) {
    struct linux_pid *e = linux_pid_find_locked(o->number);
    return e != NULL && e->serial == o->serial ? e : NULL;
}

static void owner_send(struct file_owner *o, int fd, enum async_reason reason) {
    struct linux_process *p;
    spin_lock(&linux_tree_lock);
    struct linux_pid *e = entry_locked(o);
    if (e != NULL && o->type == OWNER_GROUP && e->group != NULL) {
        list_for_each(p, &e->group->members, group_node)
            signal_one_locked(o, p, NULL, fd, reason);
    } else if (e != NULL && o->type == OWNER_PROCESS && e->process != NULL) {
        signal_one_locked(o, e->process, NULL, fd, reason);
    } else if (e != NULL && o->type == OWNER_THREAD && e->thread != NULL) {
        signal_one_locked(o, e->thread->process, e->thread, fd, reason);
    }
    spin_unlock(&linux_tree_lock);
}

// --- setting and asking -----------------------------------------------------------------------------------------------

static int64_t owner_set(struct file *file, int type, int number, bool force) {
    struct file_owner *o = owner_of(file);
    int64_t result = 0;
    if (o == NULL)
        return -LINUX_ENOMEM;
    spin_lock(&linux_tree_lock);
    struct linux_pid *e = linux_pid_find_locked(number);
    if (number != 0 && e == NULL) {
        result = -LINUX_ESRCH;
    } else if (force || o->number == 0) {
        o->type = type;
        o->number = number;
        o->serial = e != NULL ? e->serial : 0;
        if (e != NULL) {
            o->uid = linux_token()->uid;
            o->euid = linux_token()->euid;
        }
    }
    spin_unlock(&linux_tree_lock);
    return result;
}

// The number, if what it was set to still lives in that role.
static void owner_get(struct file *file, int *out_type, int *out_number) {
    struct file_owner *o = atomic_load_explicit(&file->signal_owner, memory_order_acquire);
    *out_type = OWNER_THREAD;
    *out_number = 0;
    if (o == NULL)
        return;
    spin_lock(&linux_tree_lock);
    struct linux_pid *e = entry_locked(o);
    *out_type = o->type;
    if (e != NULL && (o->type == OWNER_GROUP     ? e->group != NULL
                      : o->type == OWNER_PROCESS ? e->process != NULL
                                                 : e->thread != NULL))
        *out_number = o->number;
    spin_unlock(&linux_tree_lock);
}

int64_t linux_file_owner_set(struct file *file, int who) {
    if (who == INT32_MIN)
        return -LINUX_EINVAL;
    return owner_set(file, who < 0 ? OWNER_GROUP : OWNER_PROCESS, who < 0 ? -who : who, true);
}

int64_t linux_file_owner_claim(struct file *file, int group) {
    return owner_set(file, group != 0 ? OWNER_GROUP : OWNER_PROCESS,
                     group != 0 ? group : linux_current_process()->number, false);
}

int linux_file_owner_get(struct file *file) {
    int type, number;
    owner_get(file, &type, &number);
    return type == OWNER_GROUP ? -number : number;
}

struct owner_ex { // struct f_owner_ex
    int32_t type, number;
};

static int64_t owner_set_ex(struct file *file, uint64_t user) {
    struct owner_ex x;
    if (arch_copy_from_user(&x, (const void user_ptr *)(uintptr_t)user, sizeof(x)) != INV_OK)
        return -LINUX_EFAULT;
    if (x.type < OWNER_THREAD || x.type > OWNER_GROUP)
        return -LINUX_EINVAL;
    if (x.number < 0)
        return -LINUX_ESRCH;
    return owner_set(file, x.type, x.number, true);
}

static int64_t owner_get_ex(struct file *file, uint64_t user) {
    struct owner_ex x;
    owner_get(file, &x.type, &x.number);
    return arch_copy_to_user((void user_ptr *)(uintptr_t)user, &x, sizeof(x)) == INV_OK ? 0 : -LINUX_EFAULT;
}

static int64_t owner_get_users(struct file *file, uint64_t user) {
    struct file_owner *o = atomic_load_explicit(&file->signal_owner, memory_order_acquire);
    uint32_t ids[2] = {0, 0};
    if (o != NULL) {
        spin_lock(&linux_tree_lock);
        ids[0] = o->uid;
        ids[1] = o->euid;
        spin_unlock(&linux_tree_lock);
    }
    return arch_copy_to_user((void user_ptr *)(uintptr_t)user, ids, sizeof(ids)) == INV_OK ? 0 : -LINUX_EFAULT;
}

static int64_t signal_set(struct file *file, uint64_t signal) {
    if (signal > LINUX_SIGNALS)
        return -LINUX_EINVAL;
    struct file_owner *o = owner_of(file);
    if (o == NULL)
        return -LINUX_ENOMEM;
    spin_lock(&linux_tree_lock);
    o->signal = (int)signal;
    spin_unlock(&linux_tree_lock);
    return 0;
}

int64_t linux_file_owner_fcntl(struct file *file, unsigned command, uint64_t argument) {
    struct file_owner *o = atomic_load_explicit(&file->signal_owner, memory_order_acquire);
    switch (command) {
    case LINUX_F_SETOWN: return linux_file_owner_set(file, (int)argument);
    case LINUX_F_GETOWN: return linux_file_owner_get(file);
    case LINUX_F_SETOWN_EX: return owner_set_ex(file, argument);
    case LINUX_F_GETOWN_EX: return owner_get_ex(file, argument);
    case LINUX_F_GETOWNER_UIDS: return owner_get_users(file, argument);
    case LINUX_F_SETSIG: return signal_set(file, argument);
    case LINUX_F_GETSIG: return o != NULL ? o->signal : 0;
    default: return -LINUX_EINVAL;
    }
}

static inv_status_t owner_claim(struct file *file) {
    return owner_set(file, OWNER_PROCESS, linux_current_process()->number, false) == 0 ? INV_OK : INV_ERR_NO_MEMORY;
}

static void owner_forget(struct file_owner *o) {
    spin_lock(&linux_tree_lock);
    o->number = 0;
    o->signal = 0;
    spin_unlock(&linux_tree_lock);
}

static inv_status_t file_owner_init(void) {
    static const struct async_owner_ops ops = {
        .send = owner_send, .free = owner_free, .claim = owner_claim, .forget = owner_forget};
    async_register_owner_ops(&ops);
    return INV_OK;
}
BOOT_CALL("linux file owners", BOOT_STAGE_PERSONALITY, file_owner_init);
