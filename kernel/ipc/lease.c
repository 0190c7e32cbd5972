// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Leases: ranges of a caller's memory that the server may read or write until it replies. Thread context. The server names the reply object, so whoever
// may answer may use them, and nobody else.
//
// Invariants:
//   S1  Bytes move only under the lock of the caller's leases, while the caller's call word is that of the call that the reply stands for. The caller, once
//       the call has ended, takes the lock before it returns to its program: no lease outlives its call.
//   S2  The caller's memory is looked up as its program would see it, before the lock, and never waited for: what is not there is NOT_PRESENT.
// Locking: the caller's address space (a sleeping lock), then the leases' spin lock (rank ENDPOINT), under which the server's own memory is touched without
// faulting: where it is not there, it is made present outside and the piece tried again.
#include "ipc_internal.h"

#include <arch/usercopy.h>
#include <kernel/assert.h>
#include <kernel/native_calls.h>
#include <kernel/slab.h>

struct ipc_leases {
    struct spinlock lock; // rank ENDPOINT
    struct job *job;      // counted: charged
    struct epoch_node reclaim;
    /* written by the caller while its call is IDLE: */
    uint32_t count;
    struct inv_lease at[INV_MESSAGE_LEASES];
};

// --- the caller's side ---

static inv_status_t leases_create(struct thread *me) {
    struct job *job = me->process->obj.job;
    inv_status_t status = job_charge(job, JOB_MEMORY, sizeof(struct ipc_leases));
    if (status != INV_OK)
        return status;
    struct ipc_leases *l = kzalloc(sizeof(*l));
    if (l == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(*l));
        return INV_ERR_NO_MEMORY;
    }
    spin_lock_init(&l->lock, LOCK_RANK_ENDPOINT);
    object_get(&job->obj);
    l->job = job;
    me->ipc.leases = l;
    return INV_OK;
}

static bool lease_valid(const struct inv_lease *l, inv_status_t *out_status) {
    *out_status = INV_ERR_INVALID;
    if (l->reserved != 0 || l->rights == 0 || (l->rights & ~(uint32_t)(INV_RIGHT_READ | INV_RIGHT_WRITE)) != 0)
        return false;
    *out_status = INV_ERR_RANGE;
    return l->address < ARCH_USER_END && l->length <= ARCH_USER_END - l->address;
}

inv_status_t leases_make(uint64_t tag, vaddr_t block) {
    struct thread *me = current_thread();
    struct inv_lease at[INV_MESSAGE_LEASES];
    uint32_t count = INV_TAG_LEASES(tag);
    inv_status_t status = INV_OK;

    if (likely(count == 0))
        return INV_OK;
    if (count > INV_MESSAGE_LEASES || block == 0)
        return INV_ERR_INVALID;
    const struct inv_call_block user_ptr *b = (const struct inv_call_block user_ptr *)block;
    status = arch_copy_from_user(at, b->leases, count * sizeof(at[0]));
    for (uint32_t i = 0; i < count && status == INV_OK; i++)
        if (lease_valid(&at[i], &status))
            status = INV_OK;
    if (status == INV_OK && me->ipc.leases == NULL)
        status = leases_create(me);
    if (status != INV_OK)
        return status;
    me->ipc.leases->count = count;
    for (uint32_t i = 0; i < count; i++)
        me->ipc.leases->at[i] = at[i];
    me->ipc.leased = true;
    return INV_OK;
}

void leases_end(struct thread *me) {
    struct ipc_leases *l = me->ipc.leases;

    if (likely(!me->ipc.leased))
        return;
    me->ipc.leased = false;
    spin_lock(&l->lock); // S1
    l->count = 0;
    spin_unlock(&l->lock);
}

static void leases_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct ipc_leases, reclaim));
}

void leases_free(struct thread *t) {
    struct ipc_leases *l = t->ipc.leases;

    if (l == NULL)
        return;
    t->ipc.leases = NULL;
    job_uncharge(l->job, JOB_MEMORY, sizeof(*l));
    object_put(&l->job->obj);
    epoch_defer(&l->reclaim, leases_reclaim);
}

// --- the server's side ---

struct lease_use {
    struct reply *reply;
    uint32_t index;
    bool write; // to the caller's memory
    // one piece:
    uint64_t offset, done;
    size_t size;
    vaddr_t mine; // where it is in the server's memory
    inv_status_t status;
};

// The caller of the call that r stands for, if it is still that call. In an epoch, in which it stays.
static struct thread *lease_caller(struct reply *r) {
    struct thread *t = atomic_load_explicit(&r->caller, memory_order_acquire);

