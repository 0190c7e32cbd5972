// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Object caches. A cache carves slabs (blocks of pages of its order) into objects of one size. Each processor keeps a
// magazine of free objects for each cache: allocation and free are a push or a pop with interrupts off; a batch moves
// between magazine and slabs when it runs empty or full. Called from any context but under locks of rank SLAB and
// above; never sleeps.
//
// A slab's head is its struct page (state PAGE_SLAB at each of its pages): list node, free objects (linked through
// their first word), how many are out, how many at the end were never handed out. Objects in magazines count as out.
//
// Invariants:
//  I1. A slab is on partial if 0 < used < per_slab, on full if used == per_slab, on empty if used == 0; empty_count <=
//      EMPTY_KEPT.
//  I2. slab_used + length of slab_free + slab_fresh == per_slab.
//  I3. (debug) an object that is free holds the poison (slab_check.h).
// Locking: cache->lock (rank SLAB, interrupts off) guards the slabs; magazines belong to their processor, interrupts
// off.

#include "page_buddy.h"
#include "page_check.h"
#include "slab_check.h"

#include <arch/cpu.h>
#include <kernel/cpu.h>
#include <kernel/kasan.h>
#include <kernel/page.h>
#include <kernel/slab.h>

#define CACHES_MAX 128
#define EMPTY_KEPT 1

struct slab_magazine {
    void *head; // linked through the first word
    uint32_t count;
};
static struct slab_magazine boot_magazines[CACHES_MAX]; // the boot processor's; others' are allocated
static struct spinlock all_lock = SPINLOCK_INIT(LOCK_RANK_SLAB);
static struct list_node all_caches = LIST_INIT(all_caches); // all_lock
static uint32_t next_index;                                 // all_lock

static uint32_t magazine_limit(const struct slab_cache *c) {
    return c->stride <= 256 ? 32 : c->stride <= 1024 ? 16 : 8;
}

// Smallest order that wastes at most an eighth of the slab.
static void choose_order(struct slab_cache *c) {
    for (c->order = 0; c->order < 3; c->order++) {
        size_t size = PAGE_SIZE << c->order;
        if (c->stride <= size && size % c->stride <= size / 8)
            break;
    }
    c->per_slab = (uint32_t)((PAGE_SIZE << c->order) / c->stride);
}

void slab_cache_init_flags(struct slab_cache *c, const char *name, size_t object_size, size_t align, bool red_zone) {
    if (align == 0)
        align = 8;
    *c = (struct slab_cache){.name = name, .align = (uint32_t)align, .red_zone = red_zone && SLAB_RED_ZONE_SIZE != 0};
    c->object_size = (uint32_t)ALIGN_UP(MAX(object_size, (size_t)16), (size_t)8);
    c->stride = (uint32_t)ALIGN_UP(c->object_size + (c->red_zone ? SLAB_RED_ZONE_SIZE : 0), align);
    choose_order(c);
    ASSERT(c->per_slab > 0);
    spin_lock_init(&c->lock, LOCK_RANK_SLAB);
    list_init(&c->partial);
    list_init(&c->full);
    list_init(&c->empty);
    irq_flags_t irq = spin_lock_irq(&all_lock);
    ASSERT(next_index < CACHES_MAX);
    c->index = next_index++;
    list_push_back(&all_caches, &c->all_node);
    spin_unlock_irq(&all_lock, irq);
}

void slab_cache_init(struct slab_cache *c, const char *name, size_t object_size, size_t align) {
    slab_cache_init_flags(c, name, object_size, align, true);
}

static struct page *slab_of(const struct slab_cache *c, const void *object) {
    struct page *p = page_at(virt_to_phys(object));

    ASSERT(p->state == PAGE_SLAB && (!c || p->cache == c));
    return p - (page_frame(p) & (((uint64_t)1 << p->order) - 1));
}

struct slab_cache *slab_cache_of(const void *object) {
    struct page *p = page_at(virt_to_phys(object));

    return p->state == PAGE_SLAB ? p->cache : NULL;
}

// Lock not held, interrupts off.
static bool slab_grow(struct slab_cache *c) {
    struct page *p = page_alloc(c->order, arch_in_interrupt() ? PAGE_ATOMIC : 0, PAGE_SLAB, NULL);

    if (!p)
        return false;
    for (size_t i = 0; i < (size_t)1 << c->order; i++) {
        p[i].state = PAGE_SLAB;
        p[i].order = (uint8_t)c->order;
        p[i].cache = c;
    }
    kasan_poison(page_to_virt(p), PAGE_SIZE << c->order, KASAN_REDZONE);
    p->slab_free = NULL;
    p->slab_used = 0;
    p->slab_fresh = (uint16_t)c->per_slab;
    atomic_fetch_add_explicit(&c->slabs, 1, memory_order_relaxed);
    irq_flags_t irq = spin_lock_irq(&c->lock);
    list_push_front(&c->empty, &p->node);
    c->empty_count++;
    spin_unlock_irq(&c->lock, irq);
    return true;
}

// One object out of slab p.
static void *slab_carve(struct slab_cache *c, struct page *p) {
    void *object = p->slab_free;

    if (object) {
        p->slab_free = *(void **)object;
    } else {
        p->slab_fresh--;
        object = (char *)page_to_virt(p) + (size_t)p->slab_fresh * c->stride;
        slab_check_carved(c, object);
    }
    p->slab_used++;
    atomic_fetch_add_explicit(&c->allocated, 1, memory_order_relaxed);
    return object;
}

