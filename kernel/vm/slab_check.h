// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Checks of the slab allocator in debug builds: freed objects are poisoned, a second free, a write after the free and a
// write past the end are found at the next free or allocation. Used by slab.c and kmalloc.c alone.
#ifndef VM_SLAB_CHECK_H
#define VM_SLAB_CHECK_H

#include <kernel/assert.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#define SLAB_POISON   0x6b6b6b6b6b6b6b6bull
#define SLAB_FRESH    0x5a5a5a5a5a5a5a5aull // what an allocated object holds at first
#define SLAB_RED_ZONE 0xbb5e1f00dbb5e1f0ull // behind each object

#ifdef CONFIG_DEBUG
#define SLAB_RED_ZONE_SIZE 8u
// Word 0 links free objects; the others hold the poison, word 1 mixed with the address.
static inline uint64_t slab_check_mark(const void *object) {
    return SLAB_POISON ^ (uint64_t)(uintptr_t)object;
}
static inline void slab_check_freed(const struct slab_cache *c, uint64_t *object) {
    size_t words = c->object_size / 8;

    if (object[1] == slab_check_mark(object))
        panic("slab %s: %p freed twice", c->name, (void *)object);
    if (c->red_zone && object[words] != SLAB_RED_ZONE)
        panic("slab %s: %p was written past its end: %lx", c->name, (void *)object, object[words]);
    object[1] = slab_check_mark(object);
    for (size_t i = 2; i < words; i++)
        object[i] = SLAB_POISON;
}
static inline void slab_check_allocated(const struct slab_cache *c, uint64_t *object) {
    size_t words = c->object_size / 8;

    if (object[1] != slab_check_mark(object))
        panic("slab %s: %p was written after it was freed: %lx", c->name, (void *)object, object[1]);
    for (size_t i = 2; i < words; i++)
        if (object[i] != SLAB_POISON)
            panic("slab %s: %p was written after it was freed: word %zu is %lx", c->name, (void *)object, i, object[i]);
    for (size_t i = 0; i < words; i++)
        object[i] = SLAB_FRESH;
}
// An object carved from a fresh slab.
static inline void slab_check_carved(const struct slab_cache *c, uint64_t *object) {
    size_t words = c->object_size / 8;

    object[1] = slab_check_mark(object);
    for (size_t i = 2; i < words; i++)
        object[i] = SLAB_POISON;
    if (c->red_zone)
        object[words] = SLAB_RED_ZONE;
}
#else
#define SLAB_RED_ZONE_SIZE 0u
static inline void slab_check_freed(const struct slab_cache *c, uint64_t *object) {}
static inline void slab_check_allocated(const struct slab_cache *c, uint64_t *object) {}
static inline void slab_check_carved(const struct slab_cache *c, uint64_t *object) {}
#endif

#endif
