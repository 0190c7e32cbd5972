// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Reading directories: getdents gives a dir_context whose emit fills the program's buffer; the file system calls it entry by entry. Thread context.
// The position is the file's: 0 is ".", 1 "..", then what the file system makes of it; an entry's offset is the position after it.

#include "file.h"
#include "inode.h"

#define DT_DIR 4

bool vfs_emit_dots(struct file *file, struct dir_context *c) {
    struct dentry *d = file->path.dentry;
    if (c->position == 0) {
        if (!c->emit(c, ".", 1, file->inode->ino, DT_DIR, 1))
            return false;
        c->position = 1;
    }
    if (c->position == 1) {
        epoch_enter(); // the parent may change under us; its inode's number is what we want of it
        uint64_t ino = dentry_inode_borrowed(dentry_parent(d))->ino;
        epoch_exit();
        if (!c->emit(c, "..", 2, ino, DT_DIR, 2))
            return false;
        c->position = 2;
    }
    return true;
}

inv_status_t file_readdir(struct file *f, struct dir_context *c) {
    if ((f->flags & O_PATH_) != 0)
        return INV_ERR_BAD_FD;
    if (!inode_is(f->inode, MODE_DIRECTORY) || f->ops->readdir == NULL)
        return INV_ERR_NOT_DIR;
    mutex_lock(&f->position_lock);
    mutex_lock(&f->inode->lock);
    inv_status_t s = INV_ERR_NOT_FOUND;
    if (!dentry_has(f->path.dentry, DENTRY_REMOVED)) {
        c->position = f->position;
        s = f->ops->readdir(f, c);
        f->position = c->position;
    }
    mutex_unlock(&f->inode->lock);
    mutex_unlock(&f->position_lock);
    if (s == INV_OK)
        file_touch_atime(f);
    return s;
}
