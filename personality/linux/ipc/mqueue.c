// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// POSIX message queues: mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr. Context: system call.
//
// A message goes straight to a thread that waits for one, and the place that a message leaves to a thread that waits to send: who comes later finds the queue
// as full, or as empty, as it was. Among those that wait the most urgent thread is first, then who has waited longest.
#include "../mqueue.h"

#include <kernel/slab.h>

#define SIGEV_SIGNAL 0
#define SIGEV_NONE   1
#define SIGEV_THREAD 2
#define COOKIE_BYTES 32 // that SIGEV_THREAD's value points to
#define SI_MESGQ     (-3)

// --- names ---

int64_t linux_mq_open(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 1);
    uint64_t user = LINUX_ARG(f, 3);
    struct mq_attributes attributes;
    struct linux_path name;
    struct file *file;
    int fd;

    if (user != 0 && !ipc_user_read(&attributes, user, sizeof(attributes)))
        return -LINUX_EFAULT;
    int64_t result = linux_path_get(LINUX_ARG(f, 0), false, &name);
    if (result != 0)
        return result;
    inv_status_t s = fd_reserve(linux_fds(), 0, linux_limit(LINUX_RLIMIT_NOFILE), true, &fd);
    result = linux_result(s);
    if (s == INV_OK) {
        result = mqueue_open(name.text, flags, (uint32_t)LINUX_ARG(f, 2), user != 0 ? &attributes : NULL, &file);
        if (result == 0)
            fd_fill(linux_fds(), fd, file);
        else
            fd_unreserve(linux_fds(), fd);
    }
    linux_path_put(&name);
    return result == 0 ? fd : result;
}

int64_t linux_mq_unlink(struct arch_frame *f) {
    struct linux_path name;
    int64_t result = linux_path_get(LINUX_ARG(f, 0), false, &name);

    if (result != 0)
        return result;
    result = mqueue_unlink(name.text);
    linux_path_put(&name);
    return result;
}

// The queue behind a descriptor; *out to be given back with fd_return.
static int64_t queue_get(uint64_t fd, struct fd_ref *out, struct mqueue **out_queue) {
    if (fd_borrow(linux_fds(), (int)fd, out) != INV_OK)
        return -LINUX_EBADF;
    if (out->file->ops != &mqueue_file_ops) {
        fd_return(out);
        return -LINUX_EBADF;
    }
    *out_queue = mqueue_of(out->file->inode);
    return 0;
}

// --- messages ---

void mq_message_free(struct mq_message *m) {
    ipc_uncharge(sizeof(*m) + m->size);
    kfree(m);
}

static int64_t message_load(uint64_t user, size_t size, unsigned priority, struct mq_message **out) {
    if (!ipc_charge(sizeof(struct mq_message) + size))
        return -LINUX_ENOMEM;
    struct mq_message *m = kmalloc(sizeof(*m) + size);
    if (m == NULL) {
        ipc_uncharge(sizeof(*m) + size);
        return -LINUX_ENOMEM;
    }
    m->size = size;
    m->priority = priority;
    if (!ipc_user_read(m->data, user, size)) {
        mq_message_free(m);
        return -LINUX_EFAULT;
    }
    *out = m;
    return 0;
}

static void message_insert(struct mqueue *q, struct mq_message *m) {
    struct rb_node **link = &q->messages.root, *parent = NULL;

    while (*link != NULL) {
        parent = *link;
        link = m->priority > rb_entry(parent, struct mq_message, node)->priority ? &parent->left : &parent->right;
    }
    rb_insert(&q->messages, &m->node, parent, link);
    q->count++;
    q->bytes += m->size;
}

static struct mq_message *message_take(struct mqueue *q) {
    struct mq_message *m = rb_entry(rb_first(&q->messages), struct mq_message, node);

    rb_remove(&q->messages, &m->node);
    q->count--;
    q->bytes -= m->size;
    return m;
}

