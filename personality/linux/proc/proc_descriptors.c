// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID/fd and fdinfo: one magic link, or one file, for each open descriptor. Nothing of them is ever cached.
#include "../proc.h"

#include <executive/mount.h>

#define FIRST_POSITION 2u

// The open file behind n, counted.
static inv_status_t descriptor_file(struct linux_process *p, int fd, struct file **out) {
    struct fd_table *files = proc_files(p, 0);

    if (files == NULL)
        return INV_ERR_NOT_FOUND;
    inv_status_t s = fd_get(files, fd, out);
    fd_table_put(files);
    return s == INV_OK ? INV_OK : INV_ERR_NOT_FOUND;
}

static inv_status_t lookup(struct inode *dir, const struct proc_entry *entry, const char *name, size_t length,
                           struct inode **out) {
    const struct proc_node *n = proc_node(dir);
    struct file *f;
    int fd;

    if (!linux_may_inspect(n->process))
        return INV_ERR_ACCESS;
    if (!proc_number(name, length, &fd))
        return INV_ERR_NOT_FOUND;
    inv_status_t s = descriptor_file(n->process, fd, &f);
    if (s != INV_OK)
        return s;
    *out = proc_inode(dir->superblock, entry, n->process, fd);
    if (*out != NULL && entry->kind == PROC_LINK)
        (*out)->mode = MODE_SYMLINK | (file_readable(f) ? 0500 : 0) | (file_writable(f) ? 0300 : 0);
    file_put(f);
    return *out != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

inv_status_t proc_fd_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    return lookup(dir, &proc_descriptor_link, name, length, out);
}

inv_status_t proc_fdinfo_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    return lookup(dir, &proc_descriptor_info, name, length, out);
}

inv_status_t proc_fd_list(struct file *f, struct dir_context *c) {
    const struct proc_node *n = proc_node(f->inode);
    struct fd_table *files;
    char name[12];

    if (!linux_may_inspect(n->process))
        return INV_ERR_ACCESS;
    files = proc_files(n->process, 0);
    if (files == NULL)
        return INV_OK;
    bool links = strcmp(n->entry->name, "fd") == 0;
    for (int fd = fd_next(files, (int)(c->position - FIRST_POSITION)); fd >= 0; fd = fd_next(files, fd + 1)) {
        size_t length = (size_t)snprintf(name, sizeof(name), "%d", fd);
        uint8_t type = (links ? MODE_SYMLINK : MODE_REGULAR) >> 12;
        if (!c->emit(c, name, length, 0x400000ull + (unsigned)fd, type, FIRST_POSITION + (unsigned)fd + 1))
            break;
        c->position = FIRST_POSITION + (unsigned)fd + 1;
    }
    fd_table_put(files);
    return INV_OK;
}

static inv_status_t link_follow(const struct proc_node *n, struct path *out) {
    struct file *f;
    inv_status_t s = descriptor_file(n->process, n->number, &f);

    if (s != INV_OK)
        return s;
    *out = f->path;
    path_get(out);
    file_put(f);
    return INV_OK;
}

static inv_status_t link_text(const struct proc_node *n, char *buffer, size_t size, size_t *out_length) {
    struct path p;
    inv_status_t s = link_follow(n, &p);

    if (s != INV_OK)
        return s;
    s = proc_path_text(&p, buffer, size, out_length);
    path_put(&p);
    return s;
}

struct info_sink {
    struct text_sink sink;
    struct proc_text *text;
};

static void info_write(struct text_sink *sink, const char *text, size_t length) {
    proc_append(container_of(sink, struct info_sink, sink)->text, text, length);
}

static void info_show(struct proc_text *t, const struct proc_node *n) {
    struct file *f;

    if (descriptor_file(n->process, n->number, &f) != INV_OK)
        return;
    struct fd_table *files = proc_files(n->process, 0);
    bool close_on_exec = false;
    if (files != NULL)
        (void)!fd_get_flags(files, n->number, &close_on_exec);
    proc_print(t, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->position,
               (f->flags & ~O_CLOEXEC_) | (close_on_exec ? O_CLOEXEC_ : 0), mount_number(f->path.mount), f->inode->ino);
    struct info_sink sink = {.sink.write = info_write, .text = t};
    proc_print_locks(t, "lock:\t", f, files);
    if (files != NULL)
        fd_table_put(files);
    if (f->ops != NULL && f->ops->show != NULL && !(f->flags & O_PATH_))
        f->ops->show(f, &sink.sink);
    file_put(f);
}

const struct proc_entry proc_descriptor_link = {.name = "link",
                                                .mode = 0700,
                                                .kind = PROC_LINK,
                                                .flags = PROC_INSPECT,
                                                .follow = link_follow,
                                                .readlink = link_text};
const struct proc_entry proc_descriptor_info = {
    .name = "info", .mode = 0400, .kind = PROC_FILE, .flags = PROC_INSPECT, .show = info_show};
