// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// objfs: the kernel's namespace of objects as a file system, mounted at /invar. Directories are directories, links are symbolic links, and every other object is a file
// that describes the object when it is read. Nothing is made or removed through it. Thread context.
//
// Invariants:
// I1. An inode counts its object. Numbers of inodes are identities of objects, which are never used again.
// I2. A cached name leads to an inode as long as the object has that name in that directory (revalidate).
// Locking: none of its own: the directory's lock is taken by the namespace, below the inode's.
#include <kernel/boot.h>
#include <kernel/namespace.h>
#include <kernel/security.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include <executive/vfs.h>

#include "dentry.h"

#define OBJFS_MAGIC      0x494e5652 // "INVR"
#define DESCRIPTION_SIZE 4096

static const struct inode_ops directory_ops, link_ops, description_ops;
static const struct file_ops directory_files, description_files;

static struct object *object_of(const struct inode *i) {
    return i->data;
}
static struct directory *directory_of(const struct inode *i) {
    return container_of(object_of(i), struct directory, obj);
}

static uint32_t mode_of(const struct object *o) {
    if (o->type == &directory_type)
        return MODE_DIRECTORY | 0555;
    return o->type == &link_type ? MODE_SYMLINK | 0777 : MODE_REGULAR | 0444;
}

// Takes over one pointer of o. NULL: no memory.
static struct inode *inode_of(struct superblock *sb, struct object *o) {
    struct inode *i = inode_alloc(sb, mode_of(o));
    struct security_view security;

    if (i == NULL) {
        object_put(o);
        return NULL;
    }
    i->ino = object_identity(o);
    i->data = o;
    if (object_security_view(o, &security)) {
        i->uid = security.uid;
        i->gid = security.gid;
    }
    i->ops = &description_ops;
    i->file_ops = &description_files;
    if (o->type == &directory_type) {
        i->nlink = 2;
        i->ops = &directory_ops;
        i->file_ops = &directory_files;
    } else if (o->type == &link_type) {
        i->ops = &link_ops;
    }
    return i;
}

static void objfs_inode_delete(struct inode *i) {
    if (i->data != NULL)
        object_put(object_of(i));
}

// The object's own security decides, and not the mode, which is a picture of it: to pass and to read a description is to look (GET_INFO).
static inv_status_t objfs_permission(struct inode *i, struct token *who, unsigned want) {
    inv_rights_t rights = object_rights_for(object_of(i), who);
    bool directory = object_of(i)->type == &directory_type;

    if ((want & WANT_WRITE) != 0 || ((want & WANT_EXECUTE) != 0 && !directory))
        return INV_ERR_ACCESS;
    inv_rights_t needed = directory && (want & WANT_READ) != 0 ? INV_RIGHT_READ : INV_RIGHT_GET_INFO;
    return (rights & needed) == needed ? INV_OK : INV_ERR_ACCESS;
}

// --- directories ---

static inv_status_t directory_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    struct object *o;
    inv_status_t status = directory_find(directory_of(dir), name, length, &o);
    if (status != INV_OK)
        return status;
    *out = inode_of(dir->superblock, o);
    return *out != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

static bool directory_revalidate(struct dentry *d) {
    struct inode *i = dentry_inode(d);
    bool valid = false;

    if (i == NULL)
        return false; // it may have come meanwhile
    epoch_enter();
    const struct inode *parent = dentry_inode(dentry_parent(d));
    const struct dentry_name *name = atomic_load_explicit(&d->name, memory_order_acquire);
    if (parent != NULL)
        valid = directory_holds(directory_of(parent), object_of(i), dentry_name_text(name), name->length);
    epoch_exit();
    return valid;
}

// Position 2 + n: behind the entry with cookie n.
static inv_status_t directory_list(struct file *f, struct dir_context *c) {
    struct directory *d = directory_of(f->inode);
    struct directory_item item;

    if (!vfs_emit_dots(f, c))
        return INV_OK;
    for (uint64_t cookie = c->position - 2; directory_next(d, &cookie, &item);) {
        bool taken = c->emit(c, item.name, strlen(item.name), object_identity(item.object),
                             (uint8_t)(mode_of(item.object) >> 12), cookie + 2);
        object_put(item.object);
        if (!taken)
            break;
        c->position = cookie + 2;
    }
    return INV_OK;
}

