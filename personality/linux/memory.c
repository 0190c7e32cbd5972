// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The calls on memory: mmap and its kin, brk, msync, mincore (madvise: memory_advice.c, mlock: memory_lock.c). Decoding and Linux's order of errors; the work is the address space's
// (kernel/aspace.h). Context: system call.
#include "calls.h"

#include "memory.h"
#include "process.h"

#include <arch/usercopy.h>

#define PROT_READ      1u
#define PROT_WRITE     2u
#define PROT_EXEC      4u
#define PROT_GROWSDOWN 0x01000000u
#define PROT_GROWSUP   0x02000000u

#define MAP_SHARED          0x01u
#define MAP_PRIVATE         0x02u
#define MAP_SHARED_VALIDATE 0x03u
#define MAP_TYPE            0x0fu
#define MAP_FIXED           0x10u
#define MAP_ANONYMOUS       0x20u
#define MAP_GROWSDOWN       0x0100u
#define MAP_LOCKED          0x2000u
#define MAP_NORESERVE       0x4000u
#define MAP_POPULATE        0x8000u
#define MAP_NONBLOCK        0x10000u
#define MAP_HUGETLB         0x40000u
#define MAP_FIXED_NOREPLACE 0x100000u
#define MAP_HUGE_SIZES      (31u << 26)
#define MAP_32BIT           0x40u
// What MAP_SHARED_VALIDATE accepts; others ignore unknown flags.
#define MAP_KNOWN                                                                                            \
    (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | 0x0800u | 0x1000u | MAP_LOCKED | MAP_NORESERVE | \
     MAP_POPULATE | MAP_NONBLOCK | 0x20000u | MAP_HUGETLB | MAP_FIXED_NOREPLACE | MAP_HUGE_SIZES)
#define MIN_ADDRESS   65536u // vm.mmap_min_addr
#define CAP_SYS_RAWIO 17

static struct aspace *here(void) {
    return current_process()->aspace;
}

static unsigned prot_decode(uint64_t prot) {
    unsigned p = (prot & PROT_READ ? MMU_READ : 0) | (prot & PROT_WRITE ? MMU_WRITE : 0) |
                 (prot & PROT_EXEC ? MMU_EXECUTE : 0);
    return p & MMU_WRITE ? p | MMU_READ : p; // the processor has no writing without reading
}

// --- mmap ---

// A private or shared mapping of a file: permissions by how it was opened.
static int64_t file_decode(struct file *file, uint64_t prot, unsigned type, struct map_request *r,
                           struct file_mapping *mapping) {
    r->max_prot = MMU_READ | MMU_WRITE | MMU_EXECUTE;
    if (r->object_offset > VMO_MAX_SIZE || r->length > VMO_MAX_SIZE - r->object_offset)
        return -LINUX_EOVERFLOW; // beyond what a file can have
    if (type != MAP_PRIVATE) {
        if ((prot & PROT_WRITE) && !file_writable(file))
            return -LINUX_EACCES;
        if (!file_writable(file))
            r->max_prot &= ~MMU_WRITE;
    }
    if (!file_readable(file))
        return -LINUX_EACCES;
    if (vfs_path_mount_flags(&file->path) & MOUNT_NOEXEC) {
        if (prot & PROT_EXEC)
            return -LINUX_EPERM;
        r->max_prot &= ~MMU_EXECUTE;
    }
    inv_status_t s = file_map_begin(file, type != MAP_PRIVATE, (prot & PROT_WRITE) != 0, mapping);
    if (s != INV_OK)
        return s == INV_ERR_NOT_SUPPORTED ? -LINUX_ENODEV : linux_result(s);
    if (!mapping->may_write)
        r->max_prot &= ~MMU_WRITE;
    r->object = mapping->vmo;
    r->owner = mapping->owner;
    return 0;
}

