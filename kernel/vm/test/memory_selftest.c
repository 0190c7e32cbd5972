// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of memory in the booted kernel that need more than one address space: shootdown across processors,
// exhaustion of all pages, copies between a mapping and its own object, kernel stacks.

#include "borrow.h"

#include <arch/context.h>
#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/kspace.h>
#include <kernel/sched.h>
#include <kernel/selftest_threads.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define AT ((vaddr_t)0x20000000)

// --- shootdown -------------------------------------------------------------------------------------------------------

#define ROUNDS             60
#define ROUNDS_LEAST       4
#define READS_BEFORE_YIELD 64
#define PATTERN            0x600d0000u

struct reader {
    struct aspace *as;
    atomic_bool stop;
    atomic_uint running, reads, wrong;
};

// Reads the word all the time: it faults, is zero, or has the pattern; anything else is somebody else's page.
static void reader_entry(void *arg) {
    struct reader *r = arg;
    struct borrow b;
    uint32_t value;

    borrow_begin(&b, r->as);
    while (!atomic_load(&r->stop)) {
        if (arch_user_load32((const uint32_t user_ptr *)AT, &value) != INV_OK)
            sched_yield(); // nothing is mapped: the lock and the processor are wanted elsewhere
        else if (value != 0 && (value & 0xffff0000u) != PATTERN)
            atomic_fetch_add(&r->wrong, 1);
        if (atomic_fetch_add(&r->reads, 1) % READS_BEFORE_YIELD == 0)
            sched_yield(); // on a machine with one processor the remover is waiting for it
        arch_pause();
    }
    borrow_end(&b);
    atomic_fetch_sub(&r->running, 1);
}

// Maps, writes, lets the others read, unmaps, and fills the pages that come free with another pattern.
static bool remap_rounds(struct reader *r) {
    nstime_t end = deadline_after(SELFTEST_BUDGET);

    for (unsigned round = 0; round < ROUNDS && (round < ROUNDS_LEAST || clock_monotonic() < end); round++) {
        SELFTEST_CHECK(map_rw(r->as, AT, 4 * PAGE_SIZE, NULL, 0) == INV_OK && word_write(r->as, AT, PATTERN + round));
        unsigned before = atomic_load(&r->reads);
        for (unsigned spin = 0; spin < 300 && atomic_load(&r->reads) - before < 4; spin++)
            arch_pause();
        SELFTEST_CHECK(round % 2 ? aspace_unmap(r->as, AT, 4 * PAGE_SIZE) == INV_OK
                                 : aspace_discard(r->as, AT, 4 * PAGE_SIZE) == INV_OK);
        struct page *p = page_alloc(0, 0, PAGE_KERNEL, NULL);
        SELFTEST_CHECK(p);
        memset(page_to_virt(p), 0xee, PAGE_SIZE);
        page_put(p);
    }
    return true;
}

static bool shootdown(void) {
    struct reader r = {0};

    SELFTEST_CHECK(aspace_create(&root_job, &r.as) == INV_OK);
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        struct thread *t;
        cpuset_t set = {0};
        if (!cpuset_has(&cpu_online, cpu))
            continue;
        SELFTEST_CHECK(thread_create_kernel(reader_entry, &r, "reader", PRIORITY_FAIR, &t) == INV_OK);
        cpuset_add(&set, cpu);
        SELFTEST_CHECK(sched_set_affinity(t, &set) == INV_OK);
        atomic_fetch_add(&r.running, 1);
        thread_start(t);
        object_put(&t->obj);
    }
    bool ok = remap_rounds(&r);
    atomic_store(&r.stop, true);
    while (atomic_load(&r.running) > 0)
        sched_yield();
    aspace_put(r.as);
    SELFTEST_CHECK(atomic_load(&r.wrong) == 0);
    return ok;
}
SELFTEST("vm/unmapped_pages_are_seen_by_no_processor", shootdown);

// --- exhaustion ------------------------------------------------------------------------------------------------------

static bool exhaustion(void) {
    struct page *list = NULL, *p;
    uint64_t taken = 0;

    while ((p = page_alloc(0, PAGE_USER, PAGE_ANONYMOUS, NULL))) {
        *(struct page **)page_to_virt(p) = list;
        list = p;
        taken++;
    }
    void *kernel = kmalloc(100);
    struct page *single = page_alloc(0, 0, PAGE_KERNEL, NULL), *atomic = page_alloc(0, PAGE_ATOMIC, PAGE_KERNEL, NULL);
    struct page *block = page_alloc(PAGE_MAX_ORDER, PAGE_USER, PAGE_KERNEL, NULL);
    bool ok = kernel && single && atomic && !block && taken > 100;
    kfree(kernel);
    if (single)
        page_put(single);
    if (atomic)
        page_put(atomic);
    while ((p = list)) {
        list = *(struct page **)page_to_virt(p);
        page_put(p);
    }
    SELFTEST_CHECK(ok);
    block = page_alloc(PAGE_MAX_ORDER, 0, PAGE_KERNEL, NULL);
    SELFTEST_CHECK(block); // all merged again
    page_put(block);
    return true;
}
SELFTEST("vm/user_memory_fails_before_the_kernel_does", exhaustion);

