// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The name cache: names of files as a tree of dentries, found by (parent, name) in one hash table. Called by the walk and by the calls that change names, in
// thread context.
//
// Readers take no lock: they enter an epoch, look in the hash table, and follow parents and inodes; memory of dentries, names, inodes and mounts that they
// may meet is freed through the epoch. What such a reader found may mix two states of the tree if a name was moved or a mount changed meanwhile; so it notes
// tree_sequence first, and takes a count on the result only to look at tree_sequence again afterwards. If that did not change (and was even), then no move
// happened between, every name that was passed had one parent and one text all along, and the result is what a walk under a lock would have found: names
// that were ADDED or REMOVED between are seen or not, as by a walk that came earlier or later. A miss proves nothing (a move may lead a reader to
// another chain): whoever needs to know that a name is absent, or wants to add it, asks again under the directory's lock and the cache's lock.
//
// Invariants:
// I1. A dentry goes from negative to positive and never back; a removed name's dentry is unhashed and keeps its inode.
// I2. An unhashed dentry is never hashed again, except inside dentry_move.
// I3. Names are added below a directory only with its inode's lock held: one dentry at most has a given parent and name.
// I4. count 0 and hashed: on the LRU list, or the thread that let it go is about to put it there (or, if its file system wants no names kept, to free it).
//     Only who moves count from 0 to DENTRY_DEAD frees it.
// I5. A dentry holds a count on its parent; so one with children has no count of 0.
// Locking: cache_lock (VFS_DCACHE) for chains, lists of children and the LRU list. It is not held over any put.

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include <executive/random.h>

#include "dentry.h"
#include "inode.h"

#define PRUNE_BATCH 16
#define PRUNE_LOOK  64 // names looked at before the cache's lock is let go for a moment

_Atomic uint32_t tree_sequence;

static struct spinlock cache_lock = SPINLOCK_INIT(LOCK_RANK_VFS_DCACHE);
static struct list_node lru = LIST_INIT(lru); // cache_lock: coldest first
static _Atomic size_t lru_count;              // written under cache_lock
static size_t lru_limit;                      // immutable after boot
static struct dentry *_Atomic *table;
static unsigned table_shift; // 64 - log2 of the buckets
static uint64_t table_seed;
uint32_t component_seed;
static struct slab_cache dentry_cache;

struct dentry_long_name {
    struct epoch_node reclaim;
    struct dentry_name name;
};

void dentry_cache_init(void) {
    struct page_stats stats;
    page_get_stats(&stats);
    slab_cache_init(&dentry_cache, "dentry", sizeof(struct dentry), 0);
    // One page in 64 for names that nobody uses, and about two names a bucket.
    lru_limit = MAX(stats.total / 64 * (PAGE_SIZE / sizeof(struct dentry)), (size_t)256);
    unsigned bits = 8;
    while ((size_t)2 << bits < lru_limit && bits < 16)
        bits++;
    table = kzalloc(sizeof(table[0]) << bits);
    if (table == NULL)
        panic("no memory for the name cache");
    table_shift = 64 - bits;
    random_bytes(&table_seed, sizeof(table_seed));
    random_bytes(&component_seed, sizeof(component_seed));
}

uint32_t component_hash(const char *text, size_t length) {
    uint32_t h = component_seed;
    for (size_t i = 0; i < length; i++)
        h = component_hash_step(h, text[i]);
    return h;
}

static struct dentry *_Atomic *bucket_of(const struct dentry *parent, uint32_t hash) {
    uint64_t x = ((uint64_t)hash << 32 ^ (uintptr_t)parent ^ table_seed) * 0x9e3779b97f4a7c15ull;
    x ^= x >> 32;
    return &table[(x * 0x9e3779b97f4a7c15ull) >> table_shift];
}

static const struct dentry_name *name_of(const struct dentry *d) {
    return atomic_load_explicit(&d->name, memory_order_acquire);
}

