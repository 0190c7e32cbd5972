// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-test of memory in the booted kernel: each single allocation in the life of an address space fails once, and
// nothing may be lost. Debug builds, where page_inject_failure works.

#include "borrow.h"

#include <kernel/aspace.h>
#include <kernel/debug.h>
#include <kernel/irq.h>
#include <kernel/job.h>

#define AT ((vaddr_t)0x20000000)

// A life of an address space in which many things are allocated. The first error ends it; what exists then is given
// back.
static inv_status_t life(struct job *job) {
    struct aspace *as = NULL, *child = NULL;
    struct vmo *v = NULL;
    struct exception e;
    vaddr_t to;
    size_t done;
    inv_status_t status = aspace_create(job, &as);

    if (status == INV_OK)
        status = vmo_create(job, 300 * PAGE_SIZE, &v);
    if (status == INV_OK)
        status = vmo_write(v, 299 * PAGE_SIZE, "text", 4, &done);
    if (status == INV_OK)
        status = map_rw(as, AT, 300 * PAGE_SIZE, v, 0);
    if (status == INV_OK)
        status = map_rw(as, 2 * AT, 100 * PAGE_SIZE, NULL, 0);
    for (unsigned i = 0; i < 100 && status == INV_OK; i += 33)
        status = aspace_fault(as, 2 * AT + i * PAGE_SIZE, FAULT_WRITE, &e);
    if (status == INV_OK)
        status = aspace_fault(as, AT + 299 * PAGE_SIZE, FAULT_WRITE, &e);
    if (status == INV_OK)
        status = aspace_fork(as, job, &child);
    if (status == INV_OK)
        status = aspace_fault(child, 2 * AT, FAULT_WRITE, &e);
    if (status == INV_OK)
        status = aspace_unmap(as, 2 * AT + 10 * PAGE_SIZE, 5 * PAGE_SIZE);
    if (status == INV_OK)
        status = aspace_protect(as, 2 * AT + 40 * PAGE_SIZE, 5 * PAGE_SIZE, MMU_READ);
    if (status == INV_OK)
        status = aspace_remap(as, 2 * AT, 8 * PAGE_SIZE, 16 * PAGE_SIZE, REMAP_MAY_MOVE, 0, &to);
    if (status == INV_OK)
        status = aspace_discard(as, 2 * AT + 33 * PAGE_SIZE, PAGE_SIZE);
    if (status == INV_OK)
        status = vmo_resize(v, PAGE_SIZE);
    if (child)
        aspace_put(child);
    if (v)
        vmo_put(v);
    if (as)
        aspace_put(as);
    return status;
}

static bool every_allocation(void) {
    struct job *job;
    unsigned n = 0;
    inv_status_t status;

    SELFTEST_CHECK(job_create(&root_job, &job) == INV_OK);
    do {
        page_inject_failure(++n);
        status = life(job);
        page_inject_failure(0);
        SELFTEST_CHECK(status == INV_OK || status == INV_ERR_NO_MEMORY);
        SELFTEST_CHECK(atomic_load(&job->accounts[JOB_MEMORY].used) == 0);
    } while (status != INV_OK && n < 1000);
    SELFTEST_CHECK(n > 20 && n < 1000);
    object_put(&job->obj);
    return true;
}
SELFTEST("vm/every_allocation_may_fail_and_nothing_leaks", every_allocation);
