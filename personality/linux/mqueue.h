// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the file system of POSIX message queues (mqueue_fs.c) and the calls on them (mqueue.c) share.
#ifndef LINUX_IPC_MQUEUE_H
#define LINUX_IPC_MQUEUE_H

#include "ipc.h"

#include <kernel/rbtree.h>

#define MQ_PRIORITY_MAX 32768u

struct mq_attributes { // as user memory has it
    int64_t flags, most, size, count;
    int64_t reserved[4];
};

struct mq_message {
    struct rb_node node; // by priority, the highest first, then in the order of arrival
    unsigned priority;
    size_t size;
    char data[];
};

struct mq_waiter {
    struct ipc_sleeper sleeper; // ends with 0
    struct mq_message *message; // a sender's own, or what a receiver got
};

// What a user's queues may hold in all, queues that are empty too (RLIMIT_MSGQUEUE).
struct mq_user;

struct mqueue {
    struct mutex lock; // rank IPC
    /* immutable after create: */
    int64_t most, size;
    uint64_t reserved; // bytes charged to user
    struct mq_user *user;
    /* lock: */
    struct rb_tree messages;
    int64_t count;
    uint64_t bytes;
    struct list_node senders, receivers; // ipc_sleeper of mq_waiter: the most urgent thread first
    struct linux_process *notify;        // counted: who wants to be told of a message in the empty queue; NULL: nobody
    int notify_kind, notify_signal;
    uint64_t notify_value;
    /* own lock: */
    struct waitq poll;
};

static inline struct mqueue *mqueue_of(const struct inode *i) {
    return i->data;
}
extern const struct file_ops mqueue_file_ops;

// For the calls, by name within the one folder of queues; in flags O_* as mq_open takes them. attributes: of a queue that is made, or NULL.
int64_t mqueue_open(const char *name, unsigned flags, uint32_t mode, const struct mq_attributes *attributes,
                    struct file **out);
int64_t mqueue_unlink(const char *name);

void mq_message_free(struct mq_message *m);
// Nobody is to be told any more. Locked; the process's count goes to the caller (NULL: there was none).
must_check struct linux_process *mqueue_notify_clear_locked(struct mqueue *q);

#endif
