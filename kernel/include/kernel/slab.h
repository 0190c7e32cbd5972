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
    struct spinlock lock;
    struct list_node partial, full, empty; // lock: slabs
    uint32_t empty_count, per_slab, order;
    uint32_t index;                        // of its per-processor magazine
    _Atomic uint64_t allocated, slabs;
    struct list_node all_node;
};
void slab_init(void); // boot, after page_init
// Static caches: define a struct slab_cache and init it once at boot. align 0: natural.
void slab_cache_init(struct slab_cache *c, const char *name, size_t object_size, size_t align);
void *slab_alloc(struct slab_cache *c);  // NULL: no memory. Contents undefined (poisoned in debug builds)
void *slab_zalloc(struct slab_cache *c);
void slab_free(struct slab_cache *c, void *p);

void *kmalloc(size_t size);  // up to 4 MiB; NULL: no memory. 16-byte aligned, naturally aligned for powers of two
void *kzalloc(size_t size);
void kfree(void *p);         // NULL is fine
char *kstrdup(const char *s);
void slab_for_each(void (*fn)(struct slab_cache *c, void *arg), void *arg);

#endif
