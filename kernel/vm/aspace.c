// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Address spaces: creation and end, mapping, unmapping, protection, the program break. Thread context; called by the
// personality for memory calls and exec. Faults: fault.c. fork: fork.c. mremap: remap.c. Which processors have it
// loaded: shootdown.c.
//
// Each call validates and allocates what it may need (a mapping, and one for each end that may have to be cut) before
// it takes the lock, then checks limits, then changes; what is left over is freed after the lock.
//
// Invariants:
//  I1. Page table entries only exist inside mappings, and lead to pages that a slot of the mapping's layers holds, to
//      page_zero, or to device registers.
//  I2. A page leaves its slot only after its entries are gone and flushed (tlb_flush); or when no processor has the
//      table loaded any more (delete).
//  I3. A writable entry leads to a page that may be written in place (vmo_slots.c, I3), and stands in a mapping that is
//      writable.
// Locking: as->lock (rank ASPACE) for all of it; then the object's lock for what the object holds.

#include "mapping.h"
#include "vmo_pages.h"

#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/slab.h>

#define PROT_ALL (MMU_READ | MMU_WRITE | MMU_EXECUTE)

static struct slab_cache aspace_cache;
static _Atomic uint32_t next_id = 1;
static _Atomic uint32_t dying; // address spaces whose memory is being freed

inv_status_t aspace_create(struct job *job, struct aspace **out) {
    struct aspace *as = slab_zalloc(&aspace_cache);

    if (!as)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = arch_aspace_create(&as->arch);
    if (status != INV_OK)
        goto no_table;
    status = object_init(&as->obj, &aspace_type, job);
    if (status != INV_OK)
        goto no_object;
    mutex_init(&as->lock, LOCK_RANK_ASPACE);
    as->mmap_top = ARCH_USER_END - MIB(128);
    as->stack_limit = MIB(8);
    as->address_limit = UINT64_MAX;
    as->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    status = aspace_charge_tables(as);
    if (status != INV_OK) {
        aspace_put(as);
        return status;
    }
    *out = as;
    return INV_OK;
no_object:
    arch_aspace_destroy(&as->arch);
no_table:
    slab_free(&aspace_cache, as);
    return status;
}

static void aspace_delete(struct object *o) {
    struct aspace *as = container_of(o, struct aspace, obj);
    struct list_node doomed = LIST_INIT(doomed);

    atomic_fetch_add_explicit(&dying, 1, memory_order_relaxed);
    tlb_drop_aspace(as);
    mutex_lock(&as->lock); // a pass of vmo_unmap_range may be among the mappings
    for (struct rb_node *n = rb_first(&as->mappings); n; n = rb_next(n)) {
        struct mapping *m = rb_entry(n, struct mapping, node);
        if (m->object) {
            spin_lock(&m->object->mappings_lock);
            list_remove(&m->vmo_node);
            spin_unlock(&m->object->mappings_lock);
        }
        mapping_doom(m, &doomed);
    }
    mutex_unlock(&as->lock);
    aspace_wait_visitors(as);
    mapping_bury(&doomed);
    arch_aspace_destroy(&as->arch);
    if (as->charged_tables && o->job)
        job_uncharge(o->job, JOB_MEMORY, (uint64_t)as->charged_tables * PAGE_SIZE);
    object_free(&as->obj);
    atomic_fetch_sub_explicit(&dying, 1, memory_order_relaxed);
}

bool aspace_any_dying(void) {
    return atomic_load_explicit(&dying, memory_order_relaxed) > 0;
}

struct object_type aspace_type = {
    .name = "aspace",
    .default_rights = INV_RIGHTS_ALL,
    .size = sizeof(struct aspace),
    .cache = &aspace_cache,
    .delete = aspace_delete,
};

void aspace_init_boot(void) {
    slab_cache_init(&aspace_cache, "aspace", sizeof(struct aspace), 0);
    mapping_init_boot();
    object_type_register(&aspace_type);
}

inv_status_t aspace_charge_tables(struct aspace *as) {
    uint32_t tables = atomic_load_explicit(&as->arch.table_pages, memory_order_relaxed);

    if (likely(tables <= as->charged_tables) || !as->obj.job)
        return INV_OK;
    inv_status_t status = job_charge(as->obj.job, JOB_MEMORY, (uint64_t)(tables - as->charged_tables) * PAGE_SIZE);
    if (status == INV_OK)
        as->charged_tables = tables;
    return status;
}

