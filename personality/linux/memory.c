// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The calls on memory: mmap and its kin, brk, madvise, msync, mincore, mlock. Decoding and Linux's order of errors; the work is the address space's
// (kernel/aspace.h). Context: system call.
#include "calls.h"

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
// What MAP_SHARED_VALIDATE accepts; others ignore unknown flags.
#define MAP_KNOWN                                                                                            \
    (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | 0x0800u | 0x1000u | MAP_LOCKED | MAP_NORESERVE | \
     MAP_POPULATE | MAP_NONBLOCK | 0x20000u | MAP_HUGETLB | MAP_FIXED_NOREPLACE | 0x4000000u)
#define MIN_ADDRESS   65536u // vm.mmap_min_addr
#define CAP_SYS_RAWIO 17
#define CAP_IPC_LOCK  14

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
    inv_status_t s = aspace_map(here(), r, &at);
    if (file != NULL)
        file_map_end(&mapping);
    else if (r->object != NULL)
        vmo_put(r->object);
    return s == INV_OK ? (int64_t)at : linux_result(s);
}

static bool lock_limit_passed(uint64_t length) {
    return !token_capable(linux_token(), CAP_IPC_LOCK) &&
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
    result = -LINUX_EAGAIN;
    if ((flags & MAP_LOCKED) && lock_limit_passed(r.length))
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

int64_t linux_mprotect(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), length = LINUX_ARG(f, 1), prot = LINUX_ARG(f, 2);

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
    return linux_result(aspace_protect(here(), start, length, prot_decode(prot)));
}

int64_t linux_brk(struct arch_frame *f) {
    return (int64_t)aspace_set_brk(here(), LINUX_ARG(f, 0), linux_limit(LINUX_RLIMIT_DATA));
}

#define MREMAP_MAYMOVE   1u
#define MREMAP_FIXED     2u
#define MREMAP_DONTUNMAP 4u

int64_t linux_mremap(struct arch_frame *f) {
    uint64_t old = LINUX_ARG(f, 0), old_length = LINUX_ARG(f, 1), length = LINUX_ARG(f, 2), flags = LINUX_ARG(f, 3),
             to = LINUX_ARG(f, 4);
    vaddr_t at;

    if (flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
        return -LINUX_EINVAL;
    if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
        return -LINUX_EINVAL;
    if (flags & MREMAP_DONTUNMAP) // moving pages away from under a mapping is not there
        return -LINUX_EINVAL;
    if (old & ~PAGE_MASK)
        return -LINUX_EINVAL;
    old_length = ALIGN_UP(old_length, PAGE_SIZE);
    length = ALIGN_UP(length, PAGE_SIZE);
    if (length == 0 || old_length == 0) // an old length of zero would duplicate a shared mapping: not there
        return -LINUX_EINVAL;
    if (flags & MREMAP_FIXED) {
        if ((to & ~PAGE_MASK) || length > ARCH_USER_END || to > ARCH_USER_END - length)
            return -LINUX_EINVAL;
        if (old + old_length > to && to + length > old)
            return -LINUX_EINVAL;
    }
    inv_status_t s = aspace_remap(here(), old, old_length, length, (flags & MREMAP_MAYMOVE) != 0,
                                  (flags & MREMAP_FIXED) != 0, to, &at);
    return s == INV_OK ? (int64_t)at : linux_result(s);
}

// --- advice and state ---

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

enum {
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
    MADV_DONTNEED_LOCKED
};

int64_t linux_madvise(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), length = ALIGN_UP(LINUX_ARG(f, 1), PAGE_SIZE);
    int advice = (int)LINUX_ARG(f, 2);

    switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_DONTNEED_LOCKED: break;
    default: return -LINUX_EINVAL; // the others would have to be kept: said, not ignored
    }
    if ((start & ~PAGE_MASK) || (LINUX_ARG(f, 1) != 0 && length == 0) || start + length < start)
        return -LINUX_EINVAL;
    if (length == 0)
        return 0;
    if (start > ARCH_USER_END || length > ARCH_USER_END - start)
        return -LINUX_ENOMEM;
    if (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED || advice == MADV_FREE)
        return linux_result(aspace_discard(here(), start, length));
    return covered(start, length) ? 0 : -LINUX_ENOMEM;
}

