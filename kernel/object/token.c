// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Tokens: identity and capabilities of a process, immutable once shared. Freed through an epoch, so that others may look at a process's token without a lock.
#include <kernel/assert.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/token.h>

static void token_free(struct epoch_node *n) {
    kfree(container_of(n, struct token, obj.reclaim));
}

static void token_delete(struct object *o) {
    object_fini(o);
    epoch_defer(&o->reclaim, token_free);
}

struct object_type token_type = {
    .name = "token",
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
    *out = t;
    return INV_OK;
}

bool token_in_group(const struct token *t, uint32_t gid) {
    if (t->fsgid == gid)
        return true;
    for (uint32_t i = 0; i < t->group_count; i++) {
        if (t->groups[i] == gid)
            return true;
    }
    return false;
}
