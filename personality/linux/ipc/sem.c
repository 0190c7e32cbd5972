// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// System V semaphore sets: semget, semop, semtimedop, semctl. What a process has to undo at its end stands in sem_undo.c. Context: system call.
//
// An operation is tried as a whole and either done, refused, or queued with what it waits for. Whoever changes a set tries the queued ones again, on behalf
// of their threads, those that change nothing first, the others in the order of their coming; each that has been decided is told so and leaves by itself.
#include "sem.h"

#include <kernel/boot.h>
#include <kernel/slab.h>

#define GETPID       11
#define GETVAL       12
#define GETALL       13
#define GETNCNT      14
#define GETZCNT      15
#define SETVAL       16
#define SETALL       17
#define SEM_STAT     18
#define SEM_INFO     19
#define SEM_STAT_ANY 20

#define SEM_UNDO      0x1000
#define SEM_VALUE_MAX 32767
#define OPS_ON_STACK  16

struct linux_tunable sem_limits[4] = {{.value = 32000, .minimum = 1, .maximum = 65535},
                                      {.value = 1024000000, .minimum = 1, .maximum = INT32_MAX},
                                      {.value = 500, .minimum = 1, .maximum = 65535},
                                      {.value = 32000, .minimum = 1, .maximum = IPC_INDEX_COUNT}};
enum { SEM_MSL, SEM_MNS, SEM_OPM, SEM_MNI };

struct ipc_kind sem_kind;
static uint64_t sem_used; // sem_kind.lock: semaphores in all sets

static uint64_t limit(unsigned which) {
    return atomic_load_explicit(&sem_limits[which].value, memory_order_relaxed);
}

static inv_status_t sem_init(void) {
    ipc_kind_init(&sem_kind);
    return INV_OK;
}
BOOT_CALL("semaphores", BOOT_STAGE_EXECUTIVE, sem_init);

// --- operations ---

struct sem_operation { // as user memory has it
    uint16_t number;
    int16_t change;
    int16_t flags;
};

struct sem_wait {
    struct ipc_sleeper sleeper;
    struct sem_operation *ops;
    unsigned count;
    struct sem_undo *undo; // NULL: no operation has SEM_UNDO
    int pid;
    const struct sem_operation *blocking; // set lock: what the last try could not do
};

#define MUST_WAIT 1

// Takes back the first n operations.
static void take_back(struct sem_set *s, const struct sem_wait *w, unsigned n) {
    while (n-- > 0) {
        const struct sem_operation *op = &w->ops[n];
        s->sems[op->number].value -= op->change;
        if (op->flags & SEM_UNDO)
            w->undo->adjust[op->number] = (int16_t)(w->undo->adjust[op->number] + op->change);
    }
}

// All of w's operations or none: 0, an error, or MUST_WAIT. Set locked.
static int64_t operations_try(struct sem_set *s, struct sem_wait *w) {
    int64_t result = 0;
    unsigned n;

    for (n = 0; n < w->count; n++) {
        const struct sem_operation *op = &w->ops[n];
        int value = s->sems[op->number].value;
        if ((op->change == 0 && value != 0) || value + op->change < 0) {
            w->blocking = op;
            result = op->flags & IPC_NOWAIT ? -LINUX_EAGAIN : MUST_WAIT;
            break;
        }
        result = -LINUX_ERANGE;
        if (value + op->change > SEM_VALUE_MAX)
            break;
        if (op->flags & SEM_UNDO) {
            int undo = w->undo->adjust[op->number] - op->change;
            if (undo < -SEM_VALUE_MAX - 1 || undo > SEM_VALUE_MAX)
                break;
            w->undo->adjust[op->number] = (int16_t)undo;
        }
        s->sems[op->number].value = value + op->change;
        result = 0;
    }
    if (result != 0) {
        take_back(s, w, n);
        return result;
    }
    for (n = 0; n < w->count; n++)
        s->sems[w->ops[n].number].pid = w->pid;
    return 0;
}

static struct sem_wait *wait_of(struct list_node *n) {
    return container_of(list_entry(n, struct ipc_sleeper, node), struct sem_wait, sleeper);
}

