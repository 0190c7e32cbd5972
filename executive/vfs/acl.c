// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Access control lists: checked, kept at the inode, asked at each access that the owner does not make, inherited by what is made in a directory. Called by
// permission.c, xattr.c (they are set and read as the attributes system.posix_acl_access and system.posix_acl_default), attributes.c and the file systems that
// keep attributes.
//
// A list is never changed: a new one takes its place, and the old one is freed when nobody inside an epoch can look at it any more.
//
// Invariants: I1. A list that is kept has passed list_valid. I2. An access list says more than mode bits can; what it says of the owner, the group class and
// others is what the mode says.
// Locking: the inode's lock for both lists; permission checks read the access list inside an epoch.

#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "acl.h"
#include "inode.h"

// As attributes have it, little endian: a version of 4 bytes, then entries of 8 bytes.
#define ACL_VERSION     2u
#define ACL_HEADER_SIZE 4u
#define ACL_ENTRY_SIZE  8u

#define TAG_USER_OBJ  0x01u
#define TAG_USER      0x02u
#define TAG_GROUP_OBJ 0x04u
#define TAG_GROUP     0x08u
#define TAG_MASK      0x10u
#define TAG_OTHER     0x20u

struct acl_entry {
    uint16_t tag, bits;
    uint32_t id; // of TAG_USER and TAG_GROUP; else UINT32_MAX
};
_Static_assert(sizeof(struct acl_entry) == ACL_ENTRY_SIZE, "the attribute's form");

struct acl {
    struct epoch_node reclaim;
    uint32_t count;
    struct acl_entry entries[];
};

#define FOR_EACH_ENTRY(e, a) for (struct acl_entry * (e) = (a)->entries; (e) < (a)->entries + (a)->count; (e)++)

inv_status_t acl_kind_of(const char *name, enum acl_kind *out) {
    *out = strcmp(name, "system.posix_acl_default") == 0 ? ACL_DEFAULT : ACL_ACCESS;
    return *out == ACL_DEFAULT || strcmp(name, "system.posix_acl_access") == 0 ? INV_OK : INV_ERR_INVALID;
}

// --- memory -----------------------------------------------------------------------------------------------------------

static size_t acl_bytes(uint32_t count) {
    return sizeof(struct acl) + count * sizeof(struct acl_entry);
}

static inv_status_t acl_alloc(struct inode *i, uint32_t count, struct acl **out) {
    inv_status_t s = inode_xattr_charge(i, acl_bytes(count));
    if (s != INV_OK)
        return s;
    struct acl *a = kmalloc(acl_bytes(count));
    if (a == NULL) {
        inode_xattr_uncharge(i, acl_bytes(count));
        return INV_ERR_NO_MEMORY;
    }
    a->count = count;
    *out = a;
    return INV_OK;
}

static void acl_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct acl, reclaim));
}

static void acl_free(struct inode *i, struct acl *a) {
    if (a == NULL)
        return;
    inode_xattr_uncharge(i, acl_bytes(a->count));
    epoch_defer(&a->reclaim, acl_reclaim);
}

static struct acl *_Atomic *place_of(struct inode *i, enum acl_kind kind) {
    return kind == ACL_DEFAULT ? &i->default_acl : &i->acl;
}

// Takes over a.
static void acl_put_in(struct inode *i, enum acl_kind kind, struct acl *a) {
    acl_free(i, atomic_exchange_explicit(place_of(i, kind), a, memory_order_acq_rel));
}

void acl_free_all(struct inode *i) {
    acl_put_in(i, ACL_ACCESS, NULL);
    acl_put_in(i, ACL_DEFAULT, NULL);
}

static inv_status_t acl_copy(struct inode *i, const struct acl *from, struct acl **out) {
    inv_status_t s = acl_alloc(i, from->count, out);
    if (s == INV_OK)
        memcpy((*out)->entries, from->entries, from->count * sizeof(struct acl_entry));
    return s;
}

// --- lists ------------------------------------------------------------------------------------------------------------

// The value's entries. *out is NULL if there are none.
static inv_status_t list_parse(struct inode *i, const void *value, size_t size, struct acl **out) {
    uint32_t version;
    *out = NULL;
    if (size < ACL_HEADER_SIZE)
        return INV_ERR_INVALID;
    memcpy(&version, value, sizeof(version));
    if (version != ACL_VERSION)
        return INV_ERR_OP_NOT_SUPPORTED;
    size -= ACL_HEADER_SIZE;
    if (size % ACL_ENTRY_SIZE != 0)
        return INV_ERR_INVALID;
    if (size == 0)
        return INV_OK;
    inv_status_t s = acl_alloc(i, (uint32_t)(size / ACL_ENTRY_SIZE), out);
    if (s != INV_OK)
        return s;
    memcpy((*out)->entries, (const uint8_t *)value + ACL_HEADER_SIZE, size);
    FOR_EACH_ENTRY(e, *out) {
        bool named = e->tag == TAG_USER || e->tag == TAG_GROUP;
        bool known = named || e->tag == TAG_USER_OBJ || e->tag == TAG_GROUP_OBJ || e->tag == TAG_MASK ||
                     e->tag == TAG_OTHER;
        if (!known || (named && e->id == UINT32_MAX))
            s = INV_ERR_INVALID;
        if (!named)
            e->id = UINT32_MAX;
    }
    if (s != INV_OK)
        acl_free(i, *out);
    return s;
}