// Memory shared by nobody's file: an object of its own.
static int64_t anonymous_decode(unsigned type, struct map_request *r) {
    r->max_prot = MMU_READ | MMU_WRITE | MMU_EXECUTE;
    r->object_offset = 0;
    if (type == MAP_PRIVATE)
        return 0;
    return linux_result(vmo_create(linux_job(), r->length, &r->object));
}

static int64_t type_decode(uint64_t flags, bool file, struct map_request *r) {
    switch (flags & MAP_TYPE) {
    case MAP_SHARED: break;
    case MAP_SHARED_VALIDATE:
        if (!file)
            return -LINUX_EINVAL;
        if (flags & ~MAP_KNOWN)
            return -LINUX_EOPNOTSUPP;
        break;
    case MAP_PRIVATE: return 0;
    default: return -LINUX_EINVAL;
    }
    if (flags & MAP_GROWSDOWN)
        return -LINUX_EINVAL;
    r->flags |= MAPPING_SHARED;
    return 0;
}

static int64_t place_decode(uint64_t address, uint64_t flags, struct map_request *r) {
    r->address = ALIGN_DOWN(address, PAGE_SIZE);
    if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
        if (r->address != 0 && r->address < MIN_ADDRESS)
            r->address = MIN_ADDRESS; // a hint
        return 0;
    }
    r->place = MAP_AT | (flags & MAP_FIXED_NOREPLACE ? 0 : MAP_REPLACE);
    if (address & ~PAGE_MASK)
        return -LINUX_EINVAL;
    if (r->length > ARCH_USER_END || address > ARCH_USER_END - r->length)
        return -LINUX_ENOMEM;
    if (address < MIN_ADDRESS && !token_capable(linux_token(), CAP_SYS_RAWIO))
        return -LINUX_EPERM;
    return 0;
}

// MAP_32BIT: the lowest place between 1 and 2 GiB, as for code that reaches its data by 32 bits.
static inv_status_t map_low(struct map_request *r, vaddr_t *out_at) {
    const vaddr_t low = GIB(1), high = GIB(2);
    struct mapping_info m;
    r->place = MAP_AT;
    for (vaddr_t at = low; r->length <= high - low && at <= high - r->length;) {
        bool any = aspace_describe(here(), at, &m);
        if (any)
            mapping_info_put(&m);
        if (any && m.start < at + r->length) {
            at = m.end;
            continue;
        }
        r->address = at;
        inv_status_t s = aspace_map(here(), r, out_at);
        if (s != INV_ERR_EXISTS) // another thread was faster: look again
            return s;
    }
    return INV_ERR_NO_MEMORY;
}

static int64_t map_do(struct map_request *r, struct file *file, uint64_t prot, uint64_t flags) {
    struct file_mapping mapping;
    vaddr_t at;
    int64_t result = place_decode(r->address, flags, r);

    if (result == 0)
        result = type_decode(flags, file != NULL, r);
    if (result == 0)
        result = file != NULL ? file_decode(file, prot, flags & MAP_TYPE, r, &mapping)
                              : anonymous_decode(flags & MAP_TYPE, r);
    if (result != 0)
        return result;
    bool is_low = (flags & MAP_32BIT) != 0 && !(r->place & MAP_AT);
    inv_status_t s = is_low ? map_low(r, &at) : aspace_map(here(), r, &at);
    if (file != NULL)
        file_map_end(&mapping);
    else if (r->object != NULL)
        vmo_put(r->object);
    return s == INV_OK ? (int64_t)at : linux_result(s);
}

// Would length bytes more of what is (to be) locked be too much?
static bool lock_limit_passed(unsigned mapping_flags, uint64_t length) {
    return ((mapping_flags | here()->lock_future) & MAPPING_LOCKED) != 0 &&
           !token_capable(linux_token(), CAP_IPC_LOCK) &&
           here()->locked_bytes + length > linux_limit(LINUX_RLIMIT_MEMLOCK);
}