struct dentry *dentry_find(const struct dentry *parent, const struct component *c) {
    struct dentry *d = atomic_load_explicit(bucket_of(parent, c->hash), memory_order_acquire);
    for (; d != NULL; d = atomic_load_explicit(&d->hash_next, memory_order_acquire)) {
        if (dentry_parent(d) != parent)
            continue;
        const struct dentry_name *n = name_of(d);
        if (n->hash == c->hash && n->length == c->length && memcmp(dentry_name_text(n), c->text, c->length) == 0)
            return d;
    }
    return NULL;
}

struct inode *dentry_inode(const struct dentry *d) {
    return dentry_inode_borrowed(d);
}

struct inode *path_inode(const struct path *p) {
    return dentry_inode_borrowed(p->dentry);
}

void dentry_set_flag(struct dentry *d, uint32_t flag) {
    atomic_fetch_or_explicit(&d->flags, flag, memory_order_acq_rel);
}

void dentry_clear_flag(struct dentry *d, uint32_t flag) {
    atomic_fetch_and_explicit(&d->flags, ~flag, memory_order_acq_rel);
}

void tree_change_begin(void) {
    spin_lock(&cache_lock);
    atomic_store_explicit(&tree_sequence, tree_sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

void tree_change_end(void) {
    atomic_store_explicit(&tree_sequence, tree_sequence + 1, memory_order_release);
    spin_unlock(&cache_lock);
}

// --- making -----------------------------------------------------------------------------------------------------------

static void name_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct dentry_long_name, reclaim));
}

static const struct dentry_name *name_make(const struct component *c) {
    struct dentry_long_name *l = kmalloc(sizeof(*l) + c->length);
    if (l == NULL)
        return NULL;
    l->name = (struct dentry_name){.hash = c->hash, .length = c->length};
    memcpy((char *)(&l->name + 1), c->text, c->length);
    return &l->name;
}

static struct dentry *dentry_charge_alloc(struct job *job, size_t charge) {
    if (job_charge(job, JOB_MEMORY, charge) != INV_OK)
        return NULL;
    struct dentry *d = slab_alloc(&dentry_cache);
    if (d == NULL)
        job_uncharge(job, JOB_MEMORY, charge);
    return d;
}

// One count, unhashed, negative, its own parent.
static struct dentry *dentry_alloc(struct superblock *sb, const struct component *c) {
    struct job *job = vfs_current_job();
    bool is_long = c->length > DENTRY_INLINE_NAME;
    size_t charge = sizeof(struct dentry) + (is_long ? sizeof(struct dentry_long_name) + c->length : 0);
    struct dentry *d = dentry_charge_alloc(job, charge);
    if (d == NULL) { // what nobody uses may make room
        dentry_prune(PRUNE_BATCH * 4);
        d = dentry_charge_alloc(job, charge);
        if (d == NULL)
            return NULL;
    }
    const struct dentry_name *name = &d->inline_name;
    if (is_long) {
        name = name_make(c);
        if (name == NULL) {
            slab_free(&dentry_cache, d);
            job_uncharge(job, JOB_MEMORY, charge);
            return NULL;
        }
    } else {
        d->inline_name = (struct dentry_name){.hash = c->hash, .length = c->length};
        memcpy(d->inline_text, c->text, c->length);
    }
    object_get(&job->obj);
    atomic_fetch_add_explicit(&sb->count, 1, memory_order_relaxed);
    d->job = job;
    d->charged = (uint32_t)charge;
    d->superblock = sb;
    atomic_init(&d->count, 1);
    atomic_init(&d->flags, 0);
    atomic_init(&d->hash_next, NULL);
    atomic_init(&d->parent, d);
    atomic_init(&d->inode, NULL);
    atomic_init(&d->name, name);
    list_init(&d->children);
    list_init(&d->child_node);
    list_init(&d->lru_node);
    return d;
}

struct dentry *dentry_make_unnamed(struct superblock *sb, const char *label, struct inode *inode) {
    struct component c = {.text = label, .length = (uint32_t)MIN(strlen(label), (size_t)NAME_MAX_BYTES)};
    struct dentry *d = dentry_alloc(sb, &c);
    if (d != NULL)
        atomic_store_explicit(&d->inode, inode, memory_order_release);
    return d;
}

