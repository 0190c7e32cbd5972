// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Address regions, and the native calls on them (abi/idl/core.idl). Thread context, may sleep.
//
// A region is a range and a permission, not a second table of mappings: what is free in a region below the root is a mapping without access ("[region]"), which
// mappings in it replace and which comes back when they go. So the address space's own tree is all there is to search, and the Linux calls of the process see
// what is set aside.
//
// Invariants:
//   I1  A region lies within its parent; two regions of one parent do not overlap: the later one found the reservation of the first.
//   I2  Nothing is changed outside [base, base + size) of the address space whose number is aspace_id.
//   I3  A region is dead when it or one above it is destroyed. What is under way meanwhile may still map into the range, which is the process's own again.
#include <kernel/aspace.h>
#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/native_calls.h>
#include <kernel/process.h>
#include <kernel/region.h>
#include <kernel/slab.h>

static struct slab_cache region_cache;
static const char reserved_label[] = "[region]";

static void region_delete(struct object *o) {
    struct region *r = container_of(o, struct region, obj);
    struct process *p = r->process;
    struct region *parent = r->parent;

    object_fini(o);
    slab_free(&region_cache, r);
    object_put(&p->obj);
    if (parent != NULL)
        object_put(&parent->obj); // at most REGION_DEPTH_MAX deep
}

struct object_type region_type = {
    .name = "region",
    .number = INV_OBJECT_REGION,
    .default_rights = INV_RIGHT_MAP | INV_RIGHT_MANAGE | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct region),
    .delete = region_delete,
};

void region_init_boot(void) {
    slab_cache_init(&region_cache, "region", sizeof(struct region), 0);
    object_type_register(&region_type);
}

static bool region_alive(const struct region *r) {
    for (; r != NULL; r = r->parent)
        if (atomic_load_explicit(&r->destroyed, memory_order_relaxed))
            return false;
    return true;
}

// The address space that r is of, counted; NULL: it has ended, or r has.
static struct aspace *region_aspace(struct region *r) {
    struct aspace *as = region_alive(r) ? process_aspace_get(r->process) : NULL;

    if (as != NULL && as->id != r->aspace_id) {
        aspace_put(as);
        as = NULL;
    }
    return as;
}

static inv_status_t region_make(struct process *p, uint32_t aspace_id, struct region *parent, struct region **out) {
    struct region *r = slab_zalloc(&region_cache);
    if (r == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&r->obj, &region_type, p->obj.job);
    if (status != INV_OK) {
        slab_free(&region_cache, r);
        return status;
    }
    object_get(&p->obj);
    r->process = p;
    r->aspace_id = aspace_id;
    if (parent != NULL)
        object_get(&parent->obj);
    r->parent = parent;
    r->depth = parent != NULL ? parent->depth + 1 : 0;
    *out = r;
    return INV_OK;
}

inv_status_t region_create_root(struct process *p, struct region **out) {
    struct aspace *as = process_aspace_get(p);
    if (as == NULL)
        return INV_ERR_BAD_STATE;
    inv_status_t status = region_make(p, as->id, NULL, out);
    aspace_put(as);
    if (status == INV_OK)
        (*out)->size = ARCH_USER_END;
    return status;
}

// --- places ---

static bool is_reserved(const struct mapping_info *m) {
    return m->prot == 0 && m->max_prot == 0 && m->object == NULL;
}

// Whether all of [start, start + size) is set aside in r and free (in a root: unmapped); *out_next: behind what is in the way.
static bool place_free(struct aspace *as, const struct region *r, vaddr_t start, uint64_t size, vaddr_t *out_next) {
    struct mapping_info m;
    vaddr_t at = start;

    while (at < start + size) {
        bool found = aspace_describe(as, at, &m);
        bool here = found && m.start <= at, reserved = found && is_reserved(&m);
        vaddr_t m_start = found ? m.start : UINT64_MAX, m_end = found ? m.end : 0;
        if (found)
            mapping_info_put(&m);
        if (r->parent == NULL) {
            *out_next = m_end;
            return m_start >= start + size;
        }
        if (!here || !reserved) {
            *out_next = here ? m_end : m_start; // a hole that a Linux call has made is not ours any more
            return false;
        }
        at = m_end;
    }
    return true;
}

