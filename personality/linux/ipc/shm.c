// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// System V shared memory: shmget, shmat, shmdt, shmctl. Context: system call, and wherever mappings come and go.
//
// A segment is a VMO behind a file without a place in any tree; attaching maps it with the file as the mapping's owner. Every mapping of it, also one that
// mprotect or munmap has cut off another, is one of nattch, as in Linux. The file lives as long as its segment is known or mapped, and ends it.
//
// Invariants:
//   I1 the segment has a count of its file while it is in the table; each mapping has one.
//   I2 attached is the number of mappings, and of attachments under way.
// Locking: the segment's spin lock (PERSONALITY_SPIN) for what mappings change: they come and go with address spaces locked.
#include "../ipc.h"

#include <kernel/boot.h>
#include <kernel/slab.h>

#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15

#define SHM_HUGETLB     04000
#define SHM_NORESERVE   010000
#define SHM_RDONLY      010000
#define SHM_RND         020000
#define SHM_REMAP       040000
#define SHM_EXEC        0100000
#define CAP_SYS_RAWIO   17
#define MINIMUM_ADDRESS 65536u // vm.mmap_min_addr
#define HUGE_SHIFT      26
#define HUGE_MASK       0x3f

#define SHM_DEST   01000u // in the mode: removed, but still attached
#define SHM_LOCKED 02000u

#define SHARE_OF_MEMORY 2 // all segments together: nobody can be killed for them

struct linux_tunable shm_max = {.value = UINT64_MAX - (1ull << 24), .maximum = UINT64_MAX},
                     shm_all = {.value = UINT64_MAX - (1ull << 24), .maximum = UINT64_MAX},
                     shm_count_max = {.value = 4096, .maximum = IPC_INDEX_COUNT};

struct shm_segment {
    struct ipc_object obj;
    /* immutable after create: */
    struct file *file;
    struct vmo *vmo;
    uint64_t size;
    int creator;
    /* spin: */
    struct spinlock spin;
    unsigned attached;
    int last; // pid
    int64_t attach_time, detach_time;
    /* obj.lock: */
    int64_t changed;
};

static struct ipc_kind shm_kind;
static uint64_t shm_pages; // shm_kind.lock: of all segments

static inv_status_t shm_init(void) {
    ipc_kind_init(&shm_kind);
    return INV_OK;
}
BOOT_CALL("shared memory", BOOT_STAGE_EXECUTIVE, shm_init);

static struct shm_segment *segment_of(struct ipc_object *o) {
    return container_of(o, struct shm_segment, obj);
}

static uint64_t pages_of(uint64_t size) {
    return (size >> PAGE_SHIFT) + ((size & ~PAGE_MASK) != 0);
}

// The pid for the segment's books; a kernel thread that tears an address space down leaves them as they are.
static int pid_here(int otherwise) {
    return current_thread()->personality_data != NULL ? linux_current_process()->number : otherwise;
}

// --- the file, as owner of mappings ---

static struct shm_segment *segment_of_owner(struct mapping_owner *o) {
    return container_of(o, struct file, owner)->data;
}

static void mapping_get(struct mapping_owner *o) {
    struct shm_segment *s = segment_of_owner(o);

    irq_flags_t flags = spin_lock_irq(&s->spin);
    s->attached++;
    s->attach_time = ipc_now();
    s->last = pid_here(s->last);
    spin_unlock_irq(&s->spin, flags);
    file_get(s->file);
}

static void segment_remove_locked(struct shm_segment *s) {
    ipc_remove_locked(&shm_kind, &s->obj);
    shm_pages -= pages_of(s->size);
}

// The last mapping of a segment that was removed takes it along.
static void end_if_unused(struct shm_segment *s) {
    mutex_lock(&shm_kind.lock);
    mutex_lock(&s->obj.lock);
    irq_flags_t flags = spin_lock_irq(&s->spin);
    bool ends = s->attached == 0 && (s->obj.mode & SHM_DEST) && !s->obj.removed;
    spin_unlock_irq(&s->spin, flags);
    if (ends)
        segment_remove_locked(s);
    mutex_unlock(&s->obj.lock);
    mutex_unlock(&shm_kind.lock);
    if (ends)
        ipc_put(&s->obj);
}

