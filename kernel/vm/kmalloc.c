// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// kmalloc: a slab cache for each size class up to 2 KiB, whole blocks of pages above. Any context but under locks of
// rank SLAB and above; never sleeps.
//
// In debug builds a request is put into a class that is larger by a tail, which holds a pattern and the size that was
// asked for and is checked by kfree. The tail doubles a power of two, so that powers of two stay naturally aligned.

#include "page_buddy.h"
#include "slab_check.h"

#include <kernel/kasan.h>
#include <kernel/kasan.h>
#include <kernel/page.h>
#include <kernel/slab.h>

#define CLASS_MAX 2048
#define STEP      16 // all classes are multiples

static const struct {
    uint16_t size;
    const char *name;
} classes[] = {{16, "kmalloc-16"},     {32, "kmalloc-32"},    {48, "kmalloc-48"},   {64, "kmalloc-64"},
               {96, "kmalloc-96"},     {128, "kmalloc-128"},  {192, "kmalloc-192"}, {256, "kmalloc-256"},
               {384, "kmalloc-384"},   {512, "kmalloc-512"},  {768, "kmalloc-768"}, {1024, "kmalloc-1024"},
               {1536, "kmalloc-1536"}, {2048, "kmalloc-2048"}};
static struct slab_cache caches[ARRAY_SIZE(classes)];
static uint8_t class_of[CLASS_MAX / STEP + 1]; // by size in steps

void kmalloc_init(void) {
    for (unsigned i = 0, step = 0; i < ARRAY_SIZE(classes); i++) {
        size_t size = classes[i].size;
        slab_cache_init_flags(&caches[i], classes[i].name, size, size & (size - 1) ? STEP : size, false);
        for (; step * STEP <= size; step++)
            class_of[step] = (uint8_t)i;
    }
}

#ifdef CONFIG_DEBUG
#define TAIL_BYTE 0xbb
// What the class must hold for a request of size.
static size_t padded(size_t size) {
    return size & (size - 1) ? size + 8 : MAX(2 * size, (size_t)16);
}
static void tail_write(const struct slab_cache *c, char *p, size_t size) {
    uint32_t asked = (uint32_t)size;

    memset(p + size, TAIL_BYTE, c->object_size - size - sizeof(asked));
    memcpy(p + c->object_size - sizeof(asked), &asked, sizeof(asked));
}
static void tail_check(const struct slab_cache *c, const char *p) {
    uint32_t asked;

    memcpy(&asked, p + c->object_size - sizeof(asked), sizeof(asked));
    for (size_t i = asked; i < c->object_size - sizeof(asked); i++)
        if (asked >= c->object_size || (uint8_t)p[i] != TAIL_BYTE)
            panic("kmalloc: %p was written past its end (%u bytes asked for), or freed twice", (const void *)p, asked);
}
#else
static size_t padded(size_t size) {
    return size;
}
static void tail_write(const struct slab_cache *c, char *p, size_t size) {}
static void tail_check(const struct slab_cache *c, const char *p) {}
#endif

static unsigned order_of(size_t size) {
    return size <= PAGE_SIZE ? 0 : (unsigned)(64 - __builtin_clzll((size - 1) >> PAGE_SHIFT));
}

void *kmalloc(size_t size) {
    if (size > PAGE_SIZE << PAGE_MAX_ORDER)
        return NULL; // before the padding, which could wrap
    size_t need = padded(size);

    if (need <= CLASS_MAX) {
        struct slab_cache *c = &caches[class_of[(need + STEP - 1) / STEP]];
        char *p = slab_alloc(c);
        if (likely(p)) {
            tail_write(c, p, size);
            kasan_poison(p, c->object_size, KASAN_REDZONE);
            kasan_unpoison(p, size);
        }
        return p;
    }
    struct page *page = page_alloc(order_of(size), 0, PAGE_KERNEL, NULL);
    return page ? page_to_virt(page) : NULL;
}

void *kzalloc(size_t size) {
    void *p = kmalloc(size);

    return p ? memset(p, 0, size) : NULL;
}

void kfree(void *p) {
    if (!p)
        return;
    struct slab_cache *c = slab_cache_of(p);
    if (likely(c)) {
        kasan_unpoison(p, c->object_size);
        tail_check(c, p);
        slab_free(c, p);
        return;
    }
    ASSERT(IS_ALIGNED((uintptr_t)p, PAGE_SIZE));
    page_put(page_at(virt_to_phys(p)));
}

char *kstrdup(const char *s) {
    size_t n = strlen(s) + 1;
    char *copy = kmalloc(n);

    return copy ? memcpy(copy, s, n) : NULL;
}
