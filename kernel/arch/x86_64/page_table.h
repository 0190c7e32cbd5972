// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The page table entry of x86-64, four levels (Intel manual volume 3, 4.5).
//
//    63  62..59   58..52     51..12           11..9      8   7   6   5    4    3   2   1   0
//   | NX | key | available | physical page | available | G | PS | D | A | PCD | PWT | U | W | P |
//
#ifndef PAGE_TABLE_H
#define PAGE_TABLE_H

#include <arch/mmu.h>
#include <kernel/types.h>

typedef uint64_t pte_t;

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITE    (1ull << 1)
#define PTE_USER     (1ull << 2)
#define PTE_PWT      (1ull << 3)
#define PTE_PCD      (1ull << 4)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PTE_LARGE    (1ull << 7)
#define PTE_GLOBAL   (1ull << 8)
#define PTE_NX       (1ull << 63)
#define PTE_ADDRESS  0x000ffffffffff000ull

#define TABLE_ENTRIES    512
#define TABLE_LEVELS     4
#define LARGE_PAGE_SIZE  MIB(2)
#define KERNEL_TOP_FIRST 256 // top-level entries from here on are the kernel's

static inline unsigned table_shift(unsigned level) {
    return PAGE_SHIFT + 9 * level;
} // level 0: pages, 3: top
static inline unsigned table_index(vaddr_t va, unsigned level) {
    return (va >> table_shift(level)) & (TABLE_ENTRIES - 1);
}
static inline _Atomic(pte_t) *table_of(pte_t entry) {
    return phys_to_virt(entry & PTE_ADDRESS);
}

// Flags of the contract to entry bits. Pages are marked accessed and dirty at once where they may be written, so the processor need not.
static inline pte_t pte_flags(unsigned flags) {
    return PTE_PRESENT | PTE_ACCESSED | (flags & MMU_WRITE ? PTE_WRITE | PTE_DIRTY : 0) |
           (flags & MMU_EXECUTE ? 0 : PTE_NX) | (flags & MMU_USER ? PTE_USER : 0) |
           (flags & MMU_UNCACHED ? PTE_PCD | PTE_PWT : 0) | (flags & MMU_GLOBAL ? PTE_GLOBAL : 0);
}

static inline unsigned pte_to_flags(pte_t e) {
    return MMU_READ | (e & PTE_WRITE ? MMU_WRITE : 0) | (e & PTE_NX ? 0 : MMU_EXECUTE) | (e & PTE_USER ? MMU_USER : 0) |
           (e & PTE_PCD ? MMU_UNCACHED : 0) | (e & PTE_GLOBAL ? MMU_GLOBAL : 0) |
           (e & PTE_ACCESSED ? MMU_ACCESSED : 0) | (e & PTE_DIRTY ? MMU_DIRTY : 0);
}

#endif