int64_t linux_mmap(struct arch_frame *f) {
    uint64_t length = LINUX_ARG(f, 1), prot = LINUX_ARG(f, 2), flags = LINUX_ARG(f, 3), offset = LINUX_ARG(f, 5);
    struct map_request r = {.address = LINUX_ARG(f, 0), .prot = prot_decode(prot), .object_offset = offset};
    struct file *file = NULL;

    if (offset & ~PAGE_MASK)
        return -LINUX_EINVAL;
    if (!(flags & MAP_ANONYMOUS)) {
        inv_status_t s = fd_get(linux_fds(), (int)LINUX_ARG(f, 4), &file);
        if (s != INV_OK)
            return linux_result(s);
        if (file->flags & O_PATH_) {
            file_put(file);
            return -LINUX_EBADF;
        }
        if ((flags & MAP_HUGETLB) != 0) { // a file of huge pages there is not
            file_put(file);
            return -LINUX_EINVAL;
        }
    } else if (flags & MAP_HUGETLB) {
        return length == 0 ? -LINUX_EINVAL : -LINUX_ENOMEM; // no huge pages are reserved
    }
    int64_t result = -LINUX_EINVAL;
    if (length == 0)
        goto out;
    r.length = ALIGN_UP(length, PAGE_SIZE);
    result = -LINUX_ENOMEM;
    if (r.length == 0 || r.length > ARCH_USER_END)
        goto out;
    result = -LINUX_EOVERFLOW;
    if (file != NULL && offset + r.length < offset)
        goto out;
    r.flags = (flags & MAP_GROWSDOWN ? MAPPING_GROWSDOWN : 0) | (flags & MAP_NORESERVE ? MAPPING_NORESERVE : 0) |
              (flags & MAP_LOCKED ? MAPPING_LOCKED | MAPPING_POPULATE : 0) |
              ((flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE ? MAPPING_POPULATE : 0);
    result = -LINUX_EPERM;
    if ((flags & MAP_LOCKED) && !linux_may_lock_memory())
        goto out;
    result = -LINUX_EAGAIN;
    if (lock_limit_passed(r.flags, r.length))
        goto out;
    result = map_do(&r, file, prot, flags);
out:
    if (file != NULL)
        file_put(file);
    return result;
}

int64_t linux_munmap(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), length = LINUX_ARG(f, 1);

    if ((start & ~PAGE_MASK) || start > ARCH_USER_END || length > ARCH_USER_END - start ||
        ALIGN_UP(length, PAGE_SIZE) == 0)
        return -LINUX_EINVAL;
    return linux_result(aspace_unmap(here(), start, ALIGN_UP(length, PAGE_SIZE)));
}

// Is all of [start, end) mapped? For calls that change nothing and yet report holes.
struct coverage {
    vaddr_t next, end;
};

static bool coverage_visit(const struct mapping *m, void *arg) {
    struct coverage *c = arg;

    if (m->end <= c->next)
        return true;
    if (m->start > c->next)
        return false;
    c->next = m->end;
    return c->next < c->end;
}

static bool covered(vaddr_t start, uint64_t length) {
    struct coverage c = {start, start + length};

    aspace_for_each(here(), coverage_visit, &c);
    return c.next >= c.end;
}

// With PROT_GROWSDOWN the range begins where the stack does; 0, or the error.
static int64_t protect_from_stack(uint64_t *inout_start, uint64_t *inout_length) {
    struct mapping_info m;
    uint64_t end = *inout_start + *inout_length;
    if (!aspace_describe(here(), *inout_start, &m))
        return -LINUX_ENOMEM;
    mapping_info_put(&m);
    if (m.start >= end)
        return -LINUX_ENOMEM;
    if (!(m.flags & MAPPING_GROWSDOWN))
        return -LINUX_EINVAL;
    *inout_length = end - m.start;
    *inout_start = m.start;
    return 0;
}

