// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Directories of the namespace: named objects, found by name and listed by cookie, each in logarithmic time. Thread context.
//
// Invariants:
// I1. An entry stands in both trees of its directory, and object->entry leads to it, or neither; it holds one pointer of the object.
// I2. Directories form a forest: no directory stands in itself, however far down.
// I3. The memory of entries and directories stays for an epoch after they are out of use: from an object one finds its directory without a lock.
// I4. An entry is charged to the job of what it names, which counts its job.
// Locking: each directory's lock (rank DIRECTORY); one at a time, but for tree_lock (rank DIRECTORY_TREE), which is held before while a directory is named (I2).
#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/namespace.h>
#include <kernel/slab.h>
#include <kernel/string.h>

static struct spinlock tree_lock = SPINLOCK_INIT(LOCK_RANK_DIRECTORY_TREE);

static void directory_delete(struct object *o);
static size_t directory_describe(struct object *o, char *out, size_t size);
struct object_type directory_type = {
    .name = "directory",
    .number = INV_OBJECT_DIRECTORY,
    .default_rights = INV_RIGHT_READ | INV_RIGHT_WRITE | INV_RIGHT_GET_INFO | INV_RIGHT_SET_INFO | INV_RIGHT_DUPLICATE |
                      INV_RIGHT_TRANSFER,
    .size = sizeof(struct directory),
    .delete = directory_delete,
    .describe = directory_describe,
};

inv_status_t directory_create(struct job *job, struct directory **out) {
    struct directory *d = kzalloc(sizeof(*d));
    if (d == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&d->obj, &directory_type, job);
    if (status != INV_OK) {
        kfree(d);
        return status;
    }
    spin_lock_init(&d->lock, LOCK_RANK_DIRECTORY);
    atomic_store_explicit(&d->obj.had_handle, true, memory_order_relaxed); // I3
    *out = d;
    return INV_OK;
}

static size_t directory_describe(struct object *o, char *out, size_t size) {
    struct directory *d = container_of(o, struct directory, obj);
    return (size_t)snprintf(out, size, "entries: %u\n", atomic_load_explicit(&d->count, memory_order_relaxed));
}

// --- entries ---

static size_t entry_bytes(size_t length) {
    return sizeof(struct directory_entry) + length + 1;
}

// As strcmp of the entry's name with one of length bytes that does not end there.
static int entry_compare(const struct directory_entry *e, const char *name, size_t length) {
    int order = strncmp(e->name, name, length);
    return order != 0 ? order : e->name[length] != '\0';
}

// Lock held.
static struct directory_entry *entry_find_locked(struct directory *d, const char *name, size_t length) {
    for (struct rb_node *n = d->by_name.root; n != NULL;) {
        struct directory_entry *e = rb_entry(n, struct directory_entry, name_node);
        int order = entry_compare(e, name, length);
        if (order == 0)
            return e;
        n = order > 0 ? n->left : n->right;
    }
    return NULL;
}

// The name is not there yet. Lock held.
static void entry_link_locked(struct directory *d, struct directory_entry *e) {
    struct rb_node *parent = NULL, **link = &d->by_name.root;
    while (*link != NULL) {
        parent = *link;
        link = strcmp(rb_entry(parent, struct directory_entry, name_node)->name, e->name) > 0 ? &parent->left
                                                                                              : &parent->right;
    }
    rb_insert(&d->by_name, &e->name_node, parent, link);
    e->cookie = ++d->last_cookie;
    parent = rb_last(&d->by_cookie);
    rb_insert(&d->by_cookie, &e->cookie_node, parent, parent != NULL ? &parent->right : &d->by_cookie.root);
    atomic_fetch_add_explicit(&d->count, 1, memory_order_relaxed);
}

// Lock held.
static void entry_unlink_locked(struct directory *d, struct directory_entry *e) {
    rb_remove(&d->by_name, &e->name_node);
    rb_remove(&d->by_cookie, &e->cookie_node);
    atomic_fetch_sub_explicit(&d->count, 1, memory_order_relaxed);
    atomic_store_explicit(&e->object->entry, NULL, memory_order_release);
}

