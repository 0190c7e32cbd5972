// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// open: from a path and flags to an open file. The checks and their order are those of Linux's path_openat. Thread context.

#include <kernel/string.h>

#include <executive/device.h>

#include "acl.h"
#include "file.h"
#include "inode.h"
#include "walk.h"

struct open_request {
    const struct vfs_caller *caller;
    unsigned flags;
    uint32_t mode;
    unsigned want; // WANT_*
    unsigned walk; // WALK_* beyond what flags ask for
    bool created;
    uint32_t dir_mode, dir_uid; // O_CREAT: of the folder of the last component
};

static unsigned want_of(unsigned flags) {
    static const uint8_t want[4] = {WANT_READ, WANT_WRITE, WANT_READ | WANT_WRITE, WANT_READ | WANT_WRITE};
    return want[flags & O_ACCMODE_] | ((flags & O_TRUNC_) != 0 ? WANT_WRITE : 0);
}

// What may be opened how, once it is found.
static inv_status_t open_permitted(const struct open_request *r, const struct path *p) {
    struct inode *i = path_inode(p);
    switch (i->mode & MODE_FMT) {
    case MODE_SYMLINK: return INV_ERR_LOOP;
    case MODE_DIRECTORY:
        if ((r->want & WANT_WRITE) != 0)
            return INV_ERR_IS_DIR;
        break;
    case MODE_BLOCK:
    case MODE_CHARACTER:
        if ((mount_flags(p->mount) & MOUNT_NODEV) != 0)
            return INV_ERR_ACCESS;
        break;
    default: break;
    }
    if (r->created)
        return INV_OK;
    bool regular = inode_is(i, MODE_REGULAR);
    if (regular && (r->flags & O_TRUNC_) != 0 && mount_read_only(p->mount))
        return INV_ERR_READ_ONLY; // else a read-only mount comes after permission (file_hold_writer), a read-only file system before
    if (regular && (r->want & WANT_WRITE) != 0 && (i->superblock->flags & MOUNT_READ_ONLY) != 0)
        return INV_ERR_READ_ONLY;
    inv_status_t s = vfs_permission(i, r->caller->token, r->want);
    if (s == INV_OK && (r->flags & O_NOATIME_) != 0 && !inode_owner_or_capable(i, r->caller->token))
        s = INV_ERR_NOT_PERMITTED;
    return s;
}

// The operations behind the inode's type, and their open. A device's registry opens it itself.
static inv_status_t open_driver(struct file *f) {
    inv_status_t s = INV_OK;
    switch (f->inode->mode & MODE_FMT) {
    case MODE_CHARACTER: // a file system that has terminals of its own knows their nodes
        if (f->ops != NULL && f->ops->open != NULL)
            s = f->ops->open(f->inode, f);
        else
            s = character_device_open(f->inode->rdev, f);
        break;
    case MODE_BLOCK:
    case MODE_SOCKET:
    case 0: // an epoll, a timer, a process's descriptor: made by calls, and reached by a name only below /proc/PID/fd
        return INV_ERR_NO_ADDRESS;
    default:
        if (f->ops == NULL && inode_is(f->inode, MODE_FIFO))
            f->ops = &fifo_ops;
        if (f->ops == NULL)
            return INV_ERR_NO_ADDRESS;
        s = f->ops->open != NULL ? f->ops->open(f->inode, f) : INV_OK;
        break;
    }
    if (s == INV_OK)
        atomic_fetch_or_explicit(&f->holds, FILE_HOLDS_OPENED, memory_order_relaxed);
    return s;
}

static void file_hold_reader(struct file *f) {
    atomic_fetch_add_explicit(&f->inode->readers, 1, memory_order_relaxed);
    atomic_fetch_or_explicit(&f->holds, FILE_HOLDS_READER, memory_order_relaxed);
}

static const struct file_ops path_only_ops; // O_PATH: nothing works

inv_status_t file_alloc_path_only(struct path *path, struct file **out) {
    inv_status_t s = file_alloc(path, O_PATH_, out);
    if (s == INV_OK)
        (*out)->ops = &path_only_ops;
    else
        path_put(path);
    return s;
}