// Where size bytes are free in a region below the root. First fit.
static inv_status_t place_find(struct aspace *as, const struct region *r, uint64_t size, vaddr_t *out) {
    vaddr_t end = r->base + r->size, at = r->base, next = 0;

    while (at < end && size <= end - at) {
        if (place_free(as, r, at, size, &next)) {
            *out = at;
            return INV_OK;
        }
        if (next <= at)
            break;
        at = next;
        if (thread_killed(current_thread()))
            return INV_ERR_INTERRUPTED;
    }
    return INV_ERR_NO_MEMORY;
}

static bool range_in(const struct region *r, vaddr_t address, uint64_t size) {
    return address >= r->base && address - r->base <= r->size && size <= r->size - (address - r->base);
}

// Maps m->length bytes into r, at offset or where there is room. The address space is not locked between the look for room and the mapping: two who look at
// once may find the same place, and one of them replaces the other's. They are threads with the same right to the same region.
static inv_status_t region_place(struct aspace *as, struct region *r, uint64_t offset, struct map_request *m,
                                 vaddr_t *out) {
    vaddr_t next;

    if (offset == REGION_ANYWHERE) {
        if (r->parent == NULL)
            return aspace_map(as, m, out);
        inv_status_t status = place_find(as, r, m->length, &m->address);
        if (status != INV_OK)
            return status;
    } else {
        if (offset > r->size || m->length > r->size - offset)
            return INV_ERR_RANGE;
        m->address = r->base + offset;
        if (r->parent != NULL && !place_free(as, r, m->address, m->length, &next))
            return INV_ERR_EXISTS;
    }
    m->place = r->parent == NULL ? MAP_AT : MAP_AT | MAP_REPLACE;
    return aspace_map(as, m, out);
}

// What was mapped in r goes; below the root the place stays set aside.
static inv_status_t region_clear(struct aspace *as, const struct region *r, vaddr_t start, uint64_t size) {
    struct map_request reserve = {.address = start,
                                  .length = size,
                                  .place = MAP_AT | MAP_REPLACE,
                                  .flags = MAPPING_NORESERVE,
                                  .label = reserved_label};
    vaddr_t at;

    return r == NULL || r->parent == NULL ? aspace_unmap(as, start, size) : aspace_map(as, &reserve, &at);
}

static bool whole_pages(uint64_t a, uint64_t b) {
    return b != 0 && IS_ALIGNED(a, PAGE_SIZE) && IS_ALIGNED(b, PAGE_SIZE);
}

inv_status_t region_create(struct region *parent, uint64_t offset, uint64_t size, struct region **out) {
    struct map_request m = {.length = size, .flags = MAPPING_NORESERVE, .label = reserved_label};
    struct region *r;

    if (!whole_pages(offset == REGION_ANYWHERE ? 0 : offset, size))
        return INV_ERR_INVALID;
    if (parent->depth + 1 > REGION_DEPTH_MAX)
        return INV_ERR_RANGE;
    struct aspace *as = region_aspace(parent);
    if (as == NULL)
        return INV_ERR_BAD_STATE;
    inv_status_t status = region_make(parent->process, parent->aspace_id, parent, &r);
    if (status == INV_OK) {
        status = region_place(as, parent, offset, &m, &r->base);
        r->size = size;
        if (status == INV_OK)
            *out = r;
        else
            object_put(&r->obj);
    }
    aspace_put(as);
    return status;
}

inv_status_t region_destroy(struct region *r) {
    struct aspace *as;

    if (r->parent == NULL)
        return INV_ERR_INVALID;
    as = region_aspace(r);
    if (as == NULL || atomic_exchange(&r->destroyed, true)) {
        if (as != NULL)
            aspace_put(as);
        return INV_ERR_BAD_STATE;
    }
    inv_status_t status = region_clear(as, r->parent, r->base, r->size);
    aspace_put(as);
    return status;
}

