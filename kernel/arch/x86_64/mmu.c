// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Page tables of address spaces and of kspace, and this processor's TLB (see arch/mmu.h). kernel/vm calls with the address space's lock held, the kspace
// functions with kspace's.
//
// A table page's struct page keeps table_occupancy, one bit for eight entries, so that the cost of a visit follows what is mapped and not the width of the
// range, and that an empty table is known without a look at it.
//
// Invariants:
//   I1 an entry of a user table is not zero only if its occupancy bit is set; a bit is clear only if its eight entries are zero.
//   I2 an entry with W has A and D: the processor never writes to a table, so plain stores lose nothing.
//   I3 entries below KERNEL_TOP_FIRST of a user root alone are the address space's; those above are copied at create and never change.
#include "arch_private.h"
#include "page_table.h"

#include <arch/mmu.h>
#include <arch/x86.h>
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/page.h>
#include <kernel/string.h>

static inline pte_t entry_read(_Atomic(pte_t) *e) {
    return atomic_load_explicit(e, memory_order_relaxed);
}
static inline void entry_write(_Atomic(pte_t) *e, pte_t v) {
    atomic_store_explicit(e, v, memory_order_release);
}

static inline uint64_t *occupancy_of(const _Atomic(pte_t) *table) {
    return &page_at(virt_to_phys((const void *)table))->table_occupancy;
}

static inline void occupy(_Atomic(pte_t) *table, unsigned index) {
    *occupancy_of(table) |= 1ull << (index / 8);
}

// Clears the occupancy bit of index's group if the group has become empty.
static void vacate(_Atomic(pte_t) *table, unsigned index) {
    unsigned first = ALIGN_DOWN(index, 8u);

    for (unsigned i = first; i < first + 8; i++)
        if (entry_read(&table[i]))
            return;
    *occupancy_of(table) &= ~(1ull << (index / 8));
}

static struct page *table_alloc(unsigned flags, enum page_state state) {
    struct page *p = page_alloc(0, PAGE_ZERO | flags, state, NULL);

    if (p)
        p->table_occupancy = 0;
    return p;
}

// Clears what is in use, so that the next who wants zeros need not clear all of it.
static void table_free(struct arch_aspace *as, pte_t entry) {
    struct page *p = page_at(entry & PTE_ADDRESS);
    pte_t *table = page_to_virt(p);

    for (uint64_t bits = p->table_occupancy; bits; bits &= bits - 1)
        memset(table + (unsigned)__builtin_ctzll(bits) * 8, 0, 8 * sizeof(pte_t));
    page_put_zeroed(p);
    atomic_fetch_sub_explicit(&as->table_pages, 1, memory_order_relaxed);
}

inv_status_t arch_aspace_create(struct arch_aspace *as) {
    struct page *p = page_alloc(0, PAGE_USER, PAGE_TABLE, NULL);

    if (!p)
        return INV_ERR_NO_MEMORY;
    p->table_occupancy = 0;
    as->root = page_to_phys(p);
    memset(phys_to_virt(as->root), 0, KERNEL_TOP_FIRST * sizeof(pte_t));
    atomic_store_explicit(&as->table_pages, 1, memory_order_relaxed);
    memcpy((pte_t *)phys_to_virt(as->root) + KERNEL_TOP_FIRST,
           (pte_t *)phys_to_virt(boot_map_root()) + KERNEL_TOP_FIRST,
           (TABLE_ENTRIES - KERNEL_TOP_FIRST) * sizeof(pte_t));
    return INV_OK;
}

// Frees the tables below table, which is at level.
static void tables_free(struct arch_aspace *as, _Atomic(pte_t) *table, unsigned level) {
    for (uint64_t bits = *occupancy_of(table); bits; bits &= bits - 1) {
        unsigned first = (unsigned)__builtin_ctzll(bits) * 8;
        for (unsigned i = first; i < first + 8; i++) {
            pte_t e = entry_read(&table[i]);
            if (!e)
                continue;
            if (level > 1)
                tables_free(as, table_of(e), level - 1);
            table_free(as, e);
        }
    }
}