// --- map -------------------------------------------------------------------------------------------------------------

// The heuristic of overcommit: what could never be had is refused at once, all else is found out at the faults.
static bool length_is_hopeless(uint64_t length, unsigned prot, unsigned flags) {
    struct page_stats stats;

    if (!(prot & MMU_WRITE) || flags & (MAPPING_SHARED | MAPPING_NORESERVE) || length < MIB(1))
        return false;
    page_get_stats(&stats);
    return length >> PAGE_SHIFT > stats.total;
}

static inv_status_t request_check(const struct map_request *r, uint64_t *out_length) {
    uint64_t length = ALIGN_UP(r->length, (uint64_t)PAGE_SIZE);

    if (r->length == 0 || (r->prot | r->max_prot) & ~PROT_ALL || !IS_ALIGNED(r->object_offset, PAGE_SIZE))
        return INV_ERR_INVALID;
    if (length < r->length || length > ARCH_USER_END - ARCH_USER_BASE)
        return INV_ERR_NO_MEMORY;
    if (r->place & MAP_AT &&
        (!IS_ALIGNED(r->address, PAGE_SIZE) || r->address < ARCH_USER_BASE || r->address > ARCH_USER_END - length))
        return !IS_ALIGNED(r->address, PAGE_SIZE) ? INV_ERR_INVALID : INV_ERR_NO_MEMORY;
    if (r->prot & ~r->max_prot)
        return INV_ERR_ACCESS;
    if (r->object && (r->object_offset + length < length || r->object_offset + length > VMO_MAX_SIZE))
        return INV_ERR_INVALID;
    if (r->object && r->object->kind == VMO_PHYSICAL && !(r->flags & MAPPING_SHARED) && r->max_prot & MMU_WRITE)
        return INV_ERR_INVALID; // device registers are not copied
    if (length_is_hopeless(length, r->prot, r->flags))
        return INV_ERR_NO_MEMORY;
    *out_length = length;
    return INV_OK;
}

static uint64_t bytes_mapped_in(struct aspace *as, vaddr_t start, vaddr_t end) {
    uint64_t bytes = 0;

    for (struct mapping *m = mapping_from(as, start); m && m->start < end; m = mapping_next(m))
        bytes += MIN(m->end, end) - MAX(m->start, start);
    return bytes;
}

// Chooses the place; EXISTS, NO_MEMORY.
static inv_status_t request_place(struct aspace *as, const struct map_request *r, uint64_t length, vaddr_t *out) {
    vaddr_t at = r->place & MAP_AT ? r->address : ALIGN_DOWN(r->address, (vaddr_t)PAGE_SIZE);
    bool usable = at >= ARCH_USER_BASE && at <= ARCH_USER_END - length;
    uint64_t replaced = 0;

    if (r->place & MAP_AT) {
        if (r->place & MAP_REPLACE)
            replaced = bytes_mapped_in(as, at, at + length);
        else if (!mapping_range_free(as, at, at + length))
            return INV_ERR_EXISTS;
    } else if (!r->address || !usable || !mapping_room(as, at, at + length)) {
        at = mapping_gap_find(as, length);
        if (!at)
            return INV_ERR_NO_MEMORY;
    }
    if (as->mapping_count >= ASPACE_MAX_MAPPINGS || as->mapped_bytes - replaced + length > as->address_limit)
        return INV_ERR_NO_MEMORY;
    *out = at;
    return INV_OK;
}

static inv_status_t object_prepare(const struct map_request *r) {
    inv_status_t status = INV_OK;

    if (!r->object || r->object->kind != VMO_ANONYMOUS)
        return INV_OK;
    mutex_lock(&r->object->lock);
    if (r->object->may_share)
        status = vmo_make_exclusive(r->object);
    if (status == INV_OK)
        r->object->was_mapped = true;
    if (r->flags & MAPPING_SHARED && r->max_prot & MMU_WRITE)
        r->object->tail_dirty = true;
    mutex_unlock(&r->object->lock);
    return status;
}

static bool may_lock(const struct vmo *object, unsigned flags) {
    return !(flags & MAPPING_FIXED_KERNEL) && (!object || object->kind != VMO_PHYSICAL);
}

