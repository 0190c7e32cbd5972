// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The page allocator: pages and blocks for all of the kernel, in any context but under locks of rank PAGE_ALLOCATOR and
// above. Single pages come from a cache of the processor, which is filled from and emptied into the buddy system
// (page_buddy.c) in batches; blocks come from the buddy system itself. A few pages that were given back as zeros (page
// tables, whose few entries were cleared one by one) are kept apart for the next who wants zeros.
//
// Three classes of callers share the memory. User memory (PAGE_USER) fails while reserve_user pages are left, the
// kernel while reserve_kernel are left, PAGE_ATOMIC takes all: so user exhaustion always leaves the kernel room to
// answer, and the kernel's leaves interrupt handlers some. While free pages are short a cache is filled one page at a
// time, so that no class gets at another's reserve through a cache.
//
// Invariants:
//  I1. A page's count is 0 while it is free or cached, and > 0 while anyone may look at it.
//  I2. A page with a job was charged to it by page_alloc and is uncharged once, when its count falls to 0.
//  I3. (debug) Free pages hold the poison; no processor has a user translation to a page that is handed out
//      (shootdown.c).
// Locking: page_lock (rank PAGE_ALLOCATOR, interrupts off) guards the buddy system; a cache belongs to its processor,
// interrupts off.

#include "page_buddy.h"
#include "page_check.h"

#include <arch/cpu.h>
#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/job.h>
#include <kernel/kasan.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/string.h>
#include <kernel/trace.h>

#define ZEROED_LIMIT 16 // pages a processor

struct page_cache_cpu {
    /* this processor, interrupts off: */
    struct page *head;   // linked through next_cached
    struct page *zeroed; // the same; their contents are zeros
    unsigned count, zeroed_count;
    // Pages allocated less pages freed here, by state; summed over processors by page_get_stats.
    int64_t in_use[PAGE_STATE_COUNT];
} aligned_to(ARCH_CACHE_LINE);

static struct page_cache_cpu caches[CONFIG_MAX_CPUS];
static struct spinlock page_lock = SPINLOCK_INIT(LOCK_RANK_PAGE_ALLOCATOR);
/* page_lock: */
static struct buddy buddy;
static uint64_t total_pages;
/* immutable after page_init: */
static uint64_t reserve_user, reserve_kernel;
static unsigned cache_limit, cache_batch;
struct page *page_zero;
static struct page_boot_use boot_use;
/* boot thread: */
static struct { paddr_t next, end; } archive; // whole pages of the boot archive that are not freed yet

static uint64_t reserve_for(unsigned flags) {
    return flags & PAGE_ATOMIC ? 0 : flags & PAGE_USER ? reserve_user : reserve_kernel;
}

// Interrupts off, the cache is empty. Leaves up to a batch in it and returns the first of them, or NULL.
static struct page *cache_fill(struct page_cache_cpu *c, unsigned flags) {
    irq_flags_t irq = spin_lock_irq(&page_lock);
    unsigned batch = buddy.free_pages > 2 * reserve_user + cache_batch ? cache_batch : 1;

    if (buddy.free_pages > reserve_for(flags)) {
        for (; batch > 0; batch--) {
            struct page *p = buddy_take(&buddy, 0);
            if (!p)
                break;
            p->state = PAGE_RESERVED;
            p->next_cached = c->head;
            c->head = p;
            c->count++;
        }
    }
    spin_unlock_irq(&page_lock, irq);
    return c->head;
}

// Interrupts off; there is one.
static struct page *zeroed_pop(struct page_cache_cpu *c) {
    struct page *p = c->zeroed;

    c->zeroed = p->next_cached;
    c->zeroed_count--;
    return p;
}

// Interrupts off. Gives pages back until keep are left; none of the zeroed ones if that is none.
static void cache_drain(struct page_cache_cpu *c, unsigned keep) {
    irq_flags_t irq = spin_lock_irq(&page_lock);

    while (c->count > keep) {
        struct page *p = c->head;
        c->head = p->next_cached;
        c->count--;
        buddy_give(&buddy, p, 0);
    }
    while (keep == 0 && c->zeroed) {
        struct page *p = zeroed_pop(c);
        page_check_unzero(p);
        buddy_give(&buddy, p, 0);
    }
    spin_unlock_irq(&page_lock, irq);
}

// *out_zeroed: its contents are zeros already.
static struct page *single_take(unsigned flags, enum page_state state, bool *out_zeroed) {
    irq_flags_t irq = arch_irq_save();
    struct page_cache_cpu *c = &caches[arch_cpu_id()];
    bool zeroed = c->zeroed && (flags & PAGE_ZERO);
    struct page *p = zeroed ? c->zeroed : c->head;

