// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What sem.c and sem_undo.c share.
#ifndef LINUX_IPC_SEM_H
#define LINUX_IPC_SEM_H

#include "../ipc.h"

struct sem {
    int value;
    int pid; // of who changed it last
};

struct sem_set {
    struct ipc_object obj;
    unsigned count; // immutable
    /* obj.lock: */
    int64_t operated, changed; // seconds
    struct list_node waiting,
        waiting_zero;       // ipc_sleeper of struct sem_wait: those that change something, and the others
    struct list_node undos; // sem_undo.set_node
    struct sem sems[];
};
extern struct ipc_kind sem_kind;

static inline struct sem_set *sem_set_of(struct ipc_object *o) {
    return container_of(o, struct sem_set, obj);
}
// After a change of values: ends the waits that can be decided now. Locked.
void sem_set_changed(struct sem_set *s);

// What is added to each semaphore of a set when the threads that share a list have ended.
struct sem_undo {
    struct list_node list_node;   // undo lock: of linux_undo_list
    struct list_node set_node;    // set's lock
    struct linux_undo_list *list; // undo lock: NULL once it was taken off
    struct sem_set *set;          // counted
    int16_t adjust[];             // set's lock
};
// The calling thread's record for s, made if there is none. ENOMEM, EIDRM.
int64_t sem_undo_find(struct sem_set *s, struct sem_undo **out);
void sem_undos_drop_locked(struct sem_set *s);               // s is removed
void sem_undos_forget_locked(struct sem_set *s, int number); // the value was set: nothing is to be undone. -1: all

#endif