static void mapping_fill(struct mapping *m, const struct map_request *r, vaddr_t at, uint64_t length) {
    m->start = at;
    m->end = at + length;
    m->prot = r->prot;
    m->max_prot = r->max_prot;
    m->flags = (r->flags & ~MAPPING_POPULATE) | (may_lock(r->object, r->flags) ? m->aspace->lock_future : 0);
    m->object = r->object;
    m->object_offset = r->object ? r->object_offset : 0;
    m->owner = r->owner;
    m->label = r->label;
    if (m->object)
        vmo_get(m->object);
    if (m->owner)
        m->owner->ops->get(m->owner);
}

// Takes the lock with two spare mappings in hand if start or end fall into the middle of a mapping (and may cut it).
// NO_MEMORY: the lock is not held.
static inv_status_t lock_with_spares(struct aspace *as, vaddr_t start, vaddr_t end, struct mapping *spares[2]) {
    mutex_lock(&as->lock);
    const struct mapping *low = mapping_find(as, start), *high = mapping_find(as, end);
    if (likely((!low || low->start == start) && (!high || high->start == end)))
        return INV_OK;
    mutex_unlock(&as->lock);
    spares[0] = mapping_alloc(as);
    spares[1] = mapping_alloc(as);
    if (!spares[0] || !spares[1])
        return INV_ERR_NO_MEMORY;
    mutex_lock(&as->lock);
    return INV_OK;
}

// The part of aspace_map under the lock. *m becomes NULL when it is in the tree.
static inv_status_t map_locked(struct aspace *as, const struct map_request *r, uint64_t length, struct mapping **m,
                               struct mapping *spares[2], struct list_node *doomed, vaddr_t *out_at,
                               bool *out_populate) {
    inv_status_t status = request_place(as, r, length, out_at);
    vaddr_t at = *out_at;

    if (status == INV_OK)
        status = object_prepare(r);
    if (status == INV_OK && (r->place & (MAP_AT | MAP_REPLACE)) == (MAP_AT | MAP_REPLACE))
        status = aspace_unmap_locked(as, at, at + length, spares, doomed);
    if (status != INV_OK)
        return status;
    mapping_fill(*m, r, at, length);
    mapping_insert(as, *m);
    *out_populate = r->flags & MAPPING_POPULATE ||
                    ((*m)->flags & (MAPPING_LOCKED | MAPPING_LOCK_ONFAULT)) == MAPPING_LOCKED;
    *m = NULL;
    mapping_merge(as, at, at + length, doomed);
    return INV_OK;
}

inv_status_t aspace_map(struct aspace *as, const struct map_request *r, vaddr_t *out_address) {
    struct list_node doomed = LIST_INIT(doomed);
    struct mapping *spares[2] = {NULL, NULL}, *m = NULL;
    uint64_t length;
    bool populate = false;
    vaddr_t at = 0;

    inv_status_t status = request_check(r, &length);
    if (status != INV_OK)
        return status;
    m = mapping_alloc(as);
    status = m ? lock_with_spares(as, r->address, r->address + length, spares) : INV_ERR_NO_MEMORY;
    if (status == INV_OK) {
        status = map_locked(as, r, length, &m, spares, &doomed, &at, &populate);
        mutex_unlock(&as->lock);
        mapping_bury(&doomed);
    }
    if (status == INV_OK && populate)
        (void)!aspace_populate(as, at, length, POPULATE_LOCK);
    *out_address = at;
    mapping_free(m);
    mapping_free(spares[0]);
    mapping_free(spares[1]);
    return status;
}

// --- unmap, protect, discard -----------------------------------------------------------------------------------------

// Cuts mappings so that none crosses start or end. Takes from spares what it uses.
static void cut_at_ends(struct aspace *as, vaddr_t start, vaddr_t end, struct mapping *spares[2]) {
    vaddr_t at[2] = {start, end};

    for (unsigned i = 0; i < 2; i++) {
        struct mapping *m = mapping_find(as, at[i]);
        if (!m || m->start == at[i])
            continue;
        ASSERT(spares[i]);
        mapping_split(m, at[i], spares[i]);
        spares[i] = NULL;
    }
}

