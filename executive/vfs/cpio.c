// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Unpacks a cpio archive into the boot tree, through the same calls as a program would make, as root. Boot thread.
//
// Later members win over earlier ones of the same name. Members with more than one link and the same inode number become links of one file; the data may come with
// any of them. Missing parent directories are made.

#include <kernel/job.h>
#include <kernel/log.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include <executive/vfs.h>

#include "cpio_parse.h"

#define LINK_BUCKETS 64
#define WRITE_PIECE  KIB(64) // so much of the archive at most is there twice

struct link_name {
    struct link_name *next;
    uint32_t ino, dev_major, dev_minor;
    char name[];
};

struct unpack {
    struct vfs_caller caller;
    struct link_name *links[LINK_BUCKETS];
    char name[PATH_MAX_BYTES], target[PATH_MAX_BYTES];
    void (*done)(const void *end); // what lies below end of the archive is not looked at again
};

// --- hard links -------------------------------------------------------------------------------------------------------

static struct link_name **link_bucket(struct unpack *u, const struct cpio_member *m) {
    return &u->links[(m->ino ^ m->dev_minor) % LINK_BUCKETS];
}

// The name under which this file was seen before, or NULL: then this one is remembered.
static inv_status_t link_find(struct unpack *u, const struct cpio_member *m, const char **out_name) {
    struct link_name **bucket = link_bucket(u, m), *l;
    *out_name = NULL;
    for (l = *bucket; l != NULL; l = l->next) {
        if (l->ino == m->ino && l->dev_major == m->dev_major && l->dev_minor == m->dev_minor) {
            *out_name = l->name;
            return INV_OK;
        }
    }
    l = kmalloc(sizeof(*l) + m->name_length + 1);
    if (l == NULL)
        return INV_ERR_NO_MEMORY;
    l->ino = m->ino;
    l->dev_major = m->dev_major;
    l->dev_minor = m->dev_minor;
    memcpy(l->name, m->name, m->name_length + 1);
    l->next = *bucket;
    *bucket = l;
    return INV_OK;
}

static void links_forget(struct unpack *u) {
    for (int i = 0; i < LINK_BUCKETS; i++) {
        while (u->links[i] != NULL) {
            struct link_name *l = u->links[i];
            u->links[i] = l->next;
            kfree(l);
        }
    }
}

// --- members ----------------------------------------------------------------------------------------------------------

static inv_status_t attributes_set(struct unpack *u, const struct cpio_member *m) {
    struct path p;
    inv_status_t s = vfs_lookup(&u->caller, AT_FDCWD_, m->name, 0, &p);
    if (s != INV_OK)
        return s;
    struct inode_attributes a = {.valid = ATTR_MTIME | ATTR_ATIME, .uid = m->uid, .gid = m->gid, .mode = m->mode};
    struct inode *i = path_inode(&p);
    if (i->uid != m->uid || i->gid != m->gid)
        a.valid |= ATTR_UID | ATTR_GID;
    if ((m->mode & MODE_FMT) != MODE_SYMLINK)
        a.valid |= ATTR_MODE;
    a.mtime.seconds = a.atime.seconds = m->mtime;
    s = vfs_setattr(&p, u->caller.token, &a);
    path_put(&p);
    return s;
}

static inv_status_t data_write(struct unpack *u, struct file *f, const char *data, size_t size) {
    while (size != 0) {
        struct io_vector v;
        struct io io;
        size_t done;
        io_init_kernel(&io, &v, (void *)(uintptr_t)data, MIN(size, (size_t)WRITE_PIECE));
        inv_status_t s = file_write(f, &io, &done);
        if (s != INV_OK)
            return s;
        data += done;
        size -= done;
        u->done(data);
    }
    return INV_OK;
}

static inv_status_t make_regular(struct unpack *u, const struct cpio_member *m) {
    const char *earlier = NULL;
    inv_status_t s = m->nlink > 1 ? link_find(u, m, &earlier) : INV_OK;
    if (s == INV_OK && earlier != NULL) {
        if (strcmp(earlier, m->name) != 0)
            s = vfs_link(&u->caller, AT_FDCWD_, earlier, AT_FDCWD_, m->name, 0);
        if (s != INV_OK || m->size == 0)
            return s;
    }
    if (s != INV_OK)
        return s;
    struct file *f;
    s = vfs_open(&u->caller, AT_FDCWD_, m->name, O_WRONLY_ | O_CREAT_ | O_TRUNC_ | O_NOFOLLOW_, m->mode & 07777, &f);
    if (s != INV_OK)
        return s;
    s = data_write(u, f, m->data, m->size);
    file_put(f);
    return s;
}

static inv_status_t make_symlink(struct unpack *u, const struct cpio_member *m) {
    if (m->size == 0 || m->size >= sizeof(u->target) || memchr(m->data, 0, m->size) != NULL)
        return INV_ERR_BAD_MESSAGE;
    memcpy(u->target, m->data, m->size);
    u->target[m->size] = 0;
    return vfs_symlink(&u->caller, u->target, AT_FDCWD_, m->name);
}

