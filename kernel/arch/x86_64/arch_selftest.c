// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of page tables, user copies without user memory, the FPU's area checks and the clock over processors, in the booted kernel.
#include "arch_private.h"
#include "page_table.h"

#include <arch/apic.h>
#include <arch/ipi.h>
#include <arch/mmu.h>
#include <arch/usercopy.h>
#include <arch/x86.h>
#include <kernel/debug.h>
#include <kernel/page.h>
#include <kernel/platform.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#define TEST_BASE  0x400000000ull
#define TEST_PAGES 600 // more than one page table

static unsigned visited;

static enum mmu_visit visit_write_protect(void *arg, vaddr_t va, paddr_t pa, unsigned flags) {
    (void)arg;
    visited += pa == (va - TEST_BASE) * 2 && (flags & MMU_WRITE);
    return MMU_VISIT_WRITE_PROTECT;
}

static enum mmu_visit visit_unmap(void *arg, vaddr_t va, paddr_t pa, unsigned flags) {
    (void)arg;
    visited += pa == (va - TEST_BASE) * 2 && !(flags & MMU_WRITE);
    return MMU_VISIT_UNMAP;
}

// The table is never loaded: its entries may point anywhere.
static bool map_every_third(struct arch_aspace *as) {
    for (unsigned i = 0; i < TEST_PAGES; i += 3) {
        paddr_t replaced = 1;
        inv_status_t status = arch_mmu_map(as, TEST_BASE + i * PAGE_SIZE, 2 * i * PAGE_SIZE,
                                           MMU_USER | MMU_READ | MMU_WRITE, &replaced);
        if (status != INV_OK || replaced)
            return false;
    }
    return true;
}

// No processor has loaded the tables of this test: nothing to flush.
static void tables_put(struct page *list) {
    while (list) {
        struct page *p = list;
        list = p->next_cached;
        page_put(p);
    }
}

static bool visits_touch_what_is_mapped_and_tables_are_freed(void) {
    struct arch_aspace as;
    vaddr_t end = TEST_BASE + TEST_PAGES * PAGE_SIZE;
    paddr_t pa, replaced;
    unsigned flags;

    SELFTEST_CHECK(arch_aspace_create(&as) == INV_OK);
    SELFTEST_CHECK(map_every_third(&as));
    SELFTEST_CHECK(atomic_load(&as.table_pages) == 5); // root, two levels, two page tables
    SELFTEST_CHECK(arch_mmu_map(&as, TEST_BASE + 3 * PAGE_SIZE, 6 * PAGE_SIZE, MMU_USER | MMU_READ | MMU_WRITE,
                                &replaced) == INV_OK &&
                   replaced == (6 * PAGE_SIZE | 1));
    visited = 0;
    SELFTEST_CHECK(arch_mmu_visit(&as, 0, ARCH_USER_END, visit_write_protect, NULL) == TEST_PAGES / 3 &&
                   visited == TEST_PAGES / 3);
    SELFTEST_CHECK(arch_mmu_query(&as, TEST_BASE + 3 * PAGE_SIZE, &pa, &flags) && pa == 6 * PAGE_SIZE &&
                   !(flags & MMU_WRITE));
    SELFTEST_CHECK(!arch_mmu_query(&as, TEST_BASE + PAGE_SIZE, &pa, &flags));
    visited = 0;
    SELFTEST_CHECK(arch_mmu_visit(&as, TEST_BASE + PAGE_SIZE, end, visit_unmap, NULL) == TEST_PAGES / 3 - 1);
    tables_put(arch_mmu_detach_tables(&as, 0, ARCH_USER_END));
    SELFTEST_CHECK(atomic_load(&as.table_pages) == 4); // the first page is still there
    SELFTEST_CHECK(arch_mmu_visit(&as, TEST_BASE, end, visit_unmap, NULL) == 1 && visited == TEST_PAGES / 3);
    tables_put(arch_mmu_detach_tables(&as, 0, ARCH_USER_END));
    SELFTEST_CHECK(atomic_load(&as.table_pages) == 1);
    arch_aspace_destroy(&as);
    return true;
}
SELFTEST("arch/visits_touch_what_is_mapped_and_tables_are_freed", visits_touch_what_is_mapped_and_tables_are_freed);