// Gives table pages back that nothing uses any more around the hole [start, end), up to the mappings next to it.
static void tables_trim(struct aspace *as, vaddr_t start, vaddr_t end) {
    struct mapping *next = mapping_from(as, start), *prev = next ? mapping_prev(next) : NULL;
    struct rb_node *last = next ? NULL : rb_last(&as->mappings);

    if (last)
        prev = rb_entry(last, struct mapping, node);
    vaddr_t low = prev ? ALIGN_UP(prev->end, (vaddr_t)ARCH_TABLE_SPAN) : 0;
    vaddr_t high = next ? ALIGN_DOWN(next->start, (vaddr_t)ARCH_TABLE_SPAN) : ARCH_USER_END;
    low = MAX(low, ALIGN_DOWN(start, (vaddr_t)ARCH_TABLE_SPAN));
    high = MIN(high, ALIGN_UP(end, (vaddr_t)ARCH_TABLE_SPAN));
    if (low >= high)
        return;
    struct page *list = arch_mmu_detach_tables(&as->arch, low, high);
    if (!list)
        return;
    struct tlb_batch batch;
    tlb_begin(&batch, as);
    tlb_add(&batch, low); // the whole range: processors also remember the way through tables
    tlb_add(&batch, high - PAGE_SIZE);
    tlb_flush(&batch);
    while (list) {
        struct page *p = list;
        list = p->next_cached;
        page_put(p);
    }
    uint32_t tables = atomic_load_explicit(&as->arch.table_pages, memory_order_relaxed);
    if (tables < as->charged_tables && as->obj.job) {
        job_uncharge(as->obj.job, JOB_MEMORY, (uint64_t)(as->charged_tables - tables) * PAGE_SIZE);
        as->charged_tables = tables;
    }
}

inv_status_t aspace_unmap_locked(struct aspace *as, vaddr_t start, vaddr_t end, struct mapping *spares[2],
                                 struct list_node *doomed) {
    struct mapping *m = mapping_from(as, start), *next;
    struct tlb_batch batch;

    if (!m || m->start >= end)
        return INV_OK;
    if (m->start < start && m->end > end && as->mapping_count >= ASPACE_MAX_MAPPINGS)
        return INV_ERR_NO_MEMORY; // a hole in the middle makes one more
    cut_at_ends(as, start, end, spares);
    tlb_begin(&batch, as);
    mapping_unmap_pages(as, start, end, &batch);
    tlb_flush(&batch);
    for (m = mapping_from(as, start); m && m->start < end; m = next) {
        next = mapping_next(m);
        // Another mapping has the rest of the layer: without memory to copy shared nodes of the table our part of it
        // stays behind, unreachable, until the layer goes (merging and growing look whether slots are free).
        if (m->anon && atomic_load_explicit(&m->anon->obj.pointers, memory_order_relaxed) > 1)
            (void)!mapping_discard_anon(m, m->start, m->end);
        mapping_remove(as, m);
        mapping_doom(m, doomed);
    }
    tables_trim(as, start, end);
    return INV_OK;
}

// Bounds of a call on [start, start + length); false if they are bad.
static bool range_check(vaddr_t start, uint64_t length, vaddr_t *out_end) {
    uint64_t rounded = ALIGN_UP(length, (uint64_t)PAGE_SIZE);

    if (!IS_ALIGNED(start, PAGE_SIZE) || rounded < length || start + rounded < start || start + rounded > ARCH_USER_END)
        return false;
    *out_end = start + rounded;
    return true;
}

// A call that may have to cut two mappings: runs fn with the lock held and two spares, and drops what it doomed.
typedef inv_status_t (*range_fn)(struct aspace *as, vaddr_t start, vaddr_t end, uint64_t what,
                                 struct mapping *spares[2], struct list_node *doomed);
static inv_status_t with_spares(struct aspace *as, vaddr_t start, vaddr_t end, uint64_t what, range_fn fn) {
    struct list_node doomed = LIST_INIT(doomed);
    struct mapping *spares[2] = {NULL, NULL};
    inv_status_t status = lock_with_spares(as, start, end, spares);

    if (status == INV_OK) {
        status = fn(as, start, end, what, spares, &doomed);
        mutex_unlock(&as->lock);
        mapping_bury(&doomed);
    }
    mapping_free(spares[0]);
    mapping_free(spares[1]);
    return status;
}

static inv_status_t unmap_range(struct aspace *as, vaddr_t start, vaddr_t end, uint64_t what, struct mapping *spares[2],
                                struct list_node *doomed) {
    (void)what;
    return aspace_unmap_locked(as, start, end, spares, doomed);
}

inv_status_t aspace_unmap(struct aspace *as, vaddr_t start, uint64_t length) {
    vaddr_t end;

    if (length == 0 || !range_check(start, length, &end))
        return INV_ERR_INVALID;
    return with_spares(as, start, end, 0, unmap_range);
}

