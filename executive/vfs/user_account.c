// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Accounts of real users: a table by number. Called where something is made that is charged to a user, and where it ends; thread context. Root's account is
// always there, and costs no lookup.
//
// Invariants: an account is in the table exactly while somebody counts it; root's is not in the table.
// Locking: table_lock (VFS_SPIN) for the table and the counts.
#include <executive/user_account.h>

#include <executive/vfs.h>
#include <kernel/slab.h>

#define BUCKETS 64u

static struct spinlock table_lock = SPINLOCK_INIT(LOCK_RANK_VFS_SPIN);
static struct user_account *buckets[BUCKETS];
static struct user_account root_account;

static struct user_account *find_locked(uint32_t uid) {
    struct user_account *a = buckets[uid % BUCKETS];

    while (a != NULL && a->uid != uid)
        a = a->next;
    if (a != NULL)
        a->count++;
    return a;
}

static struct user_account *lookup(uint32_t uid) {
    spin_lock(&table_lock);
    struct user_account *a = find_locked(uid);
    spin_unlock(&table_lock);
    return a;
}

struct user_account *user_account_get(void) {
    uint32_t uid = vfs_current_token()->uid;
    struct user_account *fresh, *a;

    if (uid == 0)
        return &root_account;
    a = lookup(uid);
    if (a != NULL)
        return a;
    fresh = kzalloc(sizeof(*fresh));
    if (fresh == NULL)
        return NULL;
    spin_lock(&table_lock);
    a = find_locked(uid);
    if (a == NULL) {
        fresh->uid = uid;
        fresh->count = 1;
        fresh->next = buckets[uid % BUCKETS];
        buckets[uid % BUCKETS] = fresh;
        a = fresh;
        fresh = NULL;
    }
    spin_unlock(&table_lock);
    kfree(fresh); // another thread was first
    return a;
}

void user_account_put(struct user_account *a) {
    if (a == &root_account)
        return;
    spin_lock(&table_lock);
    bool last = --a->count == 0;
    if (last) {
        struct user_account **at = &buckets[a->uid % BUCKETS];
        while (*at != a)
            at = &(*at)->next;
        *at = a->next;
    }
    spin_unlock(&table_lock);
    if (last)
        kfree(a);
}
