// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID/pagemap: eight bytes for each page of the address space, at its number times eight; and clear_refs, which forgets what was used. Context: thread.
//
//   63 present   61 of a file, or shared   56 nobody else has it   55 changed since marks were cleared   54..0 frame, for CAP_SYS_ADMIN
//
// Marks of changed pages cannot be cleared here: every page of a mapping counts as changed, as in Linux until they are.
//
// Locking: the address space's lock while entries are made, into kernel memory; never over a copy to the reader.
#include "../proc.h"

#include <kernel/slab.h>

#define ENTRY           8u
#define ENTRIES_MAX     512u
#define ENTRY_PRESENT   (1ull << 63)
#define ENTRY_FILE      (1ull << 61)
#define ENTRY_EXCLUSIVE (1ull << 56)
#define ENTRY_CHANGED   (1ull << 55)
#define ENTRY_FRAME     ((1ull << 55) - 1)

struct pagemap {
    struct aspace *as; // counted, or NULL
    bool frames;       // who opened it may know them
};

static inv_status_t pagemap_open(struct inode *inode, struct file *f) {
    struct linux_process *p = proc_node(inode)->process;
    struct pagemap *m;

    if (!linux_may_inspect(p))
        return INV_ERR_ACCESS;
    m = kzalloc(sizeof(*m));
    if (m == NULL)
        return INV_ERR_NO_MEMORY;
    m->as = linux_process_aspace(p);
    m->frames = token_capable(linux_token(), CAP_SYS_ADMIN);
    f->data = m;
    return INV_OK;
}

static void pagemap_release(struct file *f) {
    struct pagemap *m = f->data;

    if (m == NULL)
        return;
    if (m->as != NULL)
        aspace_put(m->as);
    kfree(m);
}

struct pagemap_walk {
    const struct pagemap *map;
    vaddr_t start, end;
    uint64_t *out;
    const struct mapping *mapping;
};

static enum mmu_visit entry_visit(void *arg, vaddr_t va, paddr_t pa, unsigned flags) {
    struct pagemap_walk *w = arg;
    const struct page *page = page_from_phys(pa);
    uint64_t *entry = &w->out[(va - w->start) >> PAGE_SHIFT];

    (void)flags;
    *entry |= ENTRY_PRESENT | (w->map->frames ? (pa >> PAGE_SHIFT) & ENTRY_FRAME : 0);
    if (page == NULL || page == page_zero || (page->state != PAGE_ANONYMOUS && page->state != PAGE_FILE))
        return MMU_VISIT_KEEP;
    if ((w->mapping->flags & MAPPING_SHARED) || page->state == PAGE_FILE)
        *entry |= ENTRY_FILE;
    else if (atomic_load_explicit(&page->count, memory_order_relaxed) <= 1)
        *entry |= ENTRY_EXCLUSIVE;
    return MMU_VISIT_KEEP;
}

static bool mapping_visit(const struct mapping *m, void *arg) {
    struct pagemap_walk *w = arg;
    vaddr_t start = MAX(m->start, w->start), end = MIN(m->end, w->end);

    if (m->start >= w->end)
        return false;
    if (start >= end)
        return true;
    w->mapping = m;
    for (vaddr_t va = start; va < end; va += PAGE_SIZE)
        w->out[(va - w->start) >> PAGE_SHIFT] = ENTRY_CHANGED;
    arch_mmu_visit(&m->aspace->arch, start, end, entry_visit, w);
    return true;
}

static inv_status_t pagemap_read(struct file *f, struct io *io, uint64_t *position, size_t *out_done) {
    const struct pagemap *m = f->data;
    inv_status_t s = INV_OK;

    *out_done = 0;
    if (m->as == NULL)
        return INV_OK;
    if (*position % ENTRY != 0 || io->left % ENTRY != 0)
        return INV_ERR_INVALID;
    uint64_t *entries = kmalloc(ENTRIES_MAX * ENTRY);
    if (entries == NULL)
        return INV_ERR_NO_MEMORY;
    while (io->left > 0 && s == INV_OK && *position / ENTRY < ARCH_USER_END >> PAGE_SHIFT) {
        uint64_t first = *position / ENTRY;
        size_t done,
            n = (size_t)MIN(MIN(io->left / ENTRY, (uint64_t)ENTRIES_MAX), (ARCH_USER_END >> PAGE_SHIFT) - first);
        struct pagemap_walk w = {
            .map = m, .start = first << PAGE_SHIFT, .end = (first + n) << PAGE_SHIFT, .out = entries};
        memset(entries, 0, n * ENTRY);
        aspace_for_each(m->as, mapping_visit, &w);
        s = io_to(io, entries, n * ENTRY, &done);
        *position += done;
        *out_done += done;
        if (thread_killed(current_thread()))
            break;
    }
    kfree(entries);
    return *out_done > 0 ? INV_OK : s;
}

static inv_status_t pagemap_seek(struct file *f, int64_t offset, int whence, uint64_t *out_position) {
    if (whence != 0 && whence != 1)
        return INV_ERR_INVALID;
    *out_position = (whence == 1 ? f->position : 0) + (uint64_t)offset;
    return INV_OK;
}

const struct file_ops proc_pagemap_ops = {
    .open = pagemap_open, .release = pagemap_release, .read = pagemap_read, .seek = pagemap_seek};

// --- clear_refs -----------------------------------------------------------------------------------------------------

enum { CLEAR_ALL = 1, CLEAR_ANONYMOUS, CLEAR_MAPPED, CLEAR_CHANGED, CLEAR_PEAK, CLEAR_LAST = CLEAR_PEAK };

static enum mmu_visit forget_visit(void *arg, vaddr_t va, paddr_t pa, unsigned flags) {
    const struct page *page = page_from_phys(pa);

    (void)arg;
    (void)va;
    return (flags & MMU_ACCESSED) && page != NULL ? MMU_VISIT_CLEAR_ACCESSED : MMU_VISIT_KEEP;
}

static bool forget(const struct mapping *m, void *arg) {
    unsigned what = *(const unsigned *)arg;

    if (what == CLEAR_ALL || (what == CLEAR_MAPPED) == (m->owner != NULL))
        arch_mmu_visit(&m->aspace->arch, m->start, m->end, forget_visit, NULL);
    return true;
}

int64_t proc_store_clear_refs(const struct proc_node *n, char *text) {
    uint64_t value;

    if (!proc_parse_number(text, &value) || value < CLEAR_ALL || value > CLEAR_LAST || value == CLEAR_CHANGED)
        return -LINUX_EINVAL;
    struct aspace *as = linux_process_aspace(n->process);
    if (as == NULL)
        return 0;
    unsigned what = (unsigned)value;
    if (what == CLEAR_PEAK)
        atomic_store(&as->resident_peak, atomic_load(&as->resident));
    else
        aspace_for_each(as, forget, &what);
    aspace_put(as);
    return 0;
}
