// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// System V message queues: msgget, msgsnd, msgrcv, msgctl. Context: system call.
//
// A message goes straight to a receiver that waits for one of its kind; else it is queued. A sender that finds no room sleeps until a message is taken and
// then tries again, the oldest first.
#include "../ipc.h"

#include <kernel/boot.h>
#include <kernel/slab.h>

#define MSG_STAT     11
#define MSG_INFO     12
#define MSG_STAT_ANY 13

#define MSG_NOERROR 010000
#define MSG_EXCEPT  020000
#define MSG_COPY    040000

struct linux_tunable msg_max = {.value = 8192, .maximum = INT32_MAX},
                     msg_bytes_max = {.value = 16384, .maximum = INT32_MAX},
                     msg_queues_max = {.value = 32000, .maximum = IPC_INDEX_COUNT};

struct msg {
    struct list_node node;
    int64_t type;
    size_t size;
    char data[];
};

struct msg_queue {
    struct ipc_object obj;
    /* obj.lock: */
    struct list_node messages, receivers, senders; // struct msg; ipc_sleeper of msg_receiver and msg_sender
    uint64_t bytes, count, bytes_max;
    int last_sender, last_receiver;  // pids
    int64_t sent, received, changed; // seconds
};

// Which message is wanted.
struct msg_choice {
    enum { ANY, EQUAL, NOT_EQUAL, AT_MOST, NUMBER } how;
    int64_t type;
};

struct msg_receiver {
    struct ipc_sleeper sleeper; // ends with 0: message is set; -EAGAIN: look again; an error
    struct msg_choice choice;
    size_t room; // larger messages do not go here
    int pid;
    struct msg *message;
};

struct msg_sender {
    struct ipc_sleeper sleeper; // ends with 0: try again; -EIDRM
    size_t size;
};

static struct ipc_kind msg_kind;
static _Atomic uint64_t all_bytes, all_messages; // of all queues: for MSG_INFO

static inv_status_t msg_init(void) {
    ipc_kind_init(&msg_kind);
    return INV_OK;
}
BOOT_CALL("message queues", BOOT_STAGE_EXECUTIVE, msg_init);

static struct msg_queue *queue_of(struct ipc_object *o) {
    return container_of(o, struct msg_queue, obj);
}

// --- messages ---

static void msg_free(struct msg *m) {
    ipc_uncharge(sizeof(*m) + m->size);
    kfree(m);
}

static int64_t msg_load(uint64_t user, size_t size, int64_t type, struct msg **out) {
    if (!ipc_charge(sizeof(struct msg) + size))
        return -LINUX_ENOMEM;
    struct msg *m = kmalloc(sizeof(*m) + size);
    if (m == NULL) {
        ipc_uncharge(sizeof(*m) + size);
        return -LINUX_ENOMEM;
    }
    m->size = size;
    m->type = type;
    if (user != 0 && !ipc_user_read(m->data, user, size)) {
        msg_free(m);
        return -LINUX_EFAULT;
    }
    *out = m;
    return 0;
}

static void count_change(struct msg_queue *q, int64_t bytes, int64_t messages) {
    q->bytes += (uint64_t)bytes;
    q->count += (uint64_t)messages;
    atomic_fetch_add_explicit(&all_bytes, (uint64_t)bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&all_messages, (uint64_t)messages, memory_order_relaxed);
}

static bool chosen(const struct msg *m, const struct msg_choice *c) {
    switch (c->how) {
    case ANY:
    case NUMBER: return true;
    case EQUAL: return m->type == c->type;
    case NOT_EQUAL: return m->type != c->type;
    default: return m->type <= c->type;
    }
}

// The first that is wanted; of those at most of a type, the one of the least type. NULL: none.
static struct msg *find(struct msg_queue *q, const struct msg_choice *c) {
    struct msg *m, *found = NULL;
    int64_t number = 0;

    list_for_each(m, &q->messages, node) {
        if (!chosen(m, c) || (c->how == NUMBER && number++ != c->type))
            continue;
        if (c->how != AT_MOST)
            return m;
        if (found == NULL || m->type < found->type)
            found = m;
    }
    return found;
}

// --- sending ---

// To a receiver that waits for it, if there is one. Those that would take it but have no room for it fail.
static bool hand_over(struct msg_queue *q, struct msg *m) {
    struct ipc_sleeper *p, *next;

    list_for_each_safe(p, next, &q->receivers, node) {
        struct msg_receiver *r = container_of(p, struct msg_receiver, sleeper);
        if (!chosen(m, &r->choice))
            continue;
        if (m->size > r->room) {
            ipc_sleeper_end(p, -LINUX_E2BIG);
            continue;
        }
        r->message = m;
        q->last_receiver = r->pid;
        q->received = ipc_now();
        ipc_sleeper_end(p, 0);
        return true;
    }
    return false;
}