// The last part: p is found and permitted. Takes over p's counts in any case.
static inv_status_t open_file(const struct open_request *r, struct path *p, struct file **out) {
    struct file *f;
    inv_status_t s = file_alloc(p, r->flags & ~(O_CREAT_ | O_EXCL_ | O_TRUNC_ | O_CLOEXEC_), &f);
    if (s != INV_OK) {
        path_put(p);
        return s;
    }
    if ((r->flags & O_PATH_) != 0) {
        f->ops = &path_only_ops;
        *out = f;
        return INV_OK;
    }
    bool regular = inode_is(f->inode, MODE_REGULAR);
    if (regular && (file_writable(f) || (r->flags & O_TRUNC_) != 0))
        s = file_hold_writer(f);
    else if (regular && file_readable(f))
        file_hold_reader(f);
    if (s == INV_OK && regular)
        s = file_leases_break(f->inode, (r->flags & O_ACCMODE_) != 0, (r->flags & O_NONBLOCK_) != 0);
    if (s == INV_OK)
        s = open_driver(f);
    atomic_fetch_and_explicit(&f->flags, ~O_NOCTTY_, memory_order_relaxed); // said to the driver alone
    if (s == INV_OK && (r->flags & O_DIRECT_) != 0)
        s = INV_ERR_INVALID; // memory file systems have no way round their own pages; packets are pipe2's and fcntl's
    if (s == INV_OK && regular && (r->flags & O_TRUNC_) != 0 && !r->created) {
        struct inode_attributes a = {.valid = ATTR_SIZE, .size = 0};
        s = vfs_setattr(&f->path, NULL, &a);
    }
    if (s != INV_OK) {
        file_put(f);
        return s;
    }
    *out = f;
    return INV_OK;
}

// O_CREAT of what is there, in a sticky folder: not what a stranger put there for us to find.
static inv_status_t open_protected(const struct open_request *r, const struct inode *i) {
    int fifos = atomic_load_explicit(&vfs_protection.fifos, memory_order_relaxed);
    int regular = atomic_load_explicit(&vfs_protection.regular, memory_order_relaxed);
    bool fifo = inode_is(i, MODE_FIFO), file = inode_is(i, MODE_REGULAR);
    if ((fifo && fifos == 0) || (file && regular == 0) || (r->dir_mode & MODE_STICKY) == 0 || i->uid == r->dir_uid ||
        i->uid == r->caller->token->fsuid)
        return INV_OK;
    bool strict = (fifo && fifos >= 2) || (file && regular >= 2);
    return (r->dir_mode & 02) != 0 || ((r->dir_mode & 020) != 0 && strict) ? INV_ERR_ACCESS : INV_OK;
}

static inv_status_t open_found(struct open_request *r, struct path *p, struct file **out) {
    struct inode *i = path_inode(p);
    inv_status_t s = INV_OK;
    if ((r->flags & O_CREAT_) != 0 && !r->created) {
        if ((r->flags & O_EXCL_) != 0)
            s = INV_ERR_EXISTS;
        else if (inode_is(i, MODE_DIRECTORY))
            s = INV_ERR_IS_DIR;
        else
            s = open_protected(r, i);
    }
    if (s == INV_OK && (r->flags & O_DIRECTORY_) != 0 && !inode_is(i, MODE_DIRECTORY))
        s = INV_ERR_NOT_DIR;
    if (s == INV_OK && (r->flags & O_PATH_) == 0)
        s = open_permitted(r, p);
    if (s != INV_OK) {
        path_put(p);
        return s;
    }
    return open_file(r, p, out);
}

// --- O_CREAT ----------------------------------------------------------------------------------------------------------

// The last component is not there, dir's inode locked: makes a regular file and makes d positive.
static inv_status_t create_locked(struct open_request *r, struct walk *w, struct dentry *d) {
    struct inode *dir = path_inode(&w->at), *made;
    if (dir->ops->create == NULL)
        return INV_ERR_NOT_FOUND;
    inv_status_t s = mount_write_begin(w->at.mount);
    if (s != INV_OK)
        return s;
    s = permission_create(w->at.dentry, r->caller->token);
    if (s == INV_OK)
        s = dir->ops->create(dir, w->last.text, w->last.length,
                             acl_new_mode(dir, r->mode, r->caller->fs->umask) | MODE_REGULAR, 0, r->caller->token,
                             &made);
    mount_write_end(w->at.mount);
    if (s == INV_OK) {
        dentry_instantiate(d, made);
        r->created = true;
    }
    return s;
}

