// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Intrusive red-black trees. The user descends by hand (as the key is the user's) and links the node where the descent ended; rebalancing is here
// (kernel/lib/rbtree.c). Locking: the caller's.
#ifndef KERNEL_RBTREE_H
#define KERNEL_RBTREE_H

#include <kernel/types.h>

struct rb_node {
    uintptr_t parent_colour; // parent pointer, bit 0: black
    struct rb_node *left, *right;
};
struct rb_tree {
    struct rb_node *root;
};

// Links node below parent (NULL: it is the root) at *link, which is &parent->left, &parent->right or &tree->root, and rebalances.
void rb_insert(struct rb_tree *tree, struct rb_node *node, struct rb_node *parent, struct rb_node **link);
void rb_remove(struct rb_tree *tree, struct rb_node *node);
struct rb_node *rb_first(const struct rb_tree *tree);
struct rb_node *rb_last(const struct rb_tree *tree);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);
#define rb_entry(node, type, member) container_of(node, type, member)

#endif
