// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory of an address space that need not be the current one (exec, ptrace, /proc), and what identifies a futex.
// Thread context.
//
// A page is made present as for a fault and copied through the direct map with as->lock held: whoever takes it from its
// slot has to unmap it here first, and needs the lock for that.

#include "mapping.h"

#include <kernel/cpu.h>
#include <kernel/string.h>

// A private mapping may be written whatever its rights, into its own layer, as debuggers do; a shared one only if it is
// writable.
static bool access_possible(const struct mapping *m, bool write) {
    if (m->prot == 0)
        return false;
    return !write || mapping_private(m) || m->prot & MMU_WRITE;
}

// Copies inside one page, as->lock held.
static inv_status_t page_access(struct aspace *as, vaddr_t va, void *buffer, size_t n, bool write) {
    struct mapping *m = mapping_for_fault(as, va);
    paddr_t pa;

    if (!m || !access_possible(m, write))
        return INV_ERR_FAULT;
    inv_status_t status = mapping_fault(as, m, va, write);
    if (status != INV_OK)
        return status == INV_ERR_RANGE ? INV_ERR_FAULT : status;
    if (!arch_mmu_query(&as->arch, va & PAGE_MASK, &pa, NULL) || !page_from_phys(pa))
        return INV_ERR_FAULT; // device registers are not read on behalf of others
    char *at = (char *)phys_to_virt(pa) + (va & ~PAGE_MASK);
    memcpy(write ? at : buffer, write ? buffer : at, n);
    counter_add(bytes_copied, n);
    return INV_OK;
}

inv_status_t aspace_access(struct aspace *as, vaddr_t address, void *buffer, size_t n, bool write, size_t *out_done) {
    inv_status_t status = INV_OK;
    size_t done = 0;

    while (done < n && status == INV_OK) {
        vaddr_t va = address + done;
        size_t chunk = MIN(n - done, PAGE_SIZE - (va & ~PAGE_MASK));
        if (va < address || va >= ARCH_USER_END) {
            status = INV_ERR_FAULT;
            break;
        }
        mutex_lock(&as->lock);
        status = page_access(as, va, (char *)buffer + done, chunk, write);
        mutex_unlock(&as->lock);
        if (status == INV_OK)
            done += chunk;
    }
    *out_done = done;
    return status;
}

inv_status_t aspace_borrow(struct aspace *as, vaddr_t va, bool write, void (*fn)(void *at, void *arg), void *arg) {
    inv_status_t status = INV_ERR_NOT_PRESENT;
    paddr_t pa;

    if (va >= ARCH_USER_END)
        return status;
    mutex_lock(&as->lock);
    struct mapping *m = mapping_for_fault(as, va);
    if (m != NULL && (m->prot & (write ? MMU_WRITE : MMU_READ))) {
        status = mapping_fault(as, m, va, write);
        if (status == INV_ERR_RANGE || status == INV_ERR_FAULT)
            status = INV_ERR_NOT_PRESENT;
        if (status == INV_OK && (!arch_mmu_query(&as->arch, va & PAGE_MASK, &pa, NULL) || !page_from_phys(pa)))
            status = INV_ERR_NOT_PRESENT; // device registers are not lent
        if (status == INV_OK)
            fn((char *)phys_to_virt(pa) + (va & ~PAGE_MASK), arg);
    }
    mutex_unlock(&as->lock);
    return status;
}

inv_status_t aspace_futex_key(struct aspace *as, vaddr_t address, bool shared, struct object **out_object,
                              uint64_t *out_offset) {
    inv_status_t status = INV_OK;

    if (!IS_ALIGNED(address, sizeof(uint32_t)))
        return INV_ERR_INVALID;
    if (address >= ARCH_USER_END)
        return INV_ERR_FAULT;
    *out_object = &as->obj;
    *out_offset = address;
    if (shared) {
        mutex_lock(&as->lock);
        struct mapping *m = mapping_find(as, address);
        if (!m) {
            status = INV_ERR_FAULT;
        } else if (!mapping_private(m) && m->object) {
            *out_object = &m->object->obj;
            *out_offset = m->object_offset + (address - m->start);
        }
        if (status == INV_OK)
            object_get(*out_object);
        mutex_unlock(&as->lock);
        return status;
    }
    object_get(*out_object);
    return INV_OK;
}
