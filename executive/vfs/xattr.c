// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Extended attributes: who may see and change them, and where they are kept. Called by the personality's xattr calls, by exec (file capabilities) and by
// what takes file capabilities away. Thread context.
//
// Values live in a list at the inode, newest first; each is charged to the inode's job and counted against the superblock's limit, so that neither a file
// nor a file system grows without end. A write, a truncation or a change of owner takes security.capability away, as it takes set-id bits.
// Locking: the inode's lock for the list.

#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include <executive/xattr.h>

#include "acl.h"
#include "inode.h"
#include "mount.h"

struct xattr {
    struct xattr *next;
    uint32_t name_length, size;
    char bytes[]; // the name with its NUL, then the value
};

#define CAPABILITY_NAME "security.capability"
// Of struct vfs_cap_data: the first word, then two of (permitted, inheritable), then in revision 3 the root user.
#define CAPABILITY_REVISION  0xff000000u
#define CAPABILITY_2         0x02000000u
#define CAPABILITY_3         0x03000000u
#define CAPABILITY_EFFECTIVE 1u
#define CAPABILITY_2_SIZE    20u
#define CAPABILITY_3_SIZE    24u

static bool has_prefix(const char *name, const char *prefix) {
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

// --- rules ------------------------------------------------------------------------------------------------------------

// Linux's xattr_permission: what the space of the name asks for.
static inv_status_t may_use(struct inode *i, struct token *who, const char *name, bool write) {
    if (has_prefix(name, "security.") || has_prefix(name, "system."))
        return INV_OK;
    if (has_prefix(name, "trusted.")) {
        if (token_capable(who, CAP_SYS_ADMIN))
            return INV_OK;
        return write ? INV_ERR_NOT_PERMITTED : INV_ERR_NO_DATA;
    }
    if (has_prefix(name, "user.")) {
        bool directory = inode_is(i, MODE_DIRECTORY);
        if (!directory && !inode_is(i, MODE_REGULAR))
            return write ? INV_ERR_NOT_PERMITTED : INV_ERR_NO_DATA;
        if (directory && (i->mode & MODE_STICKY) != 0 && write && !inode_owner_or_capable(i, who))
            return INV_ERR_NOT_PERMITTED;
    }
    return vfs_permission(i, who, write ? WANT_WRITE : WANT_READ);
}

// security. names are changed by those who may give capabilities to files, or by the administrator.
static inv_status_t may_change_security(const struct token *who, const char *name) {
    if (!has_prefix(name, "security."))
        return INV_OK;
    unsigned capability = strcmp(name, CAPABILITY_NAME) == 0 ? CAP_SETFCAP : CAP_SYS_ADMIN;
    return token_capable(who, capability) ? INV_OK : INV_ERR_NOT_PERMITTED;
}

// Is the name in a space that the inode's file system keeps?
static inv_status_t space_kept(const struct inode *i, const char *name) {
    static const char *const spaces[] = {"security.", "trusted."};
    if (i->superblock->xattr_limit == 0)
        return INV_ERR_OP_NOT_SUPPORTED;
    enum acl_kind kind;
    if (acl_kind_of(name, &kind) == INV_OK)
        return INV_OK;
    for (size_t n = 0; n < ARRAY_SIZE(spaces); n++)
        if (has_prefix(name, spaces[n]))
            return name[strlen(spaces[n])] != 0 ? INV_OK : INV_ERR_INVALID;
    return INV_ERR_OP_NOT_SUPPORTED;
}

// --- the list ---------------------------------------------------------------------------------------------------------

static size_t xattr_bytes(const struct xattr *x) {
    return sizeof(*x) + x->name_length + 1 + x->size;
}

// Takes bytes of the superblock's limit. False: too many.
static bool space_take(struct superblock *sb, size_t bytes) {
    uint64_t used = atomic_load_explicit(&sb->xattr_used, memory_order_relaxed);
    do {
        if (bytes > sb->xattr_limit || used > sb->xattr_limit - bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&sb->xattr_used, &used, used + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

inv_status_t inode_xattr_charge(struct inode *i, size_t bytes) {
    if (!space_take(i->superblock, bytes))
        return INV_ERR_NO_SPACE;
    inv_status_t s = job_charge(i->job, JOB_MEMORY, bytes);
    if (s != INV_OK)
        atomic_fetch_sub_explicit(&i->superblock->xattr_used, bytes, memory_order_relaxed);
    return s;
}

void inode_xattr_uncharge(struct inode *i, size_t bytes) {
    job_uncharge(i->job, JOB_MEMORY, bytes);
    atomic_fetch_sub_explicit(&i->superblock->xattr_used, bytes, memory_order_relaxed);
}

static void xattr_free(struct inode *i, struct xattr *x) {
    size_t bytes = xattr_bytes(x);
    kfree(x);
    inode_xattr_uncharge(i, bytes);
}

static inv_status_t xattr_make(struct inode *i, const char *name, const void *value, size_t size, struct xattr **out) {
    size_t length = strlen(name), bytes = sizeof(struct xattr) + length + 1 + size;
    inv_status_t s = inode_xattr_charge(i, bytes);
    if (s != INV_OK)
        return s == INV_ERR_NO_SPACE ? s : INV_ERR_NO_MEMORY;
    struct xattr *x = kmalloc(bytes);
    if (x == NULL) {
        inode_xattr_uncharge(i, bytes);
        return INV_ERR_NO_MEMORY;
    }
    x->name_length = (uint32_t)length;
    x->size = (uint32_t)size;
    memcpy(x->bytes, name, length + 1);
    if (size != 0)
        memcpy(x->bytes + length + 1, value, size);
    *out = x;
    return INV_OK;
}

static const uint8_t *xattr_value(const struct xattr *x) {
    return (const uint8_t *)x->bytes + x->name_length + 1;
}

// The link to the attribute, or to where the list ends.
static struct xattr **find_locked(struct inode *i, const char *name) {
    struct xattr **link = &i->xattrs;
    while (*link != NULL && strcmp((*link)->bytes, name) != 0)
        link = &(*link)->next;
    return link;
}

// value NULL: removes.
static inv_status_t change_locked(struct inode *i, const char *name, const void *value, size_t size, unsigned flags) {
    struct xattr **link = find_locked(i, name), *old = *link, *new = NULL;
    inv_status_t s = INV_OK;
    if (old != NULL && (flags & XATTR_CREATE) != 0)
        return INV_ERR_EXISTS;
    if (old == NULL && (value == NULL || (flags & XATTR_REPLACE) != 0))
        return INV_ERR_NO_DATA;
    if (value != NULL)
        s = xattr_make(i, name, value, size, &new);
    if (s != INV_OK)
        return s;
    if (old == NULL) {
        new->next = i->xattrs;
        i->xattrs = new;
    } else {
        if (new != NULL)
            new->next = old->next;
        *link = new != NULL ? new : old->next;
        xattr_free(i, old);
    }
    i->ctime = timestamp_now();
    return INV_OK;
}

void inode_drop_capabilities(struct inode *i) {
    if (likely(i->xattrs == NULL))
        return;
    struct xattr **link = find_locked(i, CAPABILITY_NAME), *x = *link;
    if (x != NULL) {
        *link = x->next;
        xattr_free(i, x);
    }
}

void inode_free_xattrs(struct inode *i) {
    while (i->xattrs != NULL) {
        struct xattr *x = i->xattrs;
        i->xattrs = x->next;
        xattr_free(i, x);
    }
}

// --- file capabilities ------------------------------------------------------------------------------------------------

static uint32_t word(const void *from, unsigned index) {
    const uint8_t *b = (const uint8_t *)from + (size_t)index * 4;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void word_put(void *to, unsigned index, uint32_t value) {
    uint8_t *b = (uint8_t *)to + (size_t)index * 4;
    for (unsigned n = 0; n < 4; n++)
        b[n] = (uint8_t)(value >> 8 * n);
}

// The revision of a well-formed value, else 0.
static uint32_t capability_revision(const void *value, size_t size) {
    if (size != CAPABILITY_2_SIZE && size != CAPABILITY_3_SIZE)
        return 0;
    uint32_t revision = word(value, 0) & CAPABILITY_REVISION;
    return revision == (size == CAPABILITY_2_SIZE ? CAPABILITY_2 : CAPABILITY_3) ? revision : 0;
}

static inv_status_t capability_check(const struct token *who, const void *value, size_t size) {
    uint32_t revision = capability_revision(value, size);
    if (revision == 0)
        return INV_ERR_INVALID;
    if (!token_capable(who, CAP_SETFCAP))
        return INV_ERR_NOT_PERMITTED;
    return revision == CAPABILITY_3 && word(value, 5) == UINT32_MAX ? INV_ERR_INVALID : INV_OK;
}

// As it is told: of revision 3 only if it is for another root user than ours. Returns the length.
static inv_status_t capability_tell(const struct xattr *x, uint8_t out[CAPABILITY_3_SIZE], size_t *out_length) {
    uint32_t revision = capability_revision(xattr_value(x), x->size);
    if (revision == 0)
        return INV_ERR_INVALID;
    memcpy(out, xattr_value(x), x->size);
    *out_length = x->size;
    if (revision == CAPABILITY_3 && word(out, 5) == 0) {
        *out_length = CAPABILITY_2_SIZE;
        word_put(out, 0, CAPABILITY_2 | (word(out, 0) & CAPABILITY_EFFECTIVE));
    }
    return INV_OK;
}

bool inode_file_capabilities(struct inode *i, struct file_capabilities *out) {
    mutex_lock(&i->lock);
    const struct xattr *x = *find_locked(i, CAPABILITY_NAME);
    uint32_t revision = x != NULL ? capability_revision(xattr_value(x), x->size) : 0;
    if (revision != 0) {
        const uint8_t *v = xattr_value(x);
        *out = (struct file_capabilities){.permitted = word(v, 1) | (uint64_t)word(v, 3) << 32,
                                          .inheritable = word(v, 2) | (uint64_t)word(v, 4) << 32,
                                          .effective = (word(v, 0) & CAPABILITY_EFFECTIVE) != 0,
                                          .root_user = revision == CAPABILITY_3 ? word(v, 5) : 0};
    }
    mutex_unlock(&i->lock);
    return revision != 0;
}

// --- the calls --------------------------------------------------------------------------------------------------------

static inv_status_t get_locked(struct inode *i, const char *name, void *buffer, size_t size, size_t *out_length) {
    uint8_t told[CAPABILITY_3_SIZE];
    const struct xattr *x = *find_locked(i, name);
    if (x == NULL)
        return INV_ERR_NO_DATA;
    const void *value = xattr_value(x);
    *out_length = x->size;
    if (strcmp(name, CAPABILITY_NAME) == 0) {
        inv_status_t s = capability_tell(x, told, out_length);
        if (s != INV_OK)
            return s;
        value = told;
    }
    if (size == 0)
        return INV_OK;
    if (size < *out_length)
        return INV_ERR_RANGE;
    memcpy(buffer, value, *out_length);
    return INV_OK;
}

inv_status_t vfs_xattr_get(struct inode *i, struct token *who, const char *name, void *buffer, size_t size,
                           size_t *out_length) {
    inv_status_t s = may_use(i, who, name, false);
    if (s == INV_OK)
        s = space_kept(i, name);
    if (s != INV_OK)
        return s;
    enum acl_kind kind;
    bool list = acl_kind_of(name, &kind) == INV_OK;
    if (list && inode_is(i, MODE_SYMLINK))
        return INV_ERR_OP_NOT_SUPPORTED;
    mutex_lock(&i->lock);
    s = list ? acl_get(i, kind, buffer, size, out_length) : get_locked(i, name, buffer, size, out_length);
    mutex_unlock(&i->lock);
    return s;
}

static inv_status_t change(struct inode *i, struct token *who, const char *name, const void *value, size_t size,
                           unsigned flags) {
    enum acl_kind kind;
    mutex_lock(&i->lock);
    inv_status_t s = may_use(i, who, name, true);
    if (s == INV_OK)
        s = may_change_security(who, name);
    if (s == INV_OK)
        s = space_kept(i, name);
    if (s == INV_OK)
        s = acl_kind_of(name, &kind) == INV_OK ? acl_set(i, who, kind, value, size)
                                               : change_locked(i, name, value, size, flags);
    mutex_unlock(&i->lock);
    return s;
}

inv_status_t vfs_xattr_set(struct inode *i, struct token *who, const char *name, const void *value, size_t size,
                           unsigned flags) {
    if (size != 0 && strcmp(name, CAPABILITY_NAME) == 0) {
        inv_status_t s = capability_check(who, value, size);
        if (s != INV_OK)
            return s;
    }
    return change(i, who, name, size != 0 ? value : "", size, flags);
}

inv_status_t vfs_xattr_remove(struct inode *i, struct token *who, const char *name) {
    return change(i, who, name, NULL, 0, XATTR_REPLACE);
}

// The names so far, and how long they are; size 0: only that.
struct name_list {
    char *buffer;
    size_t size, used;
};

static inv_status_t name_add(struct name_list *l, const char *name) {
    size_t length = strlen(name) + 1;
    if (l->size != 0 && l->size - l->used < length)
        return INV_ERR_RANGE;
    if (l->size != 0)
        memcpy(l->buffer + l->used, name, length);
    l->used += length;
    return INV_OK;
}

inv_status_t vfs_xattr_list(struct inode *i, struct token *who, char *buffer, size_t size, size_t *out_length) {
    bool administrator = token_capable(who, CAP_SYS_ADMIN);
    struct name_list l = {.buffer = buffer, .size = size};
    inv_status_t s = INV_OK;
    mutex_lock(&i->lock);
    if (acl_has(i, ACL_ACCESS))
        s = name_add(&l, "system.posix_acl_access");
    if (s == INV_OK && acl_has(i, ACL_DEFAULT))
        s = name_add(&l, "system.posix_acl_default");
    for (const struct xattr *x = i->xattrs; x != NULL && s == INV_OK; x = x->next) {
        if (administrator || !has_prefix(x->bytes, "trusted."))
            s = name_add(&l, x->bytes);
    }
    mutex_unlock(&i->lock);
    *out_length = l.used;
    return s;
}

inv_status_t path_write_begin(const struct path *p) {
    return mount_write_begin(p->mount);
}

void path_write_end(const struct path *p) {
    mount_write_end(p->mount);
}