struct dentry *dentry_make_hidden(struct dentry *parent, const char *label, struct inode *inode) {
    struct dentry *d = dentry_make_unnamed(parent->superblock, label, inode);
    if (d != NULL) {
        dentry_get(parent);
        atomic_store_explicit(&d->parent, parent, memory_order_release);
    }
    return d;
}

struct dentry *dentry_make_root(struct inode *root) {
    struct dentry *d = dentry_make_unnamed(root->superblock, "/", root);
    if (d == NULL)
        inode_put(root);
    return d;
}

static void chain_add_locked(struct dentry *d, struct dentry *parent, uint32_t hash) {
    struct dentry *_Atomic *bucket = bucket_of(parent, hash);
    atomic_store_explicit(&d->hash_next, atomic_load_explicit(bucket, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(bucket, d, memory_order_release);
    dentry_set_flag(d, DENTRY_HASHED);
}

// d keeps its link, for readers that stand on it.
static void chain_remove_locked(struct dentry *d) {
    struct dentry *_Atomic *link = bucket_of(dentry_parent(d), name_of(d)->hash);
    struct dentry *at;
    while ((at = atomic_load_explicit(link, memory_order_relaxed)) != d) {
        ASSERT(at != NULL);
        link = &at->hash_next;
    }
    atomic_store_explicit(link, atomic_load_explicit(&d->hash_next, memory_order_relaxed), memory_order_release);
    dentry_clear_flag(d, DENTRY_HASHED);
}

// The name enters the cache (I3), with inode's reference or none.
static void dentry_insert(struct dentry *d, struct dentry *parent, struct inode *inode) {
    dentry_get(parent);
    atomic_store_explicit(&d->parent, parent, memory_order_relaxed);
    atomic_store_explicit(&d->inode, inode, memory_order_relaxed);
    spin_lock(&cache_lock);
    list_push_back(&parent->children, &d->child_node);
    chain_add_locked(d, parent, name_of(d)->hash);
    spin_unlock(&cache_lock);
}

void dentry_instantiate(struct dentry *d, struct inode *inode) {
    DEBUG_ASSERT(dentry_inode_borrowed(d) == NULL);
    atomic_store_explicit(&d->inode, inode, memory_order_release);
}

void dentry_unhash(struct dentry *d) {
    spin_lock(&cache_lock);
    if (dentry_has(d, DENTRY_HASHED))
        chain_remove_locked(d);
    spin_unlock(&cache_lock);
}

// --- looking up -------------------------------------------------------------------------------------------------------

struct dentry *dentry_lookup_cached(struct dentry *dir, const struct component *c) {
    epoch_enter();
    uint32_t sequence = tree_sequence_read();
    struct dentry *d = dentry_find(dir, c);
    bool got = d != NULL && dentry_try_get(d);
    bool valid = tree_sequence_valid(sequence);
    epoch_exit();
    if (!got)
        return NULL;
    if (!valid) {
        dentry_put(d);
        return NULL;
    }
    return d;
}

inv_status_t dentry_lookup(struct dentry *dir, const struct component *c, struct dentry **out) {
    struct inode *i = dentry_inode_borrowed(dir);
    struct dentry *d = dentry_lookup_cached(dir, c);
    if (d != NULL && i->ops->revalidate != NULL && !i->ops->revalidate(d)) {
        dentry_unhash(d);
        dentry_put(d);
        d = NULL;
    }
    if (d != NULL) {
        *out = d;
        return INV_OK;
    }
    mutex_lock(&i->lock);
    inv_status_t s = dentry_lookup_locked(dir, c, out);
    mutex_unlock(&i->lock);
    return s;
}

static struct dentry *lookup_cached_locked(struct dentry *dir, const struct component *c) {
    spin_lock(&cache_lock);
    struct dentry *d = dentry_find(dir, c);
    if (d != NULL)
        dentry_get(d); // hashed, and the cache is locked: not dead (I4)
    spin_unlock(&cache_lock);
    return d;
}

inv_status_t dentry_lookup_locked(struct dentry *dir, const struct component *c, struct dentry **out) {
    struct inode *i = dentry_inode_borrowed(dir), *found = NULL;
    if (c->length > NAME_MAX_BYTES)
        return INV_ERR_NAME_TOO_LONG;
    if (i->ops->lookup == NULL)
        return INV_ERR_NOT_DIR;
    if (dentry_has(dir, DENTRY_REMOVED))
        return INV_ERR_NOT_FOUND;
    struct dentry *d = lookup_cached_locked(dir, c);
    if (d != NULL && i->ops->revalidate != NULL && !i->ops->revalidate(d)) {
        dentry_unhash(d);
        dentry_put(d);
        d = NULL;
    }
    if (d == NULL) {
        inv_status_t s = i->ops->lookup(i, c->text, c->length, &found);
        if (s != INV_OK && s != INV_ERR_NOT_FOUND)
            return s;
        d = dentry_alloc(dir->superblock, c);
        if (d == NULL) {
            if (s == INV_OK)
                inode_put(found);
            return INV_ERR_NO_MEMORY;
        }
        dentry_insert(d, dir, s == INV_OK ? found : NULL);
    }
    *out = d;
    return INV_OK;
}

// --- letting go -------------------------------------------------------------------------------------------------------

static void dentry_reclaim(struct epoch_node *n) {
    struct dentry *d = container_of(n, struct dentry, reclaim);
    const struct dentry_name *name = d->name;
    if (name != &d->inline_name)
        kfree(container_of(name, struct dentry_long_name, name));
    slab_free(&dentry_cache, d);
}

static void off_lru_locked(struct dentry *d) {
    if (!dentry_has(d, DENTRY_ON_LRU))
        return;
    list_remove(&d->lru_node);
    lru_count--;
    dentry_clear_flag(d, DENTRY_ON_LRU);
}

// Claims a dentry that nobody counts: it leaves all lists. False if it was taken up again.
static bool dentry_claim_locked(struct dentry *d) {
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong_explicit(&d->count, &none, DENTRY_DEAD, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return false;
    if (dentry_has(d, DENTRY_HASHED))
        chain_remove_locked(d);
    off_lru_locked(d);
    list_remove(&d->child_node);
    return true;
}

// Frees a claimed dentry; returns the parent, whose count the caller now holds, or NULL.
static struct dentry *dentry_free(struct dentry *d) {
    struct dentry *parent = dentry_parent(d);
    inode_put(dentry_inode_borrowed(d));
    superblock_uncount(d->superblock);
    job_uncharge(d->job, JOB_MEMORY, d->charged);
    object_put(&d->job->obj);
    epoch_defer(&d->reclaim, dentry_reclaim);
    return parent != d ? parent : NULL;
}

// The last count was dropped (in an epoch, so that d is still there): frees it or makes it wait on the LRU list. True: d was claimed.
static bool dentry_idle(struct dentry *d, bool *out_prune) {
    bool claimed = false;
    spin_lock(&cache_lock);
    if (!dentry_has(d, DENTRY_HASHED) || d->superblock->type->uncached) {
        claimed = dentry_claim_locked(d);
    } else if (!dentry_has(d, DENTRY_ON_LRU) && (atomic_load(&d->count) & DENTRY_DEAD) == 0) {
        list_push_back(&lru, &d->lru_node);
        dentry_set_flag(d, DENTRY_ON_LRU);
        *out_prune = ++lru_count > lru_limit;
    }
    spin_unlock(&cache_lock);
    return claimed;
}

// Drops one count; returns the dentry whose count is to be dropped next (a freed one's parent).
static struct dentry *dentry_put_one(struct dentry *d, bool *out_prune) {
    bool claimed = false;
    epoch_enter();
    if (atomic_fetch_sub_explicit(&d->count, 1, memory_order_acq_rel) == 1) {
        uint32_t flags = atomic_load_explicit(&d->flags, memory_order_acquire);
        if ((flags & (DENTRY_HASHED | DENTRY_ON_LRU)) != (DENTRY_HASHED | DENTRY_ON_LRU))
            claimed = dentry_idle(d, out_prune);
        else if ((flags & DENTRY_REFERENCED) == 0)
            dentry_set_flag(d, DENTRY_REFERENCED);
    }
    epoch_exit();
    return claimed ? dentry_free(d) : NULL;
}

void dentry_put(struct dentry *d) {
    bool prune = false;
    while (d != NULL)
        d = dentry_put_one(d, &prune);
    if (unlikely(prune))
        dentry_prune(PRUNE_BATCH);
}

// Claims cold dentries onto list (by lru_node), looking at no more than PRUNE_LOOK. sb NULL: any, with a second chance for those used since. What is kept goes
// to the warm end. Returns how many were looked at.
static size_t prune_claim(struct superblock *sb, size_t most, struct list_node *list, size_t *inout_claimed) {
    size_t seen = 0, claimed = 0;
    spin_lock(&cache_lock);
    for (; seen < PRUNE_LOOK && claimed < most && !list_empty(&lru); seen++) {
        struct dentry *d = list_first(&lru, struct dentry, lru_node);
        bool keep = sb != NULL ? d->superblock != sb : dentry_has(d, DENTRY_REFERENCED);
        if (keep && sb == NULL)
            dentry_clear_flag(d, DENTRY_REFERENCED);
        if (keep) {
            list_remove(&d->lru_node);
            list_push_back(&lru, &d->lru_node);
        } else if (dentry_claim_locked(d)) {
            list_push_back(list, &d->lru_node);
            claimed++;
        } else {
            off_lru_locked(d); // in use; comes back when it is let go (I4)
        }
    }
    spin_unlock(&cache_lock);
    *inout_claimed += claimed;
    return seen;
}

// Frees what was claimed, and what that lets go.
static void list_free(struct list_node *list) {
    bool ignored = false;
    while (!list_empty(list)) {
        struct dentry *d = list_first(list, struct dentry, lru_node);
        list_remove(&d->lru_node);
        for (d = dentry_free(d); d != NULL;)
            d = dentry_put_one(d, &ignored);
    }
}

size_t dentry_prune(size_t n) {
    struct list_node list = LIST_INIT(list);
    size_t claimed = 0, turns = 4 * n / PRUNE_LOOK + 4;
    while (claimed < n && turns-- != 0 && prune_claim(NULL, n - claimed, &list, &claimed) != 0)
        list_free(&list);
    return claimed;
}

// Round the list as long as there is something to free: what is freed lets its parent go, which then comes onto the list.
void dentry_prune_superblock(struct superblock *sb) {
    size_t claimed;
    do {
        struct list_node list = LIST_INIT(list);
        size_t left = atomic_load_explicit(&lru_count, memory_order_relaxed), seen;
        claimed = 0;
        do {
            seen = prune_claim(sb, PRUNE_BATCH, &list, &claimed);
            list_free(&list);
            left -= MIN(left, seen);
        } while (left != 0 && seen != 0);
    } while (claimed != 0);
}

// Claims some of the children onto list; those in use are unhashed and go to the end. False: none is left that can be found.
static bool children_claim(struct dentry *d, struct list_node *list) {
    bool more = true;
    spin_lock(&cache_lock);
    for (int i = 0; i < PRUNE_BATCH && more; i++) {
        struct dentry *child = list_first(&d->children, struct dentry, child_node);
        if (list_empty(&d->children) || !dentry_has(child, DENTRY_HASHED)) {
            more = false;
        } else if (dentry_claim_locked(child)) {
            list_push_back(list, &child->lru_node);
        } else {
            chain_remove_locked(child);
            list_remove(&child->child_node);
            list_push_back(&d->children, &child->child_node);
        }
    }
    spin_unlock(&cache_lock);
    return more;
}

void dentry_drop_children(struct dentry *d) {
    struct list_node list = LIST_INIT(list);
    bool more = true;
    while (more) {
        more = children_claim(d, &list);
        list_free(&list);
    }
}

// --- moving -----------------------------------------------------------------------------------------------------------

inv_status_t dentry_move_prepare(struct dentry *d, const struct component *to, struct dentry_move *out) {
    size_t charge = sizeof(struct dentry_long_name) + to->length;
    *out = (struct dentry_move){.name = NULL, .charge = (uint32_t)charge};
    if (job_charge(d->job, JOB_MEMORY, charge) != INV_OK)
        return INV_ERR_NO_MEMORY;
    out->name = name_make(to);
    if (out->name == NULL) {
        job_uncharge(d->job, JOB_MEMORY, charge);
        return INV_ERR_NO_MEMORY;
    }
    return INV_OK;
}

void dentry_move_cancel(struct dentry *d, struct dentry_move *m) {
    if (m->name == NULL)
        return;
    kfree(container_of(m->name, struct dentry_long_name, name));
    job_uncharge(d->job, JOB_MEMORY, m->charge);
    m->name = NULL;
}

// Returns the old name if it is to be freed.
static const struct dentry_name *move_locked(struct dentry *d, struct dentry *new_parent,
                                             const struct dentry_name *name) {
    const struct dentry_name *old = name_of(d);
    if (dentry_has(d, DENTRY_HASHED))
        chain_remove_locked(d);
    list_remove(&d->child_node);
    atomic_store_explicit(&d->parent, new_parent, memory_order_release);
    atomic_store_explicit(&d->name, name, memory_order_release);
    list_push_back(&new_parent->children, &d->child_node);
    chain_add_locked(d, new_parent, name->hash);
    return old != &d->inline_name ? old : NULL;
}

// After the move, without locks: the old name's memory and charge.
static void move_finish(struct dentry *d, struct dentry_move *m, const struct dentry_name *old) {
    uint32_t old_charge = old != NULL ? (uint32_t)(sizeof(struct dentry_long_name) + old->length) : 0;
    d->charged += m->charge - old_charge;
    m->name = NULL;
    if (old == NULL)
        return;
    job_uncharge(d->job, JOB_MEMORY, old_charge);
    struct dentry_long_name *l = container_of(old, struct dentry_long_name, name);
    epoch_defer(&l->reclaim, name_reclaim);
}

void dentry_move(struct dentry *d, struct dentry *new_parent, struct dentry_move *m, struct dentry *target) {
    struct dentry *old_parent = dentry_parent(d);
    dentry_get(new_parent);
    tree_change_begin();
    if (dentry_has(target, DENTRY_HASHED))
        chain_remove_locked(target);
    const struct dentry_name *old = move_locked(d, new_parent, m->name);
    tree_change_end();
    move_finish(d, m, old);
    dentry_put(old_parent);
}

void dentry_exchange(struct dentry *a, struct dentry_move *to_b, struct dentry *b, struct dentry_move *to_a) {
    struct dentry *a_parent = dentry_parent(a), *b_parent = dentry_parent(b);
    tree_change_begin();
    const struct dentry_name *old_a = move_locked(a, b_parent, to_b->name);
    const struct dentry_name *old_b = move_locked(b, a_parent, to_a->name);
    tree_change_end(); // each parent lost a child and won one: the counts stay
    move_finish(a, to_b, old_a);
    move_finish(b, to_a, old_b);
}

// --- debugger ---------------------------------------------------------------------------------------------------------

static void names_print(int argc, const char **argv) {
    size_t chains = 0, names = 0, longest = 0, negative = 0;
    for (size_t i = 0; i < (size_t)1 << (64 - table_shift); i++) {
        size_t length = 0;
        for (struct dentry *d = table[i]; d != NULL; d = d->hash_next, length++)
            negative += d->inode == NULL;
        names += length;
        chains += length != 0;
        longest = MAX(longest, length);
    }
    debugger_print("names: %zu (%zu negative) in %zu chains, longest %zu; %zu idle of at most %zu; tree version %u\n",
                   names, negative, chains, longest, (size_t)lru_count, lru_limit, tree_sequence);
}
DEBUGGER_COMMAND("names", "the name cache: how full, how long its chains are", names_print);