// Takes rights away from the entries of m; what may be given comes with the next fault.
static void entries_restrict(struct mapping *m, struct tlb_batch *batch) {
    if (m->prot == 0) {
        mapping_unmap_pages(m->aspace, m->start, m->end, batch);
        return;
    }
    unsigned flags = MMU_USER | MMU_READ | (m->prot & MMU_EXECUTE);
    if (m->object && m->object->kind == VMO_PHYSICAL)
        flags |= m->object->physical_flags & MMU_UNCACHED;
    size_t n = arch_mmu_protect(&m->aspace->arch, m->start, m->end, flags);
    if (n == 0)
        return;
    tlb_add(batch, m->start);
    tlb_add(batch, m->end - PAGE_SIZE);
    batch->entries += n;
}

static inv_status_t protect_range(struct aspace *as, vaddr_t start, vaddr_t end, uint64_t what,
                                  struct mapping *spares[2], struct list_node *doomed) {
    unsigned prot = (unsigned)what;
    struct mapping *m = mapping_find(as, start);
    inv_status_t status = INV_OK;
    struct tlb_batch batch;
    vaddr_t at = start;

    if (!m)
        return INV_ERR_NO_MEMORY;
    if (as->mapping_count + 2 > ASPACE_MAX_MAPPINGS)
        return INV_ERR_NO_MEMORY;
    tlb_begin(&batch, as);
    for (; at < end; m = mapping_next(m)) {
        if (!m || m->start > at) {
            status = INV_ERR_NO_MEMORY;
            break;
        }
        if (prot & ~m->max_prot) {
            status = INV_ERR_ACCESS;
            break;
        }
        if (m->prot != prot) {
            if (m->start < at || m->end > end) {
                cut_at_ends(as, MAX(m->start, start), MIN(m->end, end), spares);
                m = mapping_find(as, at);
            }
            m->prot = prot;
            entries_restrict(m, &batch);
        }
        at = m->end;
    }
    tlb_flush(&batch);
    mapping_merge(as, start, end, doomed);
    return status;
}

inv_status_t aspace_protect(struct aspace *as, vaddr_t start, uint64_t length, unsigned prot) {
    vaddr_t end;

    if (!range_check(start, length, &end) || prot & ~PROT_ALL)
        return INV_ERR_INVALID;
    return end == start ? INV_OK : with_spares(as, start, end, prot, protect_range);
}

#define CHANGE_CLEAR_SHIFT 32 // of the flags to clear, beside those to set

static inv_status_t flags_range(struct aspace *as, vaddr_t start, vaddr_t end, uint64_t change,
                                struct mapping *spares[2], struct list_node *doomed) {
    struct mapping *m = mapping_find(as, start);
    inv_status_t status = INV_OK;

    if (as->mapping_count + 2 > ASPACE_MAX_MAPPINGS)
        return INV_ERR_NO_MEMORY;
    for (vaddr_t at = start; at < end; m = mapping_next(m)) {
        if (!m || m->start > at) {
            status = INV_ERR_NO_MEMORY;
            break;
        }
        unsigned set = (unsigned)change;
        if (!may_lock(m->object, m->flags))
            set &= ~(MAPPING_LOCKED | MAPPING_LOCK_ONFAULT);
        unsigned flags = (m->flags & ~(unsigned)(change >> CHANGE_CLEAR_SHIFT)) | set;
        if (m->flags != flags) {
            if (m->start < at || m->end > end) {
                cut_at_ends(as, MAX(m->start, start), MIN(m->end, end), spares);
                m = mapping_find(as, at);
            }
            as->locked_bytes -= m->flags & MAPPING_LOCKED ? m->end - m->start : 0;
            as->locked_bytes += flags & MAPPING_LOCKED ? m->end - m->start : 0;
            m->flags = flags;
        }
        at = m->end;
    }
    mapping_merge(as, start, end, doomed);
    return status;
}

inv_status_t aspace_change_flags(struct aspace *as, vaddr_t start, uint64_t length, unsigned clear, unsigned set) {
    vaddr_t end;

    if (!range_check(start, length, &end))
        return INV_ERR_INVALID;
    return end == start ? INV_OK
                        : with_spares(as, start, end, set | (uint64_t)clear << CHANGE_CLEAR_SHIFT, flags_range);
}