// Pages given back as zeros are zeros again, whoever gets them, also when there are more of them than are kept apart.
static bool zeroed_pages(void) {
    static struct page *page[40];

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(page); i++) {
            page[i] = page_alloc(0, round == 1 && i % 2 ? 0 : PAGE_ZERO, PAGE_KERNEL, NULL);
            SELFTEST_CHECK(page[i]);
            uint64_t *word = page_to_virt(page[i]);
            for (size_t w = 0; (round != 1 || i % 2 == 0) && w < PAGE_SIZE / sizeof(*word); w++)
                SELFTEST_CHECK(word[w] == 0);
            memset(word, 0x77, PAGE_SIZE);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(page); i++) {
            memset(page_to_virt(page[i]), 0, PAGE_SIZE);
            page_put_zeroed(page[i]);
        }
    }
    struct page *block = page_alloc(4, PAGE_ZERO, PAGE_KERNEL, NULL);
    SELFTEST_CHECK(block);
    page_put(block);
    return true;
}
SELFTEST("vm/zeroed_pages_are_zeros_to_whoever_gets_them", zeroed_pages);

// --- copies, stacks, small memory ------------------------------------------------------------------------------------

static bool copy_to_itself(void) {
    struct aspace *as;
    struct vmo *v;
    struct borrow b;
    size_t done;
    char text[16];

    SELFTEST_CHECK(aspace_create(&root_job, &as) == INV_OK && vmo_create(&root_job, 8 * PAGE_SIZE, &v) == INV_OK);
    SELFTEST_CHECK(map_rw(as, AT, 8 * PAGE_SIZE, v, MAPPING_SHARED) == INV_OK);
    SELFTEST_CHECK(vmo_write(v, 100, "hello", 6, &done) == INV_OK);
    borrow_begin(&b, as);
    inv_status_t out = vmo_read_user(v, 100, (void user_ptr *)(AT + 2 * PAGE_SIZE - 3), 6, &done); // over a page's end
    inv_status_t in = vmo_write_user(v, 5 * PAGE_SIZE, (const void user_ptr *)(AT + PAGE_SIZE), 2 * PAGE_SIZE, &done);
    borrow_end(&b);
    SELFTEST_CHECK(out == INV_OK && in == INV_OK && done == 2 * PAGE_SIZE);
    SELFTEST_CHECK(vmo_read(v, 6 * PAGE_SIZE - 3, text, 6, &done) == INV_OK && memcmp(text, "hello", 6) == 0);
    borrow_begin(&b, as);
    out = vmo_read_user(v, 0, (void user_ptr *)(AT + 8 * PAGE_SIZE - 10), 100, &done); // runs out of the mapping
    borrow_end(&b);
    SELFTEST_CHECK(out == INV_ERR_FAULT && done == 10);
    aspace_put(as);
    vmo_put(v);
    return true;
}
SELFTEST("vm/copies_between_an_object_and_its_own_mapping", copy_to_itself);

// Moves until its budget is used up, and counts; fills what it is given.
struct limited_mover {
    size_t moved, zeros, budget;
};

static size_t move_limited(void *context, void *page, size_t n) {
    struct limited_mover *m = context;
    size_t now = MIN(n, m->budget);

    m->budget -= now;
    m->moved += now;
    if (page && now > 0)
        memset(page, 0x5a, now);
    else if (!page)
        m->zeros += now;
    return n - now;
}

