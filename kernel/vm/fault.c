// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Page faults. aspace_fault is called by the architecture for a fault of user mode or of a user copy, in thread context
// with interrupts on; the rest by the files of the address space. The theory stands in docs/page-faults.md.
//
// A mapping has two layers. Above, for a private one, anon: what this address space has written. Below, object: a
// file's or a shared memory's pages, or nothing, which means zeros. A fault looks from above:
//
//                     in anon                          not in anon, but in object       in neither
//     private read    that page                        that page, read-only             page_zero, read-only
//     private write   that page; a copy if it is       a copy of that page, into anon   a zeroed page, into anon
//                     shared (after fork)
//     shared          -                                that page                        a zeroed page, into object
//
// (An object's hole is filled at a read as well, so that whoever writes it later writes the page that is mapped here.)
//
// Entries hold no reference: the slot does, so it is enough that a page leaves its slot after its entries. An entry is
// written with as->lock held since before size and slot were looked at. A page that is there costs no more: an object's
// lock is taken to make one (else a thousand processes of one program would queue at its file; why this is enough stands
// in vmo.c).
//
// Fault-around: what is present of the 16 pages about the address is mapped along read-only, when a read fault meets an
// object or a layer shared by fork.

#include "mapping.h"
#include "vmo_pages.h"
#include "vmo_slots.h"

#include <kernel/assert.h>
#include <kernel/debug.h>
#include <kernel/epoch.h>
#include <kernel/irq.h>
#include <kernel/process.h>
#include <kernel/trace.h>

#define AROUND_PAGES 16

static unsigned entry_flags(const struct mapping *m, bool writable) {
    return MMU_USER | MMU_READ | (m->prot & MMU_EXECUTE) | (writable ? MMU_WRITE : 0);
}

// Writes the entry, and flushes what it replaces.
static inv_status_t entry_install(struct aspace *as, vaddr_t va, paddr_t pa, unsigned flags) {
    paddr_t replaced = 0;
    inv_status_t status = arch_mmu_map(&as->arch, va, pa, flags, &replaced);

    if (unlikely(status != INV_OK))
        return status;
    if (likely(!replaced)) {
        uint64_t resident = atomic_load_explicit(&as->resident, memory_order_relaxed) + 1;
        atomic_store_explicit(&as->resident, resident, memory_order_relaxed); // only ever changed under as->lock
        if (resident > atomic_load_explicit(&as->resident_peak, memory_order_relaxed))
            atomic_store_explicit(&as->resident_peak, resident, memory_order_relaxed);
    } else if ((replaced & PAGE_MASK) == pa) {
        arch_tlb_flush_page(va); // rights were added: who has the old entry elsewhere takes a fault and comes here
    } else {
        struct tlb_batch batch;
        tlb_begin(&batch, as);
        tlb_add(&batch, va);
        tlb_audit_unmap(as, replaced & PAGE_MASK);
        tlb_flush(&batch);
    }
    return aspace_charge_tables(as);
}

static bool page_is_ours(const struct vmo *anon, const struct page *p, bool exclusive) {
    return !anon->may_share || (exclusive && atomic_load_explicit(&p->count, memory_order_acquire) == 1);
}

// --- private ---------------------------------------------------------------------------------------------------------

// The page of the object at index, if it is there; as->lock of a mapping of it is held.
static struct page *object_page(const struct vmo *object, uint64_t index) {
    if (object->kind != VMO_ANONYMOUS || index >= pages_in(atomic_load_explicit(&object->size, memory_order_acquire)))
        return NULL;
    epoch_enter();
    struct page *p = slots_peek(&object->slots, index);
    epoch_exit();
    return p;
}

// A page for the slot above what the lower layer has at va.
static inv_status_t copy_from_below(struct mapping *m, vaddr_t va, struct page **out) {
    struct page *below = NULL;
    inv_status_t status = INV_OK;

    if (!m->object) {
        *out = page_copy_of(NULL, m->anon->obj.job);
        return *out ? INV_OK : INV_ERR_NO_MEMORY;
    }
    below = object_page(m->object, mapping_object_index(m, va));
    if (!below) {
        mutex_lock(&m->object->lock);
        status = vmo_page_locked(m->object, mapping_object_index(m, va), false, &below);
        mutex_unlock(&m->object->lock);
    }
    if (status == INV_OK && !(*out = page_copy_of(below, m->anon->obj.job)))
        status = INV_ERR_NO_MEMORY;
    return status;
}

static inv_status_t anon_create(struct mapping *m) {
    inv_status_t status = vmo_create_layer(m->aspace->obj.job, &m->anon);

    if (status == INV_OK)
        m->anon_anchor = m->flags & MAPPING_GROWSDOWN ? m->end : m->start;
    return status;
}

