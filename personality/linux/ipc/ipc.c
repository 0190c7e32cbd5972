// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Identifiers, keys, permissions and lives of System V IPC objects; see ipc.h. Context: thread, in a system call.
#include "../ipc.h"

#include <kernel/slab.h>

// What all objects, messages and undo records together may take: objects outlive their makers, and nobody can be killed for them.
#define SHARE_OF_MEMORY 8

static _Atomic uint64_t bytes_used;

bool ipc_charge(size_t size) {
    struct page_stats pages;

    page_get_stats(&pages);
    uint64_t used = atomic_fetch_add_explicit(&bytes_used, size, memory_order_relaxed);
    if (used + size <= pages.total * PAGE_SIZE / SHARE_OF_MEMORY && job_charge(&root_job, JOB_MEMORY, size) == INV_OK)
        return true;
    atomic_fetch_sub_explicit(&bytes_used, size, memory_order_relaxed);
    return false;
}

void ipc_uncharge(size_t size) {
    atomic_fetch_sub_explicit(&bytes_used, size, memory_order_relaxed);
    job_uncharge(&root_job, JOB_MEMORY, size);
}

// --- lives ---

void *ipc_alloc(size_t size, void (*free)(struct ipc_object *o)) {
    if (!ipc_charge(size))
        return NULL;
    struct ipc_object *o = kzalloc(size);
    if (o == NULL) {
        ipc_uncharge(size);
        return NULL;
    }
    o->count = 1;
    o->charged = size;
    o->free = free;
    mutex_init(&o->lock, LOCK_RANK_IPC);
    list_init(&o->key_node);
    return o;
}

void ipc_free(struct ipc_object *o) {
    ipc_uncharge(o->charged);
    kfree(o);
}

static void object_reclaim(struct epoch_node *n) {
    struct ipc_object *o = container_of(n, struct ipc_object, reclaim);

    o->free(o);
}

void ipc_put(struct ipc_object *o) {
    if (atomic_fetch_sub_explicit(&o->count, 1, memory_order_acq_rel) == 1)
        epoch_defer(&o->reclaim, object_reclaim); // lookups may still look at its count
}