void arch_aspace_destroy(struct arch_aspace *as) {
    ASSERT(as->root != boot_map_root());
    tables_free(as, phys_to_virt(as->root), TABLE_LEVELS - 1);
    page_put(page_at(as->root)); // its other half is the kernel's
    atomic_fetch_sub_explicit(&as->table_pages, 1, memory_order_relaxed);
    DEBUG_ASSERT(atomic_load_explicit(&as->table_pages, memory_order_relaxed) == 0);
    as->root = 0;
}

// The page table that holds va's entry, made if need be. NULL: no memory.
static _Atomic(pte_t) *walk_create(struct arch_aspace *as, vaddr_t va) {
    _Atomic(pte_t) *table = phys_to_virt(as->root);

    for (unsigned level = TABLE_LEVELS - 1; level > 0; level--) {
        unsigned index = table_index(va, level);
        pte_t e = entry_read(&table[index]);
        if (unlikely(!e)) {
            struct page *p = table_alloc(PAGE_USER, PAGE_TABLE);
            if (!p)
                return NULL;
            e = page_to_phys(p) | PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED;
            entry_write(&table[index], e);
            occupy(table, index);
            atomic_fetch_add_explicit(&as->table_pages, 1, memory_order_relaxed);
        }
        table = table_of(e);
    }
    return table;
}

// As walk_create, but NULL where a table is missing.
static _Atomic(pte_t) *walk(paddr_t root, vaddr_t va) {
    _Atomic(pte_t) *table = phys_to_virt(root);

    for (unsigned level = TABLE_LEVELS - 1; level > 0; level--) {
        pte_t e = entry_read(&table[table_index(va, level)]);
        if (!e || e & PTE_LARGE)
            return NULL;
        table = table_of(e);
    }
    return table;
}

inv_status_t arch_mmu_map(struct arch_aspace *as, vaddr_t va, paddr_t pa, unsigned flags, paddr_t *out_replaced) {
    _Atomic(pte_t) *table = walk_create(as, va);
    unsigned index = table_index(va, 0);

    DEBUG_ASSERT(va < ARCH_USER_END && (flags & MMU_USER));
    if (!table)
        return INV_ERR_NO_MEMORY;
    pte_t old = entry_read(&table[index]);
    entry_write(&table[index], (pa & PTE_ADDRESS) | pte_flags(flags & ~MMU_GLOBAL));
    if (!old)
        occupy(table, index);
    if (out_replaced)
        *out_replaced = old ? (old & PTE_ADDRESS) | 1 : 0;
    return INV_OK;
}

size_t arch_mmu_map_absent(struct arch_aspace *as, vaddr_t start, const paddr_t *frames, size_t n, unsigned flags) {
    _Atomic(pte_t) *table = walk_create(as, start);
    unsigned first = table_index(start, 0);
    pte_t bits = pte_flags(flags & ~MMU_GLOBAL);
    size_t mapped = 0;

    DEBUG_ASSERT(first + n <= TABLE_ENTRIES && (flags & MMU_USER));
    if (!table)
        return 0;
    uint64_t *occupancy = occupancy_of(table);
    for (size_t i = 0; i < n; i++) {
        _Atomic(pte_t) *e = &table[first + i];
        if (!frames[i] || entry_read(e))
            continue;
        entry_write(e, frames[i] | bits);
        *occupancy |= 1ull << ((first + i) / 8);
        mapped++;
    }
    return mapped;
}

inv_status_t arch_mmu_prepare(struct arch_aspace *as, vaddr_t va) {
    return walk_create(as, va) ? INV_OK : INV_ERR_NO_MEMORY;
}

bool arch_mmu_query(struct arch_aspace *as, vaddr_t va, paddr_t *out_pa, unsigned *out_flags) {
    _Atomic(pte_t) *table = walk(as->root, va);
    pte_t e = table ? entry_read(&table[table_index(va, 0)]) : 0;

    if (!(e & PTE_PRESENT))
        return false;
    if (out_pa)
        *out_pa = e & PTE_ADDRESS;
    if (out_flags)
        *out_flags = pte_to_flags(e);
    return true;
}