static inv_status_t fault_private_write(struct aspace *as, struct mapping *m, vaddr_t va) {
    inv_status_t status;
    bool exclusive;

    if (!m->anon && (status = anon_create(m)) != INV_OK)
        return status;
    struct vmo *anon = m->anon;
    uint64_t index = mapping_anon_index(m, va);
    struct page *p = slots_lookup(&anon->slots, index, &exclusive), *fresh;
    // Not writable when another process's memory is written from outside (access.c).
    unsigned flags = entry_flags(m, m->prot & MMU_WRITE);
    if (p && page_is_ours(anon, p, exclusive))
        return entry_install(as, va, page_to_phys(p), flags);
    struct slot_place place;
    if (!slots_prepare(&anon->slots, index, anon->obj.job, &place))
        return INV_ERR_NO_MEMORY;
    p = slots_at(&place);
    if (p) {
        // The path is ours now. The page may be, too: the other side may have let go meanwhile.
        fresh = page_copy_of(p, anon->obj.job);
        if (!fresh)
            return INV_ERR_NO_MEMORY;
    } else if ((status = copy_from_below(m, va, &fresh)) != INV_OK) {
        return status;
    }
    struct page *old = slots_store(&place, fresh);
    if (!old)
        atomic_fetch_add_explicit(&anon->resident, 1, memory_order_relaxed);
    status = entry_install(as, va, page_to_phys(fresh), flags);
    if (old)
        page_put(old); // after the flush of its entry; if the install failed there was no entry
    return status;
}

static inv_status_t fault_object(struct aspace *as, struct mapping *m, vaddr_t va, bool writable) {
    ASSERT(m->object);
    uint64_t index = mapping_object_index(m, va);
    struct page *p = object_page(m->object, index);
    inv_status_t status = INV_OK;

    if (!p) {
        mutex_lock(&m->object->lock);
        status = vmo_page_locked(m->object, index, true, &p);
        mutex_unlock(&m->object->lock);
    }
    return status == INV_OK ? entry_install(as, va, page_to_phys(p), entry_flags(m, writable)) : status;
}

static inv_status_t fault_private_read(struct aspace *as, struct mapping *m, vaddr_t va) {
    bool exclusive;

    if (m->anon) {
        struct page *p = slots_lookup(&m->anon->slots, mapping_anon_index(m, va), &exclusive);
        if (p) {
            bool writable = m->prot & MMU_WRITE && page_is_ours(m->anon, p, exclusive);
            return entry_install(as, va, page_to_phys(p), entry_flags(m, writable));
        }
    }
    if (m->object)
        return fault_object(as, m, va, false);
    return entry_install(as, va, page_to_phys(page_zero), entry_flags(m, false));
}

// --- shared, physical ------------------------------------------------------------------------------------------------

static inv_status_t fault_physical(struct aspace *as, struct mapping *m, vaddr_t va) {
    uint64_t index = mapping_object_index(m, va);

    if (index >= pages_in(m->object->size))
        return INV_ERR_RANGE;
    unsigned flags = entry_flags(m, m->prot & MMU_WRITE) | (m->object->physical_flags & MMU_UNCACHED);
    return entry_install(as, va, m->object->physical + (index << PAGE_SHIFT), flags);
}

// --- fault-around ----------------------------------------------------------------------------------------------------

// Adds what layer has of the n pages from its index first on to pages, where nothing is yet.
static void around_layer(const struct slot_table *t, uint64_t first, size_t n, struct page **pages) {
    struct page *found[AROUND_PAGES];

    epoch_enter();
    slots_peek_window(t, first, n, found);
    epoch_exit();
    for (size_t i = 0; i < n; i++)
        if (!pages[i])
            pages[i] = found[i];
}

static void fault_around(struct aspace *as, struct mapping *m, vaddr_t va) {
    vaddr_t span = AROUND_PAGES * PAGE_SIZE;
    vaddr_t start = MAX(m->start, ALIGN_DOWN(va, span)), end = MIN(m->end, ALIGN_DOWN(va, span) + span);
    size_t n = (end - start) >> PAGE_SHIFT;
    struct page *pages[AROUND_PAGES] = {NULL};
    paddr_t frames[AROUND_PAGES];
    struct vmo *object = m->object;

    if (m->anon)
        around_layer(&m->anon->slots, mapping_anon_index(m, start), n, pages);
    if (object) {
        uint64_t first = mapping_object_index(m, start),
                 limit = pages_in(atomic_load_explicit(&object->size, memory_order_acquire));
        n = first >= limit ? 0 : MIN(n, (size_t)(limit - first));
        around_layer(&object->slots, first, n, pages);
    }
    for (size_t i = 0; i < n; i++)
        frames[i] = pages[i] ? page_to_phys(pages[i]) : 0;
    if (n > 0) {
        bool writable = object && !mapping_private(m) && m->prot & MMU_WRITE;
        size_t mapped = arch_mmu_map_absent(&as->arch, start, frames, n, entry_flags(m, writable));
        atomic_fetch_add_explicit(&as->resident, mapped, memory_order_relaxed);
    }
}

