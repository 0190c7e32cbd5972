// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Virtual memory objects (kernel/vm/vmo.c). Kinds: anonymous (slots that hold counted pages, zero where empty) and physical (a fixed range). The ONE
// copy-on-write mechanism: a slot of an anonymous VMO holds a counted page, slots stand in counted nodes of a radix tree; a clone shares the root, and
// either side copies the nodes on the path to a slot (bumping the counts of what they hold) when it first writes there; a page is written in place only if
// no node on its path is shared and its count is 1. No parent link, no chain. File systems in memory keep file data in anonymous VMOs; the page cache of later ones is a VMO with a pager behind it.
#ifndef KERNEL_VMO_H
#define KERNEL_VMO_H

#include <arch/usercopy.h>
#include <kernel/mutex.h>
#include <kernel/object.h>
#include <kernel/page.h>

enum vmo_kind { VMO_ANONYMOUS, VMO_PHYSICAL };
#define VMO_MAX_SIZE (1ull << 62)

// Radix tree of 64-slot nodes, each counted, so that a clone shares whole subtrees (kernel/vm/vmo_slots.c).
struct slot_table {
    _Atomic(void *) root; // struct slot_node of level depth - 1; written under the lock
    unsigned depth;       // levels; 0: empty
};

struct vmo {
    struct object obj;
    uint8_t kind;
    uint8_t page_state; // PAGE_ANONYMOUS, or what its owner is accounted as (enum page_state); before there is a page
    struct mutex lock;  // rank VMO
    /* lock: */
    _Atomic uint64_t size;     // bytes; a partial last page reads as zero behind the end
    _Atomic uint64_t resident; // pages held
    struct slot_table slots;
    bool may_share;  // nodes or pages of slots may be shared with a clone
    bool was_mapped; // is or was an object of mappings: set before the first one is on the list, and never cleared
    bool resizable;  // by a program; immutable once it can have a handle
    bool tail_dirty; // was mapped writable: bytes behind size in the last page may not be zero
    struct spinlock mappings_lock; // rank VMO_MAPPINGS
    struct list_node mappings;     // mappings_lock: mappings whose object this is (mapping->vmo_node), for unmapping
    paddr_t physical;              // VMO_PHYSICAL
    unsigned physical_flags;
};
extern struct object_type vmo_type;

// *out has one pointer. size is rounded up to pages by users that map; it may be 0. NO_MEMORY, QUOTA, RANGE.
must_check inv_status_t vmo_create(struct job *job, uint64_t size, struct vmo **out);
must_check inv_status_t vmo_create_physical(struct job *job, paddr_t start, uint64_t size, unsigned mmu_flags,
                                            struct vmo **out);
// A copy-on-write clone of [offset, offset + size), page aligned. One of the whole object costs the same whatever its size (the tree is shared), a part
// costs its resident pages; a source that is mapped is copied page by page (see vmo.c, I3).
must_check inv_status_t vmo_clone(struct vmo *from, uint64_t offset, uint64_t size, struct job *job, struct vmo **out);
static inline void vmo_get(struct vmo *v) {
    object_get(&v->obj);
}
static inline void vmo_put(struct vmo *v) {
    object_put(&v->obj);
}
// Cuts or extends. When it shrinks, pages past the end are unmapped from every address space and freed, the last partial page is zeroed. RANGE, NO_MEMORY.
must_check inv_status_t vmo_resize(struct vmo *v, uint64_t size);
// Frees the whole pages in the range (they read as zero afterwards), zeroes the partial ones. For hole punching and madvise.
must_check inv_status_t vmo_zero_range(struct vmo *v, uint64_t offset, uint64_t length);
// The page at index (offset >> PAGE_SHIFT), counted for the caller. write false: *out is page_zero's NULL equivalent (NULL) if the slot is empty. write true:
// allocates or un-shares so that the page may be written in place. RANGE past the end (rounded up to a page), NO_MEMORY, QUOTA. flags: PAGE_USER ...
must_check inv_status_t vmo_get_page(struct vmo *v, uint64_t index, bool write, struct page **out);
bool vmo_next_resident(struct vmo *v, uint64_t index,
                       uint64_t *out_index); // first resident page at or after index (SEEK_DATA)
// Copies within [0, size); *out_done bytes were copied even when an error is returned (FAULT, NO_MEMORY). Reads past the end are short. Writes do not extend:
// the caller resizes first. No VMO lock is held during a user copy.
inv_status_t vmo_read(struct vmo *v, uint64_t offset, void *to, size_t n, size_t *out_done);
inv_status_t vmo_write(struct vmo *v, uint64_t offset, const void *from, size_t n, size_t *out_done);
inv_status_t vmo_read_user(struct vmo *v, uint64_t offset, void user_ptr *to, size_t n, size_t *out_done);
inv_status_t vmo_write_user(struct vmo *v, uint64_t offset, const void user_ptr *from, size_t n, size_t *out_done);
// The same, page by page, by a function that knows the other side: it moves n bytes to or from a page's memory (page NULL, when reading: a hole's zeros), goes on
// with the next bytes at its next call, and returns how many it could NOT move (then the copy ends with FAULT).
typedef size_t (*vmo_move_fn)(void *context, void *page, size_t n);
inv_status_t vmo_read_by(struct vmo *v, uint64_t offset, size_t n, vmo_move_fn move, void *context, size_t *out_done);
inv_status_t vmo_write_by(struct vmo *v, uint64_t offset, size_t n, vmo_move_fn move, void *context, size_t *out_done);

// Boot, after object_init_boot and slab_init, before the first VMO or address space: types and caches (kernel/vm/vmo.c).
void vm_init_boot(void);

#endif