// A walk over the present pages of a range.
struct visit {
    mmu_visit_fn fn;
    void *arg;
    size_t changed;
};

static void visit_page(struct visit *v, _Atomic(pte_t) *table, unsigned index, pte_t e, vaddr_t va) {
    pte_t changed = e;

    switch (v->fn(v->arg, va, e & PTE_ADDRESS, pte_to_flags(e))) {
    case MMU_VISIT_KEEP: return;
    case MMU_VISIT_UNMAP: changed = 0; break;
    case MMU_VISIT_WRITE_PROTECT: changed = e & ~PTE_WRITE; break;
    case MMU_VISIT_CLEAR_ACCESSED: changed = e & ~PTE_ACCESSED; break;
    }
    if (changed == e)
        return;
    entry_write(&table[index], changed);
    v->changed++;
}

// Bits first / 8 to last / 8.
static inline uint64_t group_mask(unsigned first, unsigned last) {
    return (~0ull << (first / 8)) & (~0ull >> (63 - last / 8));
}

// Visits the entries of table (at level, its first entry maps base) within [start, last], last inclusive.
static void visit_table(struct visit *v, _Atomic(pte_t) *table, unsigned level, vaddr_t base, vaddr_t start,
                        vaddr_t last) {
    vaddr_t span = 1ull << table_shift(level);
    unsigned first_index = start > base ? (unsigned)((start - base) >> table_shift(level)) : 0;
    unsigned last_index = MIN((last - base) >> table_shift(level), TABLE_ENTRIES - 1ull);

    for (uint64_t bits = *occupancy_of(table) & group_mask(first_index, last_index); bits; bits &= bits - 1) {
        unsigned group = (unsigned)__builtin_ctzll(bits) * 8;
        size_t before = v->changed;
        for (unsigned i = MAX(group, first_index); i <= MIN(group + 7, last_index); i++) {
            pte_t e = entry_read(&table[i]);
            if (!e)
                continue;
            if (level > 0)
                visit_table(v, table_of(e), level - 1, base + i * span, start, last);
            else
                visit_page(v, table, i, e, base + i * span);
        }
        if (level == 0 && v->changed != before)
            vacate(table, group);
    }
}

size_t arch_mmu_visit(struct arch_aspace *as, vaddr_t start, vaddr_t end, mmu_visit_fn fn, void *arg) {
    struct visit v = {.fn = fn, .arg = arg};

    DEBUG_ASSERT(end <= ARCH_USER_END);
    if (start < end)
        visit_table(&v, phys_to_virt(as->root), TABLE_LEVELS - 1, 0, start, end - 1);
    return v.changed;
}

// Changes flags of the entries of table within [start, last].
static size_t protect_table(_Atomic(pte_t) *table, unsigned level, vaddr_t base, vaddr_t start, vaddr_t last,
                            pte_t bits_new) {
    vaddr_t span = 1ull << table_shift(level);
    unsigned first_index = start > base ? (unsigned)((start - base) >> table_shift(level)) : 0;
    unsigned last_index = MIN((last - base) >> table_shift(level), TABLE_ENTRIES - 1ull);
    size_t changed = 0;

    for (uint64_t bits = *occupancy_of(table) & group_mask(first_index, last_index); bits; bits &= bits - 1) {
        unsigned group = (unsigned)__builtin_ctzll(bits) * 8;
        for (unsigned i = MAX(group, first_index); i <= MIN(group + 7, last_index); i++) {
            pte_t e = entry_read(&table[i]);
            if (!e)
                continue;
            if (level > 0) {
                changed += protect_table(table_of(e), level - 1, base + i * span, start, last, bits_new);
            } else if (e != ((e & (PTE_ADDRESS | PTE_DIRTY)) | bits_new)) {
                entry_write(&table[i], (e & (PTE_ADDRESS | PTE_DIRTY)) | bits_new);
                changed++;
            }
        }
    }
    return changed;
}

