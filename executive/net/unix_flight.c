// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files under way in messages. Thread context.
//
// Theory. A file in a message is counted by the message. If the file is a socket whose queue holds messages that carry sockets, counts alone can keep a set
// of sockets alive that no program can reach any more: a cycle. So each AF_UNIX socket that is under way stands on a list with the number of times it is.
// A socket whose file has exactly as many counts as it has times under way is a candidate: nothing but messages holds it. What is found on a candidate's
// queue is explained; a candidate with times left unexplained lies in a message that somebody else can receive, so it is reachable, and all that lies on its
// queue is; what remains when that has been followed to its end is garbage. Its queues are emptied, and the files end as their counts fall.
//
// The lock of all flights is held from the first look to the verdict: nothing begins or ends its way meanwhile, and no peek takes a further count from a
// queue. A message that was taken off a queue and has not landed, or is under way and not queued yet, is on no queue: what lies in it stays unexplained,
// which errs on the side of life.
//
// Files close when a message is thrown away, which may throw away messages in turn: a chain of a thousand sockets, each in the next one's queue, must not
// become a thousand nested calls. The thread that is already closing files queues further ones for itself (struct drain).
//
// A user may have as many files under way as the sender's RLIMIT_NOFILE says, and one message more.
//
// Locking: flight_lock (SOCKET_FLIGHT) for the list, and flights, unexplained, reachable, candidate, work_node of sockets; user_lock and drain_lock
// (SOCKET_LIST).

#include <kernel/assert.h>
#include <kernel/process.h>

#include "unix.h"

#define USER_BUCKETS  64u
#define COLLECT_LEAST 256u

struct flight_user {
    struct list_node node;
    uint32_t uid;
    uint64_t files; // user_lock: under way
};

static struct mutex flight_lock;
static struct list_node flying = LIST_INIT(flying);
static _Atomic unsigned flying_count;
static atomic_bool collecting, collect_again;
static struct list_node users[USER_BUCKETS];
static struct spinlock user_lock = SPINLOCK_INIT(LOCK_RANK_SOCKET_LIST);

// A thread that closes files, and the rights that it still has to drop.
struct drain {
    struct list_node node; // drain_lock
    struct thread *thread;
    struct list_node waste; // its thread's own
};
static struct list_node drains = LIST_INIT(drains);
static struct spinlock drain_lock = SPINLOCK_INIT(LOCK_RANK_SOCKET_LIST);

void unix_flight_init(void) {
    mutex_init(&flight_lock, LOCK_RANK_SOCKET_FLIGHT);
    for (unsigned i = 0; i < USER_BUCKETS; i++)
        list_init(&users[i]);
}

unsigned unix_flying(void) {
    return flying_count;
}

// --- rights -----------------------------------------------------------------------------------------------------------

inv_status_t socket_rights_create(unsigned count, struct socket_rights **out) {
    struct socket_rights *r = kzalloc(sizeof(*r) + count * sizeof(struct file *));
    if (r == NULL)
        return INV_ERR_NO_MEMORY;
    r->count = count;
    list_init(&r->waste);
    *out = r;
    return INV_OK;
}

static void rights_close(struct socket_rights *r) {
    for (unsigned i = 0; i < r->count; i++)
        if (r->files[i] != NULL)
            file_put(r->files[i]);
    kfree(r);
}

static struct drain *drain_of_this_thread(void) {
    struct thread *self = current_thread();
    struct drain *d, *found = NULL;
    spin_lock(&drain_lock);
    list_for_each(d, &drains, node) {
        if (d->thread == self)
            found = d;
    }
    spin_unlock(&drain_lock);
    return found;
}

void socket_rights_free(struct socket_rights *r) {
    struct drain own = {.thread = current_thread()};
    unsigned left = 0;
    for (unsigned i = 0; i < r->count; i++)
        left += r->files[i] != NULL;
    if (left == 0) {
        kfree(r);
        return;
    }
    struct drain *d = drain_of_this_thread();
    if (d != NULL) {
        list_push_back(&d->waste, &r->waste);
        return;
    }
    list_init(&own.waste);
    spin_lock(&drain_lock);
    list_push_back(&drains, &own.node);
    spin_unlock(&drain_lock);
    rights_close(r);
    while (!list_empty(&own.waste)) {
        r = list_first(&own.waste, struct socket_rights, waste);
        list_remove(&r->waste);
        rights_close(r);
    }
    spin_lock(&drain_lock);
    list_remove(&own.node);
    spin_unlock(&drain_lock);
}