static void mapping_put(struct mapping_owner *o) {
    struct shm_segment *s = segment_of_owner(o);
    struct file *file = s->file;

    irq_flags_t flags = spin_lock_irq(&s->spin);
    bool last = --s->attached == 0;
    s->detach_time = ipc_now();
    s->last = pid_here(s->last);
    spin_unlock_irq(&s->spin, flags);
    if (last)
        end_if_unused(s);
    file_put(file);
}

static const struct mapping_owner_ops owner_ops = {.get = mapping_get, .put = mapping_put};

// The file's last count: the table has let go, and no mapping is left.
static void file_release(struct file *f) {
    struct shm_segment *s = f->data;

    if (s == NULL)
        return;
    vmo_put(s->vmo);
    ipc_free(&s->obj);
}
static const struct file_ops shm_file_ops = {.release = file_release};

// The object's last count: drops the table's count of the file, which may be the last.
static void segment_free(struct ipc_object *o) {
    file_put(segment_of(o)->file);
}

// --- shmget ---

static int64_t segment_fill(struct shm_segment *s, const struct ipc_get_call *c) {
    char name[32];

    inv_status_t status = vmo_create(&root_job, c->size, &s->vmo);
    if (status != INV_OK)
        return linux_result(status);
    s->vmo->page_state = PAGE_FILE;
    snprintf(name, sizeof(name), "/SYSV%08x (deleted)", (unsigned)c->key);
    status = file_create_anonymous(name, &shm_file_ops, NULL, O_RDWR_, MODE_REGULAR | ((uint32_t)c->flags & 0777),
                                   &s->file);
    if (status != INV_OK) {
        vmo_put(s->vmo);
        return linux_result(status);
    }
    s->file->owner.ops = &owner_ops;
    return 0;
}

static int64_t segment_create(const struct ipc_get_call *c) {
    struct page_stats memory;
    uint64_t pages = pages_of(c->size);

    if (c->size < 1 || c->size > atomic_load(&shm_max.value))
        return -LINUX_EINVAL;
    if (pages << PAGE_SHIFT < c->size || shm_pages + pages > atomic_load(&shm_all.value))
        return -LINUX_ENOSPC;
    page_get_stats(&memory);
    if (shm_pages + pages > memory.total / SHARE_OF_MEMORY)
        return -LINUX_ENOMEM;
    struct shm_segment *s = ipc_alloc(sizeof(*s), segment_free);
    if (s == NULL)
        return -LINUX_ENOMEM;
    s->size = c->size;
    s->creator = linux_current_process()->number;
    s->changed = ipc_now();
    spin_lock_init(&s->spin, LOCK_RANK_PERSONALITY_SPIN);
    int64_t result = segment_fill(s, c);
    if (result != 0) {
        ipc_free(&s->obj);
        return result;
    }
    result = ipc_insert_locked(&shm_kind, &s->obj, c, atomic_load(&shm_count_max.value));
    if (result < 0) {
        struct file *file = s->file;
        vmo_put(s->vmo);
        ipc_free(&s->obj);
        file_put(file); // its data is still NULL
        return result;
    }
    s->file->data = s;
    s->file->inode->ino = (uint64_t)s->obj.id;
    shm_pages += pages;
    return result;
}

static int64_t segment_check(const struct ipc_get_call *c, const struct ipc_object *o) {
    return container_of(o, const struct shm_segment, obj)->size < c->size ? -LINUX_EINVAL : 0;
}

// No huge pages are reserved: refused as by a Linux that has none free.
static int64_t huge_refuse(int flags) {
    unsigned log = (unsigned)flags >> HUGE_SHIFT & HUGE_MASK;

    if (log != 0 && log != 21 && log != 30)
        return -LINUX_EINVAL;
    return token_capable(linux_token(), CAP_IPC_LOCK) || token_in_group(linux_token(), 0) ? -LINUX_ENOMEM
                                                                                          : -LINUX_EPERM;
}

static int64_t segment_create_kind(const struct ipc_get_call *c) {
    if ((c->flags & SHM_HUGETLB) && c->size >= 1 && c->size <= atomic_load(&shm_max.value))
        return huge_refuse(c->flags);
    return segment_create(c);
}

