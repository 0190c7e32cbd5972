// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID/smaps and smaps_rollup, and the sums over an address space that status and statm show. What is resident is counted in the page table, mapping
// by mapping, with the address space locked. Context: thread.
//
// All files are in memory, so that their pages count as dirty, as those of tmpfs do in Linux. A page of an object counts as shared if the object has other
// mappings; one that fork shared copy-on-write counts as its own process's (CAVEATS.md).
#include "../proc.h"

struct smaps {
    uint64_t size, resident, shared, private, pss, referenced, anonymous; // bytes
};

struct smaps_walk {
    struct smaps *sums;
    const struct mapping *mapping;
    unsigned mappings; // of the object, this one included
};

static enum mmu_visit page_visit(void *arg, vaddr_t va, paddr_t pa, unsigned flags) {
    struct smaps_walk *w = arg;
    struct smaps *s = w->sums;
    const struct page *page = page_from_phys(pa);

    (void)va;
    if (page == NULL || page == page_zero || (page->state != PAGE_ANONYMOUS && page->state != PAGE_FILE))
        return MMU_VISIT_KEEP; // the kernel's, as [vdso]
    bool own = !(w->mapping->flags & MAPPING_SHARED) && page->state == PAGE_ANONYMOUS;
    unsigned users = own ? MAX(atomic_load_explicit(&page->count, memory_order_relaxed), 1u) : w->mappings;
    s->resident += PAGE_SIZE;
    s->anonymous += own ? PAGE_SIZE : 0;
    s->referenced += flags & MMU_ACCESSED ? PAGE_SIZE : 0;
    *(users > 1 ? &s->shared : &s->private) += PAGE_SIZE;
    s->pss += PAGE_SIZE / users;
    return MMU_VISIT_KEEP;
}

static unsigned mappings_of(struct vmo *object) {
    struct mapping *m;
    unsigned n = 0;

    if (object == NULL)
        return 1;
    spin_lock(&object->mappings_lock);
    list_for_each(m, &object->mappings, vmo_node)
        n++;
    spin_unlock(&object->mappings_lock);
    return MAX(n, 1u);
}

// Adds one mapping. Address space locked.
static void mapping_add(const struct mapping *m, struct smaps *to) {
    struct smaps_walk w = {.sums = to, .mapping = m, .mappings = mappings_of(m->object)};

    to->size += m->end - m->start;
    (void)arch_mmu_visit(&m->aspace->arch, m->start, m->end, page_visit, &w);
}

static void kib(struct proc_text *t, const char *name, uint64_t bytes) {
    proc_print(t, "%s:%*s%8lu kB\n", name, (int)(15 - strlen(name)), "", bytes >> 10);
}

static void sums_print(struct proc_text *t, const struct smaps *s) {
    kib(t, "Rss", s->resident);
    kib(t, "Pss", s->pss);
    kib(t, "Pss_Dirty", s->pss);
}

static void shares_print(struct proc_text *t, const struct smaps *s, uint64_t locked) {
    kib(t, "Shared_Clean", 0);
    kib(t, "Shared_Dirty", s->shared);
    kib(t, "Private_Clean", 0);
    kib(t, "Private_Dirty", s->private);
    kib(t, "Referenced", s->referenced);
    kib(t, "Anonymous", s->anonymous);
    kib(t, "LazyFree", 0);
    kib(t, "AnonHugePages", 0);
    kib(t, "ShmemPmdMapped", 0);
    kib(t, "FilePmdMapped", 0);
    kib(t, "Shared_Hugetlb", 0);
    kib(t, "Private_Hugetlb", 0);
    kib(t, "Swap", 0);
    kib(t, "SwapPss", 0);
    kib(t, "Locked", locked);
}

