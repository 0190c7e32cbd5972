// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of the event counters: an operation moves its counter by exactly what kernel/counters.h says. Those of forks, execs and system calls, which need
// programs, are in tests/command; those of ports and the interrupt controller in kernel/arch.
//
// Where other threads could count as well, this processor's own count is read with interrupts off. What cannot be done with interrupts off is tried
// several times: an interrupt in between can only add, so one exact try proves it.

#include "borrow.h"

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/mmio.h>
#include <kernel/sched.h>
#include <kernel/selftest_threads.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "../shootdown.h"

#define AT         ((vaddr_t)0x10000000)
#define TRIES      20
#define here(name) atomic_load_explicit(&this_cpu()->counters.name, memory_order_relaxed)

// Whether read() grows by expected over action(arg), in at least one of several tries.
static bool moves_by(uint64_t (*read)(void), void (*action)(void *arg), void *arg, uint64_t expected) {
    for (unsigned i = 0; i < TRIES; i++) {
        preempt_disable();
        uint64_t before = read();
        action(arg);
        uint64_t after = read();
        preempt_enable();
        if (after - before == expected)
            return true;
    }
    return false;
}

static uint64_t ipis_here(void) {
    return here(ipis);
}
static uint64_t flushes_asked_here(void) {
    return here(tlb_flush_remote);
}
static uint64_t flushes_everywhere(void) {
    return counter_read(tlb_flush_local);
}
static uint64_t interrupts_everywhere(void) {
    return counter_read(interrupts);
}
static void flush_kernel(void *unused) {
    tlb_flush_kernel();
}
static void nothing(void *unused) {}
static void call_others(void *unused) {
    cpu_call(NULL, nothing, NULL);
}

static bool flushes_and_messages_are_counted_by_target(void) {
    unsigned others = cpuset_count(&cpu_online) - 1;

    SELFTEST_CHECK(moves_by(ipis_here, call_others, NULL, others));
    SELFTEST_CHECK(moves_by(interrupts_everywhere, call_others, NULL, others));
    SELFTEST_CHECK(moves_by(ipis_here, flush_kernel, NULL, others));
    SELFTEST_CHECK(moves_by(flushes_asked_here, flush_kernel, NULL, others));
    SELFTEST_CHECK(moves_by(flushes_everywhere, flush_kernel, NULL, others + 1));
    return true;
}
SELFTEST("counters/flushes_and_messages_are_counted_by_target", flushes_and_messages_are_counted_by_target);

static bool local_flushes_are_counted_one_by_one(void) {
    irq_flags_t irq = arch_irq_save();
    uint64_t before = here(tlb_flush_local), switches = here(aspace_switches);

    arch_tlb_flush_page(AT);
    arch_tlb_flush_page(AT);
    arch_tlb_flush_user();
    arch_tlb_flush_all();
    uint64_t after = here(tlb_flush_local), switched = here(aspace_switches);
    arch_irq_restore(irq);
    SELFTEST_CHECK(after == before + 4);
    SELFTEST_CHECK(switched == switches);
    return true;
}
SELFTEST("counters/local_flushes_are_counted_one_by_one", local_flushes_are_counted_one_by_one);

static bool switches_body(struct aspace *one, struct aspace *two) {
    irq_flags_t irq = arch_irq_save();
    uint64_t before = here(aspace_switches);

    aspace_switch(this_cpu()->aspace, one);
    uint64_t first = here(aspace_switches);
    aspace_switch(one, one);
    aspace_switch(one, NULL); // kept lazily
    aspace_switch(one, one);
    uint64_t same = here(aspace_switches);
    aspace_switch(one, two);
    aspace_switch(two, one);
    uint64_t both = here(aspace_switches);
    aspace_switch(one, NULL);
    arch_irq_restore(irq);
    SELFTEST_CHECK(first == before + 1);
    SELFTEST_CHECK(same == first);
    SELFTEST_CHECK(both == same + 2);
    return true;
}

static bool loads_of_another_table_are_counted(void) {
    struct aspace *one, *two;

    SELFTEST_CHECK(aspace_create(&root_job, &one) == INV_OK);
    SELFTEST_CHECK(aspace_create(&root_job, &two) == INV_OK);
    bool ok = switches_body(one, two);
    aspace_put(one);
    aspace_put(two);
    return ok;
}
SELFTEST("counters/loads_of_another_table_are_counted", loads_of_another_table_are_counted);

// Only this thread runs in user memory during self-tests.
static bool faults_body(struct aspace *as) {
    uint64_t before = counter_read(faults);

    for (unsigned i = 0; i < 5; i++)
        SELFTEST_CHECK(word_write(as, AT + i * PAGE_SIZE, 1));
    SELFTEST_CHECK(counter_read(faults) == before + 5);
    SELFTEST_CHECK(word_write(as, AT, 2));
    SELFTEST_CHECK(counter_read(faults) == before + 5);
    SELFTEST_CHECK(word_faults(as, AT + 5 * PAGE_SIZE));
    SELFTEST_CHECK(counter_read(faults) == before + 6);
    return true;
}

static bool page_faults_are_counted_once(void) {
    struct aspace *as;

    SELFTEST_CHECK(aspace_create(&root_job, &as) == INV_OK);
    bool ok = map_rw(as, AT, 5 * PAGE_SIZE, NULL, 0) == INV_OK && faults_body(as);
    aspace_put(as);
    return ok;
}
SELFTEST("counters/page_faults_are_counted_once", page_faults_are_counted_once);

