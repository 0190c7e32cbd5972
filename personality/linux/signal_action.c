// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Tables of signal actions, and the calls that read and set them: rt_sigaction, sigaltstack.
#include "process.h"

#include <arch/usercopy.h>
#include <kernel/slab.h>

#define SS_ONSTACK    1u
#define SS_DISABLE    2u
#define SS_AUTODISARM (1u << 31)
#define STACK_MINIMUM 2048u

struct linux_sighand *sighand_create(const struct linux_sighand *from) {
    struct linux_sighand *h = kzalloc(sizeof(*h));

    if (h == NULL)
        return NULL;
    h->count = 1;
    spin_lock_init(&h->lock, LOCK_RANK_SIGNAL_ACTION);
    waitq_init(&h->signalfd_wait);
    if (from != NULL) {
        irq_flags_t flags = spin_lock_irq((struct spinlock *)&from->lock);
        h->touched = from->touched;
        for (linux_sigset_t left = h->touched; left != 0; left &= left - 1)
            h->actions[__builtin_ctzll(left)] = from->actions[__builtin_ctzll(left)];
        spin_unlock_irq((struct spinlock *)&from->lock, flags);
    }
    return h;
}

void sighand_get(struct linux_sighand *h) {
    atomic_fetch_add_explicit(&h->count, 1, memory_order_relaxed);
}

static void sighand_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct linux_sighand, reclaim));
}

void sighand_put(struct linux_sighand *h) {
    if (atomic_fetch_sub_explicit(&h->count, 1, memory_order_acq_rel) != 1)
        return;
    if (likely(!atomic_load_explicit(&h->polled, memory_order_relaxed))) {
        kfree(h);
        return;
    }
    waitq_wake(&h->signalfd_wait, UINT32_MAX, POLL_FREE);
    epoch_defer(&h->reclaim, sighand_reclaim);
}

void sighand_reset(struct linux_sighand *h, bool keep_ignored) {
    for (linux_sigset_t left = h->touched; left != 0; left &= left - 1) {
        struct linux_sigaction *a = &h->actions[__builtin_ctzll(left)];
        bool keep = keep_ignored && a->handler == LINUX_SIG_IGN;
        *a = (struct linux_sigaction){.handler = keep ? LINUX_SIG_IGN : LINUX_SIG_DFL};
        if (!keep)
            h->touched &= ~(left & -left);
    }
}

uint64_t signal_handler(const struct linux_sighand *h, int signal) {
    return atomic_load_explicit((_Atomic uint64_t *)&h->actions[signal - 1].handler, memory_order_relaxed);
}

// A signal that is ignored from now on is no longer pending anywhere (POSIX 3.3.1.3).
static void discard_ignored(struct linux_process *p, int signal) {
    struct linux_thread *t;

    signal_pending_discard(&p->pending, SIGNAL_BIT(signal));
    list_for_each(t, &p->threads, node)
        signal_pending_discard(&t->pending, SIGNAL_BIT(signal));
}

int64_t linux_rt_sigaction(struct arch_frame *f) {
    struct linux_process *p = linux_current_process();
    uint64_t signal = LINUX_ARG(f, 0), in = LINUX_ARG(f, 1), out = LINUX_ARG(f, 2);
    struct linux_sigaction fresh, old;

    if (LINUX_ARG(f, 3) != sizeof(linux_sigset_t))
        return -LINUX_EINVAL;
    if (in != 0 && arch_copy_from_user(&fresh, (const void user_ptr *)in, sizeof(fresh)) != INV_OK)
        return -LINUX_EFAULT;
    signal = (uint32_t)signal;
    if (!signal_valid(signal) || (in != 0 && signal_set_has(SIGNAL_SET_KERNEL, (int)signal)))
        return -LINUX_EINVAL;

    irq_flags_t flags = spin_lock_irq(&p->lock);
    spin_lock(&p->sighand->lock);
    struct linux_sigaction *a = &p->sighand->actions[signal - 1];
    old = *a;
    if (in != 0) {
        fresh.mask &= ~SIGNAL_SET_KERNEL;
        *a = fresh;
        p->sighand->touched |= SIGNAL_BIT((int)signal);
    }
    spin_unlock(&p->sighand->lock);
    if (in != 0 && signal_ignored_locked(p, (int)signal))
        discard_ignored(p, (int)signal);
    spin_unlock_irq(&p->lock, flags);

    if (out != 0 && arch_copy_to_user((void user_ptr *)out, &old, sizeof(old)) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}

struct user_stack {
    uint64_t sp;
    uint32_t flags, pad;
    uint64_t size;
};

static bool on_altstack(const struct linux_altstack *a, uint64_t sp) {
    return !(a->flags & SS_AUTODISARM) && sp > a->sp && sp - a->sp <= a->size;
}

int64_t linux_altstack_set(const struct linux_altstack *s, uint64_t sp) {
    struct linux_altstack *a = &linux_current()->altstack;
    uint32_t mode = s->flags & ~SS_AUTODISARM;

    if (on_altstack(a, sp))
        return -LINUX_EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -LINUX_EINVAL;
    if (mode == SS_DISABLE) {
        *a = (struct linux_altstack){.flags = s->flags};
        return 0;
    }
    if (s->size < STACK_MINIMUM || s->size < linux_arch_frame_minimum())
        return -LINUX_ENOMEM;
    *a = *s;
    return 0;
}

int64_t linux_sigaltstack(struct arch_frame *f) {
    const struct linux_altstack *a = &linux_current()->altstack;
    uint64_t in = LINUX_ARG(f, 0), out = LINUX_ARG(f, 1), sp = arch_frame_sp(f);
    struct user_stack u, old = {.sp = a->sp, .size = a->size, .flags = a->flags & SS_AUTODISARM};

    old.flags |= a->size == 0 ? SS_DISABLE : on_altstack(a, sp) ? SS_ONSTACK : 0;
    if (in != 0) {
        if (arch_copy_from_user(&u, (const void user_ptr *)in, sizeof(u)) != INV_OK)
            return -LINUX_EFAULT;
        struct linux_altstack s = {.sp = u.sp, .size = u.size, .flags = u.flags};
        int64_t result = linux_altstack_set(&s, sp);
        if (result != 0)
            return result;
    }
    if (out != 0 && arch_copy_to_user((void user_ptr *)out, &old, sizeof(old)) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}