// --- waiting ---

static void waiter_queue(struct list_node *queue, struct mq_waiter *w) {
    uint8_t own = atomic_load_explicit(&w->sleeper.thread->sched.priority, memory_order_relaxed);
    struct ipc_sleeper *p;

    list_for_each(p, queue, node) {
        if (atomic_load_explicit(&p->thread->sched.priority, memory_order_relaxed) < own)
            break;
    }
    list_push_back(&p->node, &w->sleeper.node); // before p, or at the end
}

static struct mq_waiter *waiter_first(struct list_node *queue) {
    return list_empty(queue) ? NULL
                             : container_of(list_first(queue, struct ipc_sleeper, node), struct mq_waiter, sleeper);
}

// Locked on entry and on return. 0: the message has been handed over.
static int64_t hand_wait(struct mqueue *q, struct list_node *queue, struct mq_waiter *w, nstime_t deadline) {
    ipc_sleeper_init(&w->sleeper);
    waiter_queue(queue, w);
    mutex_unlock(&q->lock);
    inv_status_t s = ipc_sleep(&w->sleeper, deadline);
    mutex_lock(&q->lock);
    list_remove(&w->sleeper.node);
    if (atomic_load_explicit(&w->sleeper.status, memory_order_acquire) != IPC_PENDING)
        return 0;
    return s == INV_ERR_TIMED_OUT ? -LINUX_ETIMEDOUT : -LINUX_ERESTARTSYS;
}

// A point of the wall clock becomes one of the clock that deadlines count in. NULL (0): never.
static int64_t deadline_get(uint64_t user, nstime_t *out) {
    struct linux_timespec at;
    nstime_t wall, now = clock_wall();

    *out = NSTIME_NEVER;
    if (user == 0)
        return 0;
    if (!ipc_user_read(&at, user, sizeof(at)))
        return -LINUX_EFAULT;
    int64_t result = linux_timespec_check(&at, &wall);
    if (result == 0 && wall != NSTIME_NEVER)
        *out = wall > now ? deadline_after(wall - now) : clock_monotonic();
    return result;
}

// --- notification ---

struct mq_signal {
    struct linux_process *to; // counted: was to be told, and is no more; or NULL
    bool send;
    struct linux_siginfo info;
};

// A message has come into the empty queue, and nobody waits for it: who asked is to be told, once.
static void notify_prepare_locked(struct mqueue *q, struct mq_signal *out) {
    out->to = NULL;
    if (q->notify == NULL || q->count != 1)
        return;
    out->send = q->notify_kind == SIGEV_SIGNAL && q->notify_signal != 0;
    if (out->send) {
        siginfo_from_user(&out->info, q->notify_signal, SI_MESGQ);
        out->info.sender.value = q->notify_value;
    }
    out->to = mqueue_notify_clear_locked(q);
}

static void notify_send(struct mq_signal *s) {
    if (s->to == NULL)
        return;
    if (s->send)
        (void)signal_send_process(s->to, &s->info);
    linux_process_put(s->to);
}

struct mq_sigevent { // the part of sigevent that is looked at
    uint64_t value;
    int32_t signal, kind;
    uint64_t rest[6];
};

// What would tell by a thread of the program needs a netlink socket, which there is none of.
static int64_t thread_refuse(const struct mq_sigevent *e) {
    char cookie[COOKIE_BYTES];
    struct fd_ref ref;

    if (!ipc_user_read(cookie, e->value, sizeof(cookie)))
        return -LINUX_EFAULT;
    if (fd_borrow(linux_fds(), e->signal, &ref) != INV_OK)
        return -LINUX_EBADF;
    bool socket = (ref.file->inode->mode & MODE_FMT) == MODE_SOCKET;
    fd_return(&ref);
    return socket ? -LINUX_EINVAL : -LINUX_ENOTSOCK;
}

