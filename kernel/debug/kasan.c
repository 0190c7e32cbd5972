// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The address sanitizer's run time: shadow memory for the direct map, and the functions that instrumented code calls before each access. One shadow byte stands
// for a granule of 8 bytes: 0, all may be touched; 1 to 7, so many from its start; with the top bit, none (enum kasan_reason).
//
// The shadow is made of pieces for 2 MiB of memory each, allocated by kasan_init; where there is no piece (device memory, memory beyond the table, all before
// kasan_init) everything may be touched. Stacks and the image are not covered: they lie elsewhere in the address space.
//
// Any context. This file is compiled without the sanitizer and calls only what is needed to panic.

#include <kernel/kasan.h>

#include <arch/mmu.h>
#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/string.h>

#define GRANULE_SHIFT 3
#define GRANULE       (1u << GRANULE_SHIFT)
#define PIECE_SHIFT   21 // bytes of memory that one piece of shadow covers
#define PIECE_SHADOW  ((1ul << PIECE_SHIFT) >> GRANULE_SHIFT)
#define PIECE_ORDER   6
#define PIECES        8192u // 16 GiB
STATIC_ASSERT((PAGE_SIZE << PIECE_ORDER) == PIECE_SHADOW, "a piece is one allocation");

static uint8_t *pieces[PIECES];
static _Atomic bool enabled;

// The shadow byte of an address, or NULL where there is none.
static inline uint8_t *shadow_of(uintptr_t address) {
    uintptr_t offset = address - ARCH_DIRECT_MAP;

    if (offset >> PIECE_SHIFT >= PIECES)
        return NULL;
    uint8_t *piece = pieces[offset >> PIECE_SHIFT];
    return piece != NULL ? piece + ((offset & ((1ul << PIECE_SHIFT) - 1)) >> GRANULE_SHIFT) : NULL;
}

static void shadow_set(uintptr_t start, size_t n, uint8_t value) {
    for (uintptr_t at = start; at + GRANULE <= start + n; at += GRANULE) {
        uint8_t *shadow = shadow_of(at);
        if (shadow != NULL)
            *shadow = value;
    }
}

void kasan_poison(const void *start, size_t n, enum kasan_reason reason) {
    if (atomic_load_explicit(&enabled, memory_order_relaxed))
        shadow_set((uintptr_t)start, n, (uint8_t)reason);
}

void kasan_unpoison(const void *start, size_t n) {
    if (!atomic_load_explicit(&enabled, memory_order_relaxed))
        return;
    shadow_set((uintptr_t)start, n, 0);
    uint8_t *last = n % GRANULE != 0 ? shadow_of((uintptr_t)start + n) : NULL;
    if (last != NULL)
        *last = n % GRANULE;
}

static const char *reason_text(uint8_t shadow) {
    switch (shadow) {
    case KASAN_FREED: return "memory that was freed";
    case KASAN_REDZONE: return "a gap between objects";
    default: return "bytes behind the end of an object";
    }
}

static cold_fn noreturn_fn void report(uintptr_t address, size_t n, bool write, uintptr_t bad, uint8_t shadow) {
    atomic_store_explicit(&enabled, false, memory_order_relaxed); // the report itself must not report
    panic("address sanitizer: %s of %zu bytes at %#lx touches %s at %#lx", write ? "write" : "read", n,
          (unsigned long)address, reason_text(shadow), (unsigned long)bad);
}

static inline void check(uintptr_t address, size_t n, bool write) {
    if (!atomic_load_explicit(&enabled, memory_order_relaxed) || n == 0)
        return;
    for (uintptr_t at = address & ~(uintptr_t)(GRANULE - 1); at < address + n; at += GRANULE) {
        uint8_t *shadow = shadow_of(at);
        if (shadow == NULL || *shadow == 0)
            continue;
        uintptr_t last = at + GRANULE <= address + n ? GRANULE - 1 : (address + n - 1) & (GRANULE - 1);
        if (*shadow >= GRANULE || last >= *shadow)
            report(address, n, write, at, *shadow);
    }
}

#define ACCESS(size)                                       \
    void __asan_load##size##_noabort(uintptr_t address);   \
    void __asan_store##size##_noabort(uintptr_t address);  \
    void __asan_load##size##_noabort(uintptr_t address) {  \
        check(address, size, false);                       \
    }                                                      \
    void __asan_store##size##_noabort(uintptr_t address) { \
        check(address, size, true);                        \
    }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __asan_loadN_noabort(uintptr_t address, size_t n);
void __asan_storeN_noabort(uintptr_t address, size_t n);
void __asan_handle_no_return(void);
void *__asan_memcpy(void *to, const void *from, size_t n);
void *__asan_memmove(void *to, const void *from, size_t n);
void *__asan_memset(void *to, int byte, size_t n);

void __asan_loadN_noabort(uintptr_t address, size_t n) {
    check(address, n, false);
}

void __asan_storeN_noabort(uintptr_t address, size_t n) {
    check(address, n, true);
}

void __asan_handle_no_return(void) {}

// clang's names for copies in instrumented code.
void *__asan_memcpy(void *to, const void *from, size_t n) {
    check((uintptr_t)from, n, false);
    check((uintptr_t)to, n, true);
    return memcpy(to, from, n);
}

void *__asan_memmove(void *to, const void *from, size_t n) {
    check((uintptr_t)from, n, false);
    check((uintptr_t)to, n, true);
    return memmove(to, from, n);
}

void *__asan_memset(void *to, int byte, size_t n) {
    check((uintptr_t)to, n, true);
    return memset(to, byte, n);
}

void kasan_init(void) {
    unsigned made = 0;

    for (unsigned i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.ranges[i];
        if (!range->usable)
            continue;
        for (paddr_t at = ALIGN_DOWN(range->start, 1ull << PIECE_SHIFT); at < range->end; at += 1ull << PIECE_SHIFT) {
            if (at >> PIECE_SHIFT >= PIECES || pieces[at >> PIECE_SHIFT] != NULL)
                continue;
            struct page *page = page_alloc(PIECE_ORDER, PAGE_ZERO, PAGE_KERNEL, NULL);
            if (page == NULL)
                break;
            pieces[at >> PIECE_SHIFT] = page_to_virt(page);
            made++;
        }
    }
    atomic_store_explicit(&enabled, true, memory_order_relaxed);
    log_info("kasan", "%u MiB of shadow", (unsigned)(made * (PIECE_SHADOW >> 10) >> 10));
}