#define MS_ASYNC      1u
#define MS_INVALIDATE 2u
#define MS_SYNC       4u

// Files are memory alone so far: nothing has to be written back, and the arguments are checked all the same.
int64_t linux_msync(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), length = ALIGN_UP(LINUX_ARG(f, 1), PAGE_SIZE), flags = LINUX_ARG(f, 2);

    if (flags & ~(uint64_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (start & ~PAGE_MASK) ||
        (flags & MS_ASYNC && flags & MS_SYNC))
        return -LINUX_EINVAL;
    if (start + length < start || start > ARCH_USER_END || length > ARCH_USER_END - start)
        return -LINUX_ENOMEM;
    return length == 0 || covered(start, length) ? 0 : -LINUX_ENOMEM;
}

int64_t linux_mincore(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), pages = ALIGN_UP(LINUX_ARG(f, 1), PAGE_SIZE) >> PAGE_SHIFT, out = LINUX_ARG(f, 2);
    struct aspace *as = here();
    uint8_t vector[64];

    if (start & ~PAGE_MASK)
        return -LINUX_EINVAL;
    if (start > ARCH_USER_END || LINUX_ARG(f, 1) > ARCH_USER_END - start)
        return -LINUX_ENOMEM;
    if (out > ARCH_USER_END || pages > ARCH_USER_END - out)
        return -LINUX_EFAULT;
    if (pages != 0 && !covered(start, pages << PAGE_SHIFT))
        return -LINUX_ENOMEM;
    for (uint64_t at = 0; at < pages;) {
        size_t n = MIN(pages - at, sizeof(vector));
        mutex_lock(&as->lock);
        for (size_t i = 0; i < n; i++) {
            paddr_t pa;
            unsigned flags;
            vector[i] = arch_mmu_query(&as->arch, start + ((at + i) << PAGE_SHIFT), &pa, &flags);
        }
        mutex_unlock(&as->lock);
        if (arch_copy_to_user((void user_ptr *)(out + at), vector, n) != INV_OK)
            return -LINUX_EFAULT;
        at += n;
        if (thread_killed(current_thread()))
            return -LINUX_EINTR;
    }
    return 0;
}

// --- locking: memory is never paged out, so a lock is an account and a promise that is already kept ---

static int64_t lock_range(uint64_t start, uint64_t length, bool lock) {
    length = ALIGN_UP(length + (start & ~PAGE_MASK), PAGE_SIZE);
    start = ALIGN_DOWN(start, PAGE_SIZE);
    if (lock) {
        if (linux_limit(LINUX_RLIMIT_MEMLOCK) == 0 && !token_capable(linux_token(), CAP_IPC_LOCK))
            return -LINUX_EPERM;
        if (lock_limit_passed(length))
            return -LINUX_ENOMEM;
    }
    if (start + length < start)
        return -LINUX_EINVAL;
    if (length == 0)
        return 0;
    if (start > ARCH_USER_END || length > ARCH_USER_END - start || !covered(start, length))
        return -LINUX_ENOMEM;
    return 0;
}

int64_t linux_mlock(struct arch_frame *f) {
    return lock_range(LINUX_ARG(f, 0), LINUX_ARG(f, 1), true);
}

int64_t linux_mlock2(struct arch_frame *f) {
    return LINUX_ARG(f, 2) & ~1ull ? -LINUX_EINVAL : lock_range(LINUX_ARG(f, 0), LINUX_ARG(f, 1), true);
}

int64_t linux_munlock(struct arch_frame *f) {
    return lock_range(LINUX_ARG(f, 0), LINUX_ARG(f, 1), false);
}

int64_t linux_mlockall(struct arch_frame *f) {
    uint64_t flags = LINUX_ARG(f, 0);

    if (flags == 0 || flags & ~7ull || flags == 4)
        return -LINUX_EINVAL;
    if (token_capable(linux_token(), CAP_IPC_LOCK))
        return 0;
    if (linux_limit(LINUX_RLIMIT_MEMLOCK) == 0)
        return -LINUX_EPERM;
    return !(flags & 1) || here()->mapped_bytes <= linux_limit(LINUX_RLIMIT_MEMLOCK) ? 0 : -LINUX_ENOMEM;
}

int64_t linux_munlockall(struct arch_frame *f) {
    return 0;
}