// --- users ------------------------------------------------------------------------------------------------------------

static struct flight_user *user_find_locked(uint32_t uid) {
    struct flight_user *u;
    list_for_each(u, &users[uid % USER_BUCKETS], node) {
        if (u->uid == uid)
            return u;
    }
    return NULL;
}

// One that has no file under way is nobody's, and goes.
static inv_status_t user_charge(struct socket_rights *r, uint64_t limit) {
    uint32_t uid = vfs_current_token()->uid;
    struct flight_user *fresh = NULL, *u;
    inv_status_t s = INV_OK;
    for (;;) {
        spin_lock(&user_lock);
        u = user_find_locked(uid);
        if (u == NULL && fresh != NULL) {
            u = fresh;
            fresh = NULL;
            list_push_front(&users[uid % USER_BUCKETS], &u->node);
        }
        if (u != NULL && u->files > limit)
            s = INV_ERR_TOO_MANY_REFERENCES;
        else if (u != NULL)
            u->files += r->count;
        spin_unlock(&user_lock);
        if (u != NULL)
            break;
        fresh = kmalloc(sizeof(*fresh));
        if (fresh == NULL)
            return INV_ERR_NO_MEMORY;
        *fresh = (struct flight_user){.uid = uid};
    }
    kfree(fresh);
    if (s == INV_OK)
        r->user = u;
    return s;
}

static void user_uncharge(struct socket_rights *r) {
    struct flight_user *u = r->user;
    r->user = NULL;
    spin_lock(&user_lock);
    DEBUG_ASSERT(u->files >= r->count);
    u->files -= r->count;
    bool last = u->files == 0;
    if (last)
        list_remove(&u->node);
    spin_unlock(&user_lock);
    if (last)
        kfree(u);
}

// --- flights ----------------------------------------------------------------------------------------------------------

static struct unix_socket *socket_in(struct file *f) {
    struct socket *s = f != NULL ? socket_of(f) : NULL;
    return s != NULL && s->family == SOCKET_FAMILY_UNIX ? unix_of(s) : NULL;
}

// A set can become unreachable without any socket's end: so whoever sends more and more of them looks, each time their number has doubled.
static void collect_at_times(void) {
    static _Atomic unsigned next = COLLECT_LEAST;
    if (likely(flying_count < next))
        return;
    unix_collect();
    next = MAX(2 * flying_count, COLLECT_LEAST);
}

inv_status_t unix_rights_send(struct socket_rights *r, uint64_t limit) {
    inv_status_t s = user_charge(r, limit);
    if (s != INV_OK)
        return s;
    for (unsigned i = 0; i < r->count; i++)
        r->sockets += socket_in(r->files[i]) != NULL;
    if (r->sockets == 0)
        return INV_OK;
    collect_at_times();
    mutex_lock(&flight_lock);
    for (unsigned i = 0; i < r->count; i++) {
        struct unix_socket *u = socket_in(r->files[i]);
        if (u != NULL && u->flights++ == 0) {
            list_push_back(&flying, &u->flight_node);
            flying_count++;
        }
    }
    mutex_unlock(&flight_lock);
    return INV_OK;
}

void unix_rights_landed(struct socket_rights *r) {
    if (r->user != NULL)
        user_uncharge(r);
    if (r->sockets == 0)
        return;
    mutex_lock(&flight_lock);
    for (unsigned i = 0; i < r->count; i++) {
        struct unix_socket *u = socket_in(r->files[i]);
        if (u == NULL)
            continue;
        DEBUG_ASSERT(u->flights != 0);
        if (--u->flights == 0) {
            list_remove(&u->flight_node);
            flying_count--;
        }
    }
    mutex_unlock(&flight_lock);
    r->sockets = 0;
}

inv_status_t unix_rights_copy(const struct socket_rights *r, struct socket_rights **out) {
    inv_status_t s = socket_rights_create(r->count, out);
    if (s != INV_OK)
        return s;
    bool sockets = r->sockets != 0;
    if (sockets)
        mutex_lock(&flight_lock);
    for (unsigned i = 0; i < r->count; i++) {
        (*out)->files[i] = r->files[i];
        file_get(r->files[i]);
    }
    if (sockets)
        mutex_unlock(&flight_lock);
    return INV_OK;
}

