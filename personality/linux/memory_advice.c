// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// madvise and process_madvise. Each mapping of the range is judged and changed by itself, from below; the first error ends it, holes are passed over and told at the end, as on
// Linux. Advice about paging, huge pages and same pages is checked and changes nothing: there is none of the three. Context: system call.
#include "memory.h"
#include "pidfd.h"
#include "process.h"

#include <arch/usercopy.h>
#include <kernel/slab.h>

static struct aspace *here(void) {
    return current_process()->aspace;
}

enum madvice {
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MADV_DONTNEED,
    MADV_FREE = 8,
    MADV_REMOVE,
    MADV_DONTFORK,
    MADV_DOFORK,
    MADV_MERGEABLE,
    MADV_UNMERGEABLE,
    MADV_HUGEPAGE,
    MADV_NOHUGEPAGE,
    MADV_DONTDUMP,
    MADV_DODUMP,
    MADV_WIPEONFORK,
    MADV_KEEPONFORK,
    MADV_COLD,
    MADV_PAGEOUT,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_DONTNEED_LOCKED,
    MADV_COLLAPSE, // MADV_HWPOISON and MADV_SOFT_OFFLINE are not in the kernel that this follows
};

static bool is_device(const struct mapping_info *m) {
    return m->object != NULL && m->object->kind == VMO_PHYSICAL;
}

// Pages of it can be given back, or aged.
static bool is_pageable(const struct mapping_info *m) {
    return !(m->flags & (MAPPING_LOCKED | MAPPING_FIXED_KERNEL)) && !is_device(m);
}

// A hole in the file, or in memory shared without one.
static int64_t remove_pages(const struct mapping_info *m, vaddr_t start, vaddr_t end) {
    enum { PUNCH_HOLE_KEEP_SIZE = 3 };
    uint64_t offset = m->object_offset + (start - m->start);
    if ((m->flags & (MAPPING_LOCKED | MAPPING_FIXED_KERNEL)) || m->object == NULL || is_device(m))
        return -LINUX_EINVAL;
    if (!(m->flags & MAPPING_SHARED) || !(m->max_prot & MMU_WRITE))
        return -LINUX_EACCES;
    if (m->owner == NULL)
        return linux_result(vmo_zero_range(m->object, offset, end - start));
    return linux_result(file_fallocate(file_of_mapping(m->owner), PUNCH_HOLE_KEEP_SIZE, offset, end - start));
}

static int64_t change(struct aspace *as, vaddr_t start, vaddr_t end, unsigned clear, unsigned set) {
    return linux_result(aspace_change_flags(as, start, end - start, clear, set));
}

// Collapsing needs whole huge pages: the range has none, or none can be had.
static int64_t collapse(const struct mapping_info *m, vaddr_t start, vaddr_t end) {
    const uint64_t huge = MIB(2);
    if (m->flags & MAPPING_FIXED_KERNEL || is_device(m) || ALIGN_UP(start, huge) >= ALIGN_DOWN(end, huge))
        return -LINUX_EINVAL;
    return -LINUX_ENOMEM;
}

// One piece, within one mapping.
static int64_t advise_piece(struct aspace *as, const struct mapping_info *m, vaddr_t start, vaddr_t end,
                            enum madvice advice) {
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
        if (is_device(m) || (advice == MADV_DONTNEED && (m->flags & MAPPING_LOCKED)))
            return -LINUX_EINVAL;
        return linux_result(aspace_discard(as, start, end - start));
    case MADV_FREE:
        if (!is_pageable(m) || m->object != NULL || (m->flags & MAPPING_SHARED))
            return -LINUX_EINVAL;
        return linux_result(aspace_discard(as, start, end - start));
    case MADV_REMOVE: return remove_pages(m, start, end);
    case MADV_DONTFORK: return change(as, start, end, 0, MAPPING_DONTFORK);
    case MADV_DOFORK: return is_device(m) ? -LINUX_EINVAL : change(as, start, end, MAPPING_DONTFORK, 0);
    case MADV_WIPEONFORK:
        if (m->object != NULL || (m->flags & MAPPING_SHARED))
            return -LINUX_EINVAL;
        return change(as, start, end, 0, MAPPING_WIPEONFORK);
    case MADV_KEEPONFORK: return change(as, start, end, MAPPING_WIPEONFORK, 0);
    case MADV_DONTDUMP: return change(as, start, end, 0, MAPPING_DONTDUMP);
    case MADV_DODUMP:
        return is_device(m) || (m->flags & MAPPING_FIXED_KERNEL) ? -LINUX_EINVAL
                                                                 : change(as, start, end, MAPPING_DONTDUMP, 0);
    case MADV_COLD:
    case MADV_PAGEOUT: return is_pageable(m) ? 0 : -LINUX_EINVAL;
    case MADV_COLLAPSE: return collapse(m, start, end);
    default: return 0;
    }
}