static int64_t protect_check(uint64_t start, uint64_t length, uint64_t prot) {
    if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP) || (start & ~PAGE_MASK))
        return -LINUX_EINVAL;
    if (length == 0)
        return 0;
    length = ALIGN_UP(length, PAGE_SIZE);
    if (start + length <= start)
        return -LINUX_ENOMEM;
    if (prot & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC | 8 | PROT_GROWSDOWN | PROT_GROWSUP))
        return -LINUX_EINVAL;
    if (start > ARCH_USER_END || length > ARCH_USER_END - start)
        return -LINUX_ENOMEM;
    return 0;
}

static int64_t protect(uint64_t start, uint64_t length, uint64_t prot) {
    int64_t result = protect_check(start, length, prot);
    if (result != 0 || length == 0)
        return result;
    length = ALIGN_UP(length, PAGE_SIZE);
    if (prot & PROT_GROWSDOWN) {
        result = protect_from_stack(&start, &length);
        if (result != 0)
            return result;
    } else if (prot & PROT_GROWSUP) { // no stack grows that way here
        return covered(start, 1) ? -LINUX_EINVAL : -LINUX_ENOMEM;
    }
    return linux_result(aspace_protect(here(), start, length, prot_decode(prot)));
}

int64_t linux_mprotect(struct arch_frame *f) {
    return protect(LINUX_ARG(f, 0), LINUX_ARG(f, 1), LINUX_ARG(f, 2));
}

// --- protection keys: the processor has none ---

int64_t linux_pkey_mprotect(struct arch_frame *f) {
    uint64_t prot = LINUX_ARG(f, 2), start = LINUX_ARG(f, 0), length = LINUX_ARG(f, 1);
    bool checked = !(start & ~PAGE_MASK) && length != 0;
    if ((int)LINUX_ARG(f, 3) != -1 && checked) {
        int64_t result = protect_check(start, length, prot);
        return result != 0 ? result : -LINUX_EINVAL;
    }
    return protect(start, length, prot);
}

int64_t linux_pkey_alloc(struct arch_frame *f) {
    enum { PKEY_RIGHTS = 3 };
    return LINUX_ARG(f, 0) != 0 || (LINUX_ARG(f, 1) & ~(uint64_t)PKEY_RIGHTS) != 0 ? -LINUX_EINVAL : -LINUX_ENOSPC;
}

int64_t linux_pkey_free(struct arch_frame *f) {
    return -LINUX_EINVAL;
}

int64_t linux_brk(struct arch_frame *f) {
    struct aspace *as = here();
    vaddr_t old = as->brk, wanted = LINUX_ARG(f, 0);
    if (likely(as->lock_future == 0) || wanted <= old)
        return (int64_t)aspace_set_brk(as, wanted, linux_limit(LINUX_RLIMIT_DATA));
    if (lock_limit_passed(0, wanted - old))
        return (int64_t)old;
    vaddr_t brk = aspace_set_brk(as, wanted, linux_limit(LINUX_RLIMIT_DATA));
    vaddr_t start = ALIGN_UP(old, (vaddr_t)PAGE_SIZE), end = ALIGN_UP(brk, (vaddr_t)PAGE_SIZE);
    if (!(as->lock_future & MAPPING_LOCK_ONFAULT) && end > start)
        (void)!aspace_populate(as, start, end - start, POPULATE_LOCK);
    return (int64_t)brk;
}

#define MREMAP_MAYMOVE   1u
#define MREMAP_FIXED     2u
#define MREMAP_DONTUNMAP 4u

// What mremap moves or grows: its errors that the address space does not know of, and whether it is locked.
static int64_t remap_check(uint64_t old, uint64_t old_length, uint64_t length, bool *out_locked) {
    struct mapping_info m;
    *out_locked = false;
    if (!aspace_describe(here(), old, &m))
        return -LINUX_EFAULT;
    mapping_info_put(&m);
    if (old < m.start)
        return -LINUX_EFAULT;
    if (old_length == 0 && !(m.flags & MAPPING_SHARED))
        return -LINUX_EINVAL;
    *out_locked = (m.flags & (MAPPING_LOCKED | MAPPING_LOCK_ONFAULT)) == MAPPING_LOCKED;
    if (length > old_length && old_length <= m.end - old && (m.flags & MAPPING_LOCKED) != 0 &&
        lock_limit_passed(m.flags, length - old_length))
        return -LINUX_EAGAIN;
    return 0;
}

