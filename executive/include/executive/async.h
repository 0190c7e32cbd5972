// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Signals from files (executive/vfs/async.c): who asked for O_ASYNC hears of data and room by SIGIO, or by what F_SETSIG says. An object that can become
// ready keeps a struct async_list, gives it by file_ops->async, and calls async_notify where it wakes its waiters. Whom a file signals (F_SETOWN) is the
// personality's: an opaque struct file_owner, sent to through the table that it registers.
#ifndef EXECUTIVE_ASYNC_H
#define EXECUTIVE_ASYNC_H

#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/types.h>

struct file;
struct file_owner;

// What has happened: numbers of Linux's si_code of SIGIO (POLL_IN ...).
enum async_reason {
    ASYNC_IN = 1,
    ASYNC_OUT,
    ASYNC_MESSAGE,
    ASYNC_ERROR,
    ASYNC_PRIORITY,
    ASYNC_HANGUP,
    ASYNC_URGENT // none of them: SIGURG, also without O_ASYNC
};

struct async_list {
    struct spinlock lock; // rank VFS_SPIN
    /* lock: */
    struct list_node files; // struct async_entry
    bool directed;          // IN is for files open for reading, OUT for those open for writing (pipes); immutable
};
void async_list_init(struct async_list *l, bool directed);
// Signals the owners of all files of the list. Thread context, no spin lock held; sleeping locks may be.
void async_notify_all(struct async_list *l, enum async_reason reason);
static inline void async_notify(struct async_list *l, enum async_reason reason) {
    if (unlikely(!list_empty(&l->files)))
        async_notify_all(l, reason);
}

// O_ASYNC on or off, through descriptor fd (which the signal tells). Files that signal nothing stay as they are, and so does their flag. NO_MEMORY.
must_check inv_status_t file_async_set(struct file *f, int fd, bool on);
void file_async_drop(struct file *f); // last reference gone: before ops->release

// What the personality registers, once, at boot.
struct async_owner_ops {
    void (*send)(struct file_owner *o, int fd, enum async_reason reason); // thread context; VFS_SPIN locks may be held
    void (*free)(struct file_owner *o);                                   // with its file; may sleep
    inv_status_t (*claim)(
        struct file *f); // makes the current process f's owner if it has none (leases). NO_MEMORY. May sleep
    void (*forget)(
        struct file_owner *o); // nobody is signalled any more, and with no special signal. VFS_SPIN locks may be held
};
void async_register_owner_ops(const struct async_owner_ops *ops);
void file_owner_signal(struct file *f, int fd, enum async_reason reason); // to f's owner, if it has one
must_check inv_status_t file_owner_claim(struct file *f);
void file_owner_forget(struct file *f);

#endif