// Moves up to n objects from slabs into m. Interrupts off.
static void magazine_fill(struct slab_cache *c, struct slab_magazine *m, uint32_t n) {
    irq_flags_t irq = spin_lock_irq(&c->lock);

    while (n > 0) {
        bool from_empty = list_empty(&c->partial);
        struct list_node *list = from_empty ? &c->empty : &c->partial;
        if (list_empty(list))
            break;
        struct page *p = list_first(list, struct page, node);
        for (; n > 0 && p->slab_used < c->per_slab; n--) {
            void *object = slab_carve(c, p);
            *(void **)object = m->head;
            m->head = object;
            m->count++;
        }
        list_remove(&p->node);
        list_push_front(p->slab_used == c->per_slab ? &c->full : &c->partial, &p->node);
        c->empty_count -= from_empty;
    }
    spin_unlock_irq(&c->lock, irq);
}

// Puts one object back into its slab; lock held. Returns the slab if it is to be freed.
static struct page *slab_return(struct slab_cache *c, void *object) {
    struct page *p = slab_of(c, object);

    *(void **)object = p->slab_free;
    p->slab_free = object;
    p->slab_used--;
    atomic_fetch_sub_explicit(&c->allocated, 1, memory_order_relaxed);
    if (p->slab_used != 0 && p->slab_used != c->per_slab - 1)
        return NULL;
    list_remove(&p->node);
    if (p->slab_used != 0) {
        list_push_front(&c->partial, &p->node);
    } else if (c->empty_count < EMPTY_KEPT) {
        list_push_front(&c->empty, &p->node);
        c->empty_count++;
    } else {
        return p;
    }
    return NULL;
}

// Interrupts off.
static void magazine_drain(struct slab_cache *c, struct slab_magazine *m, uint32_t keep) {
    struct page *doomed = NULL;
    irq_flags_t irq = spin_lock_irq(&c->lock);

    while (m->count > keep) {
        void *object = m->head;
        m->head = *(void **)object;
        m->count--;
        struct page *p = slab_return(c, object);
        if (p) {
            p->slab_free = doomed;
            doomed = p;
        }
    }
    spin_unlock_irq(&c->lock, irq);
    while (doomed) {
        struct page *p = doomed;
        doomed = p->slab_free;
        atomic_fetch_sub_explicit(&c->slabs, 1, memory_order_relaxed);
        page_put(p);
    }
}

static void *slab_alloc_slow(struct slab_cache *c, struct slab_magazine *m) {
    magazine_fill(c, m, magazine_limit(c) / 2);
    while (m->count == 0 && slab_grow(c)) // other processors may have emptied the new slab before us
        magazine_fill(c, m, magazine_limit(c) / 2);
    return m->head;
}

void *slab_alloc(struct slab_cache *c) {
    if (page_check_inject())
        return NULL;
    irq_flags_t irq = arch_irq_save();
    struct slab_magazine *m = &this_cpu()->slab_magazines[c->index];
    void *object = m->head;

    if (unlikely(!object))
        object = slab_alloc_slow(c, m);
    if (likely(object)) {
        m->head = *(void **)object;
        m->count--;
    }
    arch_irq_restore(irq);
    if (likely(object)) {
        kasan_unpoison(object, c->object_size);
        slab_check_allocated(c, object);
    }
    return object;
}

void *slab_zalloc(struct slab_cache *c) {
    void *p = slab_alloc(c);

    return p ? memset(p, 0, c->object_size) : NULL;
}

void slab_free(struct slab_cache *c, void *p) {
    DEBUG_ASSERT(slab_of(c, p));
    slab_check_freed(c, p);
    kasan_poison(p, c->object_size, KASAN_FREED);
    if (unlikely(slab_check_leak(c)))
        return;
    irq_flags_t irq = arch_irq_save();
    struct slab_magazine *m = &this_cpu()->slab_magazines[c->index];
    *(void **)p = m->head;
    m->head = p;
    if (unlikely(++m->count > magazine_limit(c)))
        magazine_drain(c, m, magazine_limit(c) / 2);
    arch_irq_restore(irq);
}

void slab_for_each(void (*fn)(struct slab_cache *c, void *arg), void *arg) {
    struct slab_cache *c;

    list_for_each(c, &all_caches, all_node) // caches are never removed
        fn(c, arg);
}

uint64_t slab_in_use(const struct slab_cache *c) {
    uint64_t out = atomic_load_explicit(&c->allocated, memory_order_relaxed), kept = 0;

    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i].slab_magazines)
            kept += __atomic_load_n(&cpus[i].slab_magazines[c->index].count, __ATOMIC_RELAXED);
    return out > kept ? out - kept : 0;
}

inv_status_t slab_cpu_create(unsigned cpu) {
    struct slab_magazine *magazines = kzalloc(sizeof(boot_magazines));

    if (!magazines)
        return INV_ERR_NO_MEMORY;
    cpus[cpu].slab_magazines = magazines;
    return INV_OK;
}

void slab_init(void) {
    this_cpu()->slab_magazines = boot_magazines;
    kmalloc_init();
}
