// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Doubly linked circular lists, intrusive. A head and a node are the same structure; an initialised node that is on no list points to itself.
// Locking: the caller's.
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <kernel/types.h>

struct list_node {
    struct list_node *next, *prev;
};

#define LIST_INIT(name) \
    { &(name), &(name) }

static inline void list_init(struct list_node *n) {
    n->next = n->prev = n;
}
static inline bool list_empty(const struct list_node *head) {
    return head->next == head;
}
static inline void list_insert_between(struct list_node *n, struct list_node *prev, struct list_node *next) {
    n->prev = prev;
    n->next = next;
    prev->next = n;
    next->prev = n;
}
static inline void list_push_front(struct list_node *head, struct list_node *n) {
    list_insert_between(n, head, head->next);
}
static inline void list_push_back(struct list_node *head, struct list_node *n) {
    list_insert_between(n, head->prev, head);
}
// Takes n off its list and leaves it initialised, so that a second removal is harmless.
static inline void list_remove(struct list_node *n) {
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
// Takes n, which is the first of the list, off it, and leaves n as it was: for who puts it on a list again before anybody asks.
static inline void list_take_first(struct list_node *head, struct list_node *n) {
    head->next = n->next;
    n->next->prev = head;
}
// Moves all of from to the end of to; from is empty afterwards.
static inline void list_splice_back(struct list_node *to, struct list_node *from) {
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}
#define list_entry(node, type, member) container_of(node, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member)  list_entry((head)->prev, type, member)
#define list_for_each(pos, head, member)                                           \
    for (pos = list_first(head, __typeof__(*pos), member); &pos->member != (head); \
         pos = list_first(&pos->member, __typeof__(*pos), member))
// As list_for_each, and pos may be removed in the body.
#define list_for_each_safe(pos, tmp, head, member)                                                                   \
    for (pos = list_first(head, __typeof__(*pos), member), tmp = list_first(&pos->member, __typeof__(*pos), member); \
         &pos->member != (head); pos = tmp, tmp = list_first(&pos->member, __typeof__(*pos), member))

#endif