// --- native calls ---

inv_status_t sys_process_region(struct process *process, struct region **out_region) {
    return region_create_root(process, out_region);
}

inv_status_t sys_region_create(struct region *parent, uint64_t offset, uint64_t size, struct region **out_region,
                               uint64_t *out_address) {
    inv_status_t status = region_create(parent, offset, size, out_region);
    if (status == INV_OK)
        *out_address = (*out_region)->base;
    return status;
}

inv_status_t sys_region_destroy(struct region *region) {
    return region_destroy(region);
}

static unsigned prot_of(inv_map_protections_t protection) {
    return (protection & INV_MAP_PROTECTION_READ ? MMU_READ : 0) |
           (protection & INV_MAP_PROTECTION_WRITE ? MMU_WRITE : 0) |
           (protection & INV_MAP_PROTECTION_EXECUTE ? MMU_EXECUTE : 0);
}

// Nothing is writable and executable at once.
static bool protection_sane(inv_map_protections_t protection) {
    return (protection & INV_MAP_PROTECTION_WRITE) == 0 || (protection & INV_MAP_PROTECTION_EXECUTE) == 0;
}

static unsigned prot_allowed(inv_rights_t rights) {
    return (rights & INV_RIGHT_READ ? MMU_READ : 0) |
           ((rights & (INV_RIGHT_READ | INV_RIGHT_WRITE)) == (INV_RIGHT_READ | INV_RIGHT_WRITE) ? MMU_WRITE : 0) |
           (rights & INV_RIGHT_EXECUTE ? MMU_EXECUTE : 0);
}

inv_status_t sys_region_map(struct region *region, inv_handle_t vmo, uint64_t vmo_offset, uint64_t size,
                            uint64_t offset, inv_map_protections_t protection, uint64_t *out_address) {
    struct object *o;
    inv_rights_t rights;
    inv_status_t status = handle_lookup_rights(&current_process()->handles, vmo, &vmo_type, INV_RIGHT_MAP, &o, &rights);
    if (status != INV_OK)
        return status;
    struct map_request m = {.length = size,
                            .prot = prot_of(protection),
                            .max_prot = prot_allowed(rights),
                            .flags = MAPPING_SHARED,
                            .object = container_of(o, struct vmo, obj),
                            .object_offset = vmo_offset};
    struct aspace *as = NULL;
    if ((m.prot & ~m.max_prot) != 0)
        status = INV_ERR_ACCESS;
    else if (!protection_sane(protection) || !whole_pages(vmo_offset, size) ||
             (offset != REGION_ANYWHERE && !IS_ALIGNED(offset, PAGE_SIZE)) || vmo_offset + size < size)
        status = INV_ERR_INVALID;
    else if ((as = region_aspace(region)) == NULL)
        status = INV_ERR_BAD_STATE;
    if (status == INV_OK)
        status = region_place(as, region, offset, &m, out_address);
    if (as != NULL)
        aspace_put(as);
    object_put(o);
    return status;
}

inv_status_t sys_region_unmap(struct region *region, uint64_t address, uint64_t size) {
    if (!whole_pages(address, size))
        return INV_ERR_INVALID;
    if (!range_in(region, address, size))
        return INV_ERR_RANGE;
    struct aspace *as = region_aspace(region);
    if (as == NULL)
        return INV_ERR_BAD_STATE;
    inv_status_t status = region_clear(as, region, address, size);
    aspace_put(as);
    return status;
}

inv_status_t sys_region_protect(struct region *region, uint64_t address, uint64_t size,
                                inv_map_protections_t protection) {
    if (!protection_sane(protection) || !whole_pages(address, size))
        return INV_ERR_INVALID;
    if (!range_in(region, address, size))
        return INV_ERR_RANGE;
    struct aspace *as = region_aspace(region);
    if (as == NULL)
        return INV_ERR_BAD_STATE;
    inv_status_t status = aspace_protect(as, address, size, prot_of(protection));
    aspace_put(as);
    return status == INV_ERR_NO_MEMORY ? INV_ERR_NOT_FOUND : status;
}