int64_t linux_shmget(struct arch_frame *f) {
    struct ipc_get_call c = {.key = (int32_t)LINUX_ARG(f, 0),
                             .size = LINUX_ARG(f, 1),
                             .flags = (int)LINUX_ARG(f, 2),
                             .create = segment_create_kind,
                             .check = segment_check};

    return ipc_get_or_create(&shm_kind, &c);
}

// --- shmat ---

struct attachment {
    vaddr_t address;
    unsigned prot, want, place;
};

static int64_t attachment_decode(uint64_t address, int flags, struct attachment *a) {
    *a = (struct attachment){.address = address, .prot = MMU_READ, .want = IPC_READ};
    if (address != 0) {
        if ((address & ~PAGE_MASK) && !(flags & SHM_RND))
            return -LINUX_EINVAL;
        a->address = ALIGN_DOWN(address, PAGE_SIZE);
        if (a->address == 0 && (flags & SHM_REMAP))
            return -LINUX_EINVAL;
        a->place = MAP_AT | (flags & SHM_REMAP ? MAP_REPLACE : 0);
    } else if (flags & SHM_REMAP) {
        return -LINUX_EINVAL;
    }
    if (!(flags & SHM_RDONLY)) {
        a->prot |= MMU_WRITE;
        a->want |= IPC_WRITE;
    }
    if (flags & SHM_EXEC) {
        a->prot |= MMU_EXECUTE;
        a->want |= IPC_EXEC;
    }
    return 0;
}

static int64_t segment_map(struct shm_segment *s, const struct attachment *a) {
    struct map_request r = {.address = a->address,
                            .length = ALIGN_UP(s->size, PAGE_SIZE),
                            .prot = a->prot,
                            .max_prot = MMU_READ | MMU_EXECUTE | (a->prot & MMU_WRITE),
                            .flags = MAPPING_SHARED,
                            .place = a->place,
                            .object = s->vmo,
                            .owner = &s->file->owner};
    vaddr_t at;

    if (a->place != 0) {
        if (r.length > ARCH_USER_END || a->address > ARCH_USER_END - r.length)
            return a->address + r.length < a->address ? -LINUX_EINVAL : -LINUX_ENOMEM;
        if (a->address < MINIMUM_ADDRESS && !token_capable(linux_token(), CAP_SYS_RAWIO))
            return -LINUX_EPERM;
    }
    inv_status_t status = aspace_map(current_process()->aspace, &r, &at);
    if (status == INV_ERR_EXISTS)
        return -LINUX_EINVAL;
    return status == INV_OK ? (int64_t)at : linux_result(status);
}

// Counted as attached, so that a removal meanwhile does not end it.
static int64_t attach_begin(struct shm_segment *s, const struct attachment *a) {
    mutex_lock(&s->obj.lock);
    int64_t result = !ipc_permitted(&s->obj, a->want) ? -LINUX_EACCES : s->obj.removed ? -LINUX_EIDRM : 0;
    if (result == 0) {
        irq_flags_t flags = spin_lock_irq(&s->spin);
        s->attached++;
        spin_unlock_irq(&s->spin, flags);
    }
    mutex_unlock(&s->obj.lock);
    return result;
}

static void attach_end(struct shm_segment *s) {
    irq_flags_t flags = spin_lock_irq(&s->spin);
    bool last = --s->attached == 0;
    spin_unlock_irq(&s->spin, flags);
    if (last)
        end_if_unused(s);
}

int64_t linux_shmat(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    struct attachment a;

    if (id < 0)
        return -LINUX_EINVAL;
    int64_t result = attachment_decode(LINUX_ARG(f, 1), (int)LINUX_ARG(f, 2), &a);
    if (result != 0)
        return result;
    struct ipc_object *o = ipc_find(&shm_kind, id);
    if (o == NULL)
        return -LINUX_EINVAL;
    struct shm_segment *s = segment_of(o);
    result = attach_begin(s, &a);
    if (result == 0) {
        result = segment_map(s, &a);
        attach_end(s);
    }
    ipc_put(o);
    return result;
}

// --- shmdt ---

// The next piece of the attachment at address: a mapping of a segment whose place in it is that far above the address.
struct piece {
    vaddr_t address, end; // where the attachment may reach; end 0: not known before the first piece
    const struct mapping_owner *owner;
    vaddr_t start;
    uint64_t length;
};

