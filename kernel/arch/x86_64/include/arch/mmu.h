// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Page tables and TLBs. kernel/vm owns policy: it holds the address space's lock for every call here that changes a user table, and does shootdowns
// (kernel/vm/shootdown.c) with the primitives below. Kernel half tables are shared by all address spaces (top-level kernel entries are all allocated at boot).
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <kernel/types.h>

#define ARCH_USER_BASE   0x1000ull // lowest address a user may map (Linux vm.mmap_min_addr is checked by the personality)
#define ARCH_USER_END    0x00007ffffffff000ull // first address above user space
#define ARCH_DIRECT_MAP  0xffff800000000000ull // all physical memory, read-write, not executable
#define ARCH_KSPACE_BASE 0xffffc00000000000ull // kernel mappings made at run time: stacks, registers
#define ARCH_KSPACE_END  0xffffc18000000000ull // 1.5 TiB: a table of boot for each 512 GiB
#define ARCH_IMAGE_BASE  0xffffffff80000000ull

#define MMU_READ     (1u << 0)
#define MMU_WRITE    (1u << 1)
#define MMU_EXECUTE  (1u << 2)
#define MMU_USER     (1u << 3)
#define MMU_UNCACHED (1u << 4) // device registers
#define MMU_GLOBAL   (1u << 5)
#define MMU_ACCESSED (1u << 6) // out only
#define MMU_DIRTY    (1u << 7) // out only

static inline void *phys_to_virt(paddr_t p) {
    return (void *)(ARCH_DIRECT_MAP + p);
}
static inline paddr_t virt_to_phys(const void *v) {
    return (paddr_t)v - ARCH_DIRECT_MAP;
}

struct page;
struct arch_aspace {
    paddr_t root;            // physical address of the top table
    atomic_uint table_pages; // table pages allocated, for charges
};

// Makes an empty user table with the kernel half in place. NO_MEMORY.
must_check inv_status_t arch_aspace_create(struct arch_aspace *as);
// Frees all table pages. Nothing may be mapped in it any more as far as page counts go, and no processor has it loaded.
void arch_aspace_destroy(struct arch_aspace *as);
// Maps one page; replaces what was there (the caller flushes if *out_replaced is not 0: it gets the old entry's physical address | 1).
// W and X together are refused by assertion for kernel mappings. NO_MEMORY when a table page is missing and cannot be had.
must_check inv_status_t arch_mmu_map(struct arch_aspace *as, vaddr_t va, paddr_t pa, unsigned flags,
                                     paddr_t *out_replaced);
// Fault-around: maps frames[i] at start + i pages wherever frames[i] is not 0 and nothing is mapped yet; [start, start + n pages) lies within one
// aligned 2 MiB. Returns the number mapped: 0 when a table page is missing and cannot be had. Nothing needs a flush.
size_t arch_mmu_map_absent(struct arch_aspace *as, vaddr_t start, const paddr_t *frames, size_t n, unsigned flags);
// Makes sure the table page that covers va exists, so that a later arch_mmu_map in the same 2 MiB cannot fail.
must_check inv_status_t arch_mmu_prepare(struct arch_aspace *as, vaddr_t va);
// Visits every present page in [start, end) in order; fn may tell what becomes of it: MMU_VISIT_KEEP, _UNMAP, _WRITE_PROTECT, _CLEAR_ACCESSED.
// Empty table pages are skipped at their level (cost follows what is present). Returns the number of entries changed. fn must not touch the table.
enum mmu_visit { MMU_VISIT_KEEP, MMU_VISIT_UNMAP, MMU_VISIT_WRITE_PROTECT, MMU_VISIT_CLEAR_ACCESSED };
typedef enum mmu_visit (*mmu_visit_fn)(void *arg, vaddr_t va, paddr_t pa, unsigned flags);
size_t arch_mmu_visit(struct arch_aspace *as, vaddr_t start, vaddr_t end, mmu_visit_fn fn, void *arg);
// Changes the flags of the present pages of [start, end) (never adds a mapping). Returns the number changed.
size_t arch_mmu_protect(struct arch_aspace *as, vaddr_t start, vaddr_t end, unsigned flags);
// Looks va up: true if present.
bool arch_mmu_query(struct arch_aspace *as, vaddr_t va, paddr_t *out_pa, unsigned *out_flags);
// Takes table pages in [start, end) that are empty and wholly inside out of the table and returns them, linked through next_cached. Processors may still
// walk through them: the caller flushes everywhere, and puts them then.
struct page *arch_mmu_detach_tables(struct arch_aspace *as, vaddr_t start, vaddr_t end);
#define ARCH_TABLE_SPAN MIB(2) // what the smallest table page covers

// Kernel mappings (kspace). Permanent tables; page by page.
must_check inv_status_t arch_kernel_map(vaddr_t va, paddr_t pa, unsigned flags);
void arch_kernel_unmap(vaddr_t va); // the caller flushes everywhere
// True if the kernel half maps va now. Any context, no lock: for backtraces and the debugger (the answer may be stale at once).
bool arch_kernel_readable(vaddr_t va);

// This processor only.
void arch_mmu_load(struct arch_aspace *as); // NULL: the kernel's own table
static always_inline void arch_mmu_load_user(const struct arch_aspace *as) {
    __asm__ volatile("movq %0, %%cr3" ::"r"(as->root) : "memory");
}
void arch_tlb_flush_page(vaddr_t va);
void arch_tlb_flush_user(void); // all non-global entries
void arch_tlb_flush_all(void);  // global ones too

#endif
