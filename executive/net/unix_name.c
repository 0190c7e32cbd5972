// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Names of AF_UNIX sockets: paths, abstract names, names given by the kernel. Thread context.
//
// One table finds both kinds: the key of an abstract name is made of its bytes and the socket's type (each type has a name space of its own), that of a
// path is the inode's address, which the bound socket's path keeps.
//
// Locking: names_lock (SOCKET_NAMES) for the table, and for giving a socket its only name.

#include <executive/random.h>
#include <kernel/job.h>

#include "unix.h"

#define BUCKETS     256u
#define AUTO_DIGITS 5
#define AUTO_NAMES  (1u << (4 * AUTO_DIGITS))

static struct list_node buckets[BUCKETS];
static struct spinlock names_lock = SPINLOCK_INIT(LOCK_RANK_SOCKET_NAMES);

void unix_names_init(void) {
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&buckets[i]);
}

static struct list_node *bucket_of(uint64_t key) {
    return &buckets[(key ^ key >> 8 ^ key >> 20) % BUCKETS];
}

inv_status_t unix_name_check(const uint8_t *name, unsigned length) {
    uint16_t family;
    if (length <= UNIX_PATH_OFFSET || length > UNIX_NAME_MAX)
        return INV_ERR_INVALID;
    memcpy(&family, name, sizeof(family));
    return family == SOCKET_FAMILY_UNIX ? INV_OK : INV_ERR_INVALID;
}

static struct unix_name *name_make(const uint8_t *bytes, unsigned length) {
    struct unix_name *n = kmalloc(sizeof(*n) + length + 1);
    if (n == NULL)
        return NULL;
    n->count = 1;
    n->length = length;
    memcpy(n->bytes, bytes, length);
    n->bytes[length] = 0;
    return n;
}

void unix_name_put(struct unix_name *n) {
    if (n != NULL && atomic_fetch_sub(&n->count, 1) == 1)
        kfree(n);
}

void unix_name_inherit(struct unix_socket *u, struct unix_socket *listener) {
    struct unix_name *n = listener->name;
    if (n == NULL)
        return;
    atomic_fetch_add(&n->count, 1);
    u->name = n;
}

// --- the table --------------------------------------------------------------------------------------------------------

static uint64_t abstract_key(const struct unix_name *n, int type) {
    return hash_bytes(n->bytes, n->length, (uint64_t)type);
}

static struct unix_socket *find_abstract_locked(uint64_t key, int type, const struct unix_name *n) {
    struct unix_socket *u;
    list_for_each(u, bucket_of(key), name_node) {
        const struct unix_name *other = u->name;
        if (u->name_key == key && u->base.type == type && u->path.mount == NULL && other->length == n->length &&
            memcmp(other->bytes, n->bytes, n->length) == 0)
            return u;
    }
    return NULL;
}

static struct unix_socket *find_inode_locked(const struct inode *i) {
    uint64_t key = (uintptr_t)i;
    struct unix_socket *u;
    list_for_each(u, bucket_of(key), name_node) {
        if (u->name_key == key && u->path.mount != NULL)
            return u;
    }
    return NULL;
}

// u has got its name.
static void insert_locked(struct unix_socket *u, struct unix_name *n, uint64_t key, const struct path *path) {
    u->name_key = key;
    if (path != NULL)
        u->path = *path;
    atomic_store_explicit(&u->name, n, memory_order_release);
    list_push_front(bucket_of(key), &u->name_node);
}

void unix_name_remove(struct unix_socket *u) {
    if (u->name == NULL) // an accepted one has its listener's, and is in no table: harmless below
        return;
    spin_lock(&names_lock);
    list_remove(&u->name_node);
    spin_unlock(&names_lock);
}

// --- bind -------------------------------------------------------------------------------------------------------------

static inv_status_t bind_abstract(struct unix_socket *u, struct unix_name *n) {
    uint64_t key = abstract_key(n, u->base.type);
    inv_status_t s = INV_OK;
    spin_lock(&names_lock);
    if (u->name != NULL)
        s = INV_ERR_INVALID;
    else if (find_abstract_locked(key, u->base.type, n) != NULL)
        s = INV_ERR_ADDRESS_IN_USE;
    else
        insert_locked(u, n, key, NULL);
    spin_unlock(&names_lock);
    return s;
}

static inv_status_t bind_path(struct unix_socket *u, const struct vfs_caller *c, struct unix_name *n) {
    const char *text = (const char *)n->bytes + UNIX_PATH_OFFSET;
    uint32_t mode = u->base.file != NULL ? u->base.file->inode->mode & 07777u : 0777u;
    struct path path;
    mode &= ~(uint32_t)c->fs->umask; // also where a folder's default list would take its place
    inv_status_t s = vfs_mknod_path(c, AT_FDCWD_, text, MODE_SOCKET | mode, 0, &path);
    if (s != INV_OK)
        return s == INV_ERR_EXISTS ? INV_ERR_ADDRESS_IN_USE : s;
    spin_lock(&names_lock);
    if (u->name == NULL)
        insert_locked(u, n, (uintptr_t)path_inode(&path), &path);
    else
        s = INV_ERR_INVALID;
    spin_unlock(&names_lock);
    if (s == INV_OK)
        return INV_OK;
    path_put(&path);
    (void)!vfs_unlink(c, AT_FDCWD_, text, false); // made for nothing: it has a name already
    return s;
}