static bool piece_look(const struct mapping *m, void *arg) {
    struct piece *p = arg;

    if (m->end <= p->address)
        return true;
    if (p->end != 0 && m->end > p->end)
        return false;
    if (m->start < p->address || m->owner == NULL || m->owner->ops != &owner_ops ||
        (p->owner != NULL && m->owner != p->owner) || m->start - p->address != m->object_offset)
        return true;
    const struct shm_segment *s = container_of(m->owner, const struct file, owner)->data;
    p->owner = m->owner;
    p->start = m->start;
    p->length = m->end - m->start;
    p->end = p->address + ALIGN_UP(s->size, PAGE_SIZE);
    return false;
}

int64_t linux_shmdt(struct arch_frame *f) {
    struct aspace *as = current_process()->aspace;
    struct piece p = {.address = LINUX_ARG(f, 0)};
    int64_t result = -LINUX_EINVAL;

    if (p.address & ~PAGE_MASK)
        return -LINUX_EINVAL;
    for (;;) {
        p.length = 0;
        aspace_for_each(as, piece_look, &p);
        if (p.length == 0)
            return result;
        inv_status_t status = aspace_unmap(as, p.start, p.length);
        if (status != INV_OK)
            return result == 0 ? 0 : linux_result(status);
        result = 0;
    }
}

// --- shmctl ---

struct shm_status { // as user memory has it
    struct ipc_perm perm;
    uint64_t size;
    int64_t attach_time, detach_time, changed;
    int32_t creator, last;
    uint64_t attached, unused[2];
};
_Static_assert(sizeof(struct shm_status) == 112, "ABI");

static int64_t segment_stat(int number, int command, uint64_t user) {
    bool by_index = command != IPC_STAT;
    struct shm_status out = {0};
    struct ipc_object *o;
    int64_t result = ipc_stat_begin(&shm_kind, number, by_index, command == SHM_STAT_ANY, &o);

    if (result != 0)
        return result;
    struct shm_segment *s = segment_of(o);
    ipc_perm_fill(o, &out.perm);
    irq_flags_t flags = spin_lock_irq(&s->spin);
    out.attach_time = s->attach_time;
    out.detach_time = s->detach_time;
    out.attached = s->attached;
    out.last = s->last;
    spin_unlock_irq(&s->spin, flags);
    out.size = s->size;
    out.changed = s->changed;
    out.creator = s->creator;
    result = ipc_stat_end(o, by_index);
    return ipc_user_write(user, &out, sizeof(out)) ? result : -LINUX_EFAULT;
}

static int64_t limits_info(uint64_t user) {
    struct {
        uint64_t max, min, count, per_process, all, unused[4];
    } out = {.max = atomic_load(&shm_max.value),
             .min = 1,
             .count = atomic_load(&shm_count_max.value),
             .per_process = atomic_load(&shm_count_max.value),
             .all = atomic_load(&shm_all.value)};

    return ipc_user_write(user, &out, sizeof(out)) ? ipc_highest_index(&shm_kind) : -LINUX_EFAULT;
}

static void resident_add(struct ipc_object *o, void *sum) {
    *(uint64_t *)sum += atomic_load_explicit(&segment_of(o)->vmo->resident, memory_order_relaxed);
}

static int64_t use_info(uint64_t user) {
    struct {
        int32_t count, pad;
        uint64_t total, resident, swapped, attempts, successes;
    } out = {0};

    ipc_for_each(&shm_kind, resident_add, &out.resident);
    mutex_lock(&shm_kind.lock);
    out.count = (int32_t)shm_kind.in_use;
    out.total = shm_pages;
    mutex_unlock(&shm_kind.lock);
    return ipc_user_write(user, &out, sizeof(out)) ? ipc_highest_index(&shm_kind) : -LINUX_EFAULT;
}

