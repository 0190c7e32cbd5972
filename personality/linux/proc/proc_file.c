// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files of /proc whose text is generated: made whole at open, and anew by a read at position 0 later, so that a reader sees one state. A write is handed
// whole to the entry. Context: thread.
//
// Locking: the text belongs to the open file; state->lock, as reads of a file that several threads share may run at once. It is not held while a text is
// made: an entry may take any lock, and put the last count of a file that it shows.
#include "../proc.h"

#include <kernel/slab.h>

#define STORE_MAX 1024u

struct state {
    struct mutex lock; // rank VFS_INODE
    struct proc_text text;
    bool read; // something was read since the text was made
};

// May the caller see this?
static inv_status_t inspect_check(const struct proc_node *n) {
    bool refused = (n->entry->flags & PROC_INSPECT) && n->process != NULL && !linux_may_inspect(n->process);
    return refused ? INV_ERR_ACCESS : INV_OK;
}

// Asks after the text was made, too: the process may have executed another user's program meanwhile, which forbids first and then shows its memory.
static inv_status_t text_make(const struct file *f, struct proc_text *text) {
    const struct proc_node *n = proc_node(f->inode);

    if (n->entry->number != NULL)
        proc_show_number(text, atomic_load_explicit(&n->entry->number->value, memory_order_relaxed));
    else if (n->entry->show != NULL)
        n->entry->show(text, n);
    inv_status_t status = text->failed ? INV_ERR_NO_MEMORY : inspect_check(n);
    if (status != INV_OK)
        proc_text_free(text);
    return status;
}

static inv_status_t proc_open(struct inode *inode, struct file *f) {
    const struct proc_node *n = proc_node(inode);
    struct state *s;
    inv_status_t status;

    bool late = (n->entry->flags & PROC_AT_READ) != 0;
    status = late ? INV_OK : inspect_check(n);
    if (status != INV_OK)
        return status;
    s = kzalloc(sizeof(*s));
    if (s == NULL)
        return INV_ERR_NO_MEMORY;
    mutex_init(&s->lock, LOCK_RANK_VFS_INODE);
    s->read = late; // so that it is made
    status = file_readable(f) && !late ? text_make(f, &s->text) : INV_OK;
    if (status != INV_OK) {
        kfree(s);
        return status;
    }
    f->data = s;
    return INV_OK;
}

static void proc_release(struct file *f) {
    struct state *s = f->data;

    if (s == NULL)
        return;
    proc_text_free(&s->text);
    kfree(s);
}

static inv_status_t proc_read(struct file *f, struct io *io, uint64_t *position, size_t *out_done) {
    struct state *s = f->data;
    const struct proc_node *n = proc_node(f->inode);
    inv_status_t status = INV_OK;

    *out_done = 0;
    if (n->process != NULL && proc_gone(n->process))
        return INV_ERR_NO_PROCESS;
    if ((n->entry->flags & PROC_AT_READ) && (status = inspect_check(n)) != INV_OK)
        return status;
    struct proc_text other = {0};
    mutex_lock(&s->lock);
    bool anew = *position == 0 && s->read && !(n->entry->flags & PROC_AT_OPEN);
    if (anew) {
        mutex_unlock(&s->lock);
        struct proc_text fresh = {0};
        status = text_make(f, &fresh);
        mutex_lock(&s->lock);
        other = s->text;
        s->text = fresh;
    }
    s->read = true;
    if (status == INV_OK && *position < s->text.used) {
        size_t bytes = MIN(s->text.used - *position, io->left);
        status = io_to(io, s->text.buffer + *position, bytes, out_done);
        *position += *out_done;
    }
    mutex_unlock(&s->lock);
    proc_text_free(&other);
    return status;
}

static inv_status_t status_of(int64_t error) {
    switch (-error) {
    case 0: return INV_OK;
    case LINUX_EPERM: return INV_ERR_NOT_PERMITTED;
    case LINUX_EACCES: return INV_ERR_ACCESS;
    case LINUX_ENOMEM: return INV_ERR_NO_MEMORY;
    case LINUX_ESRCH: return INV_ERR_NO_PROCESS;
    default: return INV_ERR_INVALID;
    }
}

static int64_t number_store(struct linux_tunable *number, const char *text) {
    uint64_t value;

    if (!proc_parse_number(text, &value) || value < number->minimum || value > number->maximum)
        return -LINUX_EINVAL;
    atomic_store_explicit(&number->value, value, memory_order_relaxed);
    return 0;
}

static inv_status_t proc_write(struct file *f, struct io *io, uint64_t *position, size_t *out_done) {
    const struct proc_node *n = proc_node(f->inode);
    char *text;
    size_t size = MIN(io->left, STORE_MAX - 1), done;

    *out_done = 0;
    if (n->entry->store == NULL && n->entry->number == NULL)
        return n->process != NULL ? INV_ERR_INVALID : INV_ERR_IO; // as a file without a procedure for it
    text = kmalloc(STORE_MAX);
    if (text == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = io_from(io, text, size, &done);
    if (status == INV_OK) {
        text[done] = '\0';
        status = status_of(n->entry->number != NULL ? number_store(n->entry->number, text) : n->entry->store(n, text));
    }
    kfree(text);
    if (status != INV_OK)
        return status;
    *out_done = done;
    *position += done;
    return INV_OK;
}

static inv_status_t proc_seek(struct file *f, int64_t offset, int whence, uint64_t *out_position) {
    int64_t base = whence == 0 ? 0 : whence == 1 ? (int64_t)f->position : -1;

    if (base < 0 || offset < -base || (offset > 0 && base > INT64_MAX - offset))
        return INV_ERR_INVALID;
    *out_position = (uint64_t)(base + offset);
    return INV_OK;
}

// What belongs to no process can be polled, as in Linux, and is always ready: there is no event to wait for.
static unsigned proc_poll(struct file *f, struct poll_set *set) {
    (void)f;
    (void)set;
    return POLL_IN | POLL_OUT | POLL_RDNORM | POLL_WRNORM;
}

const struct file_ops proc_file_ops = {
    .open = proc_open,
    .release = proc_release,
    .read = proc_read,
    .write = proc_write,
    .seek = proc_seek,
};
const struct file_ops proc_machine_file_ops = {
    .open = proc_open,
    .release = proc_release,
    .read = proc_read,
    .write = proc_write,
    .seek = proc_seek,
    .poll = proc_poll,
};
