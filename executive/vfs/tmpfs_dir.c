// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Directories of tmpfs: two trees of entries, by name for lookups and by offset for getdents. All with the directory's inode lock held, as vfs.h says.
//
// Invariants:
// I1. Each entry is in both trees of one directory, counts its inode, and is counted in that inode's nlink.
// I2. Offsets rise from 2 and are never used again, so that a getdents that goes on after changes neither repeats nor leaves out what was there all along.
// I3. A directory's nlink is 2 and one for each directory in it.

#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "acl.h"
#include "tmpfs.h"

// --- entries ----------------------------------------------------------------------------------------------------------

static size_t entry_bytes(size_t length) {
    return sizeof(struct tmpfs_entry) + length;
}

static struct tmpfs_entry *entry_alloc(const char *name, size_t length, struct inode *inode) {
    if (job_charge(inode->job, JOB_MEMORY, entry_bytes(length)) != INV_OK)
        return NULL;
    struct tmpfs_entry *e = kmalloc(entry_bytes(length));
    if (e == NULL) {
        job_uncharge(inode->job, JOB_MEMORY, entry_bytes(length));
        return NULL;
    }
    e->inode = inode;
    e->hash = component_hash(name, length);
    e->length = (uint32_t)length;
    memcpy(e->name, name, length);
    return e;
}

// Leaves the inode's count with the caller.
static void entry_free(struct tmpfs_entry *e) {
    job_uncharge(e->inode->job, JOB_MEMORY, entry_bytes(e->length));
    kfree(e);
}

static int entry_compare(const struct tmpfs_entry *e, const char *name, size_t length, uint32_t hash) {
    if (e->hash != hash)
        return hash < e->hash ? -1 : 1;
    if (e->length != length)
        return length < e->length ? -1 : 1;
    return memcmp(name, e->name, length);
}

static struct tmpfs_entry *entry_find(const struct inode *dir, const char *name, size_t length) {
    uint32_t hash = component_hash(name, length);
    struct rb_node *n = tmpfs_directory(dir)->by_name.root;
    while (n != NULL) {
        struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, by_name);
        int c = entry_compare(e, name, length, hash);
        if (c == 0)
            return e;
        n = c < 0 ? n->left : n->right;
    }
    return NULL;
}

static void entry_insert(struct inode *dir, struct tmpfs_entry *e) {
    struct tmpfs_directory *d = tmpfs_directory(dir);
    struct rb_node **link = &d->by_name.root, *parent = NULL;
    while (*link != NULL) {
        parent = *link;
        int c = entry_compare(rb_entry(parent, struct tmpfs_entry, by_name), e->name, e->length, e->hash);
        DEBUG_ASSERT(c != 0);
        link = c < 0 ? &parent->left : &parent->right;
    }
    rb_insert(&d->by_name, &e->by_name, parent, link);
    e->offset = d->next_offset++;
    struct rb_node *last = rb_last(&d->by_offset); // the newest is the last
    rb_insert(&d->by_offset, &e->by_offset, last, last != NULL ? &last->right : &d->by_offset.root);
    d->count++;
}

static void entry_remove(struct inode *dir, struct tmpfs_entry *e) {
    struct tmpfs_directory *d = tmpfs_directory(dir);
    rb_remove(&d->by_name, &e->by_name);
    rb_remove(&d->by_offset, &e->by_offset);
    d->count--;
}

static void directory_changed(struct inode *dir) {
    dir->mtime = dir->ctime = timestamp_now();
}

// An unmounted tree goes without recursion: the entries of a directory that nobody else counts join the list.
void tmpfs_directory_clear(struct inode *dir) {
    struct tmpfs_entry *list = NULL;
    for (;;) {
        struct tmpfs_directory *d = tmpfs_directory(dir);
        struct rb_node *n;
        while ((n = rb_first(&d->by_offset)) != NULL) {
            struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, by_offset);
            entry_remove(dir, e);
            e->next = list;
            list = e;
        }
        struct inode *next = NULL;
        while (list != NULL && next == NULL) {
            struct tmpfs_entry *e = list;
            struct inode *i = e->inode;
            if (inode_is(i, MODE_DIRECTORY) && i->count == 1 && tmpfs_directory(i)->count != 0) {
                next = i; // first what is in it; then we come back to e
                break;
            }
            list = e->next;
            entry_free(e);
            inode_put(i);
        }
        if (next == NULL)
            return;
        dir = next;
    }
}