static int64_t event_check(const struct mq_sigevent *e) {
    if (e->kind != SIGEV_SIGNAL && e->kind != SIGEV_NONE && e->kind != SIGEV_THREAD)
        return -LINUX_EINVAL;
    if (e->kind == SIGEV_SIGNAL && (e->signal < 0 || e->signal > LINUX_SIGNALS))
        return -LINUX_EINVAL;
    return e->kind == SIGEV_THREAD ? thread_refuse(e) : 0;
}

static int64_t notify_set_locked(struct mqueue *q, const struct mq_sigevent *e) {
    if (q->notify != NULL)
        return -LINUX_EBUSY;
    q->notify = linux_current_process();
    linux_process_get(q->notify);
    q->notify_kind = e->kind;
    q->notify_signal = e->signal;
    q->notify_value = e->value;
    return 0;
}

int64_t linux_mq_notify(struct arch_frame *f) {
    uint64_t user = LINUX_ARG(f, 1);
    struct linux_process *dropped = NULL;
    struct mq_sigevent e;
    struct mqueue *q;
    struct fd_ref ref;

    if (user != 0 && !ipc_user_read(&e, user, sizeof(e)))
        return -LINUX_EFAULT;
    int64_t result = user != 0 ? event_check(&e) : 0;
    if (result == 0)
        result = queue_get(LINUX_ARG(f, 0), &ref, &q);
    if (result != 0)
        return result;
    mutex_lock(&q->lock);
    if (user != 0)
        result = notify_set_locked(q, &e);
    else if (q->notify == linux_current_process())
        dropped = mqueue_notify_clear_locked(q);
    mutex_unlock(&q->lock);
    fd_return(&ref);
    if (dropped != NULL)
        linux_process_put(dropped);
    return result;
}

// --- sending and receiving ---

static void touch(struct inode *i) {
    mutex_lock(&i->lock);
    i->atime = i->mtime = i->ctime = timestamp_now();
    mutex_unlock(&i->lock);
}

// 0: the message is taken over.
static int64_t send(struct mqueue *q, struct mq_message *m, bool nonblocking, nstime_t deadline) {
    struct mq_signal signal = {.to = NULL};
    int64_t result = 0;

    mutex_lock(&q->lock);
    if (q->count == q->most) {
        struct mq_waiter w = {.message = m};
        result = nonblocking ? -LINUX_EAGAIN : hand_wait(q, &q->senders, &w, deadline);
        mutex_unlock(&q->lock);
        return result;
    }
    struct mq_waiter *receiver = waiter_first(&q->receivers);
    if (receiver != NULL) {
        receiver->message = m;
        ipc_sleeper_end(&receiver->sleeper, 0);
    } else {
        message_insert(q, m);
        notify_prepare_locked(q, &signal);
    }
    mutex_unlock(&q->lock);
    if (receiver == NULL)
        waitq_wake(&q->poll, UINT32_MAX, POLL_IN | POLL_RDNORM);
    notify_send(&signal);
    return 0;
}

int64_t linux_mq_timedsend(struct arch_frame *f) {
    uint64_t size = LINUX_ARG(f, 2), priority = (uint32_t)LINUX_ARG(f, 3);
    struct mq_message *m;
    nstime_t deadline;
    struct mqueue *q;
    struct fd_ref ref;
    int64_t result = deadline_get(LINUX_ARG(f, 4), &deadline);

    if (result != 0)
        return result;
    if (priority >= MQ_PRIORITY_MAX)
        return -LINUX_EINVAL;
    result = queue_get(LINUX_ARG(f, 0), &ref, &q);
    if (result != 0)
        return result;
    if (!file_writable(ref.file))
        result = -LINUX_EBADF;
    else if (size > (uint64_t)q->size)
        result = -LINUX_EMSGSIZE;
    else
        result = message_load(LINUX_ARG(f, 1), size, (unsigned)priority, &m);
    if (result == 0) {
        result = send(q, m, file_nonblocking(ref.file), deadline);
        if (result != 0)
            mq_message_free(m);
        else
            touch(ref.file->inode);
    }
    fd_return(&ref);
    return result;
}