static bool user_copies_refuse_what_is_not_user_memory(void) {
    char buffer[32];
    size_t length;
    uint32_t value = 0;

    SELFTEST_CHECK(arch_copy_from_user(buffer, (void *)0x1000, sizeof(buffer)) == INV_ERR_FAULT);
    SELFTEST_CHECK(arch_copy_from_user(buffer, (void *)ARCH_DIRECT_MAP, sizeof(buffer)) == INV_ERR_FAULT);
    SELFTEST_CHECK(arch_copy_to_user((void *)(ARCH_USER_END - 8), buffer, 16) == INV_ERR_FAULT);
    SELFTEST_CHECK(arch_copy_to_user((void *)8, buffer, SIZE_MAX) == INV_ERR_FAULT);
    SELFTEST_CHECK(arch_copy_to_user_partial((void *)0x1000, buffer, sizeof(buffer)) == sizeof(buffer));
    SELFTEST_CHECK(arch_string_from_user(buffer, (char *)kernel_text_start, sizeof(buffer), &length) == INV_ERR_FAULT);
    SELFTEST_CHECK(arch_user_cmpxchg32((uint32_t *)0x1000, &value, 1) == INV_ERR_FAULT);
    SELFTEST_CHECK(arch_user_load32_nofault((uint32_t *)0x1000, &value) == INV_ERR_FAULT);
    SELFTEST_CHECK(arch_copy_from_user(buffer, (void *)0x1000, 0) == INV_OK);
    return true;
}
SELFTEST("arch/user_copies_refuse_what_is_not_user_memory", user_copies_refuse_what_is_not_user_memory);

// Walks the kernel's own tables: no page may be writable and executable.
static bool table_is_w_xor_x(const _Atomic(pte_t) *table, unsigned level, unsigned first) {
    for (unsigned i = first; i < TABLE_ENTRIES; i++) {
        pte_t e = atomic_load_explicit(&table[i], memory_order_relaxed);
        if (!(e & PTE_PRESENT))
            continue;
        bool leaf = level == 0 || (e & PTE_LARGE);
        if (leaf && (e & PTE_WRITE) && !(e & PTE_NX))
            return false;
        if (!leaf && !table_is_w_xor_x(table_of(e), level - 1, 0))
            return false;
    }
    return true;
}

static bool no_kernel_page_is_writable_and_executable(void) {
    SELFTEST_CHECK(table_is_w_xor_x(phys_to_virt(boot_map_root()), TABLE_LEVELS - 1, KERNEL_TOP_FIRST));
    return true;
}
SELFTEST("arch/no_kernel_page_is_writable_and_executable", no_kernel_page_is_writable_and_executable);

static bool protections_of_the_processor_are_on(void) {
    struct cpuid_result leaf7 = cpuid_if_present(7, 0);

    SELFTEST_CHECK(cr0_read() & CR0_WP);
    SELFTEST_CHECK(!(leaf7.ebx & 1u << 7) || (cr4_read() & CR4_SMEP));
    SELFTEST_CHECK(!(leaf7.ebx & 1u << 20) || (cr4_read() & CR4_SMAP));
    SELFTEST_CHECK(!(leaf7.ecx & 1u << 2) || (cr4_read() & CR4_UMIP));
    return true;
}
SELFTEST("arch/protections_of_the_processor_are_on", protections_of_the_processor_are_on);

static _Atomic nstime_t latest;
static atomic_bool went_back;

static void read_clock(void *unused) {
    (void)unused;
    nstime_t before = atomic_load(&latest), now = platform_clock_now();
    if (now < before)
        atomic_store(&went_back, true);
    while (before < now && !atomic_compare_exchange_weak(&latest, &before, now)) {}
}

static bool clock_never_goes_back_over_processors(void) {
    for (unsigned i = 0; i < 500; i++) {
        cpu_call(NULL, read_clock, NULL);
        preempt_disable();
        read_clock(NULL);
        preempt_enable();
    }
    SELFTEST_CHECK(!atomic_load(&went_back));
    return true;
}
SELFTEST("arch/clock_never_goes_back_over_processors", clock_never_goes_back_over_processors);

// What a hypervisor would see of the interrupt controller and of ports (kernel/counters.h).
static bool controller_and_ports_are_counted_as_exits(void) {
    _Atomic uint64_t *exits = &this_cpu()->counters.exits;
    irq_flags_t irq = arch_irq_save();
    uint64_t before = atomic_load(exits);

    port_write8(0x80, 0); // the diagnostic port: nobody listens
    (void)port_read8(0x80);
    uint64_t ports = atomic_load(exits) - before;
    (void)apic_timer_count();
    uint64_t timer = atomic_load(exits) - before - ports;
    arch_ipi_send(arch_cpu_id(), IPI_RESCHEDULE); // asks whether the last one left, high half, low half
    uint64_t message = atomic_load(exits) - before - ports - timer;
    arch_irq_restore(irq);
    SELFTEST_CHECK(ports == 2 && timer == 1 && message == 3);
    return true;
}
SELFTEST("arch/controller_and_ports_are_counted_as_exits", controller_and_ports_are_counted_as_exits);