static int64_t segment_remove(struct ipc_object *o) {
    struct shm_segment *s = segment_of(o);
    bool ends = false;

    mutex_lock(&shm_kind.lock);
    mutex_lock(&o->lock);
    int64_t result = o->removed ? -LINUX_EIDRM : ipc_owned(o) ? 0 : -LINUX_EPERM;
    if (result == 0) {
        irq_flags_t flags = spin_lock_irq(&s->spin);
        ends = s->attached == 0;
        spin_unlock_irq(&s->spin, flags);
        o->mode |= SHM_DEST;
        ipc_key_forget_locked(o);
        if (ends)
            segment_remove_locked(s);
    }
    mutex_unlock(&o->lock);
    mutex_unlock(&shm_kind.lock);
    if (ends)
        ipc_put(o);
    return result;
}

static int64_t segment_change_locked(struct shm_segment *s, const struct shm_status *in) {
    if (s->obj.removed)
        return -LINUX_EIDRM;
    if (!ipc_owned(&s->obj))
        return -LINUX_EPERM;
    int64_t result = ipc_perm_set(&s->obj, &in->perm);
    if (result == 0)
        s->changed = ipc_now();
    return result;
}

// Memory is never paged out: a lock is a mark, and who may set it is checked.
static int64_t segment_lock_locked(struct shm_segment *s, bool lock) {
    const struct token *who = linux_token();

    if (!token_capable(who, CAP_IPC_LOCK)) {
        if (who->euid != s->obj.uid && who->euid != s->obj.cuid)
            return -LINUX_EPERM;
        if (lock && linux_limit(LINUX_RLIMIT_MEMLOCK) == 0)
            return -LINUX_EPERM;
        if (lock && pages_of(s->size) > linux_limit(LINUX_RLIMIT_MEMLOCK) >> PAGE_SHIFT)
            return -LINUX_ENOMEM;
    }
    if (s->obj.removed)
        return -LINUX_EIDRM;
    s->obj.mode = lock ? s->obj.mode | SHM_LOCKED : s->obj.mode & ~SHM_LOCKED;
    return 0;
}

static int64_t segment_command(struct ipc_object *o, int command, const struct shm_status *in) {
    if (command == IPC_RMID)
        return segment_remove(o);
    mutex_lock(&o->lock);
    int64_t result = command == IPC_SET ? segment_change_locked(segment_of(o), in)
                                        : segment_lock_locked(segment_of(o), command == SHM_LOCK);
    mutex_unlock(&o->lock);
    return result;
}

int64_t linux_shmctl(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0), command = (int)LINUX_ARG(f, 1);
    uint64_t user = LINUX_ARG(f, 2);
    struct shm_status in;

    if (id < 0 || command < 0)
        return -LINUX_EINVAL;
    switch (command) {
    case IPC_INFO: return limits_info(user);
    case SHM_INFO: return use_info(user);
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY: return segment_stat(id, command, user);
    case IPC_SET:
        if (!ipc_user_read(&in, user, sizeof(in)))
            return -LINUX_EFAULT;
        break;
    case IPC_RMID:
    case SHM_LOCK:
    case SHM_UNLOCK: break;
    default: return -LINUX_EINVAL;
    }
    struct ipc_object *o = ipc_find(&shm_kind, id);
    if (o == NULL)
        return -LINUX_EINVAL;
    int64_t result = segment_command(o, command, &in);
    ipc_put(o);
    return result;
}

// --- /proc/sysvipc ---

static void line(struct ipc_object *o, char text[IPC_LINE_SIZE]) {
    struct shm_segment *s = segment_of(o);

    irq_flags_t flags = spin_lock_irq(&s->spin);
    int last = s->last;
    unsigned attached = s->attached;
    int64_t attach_time = s->attach_time, detach_time = s->detach_time;
    spin_unlock_irq(&s->spin, flags);
    snprintf(text, IPC_LINE_SIZE, "%10d %10d  %4o %21lu %5u %5u  %5u %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21u\n",
             o->key, o->id, o->mode, s->size, s->creator, last, attached, o->uid, o->gid, o->cuid, o->cgid,
             (uint64_t)attach_time, (uint64_t)detach_time, (uint64_t)s->changed,
             atomic_load_explicit(&s->vmo->resident, memory_order_relaxed) * PAGE_SIZE, 0u);
}

void linux_shm_list(linux_ipc_write_fn write, void *arg) {
    ipc_list(
        &shm_kind,
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      "
        "dtime      ctime                   rss                  swap\n",
        line, write, arg);
}
