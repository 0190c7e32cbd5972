// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Address regions (kernel/vm/region.c): parts of a process's address space that can be handed out. Whoever has a region may map, unmap and protect in it and
// nowhere else; regions nest.
#ifndef KERNEL_REGION_H
#define KERNEL_REGION_H

#include <kernel/object.h>

struct process;
struct region {
    struct object obj;
    /* immutable after create: */
    struct process *process; // counted
    uint32_t aspace_id;      // of the address space that it is of: an exec ends it
    vaddr_t base;
    uint64_t size;
    struct region *parent; // counted; NULL: the whole address space
    unsigned depth;
    /* atomic: */
    _Atomic bool destroyed; // with all that is in it
};
extern struct object_type region_type;

#define REGION_DEPTH_MAX 16
#define REGION_ANYWHERE  UINT64_MAX

// The region that is the whole of p's address space. BAD_STATE (it has ended), NO_MEMORY, QUOTA.
must_check inv_status_t region_create_root(struct process *p, struct region **out);
// A part of parent, at offset from its base, or where there is room. It is set aside: nothing else goes there, and an access faults. BAD_STATE (parent is
// destroyed, or its address space has ended), INVALID (not whole pages, or none), RANGE (outside of parent, too deep), EXISTS (something is there), NO_MEMORY, QUOTA.
must_check inv_status_t region_create(struct region *parent, uint64_t offset, uint64_t size, struct region **out);
// Unmaps all that is in it, and gives its place back to its parent; regions within it are destroyed with it. BAD_STATE; INVALID for a root.
must_check inv_status_t region_destroy(struct region *r);
void region_init_boot(void);

#endif