    if (t == NULL || t == CALLER_LEFT || atomic_load_explicit(&t->ipc.call, memory_order_acquire) != r->call)
        return NULL;
    return t;
}

// The lease, and the address space that it is of, counted. In order: BAD_STATE (no call), RANGE (no such lease), ACCESS.
static inv_status_t lease_find(const struct lease_use *u, struct inv_lease *out, struct process **out_process) {
    inv_status_t status = INV_ERR_BAD_STATE;

    epoch_enter();
    struct thread *caller = lease_caller(u->reply);
    if (caller != NULL && !caller->ipc.leased) {
        status = INV_ERR_RANGE;
    } else if (caller != NULL) {
        struct ipc_leases *l = caller->ipc.leases;
        spin_lock(&l->lock);
        status = u->index < l->count ? INV_OK : INV_ERR_RANGE;
        if (status == INV_OK)
            *out = l->at[u->index];
        spin_unlock(&l->lock);
        if (lease_caller(u->reply) != caller)
            status = INV_ERR_BAD_STATE; // it ended meanwhile, and may have lent other things since
        else if (status == INV_OK && (out->rights & (u->write ? INV_RIGHT_WRITE : INV_RIGHT_READ)) == 0)
            status = INV_ERR_ACCESS;
        if (status == INV_OK) {
            object_get(&caller->process->obj);
            *out_process = caller->process;
        }
    }
    epoch_exit();
    return status;
}

// With the caller's address space locked: the piece at at, as much as the server's memory takes without faulting.
static void lease_move(void *at, void *arg) {
    struct lease_use *u = arg;

    epoch_enter();
    struct thread *caller = lease_caller(u->reply);
    struct ipc_leases *l = caller != NULL ? caller->ipc.leases : NULL;
    u->status = INV_ERR_BAD_STATE;
    if (l != NULL) {
        spin_lock(&l->lock);
        if (lease_caller(u->reply) == caller) { // S1
            size_t left = u->write ? arch_copy_from_user_nofault(at, (const void user_ptr *)u->mine, u->size)
                                   : arch_copy_to_user_nofault((void user_ptr *)u->mine, at, u->size);
            u->done = u->size - left;
            u->status = INV_OK;
        }
        spin_unlock(&l->lock);
    }
    epoch_exit();
}

// Makes the server's own byte at u->mine present. FAULT.
static inv_status_t touch_mine(const struct lease_use *u) {
    uint8_t byte;
    inv_status_t status = arch_copy_from_user(&byte, (const void user_ptr *)u->mine, 1);
    if (status == INV_OK && !u->write)
        status = arch_copy_to_user((void user_ptr *)u->mine, &byte, 1);
    return status;
}

static inv_status_t lease_use(struct lease_use *u, size_t size, uint64_t *out_done) {
    struct process *p;
    struct inv_lease lease;
    uint64_t done = 0;

    inv_status_t status = lease_find(u, &lease, &p);
    if (status != INV_OK)
        return status;
    size_t all = u->offset < lease.length ? MIN(size, lease.length - u->offset) : 0;
    bool touched = false;
    while (status == INV_OK && done < all) {
        vaddr_t theirs = lease.address + u->offset + done;
        struct aspace *as = process_aspace_get(p);
        u->size = MIN(all - done, PAGE_SIZE - (theirs & ~PAGE_MASK));
        u->done = 0;
        status = as != NULL ? aspace_borrow(as, theirs, u->write, lease_move, u) : INV_ERR_BAD_STATE;
        if (as != NULL)
            aspace_put(as);
        if (status == INV_OK)
            status = u->status;
        if (status == INV_OK && u->done == 0)
            status = touched ? INV_ERR_FAULT : touch_mine(u);
        touched = u->done == 0;
        done += u->done;
        u->mine += u->done;
        if (thread_killed(current_thread()))
            break;
    }
    object_put(&p->obj);
    *out_done = done;
    return done > 0 ? INV_OK : status; // what was moved is told; the next try tells why there was no more
}

inv_status_t sys_lease_read(struct reply *reply, uint32_t index, uint64_t offset, void user_ptr *data, size_t data_size,
                            uint64_t *out_done) {
    struct lease_use u = {.reply = reply, .index = index, .offset = offset, .mine = (vaddr_t)data};
    return lease_use(&u, data_size, out_done);
}

inv_status_t sys_lease_write(struct reply *reply, uint32_t index, uint64_t offset, const void user_ptr *data,
                             size_t data_size, uint64_t *out_done) {
    struct lease_use u = {.reply = reply, .index = index, .offset = offset, .write = true, .mine = (vaddr_t)data};
    return lease_use(&u, data_size, out_done);
}