// The place that a message left goes to a sender that waits.
static bool place_hand_over(struct mqueue *q, struct mq_signal *signal) {
    struct mq_waiter *sender = waiter_first(&q->senders);

    if (sender == NULL)
        return false;
    message_insert(q, sender->message);
    notify_prepare_locked(q, signal);
    ipc_sleeper_end(&sender->sleeper, 0);
    return true;
}

static int64_t receive(struct mqueue *q, bool nonblocking, nstime_t deadline, struct mq_message **out) {
    struct mq_signal signal = {.to = NULL};
    bool room = false;
    int64_t result = 0;

    mutex_lock(&q->lock);
    if (q->count == 0) {
        struct mq_waiter w = {.message = NULL};
        result = nonblocking ? -LINUX_EAGAIN : hand_wait(q, &q->receivers, &w, deadline);
        *out = w.message;
    } else {
        *out = message_take(q);
        room = !place_hand_over(q, &signal);
    }
    mutex_unlock(&q->lock);
    if (room)
        waitq_wake(&q->poll, UINT32_MAX, POLL_OUT | POLL_WRNORM);
    notify_send(&signal);
    return result;
}

int64_t linux_mq_timedreceive(struct arch_frame *f) {
    uint64_t user_priority = LINUX_ARG(f, 3);
    struct mq_message *m = NULL;
    nstime_t deadline;
    struct mqueue *q;
    struct fd_ref ref;
    int64_t result = deadline_get(LINUX_ARG(f, 4), &deadline);

    if (result != 0)
        return result;
    result = queue_get(LINUX_ARG(f, 0), &ref, &q);
    if (result != 0)
        return result;
    if (!file_readable(ref.file))
        result = -LINUX_EBADF;
    else if (LINUX_ARG(f, 2) < (uint64_t)q->size)
        result = -LINUX_EMSGSIZE;
    else
        result = receive(q, file_nonblocking(ref.file), deadline, &m);
    if (result == 0) {
        touch(ref.file->inode);
        result = (user_priority == 0 || ipc_user_write(user_priority, &m->priority, sizeof(m->priority))) &&
                         ipc_user_write(LINUX_ARG(f, 1), m->data, m->size)
                     ? (int64_t)m->size
                     : -LINUX_EFAULT;
        mq_message_free(m);
    }
    fd_return(&ref);
    return result;
}

// --- attributes ---

int64_t linux_mq_getsetattr(struct arch_frame *f) {
    uint64_t user_new = LINUX_ARG(f, 1), user_old = LINUX_ARG(f, 2);
    struct mq_attributes fresh, old = {0};
    struct mqueue *q;
    struct fd_ref ref;

    if (user_new != 0) {
        if (!ipc_user_read(&fresh, user_new, sizeof(fresh)))
            return -LINUX_EFAULT;
        if (fresh.flags & ~(int64_t)O_NONBLOCK_)
            return -LINUX_EINVAL;
    }
    int64_t result = queue_get(LINUX_ARG(f, 0), &ref, &q);
    if (result != 0)
        return result;
    mutex_lock(&q->lock);
    old.most = q->most;
    old.size = q->size;
    old.count = q->count;
    mutex_unlock(&q->lock);
    old.flags = atomic_load(&ref.file->flags) & O_NONBLOCK_;
    if (user_new != 0 && (fresh.flags & O_NONBLOCK_))
        atomic_fetch_or(&ref.file->flags, O_NONBLOCK_);
    else if (user_new != 0)
        atomic_fetch_and(&ref.file->flags, ~O_NONBLOCK_);
    fd_return(&ref);
    return user_old == 0 || ipc_user_write(user_old, &old, sizeof(old)) ? 0 : -LINUX_EFAULT;
}