static inv_status_t member_make(struct unpack *u, const struct cpio_member *m) {
    switch (m->mode & MODE_FMT) {
    case MODE_DIRECTORY: return vfs_mkdir(&u->caller, AT_FDCWD_, m->name, m->mode & 07777);
    case MODE_REGULAR: return make_regular(u, m);
    case MODE_SYMLINK: return make_symlink(u, m);
    case MODE_CHARACTER:
    case MODE_BLOCK:
    case MODE_FIFO:
    case MODE_SOCKET:
        return vfs_mknod(&u->caller, AT_FDCWD_, m->name, m->mode & (MODE_FMT | 07777),
                         DEVNO(m->rdev_major, m->rdev_minor));
    default: return INV_ERR_BAD_MESSAGE;
    }
}

static inv_status_t make_parents(struct unpack *u, const struct cpio_member *m) {
    for (size_t i = 1; i < m->name_length; i++) {
        if (m->name[i] != '/')
            continue;
        memcpy(u->target, m->name, i);
        u->target[i] = 0;
        inv_status_t s = vfs_mkdir(&u->caller, AT_FDCWD_, u->target, 0755);
        if (s != INV_OK && s != INV_ERR_EXISTS)
            return s;
    }
    return INV_OK;
}

// What stands under the name goes, unless it is a directory and the member is one as well.
static inv_status_t make_way(struct unpack *u, const struct cpio_member *m) {
    struct path p;
    inv_status_t s = vfs_lookup(&u->caller, AT_FDCWD_, m->name, 0, &p);
    if (s != INV_OK)
        return s;
    bool directory = (path_inode(&p)->mode & MODE_FMT) == MODE_DIRECTORY;
    path_put(&p);
    if (directory && (m->mode & MODE_FMT) == MODE_DIRECTORY)
        return INV_ERR_EXISTS;
    return vfs_unlink(&u->caller, AT_FDCWD_, m->name, directory);
}

static inv_status_t member_unpack(struct unpack *u, const struct cpio_member *m) {
    inv_status_t s = member_make(u, m);
    if (s == INV_ERR_NOT_FOUND) {
        s = make_parents(u, m);
        if (s == INV_OK)
            s = member_make(u, m);
    }
    if (s == INV_ERR_EXISTS || s == INV_ERR_IS_DIR || s == INV_ERR_LOOP || s == INV_ERR_NO_ADDRESS) {
        s = make_way(u, m);
        if (s == INV_OK)
            s = member_make(u, m);
        else if (s == INV_ERR_EXISTS)
            s = INV_OK; // a directory again: it gets the new attributes
    }
    return s == INV_OK ? attributes_set(u, m) : s;
}

static inv_status_t root_attributes_set(struct unpack *u, struct cpio_member *m) {
    m->name = "/";
    m->name_length = 1;
    return attributes_set(u, m);
}

// ".", "./" and "/" are the root, which is there and gets their attributes; other names lose such a beginning.
static void name_strip(struct cpio_member *m) {
    for (;;) {
        if (m->name[0] == '/')
            m->name++, m->name_length--;
        else if (m->name[0] == '.' && m->name[1] == '/')
            m->name += 2, m->name_length -= 2;
        else
            break;
    }
    if (m->name[0] == '.' && m->name[1] == 0)
        m->name++, m->name_length--;
}

// The name is needed after the data, and with them what lies before them in the archive is given up. A name that is too long is refused before.
static void name_keep(struct unpack *u, struct cpio_member *m) {
    if (m->name_length >= sizeof(u->name))
        return;
    memcpy(u->name, m->name, m->name_length + 1);
    m->name = u->name;
}

inv_status_t cpio_unpack(const void *archive, size_t size, void (*done)(const void *end)) {
    struct unpack *u = kzalloc(sizeof(*u));
    struct cpio_reader reader;
    struct cpio_member m;
    inv_status_t s;
    if (u == NULL)
        return INV_ERR_NO_MEMORY;
    u->caller = (struct vfs_caller){.fs = fs_context_boot, .token = token_root, .job = &root_job};
    u->done = done;
    cpio_reader_init(&reader, archive, size);
    while ((s = cpio_next(&reader, &m)) == INV_OK) {
        name_strip(&m);
        name_keep(u, &m);
        if (m.name_length == 0 && (m.mode & MODE_FMT) != MODE_DIRECTORY)
            continue;
        s = m.name_length == 0 ? root_attributes_set(u, &m) : member_unpack(u, &m);
        if (s != INV_OK) {
            log_error("cpio", "\"%s\": cannot be unpacked (status %d)", m.name, s);
            break;
        }
    }
    if (s == INV_ERR_NOT_FOUND)
        s = INV_OK;
    else if (s == INV_ERR_BAD_MESSAGE)
        log_error("cpio", "boot archive: no cpio (newc) member at byte %zu of %zu", reader.position, size);
    links_forget(u);
    kfree(u);
    return s;
}
