// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// SEM_UNDO: what semaphore operations have to be undone at the end of who made them. The records of a set hang on a list that threads share by
// CLONE_SYSVSEM; the last of them to end applies it. Context: thread.
//
// A record is freed by who takes it off its list: the last thread, or the removal of the set.
// Locking: undo_lock (spin, PERSONALITY_SPIN) for the lists of threads, inside the sets' locks.
#include "sem.h"

#include <kernel/slab.h>

struct linux_undo_list {
    _Atomic uint32_t count;
    struct list_node undos; // undo_lock
};

static struct spinlock undo_lock = SPINLOCK_INIT(LOCK_RANK_PERSONALITY_SPIN);

static size_t undo_size(const struct sem_set *s) {
    return sizeof(struct sem_undo) + s->count * sizeof(int16_t);
}

static void undo_free(struct sem_undo *u) {
    struct sem_set *s = u->set;

    ipc_uncharge(undo_size(s));
    kfree(u);
    ipc_put(&s->obj);
}

static struct linux_undo_list *list_of_current(void) {
    struct linux_thread *t = linux_current();

    if (t->undo == NULL && (t->undo = kzalloc(sizeof(*t->undo))) != NULL) {
        t->undo->count = 1;
        list_init(&t->undo->undos);
    }
    return t->undo;
}

int64_t linux_sem_clone(struct linux_thread *child, bool share) {
    if (!share)
        return 0;
    struct linux_undo_list *list = list_of_current();
    if (list == NULL)
        return -LINUX_ENOMEM;
    atomic_fetch_add_explicit(&list->count, 1, memory_order_relaxed);
    child->undo = list;
    return 0;
}

static struct sem_undo *undo_look(struct linux_undo_list *list, const struct sem_set *s) {
    struct sem_undo *u, *found = NULL;

    spin_lock(&undo_lock);
    list_for_each(u, &list->undos, list_node) {
        if (u->set == s)
            found = u;
    }
    spin_unlock(&undo_lock);
    return found; // the caller's own list: it stays while the set does
}

static struct sem_undo *undo_alloc(struct sem_set *s) {
    if (!ipc_charge(undo_size(s)))
        return NULL;
    struct sem_undo *u = kzalloc(undo_size(s));
    if (u == NULL) {
        ipc_uncharge(undo_size(s));
        return NULL;
    }
    u->set = s;
    ipc_get(&s->obj);
    return u;
}

int64_t sem_undo_find(struct sem_set *s, struct sem_undo **out) {
    struct linux_undo_list *list = list_of_current();

    if (list == NULL)
        return -LINUX_ENOMEM;
    *out = undo_look(list, s);
    if (*out != NULL)
        return 0;
    struct sem_undo *fresh = undo_alloc(s);
    if (fresh == NULL)
        return -LINUX_ENOMEM;
    mutex_lock(&s->obj.lock);
    bool removed = s->obj.removed;
    *out = removed ? NULL : undo_look(list, s); // another thread with the same list may have been faster
    if (*out == NULL && !removed) {
        list_push_back(&s->undos, &fresh->set_node);
        spin_lock(&undo_lock);
        fresh->list = list;
        list_push_back(&list->undos, &fresh->list_node);
        spin_unlock(&undo_lock);
        *out = fresh;
    }
    mutex_unlock(&s->obj.lock);
    if (*out != fresh)
        undo_free(fresh);
    return removed ? -LINUX_EIDRM : 0;
}

void sem_undos_forget_locked(struct sem_set *s, int number) {
    struct sem_undo *u;

    list_for_each(u, &s->undos, set_node) {
        if (number >= 0)
            u->adjust[number] = 0;
        else
            memset(u->adjust, 0, s->count * sizeof(u->adjust[0]));
    }
}

void sem_undos_drop_locked(struct sem_set *s) {
    while (!list_empty(&s->undos)) {
        struct sem_undo *u = list_first(&s->undos, struct sem_undo, set_node);
        list_remove(&u->set_node);
        spin_lock(&undo_lock);
        bool ours = u->list != NULL; // else an ending thread has it in hand
        if (ours) {
            list_remove(&u->list_node);
            u->list = NULL;
        }
        spin_unlock(&undo_lock);
        if (ours)
            undo_free(u);
    }
}

// --- the end ---

static void undo_apply(struct sem_undo *u) {
    struct sem_set *s = u->set;
    int pid = linux_current_process()->number;

    mutex_lock(&s->obj.lock);
    if (!s->obj.removed) {
        for (unsigned i = 0; i < s->count; i++) {
            if (u->adjust[i] == 0)
                continue;
            s->sems[i].value = MIN(MAX(s->sems[i].value + u->adjust[i], 0), INT16_MAX);
            s->sems[i].pid = pid;
        }
        list_remove(&u->set_node);
        sem_set_changed(s);
    }
    mutex_unlock(&s->obj.lock);
    undo_free(u);
}

void linux_sem_exit(struct linux_thread *t) {
    struct linux_undo_list *list = t->undo;

    t->undo = NULL;
    if (list == NULL || atomic_fetch_sub_explicit(&list->count, 1, memory_order_acq_rel) != 1)
        return;
    for (;;) {
        struct sem_undo *u = NULL;
        spin_lock(&undo_lock);
        if (!list_empty(&list->undos)) {
            u = list_first(&list->undos, struct sem_undo, list_node);
            list_remove(&u->list_node);
            u->list = NULL;
        }
        spin_unlock(&undo_lock);
        if (u == NULL)
            break;
        undo_apply(u);
    }
    kfree(list);
}