static bool copy_over_holes(void) {
    static char text[20 * PAGE_SIZE];
    struct limited_mover m = {.budget = 3 * PAGE_SIZE + 10};
    struct vmo *v;
    size_t done;

    SELFTEST_CHECK(vmo_create(&root_job, 20 * PAGE_SIZE, &v) == INV_OK);
    for (unsigned i = 0; i < 20; i += 3) // more than one look-up's worth, with holes between
        SELFTEST_CHECK(vmo_write(v, i * PAGE_SIZE + 7, "x", 1, &done) == INV_OK && done == 1);
    memset(text, 1, sizeof(text));
    SELFTEST_CHECK(vmo_read(v, 5, text, sizeof(text), &done) == INV_OK && done == sizeof(text) - 5);
    for (size_t i = 0; i < done; i++)
        SELFTEST_CHECK(text[i] == ((i + 5) % (3 * PAGE_SIZE) == 7 ? 'x' : 0));
    // A write that ends early has written what it said, and the rest of its last page is zeros.
    SELFTEST_CHECK(vmo_write_by(v, 3 * PAGE_SIZE, 9 * PAGE_SIZE, move_limited, &m, &done) == INV_ERR_FAULT);
    SELFTEST_CHECK(done == 3 * PAGE_SIZE + 10 && m.moved == done);
    SELFTEST_CHECK(vmo_read(v, 3 * PAGE_SIZE, text, 4 * PAGE_SIZE, &done) == INV_OK);
    for (size_t i = 0; i < done; i++)
        SELFTEST_CHECK(text[i] == (i < 3 * PAGE_SIZE + 10 ? 0x5a : 0));
    // Holes are told as such.
    m = (struct limited_mover){.budget = SIZE_MAX};
    SELFTEST_CHECK(vmo_read_by(v, 7 * PAGE_SIZE, 2 * PAGE_SIZE, move_limited, &m, &done) == INV_OK);
    SELFTEST_CHECK(m.moved == 2 * PAGE_SIZE && m.zeros == 2 * PAGE_SIZE);
    SELFTEST_CHECK(vmo_read_by(v, 20 * PAGE_SIZE, 1, move_limited, &m, &done) == INV_OK && done == 0);
    vmo_put(v);
    return true;
}
SELFTEST("vm/copies_over_holes_and_ends_early", copy_over_holes);

static bool stacks(void) {
    char *stack[40];

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 40; i++) {
            SELFTEST_CHECK((stack[i] = kstack_alloc(&root_job)));
            memset(stack[i] + 64, 0x11, KERNEL_STACK_SIZE - 64);
            SELFTEST_CHECK(kspace_is_guard((vaddr_t)stack[i] - 1) && !kspace_is_guard((vaddr_t)stack[i]));
        }
        for (unsigned i = 0; i < 40; i++)
            kstack_free(stack[i]);
    }
    char *area = kspace_alloc(100 * PAGE_SIZE, PAGE_KERNEL, NULL);
    SELFTEST_CHECK(area && area[0] == 0 && area[100 * PAGE_SIZE - 1] == 0);
    kspace_free(area);
    return true;
}
SELFTEST("vm/kernel_stacks_come_and_go_with_guards", stacks);

static bool small_memory(void) {
    static char *object[600];

    for (unsigned i = 0; i < 600; i++) {
        size_t size = (i * 37) % 5000 + 1;
        SELFTEST_CHECK((object[i] = kmalloc(size)));
        SELFTEST_CHECK(IS_ALIGNED((uintptr_t)object[i], 16));
        SELFTEST_CHECK((size & (size - 1)) || size < 16 || IS_ALIGNED((uintptr_t)object[i], size));
        memset(object[i], (int)i, size);
    }
    for (unsigned i = 0; i < 600; i++) {
        size_t size = (i * 37) % 5000 + 1;
        SELFTEST_CHECK(object[i][0] == (char)i && object[i][size - 1] == (char)i);
        kfree(object[i]);
    }
    SELFTEST_CHECK(!kmalloc(MIB(64)));
    return true;
}
SELFTEST("vm/kmalloc_of_all_sizes_is_aligned_and_apart", small_memory);

// Few objects a slab, and all processors take them at once: none may find the slab that it added empty and give up.
struct slab_rush {
    _Atomic unsigned running, failed;
};

static void slab_rush_entry(void *arg) {
    enum { OBJECTS = 600, RUSHES = 40, SIZE = 256 }; // one magazine takes a whole slab of this size
    struct slab_rush *r = arg;
    void **object = kmalloc(OBJECTS * sizeof(*object));

    for (unsigned round = 0; object && round < RUSHES; round++) {
        for (unsigned i = 0; i < OBJECTS; i++) {
            object[i] = kmalloc(SIZE);
            if (!object[i])
                atomic_fetch_add(&r->failed, 1);
        }
        for (unsigned i = 0; i < OBJECTS; i++)
            kfree(object[i]);
    }
    kfree(object);
    atomic_fetch_sub(&r->running, 1);
}

static bool slab_rush(void) {
    static struct slab_rush r;

    for (unsigned n = 0; n < 2 * cpu_count; n++) {
        struct thread *t;
        SELFTEST_CHECK(thread_create_kernel(slab_rush_entry, &r, "rush", PRIORITY_FAIR, &t) == INV_OK);
        atomic_fetch_add(&r.running, 1);
        thread_start(t);
        object_put(&t->obj);
    }
    while (atomic_load(&r.running) > 0)
        sched_yield();
    SELFTEST_CHECK(atomic_load(&r.failed) == 0);
    return true;
}
SELFTEST("vm/all_processors_at_one_cache_find_memory", slab_rush);
