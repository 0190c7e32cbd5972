// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Attributes of files: stat, and the changes of chmod, chown, utimes and truncate with their rules. Thread context.
// Locking: the inode's lock for reading and changing together what stands under it.

#include "acl.h"
#include "file.h"
#include "inode.h"

#define SIZE_MAX_BYTES VMO_MAX_SIZE
#define ATTR_TIMES     (ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_NOW | ATTR_MTIME_NOW)

void inode_stat_fill(struct inode *i, struct inode_stat *out) {
    struct vmo *v = i->vmo;
    *out = (struct inode_stat){
        .device = i->superblock->device,
        .rdev = i->rdev,
        .ino = i->ino,
        .size = v != NULL ? v->size : 0,
        .blocks = v != NULL ? v->resident * (PAGE_SIZE / 512) : 0,
        .mode = i->mode,
        .nlink = i->nlink,
        .uid = i->uid,
        .gid = i->gid,
        .block_size = i->superblock->block_size,
        .atime = i->atime,
        .mtime = i->mtime,
        .ctime = i->ctime,
        .btime = i->btime,
    };
}

inv_status_t vfs_stat(const struct path *p, struct inode_stat *out) {
    struct inode *i = path_inode(p);
    if (i->ops->getattr != NULL)
        return i->ops->getattr(i, out);
    mutex_lock(&i->lock);
    inode_stat_fill(i, out);
    mutex_unlock(&i->lock);
    return INV_OK;
}

// --- who may change what ----------------------------------------------------------------------------------------------

static inv_status_t may_chown(const struct inode *i, const struct token *who, const struct inode_attributes *a) {
    if (token_capable(who, CAP_CHOWN))
        return INV_OK;
    if ((a->valid & ATTR_UID) != 0 && (i->uid != who->fsuid || a->uid != i->uid))
        return INV_ERR_NOT_PERMITTED;
    if ((a->valid & ATTR_GID) != 0 && (i->uid != who->fsuid || (a->gid != i->gid && !token_in_group(who, a->gid))))
        return INV_ERR_NOT_PERMITTED;
    return INV_OK;
}

// Set-id bits that a change of owner takes away are a change of mode: the owner's, or CAP_FOWNER's.
static inv_status_t may_lose_ids(const struct inode *i, const struct token *who) {
    if (inode_is(i, MODE_DIRECTORY) || inode_mode_without_ids(i, who) == i->mode || inode_owner_or_capable(i, who))
        return INV_OK;
    return INV_ERR_NOT_PERMITTED;
}

// utimes with "now" for both is open to whoever may write; all else to the owner.
static inv_status_t may_set_times(struct inode *i, struct token *who, unsigned valid) {
    if (inode_owner_or_capable(i, who))
        return INV_OK;
    if ((valid & ATTR_TIMES) == (ATTR_ATIME_NOW | ATTR_MTIME_NOW))
        return vfs_permission(i, who, WANT_WRITE);
    return INV_ERR_NOT_PERMITTED;
}

static inv_status_t may_resize(struct inode *i, struct token *who) {
    if (inode_is(i, MODE_DIRECTORY))
        return INV_ERR_IS_DIR;
    if (!inode_is(i, MODE_REGULAR))
        return INV_ERR_INVALID;
    return vfs_permission(i, who, WANT_WRITE);
}

static inv_status_t setattr_permitted(struct inode *i, struct token *who, const struct inode_attributes *a) {
    inv_status_t s = INV_OK;
    if ((a->valid & ATTR_SIZE) != 0)
        s = may_resize(i, who);
    if (s == INV_OK && (a->valid & (ATTR_UID | ATTR_GID)) != 0)
        s = may_chown(i, who, a);
    if (s == INV_OK && (a->valid & ATTR_CHOWN) != 0)
        s = may_lose_ids(i, who);
    if (s == INV_OK && (a->valid & ATTR_MODE) != 0 && !inode_owner_or_capable(i, who))
        s = INV_ERR_NOT_PERMITTED;
    if (s == INV_OK && (a->valid & ATTR_TIMES) != 0)
        s = may_set_times(i, who, a->valid);
    return s;
}