// Finds or makes the last component; *out is counted and positive.
static inv_status_t lookup_or_create(struct open_request *r, struct walk *w, struct dentry **out) {
    struct dentry *d;
    inv_status_t s = dentry_lookup(w->at.dentry, &w->last, &d);
    if (s != INV_OK)
        return s;
    if (dentry_inode(d) == NULL) {
        struct inode *dir = path_inode(&w->at);
        dentry_put(d);
        mutex_lock(&dir->lock);
        s = dentry_lookup_locked(w->at.dentry, &w->last, &d);
        if (s == INV_OK && dentry_inode(d) == NULL) {
            s = create_locked(r, w, d);
            if (s != INV_OK) {
                mutex_unlock(&dir->lock);
                dentry_put(d);
                return s;
            }
        }
        mutex_unlock(&dir->lock);
        if (s != INV_OK)
            return s;
    }
    *out = d;
    return INV_OK;
}

// Goes through symbolic links in the last place until there is something else. *out is counted.
static inv_status_t open_create_walk(struct open_request *r, struct walk *w, struct path *out) {
    bool follow = (r->flags & (O_EXCL_ | O_NOFOLLOW_)) == 0, jumped;
    for (;;) {
        struct dentry *d;
        inv_status_t s = INV_OK;
        if (w->last_kind != LAST_NAME) { // ".", "..", "/": they are there
            if (w->last_kind == LAST_DOTDOT)
                s = walk_parent(w);
            if (s != INV_OK)
                return s;
            *out = w->at;
            w->at.mount = NULL;
            return INV_OK;
        }
        if (w->trailing_slash)
            return INV_ERR_IS_DIR;
        s = lookup_or_create(r, w, &d);
        if (s != INV_OK)
            return s;
        r->dir_mode = path_inode(&w->at)->mode;
        r->dir_uid = path_inode(&w->at)->uid;
        if (r->created || !inode_is(dentry_inode(d), MODE_SYMLINK) || !follow) {
            *out = (struct path){.mount = w->at.mount, .dentry = d};
            mount_get(out->mount);
            path_cross(out);
            if ((w->flags & WALK_NO_CROSSING) == 0 || out->mount == w->at.mount)
                return INV_OK;
            path_put(out);
            return INV_ERR_CROSS_DEVICE;
        }
        s = walk_follow_last(w, d, &jumped);
        dentry_put(d);
        if (s != INV_OK)
            return s;
        if (jumped) {
            *out = w->at;
            w->at.mount = NULL;
            return INV_OK;
        }
    }
}

static inv_status_t open_create(struct open_request *r, int dirfd, const char *path, struct file **out) {
    struct walk w;
    struct path p;
    inv_status_t s = walk_to_parent(&w, r->caller, dirfd, path, r->walk | WALK_FOLLOW);
    if (s == INV_OK)
        s = open_create_walk(r, &w, &p);
    walk_end(&w);
    return s == INV_OK ? open_found(r, &p, out) : s;
}

// --- O_TMPFILE --------------------------------------------------------------------------------------------------------

// The inode in dir's file system, not named.
static inv_status_t tmpfile_make(struct open_request *r, const struct path *dir, struct inode **out) {
    struct inode *d = path_inode(dir);
    inv_status_t s = mount_write_begin(dir->mount);
    if (s != INV_OK)
        return s;
    s = vfs_permission(d, r->caller->token, WANT_WRITE | WANT_EXECUTE);
    if (s == INV_OK && d->ops->tmpfile == NULL)
        s = INV_ERR_OP_NOT_SUPPORTED;
    if (s == INV_OK) {
        mutex_lock(&d->lock);
        s = d->ops->tmpfile(d, acl_new_mode(d, r->mode, r->caller->fs->umask) | MODE_REGULAR, r->caller->token, out);
        mutex_unlock(&d->lock);
    }
    mount_write_end(dir->mount);
    return s;
}

