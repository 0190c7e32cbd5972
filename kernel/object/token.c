// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Tokens: identity, groups and capabilities of a process, immutable once shared. Freed through an epoch, so that others may look at a process's token without a lock.
#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/token.h>

static void token_free(struct epoch_node *n) {
    struct token *t = container_of(n, struct token, obj.reclaim);

    token_groups_put(t->groups);
    kfree(t);
}

static void token_delete(struct object *o) {
    object_fini(o);
    epoch_defer(&o->reclaim, token_free);
}

struct object_type token_type = {
    .name = "token",
    .number = INV_OBJECT_TOKEN,
    .default_rights = INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct token),
    .delete = token_delete,
};

static struct token root_token = {
    .cap_effective = (1ull << (CAP_LAST + 1)) - 1,
    .cap_permitted = (1ull << (CAP_LAST + 1)) - 1,
    .cap_bounding = (1ull << (CAP_LAST + 1)) - 1,
};
struct token *token_root = &root_token;

void token_init_boot(void) {
    object_type_register(&token_type);
    ASSERT(object_init(&root_token.obj, &token_type, NULL) == INV_OK);
}

inv_status_t token_clone(const struct token *from, struct job *job, struct token **out) {
    struct token *t = kmalloc(sizeof(*t));
    if (t == NULL)
        return INV_ERR_NO_MEMORY;
    memcpy((char *)t + sizeof(struct object), (const char *)from + sizeof(struct object),
           sizeof(*t) - sizeof(struct object));
    inv_status_t status = object_init(&t->obj, &token_type, job);
    if (status != INV_OK) {
        kfree(t);
        return status;
    }
    if (t->groups != NULL)
        atomic_fetch_add_explicit(&t->groups->count, 1, memory_order_relaxed);
    *out = t;
    return INV_OK;
}

// --- supplementary groups ---

static size_t groups_size(uint32_t number) {
    return sizeof(struct token_groups) + number * sizeof(uint32_t);
}

inv_status_t token_groups_create(struct job *job, uint32_t number, struct token_groups **out) {
    inv_status_t status = job_charge(job, JOB_MEMORY, groups_size(number));
    if (status != INV_OK)
        return status;
    struct token_groups *g = kmalloc(groups_size(number));
    if (g == NULL) {
        job_uncharge(job, JOB_MEMORY, groups_size(number));
        return INV_ERR_NO_MEMORY;
    }
    g->count = 1;
    g->number = number;
    g->job = job;
    object_get(&job->obj);
    *out = g;
    return INV_OK;
}

void token_groups_put(struct token_groups *g) {
    if (g == NULL || atomic_fetch_sub_explicit(&g->count, 1, memory_order_acq_rel) != 1)
        return;
    job_uncharge(g->job, JOB_MEMORY, groups_size(g->number));
    object_put(&g->job->obj);
    kfree(g);
}

// Heap sort: no recursion, no extra memory, and no order of input that makes it slow.
static void sift_down(uint32_t *a, uint32_t root, uint32_t n) {
    for (uint32_t child; (child = 2 * root + 1) < n; root = child) {
        child += child + 1 < n && a[child] < a[child + 1];
        if (a[root] >= a[child])
            return;
        uint32_t swapped = a[root];
        a[root] = a[child];
        a[child] = swapped;
    }
}

static void sort(uint32_t *a, uint32_t n) {
    for (uint32_t i = n / 2; i-- > 0;)
        sift_down(a, i, n);
    for (uint32_t end = n; end-- > 1;) {
        uint32_t last = a[end];
        a[end] = a[0];
        a[0] = last;
        sift_down(a, 0, end);
    }
}

void token_set_groups(struct token *t, struct token_groups *g) {
    sort(g->ids, g->number);
    token_groups_put(t->groups);
    t->groups = g;
}

bool token_in_group(const struct token *t, uint32_t gid) {
    if (t->fsgid == gid)
        return true;
    for (uint32_t low = 0, high = token_group_count(t); low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (t->groups->ids[middle] == gid)
            return true;
        if (t->groups->ids[middle] < gid)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