static inv_status_t directory_create_refused(struct inode *dir, const char *name, size_t length, uint32_t mode,
                                             devno_t rdev, struct token *who, struct inode **out) {
    (void)dir, (void)name, (void)length, (void)mode, (void)rdev, (void)who, (void)out;
    return INV_ERR_NOT_PERMITTED;
}

static const struct inode_ops directory_ops = {.lookup = directory_lookup,
                                               .create = directory_create_refused,
                                               .permission = objfs_permission,
                                               .revalidate = directory_revalidate};
static const struct file_ops directory_files = {.readdir = directory_list};

// --- links ---

// The target begins at the root of the namespace; from where the link stands, that is as many steps up as there are directories above it.
static inv_status_t link_read(struct inode *link, char *buffer, size_t size, size_t *out_length) {
    struct object *o = object_of(link);
    char *path = kmalloc(NAME_PATH_MAX + NAME_DEPTH_MAX * (NAME_COMPONENT_MAX + 1));
    size_t length = 0;

    if (path == NULL)
        return INV_ERR_NO_MEMORY;
    object_path(o, path, NAME_PATH_MAX + NAME_DEPTH_MAX * (NAME_COMPONENT_MAX + 1));
    for (const char *slash = path[0] != '\0' ? strchr(path + 1, '/') : NULL; slash != NULL;
         slash = strchr(slash + 1, '/'))
        for (const char *up = "../"; *up != '\0' && length < size; up++)
            buffer[length++] = *up;
    kfree(path);
    const char *target = link_target(o);
    while (*target == '/')
        target++;
    if (*target == '\0' && length == 0)
        target = ".";
    for (; *target != '\0' && length < size; target++)
        buffer[length++] = *target;
    *out_length = length;
    return INV_OK;
}

static const struct inode_ops link_ops = {.readlink = link_read, .permission = objfs_permission};

// --- all else ---

static inv_status_t description_read(struct file *f, struct io *io, uint64_t *position, size_t *out_done) {
    char *text = kmalloc(DESCRIPTION_SIZE);
    inv_status_t status = INV_OK;

    *out_done = 0;
    if (text == NULL)
        return INV_ERR_NO_MEMORY;
    size_t length = object_describe(object_of(f->inode), text, DESCRIPTION_SIZE);
    if (*position < length)
        status = io_to(io, text + *position, length - *position, out_done);
    *position += *out_done;
    kfree(text);
    return *out_done > 0 ? INV_OK : status;
}

static inv_status_t description_seek(struct file *f, int64_t offset, int whence, uint64_t *out_position) {
    return file_seek_in(f, 0, offset, whence, out_position);
}

static const struct inode_ops description_ops = {.permission = objfs_permission};
static const struct file_ops description_files = {.read = description_read, .seek = description_seek};

// --- the file system ---

static inv_status_t objfs_mount(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                                struct superblock *sb) {
    (void)type, (void)source, (void)flags, (void)options;
    object_get(&namespace_root->obj);
    struct inode *root = inode_of(sb, &namespace_root->obj);
    if (root == NULL)
        return INV_ERR_NO_MEMORY;
    sb->magic = OBJFS_MAGIC;
    sb->block_size = PAGE_SIZE;
    sb->root = dentry_make_root(root);
    return sb->root != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

static inv_status_t objfs_statfs(struct superblock *sb, struct fs_statistics *out) {
    (void)sb;
    *out = (struct fs_statistics){.magic = OBJFS_MAGIC, .block_size = PAGE_SIZE, .name_max = NAME_COMPONENT_MAX};
    return INV_OK;
}

static struct fs_type objfs_type = {.name = "objfs",
                                    .uncached = true,
                                    .mount = objfs_mount,
                                    .inode_delete = objfs_inode_delete,
                                    .statfs = objfs_statfs};

static inv_status_t objfs_init(void) {
    fs_register(&objfs_type);
    return INV_OK;
}
BOOT_CALL("objfs", BOOT_STAGE_EXECUTIVE, objfs_init);