// --- changing ---------------------------------------------------------------------------------------------------------

static void apply_mode(struct inode *i, const struct token *who, struct inode_attributes *a) {
    uint32_t mode = a->mode & 07777;
    uint32_t gid = (a->valid & ATTR_GID) != 0 ? a->gid : i->gid;
    if (who != NULL && !token_in_group(who, gid) && !token_capable(who, CAP_FSETID))
        mode &= ~(uint32_t)MODE_SETGID;
    i->mode = (i->mode & MODE_FMT) | mode;
}

static void apply_owner(struct inode *i, const struct token *who, const struct inode_attributes *a) {
    if (!inode_is(i, MODE_DIRECTORY)) {
        i->mode = inode_mode_without_ids(i, who); // by the group that it had
        inode_drop_capabilities(i);
    }
    if ((a->valid & ATTR_UID) != 0)
        i->uid = a->uid;
    if ((a->valid & ATTR_GID) != 0)
        i->gid = a->gid;
}

// Lock held, the file system has agreed.
static void apply(struct inode *i, const struct token *who, struct inode_attributes *a) {
    struct timestamp now = timestamp_now();
    if ((a->valid & (ATTR_UID | ATTR_GID | ATTR_CHOWN)) != 0)
        apply_owner(i, who != NULL ? who : token_root, a);
    if ((a->valid & ATTR_MODE) != 0)
        apply_mode(i, who, a);
    if ((a->valid & (ATTR_ATIME | ATTR_ATIME_NOW)) != 0)
        i->atime = (a->valid & ATTR_ATIME) != 0 ? a->atime : now;
    if ((a->valid & (ATTR_MTIME | ATTR_MTIME_NOW)) != 0)
        i->mtime = (a->valid & ATTR_MTIME) != 0 ? a->mtime : now;
    if ((a->valid & ATTR_SIZE) != 0)
        inode_written(i);
    i->ctime = now;
}

static inv_status_t setattr_locked(struct inode *i, struct token *who, struct inode_attributes *a) {
    inv_status_t s = who != NULL ? setattr_permitted(i, who, a) : INV_OK;
    if (s != INV_OK)
        return s;
    if (i->ops->setattr != NULL)
        s = i->ops->setattr(i, a);
    else if ((a->valid & ATTR_SIZE) != 0)
        s = INV_ERR_INVALID;
    if (s == INV_OK && (a->valid & ATTR_MODE) != 0)
        s = acl_follow_mode(i, a->mode);
    if (s == INV_OK)
        apply(i, who, a);
    return s;
}

// RLIMIT_FSIZE and the largest size; only for growth.
static inv_status_t size_allowed(struct inode *i, uint64_t size) {
    size_t n = 1;
    struct vmo *v = i->vmo;
    if (size > SIZE_MAX_BYTES)
        return INV_ERR_FILE_TOO_BIG;
    if (size == 0 || (v != NULL && size <= v->size))
        return INV_OK;
    return file_write_limit(NULL, size - 1, &n);
}

inv_status_t vfs_setattr(const struct path *p, struct token *who, struct inode_attributes *a) {
    struct inode *i = path_inode(p);
    bool sized = (a->valid & ATTR_SIZE) != 0, denied = false;
    inv_status_t s = mount_write_begin(p->mount);
    if (s != INV_OK)
        return s;
    if (sized && who != NULL) { // by path: the file must not be running, and nobody may start it meanwhile
        s = may_resize(i, who);
        if (s == INV_OK && !inode_write_begin(i))
            s = INV_ERR_TEXT_BUSY;
        denied = s == INV_OK;
        if (s == INV_OK)
            s = file_leases_break(i, true, false);
    }
    if (s == INV_OK && sized)
        s = size_allowed(i, a->size);
    if (s == INV_OK) {
        mutex_lock(&i->lock);
        s = setattr_locked(i, who, a);
        mutex_unlock(&i->lock);
    }
    if (denied)
        inode_write_end(i);
    mount_write_end(p->mount);
    return s;
}