// Those that change nothing: all that can be decided.
static void readers_try(struct sem_set *s) {
    struct ipc_sleeper *p, *next;

    list_for_each_safe(p, next, &s->waiting_zero, node) {
        int64_t result = operations_try(s, wait_of(&p->node));
        if (result != MUST_WAIT)
            ipc_sleeper_end(p, result);
    }
}

void sem_set_changed(struct sem_set *s) {
    struct ipc_sleeper *p;
    bool again = true;

    s->operated = ipc_now();
    readers_try(s);
    while (again) {
        again = false;
        list_for_each(p, &s->waiting, node) {
            int64_t result = operations_try(s, wait_of(&p->node));
            if (result == MUST_WAIT)
                continue;
            ipc_sleeper_end(p, result);
            if (result == 0)
                readers_try(s);
            again = true; // values have changed, and the list: from its start
            break;
        }
    }
}

// The caller's operations are queued. Returns how they ended.
static int64_t operations_wait(struct sem_set *s, struct sem_wait *w, bool alters, nstime_t deadline) {
    ipc_sleeper_init(&w->sleeper);
    list_push_back(alters ? &s->waiting : &s->waiting_zero, &w->sleeper.node);
    mutex_unlock(&s->obj.lock);
    inv_status_t status = ipc_sleep(&w->sleeper, deadline);
    mutex_lock(&s->obj.lock);
    int64_t result = atomic_load_explicit(&w->sleeper.status, memory_order_acquire);
    list_remove(&w->sleeper.node);
    mutex_unlock(&s->obj.lock);
    return result != IPC_PENDING ? result : status == INV_ERR_TIMED_OUT ? -LINUX_EAGAIN : -LINUX_EINTR;
}

struct sem_request {
    bool undo, alters;
    unsigned highest;
};

static void operations_look(const struct sem_operation *ops, unsigned n, struct sem_request *out) {
    *out = (struct sem_request){0};
    for (unsigned i = 0; i < n; i++) {
        out->highest = MAX(out->highest, ops[i].number);
        out->undo |= (ops[i].flags & SEM_UNDO) != 0;
        out->alters |= ops[i].change != 0;
    }
}

static int64_t operate_on(struct sem_set *s, struct sem_wait *w, const struct sem_request *r, nstime_t deadline) {
    if (r->highest >= s->count)
        return -LINUX_EFBIG;
    mutex_lock(&s->obj.lock);
    int64_t result = !ipc_permitted(&s->obj, r->alters ? IPC_WRITE : IPC_READ) ? -LINUX_EACCES
                     : s->obj.removed                                          ? -LINUX_EIDRM
                                                                               : operations_try(s, w);
    if (result == MUST_WAIT)
        return operations_wait(s, w, r->alters, deadline);
    if (result == 0 && r->alters)
        sem_set_changed(s);
    else if (result == 0)
        s->operated = ipc_now();
    mutex_unlock(&s->obj.lock);
    return result;
}

static int64_t operate(int id, struct sem_operation *ops, unsigned n, nstime_t deadline) {
    struct sem_wait w = {.ops = ops, .count = n, .pid = linux_current_process()->number};
    struct sem_request r;

    operations_look(ops, n, &r);
    struct ipc_object *o = ipc_find(&sem_kind, id);
    if (o == NULL)
        return -LINUX_EINVAL;
    struct sem_set *s = sem_set_of(o);
    int64_t result = r.undo ? sem_undo_find(s, &w.undo) : 0;
    if (result == 0)
        result = operate_on(s, &w, &r, deadline);
    ipc_put(o);
    return result;
}

static int64_t operate_user(int id, uint64_t user_ops, uint64_t n, const struct linux_timespec *timeout) {
    struct sem_operation few[OPS_ON_STACK], *ops = few;
    nstime_t wait = NSTIME_NEVER;
    int64_t result = 0;

    if (n > limit(SEM_OPM))
        return -LINUX_E2BIG;
    if (n < 1)
        return -LINUX_EINVAL;
    if (n > OPS_ON_STACK && (ops = kmalloc(n * sizeof(*ops))) == NULL)
        return -LINUX_ENOMEM;
    if (!ipc_user_read(ops, user_ops, n * sizeof(*ops)))
        result = -LINUX_EFAULT;
    else if (id < 0)
        result = -LINUX_EINVAL;
    else if (timeout != NULL)
        result = linux_timespec_check(timeout, &wait);
    if (result == 0)
        result = operate(id, ops, (unsigned)n, wait == NSTIME_NEVER ? NSTIME_NEVER : deadline_after(wait));
    if (ops != few)
        kfree(ops);
    return result;
}

