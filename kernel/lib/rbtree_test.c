// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
// host-test-sources: kernel/lib/rbtree.c
//
// Red-black trees: after each random insertion and removal the invariants of rbtree.c hold and the order is right.
#include <assert.h>
#include <kernel/rbtree.h>
#include <stdio.h>
#include <stdlib.h>

#define NODES 600

struct item {
    struct rb_node node;
    unsigned key;
    bool in;
};
static struct item items[NODES];
static struct rb_tree tree;

static bool red(const struct rb_node *n) {
    return n && !(n->parent_colour & 1);
}
static struct rb_node *parent(const struct rb_node *n) {
    return (struct rb_node *)(n->parent_colour & ~1ul);
}

// Checks I1 to I4 below n; returns the black height.
static int check(const struct rb_node *n) {
    if (!n)
        return 1;
    if (n->left)
        assert(parent(n->left) == n);
    if (n->right)
        assert(parent(n->right) == n);
    if (red(n))
        assert(!red(n->left) && !red(n->right));
    int l = check(n->left), r = check(n->right);
    assert(l == r);
    return l + !red(n);
}

static void check_all(unsigned count) {
    assert(!red(tree.root));
    check(tree.root);
    unsigned seen = 0;
    const struct rb_node *last = NULL;
    for (struct rb_node *n = rb_first(&tree); n; n = rb_next(n)) {
        if (last) {
            assert(rb_entry((struct rb_node *)last, struct item, node)->key <= rb_entry(n, struct item, node)->key);
            assert(rb_prev(n) == last);
        }
        last = n;
        seen++;
    }
    assert(seen == count);
    assert(rb_last(&tree) == last);
}

static void insert(struct item *i) {
    struct rb_node **link = &tree.root, *at = NULL;
    while (*link) {
        at = *link;
        link = i->key < rb_entry(at, struct item, node)->key ? &at->left : &at->right;
    }
    rb_insert(&tree, &i->node, at, link);
    i->in = true;
}

int main(void) {
    unsigned count = 0;
    srand(1);
    for (int step = 0; step < 20000; step++) {
        struct item *i = &items[rand() % NODES];
        if (i->in) {
            rb_remove(&tree, &i->node);
            i->in = false;
            count--;
        } else {
            i->key = (unsigned)rand() % 200; // many equals
            insert(i);
            count++;
        }
        if (step % 16 == 0)
            check_all(count);
    }
    for (unsigned n = 0; n < NODES; n++) {
        if (items[n].in) {
            rb_remove(&tree, &items[n].node);
            check_all(--count);
        }
    }
    assert(!tree.root && !rb_first(&tree) && !rb_last(&tree));
    printf("ok rbtree/invariants_hold_through_random_changes\n");
    return 0;
}