inv_status_t aspace_discard(struct aspace *as, vaddr_t start, uint64_t length) {
    inv_status_t status = INV_OK;
    struct tlb_batch batch;
    vaddr_t end, at = start;

    if (!range_check(start, length, &end))
        return INV_ERR_INVALID;
    mutex_lock(&as->lock);
    tlb_begin(&batch, as);
    mapping_unmap_pages(as, start, end, &batch);
    tlb_flush(&batch);
    for (struct mapping *m = mapping_from(as, start); m && m->start < end; m = mapping_next(m)) {
        if (m->start > at)
            status = INV_ERR_NO_MEMORY; // a hole: the rest is done all the same
        inv_status_t discarded = mapping_discard_anon(m, MAX(m->start, start), MIN(m->end, end));
        if (discarded != INV_OK)
            status = discarded;
        at = m->end;
    }
    mutex_unlock(&as->lock);
    return at < end ? INV_ERR_NO_MEMORY : status;
}

// --- program break, visits -------------------------------------------------------------------------------------------

// Makes [start, end) part of the heap. spare becomes a mapping of its own (and NULL) if none can be extended.
static bool heap_grow(struct aspace *as, vaddr_t start, vaddr_t end, struct mapping **spare) {
    struct mapping *m = mapping_find(as, start - PAGE_SIZE);

    if (end > ARCH_USER_END || !mapping_room(as, start, end) || as->mapped_bytes + (end - start) > as->address_limit ||
        length_is_hopeless(end - as->brk_start, MMU_WRITE, 0))
        return false;
    if (m && m->flags & MAPPING_HEAP && m->end == start && m->prot == (MMU_READ | MMU_WRITE) &&
        (as->lock_future == 0 || m->flags & MAPPING_LOCKED) && mapping_anon_empty(m, start, end)) {
        mapping_set_bounds(m, m->start, end);
        return true;
    }
    if (as->mapping_count >= ASPACE_MAX_MAPPINGS || !*spare)
        return false;
    struct map_request r = {
        .prot = MMU_READ | MMU_WRITE, .max_prot = PROT_ALL, .flags = MAPPING_HEAP, .label = "[heap]"};
    mapping_fill(*spare, &r, start, end - start);
    mapping_insert(as, *spare);
    *spare = NULL;
    return true;
}

vaddr_t aspace_set_brk(struct aspace *as, vaddr_t brk, uint64_t data_limit) {
    struct list_node doomed = LIST_INIT(doomed);
    struct mapping *spares[2] = {mapping_alloc(as), mapping_alloc(as)};

    mutex_lock(&as->lock);
    vaddr_t old_end = ALIGN_UP(as->brk, (vaddr_t)PAGE_SIZE), new_end = ALIGN_UP(brk, (vaddr_t)PAGE_SIZE);
    bool done = brk >= as->brk_start && brk < ARCH_USER_END && as->brk_start != 0;
    if (done && new_end > old_end)
        done = brk - as->brk_start <= data_limit && heap_grow(as, old_end, new_end, &spares[0]);
    else if (done && new_end < old_end)
        done = spares[0] && spares[1] && aspace_unmap_locked(as, new_end, old_end, spares, &doomed) == INV_OK;
    if (done)
        as->brk = brk;
    vaddr_t result = as->brk;
    mutex_unlock(&as->lock);
    mapping_bury(&doomed);
    mapping_free(spares[0]);
    mapping_free(spares[1]);
    return result;
}

bool aspace_describe(struct aspace *as, vaddr_t va, struct mapping_info *out) {
    mutex_lock(&as->lock);
    struct mapping *m = mapping_from(as, va);
    if (m) {
        *out = (struct mapping_info){
            .start = m->start,
            .end = m->end,
            .prot = m->prot,
            .max_prot = m->max_prot,
            .flags = m->flags,
            .object = m->object,
            .object_offset = m->object_offset,
            .owner = m->owner,
        };
        if (m->object)
            vmo_get(m->object);
        if (m->owner)
            m->owner->ops->get(m->owner);
    }
    mutex_unlock(&as->lock);
    return m != NULL;
}

void mapping_info_put(struct mapping_info *i) {
    if (i->object)
        vmo_put(i->object);
    if (i->owner)
        i->owner->ops->put(i->owner);
}

void aspace_for_each(struct aspace *as, bool (*fn)(const struct mapping *m, void *arg), void *arg) {
    mutex_lock(&as->lock);
    for (struct rb_node *n = rb_first(&as->mappings); n; n = rb_next(n))
        if (!fn(rb_entry(n, struct mapping, node), arg))
            break;
    mutex_unlock(&as->lock);
}
