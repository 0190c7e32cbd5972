// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Inside epoll: a set and its items, shared by epoll.c (watching, reporting) and epoll_nest.c (sets in sets).
#ifndef EPOLL_SET_H
#define EPOLL_SET_H

#include <executive/event.h>
#include <executive/user_account.h>

struct epoll_set;

// One queue of a watched file. Most files have one.
struct epoll_waiter {
    struct waiter waiter;
    struct waitq *_Atomic queue; // NULL: the queue has ended (POLL_FREE)
    struct epoll_waiter *next;   // further ones are allocated
};

struct epoll_item {
    struct rb_node node; // set mutex: by file and number
    struct epoll_set *set;
    struct file *file; // not counted: epoll_file_gone ends the item before the file's end
    int fd;
    _Atomic uint32_t events; // written under the set's mutex
    uint64_t data;           // set mutex
    struct epoll_waiter first;
    /* set lock: */
    struct list_node ready_node;
    bool ready;
    /* epoll_watch_lock: */
    struct epoll_item *file_next, **file_link;
};

struct epoll_set {
    _Atomic uint32_t count; // its file, and who ends one of its items for a file's end
    struct mutex mutex;     // EPOLL
    /* mutex: */
    struct rb_tree items;
    /* lock: */
    struct spinlock lock; // WAITQ
    struct list_node ready;
    struct waitq wait;         // threads in epoll_wait
    struct waitq poll_wait;    // who polls the set itself: other sets, poll
    struct job *job;           // charged; counted
    struct user_account *user; // who made it: its watches are charged to it; counted
    struct file *file;         // its own, not counted: there as long as the set has items
    uint64_t visited;          // nest: the last walk that came here,
    unsigned depth;            // nest: and what it found
};

extern const struct file_ops epoll_ops;
static inline struct epoll_set *epoll_set_of(const struct file *f) {
    return f->data;
}
extern struct spinlock epoll_watch_lock; // of all files' watches, and their items' places there

// epoll_nest.c. One thread at a time changes which sets are in which.
void epoll_nest_begin(void);
void epoll_nest_end(void);
// Before f is put into e. LOOP: e is f or in it, or there are too many sets below f.
must_check inv_status_t epoll_nest_loop(struct epoll_set *e, struct file *f);
// After f was put into a set. INVALID: there are too many sets above f, or above a file below it.
must_check inv_status_t epoll_nest_paths(struct file *f);

#endif