static void flags_print(struct proc_text *t, const struct mapping *m) {
    proc_print(t, "THPeligible:    0\nVmFlags: %s%s%s%s%s%s%s%s%s%s\n", m->prot & MMU_READ ? "rd " : "",
               m->prot & MMU_WRITE ? "wr " : "", m->prot & MMU_EXECUTE ? "ex " : "",
               m->flags & MAPPING_SHARED ? "sh " : "", m->max_prot & MMU_READ ? "mr " : "",
               m->max_prot & MMU_WRITE ? "mw " : "", m->max_prot & MMU_EXECUTE ? "me " : "",
               m->flags & MAPPING_GROWSDOWN ? "gd " : "", m->flags & MAPPING_DONTFORK ? "dc " : "",
               m->flags & MAPPING_LOCKED ? "lo " : "");
}

static bool smaps_show(const struct mapping *m, void *arg) {
    struct proc_maps *maps = arg;
    struct proc_text *t = maps->text;
    struct smaps s = {0};

    proc_maps_line(maps, m);
    mapping_add(m, &s);
    kib(t, "Size", s.size);
    kib(t, "KernelPageSize", PAGE_SIZE);
    kib(t, "MMUPageSize", PAGE_SIZE);
    uint64_t locked = m->flags & MAPPING_LOCKED ? s.pss : 0;
    sums_print(t, &s);
    shares_print(t, &s, locked);
    flags_print(t, m);
    return !t->failed;
}

void proc_show_smaps(struct proc_text *t, const struct proc_node *n) {
    proc_maps_visit(t, n, smaps_show);
}

struct rollup {
    struct smaps sums, anonymous, file, locked;
    vaddr_t first, last;
};

static bool rollup_add(const struct mapping *m, void *arg) {
    struct rollup *r = arg;
    struct smaps before = r->sums;

    if (r->last == 0)
        r->first = m->start;
    r->last = m->end;
    mapping_add(m, &r->sums);
    if (m->flags & MAPPING_LOCKED)
        r->locked.pss += r->sums.pss - before.pss;
    // A private page of a file that was written is anonymous.
    bool anonymous = r->sums.anonymous != before.anonymous;
    *(anonymous ? &r->anonymous.pss : &r->file.pss) += r->sums.pss - before.pss;
    return true;
}

void proc_show_smaps_rollup(struct proc_text *t, const struct proc_node *n) {
    struct aspace *as = linux_process_aspace(n->process);
    struct rollup r = {0};

    if (as == NULL)
        return;
    aspace_for_each(as, rollup_add, &r);
    aspace_put(as);
    size_t before = t->used;
    proc_print(t, "%08lx-%08lx ---p 00000000 00:00 0 ", r.first, r.last);
    while (t->used - before < 73 && !t->failed)
        proc_append(t, " ", 1);
    proc_print(t, "[rollup]\n");
    sums_print(t, &r.sums);
    kib(t, "Pss_Anon", r.anonymous.pss);
    kib(t, "Pss_File", 0);
    kib(t, "Pss_Shmem", r.file.pss);
    shares_print(t, &r.sums, r.locked.pss);
}

// --- sums for status and statm ---

static bool pages_add(const struct mapping *m, void *arg) {
    mapping_add(m, arg);
    return true;
}

void proc_pages_count(struct aspace *as, struct proc_pages *out) {
    struct smaps s = {0};

    aspace_for_each(as, pages_add, &s);
    *out = (struct proc_pages){.anonymous = s.anonymous, .file = s.resident - s.anonymous};
}

static bool areas_add(const struct mapping *m, void *arg) {
    struct proc_areas *a = arg;
    uint64_t pages = (m->end - m->start) >> PAGE_SHIFT;

    if (m->flags & MAPPING_GROWSDOWN)
        a->stack += pages;
    else if ((m->prot & (MMU_EXECUTE | MMU_WRITE)) == MMU_EXECUTE)
        a->code += pages;
    else if ((m->prot & MMU_WRITE) && !(m->flags & MAPPING_SHARED))
        a->data += pages;
    return true;
}

void proc_areas_sum(struct aspace *as, struct proc_areas *out) {
    *out = (struct proc_areas){0};
    aspace_for_each(as, areas_add, out);
}
