// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Who may do what with an inode: mode bits and capabilities, the sticky bit, whose a new inode is. Called all over executive/vfs, also inside an epoch
// (vfs_permission of file systems that have no check of their own takes no lock and does not sleep).

#include <kernel/string.h>

#include "acl.h"
#include "inode.h"
#include "walk.h"

#define SECURE_NO_SETUID_FIXUP (1u << 2) // in a token's securebits

// A list is asked only of those who are not the owner, and only if the middle bits leave something: they are its mask.
static inv_status_t permission_by_mode(struct inode *i, const struct token *who, unsigned want) {
    uint32_t mode = i->mode, bits = mode;
    inv_status_t s = INV_ERR_NOT_FOUND;
    if (i->uid == who->fsuid)
        bits >>= 6;
    else if (unlikely(inode_has_acl(i)) && (mode & 070) != 0 && (s = acl_permission(i, who, want)) != INV_ERR_NOT_FOUND)
        bits = s == INV_OK ? 7 : 0;
    else if ((mode >> 3 & 7) != (mode & 7) && token_in_group(who, i->gid))
        bits >>= 3;
    if ((want & ~bits & 7) == 0)
        return INV_OK;
    if ((mode & MODE_FMT) == MODE_DIRECTORY) {
        if ((want & WANT_WRITE) == 0 && token_capable(who, CAP_DAC_READ_SEARCH))
            return INV_OK;
        return token_capable(who, CAP_DAC_OVERRIDE) ? INV_OK : INV_ERR_ACCESS;
    }
    if (want == WANT_READ && token_capable(who, CAP_DAC_READ_SEARCH))
        return INV_OK;
    if (((want & WANT_EXECUTE) == 0 || (mode & 0111) != 0) && token_capable(who, CAP_DAC_OVERRIDE))
        return INV_OK;
    return INV_ERR_ACCESS;
}

inv_status_t vfs_permission(struct inode *i, struct token *who, unsigned want) {
    if (i->ops->permission != NULL)
        return i->ops->permission(i, who, want);
    return permission_by_mode(i, who, want);
}

bool inode_owner_or_capable(const struct inode *i, const struct token *who) {
    return i->uid == who->fsuid || token_capable(who, CAP_FOWNER);
}

void inode_init_owner(struct inode *i, const struct inode *dir, const struct token *who) {
    i->uid = who->fsuid;
    i->gid = who->fsgid;
    if ((dir->mode & MODE_SETGID) == 0)
        return;
    i->gid = dir->gid;
    uint32_t mode = i->mode;
    if ((mode & MODE_FMT) == MODE_DIRECTORY)
        i->mode = mode | MODE_SETGID;
    else if ((mode & (MODE_SETGID | 010)) == (MODE_SETGID | 010) && !token_in_group(who, dir->gid) &&
             !token_capable(who, CAP_FSETID))
        i->mode = mode & ~(uint32_t)MODE_SETGID;
}

struct vfs_protection vfs_protection = {.symlinks = 1, .hardlinks = 1}; // as Debian's kernel has them

// In a sticky folder that all may write, only the own links and those of the folder's owner are followed.
inv_status_t permission_follow(const struct inode *dir, const struct inode *link, const struct token *who) {
    if (atomic_load_explicit(&vfs_protection.symlinks, memory_order_relaxed) == 0 || link->uid == who->fsuid ||
        (dir->mode & (MODE_STICKY | 02)) != (MODE_STICKY | 02) || dir->uid == link->uid)
        return INV_OK;
    return INV_ERR_ACCESS;
}

inv_status_t permission_create(struct dentry *dir, struct token *who) {
    if (dentry_has(dir, DENTRY_REMOVED))
        return INV_ERR_NOT_FOUND;
    return vfs_permission(dentry_inode(dir), who, WANT_WRITE | WANT_EXECUTE);
}

inv_status_t permission_delete(struct dentry *dir, struct dentry *victim, struct token *who, bool directory) {
    struct inode *d = dentry_inode(dir), *v = dentry_inode(victim);
    inv_status_t s = vfs_permission(d, who, WANT_WRITE | WANT_EXECUTE);
    if (s != INV_OK)
        return s;
    if ((d->mode & MODE_STICKY) != 0 && v->uid != who->fsuid && d->uid != who->fsuid && !token_capable(who, CAP_FOWNER))
        return INV_ERR_NOT_PERMITTED;
    if (directory != inode_is(v, MODE_DIRECTORY))
        return directory ? INV_ERR_NOT_DIR : INV_ERR_IS_DIR;
    return dentry_has(victim, DENTRY_MOUNTED) ? INV_ERR_BUSY : INV_OK;
}

// With the securebit NO_SETUID_FIXUP a change of user changes nothing of them.
static uint64_t real_capabilities(const struct token *t) {
    if ((t->securebits & SECURE_NO_SETUID_FIXUP) != 0)
        return t->cap_effective;
    return t->uid == 0 ? t->cap_permitted : 0;
}

// access(2) asks for the real user: a token with his numbers in the place of the effective ones.
static inv_status_t token_real(const struct vfs_caller *c, struct token **out) {
    inv_status_t s = token_clone(c->token, c->job, out);
    if (s != INV_OK)
        return s;
    struct token *t = *out;
    t->fsuid = t->uid;
    t->fsgid = t->gid;
    t->cap_effective = real_capabilities(t);
    return INV_OK;
}

static bool token_is_real(const struct token *t) {
    return t->fsuid == t->uid && t->fsgid == t->gid && t->cap_effective == real_capabilities(t);
}

static inv_status_t access_check(const struct path *p, struct token *who, unsigned want) {
    struct inode *i = path_inode(p);
    uint32_t type = i->mode & MODE_FMT;
    if ((want & WANT_EXECUTE) != 0 && type == MODE_REGULAR && (mount_flags(p->mount) & MOUNT_NOEXEC) != 0)
        return INV_ERR_ACCESS;
    inv_status_t s = want != 0 ? vfs_permission(i, who, want) : INV_OK;
    if (s == INV_OK && (want & WANT_WRITE) != 0 && mount_read_only(p->mount) &&
        (type == MODE_REGULAR || type == MODE_DIRECTORY || type == MODE_SYMLINK))
        s = INV_ERR_READ_ONLY;
    return s;
}

inv_status_t vfs_access(const struct vfs_caller *c, int dirfd, const char *path, unsigned want, unsigned walk,
                        bool effective) {
    struct vfs_caller as = *c;
    struct path p;
    inv_status_t s = INV_OK;
    bool own = !effective && !token_is_real(c->token);
    if (own)
        s = token_real(c, &as.token);
    if (s != INV_OK)
        return s;
    s = walk_to(&as, dirfd, path, walk, &p);
    if (s == INV_OK) {
        s = access_check(&p, as.token, want);
        path_put(&p);
    }
    if (own)
        object_put(&as.token->obj);
    return s;
}