static bool fits(const struct msg_queue *q, size_t size) {
    return size + q->bytes <= q->bytes_max && q->count + 1 <= q->bytes_max;
}

static void senders_wake(struct msg_queue *q) {
    struct ipc_sleeper *p, *next;

    list_for_each_safe(p, next, &q->senders, node) {
        if (fits(q, container_of(p, struct msg_sender, sleeper)->size))
            ipc_sleeper_end(p, 0);
    }
}

// Sleeps until there may be room. Returns with the lock held: 0, or an error.
static int64_t room_wait(struct msg_queue *q, size_t size) {
    struct msg_sender s = {.size = size};

    ipc_sleeper_init(&s.sleeper);
    list_push_back(&q->senders, &s.sleeper.node);
    mutex_unlock(&q->obj.lock);
    bool interrupted = ipc_sleep(&s.sleeper, NSTIME_NEVER) != INV_OK;
    mutex_lock(&q->obj.lock);
    list_remove(&s.sleeper.node);
    if (q->obj.removed)
        return -LINUX_EIDRM;
    return interrupted ? -LINUX_ERESTARTNOHAND : 0;
}

// Queue locked. 0: the message is taken over.
static int64_t send_locked(struct msg_queue *q, struct msg *m, int flags) {
    for (;;) {
        if (!ipc_permitted(&q->obj, IPC_WRITE))
            return -LINUX_EACCES;
        if (q->obj.removed)
            return -LINUX_EIDRM;
        if (fits(q, m->size))
            break;
        if (flags & IPC_NOWAIT)
            return -LINUX_EAGAIN;
        int64_t result = room_wait(q, m->size);
        if (result != 0)
            return result;
    }
    q->last_sender = linux_current_process()->number;
    q->sent = ipc_now();
    if (!hand_over(q, m)) {
        list_push_back(&q->messages, &m->node);
        count_change(q, (int64_t)m->size, 1);
    }
    return 0;
}

int64_t linux_msgsnd(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0), flags = (int)LINUX_ARG(f, 3);
    uint64_t user = LINUX_ARG(f, 1), size = LINUX_ARG(f, 2);
    int64_t type;
    struct msg *m;

    if (!ipc_user_read(&type, user, sizeof(type)))
        return -LINUX_EFAULT;
    if (size > atomic_load(&msg_max.value) || (int64_t)size < 0 || id < 0 || type < 1)
        return -LINUX_EINVAL;
    int64_t result = msg_load(user + sizeof(type), size, type, &m);
    if (result != 0)
        return result;
    struct ipc_object *o = ipc_find(&msg_kind, id);
    if (o == NULL) {
        msg_free(m);
        return -LINUX_EINVAL;
    }
    mutex_lock(&o->lock);
    result = send_locked(queue_of(o), m, flags);
    mutex_unlock(&o->lock);
    ipc_put(o);
    if (result != 0)
        msg_free(m);
    return result;
}

// --- receiving ---

static void choice_decode(int64_t type, int flags, struct msg_choice *out) {
    if (flags & MSG_COPY)
        *out = (struct msg_choice){NUMBER, type};
    else if (type == 0)
        *out = (struct msg_choice){ANY, 0};
    else if (type < 0)
        *out = (struct msg_choice){AT_MOST, type == INT64_MIN ? INT64_MAX : -type};
    else
        *out = (struct msg_choice){flags & MSG_EXCEPT ? NOT_EQUAL : EQUAL, type};
}

static void take(struct msg_queue *q, struct msg *m) {
    list_remove(&m->node);
    count_change(q, -(int64_t)m->size, -1);
    q->received = ipc_now();
    q->last_receiver = linux_current_process()->number;
    senders_wake(q);
}

// Sleeps until a message came for r, or the wait ended otherwise. Returns with the lock held.
static int64_t message_wait(struct msg_queue *q, struct msg_receiver *r) {
    ipc_sleeper_init(&r->sleeper);
    list_push_back(&q->receivers, &r->sleeper.node);
    mutex_unlock(&q->obj.lock);
    bool interrupted = ipc_sleep(&r->sleeper, NSTIME_NEVER) != INV_OK;
    mutex_lock(&q->obj.lock);
    list_remove(&r->sleeper.node);
    int64_t status = atomic_load_explicit(&r->sleeper.status, memory_order_acquire);
    if (status != IPC_PENDING && status != -LINUX_EAGAIN)
        return status;
    return interrupted ? -LINUX_ERESTARTNOHAND : -LINUX_EAGAIN;
}