size_t arch_mmu_protect(struct arch_aspace *as, vaddr_t start, vaddr_t end, unsigned flags) {
    DEBUG_ASSERT(end <= ARCH_USER_END);
    if (start >= end)
        return 0;
    return protect_table(phys_to_virt(as->root), TABLE_LEVELS - 1, 0, start, end - 1, pte_flags(flags & ~MMU_GLOBAL));
}

// Detaches the empty tables below table that lie wholly within [start, last], onto *list.
static void detach_empty(struct arch_aspace *as, _Atomic(pte_t) *table, unsigned level, vaddr_t base, vaddr_t start,
                         vaddr_t last, struct page **list) {
    vaddr_t span = 1ull << table_shift(level);
    unsigned first_index = start > base ? (unsigned)((start - base) >> table_shift(level)) : 0;
    unsigned last_index = MIN((last - base) >> table_shift(level), TABLE_ENTRIES - 1ull);

    for (uint64_t bits = *occupancy_of(table) & group_mask(first_index, last_index); bits; bits &= bits - 1) {
        unsigned group = (unsigned)__builtin_ctzll(bits) * 8;
        for (unsigned i = MAX(group, first_index); i <= MIN(group + 7, last_index); i++) {
            pte_t e = entry_read(&table[i]);
            vaddr_t child_base = base + i * span;
            if (!e)
                continue;
            if (level > 1)
                detach_empty(as, table_of(e), level - 1, child_base, start, last, list);
            if (child_base < start || child_base + (span - 1) > last || *occupancy_of(table_of(e)))
                continue;
            entry_write(&table[i], 0);
            struct page *p = page_at(e & PTE_ADDRESS);
            p->next_cached = *list;
            *list = p;
            atomic_fetch_sub_explicit(&as->table_pages, 1, memory_order_relaxed);
        }
        vacate(table, group);
    }
}

struct page *arch_mmu_detach_tables(struct arch_aspace *as, vaddr_t start, vaddr_t end) {
    struct page *list = NULL;

    if (start < end)
        detach_empty(as, phys_to_virt(as->root), TABLE_LEVELS - 1, 0, start, end - 1, &list);
    return list;
}

inv_status_t arch_kernel_map(vaddr_t va, paddr_t pa, unsigned flags) {
    _Atomic(pte_t) *table = phys_to_virt(boot_map_root());

    ASSERT(va >= ARCH_DIRECT_MAP && (flags & (MMU_WRITE | MMU_EXECUTE)) != (MMU_WRITE | MMU_EXECUTE));
    for (unsigned level = TABLE_LEVELS - 1; level > 0; level--) {
        _Atomic(pte_t) *e = &table[table_index(va, level)];
        if (unlikely(!entry_read(e))) {
            ASSERT(level < TABLE_LEVELS - 1); // boot made all top-level entries
            struct page *p = table_alloc(0, PAGE_TABLE_KERNEL);
            if (!p)
                return INV_ERR_NO_MEMORY;
            entry_write(e, page_to_phys(p) | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED);
        }
        table = table_of(entry_read(e));
    }
    entry_write(&table[table_index(va, 0)], (pa & PTE_ADDRESS) | pte_flags((flags | MMU_GLOBAL) & ~MMU_USER));
    return INV_OK;
}

void arch_kernel_unmap(vaddr_t va) {
    _Atomic(pte_t) *table = walk(boot_map_root(), va);

    if (table)
        entry_write(&table[table_index(va, 0)], 0);
}

void arch_mmu_load(struct arch_aspace *as) {
    cr3_write(as ? as->root : boot_map_root());
}

void arch_tlb_flush_page(vaddr_t va) {
    counter_add(tlb_flush_local, 1);
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

void arch_tlb_flush_user(void) {
    counter_add(tlb_flush_local, 1);
    cr3_write(cr3_read());
}

void arch_tlb_flush_all(void) {
    uint64_t cr4 = cr4_read();

    counter_add(tlb_flush_local, 1);
    cr4_write(cr4 & ~CR4_PGE);
    cr4_write(cr4);
}
