// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sets in sets: no set may watch itself, by whatever way, and a file's wake-up may not run through too many sets, one in another, nor along too many ways.
// Called by epoll_add where a set is put into a set, or a file into a set that is in one. Thread context.
//
// Locking: nest (EPOLL_NEST) is held from begin to end. Down, a set's mutex is held while its items are walked; up, epoll_watch_lock.
#include <kernel/boot.h>

#include "epoll_set.h"

#define NEST_MAX 4

static struct mutex nest;
/* nest: */
static uint64_t walk;
static unsigned ways[NEST_MAX + 1];
static const unsigned ways_max[NEST_MAX + 1] = {UINT32_MAX, 500, 100, 50, 10}; // by depth, as in Linux

void epoll_nest_begin(void) {
    mutex_lock(&nest);
}

void epoll_nest_end(void) {
    mutex_unlock(&nest);
}

// --- loops and depth --------------------------------------------------------------------------------------------------

// How many sets lie below at, one in another; more than NEST_MAX if wanted is among them, or when it is too deep.
static unsigned depth_below(struct epoll_set *at, const struct epoll_set *wanted, unsigned depth) {
    unsigned most = 0;
    if (at->visited == walk)
        return at->depth;
    mutex_lock(&at->mutex);
    for (struct rb_node *n = rb_first(&at->items); n != NULL && most <= NEST_MAX; n = rb_next(n)) {
        struct file *f = rb_entry(n, struct epoll_item, node)->file;
        if (!epoll_is(f))
            continue;
        bool ends = epoll_set_of(f) == wanted || depth > NEST_MAX;
        unsigned below = ends ? NEST_MAX + 1 : depth_below(epoll_set_of(f), wanted, depth + 1) + 1;
        most = MAX(most, below);
    }
    at->visited = walk;
    at->depth = most;
    mutex_unlock(&at->mutex);
    return most;
}

// How many lie above. epoll_watch_lock is held.
static unsigned depth_above(struct epoll_set *at) {
    unsigned most = 0;
    if (at->visited == walk)
        return at->depth;
    for (const struct epoll_item *i = at->file->watches; i != NULL; i = i->file_next) {
        unsigned above = depth_above(i->set) + 1;
        most = MAX(most, above);
    }
    at->visited = walk;
    at->depth = most;
    return most;
}

inv_status_t epoll_nest_loop(struct epoll_set *e, struct file *f) {
    if (!epoll_is(f))
        return INV_OK;
    walk++;
    unsigned below = epoll_set_of(f) == e ? NEST_MAX + 1 : depth_below(epoll_set_of(f), e, 0);
    if (below > NEST_MAX)
        return INV_ERR_LOOP;
    walk++;
    spin_lock(&epoll_watch_lock);
    unsigned above = depth_above(e); // ends: no set is above itself, and none is deeper than was let in
    spin_unlock(&epoll_watch_lock);
    return below + 1 + above > NEST_MAX ? INV_ERR_LOOP : INV_OK;
}

// --- ways ---------------------------------------------------------------------------------------------------------------

// Counts the ways from f to sets that nobody watches. epoll_watch_lock is held.
static bool too_many_above(const struct file *f, unsigned depth) {
    if (depth > NEST_MAX)
        return true;
    for (const struct epoll_item *i = f->watches; i != NULL; i = i->file_next) {
        const struct file *above = i->set->file;
        if (above->watches != NULL ? too_many_above(above, depth + 1) : ++ways[depth] > ways_max[depth])
            return true;
    }
    return false;
}

static bool file_too_deep(const struct file *f) {
    for (unsigned i = 0; i <= NEST_MAX; i++)
        ways[i] = 0;
    spin_lock(&epoll_watch_lock);
    bool too_many = too_many_above(f, 0);
    spin_unlock(&epoll_watch_lock);
    return too_many;
}

static bool set_too_deep(struct epoll_set *at) {
    bool too_deep = false;
    mutex_lock(&at->mutex);
    at->visited = walk;
    for (struct rb_node *n = rb_first(&at->items); n != NULL && !too_deep; n = rb_next(n)) {
        struct file *f = rb_entry(n, struct epoll_item, node)->file;
        if (!epoll_is(f))
            too_deep = file_too_deep(f);
        else if (epoll_set_of(f)->visited != walk)
            too_deep = set_too_deep(epoll_set_of(f));
    }
    mutex_unlock(&at->mutex);
    return too_deep;
}

inv_status_t epoll_nest_paths(struct file *f) {
    walk++;
    return (epoll_is(f) ? set_too_deep(epoll_set_of(f)) : file_too_deep(f)) ? INV_ERR_INVALID : INV_OK;
}

static inv_status_t nest_init(void) {
    mutex_init(&nest, LOCK_RANK_EPOLL_NEST);
    return INV_OK;
}
BOOT_CALL("epoll nests", BOOT_STAGE_EXECUTIVE, nest_init);