// --- operations -------------------------------------------------------------------------------------------------------

static inv_status_t directory_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    struct tmpfs_entry *e = entry_find(dir, name, length);
    if (e == NULL)
        return INV_ERR_NOT_FOUND;
    inode_get(e->inode);
    *out = e->inode;
    return INV_OK;
}

// The inode for a new name, with a symbolic link's text.
static inv_status_t make_inode(struct inode *dir, uint32_t mode, devno_t rdev, const char *target, struct token *who,
                               struct inode **out) {
    inv_status_t s = tmpfs_inode_make(dir->superblock, mode, rdev, out);
    if (s != INV_OK)
        return s;
    inode_init_owner(*out, dir, who);
    s = acl_inherit(*out, dir);
    if (s != INV_OK) {
        inode_put(*out);
        return s;
    }
    if (target == NULL)
        return INV_OK;
    size_t size = strlen(target) + 1;
    (*out)->data = tmpfs_extra_alloc(*out, size);
    if ((*out)->data == NULL) {
        inode_put(*out);
        return INV_ERR_NO_MEMORY;
    }
    memcpy((*out)->data, target, size);
    return INV_OK;
}

// Makes an inode and its entry; *out has a count for the caller beside the entry's.
static inv_status_t make(struct inode *dir, const char *name, size_t length, uint32_t mode, devno_t rdev,
                         const char *target, struct token *who, struct inode **out) {
    struct inode *i;
    inv_status_t s = make_inode(dir, mode, rdev, target, who, &i);
    if (s != INV_OK)
        return s;
    struct tmpfs_entry *e = entry_alloc(name, length, i);
    if (e == NULL) {
        inode_put(i);
        return INV_ERR_NO_SPACE;
    }
    entry_insert(dir, e);
    inode_get(i);
    dir->mtime = dir->ctime = i->ctime;
    if (inode_is(i, MODE_DIRECTORY))
        dir->nlink++;
    *out = i;
    return INV_OK;
}

static inv_status_t directory_make_node(struct inode *dir, const char *name, size_t length, uint32_t mode, devno_t rdev,
                                        struct token *who, struct inode **out) {
    return make(dir, name, length, mode, rdev, NULL, who, out);
}

static inv_status_t directory_mkdir(struct inode *dir, const char *name, size_t length, uint32_t mode,
                                    struct token *who, struct inode **out) {
    return make(dir, name, length, mode, 0, NULL, who, out);
}

static inv_status_t directory_symlink(struct inode *dir, const char *name, size_t length, const char *target,
                                      struct token *who, struct inode **out) {
    return make(dir, name, length, MODE_SYMLINK | 0777, 0, target, who, out);
}

static inv_status_t directory_link(struct inode *dir, const char *name, size_t length, struct inode *target) {
    if (target->nlink != 0 && !tmpfs_inode_take(dir->superblock)) // nr_inodes bounds names, too
        return INV_ERR_NO_SPACE;
    struct tmpfs_entry *e = entry_alloc(name, length, target);
    if (e == NULL) {
        if (target->nlink != 0)
            tmpfs_inode_give(dir->superblock);
        return INV_ERR_NO_SPACE;
    }
    inode_get(target);
    target->nlink++;
    entry_insert(dir, e);
    directory_changed(dir);
    target->ctime = dir->ctime;
    return INV_OK;
}

// The entry's count of the inode is dropped; the caller's name still has one.
static void drop(struct inode *dir, struct tmpfs_entry *e) {
    struct inode *i = e->inode;
    entry_remove(dir, e);
    entry_free(e);
    directory_changed(dir);
    i->ctime = dir->ctime;
    inode_put(i);
}

static inv_status_t directory_unlink(struct inode *dir, const char *name, size_t length, struct inode *target) {
    struct tmpfs_entry *e = entry_find(dir, name, length);
    if (e == NULL || e->inode != target)
        return INV_ERR_NOT_FOUND;
    if (target->nlink > 1)
        tmpfs_inode_give(dir->superblock);
    target->nlink--;
    drop(dir, e);
    return INV_OK;
}