static bool worth_around(const struct mapping *m) {
    if (m->flags & MAPPING_GROWSDOWN)
        return false;
    return (m->object && m->object->kind == VMO_ANONYMOUS) || (m->anon && m->anon->may_share);
}

// --- entry points ----------------------------------------------------------------------------------------------------

inv_status_t mapping_fault(struct aspace *as, struct mapping *m, vaddr_t va, bool write) {
    inv_status_t status;

    va &= PAGE_MASK;
    if (m->object && m->object->kind == VMO_PHYSICAL)
        return fault_physical(as, m, va);
    if (!mapping_private(m))
        status = fault_object(as, m, va, m->prot & MMU_WRITE);
    else if (m->object &&
             mapping_object_index(m, va) >= pages_in(atomic_load_explicit(&m->object->size, memory_order_acquire)))
        return INV_ERR_RANGE; // even if a private copy is there: a cut of the object takes it out of reach
    else
        status = write ? fault_private_write(as, m, va) : fault_private_read(as, m, va);
    if (status == INV_OK && !write && worth_around(m))
        fault_around(as, m, va);
    return status;
}

// Extends the stack m down to va, if limit, neighbour and layer allow it.
static bool stack_grow(struct aspace *as, struct mapping *m, vaddr_t va) {
    vaddr_t start = va & PAGE_MASK;
    struct mapping *below = mapping_prev(m);
    vaddr_t gap = below && below->prot == 0 ? 0 : STACK_GUARD_GAP;
    vaddr_t floor = below ? below->end + gap : ARCH_USER_BASE;

    if (start < floor || m->end - start > as->stack_limit || as->mapped_bytes + (m->start - start) > as->address_limit)
        return false;
    if (m->object || !mapping_anon_empty(m, start, m->start))
        return false;
    mapping_set_bounds(m, start, m->end);
    return true;
}

struct mapping *mapping_for_fault(struct aspace *as, vaddr_t va) {
    struct mapping *m = mapping_from(as, va);

    if (likely(m && va >= m->start))
        return m;
    if (m && m->flags & MAPPING_GROWSDOWN && va >= ARCH_USER_BASE && stack_grow(as, m, va))
        return m;
    return NULL;
}

// What the mapping must allow; any right allows reading, as on all processors here.
static bool access_allowed(const struct mapping *m, unsigned flags) {
    if (flags & FAULT_WRITE)
        return m->prot & MMU_WRITE;
    if (flags & FAULT_EXECUTE)
        return m->prot & MMU_EXECUTE;
    return m->prot != 0;
}

static inv_status_t fault_refused(struct exception *out, vaddr_t address, unsigned flags, enum exception_kind kind,
                                  bool protection) {
    *out = (struct exception){
        .kind = kind,
        .address = address,
        .write = flags & FAULT_WRITE,
        .execute = flags & FAULT_EXECUTE,
        .protection = protection,
    };
    return INV_ERR_FAULT;
}

inv_status_t aspace_fault(struct aspace *as, vaddr_t address, unsigned flags, struct exception *out) {
    inv_status_t status;

    if (unlikely(address >= ARCH_USER_END))
        return fault_refused(out, address, flags, EXCEPTION_PAGE, false);
    mutex_lock(&as->lock);
    struct mapping *m = mapping_for_fault(as, address);
    if (unlikely(!m))
        status = fault_refused(out, address, flags, EXCEPTION_PAGE, false);
    else if (unlikely(!access_allowed(m, flags)))
        status = fault_refused(out, address, flags, EXCEPTION_PAGE, true);
    else
        status = mapping_fault(as, m, address, flags & FAULT_WRITE);
    mutex_unlock(&as->lock);
    atomic_fetch_add_explicit(&as->faults_minor, 1, memory_order_relaxed);
    if (status == INV_ERR_RANGE)
        return fault_refused(out, address, flags, EXCEPTION_BUS, false);
    if (status == INV_ERR_QUOTA)
        status = INV_ERR_NO_MEMORY;
    return status;
}

static inv_status_t populate_page(struct aspace *as, struct mapping *m, vaddr_t va, enum populate how) {
    bool write = how == POPULATE_LOCK ? mapping_private(m) && m->prot & MMU_WRITE : how == POPULATE_WRITE;

    if (m->prot == 0 || (write && !(m->prot & MMU_WRITE)))
        return INV_ERR_FAULT;
    return mapping_fault(as, m, va, write);
}

inv_status_t aspace_populate(struct aspace *as, vaddr_t start, uint64_t length, enum populate how) {
    inv_status_t status = INV_OK;

    for (vaddr_t va = start; va < start + length && status == INV_OK; va += PAGE_SIZE) {
        mutex_lock(&as->lock);
        struct mapping *m = mapping_find(as, va);
        status = m ? populate_page(as, m, va, how) : INV_ERR_FAULT;
        mutex_unlock(&as->lock);
        if (status == INV_OK && thread_killed(current_thread()))
            status = INV_ERR_INTERRUPTED;
    }
    return status;
}
