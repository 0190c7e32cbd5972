// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Inodes in memory: counting, charging, times. Called by file systems and the rest of executive/vfs in thread context.
//
// An inode is freed when its last reference goes: a name in the cache, an open file without a name, or what the file system itself keeps (tmpfs: one
// for each directory entry). Its memory is given back through an epoch, because walks read mode, owner and operations of inodes that they do not count.
//
// Invariants:
// I1. count is 0 only in inode_put, after which nobody can find the inode but readers inside an epoch, who touch immutable and atomic fields alone.
// I2. writers > 0: so many files are open for writing; < 0: so many executions deny it.
// Locking: i->lock for what stands under "lock" in the header; count, mode, uid, gid, writers are atomic.

#include <executive/vfs.h>
#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>

#include "acl.h"
#include "file.h"
#include "inode.h"

#define RELATIME_SECONDS (24 * 60 * 60)

static struct slab_cache inode_cache;

void inode_cache_init(void) {
    slab_cache_init(&inode_cache, "inode", sizeof(struct inode), 0);
}

struct job *vfs_current_job(void) {
    struct job *job = current_process()->obj.job;
    return job != NULL ? job : &root_job;
}

struct timestamp timestamp_now(void) {
    nstime_t now = clock_wall();
    return (struct timestamp){.seconds = (int64_t)(now / NSEC_PER_SEC), .nanoseconds = (uint32_t)(now % NSEC_PER_SEC)};
}

int timestamp_compare(const struct timestamp *a, const struct timestamp *b) {
    if (a->seconds != b->seconds)
        return a->seconds < b->seconds ? -1 : 1;
    return a->nanoseconds < b->nanoseconds ? -1 : a->nanoseconds > b->nanoseconds;
}

struct inode *inode_alloc(struct superblock *sb, uint32_t mode) {
    struct job *job = vfs_current_job();
    if (job_charge(job, JOB_MEMORY, sizeof(struct inode)) != INV_OK)
        return NULL;
    struct inode *i = slab_zalloc(&inode_cache);
    if (i == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(struct inode));
        return NULL;
    }
    object_get(&job->obj);
    i->job = job;
    i->count = 1;
    i->mode = mode;
    i->superblock = sb;
    i->ino = atomic_fetch_add_explicit(&sb->next_ino, 1, memory_order_relaxed);
    mutex_init(&i->lock, (mode & MODE_FMT) == MODE_DIRECTORY ? LOCK_RANK_VFS_DIR : LOCK_RANK_VFS_INODE);
    i->nlink = 1;
    i->atime = i->mtime = i->ctime = i->btime = timestamp_now();
    list_init(&i->locks);
    list_init(&i->leases);
    list_init(&i->superblock_node);
    return i;
}

void inode_get(struct inode *i) {
    atomic_fetch_add_explicit(&i->count, 1, memory_order_relaxed);
}

static void inode_reclaim(struct epoch_node *n) {
    slab_free(&inode_cache, container_of(n, struct inode, reclaim));
}

void inode_put(struct inode *i) {
    if (i == NULL || atomic_fetch_sub_explicit(&i->count, 1, memory_order_release) != 1)
        return;
    atomic_thread_fence(memory_order_acquire);
    if (i->superblock->type->inode_delete != NULL)
        i->superblock->type->inode_delete(i);
    DEBUG_ASSERT(list_empty(&i->locks) && i->pipe == NULL);
    inode_free_xattrs(i);
    acl_free_all(i);
    if (i->vmo != NULL)
        vmo_put(i->vmo);
    job_uncharge(i->job, JOB_MEMORY, sizeof(struct inode));
    object_put(&i->job->obj);
    epoch_defer(&i->reclaim, inode_reclaim);
}

void inode_touch_atime(struct inode *i, unsigned mount_flags) {
    if ((mount_flags & (MOUNT_NOATIME | MOUNT_READ_ONLY)) != 0 ||
        ((mount_flags & MOUNT_NODIRATIME) != 0 && inode_is(i, MODE_DIRECTORY)))
        return;
    struct timestamp now = timestamp_now();
    mutex_lock(&i->lock);
    if ((mount_flags & MOUNT_RELATIME) == 0 || timestamp_compare(&i->atime, &i->mtime) <= 0 ||
        timestamp_compare(&i->atime, &i->ctime) <= 0 || now.seconds - i->atime.seconds >= RELATIME_SECONDS)
        i->atime = now;
    mutex_unlock(&i->lock);
}

uint32_t inode_mode_without_ids(const struct inode *i, const struct token *who) {
    uint32_t mode = i->mode & ~(uint32_t)MODE_SETUID;
    if ((mode & 010) != 0 || (!token_in_group(who, i->gid) && !token_capable(who, CAP_FSETID)))
        mode &= ~(uint32_t)MODE_SETGID;
    return mode;
}

void inode_written(struct inode *i) {
    i->mtime = i->ctime = timestamp_now();
    inode_drop_capabilities(i);
    if (likely((i->mode & (MODE_SETUID | MODE_SETGID)) == 0) || token_capable(vfs_current_token(), CAP_FSETID))
        return;
    i->mode = inode_mode_without_ids(i, vfs_current_token());
}

static bool writers_move(struct inode *i, int step) {
    int32_t n = atomic_load_explicit(&i->writers, memory_order_relaxed);
    do {
        if (step > 0 ? n < 0 : n > 0)
            return false;
    } while (
        !atomic_compare_exchange_weak_explicit(&i->writers, &n, n + step, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

bool inode_write_begin(struct inode *i) {
    return writers_move(i, 1);
}

void inode_write_end(struct inode *i) {
    atomic_fetch_sub_explicit(&i->writers, 1, memory_order_release);
}

bool inode_deny_write(struct inode *i) {
    return writers_move(i, -1);
}

void inode_allow_write(struct inode *i) {
    atomic_fetch_add_explicit(&i->writers, 1, memory_order_release);
}
