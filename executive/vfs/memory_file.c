// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files in memory without a name in any folder, and seals: what may never be done to a file any more (memfd_create, F_ADD_SEALS). They live in a tmpfs
// that is mounted nowhere, and share its limits (half of memory), since no process answers for their pages when memory ends. Thread context.
//
// A seal against writing is refused while a shared mapping may write. Such mappings are counted in inode->shared_writers from before they are made
// (file_map_begin) until their end; -1 denies them.

#include <kernel/string.h>

#include "boot.h"
#include "file.h"
#include "inode.h"
#include "tmpfs.h"

static struct mount *memory_mount;

inv_status_t memory_file_init(void) {
    struct superblock *sb;
    inv_status_t s = superblock_create(&tmpfs_type, "tmpfs", 0, "", &sb);
    if (s != INV_OK)
        return s;
    memory_mount = mount_create(sb, sb->root, "tmpfs", 0);
    superblock_put(sb);
    return memory_mount != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

inv_status_t memory_file_create(const char *label, uint32_t mode, const struct token *who, bool sealable,
                                struct file **out) {
    struct superblock *sb = memory_mount->superblock;
    struct tmpfs_file *data;
    struct inode *i;
    inv_status_t s = tmpfs_inode_make(sb, MODE_REGULAR | mode, 0, &i);
    if (s != INV_OK)
        return s;
    i->nlink = 0;
    i->uid = who->fsuid;
    i->gid = who->fsgid;
    mutex_lock(&i->lock);
    s = sealable ? tmpfs_file_data(i, &data) : INV_OK;
    if (s == INV_OK && sealable)
        data->seals = 0;
    mutex_unlock(&i->lock);
    struct dentry *d = s == INV_OK ? dentry_make_unnamed(sb, label, i) : NULL;
    if (d == NULL) {
        inode_put(i);
        return s == INV_OK ? INV_ERR_NO_MEMORY : s;
    }
    struct path p = {.mount = memory_mount, .dentry = d};
    mount_get(memory_mount);
    s = file_alloc(&p, O_RDWR_ | O_LARGEFILE_, out);
    if (s != INV_OK) {
        path_put(&p);
        return s;
    }
    atomic_fetch_or_explicit(&(*out)->holds, FILE_HOLDS_OPENED, memory_order_relaxed);
    s = file_hold_writer(*out);
    if (s != INV_OK)
        file_put(*out);
    return s;
}

// --- seals ------------------------------------------------------------------------------------------------------------

static bool can_be_sealed(const struct file *f) {
    return f->ops == &tmpfs_file_ops;
}

static unsigned seals_locked(const struct inode *i) {
    const struct tmpfs_file *data = i->data;
    return data != NULL ? data->seals : FILE_SEAL_SEAL;
}

inv_status_t file_seals_get(struct file *f, unsigned *out_seals) {
    if (!can_be_sealed(f))
        return INV_ERR_INVALID;
    mutex_lock(&f->inode->lock);
    *out_seals = seals_locked(f->inode);
    mutex_unlock(&f->inode->lock);
    return INV_OK;
}

// A step of the counter: up for a mapping that may write, down to -1 for a seal. False: the other kind is there.
static bool shared_writers_move(struct inode *i, int step) {
    int32_t n = atomic_load_explicit(&i->shared_writers, memory_order_relaxed);
    do {
        if (step > 0 ? n < 0 : n > 0)
            return false;
    } while (!atomic_compare_exchange_weak(&i->shared_writers, &n, n + step));
    return true;
}

inv_status_t file_seals_add(struct file *f, unsigned seals) {
    struct inode *i = f->inode;
    inv_status_t s = INV_OK;
    if (!file_writable(f))
        return INV_ERR_NOT_PERMITTED;
    if ((seals & ~FILE_SEAL_ALL) != 0 || !can_be_sealed(f))
        return INV_ERR_INVALID;
    mutex_lock(&i->lock);
    unsigned old = seals_locked(i);
    if ((old & FILE_SEAL_SEAL) != 0)
        s = INV_ERR_NOT_PERMITTED;
    else if ((seals & ~old & FILE_SEAL_WRITE) != 0 && !shared_writers_move(i, -1))
        s = INV_ERR_BUSY;
    if (s == INV_OK)
        ((struct tmpfs_file *)i->data)->seals = old | seals; // there, as it is not sealed against sealing
    mutex_unlock(&i->lock);
    return s;
}

// --- mappings ---------------------------------------------------------------------------------------------------------

// A shared mapping of a file that may be written: counted, unless a seal keeps it from ever writing.
static inv_status_t map_shared_begin(struct file *f, bool write, struct file_mapping *out) {
    unsigned seals;
    do {
        if (file_seals_get(f, &seals) == INV_OK && (seals & (FILE_SEAL_WRITE | FILE_SEAL_FUTURE_WRITE)) != 0) {
            out->may_write = false;
            return write ? INV_ERR_NOT_PERMITTED : INV_OK;
        }
    } while (!shared_writers_move(f->inode, 1)); // sealed between the two
    out->owner = &f->writing_owner;
    return INV_OK;
}

inv_status_t file_map_begin(struct file *f, bool shared, bool write, struct file_mapping *out) {
    inv_status_t s = INV_OK;
    *out = (struct file_mapping){.file = f, .owner = &f->owner, .may_write = !shared || file_writable(f)};
    if (shared && file_writable(f))
        s = map_shared_begin(f, write, out);
    if (s == INV_OK)
        s = file_map(f, shared, &out->vmo);
    if (s != INV_OK)
        file_map_end(out);
    return s;
}

void file_map_end(struct file_mapping *m) {
    if (m->owner == &m->file->writing_owner)
        atomic_fetch_sub(&m->file->inode->shared_writers, 1);
    if (m->vmo != NULL)
        vmo_put(m->vmo);
}

static struct file *file_of_writing(struct mapping_owner *o) {
    return container_of(o, struct file, writing_owner);
}

// A mapping is only copied from one that is there, or made between begin and end: the count is above zero.
static void writing_owner_get(struct mapping_owner *o) {
    atomic_fetch_add(&file_of_writing(o)->inode->shared_writers, 1);
    file_get(file_of_writing(o));
}

static void writing_owner_put(struct mapping_owner *o) {
    atomic_fetch_sub(&file_of_writing(o)->inode->shared_writers, 1);
    file_put(file_of_writing(o));
}

const struct mapping_owner_ops file_writing_owner_ops = {.get = writing_owner_get, .put = writing_owner_put};

struct file *file_of_mapping(const struct mapping_owner *o) {
    struct mapping_owner *owner = (struct mapping_owner *)(uintptr_t)o;
    return o->ops == &file_writing_owner_ops ? file_of_writing(owner) : container_of(owner, struct file, owner);
}
