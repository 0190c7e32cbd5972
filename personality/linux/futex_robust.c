// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Robust lists: locks that their owner leaves behind. The list is the user's own memory; the kernel reads it when the thread ends or executes a program, and
// marks every lock on it that the thread still holds. Context: system call, thread exit.
#include "futex.h"

#include <arch/usercopy.h>

#define ROBUST_LIMIT 2048

struct robust_head {
    uint64_t next, offset, pending;
};

int64_t linux_set_robust_list(struct arch_frame *f) {
    if (LINUX_ARG(f, 1) != sizeof(struct robust_head))
        return -LINUX_EINVAL;
    linux_current()->robust_list = LINUX_ARG(f, 0);
    return 0;
}

int64_t linux_get_robust_list(struct arch_frame *f) {
    int tid = (int)LINUX_ARG(f, 0);
    uint64_t head = linux_current()->robust_list, size = sizeof(struct robust_head);

    if (tid != 0) {
        struct linux_process *p = NULL;
        spin_lock(&linux_tree_lock);
        struct linux_thread *t = linux_thread_find_locked(tid);
        if (t != NULL) {
            head = t->robust_list;
            p = t->process;
            linux_process_get(p);
        }
        spin_unlock(&linux_tree_lock);
        if (p == NULL)
            return -LINUX_ESRCH;
        bool allowed = linux_may_attach(p);
        linux_process_put(p);
        if (!allowed)
            return -LINUX_EPERM;
    }
    if (arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 2), &size, sizeof(size)) != INV_OK ||
        arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &head, sizeof(head)) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}

// One lock of a dead owner: marked, and a waiter woken. pending: the owner may have died between taking it and enlisting it.
// inherits: waiters of such a lock are not woken here; who gets it is settled with all that the thread owns (linux_futex_pi_exit).
static void robust_release(uint64_t address, uint32_t tid, bool inherits, bool pending) {
    uint32_t user_ptr *p = (uint32_t user_ptr *)address;
    uint32_t old, seen;

    if ((address & 3) || arch_user_load32(p, &old) != INV_OK)
        return;
    if (pending && !inherits && old == 0) {
        linux_futex_wake_address(address, 1);
        return;
    }
    do {
        if ((old & FUTEX_TID_MASK) != tid)
            return;
        seen = old;
        if (arch_user_cmpxchg32(p, &old, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED) != INV_OK)
            return;
    } while (old != seen);
    if (!inherits && (old & FUTEX_WAITERS))
        linux_futex_wake_address(address, 1);
}

// The list is the user's: every word may be wrong, and it may have no end.
void linux_robust_list_exit(struct linux_thread *t) {
    uint64_t head = t->robust_list, entry;
    struct robust_head h;

    t->robust_list = 0;
    if (arch_copy_from_user(&h, (const void user_ptr *)head, sizeof(h)) != INV_OK)
        return;
    entry = h.next;
    for (unsigned i = 0; i < ROBUST_LIMIT && (entry & ~1ull) != head; i++) {
        uint64_t next;
        bool good = arch_user_load64((const uint64_t user_ptr *)(entry & ~1ull), &next) == INV_OK;
        if ((entry & ~1ull) != (h.pending & ~1ull))
            robust_release((entry & ~1ull) + h.offset, (uint32_t)t->pid->number, entry & 1, false);
        if (!good)
            return;
        entry = next;
    }
    if ((h.pending & ~1ull) != 0)
        robust_release((h.pending & ~1ull) + h.offset, (uint32_t)t->pid->number, h.pending & 1, true);
}