static bool copies_of_objects(struct vmo *v, char *buffer) {
    uint64_t before = counter_read(bytes_copied);
    size_t done;

    SELFTEST_CHECK(vmo_write(v, 100, buffer, 5000, &done) == INV_OK && done == 5000);
    SELFTEST_CHECK(counter_read(bytes_copied) == before + 5000);
    SELFTEST_CHECK(vmo_read(v, 0, buffer, 5000, &done) == INV_OK && done == 5000);
    SELFTEST_CHECK(counter_read(bytes_copied) == before + 10000);
    SELFTEST_CHECK(vmo_read(v, 2 * PAGE_SIZE, buffer, 4096, &done) == INV_OK && done == 4096); // a hole: zeros
    SELFTEST_CHECK(counter_read(bytes_copied) == before + 10000);
    return true;
}

static bool copies_of_pages(struct vmo *v) {
    struct vmo *clone;
    struct page *page;

    SELFTEST_CHECK(vmo_clone(v, 0, 4 * PAGE_SIZE, &root_job, &clone) == INV_OK);
    uint64_t before = counter_read(bytes_copied);
    bool ok = vmo_get_page(clone, 0, true, &page) == INV_OK && counter_read(bytes_copied) == before + PAGE_SIZE;
    page_put(page);
    ok = ok && vmo_get_page(clone, 3, true, &page) == INV_OK && counter_read(bytes_copied) == before + PAGE_SIZE;
    page_put(page);
    vmo_put(clone);
    SELFTEST_CHECK(ok); // the first was shared, the last is new
    return true;
}

static bool copies_of_users(struct aspace *as, char *buffer) {
    struct borrow b;
    size_t length = 0, done = 0;

    SELFTEST_CHECK(map_rw(as, AT, PAGE_SIZE, NULL, 0) == INV_OK);
    memset(buffer, 'x', 200);
    buffer[99] = '\0';
    uint64_t before = counter_read(bytes_copied);
    borrow_begin(&b, as);
    bool ok = arch_copy_to_user((void user_ptr *)AT, buffer, 200) == INV_OK &&
              arch_copy_from_user(buffer, (const void user_ptr *)AT, 50) == INV_OK &&
              arch_string_from_user(buffer, (const char user_ptr *)AT, 200, &length) == INV_OK && length == 99 &&
              arch_zero_user((void user_ptr *)AT, 30) == INV_OK;
    borrow_end(&b);
    SELFTEST_CHECK(ok && counter_read(bytes_copied) == before + 200 + 50 + 100);
    SELFTEST_CHECK(aspace_access(as, AT, buffer, 70, false, &done) == INV_OK);
    SELFTEST_CHECK(counter_read(bytes_copied) == before + 420);
    return true;
}

static bool copied_bytes_are_counted_once(void) {
    char *buffer = kmalloc(2 * PAGE_SIZE);
    struct aspace *as;
    struct vmo *v;

    SELFTEST_CHECK(buffer && vmo_create(&root_job, 4 * PAGE_SIZE, &v) == INV_OK);
    SELFTEST_CHECK(aspace_create(&root_job, &as) == INV_OK);
    bool ok = copies_of_objects(v, buffer) && copies_of_pages(v) && copies_of_users(as, buffer);
    aspace_put(as);
    vmo_put(v);
    kfree(buffer);
    return ok;
}
SELFTEST("counters/copied_bytes_are_counted_once", copied_bytes_are_counted_once);

static bool register_accesses_are_exits(void) {
    uint64_t word = 0;
    irq_flags_t irq = arch_irq_save();
    uint64_t before = here(exits);

    mmio_write32(&word, 0, 1);
    mmio_write32(&word, 4, 2);
    uint64_t seen = mmio_read64(&word, 0);
    uint64_t after = here(exits);
    arch_irq_restore(irq);
    SELFTEST_CHECK(seen == (2ull << 32 | 1) && after == before + 3);
    return true;
}
SELFTEST("counters/register_accesses_are_exits", register_accesses_are_exits);

static void one_after_the_other(void *unused) {
    thread_exit();
}

static bool switches_between_threads_are_counted(void) {
    unsigned cpu = selftest_cpu(0);
    uint64_t least = UINT64_MAX;

    // Two switches at least: to the thread and away from it. Others' threads may add some, not in every try.
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before = counter_read(context_switches);
        SELFTEST_CHECK(selftest_join(selftest_thread(one_after_the_other, NULL, PRIORITY_FAIR, cpu)));
        least = MIN(least, counter_read(context_switches) - before);
    }
    SELFTEST_CHECK(least >= 2 && least <= 12);
    return true;
}
SELFTEST("counters/switches_between_threads_are_counted", switches_between_threads_are_counted);

// An interrupt that is taken while the processor is busy, or with others, needs fewer exits than one of its own.
static bool idle_waits_are_exits_and_interrupts(void) {
    bool seen = false;

    for (unsigned i = 0; i < TRIES && !seen; i++) {
        uint64_t exits = counter_read(exits), interrupts = counter_read(interrupts);
        selftest_sleep(NSEC_PER_MSEC);
        SELFTEST_CHECK(counter_read(interrupts) > interrupts);
        SELFTEST_CHECK(counter_read(exits) > exits);
        seen = counter_read(exits) >= exits + 3; // the timer is set, the processor halts, the interrupt is ended
    }
    SELFTEST_CHECK(seen);
    return true;
}
SELFTEST("counters/idle_waits_are_exits_and_interrupts", idle_waits_are_exits_and_interrupts);