    if (unlikely(!p))
        p = cache_fill(c, flags);
    if (unlikely(!p)) {
        p = c->zeroed;
        zeroed = true;
    }
    if (likely(p)) {
        if (zeroed) {
            (void)zeroed_pop(c);
        } else {
            c->head = p->next_cached;
            c->count--;
        }
        c->in_use[state]++;
    }
    arch_irq_restore(irq);
    *out_zeroed = zeroed;
    return p;
}

static struct page *block_take_once(unsigned order, unsigned flags) {
    irq_flags_t irq = spin_lock_irq(&page_lock);
    struct page *p = NULL;

    if (buddy.free_pages >= reserve_for(flags) + ((uint64_t)1 << order))
        p = buddy_take(&buddy, order);
    if (p)
        p->state = PAGE_RESERVED;
    spin_unlock_irq(&page_lock, irq);
    return p;
}

static struct page *block_take(unsigned order, unsigned flags, enum page_state state) {
    struct page *p = block_take_once(order, flags);
    irq_flags_t irq = arch_irq_save();

    if (!p) { // this processor's cache may hold what is missing to merge
        cache_drain(&caches[arch_cpu_id()], 0);
        p = block_take_once(order, flags);
    }
    if (p)
        caches[arch_cpu_id()].in_use[state] += (int64_t)1 << order;
    arch_irq_restore(irq);
    return p;
}

struct page *page_alloc(unsigned order, unsigned flags, enum page_state state, struct job *job) {
    size_t size = PAGE_SIZE << order;
    bool zeroed = false;

    DEBUG_ASSERT(order <= PAGE_MAX_ORDER && state >= PAGE_KERNEL && state < PAGE_STATE_COUNT);
    if (page_check_inject())
        return NULL;
    if (job && job_charge(job, JOB_MEMORY, size) != INV_OK)
        return NULL;
    struct page *p = likely(order == 0) ? single_take(flags, state, &zeroed) : block_take(order, flags, state);
    if (unlikely(!p)) {
        if (job)
            job_uncharge(job, JOB_MEMORY, size);
        return NULL;
    }
    kasan_unpoison(page_to_virt(p), size);
    page_check_alloc(p, order);
    p->state = (uint8_t)state;
    p->order = (uint8_t)order;
    p->job = job;
    atomic_store_explicit(&p->unmap_flush, 0, memory_order_relaxed);
    atomic_store_explicit(&p->pins, 0, memory_order_relaxed);
    atomic_store_explicit(&p->count, 1, memory_order_relaxed);
    if ((flags & PAGE_ZERO) && !zeroed)
        memset(page_to_virt(p), 0, size);
    trace(page_alloc, order, page_to_phys(p), 0);
    return p;
}

void page_get(struct page *p) {
    uint32_t old = atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
    DEBUG_ASSERT(old > 0 && old < UINT32_MAX);
    (void)old;
}

// zeroed: its contents are zeros, and it is a single page.
static void page_free(struct page *p, bool zeroed) {
    unsigned order = p->order, state = p->state;

    trace(page_free, page_to_phys(p), 0, 0);
    if (state != PAGE_SLAB && p->job)
        job_uncharge(p->job, JOB_MEMORY, PAGE_SIZE << order);
    zeroed = zeroed &&
             caches[arch_cpu_id()].zeroed_count < ZEROED_LIMIT; // or some more, if another processor's is meant
    page_check_free(p, order, zeroed);
    kasan_poison(page_to_virt(p), PAGE_SIZE << order, KASAN_FREED);
    irq_flags_t irq = arch_irq_save();
    struct page_cache_cpu *c = &caches[arch_cpu_id()];
    c->in_use[state] -= (int64_t)1 << order;
    p->state = PAGE_RESERVED;
    if (zeroed) {
        p->next_cached = c->zeroed;
        c->zeroed = p;
        c->zeroed_count++;
    } else if (likely(order == 0)) {
        p->next_cached = c->head;
        c->head = p;
        if (unlikely(++c->count > cache_limit))
            cache_drain(c, cache_limit - cache_batch);
    } else {
        irq_flags_t inner = spin_lock_irq(&page_lock);
        buddy_give(&buddy, p, order);
        spin_unlock_irq(&page_lock, inner);
    }
    arch_irq_restore(irq);
}

void page_put(struct page *p) {
    // The last reference needs no atomic step: nobody else can take one.
    if (atomic_load_explicit(&p->count, memory_order_acquire) != 1) {
        uint32_t old = atomic_fetch_sub_explicit(&p->count, 1, memory_order_acq_rel);
        ASSERT(old != 0);
        if (old != 1)
            return;
    } else {
        atomic_store_explicit(&p->count, 0, memory_order_relaxed);
    }
    page_free(p, false);
}

