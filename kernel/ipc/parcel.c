// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What of a message does not fit in registers: longer data, and handles. The sender packs it before anything else happens (check, then commit); the receiver
// unpacks it on its own, in its own address space. Thread context, no lock held, may sleep.
#include "ipc_internal.h"

#include <arch/usercopy.h>
#include <kernel/assert.h>
#include <kernel/page.h>
#include <kernel/slab.h>

void parcel_drop(struct ipc_parcel *p) {
    if (p == NULL)
        return;
    if (p->handle_count > 0)
        handle_transfer_drop(p->handles, p->handle_count);
    if (p->page != NULL)
        page_put(p->page);
    job_uncharge(p->job, JOB_MEMORY, sizeof(*p));
    object_put(&p->job->obj);
    kfree(p);
}

static inv_status_t parcel_create(struct job *job, struct ipc_parcel **out) {
    inv_status_t status = job_charge(job, JOB_MEMORY, sizeof(struct ipc_parcel));
    if (status != INV_OK)
        return status;
    struct ipc_parcel *p = kzalloc(sizeof(*p));
    if (p == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(*p));
        return INV_ERR_NO_MEMORY;
    }
    object_get(&job->obj);
    p->job = job;
    *out = p;
    return INV_OK;
}

static inv_status_t pack_data(struct ipc_parcel *p, const struct inv_call_block *b, uint32_t length) {
    p->page = page_alloc(0, PAGE_USER, PAGE_KERNEL, p->job);
    if (p->page == NULL)
        return INV_ERR_NO_MEMORY;
    p->length = length;
    return arch_copy_from_user(page_to_virt(p->page), (const void user_ptr *)b->message, length);
}

inv_status_t parcel_make(uint64_t tag, vaddr_t block, struct ipc_parcel **out) {
    uint32_t length = INV_TAG_LENGTH(tag), handles = INV_TAG_HANDLES(tag);
    struct inv_call_block b;
    struct ipc_parcel *p;

    *out = NULL;
    if (length > INV_MESSAGE_MAX)
        return INV_ERR_RANGE;
    if (handles > INV_MESSAGE_HANDLES || INV_TAG_LEASES(tag) > INV_MESSAGE_LEASES)
        return INV_ERR_INVALID;
    if (length <= INV_MESSAGE_WORDS_BYTES && handles == 0)
        return INV_OK;
    if (block == 0)
        return INV_ERR_INVALID;
    inv_status_t status = arch_copy_from_user(&b, (const void user_ptr *)block, sizeof(b));
    if (status != INV_OK)
        return status;
    if (b.reserved != 0)
        return INV_ERR_INVALID;
    status = parcel_create(current_process()->obj.job, &p);
    if (status != INV_OK)
        return status;
    if (length > INV_MESSAGE_WORDS_BYTES)
        status = pack_data(p, &b, length);
    if (status == INV_OK && handles > 0)
        status = handle_take(&current_process()->handles, b.handles, handles, INV_RIGHT_TRANSFER, p->handles);
    if (status != INV_OK) {
        parcel_drop(p);
        return status;
    }
    p->handle_count = handles;
    *out = p;
    return INV_OK;
}

// Into the current process's table; the number that arrived.
static uint32_t handles_arrive(struct ipc_parcel *p, inv_handle_t *out) {
    struct handle_table *t = &current_process()->handles;
    uint32_t n = p->handle_count;

    if (n == 0 || handle_reserve(t, n) != INV_OK)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        out[i] = handle_install(t, p->handles[i].object, p->handles[i].rights);
    p->handle_count = 0;
    return n;
}

void parcel_return(struct ipc_parcel *p) {
    inv_handle_t numbers[INV_MESSAGE_HANDLES];

    if (p != NULL)
        handles_arrive(p, numbers); // under other numbers: the sender learns from the block's received
    parcel_drop(p);
}

uint64_t parcel_unpack(struct ipc_parcel *p, uint64_t tag, vaddr_t block) {
    struct inv_call_block b = {0};
    uint64_t handles_mask = INV_TAG_WITH(0, 0xf, 0);
    bool have = block != 0 && arch_copy_from_user(&b, (const void user_ptr *)block, sizeof(b)) == INV_OK;

    if (p->length > 0) {
        size_t n = MIN(p->length, b.buffer_size);
        if (n > 0 && arch_copy_to_user((void user_ptr *)b.buffer, page_to_virt(p->page), n) != INV_OK)
            n = 0;
        if (n < p->length)
            tag |= INV_TAG_TRUNCATED;
    }
    if (p->handle_count > 0) {
        uint32_t n = have ? handles_arrive(p, b.received) : 0;
        vaddr_t where = block + offsetof(struct inv_call_block, received);
        if (n == 0)
            tag = (tag & ~handles_mask) | INV_TAG_LOST;
        else if (arch_copy_to_user((void user_ptr *)where, b.received, n * sizeof(b.received[0])) != INV_OK)
            tag |=
                INV_TAG_LOST; // they are open, and the program has spoilt the place where it would learn their numbers
    }
    parcel_drop(p);
    return tag;
}