static void entry_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct directory_entry, reclaim));
}

// The entry is unlinked. Returns its object, with the pointer that the entry had.
static struct object *entry_end(struct directory_entry *e) {
    struct object *o = e->object;
    job_uncharge(o->job, JOB_MEMORY, entry_bytes(strlen(e->name)));
    epoch_defer(&e->reclaim, entry_reclaim);
    return o;
}

// --- names ---

static inv_status_t name_check(const char *name, size_t length) {
    if (length == 0 || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return INV_ERR_INVALID;
    return length <= NAME_COMPONENT_MAX ? INV_OK : INV_ERR_NAME_TOO_LONG;
}

// The directory that o is named in, or NULL. In an epoch.
static struct directory *parent_of(struct object *o) {
    const struct directory_entry *e = atomic_load_explicit(&o->entry, memory_order_acquire);
    return e != NULL ? e->directory : NULL;
}

// I2. tree_lock held, so the chain can only become shorter.
static bool stands_in(struct directory *d, const struct object *o) {
    unsigned depth = 0;
    for (; d != NULL; d = parent_of(&d->obj))
        if (&d->obj == o || ++depth > NAME_DEPTH_MAX)
            return true;
    return false;
}

static inv_status_t entry_try_insert(struct directory *d, struct directory_entry *e) {
    struct object *o = e->object;
    struct directory_entry *none = NULL;
    inv_status_t status = INV_OK;

    spin_lock(&d->lock);
    if (atomic_load_explicit(&o->entry, memory_order_relaxed) != NULL)
        status = INV_ERR_BAD_STATE;
    else if (entry_find_locked(d, e->name, strlen(e->name)) != NULL)
        status = INV_ERR_EXISTS;
    else if (!atomic_compare_exchange_strong_explicit(&o->entry, &none, e, memory_order_release, memory_order_relaxed))
        status = INV_ERR_BAD_STATE; // another directory was faster
    if (status == INV_OK) {
        object_get(o);
        entry_link_locked(d, e);
    }
    spin_unlock(&d->lock);
    return status;
}

static inv_status_t insert(struct directory *d, const char *name, struct object *o, bool permanent) {
    size_t length = strlen(name);
    inv_status_t status = name_check(name, length);
    if (status != INV_OK)
        return status;
    status = job_charge(o->job, JOB_MEMORY, entry_bytes(length));
    if (status != INV_OK)
        return status;
    struct directory_entry *e = kzalloc(entry_bytes(length));
    status = INV_ERR_NO_MEMORY;
    if (e == NULL)
        goto fail;
    e->directory = d;
    e->object = o;
    e->permanent = permanent;
    memcpy(e->name, name, length + 1);
    if (o->type == &directory_type) {
        spin_lock(&tree_lock);
        status = stands_in(d, o) ? INV_ERR_LOOP : entry_try_insert(d, e);
        spin_unlock(&tree_lock);
    } else {
        status = entry_try_insert(d, e);
    }
    if (status == INV_OK)
        return INV_OK;
    kfree(e);
fail:
    job_uncharge(o->job, JOB_MEMORY, entry_bytes(length));
    return status;
}

inv_status_t directory_insert(struct directory *d, const char *name, struct object *o) {
    return insert(d, name, o, true);
}

inv_status_t directory_insert_temporary(struct directory *d, const char *name, struct object *o) {
    return insert(d, name, o, false);
}

static void name_remove(struct object *o, bool only_temporary) {
    epoch_enter(); // I3
    struct directory_entry *e = atomic_load_explicit(&o->entry, memory_order_acquire);
    if (e != NULL) {
        struct directory *d = e->directory;
        spin_lock(&d->lock);
        bool ours = atomic_load_explicit(&o->entry, memory_order_relaxed) == e;
        if (ours && only_temporary) // opened again, meanwhile?
            ours = !e->permanent && atomic_load_explicit(&o->handles, memory_order_relaxed) == 0;
        if (ours)
            entry_unlink_locked(d, e);
        else
            e = NULL;
        spin_unlock(&d->lock);
    }
    epoch_exit();
    if (e != NULL)
        object_put(entry_end(e));
}

void directory_remove(struct object *o) {
    name_remove(o, false);
}

void directory_remove_temporary(struct object *o) {
    name_remove(o, true);
}

inv_status_t directory_remove_name(struct directory *d, const char *name) {
    inv_status_t status = INV_OK;

    spin_lock(&d->lock);
    struct directory_entry *e = entry_find_locked(d, name, strlen(name));
    if (e == NULL)
        status = INV_ERR_NOT_FOUND;
    else if (e->object->type == &directory_type &&
             atomic_load_explicit(&container_of(e->object, struct directory, obj)->count, memory_order_relaxed) != 0)
        status = INV_ERR_NOT_EMPTY;
    else
        entry_unlink_locked(d, e);
    spin_unlock(&d->lock);
    if (status == INV_OK)
        object_put(entry_end(e));
    return status;
}

inv_status_t directory_find(struct directory *d, const char *name, size_t length, struct object **out) {
    if (length > NAME_COMPONENT_MAX)
        return INV_ERR_NOT_FOUND;
    spin_lock(&d->lock);
    struct directory_entry *e = entry_find_locked(d, name, length);
    if (e != NULL) {
        object_get(e->object);
        *out = e->object;
    }
    spin_unlock(&d->lock);
    return e != NULL ? INV_OK : INV_ERR_NOT_FOUND;
}

bool directory_holds(struct directory *d, const struct object *o, const char *name, size_t length) {
    epoch_enter();
    const struct directory_entry *e = atomic_load_explicit(&o->entry, memory_order_acquire);
    bool holds = e != NULL && e->directory == d && entry_compare(e, name, length) == 0;
    epoch_exit();
    return holds;
}

bool directory_next(struct directory *d, uint64_t *cookie, struct directory_item *out) {
    struct directory_entry *found = NULL;

    spin_lock(&d->lock);
    for (struct rb_node *n = d->by_cookie.root; n != NULL;) {
        struct directory_entry *e = rb_entry(n, struct directory_entry, cookie_node);
        if (e->cookie > *cookie)
            found = e;
        n = e->cookie > *cookie ? n->left : n->right;
    }
    if (found != NULL) {
        object_get(found->object);
        out->object = found->object;
        string_copy(out->name, found->name, sizeof(out->name));
        *cookie = found->cookie;
    }
    spin_unlock(&d->lock);
    return found != NULL;
}

size_t object_path(struct object *o, char *out, size_t size) {
    const struct directory_entry *up[NAME_DEPTH_MAX];
    unsigned depth = 0;
    size_t length = 0;

    out[0] = '\0';
    epoch_enter();
    for (const struct directory_entry *e = atomic_load_explicit(&o->entry, memory_order_acquire);
         e != NULL && depth < NAME_DEPTH_MAX; e = atomic_load_explicit(&e->directory->obj.entry, memory_order_acquire))
        up[depth++] = e;
    while (depth > 0 && length + 1 < size) {
        out[length++] = '/';
        length += string_copy(out + length, up[--depth]->name, size - length);
    }
    epoch_exit();
    return MIN(length, size - 1);
}

// --- the end of a directory ---

// Directories whose last pointer was their name end in the same loop: their depth costs no stack.
static void directory_delete(struct object *o) {
    struct directory *dying = container_of(o, struct directory, obj);

    while (dying != NULL) {
        struct directory *d = dying;
        spin_lock(&d->lock);
        struct rb_node *n = rb_first(&d->by_name);
        struct directory_entry *e = n != NULL ? rb_entry(n, struct directory_entry, name_node) : NULL;
        if (e != NULL)
            entry_unlink_locked(d, e);
        spin_unlock(&d->lock);
        if (e == NULL) {
            dying = d->next_dying;
            object_free(&d->obj);
            continue;
        }
        struct object *named = entry_end(e);
        if (named->type != &directory_type) {
            object_put(named);
        } else if (object_drop(named)) {
            struct directory *child = container_of(named, struct directory, obj);
            child->next_dying = dying;
            dying = child;
        }
    }
}
