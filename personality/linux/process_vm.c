// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// process_vm_readv and process_vm_writev: memory of another process, if the caller might trace it. Bytes go through a page of the kernel's, piece by piece;
// what cannot be moved ends the call with what was. Context: system call.
#include "process.h"

#include <arch/usercopy.h>
#include <kernel/slab.h>

#define CAP_SYS_PTRACE 19
#define VECTORS_MAX    1024u

struct pieces {
    struct io_vector *all;
    unsigned count, index;
    size_t offset; // within all[index]
    uint64_t total;
};

// local: pieces must be user memory, and are cut to what one call may move.
static int64_t pieces_get(uint64_t user, uint64_t count, bool local, struct pieces *p) {
    *p = (struct pieces){.count = (unsigned)count};
    if (count > VECTORS_MAX)
        return -LINUX_EINVAL;
    if (count == 0)
        return 0;
    p->all = kmalloc(count * sizeof(struct io_vector));
    if (p->all == NULL)
        return -LINUX_ENOMEM;
    if (arch_copy_from_user(p->all, (const void user_ptr *)(uintptr_t)user, count * sizeof(struct io_vector)) != INV_OK)
        return -LINUX_EFAULT;
    for (unsigned i = 0; i < p->count; i++) {
        uint64_t base = (uintptr_t)p->all[i].base, length = p->all[i].length;
        if ((int64_t)length < 0)
            return -LINUX_EINVAL;
        if (local && (length > ARCH_USER_END || base > ARCH_USER_END - length))
            return -LINUX_EFAULT;
        if (local)
            p->all[i].length = length = MIN(length, 0x7ffff000u - p->total);
        p->total += length;
    }
    return 0;
}

// The next stretch: its address and length; 0: no more.
static size_t piece_next(struct pieces *p, uint64_t *out_address) {
    while (p->index < p->count && p->offset >= p->all[p->index].length) {
        p->index++;
        p->offset = 0;
    }
    if (p->index >= p->count)
        return 0;
    *out_address = (uintptr_t)p->all[p->index].base + p->offset;
    return p->all[p->index].length - p->offset;
}

// Rights as the process itself has them: what it may not do nobody does for it.
static bool may_access(struct aspace *as, vaddr_t va, bool write) {
    struct mapping_info m;
    if (va >= ARCH_USER_END || !aspace_describe(as, va, &m))
        return false;
    mapping_info_put(&m);
    if (va < m.start && !(m.flags & MAPPING_GROWSDOWN))
        return false;
    return (m.prot & (write ? MMU_WRITE : MMU_READ)) != 0 &&
           (m.object == NULL || !(m.flags & MAPPING_FIXED_KERNEL) || !write);
}

// Moves n bytes, within one page of the other side. *out_done; false: no further.
static bool move_part(struct aspace *as, uint64_t remote, uint64_t local, char *buffer, size_t n, bool write,
                      size_t *out_done) {
    size_t done = 0, missed = 0;
    *out_done = 0;
    if (!may_access(as, remote, write))
        return false;
    if (write) {
        missed = arch_copy_from_user_partial(buffer, (const void user_ptr *)(uintptr_t)local, n);
        (void)aspace_access(as, remote, buffer, n - missed, true, &done);
    } else {
        (void)aspace_access(as, remote, buffer, n, false, &done);
        missed = arch_copy_to_user_partial((void user_ptr *)(uintptr_t)local, buffer, done);
        done -= missed;
    }
    *out_done = done;
    return done == n;
}

static int64_t move_all(struct aspace *as, struct pieces *remote, struct pieces *local, bool write) {
    char *buffer = kmalloc(PAGE_SIZE);
    uint64_t to, from, sum = 0;
    size_t a, b;
    bool going = buffer != NULL;
    if (buffer == NULL)
        return -LINUX_ENOMEM;
    while (going && (a = piece_next(remote, &from)) != 0 && (b = piece_next(local, &to)) != 0) {
        size_t n = MIN(MIN(a, b), PAGE_SIZE - (from & ~PAGE_MASK)), done;
        going = move_part(as, from, to, buffer, n, write, &done) && !thread_killed(current_thread());
        remote->offset += done;
        local->offset += done;
        sum += done;
    }
    kfree(buffer);
    return sum != 0 || going ? (int64_t)sum : -LINUX_EFAULT;
}

// As for tracing, by the real user: ids all the same and dumpable, or CAP_SYS_PTRACE.
static bool may_attach(struct linux_process *p) {
    const struct token *me = linux_token();
    if (p == linux_current_process())
        return true;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    const struct token *t = p->token;
    bool same = me->uid == t->uid && me->uid == t->euid && me->uid == t->suid && me->gid == t->gid &&
                me->gid == t->egid && me->gid == t->sgid;
    bool allowed = same && !(t->cap_permitted & ~me->cap_permitted) && atomic_load(&p->dumpable) == 1;
    spin_unlock_irq(&p->lock, flags);
    return allowed || token_capable(me, CAP_SYS_PTRACE);
}

static int64_t move_with(int pid, struct pieces *remote, struct pieces *local, bool write) {
    struct linux_process *p = pid > 0 ? linux_process_of_tid(pid) : NULL;
    if (p == NULL)
        return -LINUX_ESRCH;
    struct aspace *as = linux_process_aspace(p);
    int64_t result = as == NULL ? -LINUX_ESRCH : may_attach(p) ? move_all(as, remote, local, write) : -LINUX_EPERM;
    if (as != NULL)
        aspace_put(as);
    linux_process_put(p);
    return result;
}

static int64_t process_vm(struct arch_frame *f, bool write) {
    struct pieces local, remote = {0};
    if (LINUX_ARG(f, 5) != 0)
        return -LINUX_EINVAL;
    int64_t result = pieces_get(LINUX_ARG(f, 1), LINUX_ARG(f, 2), true, &local);
    if (result == 0 && local.total != 0) {
        result = pieces_get(LINUX_ARG(f, 3), LINUX_ARG(f, 4), false, &remote);
        if (result == 0 && remote.total != 0)
            result = move_with((int)LINUX_ARG(f, 0), &remote, &local, write);
        kfree(remote.all);
    }
    kfree(local.all);
    return result;
}

int64_t linux_process_vm_readv(struct arch_frame *f) {
    return process_vm(f, false);
}

int64_t linux_process_vm_writev(struct arch_frame *f) {
    return process_vm(f, true);
}