int64_t linux_mremap(struct arch_frame *f) {
    uint64_t old = LINUX_ARG(f, 0), old_length = LINUX_ARG(f, 1), length = LINUX_ARG(f, 2), flags = LINUX_ARG(f, 3),
             to = LINUX_ARG(f, 4);
    bool fixed = flags & MREMAP_FIXED, keep = flags & MREMAP_DONTUNMAP, locked;
    vaddr_t at;

    if (flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
        return -LINUX_EINVAL;
    if (fixed && !(flags & MREMAP_MAYMOVE))
        return -LINUX_EINVAL;
    if (keep && (!(flags & MREMAP_MAYMOVE) || old_length != length))
        return -LINUX_EINVAL;
    if (old & ~PAGE_MASK)
        return -LINUX_EINVAL;
    old_length = ALIGN_UP(old_length, PAGE_SIZE);
    length = ALIGN_UP(length, PAGE_SIZE);
    if (length == 0)
        return -LINUX_EINVAL;
    if (fixed || keep) {
        if ((to & ~PAGE_MASK) || length > ARCH_USER_END || to > ARCH_USER_END - length)
            return -LINUX_EINVAL;
        if (old + old_length > to && to + length > old)
            return -LINUX_EINVAL;
    }
    int64_t result = remap_check(old, old_length, length, &locked);
    if (result != 0)
        return result;
    unsigned how = (flags & MREMAP_MAYMOVE ? REMAP_MAY_MOVE : 0) | (fixed ? REMAP_FIXED : 0) | (keep ? REMAP_KEEP : 0);
    inv_status_t s = aspace_remap(here(), old, old_length, length, how, to, &at);
    if (s == INV_OK && locked) // also what was there: a move leaves its entries behind
        (void)!aspace_populate(here(), at, length, POPULATE_LOCK);
    return s == INV_OK ? (int64_t)at : linux_result(s);
}

// Linux 6.1's emulation: a page range of a shared mapping is mapped anew, from elsewhere in its file.
int64_t linux_remap_file_pages(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0) & PAGE_MASK, length = LINUX_ARG(f, 1) & PAGE_MASK, first = LINUX_ARG(f, 3);
    struct mapping_info m;
    vaddr_t at;
    if (LINUX_ARG(f, 2) != 0 || start + length <= start || first + (length >> PAGE_SHIFT) < first)
        return -LINUX_EINVAL;
    if (!aspace_describe(here(), start, &m))
        return -LINUX_EINVAL;
    int64_t result = -LINUX_EINVAL;
    if (start >= m.start && (m.flags & MAPPING_SHARED) && start + length <= m.end &&
        first <= (VMO_MAX_SIZE - length) >> PAGE_SHIFT) {
        struct map_request r = {.address = start,
                                .length = length,
                                .prot = m.prot,
                                .max_prot = m.max_prot,
                                .flags = MAPPING_SHARED | MAPPING_POPULATE |
                                         (m.flags & (MAPPING_LOCKED | MAPPING_LOCK_ONFAULT | MAPPING_DONTFORK)),
                                .place = MAP_AT | MAP_REPLACE,
                                .object = m.object,
                                .object_offset = first << PAGE_SHIFT,
                                .owner = m.owner};
        result = linux_result(aspace_map(here(), &r, &at));
    }
    mapping_info_put(&m);
    return result;
}

// --- state ---

#define MS_ASYNC      1u
#define MS_INVALIDATE 2u
#define MS_SYNC       4u