void page_put_zeroed(struct page *p) {
    ASSERT(p->order == 0 && atomic_load_explicit(&p->count, memory_order_acquire) == 1);
    atomic_store_explicit(&p->count, 0, memory_order_relaxed);
    page_free(p, true);
}

// Free memory that was never used: nothing is known of its pages.
static bool block_untouched(paddr_t pa) {
    return page_at(ALIGN_DOWN(pa, PAGE_SIZE << PAGE_MAX_ORDER))->state == PAGE_UNTOUCHED;
}

struct page *page_from_phys(paddr_t pa) {
    uint64_t frame = pa >> PAGE_SHIFT;

    if (frame < page_array_base || frame - page_array_base >= page_array_length)
        return NULL;
    for (unsigned i = 0; i < boot_info.range_count; i++)
        if (boot_info.ranges[i].usable && pa >= boot_info.ranges[i].start && pa < boot_info.ranges[i].end)
            return block_untouched(pa) ? NULL : page_at(pa);
    return NULL;
}

void page_get_stats(struct page_stats *out) {
    *out = (struct page_stats){
        .total = total_pages + (archive.end - archive.next) / PAGE_SIZE,
        .free = buddy.free_pages,
        .reserve = reserve_user,
    };
    // A page may be allocated on one processor and freed on another: only the sums are counts. One that is freed where this has not looked yet, after it was
    // allocated where this has looked already, makes its sum too small, even less than none.
    int64_t sums[PAGE_STATE_COUNT] = {0};
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        out->free += caches[cpu].count + caches[cpu].zeroed_count;
        for (unsigned s = PAGE_KERNEL; s < PAGE_STATE_COUNT; s++)
            sums[s] += caches[cpu].in_use[s];
    }
    for (unsigned s = PAGE_KERNEL; s < PAGE_STATE_COUNT; s++)
        out->in_use[s] = (uint64_t)MAX(sums[s], (int64_t)0);
}

// --- boot ------------------------------------------------------------------------------------------------------------

