// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory by owner: see kernel/memory.h and docs/memory-accounting.md. What boot took is known by its bounds, all else by the state that each page was
// allocated with, which page.c counts. No lock is taken: thread context, and the debugger.
//
// Invariants:
//  I1. (while nothing is allocated) the owners and what the allocator has free are all of the machine's memory. The self-test looks at it.

#include <kernel/boot.h>
#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/memory.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/vmo.h>

#define LARGEST 10 // slab caches that are shown

#define PAGE_KIB (PAGE_SIZE / 1024)

struct owner {
    const char *name;
    uint64_t kib;
};

// Owners by page state, in the order of enum page_state.
static const char *const state_owners[PAGE_STATE_COUNT] = {
    [PAGE_KERNEL] = "other",
    [PAGE_SLAB] = "slab",
    [PAGE_TABLE] = "page_tables_user",
    [PAGE_TABLE_KERNEL] = "page_tables_kernel",
    [PAGE_STACK] = "kernel_stacks",
    [PAGE_PROCESSOR] = "processors",
    [PAGE_ANONYMOUS] = "anonymous",
    [PAGE_FILE] = "files",
    [PAGE_PIPE] = "pipes",
    [PAGE_LOG] = "log",
    [PAGE_TRACE] = "trace",
};
#define BOOT_OWNERS 8
#define OWNERS      (BOOT_OWNERS + PAGE_STATE_COUNT - PAGE_KERNEL)

// Everything but "free". Returns how many there are.
static unsigned owners_collect(struct owner out[OWNERS], const struct page_stats *stats,
                               const struct page_boot_use *boot) {
    // Whole KiB, so that the parts of the image are the image.
    uint64_t text = boot_info.text_bytes / 1024, rodata = boot_info.rodata_bytes / 1024;
    uint64_t data = (boot_info.data_bytes + 1023) / 1024;
    unsigned n = 0;

    out[n++] = (struct owner){"kernel_text", text};
    out[n++] = (struct owner){"kernel_rodata", rodata};
    out[n++] = (struct owner){"kernel_data", data};
    out[n++] = (struct owner){"kernel_bss", boot->image / 1024 - text - rodata - data};
    out[n++] = (struct owner){"page_array", boot->array / 1024};
    out[n++] = (struct owner){"low_memory", boot->low / 1024};
    out[n++] = (struct owner){"unused", boot->ignored / 1024};
    out[n++] = (struct owner){"boot_archive", boot->archive / 1024};
    for (unsigned s = PAGE_KERNEL; s < PAGE_STATE_COUNT; s++) {
        uint64_t made_at_boot = s == PAGE_TABLE_KERNEL ? boot->tables / 1024 : 0;
        out[n++] = (struct owner){state_owners[s], stats->in_use[s] * PAGE_KIB + made_at_boot};
    }
    return n;
}

// --- the largest slab caches -----------------------------------------------------------------------------------------

struct largest {
    const struct slab_cache *cache[LARGEST];
    uint64_t kib[LARGEST];
};

static void largest_insert(struct slab_cache *c, void *arg) {
    struct largest *l = arg;
    uint64_t kib = atomic_load_explicit(&c->slabs, memory_order_relaxed) * (PAGE_KIB << c->order);
    unsigned i = LARGEST;

    while (i > 0 && kib > l->kib[i - 1]) {
        if (i < LARGEST) {
            l->kib[i] = l->kib[i - 1];
            l->cache[i] = l->cache[i - 1];
        }
        i--;
    }
    if (i < LARGEST) {
        l->kib[i] = kib;
        l->cache[i] = c;
    }
}

static void slab_parts(void (*fn)(const char *owner, uint64_t kib, void *arg), void *arg) {
    struct largest l = {0};
    char name[48];

    slab_for_each(largest_insert, &l);
    for (unsigned i = 0; i < LARGEST && l.cache[i]; i++) {
        snprintf(name, sizeof(name), "slab.%s", l.cache[i]->name);
        fn(name, l.kib[i], arg);
    }
}

void memory_for_each_owner(void (*fn)(const char *owner, uint64_t kib, void *arg), void *arg) {
    struct page_stats stats;
    struct page_boot_use boot;
    struct owner owners[OWNERS];
    uint64_t used = 0;

    page_get_stats(&stats);
    page_get_boot_use(&boot);
    unsigned n = owners_collect(owners, &stats, &boot);
    for (unsigned i = 0; i < n; i++) {
        used += owners[i].kib;
        fn(owners[i].name, owners[i].kib, arg);
    }
    fn("free", boot.ram / 1024 - MIN(used, boot.ram / 1024), arg); // what moves meanwhile may be seen twice
    fn("total", boot.ram / 1024, arg);
    slab_parts(fn, arg);
}

// --- self-test -------------------------------------------------------------------------------------------------------

// What the owners and the allocator's own count of free pages make together, less the total. Pages in flight on other processors make it differ for a
// moment, so several looks are taken.
static bool owners_are_all(void) {
    struct page_stats stats;
    struct page_boot_use boot;
    static struct owner owners[OWNERS]; // tests run one at a time

    for (unsigned tries = 0; tries < 1000; tries++) {
        page_get_stats(&stats);
        page_get_boot_use(&boot);
        uint64_t sum = stats.free * PAGE_KIB;
        for (unsigned i = owners_collect(owners, &stats, &boot); i-- > 0;)
            sum += owners[i].kib;
        if (sum == boot.ram / 1024)
            return true;
        sched_yield();
    }
    return false;
}

static bool load_and_look(void **block, struct vmo *v) {
    struct page_stats before, during, after;
    char byte = 1;
    size_t done;

    SELFTEST_CHECK(owners_are_all());
    page_get_stats(&before);
    for (unsigned i = 0; i < 50; i++) {
        SELFTEST_CHECK((block[i] = kmalloc(8192)) != NULL);
        SELFTEST_CHECK(vmo_write(v, i * PAGE_SIZE, &byte, 1, &done) == INV_OK && done == 1);
    }
    page_get_stats(&during);
    SELFTEST_CHECK(during.in_use[PAGE_KERNEL] >= before.in_use[PAGE_KERNEL] + 100);
    SELFTEST_CHECK(during.in_use[PAGE_FILE] == before.in_use[PAGE_FILE] + 50);
    SELFTEST_CHECK(owners_are_all());
    for (unsigned i = 0; i < 50; i++)
        kfree(block[i]);
    SELFTEST_CHECK(vmo_resize(v, 0) == INV_OK);
    page_get_stats(&after);
    SELFTEST_CHECK(after.in_use[PAGE_FILE] == before.in_use[PAGE_FILE]);
    SELFTEST_CHECK(owners_are_all());
    return true;
}

static bool owners_and_free_pages_are_all_memory(void) {
    static void *block[50];
    struct vmo *v;

    SELFTEST_CHECK(vmo_create(&root_job, 50 * PAGE_SIZE, &v) == INV_OK);
    v->page_state = PAGE_FILE;
    bool ok = load_and_look(block, v);
    vmo_put(v);
    return ok;
}
SELFTEST("vm/owners_and_free_pages_are_all_memory", owners_and_free_pages_are_all_memory);
