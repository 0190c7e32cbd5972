// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Peer groups of mounts: shared mounts are members of one group, what is mounted on one of them is mounted on all; slaves follow a group and are not followed.
// Called by mount_tree.c and mount_call.c with the mounts' lock held, thread context.
//
// Invariants:
// I1. A mount is a member of a group (shared), or follows one (a slave), or neither (private). A shared mount's master is its group's.
// I2. A group has a member: it ends when the last leaves, and those who followed it follow its master.
// I3. Groups form a forest by master.

#include <kernel/assert.h>
#include <kernel/slab.h>

#include "mount_tree.h"

static uint32_t next_group = 1;

struct peer_group *peer_group_alloc(void) {
    struct peer_group *g = kzalloc(sizeof(*g));
    if (g == NULL)
        return NULL;
    g->id = next_group++;
    list_init(&g->members);
    list_init(&g->slaves);
    list_init(&g->groups);
    list_init(&g->group_node);
    return g;
}

void peer_group_free(struct peer_group *g) {
    kfree(g);
}

struct peer_group *peer_group_next(struct peer_group *g, const struct peer_group *top) {
    if (!list_empty(&g->groups))
        return list_first(&g->groups, struct peer_group, group_node);
    while (g != top) {
        struct peer_group *master = g->master;
        if (g->group_node.next != &master->groups)
            return list_first(&g->group_node, struct peer_group, group_node);
        g = master;
    }
    return NULL;
}

void mount_join(struct mount *m, struct peer_group *g) {
    DEBUG_ASSERT(m->group == NULL && m->master == NULL);
    m->group = g;
    m->unbindable = false;
    list_push_back(&g->members, &m->peer_node);
}

void mount_follow(struct mount *m, struct peer_group *master) {
    DEBUG_ASSERT(m->group == NULL);
    list_remove(&m->peer_node);
    m->master = master;
    if (master != NULL)
        list_push_back(&master->slaves, &m->peer_node);
}

static void group_follow(struct peer_group *g, struct peer_group *master) {
    list_remove(&g->group_node);
    g->master = master;
    if (master != NULL)
        list_push_back(&master->groups, &g->group_node);
}

void mount_share(struct mount *m, struct peer_group *fresh) {
    group_follow(fresh, m->master);
    mount_follow(m, NULL);
    mount_join(m, fresh);
}

// The last member has left: who followed the group follows its master.
static void group_end(struct peer_group *g) {
    struct peer_group *master = g->master;
    while (!list_empty(&g->slaves))
        mount_follow(list_first(&g->slaves, struct mount, peer_node), master);
    while (!list_empty(&g->groups))
        group_follow(list_first(&g->groups, struct peer_group, group_node), master);
    group_follow(g, NULL);
    peer_group_free(g);
}

void mount_unshare(struct mount *m, bool keep_following) {
    struct peer_group *g = m->group, *master = m->master;
    if (g != NULL) {
        list_remove(&m->peer_node);
        m->group = NULL;
        master = g;
        if (list_empty(&g->members)) {
            master = g->master;
            group_end(g);
        }
    }
    mount_follow(m, keep_following ? master : NULL);
}

inv_status_t mount_tree_share(struct mount *top, struct list_node *out_shared) {
    list_init(out_shared);
    for (struct mount *m = top; m != NULL; m = mount_next(m, top)) {
        if (m->group != NULL)
            continue;
        struct peer_group *g = peer_group_alloc();
        if (g == NULL) {
            mount_tree_share_undo(out_shared);
            return INV_ERR_NO_MEMORY;
        }
        mount_share(m, g);
        list_push_back(out_shared, &m->work);
    }
    return INV_OK;
}

void mount_tree_share_undo(struct list_node *shared) {
    while (!list_empty(shared)) {
        struct mount *m = list_first(shared, struct mount, work);
        list_remove(&m->work);
        mount_unshare(m, true);
    }
}