static int64_t advise(struct aspace *as, vaddr_t start, vaddr_t end, enum madvice advice) {
    struct mapping_info m;
    int64_t hole = 0, result;
    for (vaddr_t at = start; at < end; at = m.end) {
        if (!aspace_describe(as, at, &m))
            return -LINUX_ENOMEM;
        if (m.start > at)
            hole = -LINUX_ENOMEM;
        result = m.start < end ? advise_piece(as, &m, MAX(at, m.start), MIN(m.end, end), advice) : 0;
        mapping_info_put(&m);
        if (result != 0)
            return result;
        if (thread_killed(current_thread()))
            return -LINUX_EINTR;
    }
    return hole;
}

// Faults pages in as if they were read or written, without touching what is in them.
static int64_t populate(vaddr_t start, vaddr_t end, bool write) {
    struct mapping_info m;
    for (vaddr_t at = start; at < end; at = m.end) {
        if (!aspace_describe(here(), at, &m))
            return -LINUX_ENOMEM;
        mapping_info_put(&m);
        if (m.start > at)
            return -LINUX_ENOMEM;
        if (is_device(&m) || m.prot == 0 || (write && !(m.prot & MMU_WRITE)))
            return -LINUX_EINVAL;
        inv_status_t s = aspace_populate(here(), at, MIN(m.end, end) - at, write ? POPULATE_WRITE : POPULATE_READ);
        if (s != INV_OK)
            return s == INV_ERR_RANGE ? -LINUX_EFAULT : linux_result(s);
    }
    return 0;
}

static bool advice_is_known(int advice) {
    return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || (advice >= MADV_FREE && advice <= MADV_COLLAPSE);
}

// Pages are populated in the current address space alone.
static int64_t advise_range(struct aspace *as, uint64_t start, uint64_t wanted, int advice) {
    uint64_t length = ALIGN_UP(wanted, PAGE_SIZE);

    if (!advice_is_known(advice) || (start & ~PAGE_MASK) || (wanted != 0 && length == 0) || start + length < start)
        return -LINUX_EINVAL;
    if (length == 0)
        return 0;
    bool beyond = !linux_range_is_user(start, length);
    vaddr_t end = beyond ? ARCH_USER_END : start + length;
    if (start >= end)
        return -LINUX_ENOMEM;
    int64_t result = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE
                         ? populate(start, end, advice == MADV_POPULATE_WRITE)
                         : advise(as, start, end, (enum madvice)advice);
    return result == 0 && beyond ? -LINUX_ENOMEM : result;
}

int64_t linux_madvise(struct arch_frame *f) {
    return advise_range(here(), LINUX_ARG(f, 0), LINUX_ARG(f, 1), (int)LINUX_ARG(f, 2));
}

// --- of another process -----------------------------------------------------------------------------------------------

#define VECTORS_MAX 1024u

struct range { // struct iovec
    uint64_t start, length;
};

static int64_t ranges_get(uint64_t user, uint64_t count, struct range **out) {
    int64_t result = 0;
    *out = NULL;
    if (count > VECTORS_MAX)
        return -LINUX_EINVAL;
    if (count == 0)
        return 0;
    struct range *r = kmalloc(count * sizeof(*r));
    if (r == NULL)
        return -LINUX_ENOMEM;
    if (arch_copy_from_user(r, (const void user_ptr *)(uintptr_t)user, count * sizeof(*r)) != INV_OK)
        result = -LINUX_EFAULT;
    for (uint64_t i = 0; i < count && result == 0; i++)
        result = (int64_t)r[i].length < 0                       ? -LINUX_EINVAL
                 : linux_range_is_user(r[i].start, r[i].length) ? 0
                                                                : -LINUX_EFAULT;
    if (result != 0) {
        kfree(r);
        return result;
    }
    *out = r;
    return 0;
}

static int64_t advise_process(struct linux_process *p, const struct range *r, uint64_t count, int advice) {
    if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED && advice != MADV_COLLAPSE)
        return -LINUX_EINVAL;
    struct aspace *as = linux_process_aspace(p);
    if (as == NULL)
        return -LINUX_ESRCH;
    int64_t result = !linux_may_inspect(p)                         ? -LINUX_EACCES
                     : !token_capable(linux_token(), CAP_SYS_NICE) ? -LINUX_EPERM
                                                                   : 0;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count && result == 0; i++) {
        result = advise_range(as, r[i].start, r[i].length, advice);
        sum += result == 0 ? r[i].length : 0;
    }
    aspace_put(as);
    return sum != 0 ? (int64_t)sum : result;
}

int64_t linux_process_madvise(struct arch_frame *f) {
    struct linux_process *p;
    struct range *r;
    bool ignored;
    if (LINUX_ARG(f, 4) != 0)
        return -LINUX_EINVAL;
    int64_t result = ranges_get(LINUX_ARG(f, 1), LINUX_ARG(f, 2), &r);
    if (result != 0)
        return result;
    result = linux_pidfd_get((int)LINUX_ARG(f, 0), &ignored, &p);
    if (result == 0) {
        result = advise_process(p, r, LINUX_ARG(f, 2), (int)LINUX_ARG(f, 3));
        linux_process_put(p);
    }
    kfree(r);
    return result;
}