static inv_status_t open_tmpfile(struct open_request *r, int dirfd, const char *path, struct file **out) {
    struct path dir, p;
    struct inode *made;
    char label[24];
    unsigned follow = (r->flags & O_NOFOLLOW_) == 0 ? WALK_FOLLOW : 0;
    inv_status_t s = walk_to(r->caller, dirfd, path, r->walk | follow | WALK_DIRECTORY, &dir);
    if (s != INV_OK)
        return s;
    s = tmpfile_make(r, &dir, &made);
    if (s == INV_OK) {
        snprintf(label, sizeof(label), "#%lu", (unsigned long)made->ino);
        p = (struct path){.mount = dir.mount, .dentry = dentry_make_hidden(dir.dentry, label, made)};
        if (p.dentry == NULL) {
            inode_put(made);
            s = INV_ERR_NO_MEMORY;
        }
    }
    if (s == INV_OK) {
        mount_get(p.mount);
        made->linkable = (r->flags & O_EXCL_) == 0;
        r->created = true;
        s = open_file(r, &p, out);
    }
    path_put(&dir);
    return s;
}

// --- the calls --------------------------------------------------------------------------------------------------------

inv_status_t vfs_open(const struct vfs_caller *c, int dirfd, const char *path, unsigned flags, uint32_t mode,
                      struct file **out) {
    return vfs_open_walk(c, dirfd, path, flags, mode, 0, out);
}

inv_status_t vfs_open_walk(const struct vfs_caller *c, int dirfd, const char *path, unsigned flags, uint32_t mode,
                           unsigned walk, struct file **out) {
    struct path p;
    bool tmpfile = (flags & O_TMPFILE_) == O_TMPFILE_;
    if ((flags & O_PATH_) != 0)
        flags &= O_PATH_ | O_DIRECTORY_ | O_NOFOLLOW_ | O_CLOEXEC_;
    else if ((flags & (O_DIRECTORY_ | O_CREAT_)) == (O_DIRECTORY_ | O_CREAT_))
        return INV_ERR_INVALID; // a folder is not made by open
    else if ((flags & O_TMPFILE_ & ~O_DIRECTORY_) != 0 &&
             (!tmpfile || (flags & O_ACCMODE_) == 0 || (flags & O_CREAT_) != 0))
        return INV_ERR_INVALID;
    struct open_request r = {.caller = c, .flags = flags, .mode = mode & 07777u, .want = want_of(flags), .walk = walk};
    if ((flags & O_PATH_) == 0 && tmpfile)
        return open_tmpfile(&r, dirfd, path, out);
    if ((flags & O_CREAT_) != 0)
        return open_create(&r, dirfd, path, out);
    walk |= ((flags & O_NOFOLLOW_) == 0 ? WALK_FOLLOW : 0) | ((flags & O_DIRECTORY_) != 0 ? WALK_DIRECTORY : 0);
    inv_status_t s = walk_to(c, dirfd, path, walk, &p);
    return s == INV_OK ? open_found(&r, &p, out) : s;
}

inv_status_t vfs_open_exec(const struct vfs_caller *c, int dirfd, const char *path, unsigned walk, struct file **out) {
    struct path p;
    struct open_request r = {.caller = c, .flags = 0, .want = WANT_READ};
    inv_status_t s = walk_to(c, dirfd, path, walk, &p);
    if (s != INV_OK)
        return s;
    struct inode *i = path_inode(&p);
    if (inode_is(i, MODE_SYMLINK))
        s = INV_ERR_LOOP;
    else if (!inode_is(i, MODE_REGULAR) || (mount_flags(p.mount) & MOUNT_NOEXEC) != 0)
        s = INV_ERR_ACCESS;
    else
        s = vfs_permission(i, c->token, WANT_EXECUTE);
    if (s != INV_OK) {
        path_put(&p);
        return s;
    }
    r.created = true; // execution needs no permission to read
    s = open_file(&r, &p, out);
    if (s != INV_OK)
        return s;
    if (!inode_deny_write((*out)->inode)) {
        file_put(*out);
        return INV_ERR_TEXT_BUSY;
    }
    atomic_fetch_or_explicit(&(*out)->holds, FILE_HOLDS_DENY_WRITE, memory_order_relaxed);
    return INV_OK;
}