static bool try_get(struct ipc_object *o) {
    uint32_t n = atomic_load_explicit(&o->count, memory_order_relaxed);

    while (n != 0)
        if (atomic_compare_exchange_weak_explicit(&o->count, &n, n + 1, memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

// --- the table ---

void ipc_kind_init(struct ipc_kind *k) {
    mutex_init(&k->lock, LOCK_RANK_IPC_TABLE);
    k->highest = k->last = -1;
    for (unsigned i = 0; i < IPC_KEYS; i++)
        list_init(&k->keys[i]);
}

static struct ipc_object *_Atomic *slot_of(struct ipc_kind *k, unsigned index) {
    struct ipc_object *_Atomic *page = atomic_load_explicit(&k->table[index / IPC_PAGE], memory_order_acquire);

    return page != NULL ? &page[index % IPC_PAGE] : NULL;
}

static struct ipc_object *at(struct ipc_kind *k, unsigned index) {
    struct ipc_object *_Atomic *slot = slot_of(k, index);

    return slot != NULL ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
}

// Makes the piece of the table that index lies in. kind->lock held.
static bool slot_make_locked(struct ipc_kind *k, unsigned index) {
    if (slot_of(k, index) != NULL)
        return true;
    struct ipc_object *_Atomic *page = kzalloc(IPC_PAGE * sizeof(*page));
    if (page == NULL)
        return false;
    atomic_store_explicit(&k->table[index / IPC_PAGE], page, memory_order_release);
    return true;
}

// The next free index, going round in a range half as large again as what is in use, so that numbers are not soon used again. -1: none.
static int index_find_locked(struct ipc_kind *k) {
    int range = (int)MIN(MAX(k->in_use * 3 / 2, IPC_PAGE), IPC_INDEX_COUNT);
    int start = k->next < range ? k->next : 0;

    for (int i = 0; i < range; i++) {
        int index = start + i < range ? start + i : start + i - range;
        if (at(k, (unsigned)index) == NULL)
            return index;
    }
    return -1;
}

static struct list_node *keys_of(struct ipc_kind *k, int32_t key) {
    return &k->keys[((uint32_t)key * 0x9e3779b1u) >> 26];
}

int64_t ipc_insert_locked(struct ipc_kind *k, struct ipc_object *o, const struct ipc_get_call *c, uint64_t limit) {
    const struct token *who = linux_token();
    int index = k->in_use < limit ? index_find_locked(k) : -1;

    if (index < 0)
        return -LINUX_ENOSPC;
    if (!slot_make_locked(k, (unsigned)index))
        return -LINUX_ENOMEM;
    if (index <= k->last)
        k->sequence = (k->sequence + 1) % IPC_SEQUENCES;
    k->last = index;
    k->next = index + 1;
    o->uid = o->cuid = who->euid;
    o->gid = o->cgid = who->egid;
    o->mode = (uint32_t)c->flags & 0777;
    o->key = c->key;
    o->id = (int)(k->sequence << IPC_INDEX_BITS) + index;
    if (c->key != IPC_PRIVATE)
        list_push_back(keys_of(k, c->key), &o->key_node);
    k->in_use++;
    k->highest = MAX(k->highest, index);
    atomic_store_explicit(slot_of(k, (unsigned)index), o, memory_order_release);
    return o->id;
}

void ipc_key_forget_locked(struct ipc_object *o) {
    list_remove(&o->key_node);
    o->key = IPC_PRIVATE;
}

void ipc_remove_locked(struct ipc_kind *k, struct ipc_object *o) {
    int index = o->id & (int)(IPC_INDEX_COUNT - 1);

    o->removed = true;
    list_remove(&o->key_node);
    atomic_store_explicit(slot_of(k, (unsigned)index), NULL, memory_order_release);
    k->in_use--;
    while (k->highest >= 0 && at(k, (unsigned)k->highest) == NULL)
        k->highest--;
}

struct ipc_object *ipc_find_index(struct ipc_kind *k, int index) {
    epoch_enter();
    struct ipc_object *o = at(k, (unsigned)index & (IPC_INDEX_COUNT - 1));
    if (o != NULL && !try_get(o))
        o = NULL;
    epoch_exit();
    return o;
}

struct ipc_object *ipc_find(struct ipc_kind *k, int id) {
    struct ipc_object *o = id >= 0 ? ipc_find_index(k, id) : NULL;

    if (o != NULL && o->id != id) {
        ipc_put(o);
        o = NULL;
    }
    return o;
}

int64_t ipc_highest_index(struct ipc_kind *k) {
    mutex_lock(&k->lock);
    int highest = k->highest;
    mutex_unlock(&k->lock);
    return MAX(highest, 0);
}

void ipc_for_each(struct ipc_kind *k, void (*fn)(struct ipc_object *o, void *arg), void *arg) {
    mutex_lock(&k->lock);
    int highest = k->highest;
    mutex_unlock(&k->lock);
    for (int i = 0; i <= highest; i++) {
        struct ipc_object *o = ipc_find_index(k, i);
        if (o == NULL)
            continue;
        mutex_lock(&o->lock);
        if (!o->removed)
            fn(o, arg);
        mutex_unlock(&o->lock);
        ipc_put(o);
    }
}

struct listing {
    void (*line)(struct ipc_object *o, char text[IPC_LINE_SIZE]);
    linux_ipc_write_fn write;
    void *arg;
};

static void list_one(struct ipc_object *o, void *arg) {
    const struct listing *l = arg;
    char text[IPC_LINE_SIZE];
    l->line(o, text);
    l->write(l->arg, text);
}

void ipc_list(struct ipc_kind *k, const char *heading, void (*line)(struct ipc_object *o, char text[IPC_LINE_SIZE]),
              linux_ipc_write_fn write, void *arg) {
    struct listing l = {line, write, arg};
    write(arg, heading);
    ipc_for_each(k, list_one, &l);
}

// --- permissions ---

bool ipc_permitted(const struct ipc_object *o, unsigned want) {
    const struct token *who = linux_token();
    unsigned granted = o->mode;

    want = want >> 6 | want >> 3 | want;
    if (who->euid == o->cuid || who->euid == o->uid)
        granted >>= 6;
    else if (token_in_group(who, o->cgid) || token_in_group(who, o->gid))
        granted >>= 3;
    return !(want & ~granted & 7) || token_capable(who, CAP_IPC_OWNER);
}

bool ipc_owned(const struct ipc_object *o) {
    const struct token *who = linux_token();

    return who->euid == o->cuid || who->euid == o->uid || token_capable(who, CAP_SYS_ADMIN);
}

void ipc_perm_fill(const struct ipc_object *o, struct ipc_perm *out) {
    *out = (struct ipc_perm){.key = o->key,
                             .uid = o->uid,
                             .gid = o->gid,
                             .cuid = o->cuid,
                             .cgid = o->cgid,
                             .mode = o->mode,
                             .sequence = (uint16_t)((unsigned)o->id >> IPC_INDEX_BITS)};
}

int64_t ipc_perm_set(struct ipc_object *o, const struct ipc_perm *in) {
    if (in->uid == UINT32_MAX || in->gid == UINT32_MAX)
        return -LINUX_EINVAL;
    o->uid = in->uid;
    o->gid = in->gid;
    o->mode = (o->mode & ~0777u) | (in->mode & 0777);
    return 0;
}

// --- get and stat ---

static struct ipc_object *key_find_locked(struct ipc_kind *k, int32_t key) {
    struct ipc_object *o;

    list_for_each(o, keys_of(k, key), key_node) {
        if (o->key == key)
            return o;
    }
    return NULL;
}

int64_t ipc_get_or_create(struct ipc_kind *k, const struct ipc_get_call *c) {
    int64_t result;

    mutex_lock(&k->lock);
    struct ipc_object *o = c->key != IPC_PRIVATE ? key_find_locked(k, c->key) : NULL;
    if (o == NULL) {
        result = c->key == IPC_PRIVATE || (c->flags & IPC_CREAT) ? c->create(c) : -LINUX_ENOENT;
    } else if ((c->flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL)) {
        result = -LINUX_EEXIST;
    } else {
        result = c->check != NULL ? c->check(c, o) : 0;
        if (result == 0)
            result = ipc_permitted(o, (unsigned)c->flags & 0777) ? o->id : -LINUX_EACCES;
    }
    mutex_unlock(&k->lock);
    return result;
}

int64_t ipc_stat_begin(struct ipc_kind *k, int number, bool by_index, bool any, struct ipc_object **out) {
    struct ipc_object *o = by_index ? ipc_find_index(k, number) : ipc_find(k, number);

    if (o == NULL)
        return -LINUX_EINVAL;
    mutex_lock(&o->lock);
    int64_t result = !any && !ipc_permitted(o, IPC_READ) ? -LINUX_EACCES : o->removed ? -LINUX_EIDRM : 0;
    if (result != 0) {
        mutex_unlock(&o->lock);
        ipc_put(o);
    }
    *out = o;
    return result;
}

int64_t ipc_stat_end(struct ipc_object *o, bool by_index) {
    int64_t result = by_index ? o->id : 0;

    mutex_unlock(&o->lock);
    ipc_put(o);
    return result;
}

// --- waiting ---

void ipc_sleeper_end(struct ipc_sleeper *s, int64_t status) {
    list_remove(&s->node);
    atomic_store_explicit(&s->status, status, memory_order_release);
    (void)sched_wake(s->thread); // which cannot leave before the object's lock is free
}

inv_status_t ipc_sleep(struct ipc_sleeper *s, nstime_t deadline) {
    inv_status_t result = INV_OK;

    for (;;) {
        thread_sleep_prepare(WAIT_INTERRUPTIBLE);
        if (atomic_load_explicit(&s->status, memory_order_acquire) != IPC_PENDING) {
            result = INV_OK;
            break;
        }
        if (result != INV_OK)
            break;
        result = thread_sleep(deadline);
    }
    thread_sleep_finish();
    return result;
}