// Owner, named users, group, named groups, mask, others: in this order, with a mask if anybody is named.
static bool list_valid(struct acl *a) {
    unsigned next = TAG_USER_OBJ;
    bool needs_mask = false;
    FOR_EACH_ENTRY(e, a) {
        if ((e->bits & ~7u) != 0)
            return false;
        switch (e->tag) {
        case TAG_USER_OBJ:
            if (next != TAG_USER_OBJ)
                return false;
            next = TAG_USER;
            break;
        case TAG_GROUP_OBJ:
            if (next != TAG_USER)
                return false;
            next = TAG_GROUP;
            break;
        case TAG_USER:
        case TAG_GROUP:
            if (next != e->tag)
                return false;
            needs_mask = true;
            break;
        case TAG_MASK:
            if (next != TAG_GROUP)
                return false;
            next = TAG_OTHER;
            break;
        default:
            if (next != TAG_OTHER && (next != TAG_GROUP || needs_mask))
                return false;
            next = 0;
            break;
        }
    }
    return next == 0;
}

// The permission bits that stand for the list; *out_equal: they say all of it.
static uint32_t mode_of(struct acl *a, bool *out_equal) {
    uint32_t mode = 0;
    *out_equal = true;
    FOR_EACH_ENTRY(e, a) {
        switch (e->tag) {
        case TAG_USER_OBJ: mode |= (uint32_t)e->bits << 6; break;
        case TAG_GROUP_OBJ: mode |= (uint32_t)e->bits << 3; break;
        case TAG_OTHER: mode |= e->bits; break;
        case TAG_MASK: mode = (mode & ~070u) | (uint32_t)e->bits << 3; // fall through
        default: *out_equal = false; break;
        }
    }
    return mode;
}

// The entry that the mode's middle bits are: the mask if there is one.
static struct acl_entry *group_class(struct acl *a) {
    struct acl_entry *found = NULL;
    FOR_EACH_ENTRY(e, a) {
        if (e->tag == TAG_MASK || (e->tag == TAG_GROUP_OBJ && found == NULL))
            found = e;
    }
    return found;
}

// --- asking -----------------------------------------------------------------------------------------------------------

static bool masked_allows(const struct acl *a, const struct acl_entry *e, unsigned want) {
    unsigned bits = e->bits;
    for (const struct acl_entry *m = e + 1; m < a->entries + a->count; m++)
        if (m->tag == TAG_MASK)
            bits &= m->bits;
    return (bits & want) == want;
}

static bool list_allows(struct acl *a, const struct inode *i, const struct token *who, unsigned want) {
    bool found = false;
    FOR_EACH_ENTRY(e, a) {
        if (e->tag == TAG_USER && e->id == who->fsuid)
            return masked_allows(a, e, want);
        if ((e->tag == TAG_GROUP_OBJ && token_in_group(who, i->gid)) ||
            (e->tag == TAG_GROUP && token_in_group(who, e->id))) {
            found = true;
            if ((e->bits & want) == want)
                return masked_allows(a, e, want);
        }
        if (e->tag == TAG_OTHER)
            return !found && (e->bits & want) == want;
    }
    return false;
}

inv_status_t acl_permission(struct inode *i, const struct token *who, unsigned want) {
    inv_status_t s = INV_ERR_NOT_FOUND;
    epoch_enter();
    struct acl *a = atomic_load_explicit(&i->acl, memory_order_acquire);
    if (a != NULL)
        s = list_allows(a, i, who, want & 7) ? INV_OK : INV_ERR_ACCESS;
    epoch_exit();
    return s;
}

// --- as attributes ----------------------------------------------------------------------------------------------------

bool acl_has(const struct inode *i, enum acl_kind kind) {
    return atomic_load_explicit(kind == ACL_DEFAULT ? &i->default_acl : &i->acl, memory_order_relaxed) != NULL;
}

