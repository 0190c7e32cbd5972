// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Open files (file.c) inside executive/vfs.
#ifndef VFS_FILE_H
#define VFS_FILE_H

#include "mount.h"

// In file->holds.
#define FILE_HOLDS_WRITER     (1u << 0) // a writer's count of inode and mount
#define FILE_HOLDS_DENY_WRITE (1u << 1) // execution: nobody opens it for writing
#define FILE_HOLDS_OPENED     (1u << 2) // ops->open has succeeded: ops->release is due
#define FILE_HOLDS_LOCKS      (1u << 3) // record locks may belong to it
#define FILE_HOLDS_READER     (1u << 4) // a reader's count of the inode
#define FILE_HOLDS_LEASE      (1u << 5) // a lease may belong to it
#define FILE_HOLDS_TREE       (1u << 6) // the mounts below its path, while they are attached nowhere

void file_cache_init(void);
// One count, no operations run yet. Takes over path's counts on success. NO_MEMORY, QUOTA.
must_check inv_status_t file_alloc(const struct path *path, uint32_t flags, struct file **out);
static inline bool file_try_get(struct file *f) {
    uint32_t n = atomic_load_explicit(&f->count, memory_order_relaxed);
    while (n != 0)
        if (atomic_compare_exchange_weak_explicit(&f->count, &n, n + 1, memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}
// The same for O_PATH: nothing can be done by it but walk from it. Takes over path's counts in any case.
must_check inv_status_t file_alloc_path_only(struct path *path, struct file **out);
// Counts a writer of the inode and of the mount in. READ_ONLY, TEXT_BUSY.
must_check inv_status_t file_hold_writer(struct file *f);
// A descriptor of it was closed: the driver's flush, the owner's record locks.
void file_closed(struct file *f, const void *owner);
// lock.c: drops the locks that owner has through the file's inode.
void file_locks_drop(struct file *f, const void *owner, bool flock);
// lease.c: the first waits for leases that stand against an access (write: or a cut) to end; counts of readers and writers were raised before. SHOULD_WAIT
// (nonblocking: the break has begun), RESTART.
must_check inv_status_t file_leases_break_slow(struct inode *i, bool write, bool nonblocking);
static inline inv_status_t file_leases_break(struct inode *i, bool write, bool nonblocking) {
    atomic_thread_fence(memory_order_seq_cst); // the other half is in file_lease_set
    return likely(list_empty(&i->leases)) ? INV_OK : file_leases_break_slow(i, write, nonblocking);
}
void file_lease_drop(struct file *f);
// The n-th lease, of f if that is not NULL; its number is the caller's to set.
bool file_lease_describe(const struct file *f, unsigned n, struct file_lock_description *out);
extern const struct mapping_owner_ops file_writing_owner_ops; // memory_file.c
// Modes of fallocate: numbers of Linux's FALLOC_FL_*.
#define FALLOCATE_KEEP_SIZE  0x01u
#define FALLOCATE_PUNCH_HOLE 0x02u
#define FALLOCATE_COLLAPSE   0x08u
#define FALLOCATE_ZERO       0x10u
#define FALLOCATE_INSERT     0x20u
#define FALLOCATE_UNSHARE    0x40u
#define FALLOCATE_ALL        0x7bu
extern const struct file_ops fifo_ops; // pipe.c

#endif