// --- the collector ----------------------------------------------------------------------------------------------------

// Calls fn for each socket that lies in a message on u's queue. u's lock held.
static void for_each_on_queue_locked(struct unix_socket *u, void (*fn)(struct unix_socket *found, void *arg),
                                     void *arg) {
    struct unix_message *m;
    if (u->rights_queued == 0)
        return;
    list_for_each(m, &u->queue, node) {
        if (m->rights == NULL || m->rights->sockets == 0)
            continue;
        for (unsigned i = 0; i < m->rights->count; i++) {
            struct unix_socket *found = socket_in(m->rights->files[i]);
            if (found != NULL)
                fn(found, arg);
        }
    }
}

// The queues that whoever has u can reach: its own, and those of the connections that it has not accepted.
static void for_each_held(struct unix_socket *u, void (*fn)(struct unix_socket *found, void *arg), void *arg) {
    struct unix_socket *e;
    spin_lock(&u->base.lock);
    for_each_on_queue_locked(u, fn, arg);
    list_for_each(e, &u->backlog, backlog_node) {
        spin_lock(&e->base.lock); // a listener's before those of its backlog
        for_each_on_queue_locked(e, fn, arg);
        spin_unlock(&e->base.lock);
    }
    spin_unlock(&u->base.lock);
}

static void explain(struct unix_socket *found, void *arg) {
    if (found->candidate && found->unexplained != 0)
        found->unexplained--;
}

static void reach(struct unix_socket *found, void *arg) {
    if (!found->candidate || found->reachable)
        return;
    found->reachable = true;
    list_push_back(arg, &found->work_node);
}

// flight_lock held. Garbage is left with candidate set and reachable not. Returns how many there are.
static unsigned judge_locked(void) {
    struct list_node work;
    struct unix_socket *u;
    unsigned garbage = 0;
    list_init(&work);
    list_for_each(u, &flying, flight_node) {
        u->unexplained = u->flights;
        u->reachable = false;
        u->candidate = u->base.file != NULL && atomic_load(&u->base.file->count) == u->flights;
    }
    list_for_each(u, &flying, flight_node) {
        if (u->candidate)
            for_each_held(u, explain, NULL);
    }
    list_for_each(u, &flying, flight_node) {
        if (u->candidate && u->unexplained != 0)
            reach(u, &work);
    }
    while (!list_empty(&work)) {
        u = list_first(&work, struct unix_socket, work_node);
        list_remove(&u->work_node);
        for_each_held(u, reach, &work);
    }
    list_for_each(u, &flying, flight_node)
        garbage += u->candidate && !u->reachable;
    return garbage;
}

// Takes the messages with files off u's queue. u's lock held.
static void sweep_locked(struct unix_socket *u, struct list_node *waste) {
    struct unix_message *m, *next;
    list_for_each_safe(m, next, &u->queue, node) {
        if (m->rights == NULL)
            continue;
        if (u->urgent == m)
            u->urgent = NULL;
        unix_dequeue_locked(u, m);
        list_push_back(waste, &m->node);
    }
}

static void sweep(struct unix_socket *u, struct list_node *waste) {
    struct unix_socket *e;
    spin_lock(&u->base.lock);
    sweep_locked(u, waste);
    list_for_each(e, &u->backlog, backlog_node) {
        spin_lock(&e->base.lock);
        sweep_locked(e, waste);
        spin_unlock(&e->base.lock);
    }
    spin_unlock(&u->base.lock);
}

static void collect_once(void) {
    struct list_node waste;
    struct unix_socket *u;
    list_init(&waste);
    mutex_lock(&flight_lock);
    if (judge_locked() != 0) {
        list_for_each(u, &flying, flight_node) {
            if (u->candidate && !u->reachable)
                sweep(u, &waste);
        }
    }
    mutex_unlock(&flight_lock);
    while (!list_empty(&waste)) {
        struct unix_message *m = list_first(&waste, struct unix_message, node);
        list_remove(&m->node);
        unix_message_drop(m);
    }
}

// One thread collects for all: who comes meanwhile asks it to look again.
void unix_collect(void) {
    if (flying_count == 0)
        return;
    atomic_store(&collect_again, true);
    while (atomic_load(&collect_again) && !atomic_exchange(&collecting, true)) {
        while (atomic_exchange(&collect_again, false))
            collect_once();
        atomic_store(&collecting, false);
    }
}