inv_status_t acl_get(struct inode *i, enum acl_kind kind, void *buffer, size_t size, size_t *out_length) {
    const struct acl *a = atomic_load_explicit(place_of(i, kind), memory_order_relaxed);
    const uint32_t version = ACL_VERSION;
    if (a == NULL)
        return INV_ERR_NO_DATA;
    *out_length = ACL_HEADER_SIZE + a->count * sizeof(struct acl_entry);
    if (size == 0)
        return INV_OK;
    if (size < *out_length)
        return INV_ERR_RANGE;
    memcpy(buffer, &version, sizeof(version));
    memcpy((uint8_t *)buffer + ACL_HEADER_SIZE, a->entries, a->count * sizeof(struct acl_entry));
    return INV_OK;
}

static inv_status_t set_check(const struct inode *i, const struct token *who, enum acl_kind kind, struct acl *a) {
    if (inode_is(i, MODE_SYMLINK))
        return INV_ERR_OP_NOT_SUPPORTED;
    if (kind == ACL_DEFAULT && !inode_is(i, MODE_DIRECTORY))
        return a != NULL ? INV_ERR_ACCESS : INV_OK;
    if (!inode_owner_or_capable(i, who))
        return INV_ERR_NOT_PERMITTED;
    return a == NULL || list_valid(a) ? INV_OK : INV_ERR_INVALID;
}

// The mode becomes what the list says, and the list goes if that is all of it.
static struct acl *access_settle(struct inode *i, const struct token *who, struct acl *a) {
    uint32_t mode = i->mode;
    bool equal = false;
    if (a != NULL)
        mode = (mode & ~0777u) | mode_of(a, &equal);
    if (!token_in_group(who, i->gid) && !token_capable(who, CAP_FSETID))
        mode &= ~(uint32_t)MODE_SETGID;
    i->mode = mode;
    if (!equal)
        return a;
    acl_free(i, a);
    return NULL;
}

inv_status_t acl_set(struct inode *i, struct token *who, enum acl_kind kind, const void *value, size_t size) {
    struct acl *a = NULL;
    inv_status_t s = value != NULL ? list_parse(i, value, size, &a) : INV_OK;
    if (s != INV_OK)
        return s;
    s = set_check(i, who, kind, a);
    if (s != INV_OK || (kind == ACL_DEFAULT && !inode_is(i, MODE_DIRECTORY))) {
        acl_free(i, a);
        return s;
    }
    acl_put_in(i, kind, kind == ACL_ACCESS ? access_settle(i, who, a) : a);
    i->ctime = timestamp_now();
    return INV_OK;
}

// --- with the mode ----------------------------------------------------------------------------------------------------

inv_status_t acl_follow_mode(struct inode *i, uint32_t mode) {
    struct acl *old = atomic_load_explicit(&i->acl, memory_order_relaxed), *a;
    if (likely(old == NULL))
        return INV_OK;
    inv_status_t s = acl_copy(i, old, &a);
    if (s != INV_OK)
        return s;
    FOR_EACH_ENTRY(e, a) {
        if (e->tag == TAG_USER_OBJ)
            e->bits = mode >> 6 & 7;
        else if (e->tag == TAG_OTHER)
            e->bits = mode & 7;
    }
    group_class(a)->bits = mode >> 3 & 7;
    acl_put_in(i, ACL_ACCESS, a);
    return INV_OK;
}

uint32_t acl_new_mode(const struct inode *dir, uint32_t mode, uint32_t umask) {
    return acl_has(dir, ACL_DEFAULT) ? mode : mode & ~umask;
}

// What the default list and the wanted mode both allow.
static uint32_t list_narrow(struct acl *a, uint32_t mode) {
    struct acl_entry *group = group_class(a);
    bool equal;
    FOR_EACH_ENTRY(e, a) {
        if (e->tag == TAG_USER_OBJ)
            e->bits &= mode >> 6 & 7;
        else if (e->tag == TAG_OTHER)
            e->bits &= mode & 7;
    }
    group->bits &= mode >> 3 & 7;
    return (mode & ~0777u) | mode_of(a, &equal);
}

inv_status_t acl_inherit(struct inode *i, const struct inode *dir) {
    const struct acl *from = atomic_load_explicit(&dir->default_acl, memory_order_relaxed);
    struct acl *a, *further = NULL;
    bool equal;
    if (likely(from == NULL) || inode_is(i, MODE_SYMLINK))
        return INV_OK;
    inv_status_t s = acl_copy(i, from, &a);
    if (s == INV_OK && inode_is(i, MODE_DIRECTORY)) {
        s = acl_copy(i, from, &further);
        if (s != INV_OK)
            acl_free(i, a);
    }
    if (s != INV_OK)
        return s;
    i->mode = list_narrow(a, i->mode);
    mode_of(a, &equal);
    if (equal) {
        acl_free(i, a);
        a = NULL;
    }
    acl_put_in(i, ACL_ACCESS, a);
    acl_put_in(i, ACL_DEFAULT, further);
    return INV_OK;
}