// The message that r wants, taken off the queue (with copy: its text copied there). Queue locked.
static int64_t receive_locked(struct msg_queue *q, struct msg_receiver *r, size_t size, int flags, struct msg *copy) {
    for (;;) {
        if (!ipc_permitted(&q->obj, IPC_READ))
            return -LINUX_EACCES;
        if (q->obj.removed)
            return -LINUX_EIDRM;
        struct msg *m = find(q, &r->choice);
        if (m != NULL && m->size > size && !(flags & MSG_NOERROR))
            return -LINUX_E2BIG;
        if (m != NULL && copy != NULL) {
            if (m->size > copy->size)
                return -LINUX_EINVAL;
            copy->type = m->type;
            memcpy(copy->data, m->data, m->size);
            r->message = m; // its size alone is looked at, under the lock
            return (int64_t)m->size;
        }
        if (m != NULL) {
            take(q, m);
            r->message = m;
            return 0;
        }
        if (flags & IPC_NOWAIT)
            return -LINUX_ENOMSG;
        int64_t result = message_wait(q, r);
        if (result != -LINUX_EAGAIN)
            return result;
    }
}

static int64_t msg_store(uint64_t user, const struct msg *m, size_t n) {
    bool ok = ipc_user_write(user, &m->type, sizeof(m->type)) && ipc_user_write(user + sizeof(m->type), m->data, n);

    return ok ? (int64_t)n : -LINUX_EFAULT;
}

static int64_t receive(struct ipc_object *o, uint64_t user, size_t size, int64_t type, int flags) {
    struct msg_receiver r = {.room = flags & MSG_NOERROR ? SIZE_MAX : size, .pid = linux_current_process()->number};
    struct msg *copy = NULL;

    if (flags & MSG_COPY) {
        int64_t result = msg_load(0, MIN(size, atomic_load(&msg_max.value)), 0, &copy);
        if (result != 0)
            return result;
    }
    choice_decode(type, flags, &r.choice);
    mutex_lock(&o->lock);
    int64_t result = receive_locked(queue_of(o), &r, size, flags, copy);
    mutex_unlock(&o->lock);
    if (copy != NULL) {
        if (result >= 0)
            result = msg_store(user, copy, MIN(size, (size_t)result));
        msg_free(copy);
    } else if (result == 0) {
        result = msg_store(user, r.message, MIN(size, r.message->size));
        msg_free(r.message);
    }
    return result;
}

int64_t linux_msgrcv(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0), flags = (int)LINUX_ARG(f, 4);
    uint64_t size = LINUX_ARG(f, 2);

    if (id < 0 || (int64_t)size < 0)
        return -LINUX_EINVAL;
    if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
        return -LINUX_EINVAL;
    struct ipc_object *o = ipc_find(&msg_kind, id);
    if (o == NULL)
        return -LINUX_EINVAL;
    int64_t result = receive(o, LINUX_ARG(f, 1), size, (int64_t)LINUX_ARG(f, 3), flags);
    ipc_put(o);
    return result;
}

// --- msgget ---

static void queue_free(struct ipc_object *o) {
    struct msg_queue *q = queue_of(o);

    while (!list_empty(&q->messages)) {
        struct msg *m = list_first(&q->messages, struct msg, node);
        list_remove(&m->node);
        count_change(q, -(int64_t)m->size, -1);
        msg_free(m);
    }
    ipc_free(o);
}

static int64_t queue_create(const struct ipc_get_call *c) {
    struct msg_queue *q = ipc_alloc(sizeof(*q), queue_free);

    if (q == NULL)
        return -LINUX_ENOMEM;
    list_init(&q->messages);
    list_init(&q->receivers);
    list_init(&q->senders);
    q->bytes_max = atomic_load(&msg_bytes_max.value);
    q->changed = ipc_now();
    int64_t result = ipc_insert_locked(&msg_kind, &q->obj, c, atomic_load(&msg_queues_max.value));
    if (result < 0)
        ipc_free(&q->obj);
    return result;
}

int64_t linux_msgget(struct arch_frame *f) {
    struct ipc_get_call c = {.key = (int32_t)LINUX_ARG(f, 0), .flags = (int)LINUX_ARG(f, 1), .create = queue_create};

    return ipc_get_or_create(&msg_kind, &c);
}

// --- msgctl ---

struct msg_status { // as user memory has it
    struct ipc_perm perm;
    int64_t sent, received, changed;
    uint64_t bytes, count, bytes_max;
    int32_t last_sender, last_receiver;
    uint64_t unused[2];
};
_Static_assert(sizeof(struct msg_status) == 120, "ABI");

static int64_t queue_stat(int number, int command, uint64_t user) {
    bool by_index = command != IPC_STAT;
    struct msg_status out = {0};
    struct ipc_object *o;
    int64_t result = ipc_stat_begin(&msg_kind, number, by_index, command == MSG_STAT_ANY, &o);

    if (result != 0)
        return result;
    struct msg_queue *q = queue_of(o);
    ipc_perm_fill(o, &out.perm);
    out.sent = q->sent;
    out.received = q->received;
    out.changed = q->changed;
    out.bytes = q->bytes;
    out.count = q->count;
    out.bytes_max = q->bytes_max;
    out.last_sender = q->last_sender;
    out.last_receiver = q->last_receiver;
    result = ipc_stat_end(o, by_index);
    return ipc_user_write(user, &out, sizeof(out)) ? result : -LINUX_EFAULT;
}

