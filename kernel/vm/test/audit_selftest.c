// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-test of the TLB audit itself (debug builds): a page that two address spaces unmap at the same time is remembered
// with the flush of one of them, never with the number of one and the name of the other.

#include "../shootdown.h"
#include "borrow.h"

#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/sched.h>
#include <kernel/selftest_threads.h>
#include <kernel/time.h>

struct unmapping {
    struct aspace *as[2];
    struct page *page;
    atomic_bool go, stop;
};

// Removes an entry for the page from one and the other address space again and again.
static void unmap_entry(void *arg) {
    struct unmapping *u = arg;

    while (!atomic_load(&u->go))
        sched_yield();
    for (unsigned i = 0; !atomic_load(&u->stop); i++)
        tlb_audit_unmap(u->as[i % 2], page_to_phys(u->page));
}

// Audits the page all the time, on a processor that has as[0] loaded with more flushes done than its records need. One
// with the number of as[1] would be a panic.
static void audit_rounds(struct unmapping *u) {
    nstime_t end = deadline_after(50 * NSEC_PER_MSEC);
    struct borrow b;

    preempt_disable(); // so that it stays loaded
    atomic_store(&u->as[0]->flush_seq, 2);
    borrow_begin(&b, u->as[0]);
    atomic_store(&u->as[0]->flush_seq, 0);
    atomic_store(&u->as[1]->flush_seq, 832);
    atomic_store(&u->go, true);
    while (clock_monotonic() < end)
        for (unsigned i = 0; i < 256; i++)
            tlb_audit_reuse(u->page);
    atomic_store(&u->stop, true);
    borrow_end(&b);
    preempt_enable();
}

static bool audit_of_two(void) {
    struct unmapping u = {.page = page_alloc(0, 0, PAGE_KERNEL, NULL)};
    unsigned here = arch_cpu_id();

    SELFTEST_CHECK(u.page && aspace_create(&root_job, &u.as[0]) == INV_OK);
    SELFTEST_CHECK(aspace_create(&root_job, &u.as[1]) == INV_OK);
    struct thread *first = selftest_thread(unmap_entry, &u, PRIORITY_FAIR, selftest_cpu(here + 1));
    struct thread *second = selftest_thread(unmap_entry, &u, PRIORITY_FAIR, selftest_cpu(here + 2));
    audit_rounds(&u);
    bool joined = selftest_join_all(first, second);
    aspace_put(u.as[0]); // no processor has it loaded from here on
    aspace_put(u.as[1]);
    page_put(u.page);
    SELFTEST_CHECK(joined);
    return true;
}
SELFTEST("vm/a_page_unmapped_by_two_is_audited_for_one_of_them", audit_of_two);
