// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Small kernel memory: object caches with per-processor magazines, and kmalloc on top (kernel/vm/slab.c). Not charged by itself: who creates an object for a job charges
// it (object_init does). May be called in any context but under locks of rank >= SLAB; never sleeps.
#ifndef KERNEL_SLAB_H
#define KERNEL_SLAB_H

#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/types.h>

struct slab_cache {
    const char *name;
    uint32_t object_size, align;
    uint32_t stride; // bytes from one object to the next
    bool red_zone;   // debug builds: a pattern behind each object
    struct spinlock lock;
    struct list_node partial, full, empty; // lock: slabs
    uint32_t empty_count, per_slab, order;
    uint32_t index;                    // of its per-processor magazine
    _Atomic uint64_t allocated, slabs; // allocated: objects out of the slabs, those in magazines too
    struct list_node all_node;
};
void slab_init(void);                                  // boot, after page_init
must_check inv_status_t slab_cpu_create(unsigned cpu); // before that processor is started. NO_MEMORY
// Static caches: define a struct slab_cache and init it once at boot. align 0: natural.
void slab_cache_init(struct slab_cache *c, const char *name, size_t object_size, size_t align);
void *slab_alloc(struct slab_cache *c); // NULL: no memory. Contents undefined (poisoned in debug builds)
void *slab_zalloc(struct slab_cache *c);
void slab_free(struct slab_cache *c, void *p);

void *kmalloc(size_t size); // up to 4 MiB; NULL: no memory. 16-byte aligned, naturally aligned for powers of two
void *kzalloc(size_t size);
void kfree(void *p); // NULL is fine
char *kstrdup(const char *s);
// For kmalloc.c: a cache with no red zone between its objects; the cache that p came from (NULL: whole pages); its classes.
void slab_cache_init_flags(struct slab_cache *c, const char *name, size_t object_size, size_t align, bool red_zone);
struct slab_cache *slab_cache_of(const void *p);
void kmalloc_init(void);
// Objects that somebody has: exact while nobody allocates or frees. Any context.
uint64_t slab_in_use(const struct slab_cache *c);
void slab_for_each(void (*fn)(struct slab_cache *c, void *arg), void *arg);

#endif
