// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// System V IPC: what shared memory, semaphore sets and message queues have in common: identifiers, keys, permissions, lives. The three kinds stand in
// shm.c, sem.c and msg.c. They are here and not in the executive because all of it is Linux's own way of naming and permitting; what a segment holds
// is a VMO, and what sleeps is a thread, as everywhere.
//
// An identifier is an index into the kind's table with a sequence number above it: the number of an object that is gone is not soon another's.
//
// Invariants:
//   I1 an object in the table has a count for it; object->removed is set, under object->lock, when it leaves.
//   I2 object->key is the key under which it is found while it is on the kind's list of keys.
// Locking: kind->lock (mutex, IPC_TABLE) for the table and the keys, before object->lock (mutex, IPC) for the object's own state. Lookups by
// number take neither. No user copy happens under either.
#ifndef LINUX_IPC_H
#define LINUX_IPC_H

#include "ipc_files.h"
#include "process.h"

#include <arch/usercopy.h>

#define IPC_CREAT  01000
#define IPC_EXCL   02000
#define IPC_NOWAIT 04000

#define IPC_RMID 0
#define IPC_SET  1
#define IPC_STAT 2
#define IPC_INFO 3

#define IPC_PRIVATE   0
#define CAP_IPC_LOCK  14
#define CAP_IPC_OWNER 15

#define IPC_READ  0444u // wants of ipc_permitted
#define IPC_WRITE 0222u
#define IPC_EXEC  0111u

#define IPC_INDEX_BITS  15
#define IPC_INDEX_COUNT (1u << IPC_INDEX_BITS)
#define IPC_SEQUENCES   (1u << (31 - IPC_INDEX_BITS))
#define IPC_PAGE        64u // entries of one piece of the table
#define IPC_KEYS        64u

struct ipc_object {
    _Atomic uint32_t count;
    struct mutex lock;
    /* lock: */
    bool removed;
    uint32_t uid, gid, cuid, cgid, mode;
    /* kind->lock: */
    int32_t key;
    struct list_node key_node;
    /* immutable after ipc_insert: */
    int id;
    struct job *job; // charged; counted
    size_t charged;
    struct epoch_node reclaim;
    void (*free)(struct ipc_object *o); // thread context
};

struct ipc_kind {
    struct mutex lock;
    /* lock: */
    unsigned in_use;
    int highest, last, next; // indices: the highest in use (-1: none), the last one given out, where to look next
    unsigned sequence;
    struct list_node keys[IPC_KEYS];
    /* atomic: pieces are made once */
    struct ipc_object *_Atomic *_Atomic table[IPC_INDEX_COUNT / IPC_PAGE];
};
void ipc_kind_init(struct ipc_kind *k);

// As user memory has it.
struct ipc_perm {
    int32_t key;
    uint32_t uid, gid, cuid, cgid, mode;
    uint16_t sequence, pad;
    uint32_t pad2;
    uint64_t unused[2];
};
_Static_assert(sizeof(struct ipc_perm) == 48, "ABI");

// Memory of size bytes, zeroed and charged, that begins with an object of one count. NULL: no memory, or too much of it lies in IPC already.
void *ipc_alloc(size_t size, void (*free)(struct ipc_object *o));
void ipc_free(struct ipc_object *o); // gives it back; only by the procedure above, or before ipc_insert
static inline void ipc_get(struct ipc_object *o) {
    atomic_fetch_add_explicit(&o->count, 1, memory_order_relaxed);
}
void ipc_put(struct ipc_object *o); // may sleep
// Charges memory that hangs from an object later (messages, undo records). False: no.
must_check bool ipc_charge(size_t size);
void ipc_uncharge(size_t size);

// The families' get: finds the object of key, or makes one by create (which is called with kind->lock held and returns an inserted object's id). check looks
// whether an object found suits (or NULL). -errno or the id.
struct ipc_get_call {
    int32_t key;
    int flags;
    uint64_t size;
    int64_t (*create)(const struct ipc_get_call *c);
    int64_t (*check)(const struct ipc_get_call *c, const struct ipc_object *o);
};
int64_t ipc_get_or_create(struct ipc_kind *k, const struct ipc_get_call *c);
// Gives o a number and the caller as owner. ENOSPC beyond limit objects, ENOMEM. kind->lock held.
int64_t ipc_insert_locked(struct ipc_kind *k, struct ipc_object *o, const struct ipc_get_call *c, uint64_t limit);

// By identifier, or by index alone. Counted, or NULL.
struct ipc_object *ipc_find(struct ipc_kind *k, int id);
struct ipc_object *ipc_find_index(struct ipc_kind *k, int index);
// The object behind a *_STAT command's number: an index for those that walk, else an identifier; with the right to read it unless any. *out counted and locked.
// EINVAL, EACCES, EIDRM.
int64_t ipc_stat_begin(struct ipc_kind *k, int number, bool by_index, bool any, struct ipc_object **out);
int64_t ipc_stat_end(struct ipc_object *o, bool by_index);     // the call's result
int64_t ipc_highest_index(struct ipc_kind *k);                 // 0 if there is none
bool ipc_permitted(const struct ipc_object *o, unsigned want); // o->lock held, or a racy look
bool ipc_owned(const struct ipc_object *o);                    // may the caller remove or change it?
void ipc_perm_fill(const struct ipc_object *o, struct ipc_perm *out);
// IPC_SET: EINVAL for ids that are none. o->lock held.
int64_t ipc_perm_set(struct ipc_object *o, const struct ipc_perm *in);
// Takes o out of the table; the table's count goes to the caller. Both locks held.
void ipc_remove_locked(struct ipc_kind *k, struct ipc_object *o);
void ipc_key_forget_locked(struct ipc_object *o); // no longer found by key. kind->lock held

// Visits all objects in the order of their indices, each counted and locked.
void ipc_for_each(struct ipc_kind *k, void (*fn)(struct ipc_object *o, void *arg), void *arg);
// The lines of /proc/sysvipc: write gets heading, then what line makes of each object.
#define IPC_LINE_SIZE 256u
void ipc_list(struct ipc_kind *k, const char *heading, void (*line)(struct ipc_object *o, char text[IPC_LINE_SIZE]),
              linux_ipc_write_fn write, void *arg);

static inline int64_t ipc_now(void) {
    return (int64_t)(clock_wall() / NSEC_PER_SEC);
}
static inline bool ipc_user_write(uint64_t user, const void *from, size_t n) {
    return arch_copy_to_user((void user_ptr *)user, from, n) == INV_OK;
}
static inline bool ipc_user_read(void *to, uint64_t user, size_t n) {
    return arch_copy_from_user(to, (const void user_ptr *)user, n) == INV_OK;
}

// --- a thread that waits for another to say how its call ends ---

#define IPC_PENDING INT64_MIN
struct ipc_sleeper {
    struct list_node node; // of a queue of the object, under its lock; taken off by who ends the wait
    struct thread *thread;
    _Atomic int64_t status; // IPC_PENDING, or how the call ends
};
static inline void ipc_sleeper_init(struct ipc_sleeper *s) {
    list_init(&s->node);
    s->thread = current_thread();
    atomic_init(&s->status, IPC_PENDING);
}
// Off its queue, with that status. The object's lock is held; the sleeper takes it, too, before it leaves.
void ipc_sleeper_end(struct ipc_sleeper *s, int64_t status);
// Sleeps until the status is set. OK, TIMED_OUT, INTERRUPTED: in any case
// the caller takes the object's lock, takes the sleeper off its queue and looks at the status. No lock held.
must_check inv_status_t ipc_sleep(struct ipc_sleeper *s, nstime_t deadline);

#endif