int64_t linux_semop(struct arch_frame *f) {
    return operate_user((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (uint32_t)LINUX_ARG(f, 2), NULL);
}

int64_t linux_semtimedop(struct arch_frame *f) {
    struct linux_timespec timeout;
    uint64_t user = LINUX_ARG(f, 3);

    if (user != 0 && !ipc_user_read(&timeout, user, sizeof(timeout)))
        return -LINUX_EFAULT;
    return operate_user((int)LINUX_ARG(f, 0), LINUX_ARG(f, 1), (uint32_t)LINUX_ARG(f, 2), user != 0 ? &timeout : NULL);
}

// --- semget ---

static void set_free(struct ipc_object *o) {
    ipc_free(o);
}

static int64_t set_create(const struct ipc_get_call *c) {
    if (c->size == 0)
        return -LINUX_EINVAL;
    if (sem_used + c->size > limit(SEM_MNS))
        return -LINUX_ENOSPC;
    struct sem_set *s = ipc_alloc(sizeof(*s) + c->size * sizeof(s->sems[0]), set_free);
    if (s == NULL)
        return -LINUX_ENOMEM;
    s->count = (unsigned)c->size;
    s->changed = ipc_now();
    list_init(&s->waiting);
    list_init(&s->waiting_zero);
    list_init(&s->undos);
    int64_t result = ipc_insert_locked(&sem_kind, &s->obj, c, limit(SEM_MNI));
    if (result < 0)
        ipc_free(&s->obj);
    else
        sem_used += c->size;
    return result;
}

static int64_t set_check(const struct ipc_get_call *c, const struct ipc_object *o) {
    return c->size > container_of(o, const struct sem_set, obj)->count ? -LINUX_EINVAL : 0;
}

int64_t linux_semget(struct arch_frame *f) {
    int count = (int)LINUX_ARG(f, 1);
    struct ipc_get_call c = {.key = (int32_t)LINUX_ARG(f, 0),
                             .flags = (int)LINUX_ARG(f, 2),
                             .size = (uint64_t)count,
                             .create = set_create,
                             .check = set_check};

    if (count < 0 || (uint64_t)count > limit(SEM_MSL))
        return -LINUX_EINVAL;
    return ipc_get_or_create(&sem_kind, &c);
}

// --- semctl ---

struct sem_status { // as user memory has it
    struct ipc_perm perm;
    int64_t operated;
    uint64_t unused1;
    int64_t changed;
    uint64_t unused2, count, unused[2];
};
_Static_assert(sizeof(struct sem_status) == 104, "ABI");

static int64_t set_stat(int number, int command, uint64_t user) {
    bool by_index = command != IPC_STAT;
    struct sem_status out = {0};
    struct ipc_object *o;
    int64_t result = ipc_stat_begin(&sem_kind, number, by_index, command == SEM_STAT_ANY, &o);

    if (result != 0)
        return result;
    struct sem_set *s = sem_set_of(o);
    ipc_perm_fill(o, &out.perm);
    out.operated = s->operated;
    out.changed = s->changed;
    out.count = s->count;
    result = ipc_stat_end(o, by_index);
    return ipc_user_write(user, &out, sizeof(out)) ? result : -LINUX_EFAULT;
}

static int64_t info(int command, uint64_t user) {
    struct {
        int32_t map, sets, all, undos, per_set, operations, undo_entries, undo_size, value_max, adjust_max;
    } out = {.map = (int32_t)limit(SEM_MNS),
             .sets = (int32_t)limit(SEM_MNI),
             .all = (int32_t)limit(SEM_MNS),
             .undos = (int32_t)limit(SEM_MNS),
             .per_set = (int32_t)limit(SEM_MSL),
             .operations = (int32_t)limit(SEM_OPM),
             .undo_entries = (int32_t)limit(SEM_OPM),
             .undo_size = 20,
             .value_max = SEM_VALUE_MAX,
             .adjust_max = SEM_VALUE_MAX};

    mutex_lock(&sem_kind.lock);
    if (command == SEM_INFO) {
        out.undo_size = (int32_t)sem_kind.in_use;
        out.adjust_max = (int32_t)sem_used;
    }
    mutex_unlock(&sem_kind.lock);
    return ipc_user_write(user, &out, sizeof(out)) ? ipc_highest_index(&sem_kind) : -LINUX_EFAULT;
}

static int64_t set_remove(struct ipc_object *o) {
    struct sem_set *s = sem_set_of(o);

    mutex_lock(&sem_kind.lock);
    mutex_lock(&o->lock);
    int64_t result = o->removed ? -LINUX_EIDRM : ipc_owned(o) ? 0 : -LINUX_EPERM;
    if (result == 0) {
        ipc_remove_locked(&sem_kind, o);
        sem_used -= s->count;
        sem_undos_drop_locked(s);
        while (!list_empty(&s->waiting_zero))
            ipc_sleeper_end(list_first(&s->waiting_zero, struct ipc_sleeper, node), -LINUX_EIDRM);
        while (!list_empty(&s->waiting))
            ipc_sleeper_end(list_first(&s->waiting, struct ipc_sleeper, node), -LINUX_EIDRM);
    }
    mutex_unlock(&o->lock);
    mutex_unlock(&sem_kind.lock);
    if (result == 0)
        ipc_put(o);
    return result;
}

static int64_t set_change(struct ipc_object *o, uint64_t user) {
    struct sem_status in;

    if (!ipc_user_read(&in, user, sizeof(in)))
        return -LINUX_EFAULT;
    mutex_lock(&o->lock);
    int64_t result = o->removed ? -LINUX_EIDRM : ipc_owned(o) ? ipc_perm_set(o, &in.perm) : -LINUX_EPERM;
    if (result == 0)
        sem_set_of(o)->changed = ipc_now();
    mutex_unlock(&o->lock);
    return result;
}

// How many wait for the semaphore to grow (zero false), or to be zero.
static int64_t waiting_count(const struct sem_set *s, unsigned number, bool zero) {
    const struct list_node *lists[] = {&s->waiting, &s->waiting_zero};
    int64_t n = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
        for (const struct list_node *p = lists[i]->next; p != lists[i]; p = p->next) {
            const struct sem_operation *op = wait_of((struct list_node *)p)->blocking;
            n += op->number == number && (zero ? op->change == 0 : op->change < 0);
        }
    return n;
}

static int64_t value_set(struct sem_set *s, int number, int value) {
    if (value < 0 || value > SEM_VALUE_MAX)
        return -LINUX_ERANGE;
    if (number < 0 || (unsigned)number >= s->count)
        return -LINUX_EINVAL;
    mutex_lock(&s->obj.lock);
    int64_t result = !ipc_permitted(&s->obj, IPC_WRITE) ? -LINUX_EACCES : s->obj.removed ? -LINUX_EIDRM : 0;
    if (result == 0) {
        sem_undos_forget_locked(s, number);
        s->sems[number] = (struct sem){value, linux_current_process()->number};
        s->changed = ipc_now();
        sem_set_changed(s);
    }
    mutex_unlock(&s->obj.lock);
    return result;
}

static int64_t all_get(struct sem_set *s, uint64_t user) {
    uint16_t *values = kmalloc(s->count * sizeof(*values));

    if (values == NULL)
        return -LINUX_ENOMEM;
    mutex_lock(&s->obj.lock);
    int64_t result = !ipc_permitted(&s->obj, IPC_READ) ? -LINUX_EACCES : s->obj.removed ? -LINUX_EIDRM : 0;
    for (unsigned i = 0; i < s->count; i++)
        values[i] = (uint16_t)s->sems[i].value;
    mutex_unlock(&s->obj.lock);
    if (result == 0 && !ipc_user_write(user, values, s->count * sizeof(*values)))
        result = -LINUX_EFAULT;
    kfree(values);
    return result;
}

static int64_t all_set_locked(struct sem_set *s, const uint16_t *values) {
    if (s->obj.removed)
        return -LINUX_EIDRM;
    for (unsigned i = 0; i < s->count; i++)
        s->sems[i] = (struct sem){values[i], linux_current_process()->number};
    sem_undos_forget_locked(s, -1);
    s->changed = ipc_now();
    sem_set_changed(s);
    return 0;
}

static int64_t all_set(struct sem_set *s, uint64_t user) {
    int64_t result = 0;

    if (!ipc_permitted(&s->obj, IPC_WRITE))
        return -LINUX_EACCES;
    uint16_t *values = kmalloc(s->count * sizeof(*values));
    if (values == NULL)
        return -LINUX_ENOMEM;
    if (!ipc_user_read(values, user, s->count * sizeof(*values)))
        result = -LINUX_EFAULT;
    for (unsigned i = 0; result == 0 && i < s->count; i++)
        result = values[i] > SEM_VALUE_MAX ? -LINUX_ERANGE : 0;
    if (result == 0) {
        mutex_lock(&s->obj.lock);
        result = all_set_locked(s, values);
        mutex_unlock(&s->obj.lock);
    }
    kfree(values);
    return result;
}

static int64_t one_get(struct sem_set *s, int number, int command) {
    mutex_lock(&s->obj.lock);
    int64_t result = -LINUX_EINVAL;
    if (!ipc_permitted(&s->obj, IPC_READ))
        result = -LINUX_EACCES;
    else if (number >= 0 && (unsigned)number < s->count)
        result = s->obj.removed      ? -LINUX_EIDRM
                 : command == GETVAL ? s->sems[number].value
                 : command == GETPID ? s->sems[number].pid
                                     : waiting_count(s, (unsigned)number, command == GETZCNT);
    mutex_unlock(&s->obj.lock);
    return result;
}

static int64_t set_command(struct ipc_object *o, int number, int command, uint64_t argument) {
    struct sem_set *s = sem_set_of(o);

    switch (command) {
    case IPC_RMID: return set_remove(o);
    case IPC_SET: return set_change(o, argument);
    case SETVAL: return value_set(s, number, (int)argument);
    case GETALL: return all_get(s, argument);
    case SETALL: return all_set(s, argument);
    default: return one_get(s, number, command);
    }
}

int64_t linux_semctl(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0), number = (int)LINUX_ARG(f, 1), command = (int)LINUX_ARG(f, 2);
    uint64_t argument = LINUX_ARG(f, 3);
    struct sem_status probe;

    if (id < 0)
        return -LINUX_EINVAL;
    switch (command) {
    case IPC_INFO:
    case SEM_INFO: return info(command, argument);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY: return set_stat(id, command, argument);
    case IPC_SET:
        if (!ipc_user_read(&probe, argument, sizeof(probe)))
            return -LINUX_EFAULT;
        break;
    case SETVAL:
        if ((int)argument < 0 || (int)argument > SEM_VALUE_MAX)
            return -LINUX_ERANGE;
        break;
    case IPC_RMID:
    case GETPID:
    case GETVAL:
    case GETALL:
    case GETNCNT:
    case GETZCNT:
    case SETALL: break;
    default: return -LINUX_EINVAL;
    }
    struct ipc_object *o = ipc_find(&sem_kind, id);
    if (o == NULL)
        return -LINUX_EINVAL;
    int64_t result = set_command(o, number, command, argument);
    ipc_put(o);
    return result;
}

// --- /proc/sysvipc/sem ---

static void line(struct ipc_object *o, char text[IPC_LINE_SIZE]) {
    const struct sem_set *s = sem_set_of(o);

    snprintf(text, IPC_LINE_SIZE, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", o->key, o->id, o->mode, s->count,
             o->uid, o->gid, o->cuid, o->cgid, (uint64_t)s->operated, (uint64_t)s->changed);
}

void linux_sem_list(linux_ipc_write_fn write, void *arg) {
    ipc_list(&sem_kind, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n", line,
             write, arg);
}