inv_status_t unix_bind(struct socket *s, const struct vfs_caller *c, const uint8_t *name, unsigned length) {
    struct unix_socket *u = unix_of(s);
    uint16_t family = 0;
    memcpy(&family, name, MIN((size_t)length, sizeof(family)));
    if (length == UNIX_PATH_OFFSET && family == SOCKET_FAMILY_UNIX)
        return unix_autobind(u);
    inv_status_t status = unix_name_check(name, length);
    if (status != INV_OK)
        return status;
    bool path = name[UNIX_PATH_OFFSET] != 0;
    struct unix_name *n = name_make(name, length);
    if (n == NULL)
        return INV_ERR_NO_MEMORY;
    if (path) // a path ends where its string does
        n->length = UNIX_PATH_OFFSET + (uint32_t)strlen((const char *)n->bytes + UNIX_PATH_OFFSET) + 1;
    status = path ? bind_path(u, c, n) : bind_abstract(u, n);
    if (status != INV_OK)
        unix_name_put(n);
    return status;
}

// A name of five digits that nobody has, from a random one on.
inv_status_t unix_autobind(struct unix_socket *u) {
    uint8_t bytes[UNIX_PATH_OFFSET + 1 + AUTO_DIGITS + 1] = {SOCKET_FAMILY_UNIX, 0, 0};
    uint32_t number;
    if (u->name != NULL)
        return INV_OK;
    struct unix_name *n = name_make(bytes, sizeof(bytes) - 1);
    if (n == NULL)
        return INV_ERR_NO_MEMORY;
    random_bytes(&number, sizeof(number));
    inv_status_t s = INV_ERR_ADDRESS_IN_USE;
    for (uint32_t i = 0; i < AUTO_NAMES && s == INV_ERR_ADDRESS_IN_USE; i++) {
        snprintf((char *)n->bytes + UNIX_PATH_OFFSET + 1, AUTO_DIGITS + 1, "%05x", (number + i) % AUTO_NAMES);
        s = bind_abstract(u, n);
    }
    if (s == INV_OK)
        return INV_OK;
    unix_name_put(n);
    return s == INV_ERR_INVALID ? INV_OK /* another thread gave it one */ : INV_ERR_NO_SPACE;
}

// --- looking up -------------------------------------------------------------------------------------------------------

static inv_status_t find_abstract(const struct unix_name *n, int type, struct unix_socket **out) {
    spin_lock(&names_lock);
    *out = find_abstract_locked(abstract_key(n, type), type, n);
    if (*out != NULL)
        unix_get(*out);
    spin_unlock(&names_lock);
    return *out != NULL ? INV_OK : INV_ERR_CONNECTION_REFUSED;
}

static inv_status_t find_path(const struct vfs_caller *c, const char *text, int type, struct unix_socket **out) {
    struct path path;
    inv_status_t s = vfs_lookup(c, AT_FDCWD_, text, WALK_FOLLOW, &path);
    if (s != INV_OK)
        return s;
    struct inode *i = path_inode(&path);
    s = vfs_permission(i, c->token, WANT_WRITE);
    if (s == INV_OK) {
        spin_lock(&names_lock);
        *out = find_inode_locked(i);
        if (*out != NULL && (*out)->base.type == type)
            unix_get(*out);
        else
            s = *out != NULL ? INV_ERR_PROTOTYPE : INV_ERR_CONNECTION_REFUSED;
        spin_unlock(&names_lock);
    }
    path_put(&path);
    return s;
}

inv_status_t unix_find(const struct vfs_caller *c, const uint8_t *name, unsigned length, int type,
                       struct unix_socket **out) {
    inv_status_t s = unix_name_check(name, length);
    if (s != INV_OK)
        return s;
    struct unix_name *n = name_make(name, length);
    if (n == NULL)
        return INV_ERR_NO_MEMORY;
    if (name[UNIX_PATH_OFFSET] != 0)
        s = find_path(c, (const char *)n->bytes + UNIX_PATH_OFFSET, type, out);
    else
        s = find_abstract(n, type, out);
    unix_name_put(n);
    return s;
}

// --- telling ----------------------------------------------------------------------------------------------------------

static unsigned name_copy(const struct unix_socket *u, uint8_t *out) {
    const struct unix_name *n = atomic_load_explicit(&u->name, memory_order_acquire);
    if (n == NULL)
        return 0;
    memcpy(out, n->bytes, n->length);
    return n->length;
}

inv_status_t unix_name_of(struct socket *s, bool peer, uint8_t *out, unsigned *out_length) {
    struct unix_socket *u = unix_of(s);
    if (peer) {
        u = unix_peer_get(u);
        if (u == NULL)
            return INV_ERR_NOT_CONNECTED;
    }
    *out_length = name_copy(u, out);
    if (*out_length == 0) {
        memcpy(out, (uint8_t[]){SOCKET_FAMILY_UNIX, 0}, UNIX_PATH_OFFSET);
        *out_length = UNIX_PATH_OFFSET;
    }
    if (peer)
        unix_put(u);
    return INV_OK;
}

void unix_name_tell(const struct unix_socket *u, struct socket_message *m) {
    if (m->name != NULL)
        m->name_length = name_copy(u, m->name);
}