static void range_release(paddr_t start, paddr_t end) {
    buddy_give_range(&buddy, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
    total_pages += (end - start) >> PAGE_SHIFT;
}

void page_free_archive(paddr_t end) {
    paddr_t start = archive.next;

    end = end >= boot_info.archive_end ? archive.end : ALIGN_DOWN(end, PAGE_SIZE);
    if (start >= end)
        return;
    irq_flags_t irq = spin_lock_irq(&page_lock);
    range_release(start, end);
    archive.next = end;
    spin_unlock_irq(&page_lock, irq);
}

void page_free_image(paddr_t start, paddr_t end) {
    irq_flags_t irq = spin_lock_irq(&page_lock);
    range_release(start, end);
    boot_use.image -= end - start;
    spin_unlock_irq(&page_lock, irq);
}

void page_get_boot_use(struct page_boot_use *out) {
    *out = boot_use;
    out->archive = archive.end - archive.next;
}

// What page_init keeps back of the usable ranges, in order of address.
static struct { paddr_t start, end; } taken[4];
static unsigned taken_count;

static void taken_add(paddr_t start, paddr_t end) {
    unsigned i = taken_count++;

    for (; i > 0 && taken[i - 1].start > start; i--)
        taken[i] = taken[i - 1];
    taken[i].start = ALIGN_DOWN(start, PAGE_SIZE);
    taken[i].end = ALIGN_UP(end, PAGE_SIZE);
}

// Calls fn for each free piece of the usable ranges until it returns true.
static bool free_pieces(bool (*fn)(paddr_t start, paddr_t end, uint64_t size), uint64_t size) {
    for (unsigned i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *r = &boot_info.ranges[i];
        paddr_t start = r->start;
        for (unsigned t = 0; r->usable && t <= taken_count; t++) {
            paddr_t stop = t < taken_count ? MIN(taken[t].start, r->end) : r->end;
            if (start < stop && fn(start, stop, size))
                return true;
            if (t < taken_count)
                start = MAX(start, taken[t].end);
        }
    }
    return false;
}

static bool array_place(paddr_t start, paddr_t end, uint64_t size) {
    if (end - start < size)
        return false;
    page_array = phys_to_virt(start);
    taken_add(start, start + size);
    return true;
}

// Gives [start, end), none of whose struct pages have been written yet: whole blocks are left so, the rest is cleared.
static bool piece_give(paddr_t start, paddr_t end, uint64_t size) {
    const paddr_t block = PAGE_SIZE << PAGE_MAX_ORDER;
    paddr_t limit = (page_array_base + page_array_length) << PAGE_SHIFT;

    end = MIN(end, limit);
    while (start < end) {
        paddr_t next = MIN(ALIGN_DOWN(start, block) + block, end);
        if (next - start == block) {
            buddy_give_untouched(&buddy, page_at(start));
            total_pages += (uint64_t)1 << PAGE_MAX_ORDER;
        } else {
            range_release(start, next);
        }
        start = next;
    }
    return false;
}

static uint64_t clear_next; // struct pages of frames below are clear, or left untouched

static void array_clear_to(uint64_t frame) {
    memset(&page_array[clear_next - page_array_base], 0, (frame - clear_next) * sizeof(struct page));
}

// Clears what lies before the whole blocks of [start, end).
static bool piece_clear(paddr_t start, paddr_t end, uint64_t size) {
    const uint64_t block = (uint64_t)1 << PAGE_MAX_ORDER;
    uint64_t first = ALIGN_UP(start >> PAGE_SHIFT, block);
    uint64_t last = ALIGN_DOWN(MIN(end >> PAGE_SHIFT, page_array_base + page_array_length), block);

    if (first < last) {
        array_clear_to(first);
        clear_next = last;
    }
    return false;
}

// Clears all struct pages but those of the blocks that piece_give leaves untouched.
static void array_clear(void) {
    clear_next = page_array_base;
    (void)free_pieces(piece_clear, 0);
    array_clear_to(page_array_base + page_array_length);
}

// Frames are looked up by subtraction, so a hole in physical memory costs 48 bytes a page. Ranges that would make the
// array take more than an eighth of the memory below them are left out; no PC has such a map.
static void array_size(void) {
    uint64_t usable = 0, last = 0;

    for (unsigned i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *r = &boot_info.ranges[i];
        if (!r->usable)
            continue;
        usable += r->end - r->start;
        if ((r->end >> PAGE_SHIFT) * sizeof(struct page) > usable / 8) {
            log_warning("page", "memory at %lx is too far from the rest: not used", r->start);
            continue;
        }
        last = r->end;
    }
    page_array_base = 0;
    page_array_length = last >> PAGE_SHIFT;
}

// Bytes of usable memory above 1 MiB that will never be the allocator's, and are neither image nor array.
static uint64_t not_managed(void) {
    paddr_t limit = (page_array_base + page_array_length) << PAGE_SHIFT;
    uint64_t sum = 0;

    for (unsigned i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *r = &boot_info.ranges[i];
        paddr_t start = MAX(r->start, (paddr_t)MIB(1)),
                lost = MAX(start, ALIGN_DOWN(boot_info.archive_start, PAGE_SIZE));
        if (!r->usable)
            continue;
        if (r->end > limit)
            sum += r->end - MAX(start, limit);
        lost = archive.end == 0 ? MIN(r->end, ALIGN_UP(boot_info.archive_end, PAGE_SIZE)) - lost : 0;
        sum += (int64_t)lost > 0 ? lost : 0; // an archive that lies across a boundary is not freed
    }
    return sum;
}

// The archive's pages, if the loader has put it where it may: into memory that is used, above 1 MiB and beside the image.
static void archive_take(void) {
    paddr_t start = ALIGN_DOWN(boot_info.archive_start, PAGE_SIZE), end = ALIGN_UP(boot_info.archive_end, PAGE_SIZE);
    paddr_t limit = (page_array_base + page_array_length) << PAGE_SHIFT;

    if (start >= end)
        return;
    taken_add(start, end);
    for (unsigned i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *r = &boot_info.ranges[i];
        if (r->usable && start >= MAX(r->start, (paddr_t)MIB(1)) && end <= MIN(r->end, limit) &&
            (end <= boot_info.image_start || start >= boot_info.image_end)) {
            archive.next = start;
            archive.end = end;
        }
    }
}

void page_init(void) {
    buddy_init(&buddy);
    array_size();
    taken_add(0, MIB(1)); // where other processors start; left to the architecture
    taken_add(boot_info.image_start, boot_info.image_end);
    archive_take();
    uint64_t size = ALIGN_UP(page_array_length * sizeof(struct page), PAGE_SIZE);
    if (!free_pieces(array_place, size))
        panic("no room for the page array: %lu KiB", size / 1024);
    array_clear();
    boot_use = (struct page_boot_use){.ram = boot_info.ram_bytes,
                                      .low = boot_info.low_bytes,
                                      .ignored = not_managed(),
                                      .image = boot_info.image_end - boot_info.image_start,
                                      .array = size,
                                      .tables = boot_info.tables_bytes};
    (void)free_pieces(piece_give, 0);

    reserve_user = MIN(MAX(total_pages / 64, 32u), 1024u);
    reserve_kernel = reserve_user / 4;
    cache_limit = (unsigned)MIN(MAX(total_pages / 1024, 4u), 64u);
    cache_batch = cache_limit / 2;
    page_zero = page_alloc(0, PAGE_ZERO, PAGE_KERNEL, NULL);
    ASSERT(page_zero);
    log_info("page", "%lu MiB in %lu pages, %lu kept for the kernel", total_pages >> 8, total_pages, reserve_user);
}