static int64_t info(int command, uint64_t user) {
    struct {
        int32_t pool, map, max, bytes, queues, segment_size, messages;
        uint16_t segments;
    } out = {.pool = 512000, // as Linux computes them from the defaults; nothing is allocated by them
             .map = 16384,
             .max = (int32_t)atomic_load(&msg_max.value),
             .bytes = (int32_t)atomic_load(&msg_bytes_max.value),
             .queues = (int32_t)atomic_load(&msg_queues_max.value),
             .segment_size = 16,
             .messages = 16384,
             .segments = 0xffff};

    if (command == MSG_INFO) {
        mutex_lock(&msg_kind.lock);
        out.pool = (int32_t)msg_kind.in_use;
        mutex_unlock(&msg_kind.lock);
        out.map = (int32_t)atomic_load(&all_messages);
        out.messages = (int32_t)atomic_load(&all_bytes);
    }
    return ipc_user_write(user, &out, sizeof(out)) ? ipc_highest_index(&msg_kind) : -LINUX_EFAULT;
}

static void all_end(struct list_node *sleepers, int64_t status) {
    while (!list_empty(sleepers))
        ipc_sleeper_end(list_first(sleepers, struct ipc_sleeper, node), status);
}

static int64_t queue_remove(struct ipc_object *o) {
    struct msg_queue *q = queue_of(o);

    mutex_lock(&msg_kind.lock);
    mutex_lock(&o->lock);
    int64_t result = o->removed ? -LINUX_EIDRM : ipc_owned(o) ? 0 : -LINUX_EPERM;
    if (result == 0) {
        ipc_remove_locked(&msg_kind, o);
        all_end(&q->receivers, -LINUX_EIDRM);
        all_end(&q->senders, -LINUX_EIDRM);
    }
    mutex_unlock(&o->lock);
    mutex_unlock(&msg_kind.lock);
    if (result == 0)
        ipc_put(o); // and its messages with the last count
    return result;
}

static int64_t queue_change_locked(struct msg_queue *q, const struct msg_status *in) {
    if (q->obj.removed)
        return -LINUX_EIDRM;
    if (!ipc_owned(&q->obj))
        return -LINUX_EPERM;
    if (in->bytes_max > atomic_load(&msg_bytes_max.value) && !token_capable(linux_token(), CAP_SYS_RESOURCE))
        return -LINUX_EPERM;
    int64_t result = ipc_perm_set(&q->obj, &in->perm);
    if (result != 0)
        return result;
    q->bytes_max = in->bytes_max;
    q->changed = ipc_now();
    all_end(&q->receivers, -LINUX_EAGAIN); // may they still?
    senders_wake(q);
    return 0;
}

int64_t linux_msgctl(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0), command = (int)LINUX_ARG(f, 1);
    uint64_t user = LINUX_ARG(f, 2);
    struct msg_status in;

    if (id < 0 || command < 0)
        return -LINUX_EINVAL;
    switch (command) {
    case IPC_INFO:
    case MSG_INFO: return info(command, user);
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY: return queue_stat(id, command, user);
    case IPC_SET:
        if (!ipc_user_read(&in, user, sizeof(in)))
            return -LINUX_EFAULT;
        break;
    case IPC_RMID: break;
    default: return -LINUX_EINVAL;
    }
    struct ipc_object *o = ipc_find(&msg_kind, id);
    if (o == NULL)
        return -LINUX_EINVAL;
    int64_t result;
    if (command == IPC_RMID) {
        result = queue_remove(o);
    } else {
        mutex_lock(&o->lock);
        result = queue_change_locked(queue_of(o), &in);
        mutex_unlock(&o->lock);
    }
    ipc_put(o);
    return result;
}

// --- /proc/sysvipc/msg ---

static void line(struct ipc_object *o, char text[IPC_LINE_SIZE]) {
    const struct msg_queue *q = queue_of(o);

    snprintf(text, IPC_LINE_SIZE, "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u %10lu %10lu %10lu\n", o->key,
             o->id, o->mode, q->bytes, q->count, q->last_sender, q->last_receiver, o->uid, o->gid, o->cuid, o->cgid,
             (uint64_t)q->sent, (uint64_t)q->received, (uint64_t)q->changed);
}

void linux_msg_list(linux_ipc_write_fn write, void *arg) {
    ipc_list(&msg_kind,
             "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      "
             "rtime      ctime\n",
             line, write, arg);
}
