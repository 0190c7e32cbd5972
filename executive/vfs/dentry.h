// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Cached names (dentry.c): what the walk and the calls that make, remove and move names share. Private to executive/vfs.
#ifndef VFS_DENTRY_H
#define VFS_DENTRY_H

#include <executive/vfs.h>

// One part of a path. Not terminated; hash is component_hash of the text.
struct component {
    const char *text;
    uint32_t length, hash;
};

// The text follows. Immutable once a dentry points to it, so that a reader without a lock sees one name or another and never a mixture.
struct dentry_name {
    uint32_t hash, length;
};
static inline const char *dentry_name_text(const struct dentry_name *n) {
    return (const char *)(n + 1);
}

#define DENTRY_DEAD        0x80000000u // in count: being freed, no new references
#define DENTRY_HASHED      (1u << 0)   // can be found by name
#define DENTRY_ON_LRU      (1u << 1)
#define DENTRY_REFERENCED  (1u << 2) // let go again since the pruner last passed
#define DENTRY_MOUNTED     (1u << 3) // something is mounted here, in at least one mount
#define DENTRY_REMOVED     (1u << 4) // a directory that was removed: takes no new names (set under the inode's lock)
#define DENTRY_INLINE_NAME 40

struct dentry {
    /* atomic: */
    _Atomic uint32_t count; // references: holders and children; DENTRY_DEAD at the end
    _Atomic uint32_t flags; // DENTRY_*
    struct dentry *_Atomic hash_next;
    struct dentry *_Atomic parent; // counted; itself for the root of a tree and for files without a name
    struct inode *_Atomic inode;   // counted; NULL: negative. Set once
    const struct dentry_name *_Atomic name;
    /* immutable after create: */
    struct superblock *superblock;
    struct job *job; // charged; counted
    /* VFS_DCACHE: */
    struct list_node children, child_node; // cached names below; empty for a negative one
    struct list_node lru_node;
    uint32_t charged;
    struct epoch_node reclaim;
    struct dentry_name inline_name; // inline_text follows it
    char inline_text[DENTRY_INLINE_NAME];
};

void dentry_cache_init(void);

// Seeded hash of a name below parent.
static inline uint32_t component_hash_step(uint32_t hash, char c) {
    return (hash ^ (uint8_t)c) * 0x01000193u;
}
extern uint32_t component_seed; // where it starts: set at boot, so that nobody can prepare names that collide
uint32_t component_hash(const char *text, size_t length);

// The whole tree's version: odd while a name moves or a mount comes or goes. What a walk found without locks counts only if it did not change.
extern _Atomic uint32_t tree_sequence;
static inline uint32_t tree_sequence_read(void) {
    return atomic_load_explicit(&tree_sequence, memory_order_acquire);
}
static inline bool tree_sequence_valid(uint32_t seen) {
    atomic_thread_fence(memory_order_acquire);
    return (seen & 1) == 0 && atomic_load_explicit(&tree_sequence, memory_order_relaxed) == seen;
}
// Between them the tree may be changed; the name cache is locked (spinning).
void tree_change_begin(void);
void tree_change_end(void);

static inline void dentry_get(struct dentry *d) {
    atomic_fetch_add_explicit(&d->count, 1, memory_order_relaxed);
}
// Inside an epoch: false if it is being freed.
static inline bool dentry_try_get(struct dentry *d) {
    uint32_t n = atomic_load_explicit(&d->count, memory_order_relaxed);
    while ((n & DENTRY_DEAD) == 0)
        if (atomic_compare_exchange_weak_explicit(&d->count, &n, n + 1, memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}
void dentry_put(struct dentry *d); // may sleep

static inline struct inode *dentry_inode_borrowed(const struct dentry *d) {
    return atomic_load_explicit(&d->inode, memory_order_acquire);
}
static inline struct dentry *dentry_parent(const struct dentry *d) {
    return atomic_load_explicit(&d->parent, memory_order_acquire);
}
static inline bool dentry_has(const struct dentry *d, uint32_t flag) {
    return (atomic_load_explicit(&d->flags, memory_order_acquire) & flag) != 0;
}
void dentry_set_flag(struct dentry *d, uint32_t flag);
void dentry_clear_flag(struct dentry *d, uint32_t flag);

// Inside an epoch: the cached name, not counted, or NULL. NULL and, while the tree changes, a wrong answer are possible: see tree_sequence.
struct dentry *dentry_find(const struct dentry *parent, const struct component *c);
// The name c of the directory dir, counted, possibly negative. Asks the file system if it is not cached.
// NOT_DIR, NOT_FOUND (dir was removed), NAME_TOO_LONG, NO_MEMORY, QUOTA, the file system's errors. May sleep.
must_check inv_status_t dentry_lookup(struct dentry *dir, const struct component *c, struct dentry **out);
must_check inv_status_t dentry_lookup_locked(struct dentry *dir, const struct component *c,
                                             struct dentry **out); // dir's inode locked
// The same by the cache alone, without locks; NULL: not found, or not sure.
struct dentry *dentry_lookup_cached(struct dentry *dir, const struct component *c);
// A dentry without a name in any directory (files that have none). Takes over the inode's reference on success.
struct dentry *dentry_make_unnamed(struct superblock *sb, const char *label, struct inode *inode);
// The same below parent, as whose child its path is told (O_TMPFILE); it cannot be found there.
struct dentry *dentry_make_hidden(struct dentry *parent, const char *label, struct inode *inode);
// A negative name becomes positive; takes over the inode's reference. The directory's inode is locked.
void dentry_instantiate(struct dentry *d, struct inode *inode);
// The name can no longer be found. Harmless if it is not.
void dentry_unhash(struct dentry *d);
// Forgets the names cached below a removed directory (all negative).
void dentry_drop_children(struct dentry *d);
// A name's buffer for dentry_move; prepared first so that the move cannot fail.
struct dentry_move {
    const struct dentry_name *name; // NULL: fits inside the dentry... never reused after publication, so only before
    uint32_t charge;
};
must_check inv_status_t dentry_move_prepare(struct dentry *d, const struct component *to, struct dentry_move *out);
void dentry_move_cancel(struct dentry *d, struct dentry_move *m);
// d gets the name and place of target, which is unhashed. All directories concerned are locked.
void dentry_move(struct dentry *d, struct dentry *new_parent, struct dentry_move *m, struct dentry *target);
void dentry_exchange(struct dentry *a, struct dentry_move *to_b, struct dentry *b, struct dentry_move *to_a);
// mount.c: a name of sb less; the last ends it. May sleep.
void superblock_uncount(struct superblock *sb);
// Forgets everything cached of a file system that nobody uses.
void dentry_prune_superblock(struct superblock *sb);
// Frees about n names that nobody uses; returns how many. May sleep.
size_t dentry_prune(size_t n);

#endif