static bool locked_in(vaddr_t start, vaddr_t end) {
    struct mapping_info m;
    while (start < end && aspace_describe(here(), start, &m)) {
        mapping_info_put(&m);
        if (m.start < end && (m.flags & MAPPING_LOCKED))
            return true;
        start = m.end;
    }
    return false;
}

// Files are memory alone so far: nothing has to be written back, and the arguments are checked all the same.
int64_t linux_msync(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), length = ALIGN_UP(LINUX_ARG(f, 1), PAGE_SIZE), flags = LINUX_ARG(f, 2);

    if (flags & ~(uint64_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (start & ~PAGE_MASK) ||
        (flags & MS_ASYNC && flags & MS_SYNC))
        return -LINUX_EINVAL;
    if (start + length < start || start > ARCH_USER_END || length > ARCH_USER_END - start)
        return -LINUX_ENOMEM;
    if (length == 0)
        return 0;
    if ((flags & MS_INVALIDATE) && locked_in(start, start + length))
        return -LINUX_EBUSY;
    return covered(start, length) ? 0 : -LINUX_ENOMEM;
}

// Who may neither own nor write a file is not told which of its pages are in memory.
static bool may_look(const struct mapping *m) {
    if (m->owner == NULL)
        return true;
    struct inode *i = file_of_mapping(m->owner)->inode;
    return i->uid == linux_token()->fsuid || token_capable(linux_token(), CAP_FOWNER) ||
           vfs_permission(i, linux_token(), WANT_WRITE) == INV_OK;
}

struct residence {
    vaddr_t next, end; // still to be told
    uint8_t *out;
};

// Is the page in the private layer, if not in the page table (after fork, after a move)?
static bool written(const struct mapping *m, vaddr_t va) {
    uint64_t index = (m->flags & MAPPING_GROWSDOWN ? m->anon_anchor - 1 - va : va - m->anon_anchor) >> PAGE_SHIFT,
             found;
    return m->anon != NULL && vmo_next_resident(m->anon, index, &found) && found == index;
}

static bool residence_visit(const struct mapping *m, void *arg) {
    struct residence *r = arg;
    paddr_t pa;
    unsigned flags;
    if (m->end <= r->next)
        return true;
    if (m->start > r->next)
        return false;
    bool look = may_look(m);
    for (; r->next < MIN(m->end, r->end); r->next += PAGE_SIZE) {
        uint64_t index = (m->object_offset + (r->next - m->start)) >> PAGE_SHIFT, found;
        bool there = arch_mmu_query(&m->aspace->arch, r->next, &pa, &flags) || written(m, r->next);
        if (!there && m->object != NULL)
            there = !look || (vmo_next_resident(m->object, index, &found) && found == index);
        *r->out++ = there || !look;
    }
    return r->next < r->end;
}

int64_t linux_mincore(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), pages = ALIGN_UP(LINUX_ARG(f, 1), PAGE_SIZE) >> PAGE_SHIFT, out = LINUX_ARG(f, 2);
    uint8_t vector[64];

    if (start & ~PAGE_MASK)
        return -LINUX_EINVAL;
    if (start > ARCH_USER_END || LINUX_ARG(f, 1) > ARCH_USER_END - start)
        return -LINUX_ENOMEM;
    if (out > ARCH_USER_END || pages > ARCH_USER_END - out)
        return -LINUX_EFAULT;
    for (uint64_t at = 0; at < pages;) {
        size_t n = MIN(pages - at, sizeof(vector));
        struct residence r = {start + (at << PAGE_SHIFT), start + ((at + n) << PAGE_SHIFT), vector};
        aspace_for_each(here(), residence_visit, &r);
        size_t told = n - ((r.end - r.next) >> PAGE_SHIFT);
        if (told != 0 && arch_copy_to_user((void user_ptr *)(out + at), vector, told) != INV_OK)
            return -LINUX_EFAULT;
        if (told < n)
            return -LINUX_ENOMEM;
        at += n;
        if (thread_killed(current_thread()))
            return -LINUX_EINTR;
    }
    return 0;
}