static inv_status_t directory_rmdir(struct inode *dir, const char *name, size_t length, struct inode *target) {
    struct tmpfs_entry *e = entry_find(dir, name, length);
    if (e == NULL || e->inode != target)
        return INV_ERR_NOT_FOUND;
    if (tmpfs_directory(target)->count != 0)
        return INV_ERR_NOT_EMPTY;
    target->nlink = 0;
    dir->nlink--;
    drop(dir, e);
    return INV_OK;
}

// The new name's entry is the replaced one's with another inode, or the old one under the new name: nothing fails half way.
static inv_status_t rename_over(struct inode *old_dir, struct tmpfs_entry *old, struct inode *new_dir,
                                struct tmpfs_entry *target) {
    struct inode *source = old->inode, *replaced = target->inode;
    bool directory = inode_is(source, MODE_DIRECTORY);
    if (directory && tmpfs_directory(replaced)->count != 0)
        return INV_ERR_NOT_EMPTY;
    if (job_charge(source->job, JOB_MEMORY, entry_bytes(target->length)) != INV_OK)
        return INV_ERR_NO_SPACE;
    job_uncharge(replaced->job, JOB_MEMORY, entry_bytes(target->length));
    entry_remove(old_dir, old);
    entry_free(old);
    target->inode = source;
    if (!directory && replaced->nlink > 1)
        tmpfs_inode_give(new_dir->superblock);
    replaced->nlink -= directory ? replaced->nlink : 1;
    if (directory)
        old_dir->nlink--; // the one that came to new_dir takes the place of the one that went
    replaced->ctime = timestamp_now();
    inode_put(replaced);
    return INV_OK;
}

static inv_status_t rename_fresh(struct inode *old_dir, struct tmpfs_entry *old, struct inode *new_dir,
                                 const char *name, size_t length) {
    struct inode *source = old->inode;
    struct tmpfs_entry *e = entry_alloc(name, length, source);
    if (e == NULL)
        return INV_ERR_NO_SPACE;
    entry_remove(old_dir, old);
    entry_free(old);
    entry_insert(new_dir, e);
    if (inode_is(source, MODE_DIRECTORY)) {
        old_dir->nlink--;
        new_dir->nlink++;
    }
    return INV_OK;
}

static inv_status_t rename_exchange(struct inode *a_dir, struct tmpfs_entry *a, struct inode *b_dir,
                                    struct tmpfs_entry *b) {
    struct inode *i = a->inode, *j = b->inode;
    if (i->job != j->job) {
        if (job_charge(j->job, JOB_MEMORY, entry_bytes(a->length)) != INV_OK)
            return INV_ERR_NO_SPACE;
        if (job_charge(i->job, JOB_MEMORY, entry_bytes(b->length)) != INV_OK) {
            job_uncharge(j->job, JOB_MEMORY, entry_bytes(a->length));
            return INV_ERR_NO_SPACE;
        }
        job_uncharge(i->job, JOB_MEMORY, entry_bytes(a->length));
        job_uncharge(j->job, JOB_MEMORY, entry_bytes(b->length));
    } // else the entries keep their names, and the one job its sum
    a->inode = j;
    b->inode = i;
    int moved = (int)inode_is(i, MODE_DIRECTORY) - (int)inode_is(j, MODE_DIRECTORY);
    a_dir->nlink -= (uint32_t)moved;
    b_dir->nlink += (uint32_t)moved;
    j->ctime = timestamp_now();
    return INV_OK;
}

static inv_status_t directory_rename(struct inode *old_dir, const char *old_name, size_t old_length,
                                     struct inode *source, struct inode *new_dir, const char *new_name,
                                     size_t new_length, struct inode *replaced, bool exchange) {
    struct tmpfs_entry *old = entry_find(old_dir, old_name, old_length), *target = NULL;
    inv_status_t s;
    if (old == NULL || old->inode != source)
        return INV_ERR_NOT_FOUND;
    if (replaced != NULL && ((target = entry_find(new_dir, new_name, new_length)) == NULL || target->inode != replaced))
        return INV_ERR_NOT_FOUND;
    if (exchange)
        s = rename_exchange(old_dir, old, new_dir, target);
    else if (target != NULL)
        s = rename_over(old_dir, old, new_dir, target);
    else
        s = rename_fresh(old_dir, old, new_dir, new_name, new_length);
    if (s == INV_OK) {
        directory_changed(old_dir);
        new_dir->mtime = new_dir->ctime = source->ctime = old_dir->ctime;
    }
    return s;
}

