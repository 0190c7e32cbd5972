// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID/mem: the memory of a process as a file whose positions are addresses. Who opens it must have the right to inspect the process then; the file
// stays bound to the address space that the process had, so that nothing of a program executed later is seen through it. Context: thread.
#include "../proc.h"

#include <kernel/slab.h>

// file->data: the address space, counted; NULL for a process that has none.
static inv_status_t mem_open(struct inode *inode, struct file *f) {
    struct linux_process *p = proc_node(inode)->process;
    struct aspace *as = linux_process_aspace(p);

    if (!linux_may_inspect(p)) {
        if (as != NULL)
            aspace_put(as);
        return INV_ERR_ACCESS;
    }
    f->data = as;
    return INV_OK;
}

static void mem_release(struct file *f) {
    if (f->data != NULL)
        aspace_put(f->data);
}

// Through a page of kernel memory: neither side's memory may fault under the other's lock.
static inv_status_t mem_move(struct file *f, struct io *io, uint64_t *position, size_t *out_done, bool write) {
    struct aspace *as = f->data;
    inv_status_t s = INV_OK;

    *out_done = 0;
    if (as == NULL || io->left == 0)
        return INV_OK;
    char *page = kmalloc(PAGE_SIZE);
    if (page == NULL)
        return INV_ERR_NO_MEMORY;
    while (io->left > 0 && s == INV_OK) {
        size_t n = MIN(io->left, PAGE_SIZE), done = 0, moved = 0;
        if (write)
            s = io_from(io, page, n, &n);
        inv_status_t access = n > 0 ? aspace_access(as, *position, page, n, write, &done) : INV_OK;
        if (!write && done > 0)
            s = io_to(io, page, done, &moved);
        moved = write ? done : moved;
        *position += moved;
        *out_done += moved;
        if (s == INV_OK && access != INV_OK)
            s = INV_ERR_IO;
    }
    kfree(page);
    return *out_done > 0 ? INV_OK : s;
}

static inv_status_t mem_read(struct file *f, struct io *io, uint64_t *position, size_t *out_done) {
    return mem_move(f, io, position, out_done, false);
}

static inv_status_t mem_write(struct file *f, struct io *io, uint64_t *position, size_t *out_done) {
    return mem_move(f, io, position, out_done, true);
}

// Every address is a position, those that are negative as numbers too; there is no end.
static inv_status_t mem_seek(struct file *f, int64_t offset, int whence, uint64_t *out_position) {
    if (whence != 0 && whence != 1)
        return INV_ERR_INVALID;
    *out_position = (whence == 1 ? f->position : 0) + (uint64_t)offset;
    return INV_OK;
}

const struct file_ops proc_mem_ops = {
    .open = mem_open, .release = mem_release, .read = mem_read, .write = mem_write, .seek = mem_seek};
