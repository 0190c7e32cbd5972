// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Red-black trees: rebalancing after the user linked a node, removal, and walks in order. Any context; the caller's lock guards the tree.
//
// Invariants (of the whole tree, before and after each call):
//   I1  the root is black;
//   I2  a red node has no red child;
//   I3  every path from the root to a missing child has the same number of black nodes;
//   I4  node->parent is the node whose left or right it is, NULL for the root.
// The longest path is therefore at most twice the shortest.
//
// Colour lives in bit 0 of parent_colour (1: black), so a node just linked, with the bare parent pointer, is red.
#include <kernel/rbtree.h>

#define BLACK 1ul

static inline struct rb_node *parent_of(const struct rb_node *n) {
    return (struct rb_node *)(n->parent_colour & ~BLACK);
}
static inline bool is_red(const struct rb_node *n) {
    return n && !(n->parent_colour & BLACK);
}
static inline void set_black(struct rb_node *n) {
    n->parent_colour |= BLACK;
}
static inline void set_red(struct rb_node *n) {
    n->parent_colour &= ~BLACK;
}
static inline void set_parent(struct rb_node *n, struct rb_node *parent) {
    n->parent_colour = (uintptr_t)parent | (n->parent_colour & BLACK);
}

// Puts new_child where old stood below parent.
static inline void replace_child(struct rb_tree *tree, struct rb_node *parent, struct rb_node *old,
                                 struct rb_node *new_child) {
    if (!parent)
        tree->root = new_child;
    else if (parent->left == old)
        parent->left = new_child;
    else
        parent->right = new_child;
}

//      n              r                n              l
//     / \            / \              / \            / \          .
//    a   r    ->    n   c            l   c    ->    a   n
//       / \        / \              / \                / \        .
//      b   c      a   b            a   b              b   c
static void rotate_left(struct rb_tree *tree, struct rb_node *n) {
    struct rb_node *r = n->right, *parent = parent_of(n);
    n->right = r->left;
    if (r->left)
        set_parent(r->left, n);
    r->left = n;
    set_parent(r, parent);
    replace_child(tree, parent, n, r);
    set_parent(n, r);
}

static void rotate_right(struct rb_tree *tree, struct rb_node *n) {
    struct rb_node *l = n->left, *parent = parent_of(n);
    n->left = l->right;
    if (l->right)
        set_parent(l->right, n);
    l->right = n;
    set_parent(l, parent);
    replace_child(tree, parent, n, l);
    set_parent(n, l);
}

void rb_insert(struct rb_tree *tree, struct rb_node *node, struct rb_node *parent, struct rb_node **link) {
    node->parent_colour = (uintptr_t)parent; // red
    node->left = node->right = NULL;
    *link = node;

    // node is red: only I2 between it and its parent can be broken.
    while (is_red(parent = parent_of(node))) {
        struct rb_node *grand = parent_of(parent); // exists: a red node is not the root (I1)
        bool left = parent == grand->left;
        struct rb_node *uncle = left ? grand->right : grand->left;
        if (is_red(uncle)) {
            set_black(parent);
            set_black(uncle);
            set_red(grand);
            node = grand;
            continue;
        }
        if (node == (left ? parent->right : parent->left)) { // the inner grandchild: make it the outer one
            if (left)
                rotate_left(tree, parent);
            else
                rotate_right(tree, parent);
            parent = node;
        }
        set_black(parent);
        set_red(grand);
        if (left)
            rotate_right(tree, grand);
        else
            rotate_left(tree, grand);
        break;
    }
    set_black(tree->root);
}

// The paths through node (may be NULL), a child of parent, are one black node short.
static void remove_rebalance(struct rb_tree *tree, struct rb_node *node, struct rb_node *parent) {
    while (node != tree->root && !is_red(node)) {
        bool left = node == parent->left;
        struct rb_node *sibling = left ? parent->right : parent->left; // exists, or I3 did not hold before
        if (is_red(sibling)) {
            set_black(sibling);
            set_red(parent);
            if (left)
                rotate_left(tree, parent);
            else
                rotate_right(tree, parent);
            sibling = left ? parent->right : parent->left;
        }
        struct rb_node *inner = left ? sibling->left : sibling->right;
        struct rb_node *outer = left ? sibling->right : sibling->left;
        if (!is_red(inner) && !is_red(outer)) {
            set_red(sibling);
            node = parent;
            parent = parent_of(node);
            continue;
        }
        if (!is_red(outer)) {
            set_black(inner);
            set_red(sibling);
            if (left)
                rotate_right(tree, sibling);
            else
                rotate_left(tree, sibling);
            outer = sibling;
            sibling = inner;
        }
        sibling->parent_colour = (sibling->parent_colour & ~BLACK) | (parent->parent_colour & BLACK);
        set_black(parent);
        set_black(outer);
        if (left)
            rotate_left(tree, parent);
        else
            rotate_right(tree, parent);
        node = tree->root;
        break;
    }
    if (node)
        set_black(node);
}

void rb_remove(struct rb_tree *tree, struct rb_node *node) {
    struct rb_node *child, *parent;
    bool removed_black;

    if (node->left && node->right) {
        // The successor takes the node's place and colour; what leaves the tree's shape is the successor's old place.
        struct rb_node *next = node->right;
        while (next->left)
            next = next->left;
        child = next->right;
        parent = parent_of(next);
        removed_black = !is_red(next);
        if (parent == node) {
            parent = next;
        } else {
            parent->left = child;
            if (child)
                set_parent(child, parent);
            next->right = node->right;
            set_parent(next->right, next);
        }
        next->left = node->left;
        set_parent(next->left, next);
        next->parent_colour = node->parent_colour;
        replace_child(tree, parent_of(node), node, next);
    } else {
        child = node->left ? node->left : node->right;
        parent = parent_of(node);
        removed_black = !is_red(node);
        if (child)
            set_parent(child, parent);
        replace_child(tree, parent, node, child);
    }
    if (removed_black)
        remove_rebalance(tree, child, parent);
}

struct rb_node *rb_first(const struct rb_tree *tree) {
    struct rb_node *n = tree->root;
    while (n && n->left)
        n = n->left;
    return n;
}

struct rb_node *rb_last(const struct rb_tree *tree) {
    struct rb_node *n = tree->root;
    while (n && n->right)
        n = n->right;
    return n;
}

struct rb_node *rb_next(const struct rb_node *node) {
    if (node->right) {
        struct rb_node *n = node->right;
        while (n->left)
            n = n->left;
        return n;
    }
    struct rb_node *parent = parent_of(node);
    while (parent && node == parent->right) {
        node = parent;
        parent = parent_of(node);
    }
    return parent;
}

struct rb_node *rb_prev(const struct rb_node *node) {
    if (node->left) {
        struct rb_node *n = node->left;
        while (n->right)
            n = n->right;
        return n;
    }
    struct rb_node *parent = parent_of(node);
    while (parent && node == parent->left) {
        node = parent;
        parent = parent_of(node);
    }
    return parent;
}