// A device that stands for nothing: what was here is gone, and nothing below it in a stack of file systems shines through.
static inv_status_t directory_create_whiteout(struct inode *dir, struct token *who, struct inode **out) {
    return make_inode(dir, MODE_CHARACTER, 0, NULL, who, out);
}

static inv_status_t directory_rename_whiteout(struct inode *old_dir, const char *old_name, size_t old_length,
                                              struct inode *source, struct inode *new_dir, const char *new_name,
                                              size_t new_length, struct inode *replaced, struct inode *whiteout) {
    struct tmpfs_entry *e = entry_alloc(old_name, old_length, whiteout);
    if (e == NULL)
        return INV_ERR_NO_SPACE;
    inv_status_t s = directory_rename(old_dir, old_name, old_length, source, new_dir, new_name, new_length, replaced,
                                      false);
    if (s != INV_OK) {
        entry_free(e);
        return s;
    }
    inode_get(whiteout);
    entry_insert(old_dir, e);
    return INV_OK;
}

static inv_status_t directory_tmpfile(struct inode *dir, uint32_t mode, struct token *who, struct inode **out) {
    inv_status_t s = make_inode(dir, mode, 0, NULL, who, out);
    if (s == INV_OK)
        (*out)->nlink = 0;
    return s;
}

static inv_status_t link_readlink(struct inode *link, char *buffer, size_t size, size_t *out_length) {
    const char *text = link->data;
    size_t n = MIN(strlen(text), size);
    memcpy(buffer, text, n);
    *out_length = n;
    return INV_OK;
}

// The first entry at or after a position.
static struct tmpfs_entry *entry_at(const struct tmpfs_directory *d, uint64_t position) {
    struct tmpfs_entry *best = NULL;
    struct rb_node *n = d->by_offset.root;
    while (n != NULL) {
        struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, by_offset);
        if (e->offset >= position) {
            best = e;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

static inv_status_t directory_readdir(struct file *file, struct dir_context *c) {
    if (!vfs_emit_dots(file, c))
        return INV_OK;
    struct tmpfs_entry *e = entry_at(tmpfs_directory(file->inode), c->position);
    while (e != NULL) {
        if (!c->emit(c, e->name, e->length, e->inode->ino, (uint8_t)((e->inode->mode & MODE_FMT) >> 12), e->offset + 1))
            break;
        c->position = e->offset + 1;
        struct rb_node *n = rb_next(&e->by_offset);
        e = n != NULL ? rb_entry(n, struct tmpfs_entry, by_offset) : NULL;
    }
    return INV_OK;
}

static inv_status_t directory_seek(struct file *file, int64_t offset, int whence, uint64_t *out_position) {
    if (whence > 1)
        return INV_ERR_INVALID;
    return file_seek_in(file, 0, offset, whence, out_position);
}

const struct inode_ops tmpfs_directory_ops = {
    .lookup = directory_lookup,
    .create = directory_make_node,
    .mkdir = directory_mkdir,
    .symlink = directory_symlink,
    .link = directory_link,
    .unlink = directory_unlink,
    .rmdir = directory_rmdir,
    .rename = directory_rename,
    .rename_whiteout = directory_rename_whiteout,
    .create_whiteout = directory_create_whiteout,
    .tmpfile = directory_tmpfile,
    .getattr = tmpfs_getattr,
};

const struct inode_ops tmpfs_link_ops = {.readlink = link_readlink, .getattr = tmpfs_getattr};
const struct inode_ops tmpfs_node_ops = {.getattr = tmpfs_getattr};
const struct file_ops tmpfs_directory_file_ops = {.readdir = directory_readdir, .seek = directory_seek};
